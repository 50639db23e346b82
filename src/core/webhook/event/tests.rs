use super::*;
use crate::core::{problem::Problems, value::json};

const OBJECTS: [&str; 2] = ["account", "customer"];

fn form(yaml: &str) -> form::WebhooksForm {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}\n{error}"))
}

fn definition(yaml: &str) -> Definition {
    let mut form = form(yaml);
    form.verify.basic = Some(true);
    let mut problems = Problems::new();
    let definition = Definition::compile(&form, "", &OBJECTS.into(), &mut problems);
    definition.unwrap_or_else(|| panic!("{problems:?}"))
}

fn problems(yaml: &str) -> Vec<String> {
    let mut problems = Problems::new();
    let compiled = Definition::compile(&form(yaml), "/webhooks", &OBJECTS.into(), &mut problems);
    assert_eq!(compiled.is_none(), problems.has_errors());
    problems.into_vec().iter().map(ToString::to_string).collect()
}

fn value(json: &str) -> Arc<Value> {
    Arc::new(json::parse(json.as_bytes(), &json::Limits::default()).unwrap())
}

const REQUEST: Incoming<'static> = Incoming {
    method: "POST",
    url: "https://hooks.example.com/hooks/crm?tenant=t1&validationToken=%3Cb%3E",
    headers: &[
        ("Webhook-Id", b"msg_1"),
        ("X-Topic", b"customer.updated"),
        ("X-Bytes", b"\xff"),
    ],
    body: b"",
};

fn read(definition: &Definition, body: &str) -> Result<Vec<Pushed>, Malformed> {
    let settings = value(r#"{"integration_user":"client:syncline"}"#);
    definition.read(&REQUEST, &value(body), &settings)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const CRM: &str = r#"
events: "{{ body.events }}"
id: "{{ event.id }}"
occurred_at: "{{ event.time }}"
object: "{{ event.entity }}"
record_id: "{{ event.entityId }}"
kind: "{{ event.type }}"
merged_into: "{{ event.mergedInto }}"
own: "{{ event.actor == settings.integration_user }}"
"#;

#[test]
fn one_request_carries_many_events() {
    let body = r#"{"events":[
        {"id":"EV-1","time":"2026-03-01T09:15:27.482Z","type":"updated","entity":"account","entityId":"ACC-1","actor":"client:syncline","mergedInto":null},
        {"id":"EV-2","time":"2026-03-01T10:15:27+01:00","type":"merged","entity":"account","entityId":"ACC-2","actor":"user:anna","mergedInto":"ACC-1"}]}"#;
    let first = Pushed {
        event_id: Some("EV-1".to_owned()),
        kind: EventKind::Updated,
        unknown_kind: None,
        object: "account".to_owned(),
        record_id: Some("ACC-1".to_owned()),
        occurred_at: Some(at("2026-03-01T09:15:27.482Z")),
        own: true,
        record: None,
        version: None,
        merged_into: None,
    };
    let second = Pushed {
        event_id: Some("EV-2".to_owned()),
        kind: EventKind::Merged,
        record_id: Some("ACC-2".to_owned()),
        occurred_at: Some(at("2026-03-01T09:15:27Z")),
        own: false,
        merged_into: Some("ACC-1".to_owned()),
        ..first.clone()
    };
    assert_eq!(read(&definition(CRM), body).unwrap(), [first, second]);
    assert_eq!(read(&definition(CRM), r#"{"events":[]}"#).unwrap(), []);
}

#[test]
fn the_example_of_the_page_does_what_the_page_says() {
    #[derive(serde::Deserialize)]
    struct Page {
        webhooks: form::WebhooksForm,
    }
    let page = include_str!("../../../../docs/webhook-recipes.md");
    let (_, section) = page.split_once("\n# Reading events\n").unwrap();
    let yaml = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let form = serde_saphyr::from_str::<Page>(yaml).unwrap().webhooks;
    let mut problems = Problems::new();
    let definition = Definition::compile(&form, "/webhooks", &OBJECTS.into(), &mut problems).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let body = r#"{"events":[{"id":"1","entity":"Company","entityId":"A","type":"propertyChange","time":1767600000}]}"#;
    let [event] = read(&definition, body).unwrap().try_into().unwrap();
    assert_eq!((event.object.as_str(), event.kind), ("account", EventKind::Updated));
    assert_eq!(event.occurred_at, Some(at("2026-01-05T08:00:00Z")));
    assert_eq!(definition.answer().rejected, 403);

    let schema = serde_json::to_value(schemars::schema_for!(form::WebhooksForm)).unwrap();
    let written = serde_json::to_value(&form).unwrap();
    assert!(
        jsonschema::validator_for(&schema).unwrap().is_valid(&written),
        "{written}"
    );
    assert_eq!(serde_json::from_value::<form::WebhooksForm>(written).unwrap(), form);
}

const MERGES: &str = r#"
id: "{{ event.id }}"
object: account
record_id: "{{ [event.primary, event.others] if event.others is defined else event.primary }}"
kind: "{{ event.kind }}"
merged_into: "{{ event.into }}"
renamed_from: "{{ event.old }}"
record: "{{ event.record }}"
"#;

type Told<'a> = (Option<&'a str>, Option<&'a str>, EventKind, Option<&'a str>);

fn told(events: &[Pushed]) -> Vec<Told<'_>> {
    events
        .iter()
        .map(|event| {
            (
                event.event_id.as_deref(),
                event.record_id.as_deref(),
                event.kind,
                event.merged_into.as_deref(),
            )
        })
        .collect()
}

