mod answer;
mod call;
mod compile;
mod discover;
mod page;
mod part;
mod spelling;

use super::{Connector, form::ConnectorForm};
use crate::core::{
    problem::{Problem, Problems},
    value::{Map, Value, json},
};

/// A connector that uses most of what there is.
const ACME: &str = r#"
connector: acme
settings:
  base_url: { type: url }
  page_size: { type: integer, default: 200 }
  zone: { type: text, default: UTC }
base_url: "{{ settings.base_url }}/api/v2"
headers: { X-Tenant: "{{ settings.zone }}" }
auth: { oauth2: { grant: client_credentials, token_url: "{{ settings.base_url }}/oauth/token", scopes: [read] } }
limits: { concurrency: 8, rate: 20/s, burst: 40, daily: 1000, reserve: 10% }
errors:
  - { when: "{{ status == 400 and body.code == 'REQUEST_LIMIT' }}", then: throttle }
  - { when: "{{ body.error.data.name == 'Locked' }}", then: retry, message: "locked by {{ body.error.data.by }}" }
  - { when: "{{ status == 403 and operation == 'get' }}", then: missing }
  - { when: "{{ status == 200 and body.error is defined }}", then: reject }
types:
  zone: "{{ settings.zone }}"
  empty: [false, ""]
objects:
  account:
    id: Id
    updated_at: ModifiedAt, CreatedAt
    version: header:ETag
    fields: { CreditLimit: decimal(2), BirthDate: date, ModifiedAt: datetime, Name: text, Billing.Since: date, Active: boolean }
    list:
      get: /accounts
      query: { limit: "{{ settings.page_size }}", filter: "modified ge {{ since }}", ids: "{{ settings.none }}" }
      records: items
      page: { cursor: meta.next, send: { query: cursor }, size: "{{ settings.page_size }}", total: meta.total }
    find: { get: /accounts, fields: [VatNumber], query: { "{{ field }}": x, VatNumber: "{{ value }}" }, records: items }
    get: { get: "/accounts/{{ id }}" }
    create: { post: /accounts, body: "{{ record }}", id: Id, idempotency: header:Idempotency-Key }
    update: { patch: "/accounts/{{ id }}", body: "{{ changes }}", if_match: If-Match }
    delete: { delete: "/accounts/{{ id }}" }
    batch:
      update: { post: /accounts/batch, size: 200, body: { items: "{{ records }}" }, results: results, ok: "{{ result.status < 300 }}" }
"#;

fn form(yaml: &str) -> ConnectorForm {
    serde_saphyr::from_str(yaml).unwrap()
}

fn check(yaml: &str) -> (Option<Connector>, Vec<Problem>) {
    let mut problems = Problems::new();
    let connector = Connector::compile(&form(yaml), &mut problems);
    (connector, problems.into_vec())
}

pub(super) fn compiled(yaml: &str) -> Connector {
    let (connector, problems) = check(yaml);
    connector.unwrap_or_else(|| panic!("{problems:?}"))
}

fn acme() -> Connector {
    // The member `none` is only there to be missing.
    compiled(
        &ACME
            .replace(r#", ids: "{{ settings.none }}""#, "")
            .replace(r#""{{ field }}": x, "#, ""),
    )
}

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

fn map(text: &str) -> Map {
    match value(text) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    }
}
