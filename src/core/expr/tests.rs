use super::*;
use crate::core::value::json;

const GUIDE: &str = include_str!("../../../docs/expressions.md");

fn record() -> Value {
    let start = GUIDE.find("```json\n").unwrap() + "```json\n".len();
    let length = GUIDE[start..].find("```").unwrap();
    json::parse(&GUIDE.as_bytes()[start..start + length], &json::Limits::default()).unwrap()
}

fn scope() -> Scope {
    let more = r#"{"long":12345678901234567890.123,"huge":1e400,"big":9007199254740993,"price":12.50,"zero":0.00,
        "empty":"","nothing":null,"list":[[1,2],[3]],"at":"2026-03-01T12:20:30+02:00","odd":{"a b":1,"x.y":2}}"#;
    let more = json::parse(more.as_bytes(), &json::Limits::default()).unwrap();
    let at = chrono::DateTime::parse_from_rfc3339("2026-03-01T10:20:30Z").unwrap();
    Scope::new()
        .with("erp", record())
        .with("x", more)
        .with("status", 404_i64)
        .with("moment", at)
        .with("day", chrono::NaiveDate::from_ymd_opt(2026, 3, 1).unwrap())
}

fn names() -> Names {
    Names::new(["erp", "x", "status", "moment", "day", "since"])
}

/// The result as JSON, or what kept it from being one.
fn eval(source: &str) -> String {
    match Expr::parse(source, &names()) {
        Err(error) => format!("error: {error} ({})", error.hint.as_deref().unwrap_or_default()),
        Ok(expr) => match expr.find(&scope()) {
            Ok(Some(value)) => json::to_string(&value),
            Ok(None) => "absent".to_owned(),
            Err(fault) => format!("fault: {fault}"),
        },
    }
}

/// The rows of the guide's tables: name, example and result.
fn guide() -> Vec<(String, String, String)> {
    let cells = |line: &str| -> Vec<String> {
        line.replace("\\|", "\u{0}")
            .split('|')
            .map(|cell| cell.replace('\u{0}', "|").trim().to_owned())
            .collect()
    };
    let code = |cell: &str| cell.trim_matches('`').to_owned();
    GUIDE
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells = cells(line);
            assert_eq!(cells.len(), 6, "{line}");
            (code(&cells[1]), code(&cells[3]), code(&cells[4]))
        })
        .collect()
}

#[test]
fn every_example_of_the_guide_gives_what_it_says() {
    let rows = guide();
    assert!(rows.len() > 70, "{}", rows.len());
    for (_, example, gives) in rows {
        assert_eq!(eval(&example), gives, "{example}");
    }
}

#[test]
fn the_guide_shows_every_filter_and_test_and_no_other() {
    let described: BTreeSet<String> = guide().into_iter().map(|(name, ..)| name).collect();
    for name in filter::names().chain(filter::test_names()) {
        assert!(
            described.contains(name),
            "docs/expressions.md does not describe `{name}`"
        );
    }
    for name in described
        .iter()
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    {
        let is_known = filter::named(name).is_some() || filter::test_named(name).is_some();
        assert!(
            is_known || name == "absent",
            "docs/expressions.md describes `{name}`, which is not there"
        );
    }
}