#[test]
fn one_event_may_speak_of_several_records_and_each_has_an_id_of_its_own() {
    let definition = definition(MERGES);
    let body = r#"{"id":"e","kind":"merged","primary":1,"others":[2,3,2],"into":9,"record":{"a":1}}"#;
    let events = read(&definition, body).unwrap();
    assert_eq!(
        told(&events),
        [
            (Some("e/1"), Some("1"), EventKind::Merged, Some("9")),
            (Some("e/2"), Some("2"), EventKind::Merged, Some("9")),
            (Some("e/3"), Some("3"), EventKind::Merged, Some("9")),
        ]
    );
    assert!(
        events.iter().all(|event| event.record.is_none()),
        "it is of nobody knows which"
    );
    // In another order each is known again, and one alone has the id that it came with.
    let turned = read(
        &definition,
        r#"{"id":"e","kind":"merged","primary":3,"others":[1,2],"into":9}"#,
    )
    .unwrap();
    let ids = |events: &[Pushed]| -> HashSet<_> { events.iter().map(|event| event.event_id.clone()).collect() };
    assert_eq!(ids(&events), ids(&turned));
    let alone = read(
        &definition,
        r#"{"id":"e","kind":"merged","primary":3,"others":[3],"into":9}"#,
    )
    .unwrap();
    assert_eq!(told(&alone), [(Some("e"), Some("3"), EventKind::Merged, Some("9"))]);
}

#[test]
fn a_record_that_became_itself_has_only_changed() {
    let definition = definition(MERGES);
    let events = read(
        &definition,
        r#"{"id":"e","kind":"merged","primary":1,"others":[2],"into":1}"#,
    )
    .unwrap();
    assert_eq!(
        told(&events),
        [
            (Some("e/1"), Some("1"), EventKind::Updated, None),
            (Some("e/2"), Some("2"), EventKind::Merged, Some("1")),
        ]
    );
    for same in [
        r#"{"kind":"merged","primary":1,"into":1}"#,
        r#"{"kind":"renamed","primary":1,"old":1}"#,
    ] {
        let events = read(&definition, same).unwrap();
        assert_eq!(told(&events), [(None, Some("1"), EventKind::Updated, None)], "{same}");
    }
}

