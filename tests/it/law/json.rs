//! The JSON reader against [JSONTestSuite](https://github.com/nst/JSONTestSuite) (MIT, Nicolas Seriot), commit 1ef36fa:
//! `tests/data/json_test_suite.txt`, a name and the file in base64 a line. Its two largest files are made here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use syncline::core::value::json::{Limits, parse};

/// What the reader says where the suite leaves the choice (`i_…`): taken. All others of them are refused: text that is no
/// UTF-8, lone surrogates, and what is deeper than the limit.
const TAKEN: &[&str] = &[
    "i_number_double_huge_neg_exp",
    "i_number_huge_exp",
    "i_number_neg_int_huge_exp",
    "i_number_pos_double_huge_exp",
    "i_number_real_neg_overflow",
    "i_number_real_pos_overflow",
    "i_number_real_underflow",
    "i_number_too_big_neg_int",
    "i_number_too_big_pos_int",
    "i_number_very_big_negative_int",
    "i_structure_UTF-8_BOM_empty_object",
];

/// What the suite takes and the reader refuses: a key that stands twice says two things.
const STRICTER: &[&str] = &["y_object_duplicated_key", "y_object_duplicated_key_and_value"];

#[test]
fn json_is_taken_and_refused_as_the_published_suite_says() {
    let limits = Limits::default();
    let mut counts = [0; 3];
    let mut wrong = Vec::new();
    for line in include_str!("../../data/json_test_suite.txt").lines() {
        let (name, text) = line.split_once(' ').unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        let is_taken = parse(&bytes, &limits).is_ok();
        let is_right = match name.as_bytes()[0] {
            b'y' => {
                counts[0] += 1;
                is_taken != STRICTER.contains(&name)
            }
            b'n' => {
                counts[1] += 1;
                !is_taken
            }
            _ => {
                counts[2] += 1;
                is_taken == TAKEN.contains(&name)
            }
        };
        if !is_right {
            wrong.push(format!("{name} was {}", if is_taken { "taken" } else { "refused" }));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(counts, [95, 186, 35]);
    for deep in ["[".repeat(100_000), "[{\"\":".repeat(50_000)] {
        parse(deep.as_bytes(), &limits).unwrap_err();
    }
}
