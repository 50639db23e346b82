//! Writes whose outcome is not known: the target did the work and its answer was lost.

use syncline::sandbox::{
    fault::{Fault, Order},
    history::Request,
};

use super::daemon::created;
use crate::support::{
    house::{House, Plot, Sender, doubled, inverted},
    http,
    proxy::{Proxy, Toxics},
    rig::{Budget, report},
};

/// How a target lets a repeated create be recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// By a unique external id: the create is an upsert.
    ExternalId,
    /// By an idempotency key.
    IdempotencyKey,
    /// Not at all: it has to be asked before anything is sent again.
    Neither,
}

impl Target {
    /// The shipped connector, changed into this kind of target.
    fn plot(self) -> Plot {
        let with_key =
            r#"    create: { post: /accounts, body: "{{ record }}", idempotency: "header:Idempotency-Key" }"#;
        let create = match self {
            Self::ExternalId => {
                r#"    create: { put: "/accounts/by-external-key/{{ record.ExternalKey }}", body: "{{ record }}", upsert_by: ExternalKey }"#
            }
            Self::IdempotencyKey => with_key,
            Self::Neither => r#"    create: { post: /accounts, body: "{{ record }}" }"#,
        };
        let mut edits = vec![("connectors/sandbox-crm.yaml", with_key.to_owned(), create.to_owned())];
        if self == Self::ExternalId {
            let first = "  - { erp: name, crm: Name }\n";
            let more = format!("{first}  - {{ crm: ExternalKey, from: \"{{{{ 'erp-' ~ erp.id }}}}\" }}\n");
            edits.push(("mappings/customer-account.yaml", first.to_owned(), more));
        }
        Plot {
            companies: 0,
            edits,
            ..Plot::default()
        }
    }
}

/// Creates and renames customers while the CRM loses 30 % of its answers to writes.
async fn lose_answers(target: Target) {
    let mut budget = Budget::new(1, 70);
    let at_once = if budget.is_nightly() { 250 } else { 60 };
    let house = House::build(&target.plot()).await;
    house.start().await;
    for method in ["POST", "PATCH", "PUT"] {
        let order = Order::share(0.3, Fault::DropAnswer).on(method, "/api/v2/accounts");
        house.systems.crm.faults().order(order).unwrap();
    }
    let mut sender = Sender::new(&house.address);
    let mut customers = 0;
    while budget.goes_on() {
        let mut made = Vec::new();
        for _ in 0..at_once {
            customers += 1;
            let id = house.add_customer(customers);
            sender.deliver(&format!("made-{customers}"), &id).await;
            made.push(id);
        }
        house.settled().await;
        for id in made {
            house.rename(&id, &format!("Renamed {id}"));
            sender.deliver(&format!("renamed-{id}"), &id).await;
        }
        house.settled().await;
    }
    let doubled = doubled(&house.written(0), target == Target::ExternalId);
    assert_eq!(doubled, Vec::<String>::new(), "{target:?}: {}", budget.replay());
    assert_eq!(created(&house) as u64, customers, "{target:?}");
    let requests = house.systems.crm.history().requests();
    let is_lost = |request: &&Request| request.fault == Some("drop_answer") && request.commits > 0;
    let lost = requests.iter().filter(is_lost).count();
    assert!(lost > 0, "the CRM lost answers");
    if target == Target::Neither {
        // No create was sent again blindly, and each whose answer was lost is on record as that.
        let creates = requests
            .iter()
            .filter(|request| request.method == "POST" && request.path == "/api/v2/accounts")
            .collect::<Vec<_>>();
        assert_eq!(creates.len() as u64, customers);
        let uncertain = creates.into_iter().filter(is_lost).count();
        let metrics = http::send(&house.address, "GET", "/metrics", &[], b"").await.text();
        let line = format!("syncline_writes_total{{system=\"crm\",kind=\"create\",result=\"unknown\"}} {uncertain}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    report(&format!(
        "{target:?}: {customers} creates and as many updates, {lost} answers lost, none doubled"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_doubles_nothing_at_a_target_with_external_ids() {
    lose_answers(Target::ExternalId).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_doubles_nothing_at_a_target_with_idempotency_keys() {
    lose_answers(Target::IdempotencyKey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_doubles_nothing_at_a_target_with_neither() {
    lose_answers(Target::Neither).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_on_every_side_loses_and_doubles_nothing() {
    let mut budget = Budget::new(3, 200);
    let mut chance = budget.chance();
    let toxics = Toxics {
        latency: std::time::Duration::from_millis(1),
        slice_bytes: Some(700),
        bytes_per_second: Some(4_000_000),
        reset_percent: 5,
        drop_answer_percent: 5,
        half_answer_percent: 5,
        cut_request_percent: 5,
    };
    let systems = crate::support::house::systems(20).await;
    let host = |url: &str| url.trim_start_matches("http://").to_owned();
    let erp = Proxy::start(&host(systems.erp.base_url()), chance.next(), toxics).await;
    let crm = Proxy::start(&host(systems.crm.base_url()), chance.next(), toxics).await;
    let plot = Plot {
        erp_url: Some(format!("http://{}", erp.address)),
        crm_url: Some(format!("http://{}", crm.address)),
        ..Plot::default()
    };
    let house = House::build_around(systems, &plot, None);
    house.start().await;
    let front = Proxy::start(&house.address, chance.next(), toxics).await;
    let mut sender = Sender::new(&front.address);
    while budget.goes_on() {
        let round = budget.done();
        for (number, id) in house.customers().iter().enumerate() {
            house.rename(id, &format!("Customer {number}-{round}"));
            sender.deliver(&format!("evt-{round}-{number}"), id).await;
        }
    }
    house.settled().await;
    for proxy in [&erp, &crm, &front] {
        assert!(proxy.counts.all() > 0, "the network was good");
        proxy.set(Toxics::default());
    }
    assert!(house.lost(&sender.acknowledged).is_empty(), "{}", budget.replay());
    let written = house.written(0);
    assert_eq!(doubled(&written, false), Vec::<String>::new(), "{}", budget.replay());
    assert_eq!(inverted(&written), Vec::<String>::new(), "{}", budget.replay());
    report(&format!(
        "bad network: {} rounds, {} events acknowledged, none lost or doubled",
        budget.done(),
        sender.acknowledged.len()
    ));
}