#[test]
fn numbers_are_exact_in_every_operator() {
    for (source, expected) in [
        ("0.1 + 0.2 == 0.3", "true"),
        ("0.1 + 0.2", "0.3"),
        ("0.10", "0.10"),
        ("x.price * 3", "37.50"),
        ("x.price > 12", "true"),
        ("x.price < 13 and 12 < x.price", "true"),
        ("x.price == 12.5", "true"),
        ("x.long > 1", "true"),
        ("x.long + 0.001", "12345678901234567890.124"),
        ("x.big + 1", "9007199254740994"),
        ("x.big == 9007199254740992", "false"),
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("-x.price", "-12.50"),
        ("-5 + 2", "-3"),
        ("2 - -3", "5"),
        ("1 - 1.0", "0.0"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("x.huge", "1e400"),
        ("x.huge == 1e400", "true"),
        ("x.huge + 1", "fault: `+`: the number has more than 28 digits"),
        (
            "x.long * x.long",
            "fault: `*`: the exact result has more than 28 digits; `| round(2)` first",
        ),
        (
            "'a' + 'b'",
            "fault: `+`: text of 1 characters is not a number; `| decimal` reads it as one, and `~` joins texts",
        ),
        ("x.nothing + 1", "fault: `+`: null is not a number"),
        ("1 | div(0, 2)", "fault: `div`: division by zero"),
        ("true if x.zero else false", "false"),
    ] {
        assert_eq!(eval(source), expected, "{source}");
    }
}

#[test]
fn values_are_compared_by_meaning() {
    for (source, expected) in [
        ("moment == x.at", "true"),
        ("x.at == moment", "true"),
        ("moment < '2026-03-01T10:20:31Z'", "true"),
        ("day == '2026-03-01'", "true"),
        ("day < '2026-02-28'", "false"),
        ("day == moment", "false"),
        ("day < moment", "fault: `<`: date and datetime have no order"),
        ("'a' < 'b'", "true"),
        ("1 < '2'", "fault: `<`: integer and text of 1 characters have no order"),
        ("1 == '1'", "false"),
        ("none == x.nothing", "true"),
        ("erp.tags == ['gold', 'export']", "true"),
        ("[1.0] == [1]", "true"),
        ("{'a': 1} == {'a': 1.00}", "true"),
        ("1.0 in [1, 2]", "true"),
        ("'city' in erp.address", "true"),
        ("'x' not in erp.tags", "true"),
        ("not 'x' in erp.tags", "true"),
        ("'ana' in erp.name", "true"),
    ] {
        assert_eq!(eval(source), expected, "{source}");
    }
}

#[test]
fn absent_null_and_value_are_three_things() {
    for (source, expected) in [
        ("erp.none", "absent"),
        ("erp.none.deeper[3].still", "absent"),
        ("since", "absent"),
        ("absent", "absent"),
        ("erp.none == 'x'", "false"),
        ("erp.none != 'x'", "true"),
        ("erp.none == absent", "true"),
        ("erp.none == none", "false"),
        ("'x' in erp.none", "false"),
        ("erp.none in erp.tags", "false"),
        ("erp.none and erp.none.x", "absent"),
        ("erp.none or 'y'", "\"y\""),
        ("'a' if erp.none else 'b'", "\"b\""),
        ("'a' if erp.none", "absent"),
        ("not erp.none", "true"),
        ("erp.none | default('y')", "\"y\""),
        ("erp.none.city | default('y') | upper", "\"Y\""),
        ("x.nothing | default('y')", "\"y\""),
        ("x.empty | default('y')", "\"\""),
        ("x.nothing | upper", "null"),
        ("x.nothing | date('%Y')", "null"),
        ("x.nothing.member", "absent"),
        ("[erp.none, 1, none]", "[1,null]"),
        ("erp.none < 1", "fault: `erp.none` is absent"),
        ("erp.address.street | upper", "fault: `erp.address.street` is absent"),
        ("erp.name ~ erp.lines[7].sku", "fault: `erp.lines[7].sku` is absent"),
        ("(erp.tags | find('a', 1)).value", "absent"),
        ("erp.nickname | default(erp.none)", "absent"),
    ] {
        assert_eq!(eval(source), expected, "{source}");
    }
    let expr = Expr::parse("erp.address.street", &names()).unwrap();
    assert_eq!(
        expr.eval(&scope()).unwrap_err().to_string(),
        "`erp.address.street` is absent"
    );
}

#[test]
fn members_and_items_are_reached_in_every_way() {
    for (source, expected) in [
        ("erp['name']", "\"ana souza ltda\""),
        ("x.odd['a b']", "1"),
        ("x.odd['x.y']", "2"),
        ("erp.lines[0].sku", "\"A1\""),
        ("erp.lines[-1].sku", "\"B2\""),
        ("erp.lines[status - 403].sku", "\"B2\""),
        ("erp[erp.kind | replace('customer', 'name')]", "\"ana souza ltda\""),
        ("x.list[0][1]", "2"),
        ("x.list[9]", "absent"),
        ("erp.name[4:9]", "\"souza\""),
        ("erp.name[-4:]", "\"ltda\""),
        ("erp.name[:3]", "\"ana\""),
        ("erp.tags[1:]", "[\"export\"]"),
        ("erp.name[5:2]", "\"\""),
        ("{'a': {'b': 1}}.a.b", "1"),
        ("{'a': 'Active'}[erp.status | slice(0, 1)]", "\"Active\""),
        ("erp.address", r#"{"city":"Recife","zip":"50030"}"#),
        ("[erp.address, {'n': erp.tags}] | length", "2"),
    ] {
        assert_eq!(eval(source), expected, "{source}");
    }
}

#[test]
fn mistakes_are_found_when_the_expression_is_loaded() {
    for (source, range, expected) in [
        ("epr.name", 0..3, "unknown name `epr` (did you mean `erp`?)"),
        ("erp.a == epr.name", 9..12, "unknown name `epr` (did you mean `erp`?)"),
        ("__0", 0..3, "unknown name `__0`"),
        (
            "erp.name | uper",
            11..15,
            "unknown filter `uper` (did you mean `upper`?)",
        ),
        (
            "erp.name | string",
            11..17,
            "unknown filter `string` (did you mean `text`?)",
        ),
        ("erp.name | __add(1)", 11..16, "unknown filter `__add`"),
        (
            "erp.name is mapping",
            12..19,
            "unknown test `mapping` (did you mean `map`?)",
        ),
        (
            "erp.name | replace('a')",
            11..18,
            "`replace` takes 2 arguments, 1 given",
        ),
        ("erp.name | slice", 11..16, "`slice` takes 1 to 2 arguments, 0 given"),
        ("erp.name | join(d=',')", 11..15, "arguments have no names here"),
        ("erp.name.upper()", 8..16, "there are no methods: `upper`"),
        ("range(10)", 0..9, "there are no functions: `range`"),
        ("1 / 3", 0..5, "`/` does not say how many digits to keep"),
        ("9 ** 9", 0..6, "the operators are"),
        ("1 < 2 < 3", 0..9, "comparisons cannot be chained"),
        ("{erp.name: 1}", 1..9, "a key of a map is a text"),
        ("erp.name and", 9..12, "unexpected end of input"),
        ("erp.a && erp.b", 0..14, "the words are `and`, `or` and `not`"),
        ("", 0..0, "the expression is empty"),
    ] {
        let error = Expr::parse(source, &names()).unwrap_err();
        let shown = format!("{error} ({})", error.hint.as_deref().unwrap_or_default());
        assert!(shown.contains(expected), "{source}: {shown}");
        if !expected.starts_with("unexpected") && !expected.starts_with("the words") {
            assert_eq!(error.range, range, "{source}: {shown}");
        }
    }
}

#[test]
fn templates_yield_the_type_of_a_single_expression_and_text_otherwise() {
    for (source, expected) in [
        ("plain", "\"plain\""),
        ("", "\"\""),
        ("{{ erp.id }}", "7"),
        ("{{erp.id}}", "7"),
        (" {{ erp.id }}", "\" 7\""),
        ("{{ erp.id }}/{{ erp.status }}", "\"7/active\""),
        ("{{ x.nothing }}-", "\"-\""),
        ("{{ '}}' }}{{ \"{{\" }}", "\"}}{{\""),
        ("{{ {'a': {'b': 1}} }}", r#"{"a":{"b":1}}"#),
        ("{{ x.price }} EUR, {{ moment }}", "\"12.50 EUR, 2026-03-01T10:20:30Z\""),
        ("{{ erp.none }}", "absent"),
        ("a{{ erp.none }}", "fault: `erp.none` is absent"),
        (
            "a{{ erp.tags }}",
            "fault: `erp.tags` yields a list of 2 inside a text; `| json` writes it as one",
        ),
    ] {
        let found = Template::parse(source, &names()).unwrap().find(&scope());
        let shown = match found {
            Ok(value) => value.map_or("absent".to_owned(), |value| json::to_string(&value)),
            Err(fault) => format!("fault: {fault}"),
        };
        assert_eq!(shown, expected, "{source}");
    }
    for (source, range) in [
        ("a {{ b", 2..6),
        ("x {% if a %}", 2..4),
        ("x {{ erp.name == epr.name }}", 17..20),
    ] {
        assert_eq!(Template::parse(source, &names()).unwrap_err().range, range, "{source}");
    }
}

#[test]
fn inserted_values_are_escaped_and_the_text_around_them_is_not() {
    let template = Template::parse("/a b/{{ erp.name }}?q={{ erp.id }}", &names()).unwrap();
    let text = template.text(&scope(), |value| value.replace(' ', "%20")).unwrap();
    assert_eq!(text.as_deref(), Some("/a b/ana%20souza%20ltda?q=7"));
}

#[test]
fn conditions_are_true_or_false_and_nothing_else() {
    for (source, expected) in [
        ("erp.kind == 'customer'", Ok(true)),
        ("erp.none", Ok(false)),
        ("x.nothing", Ok(false)),
        ("erp.is_blocked", Ok(false)),
        ("erp.none and erp.none == 1", Ok(false)),
        (
            "erp.name",
            Err("the condition yields text instead of true or false".to_owned()),
        ),
    ] {
        let holds = Expr::parse(source, &names()).unwrap().holds(&scope());
        assert_eq!(holds.map_err(|fault| fault.to_string()), expected, "{source}");
    }
}

#[test]
fn the_members_an_expression_reads_are_known_beforehand() {
    for (source, paths, is_whole) in [
        (
            "erp.address.city if erp.name else status",
            vec!["address.city", "name"],
            false,
        ),
        (
            "erp.lines[0].sku ~ erp['odd key']",
            vec!["['odd key']", "lines[0].sku"],
            false,
        ),
        (
            "(erp.custom | find('name', erp.kind)).value",
            vec!["custom", "kind"],
            false,
        ),
        ("erp", vec![], true),
        ("erp | json", vec![], true),
        ("erp[status]", vec![], true),
        ("status", vec![], false),
    ] {
        let expr = Expr::parse(source, &names()).unwrap();
        let mut found: Vec<String> = expr.paths_of("erp").iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(found, paths, "{source}");
        assert_eq!(expr.uses_whole("erp"), is_whole, "{source}");
        assert_eq!(expr.uses("erp"), is_whole || !paths.is_empty(), "{source}");
    }
}

#[test]
fn a_path_is_looked_up_where_it_lies() {
    let scope = scope();
    let expr = Expr::parse("erp.address", &names()).unwrap();
    assert!(matches!(expr.peek(&scope), Ok(Some(Cow::Borrowed(_)))));
}

#[test]
fn a_structure_leaves_out_what_is_absent_and_keeps_null() {
    let form = serde_json::json!({
        "q": "{{ erp.name }}", "since": "{{ since }}", "list": [1, "{{ status }}", "{{ since }}"], "n": null,
        "{{ erp.kind }}": { "deep": "{{ x.nothing }}" }, "{{ since }}": 1
    });
    let structure = Structure::parse(&form, &names(), "", &mut |place, error| panic!("{place}: {error}"));
    let value = structure.find(&scope()).unwrap().unwrap();
    assert_eq!(
        json::to_string(&value),
        r#"{"customer":{"deep":null},"list":[1,404],"n":null,"q":"ana souza ltda"}"#
    );
    assert!(structure.uses("since") && !structure.uses("day"));
}

#[test]
fn every_error_of_a_structure_is_reported_with_its_place() {
    let form = serde_json::json!({ "a": ["{{ epr }}", { "b/c": "{{ 1 + }}" }], "{{ q }}": 1 });
    let mut places = Vec::new();
    Structure::parse(&form, &names(), "/body", &mut |place, _| places.push(place));
    assert_eq!(places, ["/body/a/0", "/body/a/1/b~1c", "/body/{{ q }}"]);
}

#[test]
fn abuse_ends_in_an_error_or_fault_or_something_small() {
    let nested = |open: &str, close: &str, count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
    let sources = [
        nested("(", ")", 10_000),
        nested("(", ")", 120),
        nested("[", "]", 250),
        nested("{'a':", "}", 2_000),
        nested("-", "", 8_000),
        nested("-", "", 250),
        nested("not ", "", 2_000),
        nested("not ", "", 250),
        nested("1 if 1 else ", "", 680),
        nested("1 + ", "", 2_000),
        nested("1 + ", "", 250),
        nested("1 or ", "", 250),
        format!("erp{}", ".a".repeat(4_000)),
        format!("erp{}", "[0]".repeat(2_000)),
        format!("'a'{}", " | upper".repeat(1_000)),
        format!("'a'{}", "|hex".repeat(200)),
        format!("'{}'", "a".repeat(9_000)),
        format!(
            "'a' | pad(1000){}",
            "|replace('0','0000000000000000000000000000000000000')".repeat(60)
        ),
        format!("[{}] | json", "erp,".repeat(1_000)),
        "'a' * 1000000000".to_owned(),
        "[1] * 1000000000".to_owned(),
        "range(1000000000)".to_owned(),
        "9 ** 9 ** 9".to_owned(),
        "1e999999999 * 1e999999999".to_owned(),
        "9".repeat(5_000),
        format!("0.{}1", "0".repeat(5_000)),
        "'x' | pad(4294967296)".to_owned(),
        "moment | date('%Y'|replace('%Y','%999999999999Y'))".to_owned(),
        "self.__class__.__mro__".to_owned(),
        "loop.index".to_owned(),
        "''.__class__".to_owned(),
        "lipsum.__globals__['os'].popen('id').read()".to_owned(),
        "1 | attr('real')".to_owned(),
    ];
    // The stack of a worker thread, not the larger one of a main thread.
    let worker = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for source in sources {
            let shown = eval(&source);
            assert!(
                shown.len() <= OUTPUT_BYTES_MAX,
                "{source:.80} gave {} bytes",
                shown.len()
            );
        }
    });
    worker.unwrap().join().unwrap();
}

#[test]
fn the_budget_ends_an_evaluation() {
    let text = "x".repeat(600_000);
    let scope = Scope::new().with("body", text);
    let names = Names::new(["body"]);
    let eval = |source: &str| Expr::parse(source, &names).unwrap().find(&scope).map(|_| ());
    assert_eq!(eval("body | upper"), Ok(()));
    assert_eq!(eval("body | hex"), Err(Fault::Size));
    assert_eq!(eval("[body, body, body]"), Err(Fault::Size));
    assert_eq!(eval(&format!("body{}", " | trim".repeat(60))), Err(Fault::Steps));
}

#[test]
fn no_fault_shows_what_the_data_says() {
    let scope = Scope::new()
        .with("secret", "hunter2")
        .with("list", vec![Value::from("hunter2")]);
    let names = Names::new(["secret", "list"]);
    for name in filter::names() {
        for source in [
            format!("secret | {name}"),
            format!("list | {name}"),
            format!("secret | {name}(secret)"),
            format!("list | {name}(secret, list)"),
            format!("secret + secret ~ (secret | {name}(list))"),
        ] {
            if let Ok(expr) = Expr::parse(&source, &names)
                && let Err(fault) = expr.find(&scope)
            {
                assert!(!fault.to_string().contains("hunter2"), "{source}: {fault}");
                assert!(!format!("{fault:?}").contains("hunter2"), "{source}: {fault:?}");
            }
        }
    }
}

mod property {
    use proptest::prelude::*;

    use super::*;
    use crate::core::value::sample;

    fn operand() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "v", "v.a", "v.b.c", "v[0]", "v[-1]", "1", "0.5", "'a'", "none", "true", "[v, 1]", "{'a': v}", "w",
        ])
        .prop_map(ToOwned::to_owned)
    }

    /// Expressions that parse, for the most part.
    fn expression() -> impl Strategy<Value = String> {
        let operators = vec!["+", "-", "*", "~", "==", "!=", "<", ">=", "and", "or", "in"];
        let filters: Vec<String> = filter::ALL
            .iter()
            .flat_map(|filter| {
                filter.arguments.clone().map(|count| {
                    let args = ["v", "2", "'a'"].into_iter().cycle().take(count).collect::<Vec<_>>();
                    if args.is_empty() {
                        filter.name.to_owned()
                    } else {
                        format!("{}({})", filter.name, args.join(", "))
                    }
                })
            })
            .collect();
        operand().prop_recursive(4, 24, 3, move |inner| {
            prop_oneof![
                (inner.clone(), prop::sample::select(operators.clone()), inner.clone())
                    .prop_map(|(left, op, right)| format!("({left} {op} {right})")),
                (inner.clone(), prop::sample::select(filters.clone()))
                    .prop_map(|(input, filter)| format!("({input} | {filter})")),
                (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
                inner.clone().prop_map(|inner| format!("(not {inner})")),
                inner.prop_map(|inner| format!("(-{inner})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_source_makes_parsing_or_evaluating_panic(source in "[ a-z0-9.|()\\[\\]{}'\"=<>+*/~%,:_-]{0,60}") {
            eval(&source);
            eval(&format!("erp{source}"));
            let _ = Template::parse(&format!("{{{{ {source} }}}}{source}"), &names());
        }

        #[test]
        fn no_value_makes_an_expression_panic(source in expression(), v in sample::value(), w in sample::value()) {
            let scope = Scope::new().with("v", v).with("w", w);
            let expr = Expr::parse(&source, &Names::new(["v", "w"]));
            prop_assert!(expr.is_ok(), "{}: {:?}", source, expr);
            let _ = expr.unwrap().find(&scope);
        }

        #[test]
        fn a_value_passes_through_unchanged(value in sample::value()) {
            let scope = Scope::new().with("v", value.clone());
            let eval = |source: &str| Expr::parse(source, &Names::new(["v"])).unwrap().eval(&scope);
            prop_assert_eq!(eval("v"), Ok(value.clone()));
            prop_assert_eq!(eval("v if true else 1"), Ok(value.clone()));
            prop_assert_eq!(eval("[v][0]"), Ok(value.clone()));
            prop_assert_eq!(eval("v == v"), Ok(Value::Bool(true)));
        }

        #[test]
        fn sums_and_products_are_exact(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, scale in 0_u32..6) {
            use rust_decimal::Decimal;
            let (left, right) = (Decimal::new(a, scale), Decimal::new(b, 2));
            let scope = Scope::new().with("a", left).with("b", right);
            let eval = |source: &str| Expr::parse(source, &Names::new(["a", "b"])).unwrap().eval(&scope).unwrap();
            prop_assert_eq!(eval("a + b == b + a and a - b == -(b - a)"), Value::Bool(true));
            prop_assert_eq!(eval("a < b"), Value::Bool(left < right));
            prop_assert_eq!(eval("(a * b) - (b * a) == 0"), Value::Bool(true));
            prop_assert_eq!(eval("(a + b) | text"), Value::Text((left + right).to_string()));
        }
    }
}

#[test]
fn the_conditions_of_an_expression_are_expressions_of_their_own() {
    let names = Names::new(["erp"]);
    let template = "{{ 'A' if erp.kind == 'x' and erp.n > 1 else ('B' if not erp.flag else 'C') }}-{{ erp.a }}";
    let template = Template::parse(template, &names).unwrap();
    let conditions: Vec<String> = template
        .conditions(&names)
        .iter()
        .map(|condition| condition.source().to_owned())
        .collect();
    assert_eq!(conditions, ["erp.kind == 'x' and erp.n > 1", "not erp.flag"]);
}
