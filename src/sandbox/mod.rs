//! Two small business systems over real HTTP, for the demo, for tests and for people who try mappings out.
//!
//! They are another company's software: nothing here imports anything else of Syncline. **Nordwind ERP** ([`erp`]) keeps
//! customers, contacts, products and orders; **Acme CRM** ([`crm`]) keeps accounts, contacts and opportunities. Each has
//! its own id space, spelling, enum values, decimals, timestamps, authentication and paging, sends signed webhooks,
//! keeps a history of every request and commit, and misbehaves to order. [`pair`] starts both over related data.
//!
//! # Nordwind ERP
//!
//! Authentication: header `X-Api-Key`. Ids are integers, fields snake_case, money a JSON number with cents, timestamps
//! ISO 8601 with offset and microseconds, dates ISO. A `PATCH` changes the fields it names (`null` clears, `address` is
//! merged); `id`, `created`, `updated`, `number` and `total` are ignored when sent.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/customers?limit&offset&updated_since&tax_id&email` | `200 {"data":[customer],"total":n}` |
//! | `GET /api/customers/{id}` | `200 customer`, `404` |
//! | `POST /api/customers` | `201 customer` |
//! | `PATCH /api/customers/{id}` | `200 customer` |
//! | `DELETE /api/customers/{id}` | `204`; `409 in_use` while contacts or orders refer to it |
//! | `POST /api/customers/batch {"items":[{…},{"id":7,…}]}` | `200 {"results":[{"index":0,"status":201,"id":8,"updated":"…"},{"index":1,"status":422,"id":7,"error":{…}}]}` |
//!
//! An item with an `id` is an update, one without is a create; at most 200 items, each on its own. The same six exist
//! for `contacts` (filters `email`, `customer_id`), `products` (`sku`) and `orders` (`customer_id`, `number`). Listings
//! are ordered by `id`, with `updated_since` (inclusive) by `updated`; `limit` defaults to 100 and is silently capped
//! (500 unless set). Filters ignore case, spaces and punctuation where people are careless (`tax_id`, `email`);
//! parameters it does not know are ignored.
//!
//! ```json
//! {"id":7,"kind":"customer","status":"active","name":"Ana Ltda","tax_id":"BR 12.345.678/0001-95",
//!  "email":"compras@ana.example","phone":"+55 11 4002-8922","credit_limit":1200.50,"currency":"BRL",
//!  "address":{"street":"Rua Augusta 12","city":"São Paulo","postcode":"01305-000","country":"BR"},
//!  "salesperson_id":3,"payment_days":30,"customer_since":"2019-04-01","note":null,
//!  "created":"2026-01-05T08:00:00.000007+00:00","updated":"2026-03-01T09:15:27.482913+00:00"}
//! {"id":12,"customer_id":7,"first_name":"Ana","last_name":"Souza","email":"ana@ana.example","phone":"+55 11 4002-8923",
//!  "role":"buyer","birth_date":"1984-02-29","created":"…","updated":"…"}
//! {"id":3,"sku":"NW-0003","name":"Hex bolt M8","price":0.10,"currency":"EUR","active":true,"created":"…","updated":"…"}
//! {"id":5,"number":"SO-000005","customer_id":7,"status":"open","ordered_on":"2026-02-03","currency":"BRL",
//!  "lines":[{"product_id":3,"quantity":40,"price":0.10}],"total":4.00,"created":"…","updated":"…"}
//! ```
//!
//! `kind` is `customer|supplier`, `status` of a customer `active|blocked|prospect`, of an order `open|shipped|cancelled`.
//! Errors: `{"error":{"code":"invalid_value","message":"…","field":"status"}}` (`field` may be null) with
//! `400 malformed_json`, `401 unauthorized`, `404 not_found`, `409 duplicate|in_use`, `413 too_large`,
//! `422 invalid_value|required|too_long|unknown_field|unknown_reference`, `429 rate_limited`, `500|503 unavailable`.
//!
//! Webhook, one event a request, signed as Stripe does over `t.body` with the secret's text as key:
//!
//! ```text
//! Nordwind-Signature: t=1767600000,v1=<hex hmac-sha256>
//! {"id":"evt_6478d1f3a2c40","type":"customer.updated","occurred_at":"2026-03-01T09:15:27.482913+00:00",
//!  "object":"customer","object_id":7,"actor":"key:integration"}
//! ```
//!
//! `type` ends in `created|updated|deleted`. `actor` is `key:integration` for the API key of
//! [`erp::Options`] and `user:…` for people.
//!
//! # Acme CRM
//!
//! Authentication: OAuth2 client credentials at `POST /oauth/token` (client id and secret by Basic or in the form), then
//! `Authorization: Bearer …`; an old token is answered `401` with `WWW-Authenticate: Bearer error="invalid_token"`. Ids
//! are text (`ACC-000123`, `CON-…`, `OPP-…`), fields PascalCase, money text, timestamps UTC with milliseconds.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/v2/accounts?limit&cursor&modified_since&VatNumber&Email&ExternalKey` | `200 {"items":[account],"meta":{"next":"opaque"}}`, `next` is null at the end |
//! | `GET /api/v2/accounts/{id}` | `200 account` with `ETag: "<Version>"`, `404` |
//! | `POST /api/v2/accounts` (`Idempotency-Key` honoured) | `201 account`, `ETag`, `Location` |
//! | `PATCH /api/v2/accounts/{id}` (`If-Match` honoured) | `200 account`, `ETag`; `412 STALE` |
//! | `DELETE /api/v2/accounts/{id}` (`If-Match` honoured) | `204`, then `404` |
//! | `PUT /api/v2/accounts/by-external-key/{key}` | `201` or `200 account`, `ETag` |
//! | `POST /api/v2/accounts/batch {"items":[{"op":"create",…},{"Id":"ACC-000007",…}]}` | `200 {"results":[{"index":0,"status":201,"id":"ACC-000008","error":null},{"index":1,"status":400,"id":"ACC-000007","error":{…}}]}` |
//! | `POST /api/v2/accounts/{id}/merge {"Into":"ACC-000002"}` | `200` the surviving account; `{id}` is `404 MERGED` from then on |
//!
//! `op` is `create|update|upsert|delete`; without it an item with `Id` is an update and one without a create. The same
//! exist for `contacts` (filters `Email`, `AccountId`, `ExternalKey`) and `opportunities` (`AccountId`, `ExternalKey`),
//! without the merge. `limit` defaults to 100, capped silently (200 unless set). Parameters it does not know are refused
//! with `400 UNKNOWN_PARAMETER`. Deleting an account clears the `AccountId` of what referred to it.
//!
//! ```json
//! {"Id":"ACC-000123","Name":"ANA LTDA","VatNumber":"BR12345678000195","Email":"Compras@ana.example",
//!  "Phone":"0055 11 40028922","Status":"Active","CreditLimit":"1200.50","BillingCity":"São Paulo","BillingCountry":"BR",
//!  "OwnerId":"USR-003","CustomerSince":"2019-04-01","Description":null,"ExternalKey":null,
//!  "CreatedAt":"2026-01-05T08:00:00.000Z","ModifiedAt":"2026-03-01T09:15:27.482Z","Version":3}
//! {"Id":"CON-000012","AccountId":"ACC-000123","FirstName":"Ana","LastName":"Souza","Email":"ana@ana.example",
//!  "Phone":"0055 11 40028923","Title":"Buyer","BirthDate":"1984-02-29","ExternalKey":null,"CreatedAt":"…","ModifiedAt":"…","Version":1}
//! {"Id":"OPP-000003","AccountId":"ACC-000123","Name":"Renewal","Stage":"Open","Amount":"950.00","Currency":"BRL",
//!  "CloseDate":"2026-06-30","ExternalKey":null,"CreatedAt":"…","ModifiedAt":"…","Version":1}
//! ```
//!
//! With [`crm::Billing::Nested`] the two billing fields are `"Billing":{"City":"São Paulo","Country":"BR"}`. `Status` is
//! `Active|Inactive|Lead`, `Stage` is `Open|Won|Lost`; `VatNumber` must be two letters and six to sixteen letters or
//! digits (spaces, dots, dashes and slashes aside); `ExternalKey` is unique. Errors: `{"code":"INVALID_VAT","message":"…",
//! "field":"VatNumber"}` (`field` may be null) with `400 MALFORMED_JSON|INVALID_VAT|INVALID_EMAIL|INVALID_STATUS|
//! INVALID_VALUE|REQUIRED|TOO_LONG|UNKNOWN_FIELD|UNKNOWN_REFERENCE|UNKNOWN_PARAMETER|INVALID_CURSOR`, `401 INVALID_TOKEN`,
//! `404 NOT_FOUND|MERGED`, `409 DUPLICATE|IDEMPOTENCY_MISMATCH`, `412 STALE`, `413 TOO_LARGE`, `428 IF_MATCH_REQUIRED`,
//! `429 REQUEST_LIMIT`, `500|503 UNAVAILABLE`.
//!
//! Webhook, signed by [Standard Webhooks](https://www.standardwebhooks.com) (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature: v1,<base64>`, secret `whsec_…`), up to 50 events in one request:
//!
//! ```json
//! {"events":[{"id":"EV-6478D1F3A2C40","time":"2026-03-01T09:15:27.482Z","type":"updated","entity":"account",
//!             "entityId":"ACC-000123","actor":"client:syncline","mergedInto":null}]}
//! ```
//!
//! `type` is `created|updated|deleted|merged`; only the last has `mergedInto`. `actor` is `client:<client id>` for API
//! clients and `user:…` for people.

mod admin;
mod chance;
pub mod clock;
pub mod crm;
mod edge;
pub mod erp;
pub mod fault;
mod fields;
pub mod handle;
pub mod history;
pub mod limit;
mod office;
mod outbound;
pub mod pair;
mod ranked;
pub mod refusal;
pub mod seed;
mod table;
#[cfg(test)]
mod tests;
pub mod webhook;

pub use office::{Edit, Notice, Snapshot};
