use super::*;
use crate::core::value::json;

fn scope() -> Scope {
    let data = r#"{
        "name": "Ana Ltda", "limit": 120.50, "tiny": 0.1, "long": 12345678901234567890.123, "big": 9007199254740993,
        "none": null, "tags": ["a", "b"], "address": { "city": "Wien" }, "created": "2026-03-01T10:20:30Z", "blank": " "
    }"#;
    let record = json::parse(data.as_bytes(), &json::Limits::default()).unwrap();
    Scope::new().with("erp", record).with("status", 404_i64)
}

fn names() -> Names {
    Names::new(["erp", "status", "since"])
}

fn eval(source: &str) -> String {
    match Template::parse(source, &names()) {
        Err(error) => format!("error: {error} ({})", error.hint.as_deref().unwrap_or_default()),
        Ok(template) => match template.find(&scope()) {
            Ok(Some(value)) => json::to_string(&value),
            Ok(None) => "absent".to_owned(),
            Err(fault) => format!("fault: {fault}"),
        },
    }
}

#[test]
fn expressions_yield_what_the_table_says() {
    for (source, expect) in [
        ("plain", r#""plain""#),
        ("{{ erp.limit }}", "120.50"),
        ("{{ erp.long }}", "12345678901234567890.123"),
        ("{{ erp.big }}", "9007199254740993"),
        ("{{ erp.address.city }}", r#""Wien""#),
        ("{{ erp.none }}", "null"),
        ("{{ since }}", "absent"),
        ("{{ erp.missing }}", "absent"),
        ("{{ erp.missing | default('x') }}", r#""x""#),
        (
            "since {{ erp.created | date('%Y') }}: {{ erp.name | upper }}",
            r#""since 2026: ANA LTDA""#,
        ),
        ("{{ status == 404 and erp.limit > 100 }}", "true"),
        ("{{ erp.limit < 120.51 }}", "true"),
        ("{{ erp.tags[1] }}", r#""b""#),
        ("{{ 'yes' if erp.blank is empty else 'no' }}", r#""yes""#),
        ("{{ erp.tiny | add(0.2) }}", "0.3"),
        ("{{ erp.long | mul(2) }}", "24691357802469135780.246"),
        ("{{ 10 | div(3, 2) }}", "3.33"),
        ("{{ erp.missing is defined }}", "false"),
        ("{{ {'a': 'Active'}['a'] }}", r#""Active""#),
        ("{{ 'x' in erp.tags }}", "false"),
        ("{{ erp.name | b64encode | b64decode }}", r#""Ana Ltda""#),
        ("{{ status + 1 }}", "405"),
    ] {
        assert_eq!(eval(source), expect, "{source}");
    }
}

#[test]
fn a_result_that_floating_point_would_round_is_refused() {
    assert!(
        eval("{{ erp.tiny + 0.2 }}").contains("exact"),
        "{}",
        eval("{{ erp.tiny + 0.2 }}")
    );
    assert!(eval("{{ 1 / 3 }}").contains("exact"), "{}", eval("{{ 1 / 3 }}"));
}

#[test]
fn mistakes_are_found_when_the_expression_is_loaded() {
    for (source, expect) in [
        ("{{ epr.name }}", "did you mean `erp`?"),
        ("{{ erp.name | uper }}", "did you mean `upper`?"),
        ("{{ erp.name", "`{{` is not closed"),
        ("{{ }}", "the expression is empty"),
        ("{% for x in erp %}{{ x }}{% endfor %}", "statements are not known"),
        ("{{ range(10) }}", "unknown name `range`"),
    ] {
        let shown = eval(source);
        assert!(
            shown.starts_with("error") && shown.contains(expect),
            "{source}: {shown}"
        );
    }
    let error = Template::parse("x {{ erp.name == epr.name }}", &names()).unwrap_err();
    assert_eq!(error.range, 17..20);
}

#[test]
fn abuse_ends_in_a_fault_or_error_and_never_in_a_panic() {
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(2_000), ")".repeat(2_000));
    let long = format!("{{{{ '{}' }}}}", "a".repeat(10_000));
    for source in [
        nested.as_str(),
        long.as_str(),
        "{{ 'a' * 1000000000 }}",
        "{{ 99999999999999999999999999999999999999999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ erp.name | replace('', 'xxxxxxxx') }}",
        "{{ erp.name.__class__ }}",
        "{{ erp.tags | join(erp.tags) }}",
        "{{ self }}",
        "{{ erp | json | from_json | json | slice(0, 99999999999999999999) }}",
    ] {
        let shown = eval(source);
        assert!(
            shown.starts_with("error") || shown.starts_with("fault") || shown == "absent" || shown.len() < 1_000,
            "{source:.60}: {shown:.200}"
        );
    }
}

#[test]
fn the_members_an_expression_names_are_known_beforehand() {
    let expr = Expr::parse("erp.address.city if erp.name else status", &names()).unwrap();
    let mut paths: Vec<String> = expr.paths_of("erp").iter().map(ToString::to_string).collect();
    paths.sort();
    assert_eq!(paths, ["address.city", "name"]);
}

#[test]
fn a_structure_leaves_out_what_is_not_there() {
    let form =
        serde_json::json!({ "q": "{{ erp.name }}", "since": "{{ since }}", "list": [1, "{{ status }}"], "n": null });
    let structure = Structure::parse(&form, &names(), "", &mut |place, error| panic!("{place}: {error}"));
    let value = structure.find(&scope()).unwrap().unwrap();
    assert_eq!(json::to_string(&value), r#"{"list":[1,404],"n":null,"q":"Ana Ltda"}"#);
}

mod property {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parsing_and_evaluating_never_panics(source in "[ a-z0-9.|()\\[\\]{}'\"=<>+*/~%-]{0,60}") {
            eval(&source);
            eval(&format!("{{{{ {source} }}}}"));
        }
    }
}
