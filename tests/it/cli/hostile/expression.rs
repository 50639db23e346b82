//! Expressions by chance, and those by which other engines were broken: each ends within its budget of steps and bytes, gives the
//! same whenever it is asked, and tells nothing of the data when it fails.

use syncline::core::{
    expr::{Expr, Fault, Names, Scope, Template},
    value::{Map, Value},
};

use crate::support::rig::{Budget, Chance, report};

/// Filters, and how many arguments each takes at most; `docs/expressions.md` has the table.
#[rustfmt::skip]
const FILTERS: &[(&str, u64)] = &[
    ("default", 1), ("lookup", 2), ("upper", 0), ("lower", 0), ("title", 0), ("trim", 0), ("replace", 2), ("split", 1),
    ("slice", 2), ("pad", 2), ("strip_prefix", 1), ("strip_suffix", 1), ("digits", 0), ("alphanumeric", 0), ("caseless", 0),
    ("text", 0), ("integer", 0), ("decimal", 0), ("boolean", 0), ("round", 1), ("date", 1), ("datetime", 1), ("parse_date", 1),
    ("parse_datetime", 2), ("in_zone", 1), ("epoch_seconds", 0), ("epoch_millis", 0), ("from_epoch_seconds", 0),
    ("from_epoch_millis", 0), ("length", 0), ("first", 0), ("last", 0), ("join", 1), ("pluck", 1), ("find", 2), ("keys", 0),
    ("items", 0), ("merge", 1), ("omit", 8), ("json", 0), ("from_json", 0), ("urlencode", 0), ("b64encode", 0),
    ("b64decode", 0), ("hex", 0), ("sha256", 0),
];
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "~", "==", "!=", "<", ">=", "and", "or", "in", "not in", "**", "//",
];
const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "empty",
    "text",
    "number",
    "list",
    "map",
    "startingwith('a')",
];
const OPERANDS: &[&str] = &[
    "v",
    "v.a",
    "v.b[0]",
    "v[-1]",
    "w",
    "w.deep.er",
    "big",
    "list",
    "list[2].n",
    "secret",
    "none",
    "true",
    "0",
    "-1",
    "0.1",
    "99999999999999999999999999999999999999",
    "'a'",
    "'%Y-%m-%d'",
    "''",
    "[v, w]",
    "{'a': v, 'b': [w]}",
    "nothing_known",
    "[]",
    "{}",
];
/// As the engine has them.
const STEPS_MAX: usize = 20_000;
const OUTPUT_BYTES_MAX: usize = 1 << 20;
const SECRET: &str = "hunter2-is-not-told";

fn names() -> Names {
    Names::new(["v", "w", "big", "list", "secret"])
}

/// An expression of at most this many levels.
fn drawn(chance: &mut Chance, levels: u64) -> String {
    if levels == 0 || chance.percent(15) {
        return (*chance.pick(OPERANDS)).to_owned();
    }
    let mut inner = || drawn(chance, levels - 1);
    let (one, other, third) = (inner(), inner(), inner());
    match chance.below(10) {
        0..=4 => {
            let (name, most) = *chance.pick(FILTERS);
            let arguments = [other.as_str(), "2", third.as_str(), "'a'", "1", "'b'", "v", "w"];
            // One too many now and then.
            let count = usize::try_from(chance.below(most + 2)).unwrap().min(arguments.len());
            match count {
                0 => format!("({one} | {name})"),
                count => format!("({one} | {name}({}))", arguments[..count].join(", ")),
            }
        }
        5 | 6 => format!("({one} {} {other})", chance.pick(OPERATORS)),
        7 => format!("({one} if {other} else {third})"),
        8 => format!("({one} is {}{})", *chance.pick(&["", "not "]), chance.pick(TESTS)),
        _ => format!("{}({one})", *chance.pick(&["-", "not ", ""])),
    }
}

/// One that costs more the longer it is: a chain over the largest text there is.
fn heavy(chance: &mut Chance) -> String {
    let links = chance.below(120);
    let names = ["trim", "upper", "caseless", "text", "b64encode", "urlencode", "hex"];
    let chain = (0..links).fold(String::new(), |text, _| {
        let name: &&str = chance.pick(&names);
        text + " | " + name
    });
    match chance.below(3) {
        0 => format!("big{chain}"),
        1 => format!("[big, big, big, big{chain}, big, big, big, big] | json"),
        _ => format!("(list | join(big)){chain}"),
    }
}

