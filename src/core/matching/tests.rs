use proptest::prelude::*;

use super::*;

const ALL_COUNTRIES: [&str; 6] = ["BR", "DE", "US", "IT", "CH", "RU"];

fn rule(normalizers: &[Normalizer], country: Option<&str>) -> Rule {
    let path = Path::parse("value").unwrap();
    Rule {
        paths: Sides {
            left: path.clone(),
            right: path,
        },
        kind: Kind::Any,
        counts: Counts::normalized(normalizers.to_vec(), country.and_then(Country::parse)),
    }
}

/// Texts as they stand in such fields, and anything else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r"(\+|00)?[0-9 ()./-]{0,18}( ext\.? [0-9]{1,3})?",
        r"(BR|DE|EL|CHE-|CNPJ|VAT ?)?[0-9A-Z ./-]{0,18}( MWST| MVA)?",
        r"[A-Za-zÀ-ÿ .,&-]{0,30}( Ltda\.?| S/?A| GmbH( & Co\.? KG)?| Inc\.?|, LLC){0,2}",
        r" ?[a-zA-Z.+]{0,10}@[a-zA-Z.]{0,12} ?",
    ]
}

fn normalizers() -> impl Strategy<Value = Vec<Normalizer>> {
    prop::collection::vec(prop::sample::select(Normalizer::ALL.to_vec()), 1..4)
}

proptest! {
    #[test]
    fn normalizing_twice_is_normalizing_once(text in text(), list in normalizers(), country in prop::sample::select(ALL_COUNTRIES.to_vec())) {
        let counts = Counts::normalized(list, Country::parse(country));
        let once = counts.text(&text);
        prop_assert_eq!(counts.text(&once), once.clone(), "{:?} of {:?}", counts, text);
    }

    #[test]
    fn a_value_matches_itself_by_its_key_or_has_none_and_matches_nothing(text in text(), other in text(), list in normalizers()) {
        let rule = rule(&list, Some("BR"));
        let (own, other) = (Value::Text(text), Value::Text(other));
        match rule.key(&own) {
            Some(key) => {
                prop_assert!(!key.is_empty());
                prop_assert!(rule.is_match(&own, &own));
                prop_assert!(rule.is_match(&own, &key));
                prop_assert_eq!(rule.is_match(&own, &other), rule.key(&other) == Some(key));
            }
            None => prop_assert!(!rule.is_match(&own, &own) && !rule.is_match(&own, &other)),
        }
    }

    #[test]
    fn a_search_asks_for_few_spellings_none_twice_and_the_value_itself_first(text in text(), list in normalizers()) {
        let rule = rule(&list, Some("BR"));
        let own = Value::Text(text);
        let asked = rule.spellings(&own);
        prop_assert_eq!(&asked[0], &own);
        prop_assert!(asked.len() <= SPELLINGS_MAX);
        let told: std::collections::BTreeSet<_> = asked.iter().filter_map(Value::to_text).collect();
        prop_assert_eq!(told.len(), asked.len());
    }
}

#[test]
fn normalizers_work_in_their_own_order_whatever_is_written() {
    let one = Counts::normalized(vec![Normalizer::Space, Normalizer::LegalForm, Normalizer::Case], None);
    let other = Counts::normalized(
        vec![
            Normalizer::Case,
            Normalizer::Space,
            Normalizer::LegalForm,
            Normalizer::Case,
        ],
        None,
    );
    assert_eq!(one, other);
    assert_eq!(one.text("  ANA  Comércio LTDA. "), "ana comércio");
}

#[test]
fn accents_and_letters_of_other_alphabets_are_told_apart_from_nothing() {
    let counts = Counts::normalized(vec![Normalizer::Accents, Normalizer::Case], None);
    assert_eq!(counts.text("São JOSÉ"), "sao jose");
    assert_eq!(counts.text("Łódź Straße"), "lodz strasse");
    assert_eq!(counts.text("İSTANBUL"), "istanbul");
    assert_eq!(counts.text("Ёлка"), counts.text("Елка"));
    assert_ne!(counts.text("東京"), counts.text("京都"));
}

#[test]
fn placeholders_match_nothing() {
    for (normalizer, text) in [
        (Normalizer::Email, "none"),
        (Normalizer::Email, "@"),
        (Normalizer::TaxId, "000.000.000-00"),
        (Normalizer::Phone, "n/a"),
        (Normalizer::Digits, "-"),
        (Normalizer::Space, " \t"),
    ] {
        let rule = rule(&[normalizer], Some("BR"));
        let value = Value::from(text);
        assert_eq!(rule.key(&value), None, "{normalizer} {text}");
        assert!(!rule.is_match(&value, &value));
    }
}

#[test]
fn a_comparison_that_leaves_nothing_matches_nothing() {
    let rule = Rule {
        counts: Counts::Compare(Compare::Alphanumeric),
        ..rule(&[], None)
    };
    assert!(!rule.is_match(&Value::from("--"), &Value::from("//")));
    assert!(rule.is_match(&Value::from("A-1"), &Value::from("a1")));
}

#[test]
fn a_number_has_the_key_of_its_digits() {
    let rule = rule(&[Normalizer::TaxId], Some("BR"));
    let number = Value::Int(11_222_333_000_181);
    assert!(rule.is_match(&number, &Value::from("11.222.333/0001-81")));
    let asked: Vec<_> = rule.spellings(&number).iter().filter_map(Value::to_text).collect();
    assert_eq!(asked, ["11222333000181", "11.222.333/0001-81", "BR11222333000181"]);
}
