//! What may be written in a recipe, and how mistakes in it are answered.

use super::{NOW, Problems, Recipe, Request, Snippet, VerifyForm, at};
use crate::core::problem::Severity;

#[test]
fn a_recipe_that_verifies_nothing_has_to_say_so_and_is_warned_of() {
    let form: VerifyForm = serde_saphyr::from_str("{insecure_no_verification: true}").unwrap();
    let mut problems = Problems::new();
    let recipe = Recipe::compile(&form, "/webhooks/verify", &mut problems).unwrap();
    assert!(recipe.is_unverified());
    let problems = problems.into_vec();
    assert_eq!(problems[0].severity, Severity::Warning);
    assert_eq!(problems[0].pointer, "/webhooks/verify/insecure_no_verification");
    let verdict = Request::new(b"anything").verify(&recipe, &[], at(NOW));
    assert_eq!(verdict.unwrap().secret_index, None);
}

#[test]
fn a_recipe_without_one_clear_scheme_is_refused() {
    check(&[
        ("{}", "[WH001] /v: nothing here verifies a request"),
        ("{header: sig}", "[WH001] /v: nothing here verifies a request"),
        (
            "{hmac: sha256, basic: true}",
            "[WH002] /v: `hmac`, `basic` exclude each other",
        ),
        ("{basic: false}", "[WH003] /v/basic: `basic: false` verifies nothing"),
        (
            "{insecure_no_verification: false}",
            "[WH003] /v/insecure_no_verification: `insecure_no_verification: false` verifies nothing",
        ),
        ("{hmac: sha256}", "[WH004] /v: `header` is missing"),
        (
            "{basic: true, prefix: x}",
            "[WH005] /v/prefix: `prefix` has no meaning beside `basic`",
        ),
        (
            r#"{hmac: sha256, header: "a b\r\n"}"#,
            r"[WH006] /v/header: `a b\r\n` is no header name",
        ),
        (
            "{hmac: sha256, header: s, tag: v1}",
            "[WH007] /v/tag: `tag` has no meaning with the formats `plain` and `named`",
        ),
        (
            "{hmac: sha256, header: s, format: named_bytes, encoding: hex}",
            "[WH018] /v/encoding: `encoding` has no meaning with the format `named_bytes`",
        ),
        (
            "{hmac: sha256, header: s, format: csv_kv}",
            "[WH007] /v: `tag` is missing",
        ),
        (
            "{hmac: sha256, header: s, format: csv_kv, tag: 'v 1'}",
            "[WH007] /v/tag: `v 1` is no tag",
        ),
    ]);
}

#[test]
fn a_recipe_whose_details_make_no_sense_is_refused() {
    check(&[
        (
            "{hmac: sha256, header: s, timestamp: {tag: t}}",
            "[WH008] /v/timestamp: only a header of the format `csv_kv` has a tag for the time",
        ),
        (
            "{hmac: sha256, header: s, timestamp: {unit: ms}}",
            "[WH008] /v/timestamp: `timestamp` needs either `header` or `tag`",
        ),
        (
            "{hmac: sha256, header: s, tolerance: 5m}",
            "[WH009] /v/tolerance: `tolerance` has no timestamp to compare",
        ),
        (
            "{hmac: sha256, header: s, message: []}",
            "[WH010] /v/message: the body is not signed, so anybody could change it",
        ),
        (
            "{hmac: sha256, header: s, message: [timestamp, body]}",
            "[WH010] /v/message: `timestamp` is signed but nothing says where it stands",
        ),
        (
            "{hmac: sha256, header: s, key: whpk}",
            "[WH012] /v/key: a public key cannot check an HMAC",
        ),
        (
            "{ed25519: true, header: s, key: whsec}",
            "[WH012] /v/key: this form of key cannot check an ed25519 signature",
        ),
        (
            "{hmac: sha256, header: s, message: [body, {url_decoded: 'é'}]}",
            r"[WH013] /v/message/1: `\u{e9}` is no set of characters to decode",
        ),
        (
            "{hmac: sha256, header: s, timestamp: t, tolerance: 2d}",
            "[WH015] /v/tolerance: `tolerance` is not between one millisecond and one day",
        ),
        (
            "{shared_secret: {header: a, query: b}}",
            "[WH017] /v/shared_secret: `shared_secret` needs exactly one of `header`, `query` and `body_path`",
        ),
        (
            "{shared_secret: {body_path: a..b}}",
            "[WH017] /v/shared_secret: `shared_secret` needs exactly one of `header`, `query` and `body_path`",
        ),
    ]);
}

/// Each recipe is refused for one reason, shown as code, place and message.
fn check(cases: &[(&str, &str)]) {
    for (yaml, expected) in cases {
        let form: VerifyForm = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Problems::new();
        assert!(Recipe::compile(&form, "/v", &mut problems).is_none(), "{yaml}");
        let shown: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        assert_eq!(shown, [*expected], "{yaml}");
    }
}

#[test]
fn a_recipe_that_leaves_replay_open_is_warned_of() {
    for (yaml, code) in [
        ("{hmac: sha256, header: s, timestamp: t, message: [body]}", "WH011"),
        (
            "{hmac: sha256, header: s, message: [{literal: timestamp}, body]}",
            "WH016",
        ),
    ] {
        let form: VerifyForm = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Problems::new();
        assert!(Recipe::compile(&form, "", &mut problems).is_some());
        assert_eq!(problems.into_vec()[0].code, code);
    }
}

#[test]
fn a_slip_of_the_pen_in_a_recipe_is_answered_with_what_may_stand_there() {
    for (yaml, expected) in [
        ("{hmac: sha257}", "sha256"),
        ("{hmac: sha256, heder: x}", "header"),
        ("{hmac: sha256, message: [bodie]}", "url_decoded"),
        ("{hmac: sha256, timestamp: 5}", "a header name, or a map such as"),
        ("{hmac: sha256, timestamp: {hedder: x}}", "header"),
        ("{hmac: sha256, tolerance: soon}", "a length of time such as"),
        ("{hmac: sha256, tolerance: {past: 5m}}", "future"),
        ("{shared_secret: {cookie: x}}", "body_path"),
    ] {
        let error = serde_saphyr::from_str::<VerifyForm>(yaml).unwrap_err().to_string();
        assert!(error.contains(expected), "{yaml}\n{error}");
    }
}

#[test]
fn a_recipe_is_written_as_it_was_read_and_fits_its_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(VerifyForm)).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let page = include_str!("../../../../docs/webhook-recipes.md");
    let (page, _) = page.split_once("\n# Reading events\n").unwrap();
    for block in page.split("```yaml\n").skip(1) {
        let yaml = block.split("```").next().unwrap();
        let form = serde_saphyr::from_str::<Snippet>(yaml).unwrap().webhooks.verify;
        let written = serde_json::to_value(&form).unwrap();
        assert!(schema.is_valid(&written), "{written}");
        assert_eq!(serde_json::from_value::<VerifyForm>(written).unwrap(), form);
        let raw: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
        assert!(schema.is_valid(&raw["webhooks"]["verify"]), "{yaml}");
    }
}
