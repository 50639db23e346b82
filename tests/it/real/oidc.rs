//! Tokens for real: a certified OpenID provider gives them, the sandbox CRM asks it about each.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use secrecy::ExposeSecret;
use syncline::{
    client::{self, Listing, Pending, Road, System, Token, TokenStore},
    core::fault::Fault,
    sandbox::{
        crm::{self, Introspection},
        seed::Plan,
    },
};

use super::system::{Server, http};
use crate::support::system::system;

/// Keeps the last token, and counts.
#[derive(Default)]
struct Kept(Mutex<Vec<Token>>);

impl TokenStore for Kept {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<client::Kept>> {
        Box::pin(std::future::ready(None))
    }

    fn save<'a>(&'a self, _: &'a str, token: &'a Token, _: Option<i64>) -> Pending<'a, Option<i64>> {
        self.0.lock().unwrap().push(token.clone());
        Box::pin(std::future::ready(None))
    }
}

/// The connector of the sandbox CRM, with the provider's token endpoint in place of the CRM's own.
fn connector(provider: &Server, client_auth: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors/sandbox-crm.yaml");
    let text = fs::read_to_string(file).unwrap();
    let own = r#"token_url: "{{ settings.base_url }}/oauth/token""#;
    assert!(text.contains(own));
    let other = format!("token_url: \"{}/token\"\n    client_auth: {client_auth}", provider.url);
    text.replace(own, &other)
}

async fn crm(provider: &Server) -> crm::Handle {
    let introspection = Introspection {
        url: format!("{}/token/introspection", provider.url).parse().unwrap(),
        client_id: "svc".to_owned(),
        client_secret: "svc-secret".into(),
    };
    let plan = Plan {
        crm_only: 7,
        ..Plan::default()
    };
    let options = crm::Options {
        introspection: Some(introspection),
        plan,
        ..crm::Options::default()
    };
    crm::start(options).await.unwrap()
}

async fn count(system: &System) -> Result<usize, Fault> {
    let mut lister = system.list("account", Listing::default(), Road::Manual);
    let mut count = 0;
    while let Some(page) = lister.next().await? {
        count += page.records.len();
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certified_provider_gives_the_tokens_and_a_revoked_one_is_replaced_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("oidc", &path)).await;
    let Some(provider) = started.unwrap() else { return };
    let crm = crm(&provider).await;
    for (client_auth, id, secret) in [
        ("basic", "svc", "svc-secret"),
        ("post", "svc-post", "svc-secret"),
        ("basic", "svc odd:1", "p+%& :/="),
    ] {
        let kept = Arc::new(Kept::default());
        let credentials = [("client_id", id), ("client_secret", secret)];
        let connector = connector(&provider, client_auth);
        let system = system(&connector, crm.base_url(), &credentials, kept.clone());
        assert_eq!(count(&system).await.unwrap(), 7, "{id}");
        assert_eq!(kept.0.lock().unwrap().len(), 1, "{id}");
        revoke(&provider, &kept, id, secret, client_auth).await;
        // The CRM takes the provider's word for ten seconds.
        crm.clock().advance(Duration::from_secs(11));
        assert_eq!(count(&system).await.unwrap(), 7, "{id}: signed in again");
        assert_eq!(kept.0.lock().unwrap().len(), 2, "{id}");
    }
    assert_eq!(crm.tokens_issued(), 0, "every token was the provider's");
    let wrong = [("client_id", "svc"), ("client_secret", "wrong")];
    let stranger = system(
        &connector(&provider, "basic"),
        crm.base_url(),
        &wrong,
        Arc::new(Kept::default()),
    );
    let fault = count(&stranger).await.unwrap_err();
    assert!(fault.code.starts_with("AU"), "{fault}");
}

/// Revokes the current token at the provider (RFC 7009).
async fn revoke(provider: &Server, kept: &Kept, id: &str, secret: &str, client_auth: &str) {
    let header = kept.0.lock().unwrap().last().unwrap().headers[0].1.clone();
    let token = header.expose_secret().strip_prefix("Bearer ").unwrap().to_owned();
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let request = http().post(format!("{}/token/revocation", provider.url));
    let (request, proof) = if client_auth == "basic" {
        (request.basic_auth(encoded(id), Some(encoded(secret))), String::new())
    } else {
        (
            request,
            format!("&client_id={}&client_secret={}", encoded(id), encoded(secret)),
        )
    };
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request
        .body(format!("token={}{proof}", encoded(&token)))
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}
