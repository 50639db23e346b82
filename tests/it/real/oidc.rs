//! Tokens for real: a certified OpenID provider gives them, the sandbox CRM asks it about each.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use secrecy::ExposeSecret;
use syncline::{
    client::{self, Listing, Pending, Road, Saved, System, Token, TokenStore},
    clock::Clock,
    core::fault::Fault,
    sandbox::{
        crm::{self, Introspection},
        seed::Plan,
    },
    worker::assembly,
};
use url::Url;

use super::system::{Server, body, http};
use crate::support::{database::Database, system::system};

/// Keeps the last token, and counts.
#[derive(Default)]
struct Kept(Mutex<Vec<Token>>);

impl TokenStore for Kept {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<client::Kept>> {
        Box::pin(std::future::ready(None))
    }

    fn save<'a>(&'a self, _: &'a str, token: &'a Token, _: Option<i64>) -> Pending<'a, Saved> {
        self.0.lock().unwrap().push(token.clone());
        Box::pin(std::future::ready(Saved::Overtaken))
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

/// What a browser does: follows, keeps cookies, and sends the forms of the provider's pages.
pub struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// One that was never anywhere.
    pub fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            cookies: BTreeMap::new(),
        }
    }

    pub async fn send(&mut self, url: &Url, form: Option<String>) -> reqwest::Response {
        let request = match form {
            None => self.http.get(url.clone()),
            Some(form) => self
                .http
                .post(url.clone())
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form),
        };
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Signs in as anybody, agrees to everything, and comes back to `redirect`.
    pub async fn sign_in(&mut self, address: &Url, redirect: &str) -> Url {
        let (mut url, mut form) = (address.clone(), None);
        for _ in 0..12 {
            let answer = self.send(&url, form.take()).await;
            if let Some(location) = answer.headers().get("location") {
                url = url.join(location.to_str().unwrap()).unwrap();
                if url.as_str().starts_with(redirect) {
                    return url;
                }
                continue;
            }
            let page = String::from_utf8(body(answer).await).unwrap();
            let part = |text: &str, from: &str| {
                let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {page}"));
                rest.split('"').next().unwrap().to_owned()
            };
            let prompt = part(page.split_once("name=\"prompt\"").unwrap().1, "value=\"");
            url = url.join(&part(&page, "action=\"")).unwrap();
            form = Some(format!("prompt={prompt}&login=ana&password=any"));
        }
        panic!("the sign-in never ends");
    }
}

/// The connector of the sandbox CRM, for a person of the provider.
fn for_people(provider: &Server) -> String {
    let own = "grant: client_credentials";
    let machines = connector(provider, "basic");
    assert!(machines.contains(own));
    let addresses = format!("token_url: \"{}/token\"", provider.url);
    let machines = machines.replace(&addresses, &format!("issuer: \"{}\"", provider.url));
    machines.replace(
        own,
        "grant: authorization_code\n    scopes: [openid, offline_access, api.read]\n    authorize_params: { prompt: consent }",
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_and_sixty_four_tasks_of_three_processes_renew_exactly_once() {
    const REDIRECT: &str = "http://127.0.0.1:1/callback";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("oidc", &path)).await;
    let Some(provider) = started.unwrap() else { return };
    let crm = crm(&provider).await;
    let database = Database::sqlite();
    let text = for_people(&provider);
    let stores = [
        database.open().await,
        database.open_beside("south").await,
        database.open_beside("west").await,
    ];
    let started = || {
        let of = |store| system(&text, crm.base_url(), &[("client_id", "cli")], assembly::tokens(store));
        stores.each_ref().map(of)
    };
    let first = &started()[0];
    let http = {
        let _ = http();
        let builder = reqwest::Client::builder().no_proxy();
        builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
    };
    let login = first.begin_login(&REDIRECT.parse().unwrap()).await.unwrap();
    let mut browser = Browser {
        http,
        cookies: BTreeMap::new(),
    };
    let answer = browser.sign_in(&login.address, REDIRECT).await;
    assert!(
        first.finish_login(login, &answer).await.unwrap(),
        "there is a refresh token"
    );
    for round in 1..=3 {
        let processes = started();
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let system = processes[number % 3].clone();
                tokio::spawn(async move { count(&system).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), 7, "round {round}");
        }
        let kept = stores[0].load_token("tested").await.unwrap().unwrap();
        assert_eq!(kept.version, 2 * round - 1, "one renewal a round, and none replayed");
        // The token nears its end.
        let past = Some(Clock::system().now() - Duration::from_secs(1));
        let saved = stores[0]
            .save_token("tested", &kept.secret, past, Some(kept.version))
            .await;
        assert_eq!(saved.unwrap(), Some(kept.version + 1));
    }
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
