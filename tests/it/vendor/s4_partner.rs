//! Business partners of S/4HANA by the shipped connector: listed over pages, followed by their changes, written under their versions.

use std::sync::Arc;

use serde_json::json;
use syncline::{
    client::{BatchItem, Listing, NoTokens, Outcome, Road, System},
    core::{
        record::Record,
        value::{Map, Value},
    },
};

use super::{
    ask::{Answer, Mishap},
    s4::{PASSWORD, S4, USER},
};
use crate::support::{place::text_of, system::system};

const PARTNER: &str = "business_partner";

fn fields(pairs: &[(&str, &str)]) -> Map {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect()
}

async fn listed(system: &System, listing: Listing) -> Vec<Record> {
    let mut lister = system.list(PARTNER, listing, Road::Manual);
    let mut records = Vec::new();
    while let Some(page) = lister.next().await.unwrap() {
        records.extend(page.records);
    }
    assert!(lister.is_complete());
    records
}

#[tokio::test]
async fn business_partners_are_read_and_written_by_the_shipped_connector() {
    let s4 = S4::start().await;
    let connector = text_of("connectors/sap-s4hana.yaml").replace(
        "default: 500, title: Records a page",
        "default: 20, title: Records a page",
    );
    let credentials = [("user", USER), ("password", PASSWORD)];
    let system = system(&connector, &s4.server.url(), &credentials, Arc::new(NoTokens));
    let mut first = None;
    for number in 0..45 {
        let (name, term) = (format!("Partner {number} & Söhne O'Neil"), format!("T{number}"));
        let new = fields(&[
            ("BusinessPartnerCategory", "2"),
            ("OrganizationBPName1", name.as_str()),
            ("SearchTerm1", term.as_str()),
        ]);
        let made = system.create(PARTNER, &new, "key", Road::Manual).await.unwrap();
        first.get_or_insert(made.id);
    }
    let id = first.unwrap();
    assert_eq!(
        listed(&system, Listing::default()).await.len(),
        45,
        "over several pages"
    );
    let found = system
        .find(PARTNER, "SearchTerm1", &Value::from("T7"), Road::Manual)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let read = system.get(PARTNER, &id, Road::Manual).await.unwrap().unwrap();
    assert_eq!(
        read.fields["OrganizationBPName1"],
        Value::from("Partner 0 & Söhne O'Neil")
    );
    versions_are_kept(&s4, &system, &id, &read).await;
    what_is_refused_is_told(&s4, &system, &id).await;
}

async fn versions_are_kept(s4: &S4, system: &System, id: &str, read: &Record) {
    // Whoever writes with an older version is told, also behind a session that ended.
    let change = fields(&[("OrganizationBPName1", "Renamed")]);
    s4.forget_sessions();
    let item = || BatchItem {
        version: read.version.as_deref(),
        ..BatchItem::of(id, &change, "key")
    };
    system.update(PARTNER, item(), Road::Manual).await.unwrap();
    let stale = system.update(PARTNER, item(), Road::Manual).await.unwrap_err();
    assert_eq!(stale.outcome, Outcome::Stale, "{:?}", stale.fault);
    s4.edit(id, &json!({ "SearchTerm1": "BY HAND" }));
    let seen = system.get(PARTNER, id, Road::Manual).await.unwrap().unwrap();
    assert_eq!(seen.fields["OrganizationBPName1"], Value::from("Renamed"));
    let since = Listing {
        since: seen.updated_at,
        ..Listing::default()
    };
    let changed = listed(system, since).await;
    assert!(
        changed.iter().any(|record| record.id == id),
        "what changed today is among it"
    );
}

async fn what_is_refused_is_told(s4: &S4, system: &System, id: &str) {
    let seen = system.get(PARTNER, id, Road::Manual).await.unwrap().unwrap();
    let change = fields(&[("OrganizationBPName1", "Renamed again")]);
    // Somebody works on the partner for a while.
    let busy = json!({ "error": { "code": "R1/200", "message": { "lang": "en", "value": "Partner is currently being processed by MEIER" } } });
    s4.weather.next(
        "PATCH",
        "A_BusinessPartner",
        Mishap::Refused(Answer::new(400, busy).reply()),
    );
    let item = BatchItem {
        version: seen.version.as_deref(),
        ..BatchItem::of(id, &change, "key")
    };
    system.update(PARTNER, item, Road::Manual).await.unwrap();
    let too_long = fields(&[
        ("BusinessPartnerCategory", "2"),
        ("SearchTerm1", "longer than twenty characters"),
    ]);
    let refused = system
        .create(PARTNER, &too_long, "key", Road::Manual)
        .await
        .unwrap_err();
    assert_eq!(refused.fault.code, "RQ026", "{:?}", refused.fault);
}