fn value(chance: &mut Chance, levels: u64) -> Value {
    match chance.below(if levels == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(chance.percent(50)),
        2 => Value::Int(i64::from_ne_bytes(chance.next().to_ne_bytes())),
        3 => Value::from(serde_json::json!(*chance.pick(&[1.5, -0.001, 1e22]))),
        4 => Value::from(*chance.pick(&[
            "",
            "a",
            "2026-03-01",
            "2026-03-01T09:00:00Z",
            "{\"a\":[1]}",
            "\u{202e}\u{0}é😀",
            "YWJj",
        ])),
        5 => Value::from(chance.next().to_string().repeat(3)),
        6 => Value::List((0..chance.below(5)).map(|_| value(chance, levels - 1)).collect()),
        _ => Value::Map(
            ["a", "b", "deep"]
                .iter()
                .map(|name| ((*name).to_owned(), value(chance, levels - 1)))
                .collect(),
        ),
    }
}

/// Bytes of all texts of a value.
fn bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Number(text) => text.len(),
        Value::List(list) => list.iter().map(bytes).sum(),
        Value::Map(map) => map.iter().map(|(name, value)| name.len() + bytes(value)).sum(),
        _ => 1,
    }
}

#[test]
fn programs_of_chance_end_within_their_steps_and_their_bytes() {
    let mut budget = Budget::new(3_000, 10_000_000);
    let mut chance = budget.chance();
    let (mut parsed, mut steps, mut sizes, mut given, mut largest) = (0_u64, 0_u64, 0_u64, 0_u64, 0);
    let names = names();
    let big = Value::from("xÄ y".repeat(50_000));
    let list: Vec<Value> = (0..200)
        .map(|n| Value::from(serde_json::json!({ "n": n, "t": "abc" })))
        .collect();
    while budget.goes_on() {
        // Few, since each takes all that it may.
        let is_heavy = budget.done() % 150 == 1;
        let source = if is_heavy {
            heavy(&mut chance)
        } else {
            drawn(&mut chance, 5)
        };
        let scope = Scope::new()
            .with("v", value(&mut chance, 3))
            .with("w", value(&mut chance, 2))
            .with("big", big.clone())
            .with("list", Value::List(list.clone()))
            .with("secret", SECRET);
        let told = || format!("{source:.2000}; {}", budget.replay());
        let template = format!("{{{{ {source} }}}} and {{{{ {source} }}}}");
        if !is_heavy
            && let Ok(template) = Template::parse(&template, &names)
            && let Ok(Some(value)) = template.find(&scope)
        {
            assert!(bytes(&value) <= OUTPUT_BYTES_MAX, "a template of {}", told());
        }
        let expression = match Expr::parse(&source, &names) {
            Ok(expression) => expression,
            Err(error) => {
                assert!(
                    error.range.start <= error.range.end && error.range.end <= source.len(),
                    "{error:?} {}",
                    told()
                );
                continue;
            }
        };
        parsed += 1;
        let found = expression.find(&scope);
        assert!(is_heavy || found == expression.find(&scope), "{} another time", told());
        match found {
            Ok(value) => {
                let length = value.as_ref().map_or(0, bytes);
                assert!(length <= OUTPUT_BYTES_MAX, "{length} bytes of {}", told());
                largest = largest.max(length);
                given += u64::from(value.is_some());
            }
            Err(fault) => {
                steps += u64::from(fault == Fault::Steps);
                sizes += u64::from(fault == Fault::Size);
                let words = format!("{fault} {fault:?}");
                assert!(!words.contains(SECRET), "{words} {}", told());
            }
        }
    }
    report(&format!(
        "{} programs, {parsed} of them right: {given} gave a value, of {largest} bytes at most; {steps} were ended by their steps \
         and {sizes} by their bytes",
        budget.done()
    ));
    assert!(
        parsed > budget.done() / 20 && given > 0 && steps > 0 && sizes > 0,
        "both ends were met"
    );
}

