//! Tenants who share a house see nothing of each other, however alike their names are.

mod matrix;
mod random;
mod rate;
mod scope;

use std::{collections::BTreeMap, fmt::Write as _, fs};

use syncline::{
    core::{
        notice::{Letter, Standing},
        status::{NoticeCondition, NoticeState},
    },
    store::{
        Page,
        conflict::ConflictFilter,
        event::EventFilter,
        failure::FailureFilter,
        ignore::IgnoreFilter,
        link::LinkFilter,
        notice::{NewNotice, NoticeFilter, Turn},
        run::RunFilter,
        suggestion::SuggestionFilter,
    },
};
use tempfile::TempDir;

use crate::{
    console::scene,
    support::app::{Setup, TestApp, hook},
};

/// Mappings by name, each between two systems that are called like it, and whose they are. The last one is between a system of a
/// tenant and one of the house.
const MAPPINGS: [(&str, Option<&str>); 6] = [
    ("ab", Some("ab")),
    ("abc", Some("abc")),
    ("abcdef", Some("abcdef")),
    ("abc-def", Some("abc-def")),
    ("commons", None),
    ("mixed", Some("abc")),
];

/// A server on which everything of every tenant is.
struct World {
    app: TestApp,
    things: BTreeMap<&'static str, Thing>,
    _folder: TempDir,
}

/// What is there of one mapping: its words, and the ids of one thing of each kind.
#[derive(Debug, Clone)]
struct Thing {
    mapping: &'static str,
    owner: Option<&'static str>,
    /// Stands in every text from outside, and in nothing else.
    word: String,
    record: String,
    ids: BTreeMap<&'static str, i64>,
}

impl Thing {
    /// A path of this thing.
    fn path(&self, route: &str) -> String {
        let steps: Vec<&str> = route.split('/').collect();
        let filled = steps.iter().enumerate().map(|(at, step)| match *step {
            "{name}" | "{mapping}" => self.mapping.to_owned(),
            "{system}" => format!("crm-{}", self.mapping),
            "{target}" => "ops".to_owned(),
            "{side}" => "left".to_owned(),
            "{decision}" => "keep".to_owned(),
            "{id}" if route.contains("/records/") => self.record.clone(),
            "{id}" => {
                let noun = steps[at - 1];
                let id = self.ids.get(noun);
                id.unwrap_or_else(|| panic!("{route}: say what an id of `{noun}` is"))
                    .to_string()
            }
            step => {
                assert!(!step.contains('{'), "{route}: say what stands in `{step}`");
                step.to_owned()
            }
        });
        let path = filled.collect::<Vec<_>>().join("/");
        match route.rsplit('/').next() {
            Some("export") => format!("{path}?format=csv"),
            Some("records") => format!("{path}?q={}", self.record),
            _ => path,
        }
    }

    /// Whether anything of it is in an answer.
    fn is_in(&self, text: &str) -> bool {
        let name = self.mapping;
        let mut signs = vec![self.word.clone()];
        let systems = ["erp", "crm"].map(|side| format!("{side}-{name}"));
        // The tenant with a mapping to a system of the house knows what that is called.
        let systems = systems.into_iter().filter(|_| self.owner.is_some());
        for name in systems.chain([name.to_owned()]) {
            signs.extend([
                format!("\"{name}\""),
                format!(">{name}<"),
                format!(">{name} "),
                format!("/mappings/{name}\""),
                format!("/webhooks/{name}\""),
                format!("/webhooks/{name}<"),
                format!("/webhooks/incoming/{name}\""),
                format!("/webhooks/incoming/{name}/"),
            ]);
        }
        signs.iter().any(|sign| text.contains(sign.as_str()))
    }
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut setup = Setup::by(&settings(&folder));
        for (mapping, _) in MAPPINGS {
            let system = format!("crm-{mapping}");
            setup.hooks.insert(system.clone(), hook(&system));
        }
        let app = setup.start().await;
        let mut things = BTreeMap::new();
        for (number, (mapping, owner)) in MAPPINGS.into_iter().enumerate() {
            let word = format!("zq{number}qz");
            let system = match mapping {
                "mixed" => "erp-abc".to_owned(),
                name => format!("crm-{name}"),
            };
            scene::fill_of(&app, (mapping, &system), 1, |_| word.clone()).await;
            notice(&app, NoticeCondition::Held, mapping, &word).await;
            if mapping != "mixed" {
                notice(&app, NoticeCondition::Unreachable, &system, &format!("{word}-system")).await;
            }
            let ids = ids(&app, mapping, &system).await;
            let thing = Thing {
                mapping,
                owner,
                record: format!("L0-{word}"),
                word,
                ids,
            };
            things.insert(mapping, thing);
        }
        Self {
            app,
            things,
            _folder: folder,
        }
    }

    fn of(&self, mapping: &str) -> &Thing {
        &self.things[mapping]
    }

    /// Everything that is not whose `owner` is.
    fn foreign(&self, owner: &str) -> Vec<&Thing> {
        let is_foreign = |thing: &&Thing| thing.owner != Some(owner);
        self.things.values().filter(is_foreign).collect()
    }
}

