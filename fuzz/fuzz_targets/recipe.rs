//! Any recipe is compiled or refused with a reason; what compiles lets in who holds the secret, and nobody else.
#![no_main]

use syncline::core::{
    problem::Problems,
    webhook::{
        Incoming, Recipe, Rejection, Secret,
        form::{TimestampForm, VerifyForm},
        sign, verify,
    },
};

/// A secret of every form of key but the public ones, which the input is hardly ever equal to.
const OTHER: [&str; 3] = [
    "b3RoZXItc2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXM=",
    "6f746865722d7365637265742d6f662d7468697274792d74776f2d6279746573",
    "other:secret-of-thirty-two-bytes",
];

libfuzzer_sys::fuzz_target!(|input: (&str, &str, &str, &[u8])| {
    let (form, secret, path, body) = input;
    let Ok(form) = serde_json::from_str::<VerifyForm>(form) else { return };
    let mut problems = Problems::new();
    let recipe = Recipe::compile(&form, "/verify", &mut problems);
    assert_eq!(recipe.is_none(), problems.has_errors(), "{problems:?}");
    let Some(recipe) = recipe else { return };
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    let url = format!("https://sync.example.com/webhooks/crm?{path}");
    let plain = [("i", b"id".as_slice())];
    let bare = Incoming { method: "POST", url: &url, headers: &plain, body };
    // Only who asks for it in so many words takes requests from anybody.
    assert_eq!(recipe.is_unverified(), form.insecure_no_verification == Some(true));
    if recipe.is_unverified() {
        return;
    }
    assert_eq!(verify(&recipe, &[], &bare, now), Err(Rejection::Secret));
    let Ok(secret) = Secret::parse(&recipe, &secret.into()) else { return };
    let ended = secret.clone().until(now.checked_sub_signed(chrono::TimeDelta::milliseconds(1)));
    assert_eq!(verify(&recipe, &[ended], &bare, now), Err(Rejection::Secret));
    let Some(signed) = sign(&recipe, &secret, &bare, now) else { return };
    let headers: Vec<(&str, &[u8])> = plain
        .into_iter()
        .chain(signed.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
        .collect();
    let request = Incoming { headers: &headers, ..bare };
    let told = verify(&recipe, std::slice::from_ref(&secret), &request, now);
    if is_sound(&form) {
        assert!(told.is_ok(), "{told:?} for {form:?}");
    }
    for other in OTHER {
        if let Ok(other) = Secret::parse(&recipe, &other.into()) {
            assert!(verify(&recipe, &[other], &request, now).is_err(), "another secret opens {form:?}");
        }
    }
    if form.hmac.is_some() {
        let changed = [body, b"x"].concat();
        let changed = Incoming { body: &changed, ..request };
        assert!(verify(&recipe, &[secret], &changed, now).is_err(), "another body passes {form:?}");
    }
});

/// Whether no part of the recipe stands in the way of another one: a prefix that the layout would cut, two things in one header.
fn is_sound(form: &VerifyForm) -> bool {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let time = form.timestamp.as_ref();
    let time_header = time.and_then(|time: &TimestampForm| time.header.as_deref());
    let time_tag = time.and_then(|time| time.tag.as_deref());
    let mut headers: Vec<String> = [Some("i"), form.header.as_deref(), time_header]
        .into_iter()
        .flatten()
        .chain(form.shared_secret.as_ref().and_then(|shared| shared.header.as_deref()))
        .map(str::to_ascii_lowercase)
        .collect();
    let count = headers.len();
    headers.sort_unstable();
    headers.dedup();
    headers.len() == count
        && form.prefix.as_deref().is_none_or(is_plain)
        && time_tag.is_none_or(|tag| is_plain(tag) && form.tag.as_deref() != Some(tag))
}