#[test]
fn a_renamed_record_is_told_of_by_its_old_id() {
    let definition = definition(MERGES);
    let events = read(
        &definition,
        r#"{"id":"e","kind":"renamed","primary":"new","old":"old"}"#,
    )
    .unwrap();
    assert_eq!(
        told(&events),
        [(Some("e"), Some("old"), EventKind::Renamed, Some("new"))]
    );
    let missing = read(&definition, r#"{"id":"e","kind":"renamed","primary":"new"}"#).unwrap_err();
    assert_eq!(missing.to_string(), "event 0 has no `renamed_from`");
    assert_eq!(
        problems("{verify: {basic: true}, object: account, record_id: '1', kinds: {r: renamed}}"),
        ["[WH023] /webhooks/kinds: `renamed` needs `renamed_from`"]
    );
}

#[test]
fn the_records_of_a_request_are_as_limited_as_its_events() {
    let definition = definition(MERGES);
    let ids = |count: usize| (1..count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let body = |count: usize| format!(r#"{{"id":"e","kind":"deleted","primary":0,"others":[{}]}}"#, ids(count));
    assert_eq!(read(&definition, &body(EVENTS_MAX)).unwrap().len(), EVENTS_MAX);
    let many = read(&definition, &body(EVENTS_MAX + 1)).unwrap_err();
    assert!(matches!(many, Malformed::TooMany { .. }), "{many}");
    let spread = format!("[{},{}]", body(EVENTS_MAX / 2 + 1), body(EVENTS_MAX / 2 + 1));
    let many = read(&definition, &spread).unwrap_err();
    assert!(matches!(many, Malformed::TooMany { .. }), "{many}");
    let long = format!(
        r#"{{"id":"{}","kind":"deleted","primary":1,"others":[2]}}"#,
        "e".repeat(NAME_BYTES_MAX)
    );
    assert!(matches!(
        read(&definition, &long).unwrap_err(),
        Malformed::TooLong { field: "id", .. }
    ));
    let deep = read(&definition, r#"{"kind":"deleted","primary":1,"others":[[2]]}"#).unwrap_err();
    assert!(matches!(deep, Malformed::Type { field: "record_id", .. }), "{deep}");
}

#[test]
fn what_is_not_declared_is_read_in_the_safe_way() {
    let crm = read(&definition(CRM), r#"{"events":[{"entity":"account","entityId":"1"}]}"#).unwrap();
    assert_eq!(
        (crm[0].own, crm[0].kind),
        (false, EventKind::Updated),
        "an event without an actor is not ours"
    );
    let definition = definition("{object: customer, record_id: '{{ event.object_id }}'}");
    let [event] = read(&definition, r#"{"object_id":7}"#).unwrap().try_into().unwrap();
    assert_eq!(event.record_id.as_deref(), Some("7"));
    assert_eq!(
        (event.kind, event.own, event.event_id),
        (EventKind::Updated, false, None)
    );
    let events = read(&definition, r#"[{"object_id":7},{"object_id":123456789012345678901}]"#).unwrap();
    assert_eq!(events[1].record_id.as_deref(), Some("123456789012345678901"));
}

#[test]
fn a_record_may_come_with_the_event() {
    let definition = definition(
        "{object: account, record_id: '{{ event.Id }}', record: '{{ event }}', version: '{{ event.V }}', complete: true}",
    );
    let [event] = read(&definition, r#"{"Id":"A","V":3,"Limit":1.10}"#)
        .unwrap()
        .try_into()
        .unwrap();
    assert!(definition.is_complete());
    assert_eq!(event.version.as_deref(), Some("3"));
    assert_eq!(
        event.record.unwrap().get("Limit").unwrap().to_text().as_deref(),
        Some("1.10")
    );
}

#[test]
fn the_senders_own_words_are_translated_and_unknown_ones_mean_look_at_it() {
    let definition = definition(
        "object: '{{ event.o }}'\nrecord_id: '1'\nkind: '{{ event.k }}'\nobjects: { Konto: account }\nkinds: { propertyChange: updated, removed: deleted, all: reread }",
    );
    for (body, object, kind, unknown) in [
        (r#"{"o":"Konto","k":"removed"}"#, "account", EventKind::Deleted, None),
        (
            r#"{"o":"account","k":"account.created"}"#,
            "account",
            EventKind::Created,
            None,
        ),
        (
            r#"{"o":"account","k":"Account.DELETED"}"#,
            "account",
            EventKind::Deleted,
            None,
        ),
        (r#"{"o":"account","k":"all"}"#, "account", EventKind::Reread, None),
        (
            r#"{"o":"account","k":"viewed"}"#,
            "account",
            EventKind::Updated,
            Some("viewed"),
        ),
        (r#"{"o":"other","k":"updated"}"#, "other", EventKind::Updated, None),
        (r#"{"o":"other","k":null}"#, "other", EventKind::Updated, None),
    ] {
        let [event] = read(&definition, body).unwrap().try_into().unwrap();
        assert_eq!(
            (event.object.as_str(), event.kind, event.unknown_kind.as_deref()),
            (object, kind, unknown),
            "{body}"
        );
    }
}

#[test]
fn headers_and_query_are_known_by_name() {
    let definition = definition(
        "{object: \"{{ query.tenant }}\", record_id: \"{{ headers['webhook-id'] }}\", kind: \"{{ headers['x-topic'] }}\"}",
    );
    let [event] = read(&definition, "{}").unwrap().try_into().unwrap();
    assert_eq!(
        (event.object.as_str(), event.record_id.as_deref()),
        ("t1", Some("msg_1"))
    );
    assert_eq!(event.kind, EventKind::Updated);
}

#[test]
fn events_that_share_an_id_are_told_apart_by_their_place() {
    let definition = definition("{object: account, record_id: '{{ event }}', id: \"{{ headers['webhook-id'] }}\"}");
    let ids = |body| -> Vec<Option<String>> {
        let events = read(&definition, body).unwrap();
        events.into_iter().map(|event| event.event_id).collect()
    };
    let expected = ["msg_1", "msg_1#1", "msg_1#2"].map(|id| Some(id.to_owned()));
    assert_eq!(ids(r#"["a","b","a"]"#), expected);
    assert_eq!(
        ids(r#"["a","b","a"]"#),
        expected,
        "the same when the sender tries again"
    );
}

#[test]
fn times_are_moments_or_nothing() {
    for (text, expected) in [
        (r#""2026-03-01T09:15:27Z""#, Some(at("2026-03-01T09:15:27Z"))),
        ("1767600000", Some(at("2026-01-05T08:00:00Z"))),
        ("1767600000000", Some(at("2026-01-05T08:00:00Z"))),
        (r#""1767600000.123456""#, Some(at("2026-01-05T08:00:00Z"))),
        (r#""2026-03-01 09:15:27""#, None),
        (r#""yesterday""#, None),
        ("99999999999999999999999", None),
        ("null", None),
    ] {
        assert_eq!(moment(&value(text)), expected, "{text}");
    }
}

#[test]
fn an_event_that_cannot_be_a_hint_is_malformed() {
    let long = "x".repeat(257);
    let many = format!("{{\"events\":[{}1]}}", "1,".repeat(1_000));
    for (body, expected) in [
        (
            r#"{"events":[{"entity":"account","type":"updated"}]}"#.to_owned(),
            "event 0 has no `record_id`",
        ),
        (
            r#"{"events":[{"entityId":"1","type":"updated"}]}"#.to_owned(),
            "event 0 has no `object`",
        ),
        (
            r#"{"events":[{"entity":"account","entityId":"1"},{"entity":"account","entityId":"1","type":"merged"}]}"#
                .to_owned(),
            "event 1 has no `merged_into`",
        ),
        (
            r#"{"events":[{"entity":"account","entityId":[[["1"]]]}]}"#.to_owned(),
            "`record_id` yields list instead of a text or a number",
        ),
        (
            format!(r#"{{"events":[{{"entity":"account","entityId":"1","id":"{long}"}}]}}"#),
            "`id` has 257 bytes, more than 256",
        ),
        (r#"{"evnts":[]}"#.to_owned(), "the request has no `events`"),
        (r#"{"events":null}"#.to_owned(), "the request has no `events`"),
        (many, "the request has 1001 events, more than 1000"),
    ] {
        let error = read(&definition(CRM), &body).unwrap_err().to_string();
        assert_eq!(error, expected, "{}", body.chars().take(120).collect::<String>());
    }
    let reread = r#"{"events":[{"entity":"account","type":"reread"}]}"#;
    assert_eq!(read(&definition(CRM), reread).unwrap()[0].record_id, None);
}

#[test]
fn a_handshake_is_answered_with_what_the_sender_wants() {
    let settings = value("{}");
    let challenge = definition(
        "{object: account, handshake: {when: \"{{ body.type == 'url_verification' }}\", answer: {body: '{{ body.challenge }}'}}}",
    );
    let reply = challenge.handshake(
        &REQUEST,
        &value(r#"{"type":"url_verification","challenge":"c1"}"#),
        &settings,
    );
    let expected = Reply {
        status: 200,
        headers: Vec::new(),
        body: Some(Value::Text("c1".to_owned())),
    };
    assert_eq!(reply.unwrap(), Some(expected));
    assert_eq!(
        challenge
            .handshake(&REQUEST, &value(r#"{"type":"event"}"#), &settings)
            .unwrap(),
        None
    );
    assert!(!challenge.has_unsigned_handshake());

    let token = definition(
        "{object: account, handshake: {when: '{{ query.validationToken is defined }}', unsigned: true, answer: {status: 202, headers: {X-Hook: '{{ method }}'}, body: '{{ query.validationToken }}'}}}",
    );
    let reply = token.handshake(&REQUEST, &value("null"), &settings).unwrap().unwrap();
    assert_eq!((reply.status, reply.body), (202, Some(Value::Text("<b>".to_owned()))));
    assert_eq!(reply.headers, [("x-hook".to_owned(), "POST".to_owned())]);
    assert!(token.has_unsigned_handshake());
}

#[test]
fn a_template_that_cannot_be_evaluated_is_named_and_shows_no_data() {
    let definition = definition("{object: account, record_id: '{{ event.id + 1 }}'}");
    let error = read(&definition, r#"{"id":{"name":"Ana"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "cannot evaluate `record_id`");
    assert!(!format!("{error:?}").contains("Ana"), "{error:?}");
}

#[test]
fn every_mistake_in_the_block_is_named_at_its_place() {
    for (yaml, expected) in [
        (
            "{object: account}",
            "[WH001] /webhooks/verify: nothing here verifies a request",
        ),
        (
            "{verify: {basic: true}, object: acount}",
            "[WH021] /webhooks/object: the connector has no object `acount`",
        ),
        (
            "{verify: {basic: true}, object: '{{ event.o }}', objects: {Konto: konto}}",
            "[WH021] /webhooks/objects/Konto: the connector has no object `konto`",
        ),
        (
            "{verify: {basic: true}, object: account, complete: true}",
            "[WH022] /webhooks/complete: `complete` needs `record` and `version`",
        ),
        (
            "{verify: {basic: true}, object: account, kinds: {joined: merged}}",
            "[WH023] /webhooks/kinds: `merged` needs `merged_into`",
        ),
        (
            "{verify: {basic: true}, object: account, answer: {rejected: 200}}",
            "[WH024] /webhooks/answer/rejected: 200 is not between 400 and 499",
        ),
        (
            "{verify: {basic: true}, object: account, answer: {busy: 200}}",
            "[WH024] /webhooks/answer/busy: 200 is not between 400 and 599",
        ),
        (
            "{verify: {basic: true}, object: account, handshake: {when: '{{ true }}', answer: {headers: {'a b': x}}}}",
            "[WH006] /webhooks/handshake/answer/headers/a b: `a b` is no header name",
        ),
    ] {
        assert_eq!(problems(yaml), [expected], "{yaml}");
    }
    for yaml in [
        "{verify: {basic: true}, object: '{{ evnt.object }}'}",
        "{verify: {basic: true}, object: account, events: '{{ event.list }}'}",
        "{verify: {basic: true}, object: account, id: '{{ event.id'}",
    ] {
        let found = problems(yaml);
        assert!(found.len() == 1 && found[0].starts_with("[WH020]"), "{yaml} {found:?}");
    }
}
