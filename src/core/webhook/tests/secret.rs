//! Reading secrets.

use secrecy::SecretString;

use super::{PAGE, Secret, SecretError, recipe, secret as read};

#[test]
fn a_text_that_cannot_be_a_key_is_refused_when_it_is_loaded() {
    let stripe = &PAGE["stripe-v1"];
    let whsec = &PAGE["standard-webhooks-v1"];
    let whpk = &PAGE["standard-webhooks-v1a"];
    let basic = &PAGE["http-basic"];
    let hex = &recipe("{hmac: sha1, header: sig, key: hex}");
    let none = &recipe("{insecure_no_verification: true}");
    for (recipe, text, expected) in [
        (stripe, "", SecretError::Empty),
        (stripe, "key\n", SecretError::Padded),
        (whsec, "whsec_", SecretError::Empty),
        (whsec, "whsec_%%%", SecretError::NotBase64),
        (whsec, "whsec_c2hvcnQ=", SecretError::TooShort { bytes: 5, min: 24 }),
        (whpk, "whpk_c2hvcnQ=", SecretError::NotPublicKey),
        (
            whpk,
            "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            SecretError::NotPublicKey,
        ),
        (basic, "no-password", SecretError::NotCredentials),
        (basic, "user:", SecretError::NotCredentials),
        (hex, "xyz", SecretError::NotHex),
        (none, "key", SecretError::Unused),
    ] {
        assert_eq!(Secret::parse(recipe, &text.into()).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn a_secret_shows_nothing_of_itself() {
    let shown = format!("{:?}", read(&PAGE["stripe-v1"], "canary-4711"));
    assert_eq!(shown, "Secret { not_after: None, .. }");
    let error = Secret::parse(&PAGE["standard-webhooks-v1"], &SecretString::from("whsec_canary")).unwrap_err();
    assert!(!format!("{error}{error:?}").contains("canary"));
}
