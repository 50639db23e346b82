//! Any expression is parsed or refused, and ends within its budget whatever it is given.
#![no_main]

use syncline::core::{
    expr::{Expr, Names, Scope, Template},
    value::Value,
};

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    let (source, text) = input;
    let names = Names::new(["a", "b", "items"]);
    let items = serde_json::json!([{ "id": 1, "name": text }, { "id": "2" }, null, [text], 1.50]);
    let scope = Scope::new()
        .with("a", Value::from(text))
        .with("b", Value::from(serde_json::json!({ "n": 12, "d": "2026-03-01", "t": "2026-03-01T09:00:00Z" })))
        .with("items", Value::from(items));
    if let Ok(template) = Template::parse(source, &names) {
        let _ = template.find(&scope);
        let _ = template.paths_of("a");
    }
    if let Ok(expression) = Expr::parse(source, &names) {
        let _ = expression.find(&scope);
        let _ = expression.holds(&scope);
    }
});
