//! Whatever a stranger sends, reading it ends without a panic and without a surprise.

use proptest::{prelude::*, sample::select};

use super::{
    super::{message, recipe::Scheme, signature, token},
    Incoming, PAGE, Problems, Recipe, Rejection, Secret, VerifyForm, recipe,
};

/// Headers made of the pieces that real ones are made of, in any order, with rubbish between.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        select(vec![
            "t=",
            "v1=",
            "v=",
            "v1,",
            "v1a,",
            ",",
            " ",
            "=",
            "==",
            "\t",
            "\0",
            "\r\n",
            "sha256=",
            "v0=",
            "é",
            "%",
            "1700000000",
            "1700000000123",
            "-1",
            "18446744073709551616",
            "１",
            "2023-11-14T22:13:20Z",
            "Basic ",
            "Og==",
            "d7373bc68f4bd320b253cd7461f87af6e1cdf1b4d7db1614d8d1d746972d2d0a",
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_signature_header_is_read_or_refused(
        signature in header(),
        time in header(),
        is_repeated in prop::bool::weighted(0.1),
    ) {
        for recipe in PAGE.values() {
            let Scheme::Signed(signed) = &recipe.scheme else { continue };
            let mut headers = vec![(signed.header.as_str(), signature.as_slice())];
            for name in ["webhook-timestamp", "svix-timestamp", "x-acme-time", "x-slack-request-timestamp"] {
                headers.push((name, &time));
            }
            if is_repeated {
                headers.push((&signed.header, &signature));
            }
            let request = Incoming { method: "POST", url: "/", headers: &headers, body: b"" };
            match signature::claim(signed, &request) {
                Ok(claim) => {
                    prop_assert!(!is_repeated);
                    prop_assert!(claim.candidates.len() <= 16);
                    prop_assert!(claim.candidates.iter().all(|bytes| matches!(bytes.len(), 32 | 64)));
                    prop_assert!(claim.timestamp.is_none_or(|time| !time.is_empty() && time.is_ascii()));
                }
                Err(rejection) => {
                    let is_known = matches!(rejection, Rejection::Input { .. } | Rejection::Timestamp(_));
                    prop_assert!(is_known, "{rejection:?}");
                }
            }
        }
    }

    #[test]
    fn any_body_is_searched_for_a_token_or_refused(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "[{}\\[\\]\":,a-c0-9 ]{0,60}".prop_map(String::into_bytes),
            r#"\{"(a|b)":(\{"b":("x"|1|null)\}|"y"|\[\])(,"(a|c)":"z")?\}"#.prop_map(String::into_bytes),
        ],
    ) {
        let path = ["a".to_owned(), "b".to_owned()];
        if let Ok(found) = token::find(&body, &path) {
            let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(found.as_deref(), parsed["a"]["b"].as_str());
        }
    }

    #[test]
    fn any_address_is_decoded_without_growing(url in "(\\PC|%[0-9a-fA-F]{0,2}){0,60}", set in "[!-~]{1,20}") {
        let decoded = message::decode(&url, set.as_bytes());
        prop_assert!(decoded.len() <= url.len());
        prop_assert_eq!(message::decode(&url, b""), url.as_bytes());
    }

    #[test]
    fn any_address_has_a_path_and_parameters(url in "\\PC{0,60}") {
        let request = Incoming { method: "GET", url: &url, headers: &[], body: b"" };
        prop_assert!(!request.path().contains(['?', '#']));
        prop_assert!(request.query().count() <= url.len() + 1);
    }

    #[test]
    fn any_text_is_read_as_a_secret_or_refused_without_being_shown(text in "\\PC{1,80}|(whsec_|whpk_)?[A-Za-z0-9+/]{0,88}={0,2}") {
        for recipe in PAGE.values() {
            let shown = match Secret::parse(recipe, &text.as_str().into()) {
                Ok(secret) => format!("{secret:?}"),
                Err(error) => format!("{error}"),
            };
            prop_assert!(text.len() < 20 || !shown.contains(&text));
        }
    }

    #[test]
    fn any_recipe_is_compiled_or_refused_with_a_reason(
        keys in prop::collection::vec(
            select(vec![
                "hmac: sha1", "ed25519: true", "basic: true", "basic: false", "header: x-sig", "header: \"\\0\"",
                "format: csv_kv", "format: space_list", "tag: v1", "tag: ''", "prefix: p", "encoding: base64",
                "key: whsec", "key: whpk", "message: [body]", "message: [timestamp, url]", "message: []",
                "timestamp: t", "timestamp: {tag: t}", "timestamp: {}", "tolerance: 5m", "tolerance: 0s",
                "shared_secret: {}", "shared_secret: {query: t}", "insecure_no_verification: true",
            ]),
            0..8,
        ),
    ) {
        let yaml = format!("{{{}}}", keys.join(", "));
        // A key that stands twice is refused by the parser.
        if let Ok(form) = serde_saphyr::from_str::<VerifyForm>(&yaml) {
            let mut problems = Problems::new();
            let compiled = Recipe::compile(&form, "", &mut problems);
            prop_assert_eq!(compiled.is_none(), problems.has_errors(), "{} {:?}", yaml, problems);
        }
    }
}

#[test]
fn a_mebibyte_of_commas_is_refused_at_once() {
    let recipe = recipe("{hmac: sha256, header: s, format: csv_kv, tag: v1}");
    let Scheme::Signed(signed) = &recipe.scheme else {
        panic!()
    };
    for piece in [",", "=,", "v1=,", " "] {
        let value = piece.repeat(1_048_576 / piece.len());
        let headers = [("s", value.as_bytes())];
        let request = Incoming {
            method: "POST",
            url: "/",
            headers: &headers,
            body: b"",
        };
        let candidates = signature::claim(signed, &request).map_or(0, |claim| claim.candidates.len());
        assert_eq!(candidates, 0, "{piece}");
    }
}
