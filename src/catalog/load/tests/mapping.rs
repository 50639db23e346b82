//! What a mapping asks for that is not there.

use super::*;

#[test]
fn what_a_mapping_names_wrongly_is_told_with_what_is_near() {
    let edits = [
        (CUSTOMER, "erp: name, crm: Name }", "erp: nmae, crm: Name }"),
        (CUSTOMER, "crm: CreditLimit", "crm: CreditLimt"),
        (CUSTOMER, "sensitive: yes", "sensitiv: yes"),
        (CUSTOMER, "create: { crm: yes }", "create: { crn: yes }"),
        (PERSON, "crm: contact", "crm: contct"),
        (PERSON, "link: customer", "link: custmer"),
    ];
    assert_eq!(
        problems(&edits),
        "error[MP012]: object `customer` of system `erp` declares no field `nmae`
 --> mappings/customer.yaml:6:12
  |
6 |   - { erp: nmae, crm: Name }
  |            ^^^^
  |
  = at: /fields/0/erp
  = hint: did you mean `name`?

error[MP008]: unknown key `sensitiv`
 --> mappings/customer.yaml:7:31
  |
7 |   - { erp: email, crm: Email, sensitiv: yes }
  |                               ^^^^^^^^
  |
  = at: /fields/1/sensitiv
  = hint: did you mean `sensitive`?

error[MP012]: object `account` of system `crm` declares no field `CreditLimt`
 --> mappings/customer.yaml:8:31
  |
8 |   - { erp: credit_limit, crm: CreditLimt, wins: erp }
  |                               ^^^^^^^^^^
  |
  = at: /fields/2/crm
  = hint: did you mean `CreditLimit`?

error[MP005]: `crn` is none of `erp`, `crm`
  --> mappings/customer.yaml:11:11
   |
11 | create: { crn: yes }
   |           ^^^
   |
   = at: /create/crn
   = hint: did you mean `crm`?

error[MP004]: connector `desk` has no object `contct`
 --> mappings/person.yaml:2:30
  |
2 | between: { erp: person, crm: contct }
  |                              ^^^^^^
  |
  = at: /between/crm
  = hint: did you mean `contact`?

error[MP022]: there is no mapping `custmer`
 --> mappings/person.yaml:6:47
  |
6 |   - { erp: customer_id, crm: AccountId, link: custmer }
  |                                               ^^^^^^^
  |
  = at: /fields/0/link
  = hint: did you mean `customer`?
"
    );
}

#[test]
fn a_mapping_cannot_ask_for_what_the_connector_does_not_offer() {
    let edits = [
        (SHOP, "since: \"{{ since }}\", ", ""),
        (DESK, "    create: { post: /accounts, body: \"{{ record }}\" }\n", ""),
    ];
    assert_eq!(
        problems(&edits),
        "error[MP032]: the connector cannot create `account` in `crm`
  --> mappings/customer.yaml:11:16
   |
11 | create: { crm: yes }
   |                ^^^
   |
   = at: /create/crm
   = hint: give the object a `create:` operation

error[MP034]: the connector cannot tell which `customer` changed
  --> mappings/customer.yaml:12:14
   |
12 | poll: { erp: 60s }
   |              ^^^
   |
   = at: /poll/erp
   = hint: use `since` in its `list:` request, or give the object a `changed:` listing
"
    );
}

#[test]
fn what_a_match_rule_asks_for_wrongly_is_told() {
    let rule = "{ erp: email, crm: Email, compare: email }";
    for (wrong, code, told) in [
        (
            "{ erp: email, crm: Email, compare: email, normalize: [email] }",
            "MP044",
            "not both",
        ),
        (
            "{ erp: email, crm: Email, country: BR }",
            "MP044",
            "for what is normalized",
        ),
        (
            "{ erp: email, crm: Email, normalize: [case, email] }",
            "MP044",
            "stands alone",
        ),
        (
            "{ erp: email, crm: Email, normalize: [phone] }",
            "MP045",
            "needs the country",
        ),
        (
            "{ erp: email, crm: Email, normalize: [phone], country: BX }",
            "MP045",
            "unknown country `BX`",
        ),
        (
            "{ erp: email, crm: Email, normalise: [email] }",
            "MP008",
            "did you mean `normalize`?",
        ),
        ("{ erp: email, crm: Email, normalize: [mail] }", "FM", "mail"),
    ] {
        let found = problems(&[(CUSTOMER, rule, wrong)]);
        assert!(
            found.contains(&format!("error[{code}")) && found.contains(told),
            "{wrong}: {found}"
        );
    }
}

#[test]
fn what_a_suggestion_asks_for_wrongly_is_told() {
    for (wrong, code, told) in [
        ("suggest: { fields: [], at_least: 0.9 }", "MP046", "nothing is compared"),
        (
            "suggest: { fields: [{ erp: name, crm: Name }], at_least: 2 }",
            "MP046",
            "no share of 1",
        ),
        (
            "suggest: { fields: [{ erp: name, crm: Name, compare: exact }] }",
            "MP046",
            "likeness",
        ),
        (
            "suggest: { fields: [{ erp: nmae, crm: Name }] }",
            "MP012",
            "did you mean `name`?",
        ),
        (
            "suggest: { fields: [{ erp: name }] }",
            "MP010",
            "one field of each system",
        ),
    ] {
        let found = problems(&[(
            CUSTOMER,
            "create: { crm: yes }",
            &format!("create: {{ crm: yes }}\n{wrong}"),
        )]);
        assert!(
            found.contains(&format!("error[{code}")) && found.contains(told),
            "{wrong}: {found}"
        );
    }
    let good = "create: { crm: yes }\nsuggest: { fields: [{ erp: email, crm: Email }] }";
    let folder = edited(&[(CUSTOMER, "create: { crm: yes }", good)]);
    let loaded = load(folder.path(), &systems());
    assert_eq!(loaded.diagnostics, []);
    let suggest = loaded.catalog.mappings["customer"].suggest.as_ref().unwrap();
    assert!(suggest.fields[0].sensitive, "as the field pair says");
    assert_eq!(suggest.at_least, 900);
}

#[test]
fn an_archive_without_values_or_with_a_field_that_is_not_there_is_a_problem() {
    let create = "create: { crm: yes }";
    let found = problems(&[(
        CUSTOMER,
        create,
        "create: { crm: yes }\nsituations: { missing: archive }",
    )]);
    assert!(
        found.contains("error[MP042]") && found.contains("say what is written to an archived record of `erp`, `crm`"),
        "{found}"
    );
    let archive =
        "create: { crm: yes }\nsituations: { missing: archive }\narchive: { erp: { nmae: gone }, crm: closed }";
    let found = problems(&[(CUSTOMER, create, archive)]);
    assert!(
        found.contains("error[MP012]") && found.contains("did you mean `name`?"),
        "{found}"
    );
    assert!(
        found.contains("error[MP041]: name the fields and their values"),
        "{found}"
    );
}