/// The same work on twice as much data costs twice the steps: so it ends somewhere, and never begins to go again behind that.
#[test]
fn what_has_too_much_data_is_ended_and_stays_ended_with_more() {
    let names = Names::new(["big"]);
    for filter in [
        "trim",
        "upper",
        "caseless",
        "text",
        "replace('a', 'b')",
        "split('a') | join('b')",
        "slice(1)",
    ] {
        let source = format!("big{}", format!(" | {filter}").repeat(30));
        let expression = Expr::parse(&source, &names).unwrap();
        let outcomes: Vec<bool> = (0..17)
            .map(|power| {
                let scope = Scope::new().with("big", "a b".repeat(1 << power));
                let found = expression.find(&scope);
                assert!(
                    matches!(found, Ok(Some(_)) | Err(Fault::Steps | Fault::Size)),
                    "{filter}: {found:?}"
                );
                found.is_ok()
            })
            .collect();
        let went = outcomes.iter().take_while(|went| **went).count();
        let is_ended = outcomes[went..].iter().all(|went| !went) && went < outcomes.len();
        assert!(went > 0 && is_ended, "{filter}: {outcomes:?}");
    }
    // However little there is, no source has more steps than it may.
    let long = format!("0{}", " + 1".repeat(STEPS_MAX));
    assert!(Expr::parse(&long, &names).is_err());
}

/// What broke the expressions of others: ways to code, to the machine, and to names that nobody gave.
#[rustfmt::skip]
const EXPLOITS: &[&str] = &[
    "{}.constructor.constructor('return process')()", "''.constructor.constructor('return this')()",
    "this.constructor.constructor('return process.env')()", "v.__proto__", "v['__proto__']", "v.constructor",
    "v['constructor']['prototype']", "v.toString", "v.valueOf()", "globalThis", "process.env",
    "process.mainModule.require('child_process').execSync('id')", "require('fs')", "import('fs')", "$json", "$env.SECRET",
    "$('Node').all()", "$input.item", "new Date()", "Function('return 1')()", "eval('1')", "(() => 1)()", "function(){}",
    "`${1}`", "Reflect.construct", "Proxy", "WebAssembly", "''.__class__.__mro__[1].__subclasses__()", "v.__class__",
    "v['__class__']", "v | attr('__class__')", "v|attr('items')()", "self.__init__.__globals__",
    "cycler.__init__.__globals__.os.popen('id').read()", "lipsum.__globals__", "joiner", "namespace()",
    "request.application.__globals__", "config.items()", "url_for.__globals__", "get_flashed_messages", "dict(a=1)",
    "range(10)", "v.items()", "v.keys()", "'a'.upper()", "'%s' | format('a')", "'a' * 5", "v | map('upper')", "v | select",
    "v | tojson", "v | safe", "v | pprint", "debug()", "caller()", "super()", "loop.index", "varargs", "kwargs", "loop",
    "_context", "environment", "#{7*7}", "${7*7}", "<%= 7*7 %>", "*{7*7}", "@(7*7)",
    "T(java.lang.Runtime).getRuntime().exec('id')", "(#rt=@java.lang.Runtime)", "a = 1", "v.a = 1", "del v", "v; w", "v\nw",
    "{% if true %}1{% endif %}", "{% include '/etc/passwd' %}", "{# c #}", "open('/etc/passwd')", "__import__('os')",
    "exec('1')", "\\u0070rocess", "ｐrocess", "v\u{0}", "/(a+)+$/", "v =~ '(a+)+$'", "v matches '(a|a)*'",
    "v | regex_replace('(a+)+$', '')", "v | match('(a+)+')", "v.test(/(a+)+$/)",
];

#[test]
fn what_breaks_other_engines_gives_nothing_here() {
    let names = names();
    let scope = Scope::new()
        .with(
            "v",
            Value::Map(Map::from_iter([(
                "a".to_owned(),
                Value::from("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
            )])),
        )
        .with("w", 1_i64);
    for source in EXPLOITS {
        let found = Expr::parse(source, &names)
            .ok()
            .map(|expression| expression.find(&scope));
        assert!(
            matches!(found, None | Some(Ok(None) | Err(_))),
            "{source} gives {found:?}"
        );
    }
    let right = Expr::parse("v.a", &names).unwrap().find(&scope);
    assert!(
        matches!(right, Ok(Some(Value::Text(_)))),
        "what is there is found: {right:?}"
    );
}
