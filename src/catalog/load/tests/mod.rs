//! One valid catalogue (`tests/data/catalog`); every negative test is a small edit of it and the whole list of problems.

mod mapping;
mod overlay;

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::{catalog::diagnostic::Style, core::problem::Problems};

/// An edit of the valid catalogue: file, what stands there, what stands there instead.
type Edit<'a> = (&'a str, &'a str, &'a str);

const SHOP: &str = "connectors/shop.yaml";
const DESK: &str = "connectors/desk.yaml";
const CUSTOMER: &str = "mappings/customer.yaml";
const PERSON: &str = "mappings/person.yaml";

fn copy(from: &Path, to: &Path) {
    for folder in ["connectors", "mappings"] {
        fs::create_dir(to.join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn edited(edits: &[Edit<'_>]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/catalog"),
        folder.path(),
    );
    for (file, from, to) in edits {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
    folder
}

fn systems() -> BTreeMap<String, SystemDecl> {
    let settings = BTreeMap::from([("base_url".to_owned(), Json::from("https://system.example"))]);
    let system = |connector: &str, credentials: &[&str]| SystemDecl {
        connector: connector.to_owned(),
        tenant: None,
        settings: settings.clone(),
        credentials: credentials.iter().map(|name| (*name).to_owned()).collect(),
        webhook_secrets: 1,
        origin: "config/dev.toml".to_owned(),
    };
    BTreeMap::from([
        ("erp".to_owned(), system("shop", &["token"])),
        ("crm".to_owned(), system("desk", &["client_id", "client_secret"])),
    ])
}

fn load(folder: &Path, systems: &BTreeMap<String, SystemDecl>) -> Loaded {
    Catalog::load(&Sources {
        connectors_dir: &folder.join("connectors"),
        mappings_dir: &folder.join("mappings"),
        systems,
    })
}

fn shown(loaded: &Loaded, folder: &Path) -> String {
    let root = format!("{}/", folder.display());
    diagnostic::render(&loaded.diagnostics, Style::Plain).replace(&root, "")
}

/// Everything that is wrong with the catalogue after the edits.
fn problems(edits: &[Edit<'_>]) -> String {
    let folder = edited(edits);
    shown(&load(folder.path(), &systems()), folder.path())
}

/// Everything that is wrong with the systems after a change of their declarations.
fn system_problems(change: impl FnOnce(&mut BTreeMap<String, SystemDecl>)) -> String {
    let folder = edited(&[]);
    let mut systems = systems();
    change(&mut systems);
    shown(&load(folder.path(), &systems), folder.path())
}

#[test]
fn the_valid_catalogue_loads_without_a_word() {
    let folder = edited(&[]);
    let Loaded { catalog, diagnostics } = load(folder.path(), &systems());
    assert_eq!(diagnostics, []);
    assert_eq!(catalog.connectors.keys().collect::<Vec<_>>(), ["desk", "shop"]);
    assert_eq!(catalog.mappings.keys().collect::<Vec<_>>(), ["customer", "person"]);
    assert_eq!(catalog.cases().keys().collect::<Vec<_>>(), ["customer"]);
    assert_eq!(catalog.files.len(), 5);
    assert!(catalog.object(&catalog.mappings["customer"].ends.left).is_some());
    let order: Vec<_> = catalog.in_order().map(|mapping| mapping.name.as_str()).collect();
    assert_eq!(order, ["customer", "person"]);
}

/// A system that gives a shipped connector what it asks for.
fn asked_for(root: &Path, connector: &str) -> SystemDecl {
    let text = fs::read(root.join("connectors").join(format!("{connector}.yaml"))).unwrap();
    let tree = crate::catalog::yaml::Document::read(&text).body.unwrap();
    let form: ConnectorForm = crate::catalog::decode::decode(&tree, &mut Problems::new()).unwrap();
    let credentials: BTreeSet<String> = form.needed_credentials().into_iter().map(ToOwned::to_owned).collect();
    let required = form
        .settings
        .into_iter()
        .filter(|(_, setting)| setting.default.is_none());
    SystemDecl {
        connector: connector.to_owned(),
        settings: required
            .map(|(name, _)| (name, Json::from("https://system.example")))
            .collect(),
        credentials,
        webhook_secrets: 1,
        origin: "config/dev.toml".to_owned(),
        ..SystemDecl::default()
    }
}

#[test]
fn the_shipped_catalogue_loads_without_a_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let systems = [
        ("erp", "sandbox-erp"),
        ("crm", "sandbox-crm"),
        ("tryton", "tryton"),
        ("odata", "cap-odata"),
    ];
    let systems = systems.map(|(name, connector)| (name.to_owned(), asked_for(root, connector)));
    let loaded = load(root, &BTreeMap::from(systems));
    assert_eq!(shown(&loaded, root), "");
    assert!(loaded.catalog.mappings.contains_key("customer-account"));
    assert!(loaded.catalog.mappings.contains_key("contact"));
}

#[test]
fn a_mapping_between_systems_of_another_environment_is_not_used() {
    let folder = edited(&[]);
    let mut hr = systems();
    hr.retain(|name, _| name == "crm");
    let mut crm = hr.remove("crm").unwrap();
    crm.webhook_secrets = 1;
    let elsewhere = BTreeMap::from([("payroll".to_owned(), crm)]);
    let loaded = load(folder.path(), &elsewhere);
    assert!(loaded.is_ok() && loaded.catalog.mappings.is_empty());
    assert_eq!(
        loaded.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(),
        ["CT010", "CT010"]
    );
}

#[test]
fn cases_run_in_every_environment() {
    let folder = edited(&[]);
    let elsewhere = BTreeMap::from([("payroll".to_owned(), systems()["crm"].clone())]);
    for systems in [systems(), elsewhere, BTreeMap::new()] {
        let reports = load(folder.path(), &systems).catalog.run_cases(None);
        assert_eq!(reports.len(), 1);
        assert!(
            reports
                .iter()
                .all(|(_, report)| report.is_ok() && report.outcomes.len() == 1)
        );
    }
    let catalog = load(folder.path(), &systems()).catalog;
    assert_eq!(catalog.run_cases(Some("customer")).len(), 1);
    assert_eq!(catalog.run_cases(Some("person")).len(), 0);
}

#[test]
fn names_of_systems_are_not_checked_without_an_environment() {
    let folder = edited(&[(CUSTOMER, "erp: customer", "erp: custmer")]);
    assert_eq!(shown(&load(folder.path(), &BTreeMap::new()), folder.path()), "");
}

#[test]
fn a_broken_connector_says_nothing_about_the_mappings_that_use_it() {
    let edits = [
        (SHOP, "closed: yes", "closed: maybe"),
        (SHOP, "get: /customers", "gte: /customers"),
        (CUSTOMER, "erp: name,", "erp: any_field,"),
        (CUSTOMER, "crm: Name }", "crm: Nmae }"),
    ];
    assert_eq!(
        problems(&edits),
        "error[FM004]: expected `yes` or `no`, found the text `maybe`
  --> connectors/shop.yaml:12:13
   |
12 |     closed: maybe
   |             ^^^^^
   |
   = at: /objects/customer/closed

error[FM001]: unknown key `gte`
  --> connectors/shop.yaml:21:7
   |
21 |       gte: /customers
   |       ^^^
   |
   = at: /objects/customer/list/gte
   = hint: did you mean `get`?

error[MP012]: object `account` of system `crm` declares no field `Nmae`
 --> mappings/customer.yaml:6:28
  |
6 |   - { erp: any_field, crm: Nmae }
  |                            ^^^^
  |
  = at: /fields/0/crm
  = hint: did you mean `Name`?
"
    );
}

#[test]
fn a_mapping_that_cannot_be_read_says_nothing_about_those_that_link_through_it() {
    let edits = [(
        CUSTOMER,
        "between: { erp: customer, crm: account }",
        "between: customer",
    )];
    assert_eq!(
        problems(&edits),
        "error[FM004]: expected a map, found the text `customer`
 --> mappings/customer.yaml:2:10
  |
2 | between: customer
  |          ^^^^^^^^
  |
  = at: /between
"
    );
}

#[test]
fn problems_of_form_and_of_meaning_are_told_together() {
    let edits = [
        (CUSTOMER, "wins: erp", "wins: erpp"),
        (CUSTOMER, "compare: email", "compare: e-mail"),
        (SHOP, "\"/persons/{{ id }}\" }\n", "\"/persons/{{ di }}\" }\n"),
        (SHOP, "sensitive: yes", "sensitive: 5"),
    ];
    assert_eq!(
        problems(&edits),
        "error[FM004]: expected `yes` or `no`, found the number `5`
  --> connectors/shop.yaml:16:39
   |
16 |       email: { type: text, sensitive: 5 }
   |                                       ^
   |
   = at: /objects/customer/fields/email/sensitive

error[CN017]: the request does not say which record is meant
  --> connectors/shop.yaml:31:5
   |
31 |     get: { get: \"/persons/{{ di }}\" }
   |     ^^^
   |
   = at: /objects/person/get
   = hint: use `{{ id }}` in its path, query or body

error[CN001]: unknown name `di`
  --> connectors/shop.yaml:31:30
   |
31 |     get: { get: \"/persons/{{ di }}\" }
   |                              ^^
   |
   = at: /objects/person/get/get
   = hint: did you mean `id`?

error[FM003]: `e-mail` is none of the names allowed here
 --> mappings/customer.yaml:4:40
  |
4 |   - { erp: email, crm: Email, compare: e-mail }
  |                                        ^^^^^^
  |
  = at: /match/0/compare
  = hint: did you mean `email`?

error[MP005]: `erpp` is none of `erp`, `crm`
 --> mappings/customer.yaml:8:50
  |
8 |   - { erp: credit_limit, crm: CreditLimit, wins: erpp }
  |                                                  ^^^^
  |
  = at: /fields/2/wins
  = hint: did you mean `erp`?
"
    );
}

#[test]
fn flaws_of_yaml_are_told_beside_the_rest() {
    let edits = [
        (PERSON, "prefer: crm", "prefer: crm\nprefer: erp"),
        (CUSTOMER, "prefer: erp", "prefer: {{ erp }}"),
        (SHOP, "base_url: \"{{", "base_url: {{"),
    ];
    assert_eq!(
        problems(&edits),
        "error[YM010]: a key must be a text, not a map or list
 --> connectors/shop.yaml:6:12
  |
6 | base_url: {{ settings.base_url }}/api\"
  |            ^
  |
  = hint: a text with `{{ … }}` must be in quotes: \"{{ … }}\"

error[YM010]: a key must be a text, not a map or list
  --> mappings/customer.yaml:10:10
   |
10 | prefer: {{ erp }}
   |          ^
   |
   = hint: a text with `{{ … }}` must be in quotes: \"{{ … }}\"

error[YM008]: the key `prefer` stands twice in one map
 --> mappings/person.yaml:9:1
  |
9 | prefer: erp
  | ^^^^^^
  |
  = at: /prefer
  = hint: it stands in line 8 already; keep one of the two
"
    );
}

#[test]
fn links_that_form_a_circle_are_told_once() {
    let link = "  - { erp: status, crm: Status, link: person }\n";
    let edits = [(
        CUSTOMER,
        "  - { erp: status, crm: Status, values: { active: Active, blocked: Inactive } }\n",
        link,
    )];
    assert_eq!(
        problems(&edits),
        "error[CT009]: the links of mappings form a circle: customer → person → customer
 --> mappings/person.yaml:6:47
  |
6 |   - { erp: customer_id, crm: AccountId, link: customer }
  |                                               ^^^^^^^^
  |
  = at: /fields/0/link
  = hint: records of each would wait for the next for ever: leave one of these links out
"
    );
}

#[test]
fn a_link_within_lines_closes_a_circle_as_any_other_does() {
    let lines = "  - { erp: list, crm: List, fields: [ { erp: contact, crm: Contact, link: person } ] }\n";
    let edits = [(
        CUSTOMER,
        "  - { erp: status, crm: Status, values: { active: Active, blocked: Inactive } }\n",
        lines,
    )];
    let told = problems(&edits);
    assert!(
        told.contains("error[CT009]: the links of mappings form a circle: customer → person → customer"),
        "{told}"
    );
}

#[test]
fn a_mapping_may_refer_to_itself() {
    let edits = [(
        CUSTOMER,
        "values: { active: Active, blocked: Inactive }",
        "link: customer",
    )];
    assert_eq!(problems(&edits), "");
}

#[test]
fn a_file_and_what_is_in_it_have_one_name() {
    let edits = [
        (PERSON, "mapping: person", "mapping: persons"),
        (CUSTOMER, "mapping: customer", "mapping: Customer!"),
        (SHOP, "connector: shop", "connector: shopping"),
    ];
    assert_eq!(
        problems(&edits),
        "error[CT006]: the file is named `shop`, and this `shopping`
 --> connectors/shop.yaml:1:12
  |
1 | connector: shopping
  |            ^^^^^^^^
  |
  = at: /connector
  = hint: give both the same name

error[CT007]: `Customer!` is no name
 --> mappings/customer.yaml:1:10
  |
1 | mapping: Customer!
  |          ^^^^^^^^^
  |
  = at: /mapping
  = hint: use lower-case letters, digits, `-` and `_`, at most 64 of them

error[CT006]: the file is named `person`, and this `persons`
 --> mappings/person.yaml:1:10
  |
1 | mapping: persons
  |          ^^^^^^^
  |
  = at: /mapping
  = hint: give both the same name
"
    );
}

#[test]
fn cases_are_checked_and_need_a_mapping() {
    let edits = [
        ("mappings/customer.test.yaml", "expect: {", "expects: {"),
        ("mappings/other.test.yaml", "", "- name: x\n"),
        ("mappings/late.yml", "", "mapping: late\n"),
    ];
    assert_eq!(
        problems(&edits),
        "error[FM001]: unknown key `expects`
 --> mappings/customer.test.yaml:5:3
  |
5 |   expects: { crm: { Status: Inactive } }
  |   ^^^^^^^
  |
  = at: /0/expects
  = hint: did you mean `expect`?

warning[CT003]: the file is not read
--> mappings/late.yml
 = hint: name it `.yaml`

error[CT008]: there is no mapping `other` that these cases could be of
--> mappings/other.test.yaml
 = hint: the cases of a mapping stand beside it: other.yaml
"
    );
}

#[test]
fn a_mapping_is_not_between_two_tenants() {
    let own = |erp: Option<&str>, crm: Option<&str>| {
        system_problems(|systems| {
            for (name, tenant) in [("erp", erp), ("crm", crm)] {
                systems.get_mut(name).unwrap().tenant = tenant.map(|tenant| tenant.parse().unwrap());
            }
        })
    };
    for (erp, crm) in [
        (None, None),
        (Some("abc"), None),
        (None, Some("abc")),
        (Some("abc"), Some("abc")),
    ] {
        assert_eq!(own(erp, crm), "", "{erp:?} {crm:?}");
    }
    let told = own(Some("abc"), Some("abcdef"));
    assert!(
        told.contains("error[MP048]: the mapping is nobody's, since its systems belong to two tenants: `erp` to `abc`, `crm` to `abcdef`"),
        "{told}"
    );
}

#[test]
fn settings_and_credentials_are_those_the_connector_asks_for() {
    let told = system_problems(|systems| {
        let erp = systems.get_mut("erp").unwrap();
        erp.settings = BTreeMap::from([
            ("page_size".to_owned(), Json::from("many")),
            ("base_ur".to_owned(), Json::from("x")),
        ]);
        erp.credentials = BTreeSet::from(["tokn".to_owned()]);
        let crm = systems.get_mut("crm").unwrap();
        crm.settings = BTreeMap::from([("base_url".to_owned(), Json::from("crm.example.com"))]);
        crm.webhook_secrets = 0;
        systems.insert(
            "hr".to_owned(),
            SystemDecl {
                connector: "dsk".to_owned(),
                origin: "config/dev.toml".to_owned(),
                ..SystemDecl::default()
            },
        );
    });
    assert_eq!(
        told,
        "error[CF020]: system `hr`: there is no connector `dsk`
--> config/dev.toml
 = at: /systems/hr/connector
 = hint: did you mean `desk`?

error[CF021]: system `erp`: setting `base_url` is missing
--> config/dev.toml
 = at: /systems/erp/settings
 = hint: connector `shop` needs it: an address such as `https://erp.example.com`

error[CF022]: system `erp`: connector `shop` has no setting `base_ur`
--> config/dev.toml
 = at: /systems/erp/settings/base_ur
 = hint: did you mean `base_url`?

error[CF023]: system `crm`: setting `base_url` must be an address such as `https://erp.example.com`
--> config/dev.toml
 = at: /systems/crm/settings/base_url

error[CF023]: system `erp`: setting `page_size` must be a whole number
--> config/dev.toml
 = at: /systems/erp/settings/page_size

error[CF024]: system `erp`: credential `token` is missing
--> config/dev.toml
 = at: /systems/erp/credentials
 = hint: give it as `token = { env = \"…\" }` or `{ file = \"…\" }`

error[CF025]: system `erp`: connector `shop` has no credential `tokn`
--> config/dev.toml
 = at: /systems/erp/credentials/tokn
 = hint: did you mean `token`?

warning[CF026]: system `crm` has no webhook secret: its pushes are refused
--> config/dev.toml
 = at: /systems/crm/webhook_secrets
 = hint: add `webhook_secrets = [{ env = \"…\" }]`, or let mappings poll it
"
    );
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let folder = edited(&[]);
    fs::remove_dir_all(folder.path().join("connectors")).unwrap();
    let loaded = load(folder.path(), &BTreeMap::new());
    assert_eq!(
        loaded.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(),
        ["CT001"]
    );
    assert!(!loaded.is_ok());
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let folder = edited(&[]);
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "connector: secret\n").unwrap();
    std::os::unix::fs::symlink(secret.path(), folder.path().join("connectors/secret.yaml")).unwrap();
    std::os::unix::fs::symlink("shop.yaml", folder.path().join("connectors/inside.yaml")).unwrap();
    let loaded = load(folder.path(), &BTreeMap::new());
    let told: Vec<_> = loaded.diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(told, ["CT006", "CT004"]);
    assert!(!shown(&loaded, folder.path()).contains("connector: secret"));
}

#[test]
fn every_code_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/errors/catalog.md")).unwrap();
    let mut open = vec![root.join("src/catalog")];
    let mut codes = BTreeSet::new();
    while let Some(path) = open.pop() {
        if path.ends_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let quoted = text.split('"').filter(|word| {
            let (letters, digits) = word.split_at_checked(2).unwrap_or_default();
            digits.len() == 3
                && letters.bytes().all(|b| b.is_ascii_uppercase())
                && digits.bytes().all(|b| b.is_ascii_digit())
        });
        codes.extend(quoted.map(str::to_owned));
    }
    assert!(codes.len() > 20, "{codes:?}");
    let missing: Vec<_> = codes
        .iter()
        .filter(|code| !page.contains(&format!("| {code} |")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/errors/catalog.md does not explain {missing:?}"
    );
}