/// The settings, with systems that nobody answers at, and mappings between them in a folder.
fn settings(folder: &TempDir) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut text = format!(
        "[folders]\nconnectors = \"{root}/connectors\"\nmappings = \"{}\"\n\
         [server]\napi_burst = 1000000\napi_heavy_burst = 1000000\nauth_failure_burst = 1000000\n\
         api_tenant_burst = 1000000\napi_tenant_heavy_burst = 1000000\n\
         [notify.webhooks.ops]\nurl = \"https://ops.example.com/hook\"\n\
         secrets = [\"whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5\"]\n",
        folder.path().display()
    );
    for (name, owner) in MAPPINGS {
        let (erp, crm) = match name {
            "mixed" => ("erp-abc".to_owned(), "crm-commons".to_owned()),
            name => (format!("erp-{name}"), format!("crm-{name}")),
        };
        let mapping = format!(
            "mapping: {name}\nbetween: {{ {erp}: customer, {crm}: account }}\n\
             match: [ {{ {erp}: email, {crm}: Email, compare: email }} ]\n\
             fields: [ {{ {erp}: name, {crm}: Name }} ]\nprefer: {erp}\n"
        );
        fs::write(folder.path().join(format!("{name}.yaml")), mapping).unwrap();
        if name == "mixed" {
            continue;
        }
        let tenant = owner.map_or_else(String::new, |owner| format!("tenant = \"{owner}\"\n"));
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[systems.{erp}]\nconnector = \"sandbox-erp\"\n{tenant}settings = {{ base_url = \"http://127.0.0.1:1\" }}\n\
             credentials = {{ api_key = \"canary\" }}\n\
             [systems.{crm}]\nconnector = \"sandbox-crm\"\n{tenant}settings = {{ base_url = \"http://127.0.0.1:1\" }}\n\
             credentials = {{ client_id = \"x\", client_secret = \"canary\" }}\n"
        );
    }
    text
}

async fn notice(app: &TestApp, condition: NoticeCondition, subject: &str, word: &str) {
    let now = app.clock.now();
    let told = NewNotice {
        event_id: word.to_owned(),
        occurred_at: now,
        payload: format!("{{\"title\":\"{word}\"}}"),
        letter: Letter {
            subject: word.to_owned(),
            body: word.to_owned(),
        },
        targets: vec!["ops".to_owned()],
        until: now + chrono::TimeDelta::days(1),
    };
    let turn = Turn {
        condition,
        subject: subject.to_owned(),
        standing: Standing {
            state: NoticeState::Raised,
            leaning_since: None,
        },
        seen: None,
        notice: Some(told),
    };
    assert!(app.store.turn_notice(&turn).await.unwrap());
}

/// One thing of each kind, by the noun that its routes have.
async fn ids(app: &TestApp, mapping: &str, system: &str) -> BTreeMap<&'static str, i64> {
    let (store, one) = (&app.store, Page::first(1));
    let of = || Some(mapping.to_owned());
    let runs = RunFilter {
        mapping: of(),
        ..RunFilter::default()
    };
    let failures = FailureFilter {
        mapping: of(),
        ..FailureFilter::default()
    };
    let events = EventFilter {
        system: Some(system.to_owned()),
        ..EventFilter::default()
    };
    let links = LinkFilter {
        mapping: of(),
        ..LinkFilter::default()
    };
    let suggestions = SuggestionFilter {
        mapping: of(),
        ..SuggestionFilter::default()
    };
    let conflicts = ConflictFilter {
        mapping: of(),
        ..ConflictFilter::default()
    };
    let rules = IgnoreFilter {
        mapping: of(),
        with_ended: true,
    };
    let notices = NoticeFilter {
        subject: of(),
        ..NoticeFilter::default()
    };
    let run_id = store.runs(&runs, one).await.unwrap()[0].run_id;
    let link_id = store.links(&links, one).await.unwrap()[0].link.link_id;
    BTreeMap::from([
        ("runs", run_id),
        ("drift", run_id),
        ("failures", store.failures(&failures, one).await.unwrap()[0].failure_id),
        ("events", store.events(&events, one).await.unwrap()[0].event_id),
        ("links", link_id),
        ("deletes", link_id),
        (
            "suggestions",
            store.suggestions(&suggestions, one).await.unwrap()[0].suggestion_id,
        ),
        (
            "conflicts",
            store.conflicts(&conflicts, one).await.unwrap()[0].conflict_id,
        ),
        (
            "ignore",
            store.ignore_rules(&rules, one).await.unwrap()[0].ignore_rule_id,
        ),
        ("notices", store.notices(&notices, one).await.unwrap()[0].notice_id),
    ])
}
