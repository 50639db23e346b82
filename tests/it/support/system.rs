//! A system as the daemon knows it, by the text of its connector.

use std::{collections::BTreeMap, sync::Arc};

use syncline::{
    catalog::{decode::decode, yaml::Document},
    client::{Config, NoTokens, OwnQuota, Script, Scripted, System, TokenStore, guard::Policy},
    clock::Clock,
    core::{
        connector::{Connector, Limits, form::LimitsForm},
        problem::Problems,
    },
};

/// A connector by its text, which must be without a problem.
pub fn connector(yaml: &str) -> Connector {
    let document = Document::read(yaml.as_bytes());
    assert!(document.flaws.is_empty(), "{:?}", document.flaws);
    let mut problems = Problems::new();
    let form = decode(&document.body.unwrap(), &mut problems);
    let connector = form.and_then(|form| Connector::compile(&form, &mut problems));
    assert!(problems.is_empty(), "{:#?}", problems.into_vec());
    connector.unwrap()
}

/// A system of this kind on this machine.
pub fn system(yaml: &str, base_url: &str, credentials: &[(&str, &str)], tokens: Arc<dyn TokenStore>) -> System {
    let credential = |(name, secret): &(&str, &str)| ((*name).to_owned(), (*secret).into());
    let config = Config {
        name: "tested".to_owned(),
        connector: Arc::new(connector(yaml)),
        settings: BTreeMap::from([("base_url".to_owned(), base_url.into())]),
        credentials: credentials.iter().map(credential).collect(),
        defaults: Limits::default(),
        limits: LimitsForm::default(),
        unwanted_parts: std::collections::BTreeSet::new(),
        network: Policy {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            proxy: None,
        },
        tokens,
        quota: Arc::new(OwnQuota::new(Clock::system())),
        clock: Clock::system(),
    };
    System::new(config).unwrap()
}

fn answer(body: &str) -> Scripted {
    Scripted {
        status: 200,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    }
}

/// A system that answers so, in turn.
pub fn scripted(yaml: &str, answers: &[&str]) -> System {
    let config = Config {
        name: "tested".to_owned(),
        connector: Arc::new(connector(yaml)),
        settings: BTreeMap::new(),
        credentials: BTreeMap::new(),
        defaults: Limits::default(),
        limits: LimitsForm::default(),
        unwanted_parts: std::collections::BTreeSet::new(),
        network: Policy::default(),
        tokens: Arc::new(NoTokens),
        quota: Arc::new(OwnQuota::new(Clock::system())),
        clock: Clock::system(),
    };
    let script = Script::new(answer("{}"), answers.iter().map(|body| answer(body)));
    System::scripted(config, Arc::new(script)).unwrap()
}
