//! Numbers keep every digit on their way through: against the text itself, shortened by hand.

use syncline::core::value::{
    Value,
    json::{Limits, parse},
};

use crate::support::rig::{Budget, Chance};

/// A number of up to 38 digits as systems spell it: signs, zeros in front of and behind the digits, exponents.
fn spelled(chance: &mut Chance) -> String {
    let digits = 1 + chance.below(38);
    let point = chance.below(digits + 1);
    let mut text = String::new();
    if chance.percent(40) {
        text.push('-');
    }
    let mut whole: String = (0..point)
        .map(|_| char::from(b'0' + u8::try_from(chance.below(10)).unwrap()))
        .collect();
    whole = whole.trim_start_matches('0').to_owned();
    text.push_str(if whole.is_empty() { "0" } else { &whole });
    if point < digits {
        text.push('.');
        text.extend((point..digits).map(|_| char::from(b'0' + u8::try_from(chance.below(10)).unwrap())));
    }
    if chance.percent(15) {
        text.push_str(chance.pick::<&str>(&["e0", "E+2", "e-3", "e7", "E-9"]));
    }
    text
}

/// The number as sign, digits without zeros at their ends, and the power of ten of the last digit.
fn shortened(text: &str) -> (bool, String, i64) {
    let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    if digits.trim_start_matches('0').is_empty() {
        return (false, String::new(), 0);
    }
    let power = exponent.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap();
    let dropped = i64::try_from(all.len() - digits.len()).unwrap();
    (is_negative, digits.trim_start_matches('0').to_owned(), power + dropped)
}

#[test]
fn no_digit_of_a_number_is_lost_between_reading_and_writing() {
    let mut budget = Budget::new(20_000, 10_000_000);
    let mut chance = budget.chance();
    let limits = Limits::default();
    while budget.goes_on() {
        let text = spelled(&mut chance);
        let read: Value = parse(text.as_bytes(), &limits).unwrap();
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(
            shortened(&written),
            shortened(&text),
            "{text} became {written}; {}",
            budget.replay()
        );
        // What was written is read as the same value.
        assert_eq!(
            parse(written.as_bytes(), &limits).unwrap(),
            read,
            "{text}; {}",
            budget.replay()
        );
    }
}
