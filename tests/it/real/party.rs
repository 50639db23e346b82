//! A party of a real ERP with its e-mail, telephone and postal address, each a record of its own there, and a flat account.

use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use syncline::{
    core::status::{RunKind, RunStatus},
    sandbox::{Edit, pair, seed::Plan},
    sync::reconcile::Report,
};

use super::system::{Server, Tryton};
use crate::support::place::{Place, text_of};

const MAPPING: &str = r#"
mapping: party-account
between: { tryton: party, crm: account }
match: [{ tryton: code, crm: ExternalKey }]
fields:
  - { tryton: code, crm: ExternalKey }
  - { tryton: name, crm: Name }
  - { tryton: "contact_mechanisms[type=email].value", crm: Email, empty: clear }
  - { tryton: "contact_mechanisms[type=phone].value", crm: Phone, compare: phone, empty: clear }
  - { tryton: "addresses[0].city", crm: BillingCity }
  - { tryton: "addresses[0].street", crm: Description }
filter: { tryton: "{{ tryton.code < 'C00010' or tryton.code > 'D' }}" }
prefer: tryton
conflict: manual
create: { tryton: yes, crm: yes }
reconcile: { limits: { change: 100%, delete: 100% } }
"#;

struct Scene {
    erp: Tryton,
    crm: pair::Handle,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let started = tokio::task::spawn_blocking(move || Server::start("tryton", &path)).await;
        let erp = Tryton::new(started.unwrap()?);
        let options = pair::Options {
            plan: Plan::default(),
            ..pair::Options::default()
        };
        let crm = pair::start(options).await.unwrap();
        let systems = format!(
            "[systems.tryton]\nconnector = \"tryton\"\nsettings = {{ base_url = \"{}\", database = \"erp\" }}\n\
             credentials = {{ user = \"syncline\", password = \"erp-secret\" }}\nallow_networks = [\"127.0.0.0/8\"]\n\
             [systems.crm]\nconnector = \"sandbox-crm\"\nsettings = {{ base_url = \"{}\" }}\n\
             credentials = {{ client_id = \"{}\", client_secret = \"{}\" }}\nallow_networks = [\"127.0.0.0/8\"]\n",
            erp.server.url,
            crm.crm.base_url(),
            crm.crm.client_id(),
            crm.crm.client_secret().expose_secret(),
        );
        let files = [
            ("connectors/tryton.yaml", text_of("connectors/tryton.yaml")),
            ("connectors/sandbox-crm.yaml", text_of("connectors/sandbox-crm.yaml")),
            ("mappings/party-account.yaml", MAPPING.to_owned()),
        ];
        Some(Self {
            place: Place::lay_out(&files, &systems),
            erp,
            crm,
            _folder: folder,
        })
    }

    async fn reconcile(&self) -> Report {
        let report = self.place.reconcile_by("party-account", RunKind::Reconcile).await;
        assert_eq!(report.status, RunStatus::Succeeded, "{report:?}");
        report
    }

    fn account(&self, code: &str) -> (String, Json) {
        let found = self.crm.crm.find("account", "ExternalKey", code).unwrap();
        let [one] = found.as_slice() else {
            panic!("{} accounts have the key {code}", found.len())
        };
        (one.id.clone(), serde_json::from_str(&one.json).unwrap())
    }

    fn edit(&self, id: &str, fields: &Json) {
        let quietly = Edit::by("user:ana").silently();
        self.crm
            .crm
            .patch("account", id, &fields.to_string(), &quietly)
            .unwrap();
    }

    async fn party(&self, code: &str) -> i64 {
        let found = self
            .erp
            .call(
                "model.party.party.search",
                json!([[["code", "=", code]], 0, null, null, {}]),
            )
            .await;
        found[0].as_i64().unwrap_or_else(|| panic!("no party {code}"))
    }

    /// What belongs to a party, by the ERP itself.
    async fn of(&self, party: i64, model: &str, fields: &[&str]) -> Vec<Json> {
        let method = format!("model.party.{model}.search_read");
        let params = json!([[["party", "=", party]], 0, null, [["id", "ASC"]], fields, {}]);
        let mut found = self.erp.call(&method, params).await;
        let found = found.as_array_mut().unwrap();
        for one in found.iter_mut() {
            one.as_object_mut().unwrap().remove("id");
        }
        found.clone()
    }
}

#[tokio::test]
async fn what_belongs_to_a_real_party_and_the_flat_fields_of_an_account_are_kept_in_step() {
    let Some(scene) = Scene::start().await else { return };
    let mechanisms = async |party| scene.of(party, "contact_mechanism", &["type", "value"]).await;
    let addresses = async |party| scene.of(party, "address", &["street", "city"]).await;
    let party = scene.party("C00001").await;
    let email = json!([[{ "party": party, "type": "email", "value": "one@example.com" }], {}]);
    scene.erp.call("model.party.contact_mechanism.create", email).await;
    scene.place.reconcile_by("party-account", RunKind::Full).await;
    let (id, account) = scene.account("C00001");
    assert_eq!(
        (&account["Email"], &account["BillingCity"]),
        (&json!("one@example.com"), &json!("Springfield"))
    );
    // From the account to the records of the party: one changed, one new, one changed in part.
    scene.edit(
        &id,
        &json!({ "Email": "two@example.com", "Phone": "+55 11 98765-4321", "BillingCity": "Shelbyville" }),
    );
    let report = scene.reconcile().await;
    assert_eq!(report.counters.updated, 1);
    let held = mechanisms(party).await;
    assert_eq!(held.len(), 2, "{held:?}");
    assert_eq!(held[0], json!({ "type": "email", "value": "two@example.com" }));
    assert_eq!(held[1]["type"], "phone");
    assert_eq!(
        addresses(party).await,
        [json!({ "street": "1 Main Street", "city": "Shelbyville" })]
    );
    // A new account is a party with everything that belongs to it.
    let made = json!({ "Name": "Acme", "ExternalKey": "E00001", "Email": "acme@example.com", "BillingCity": "Recife", "Description": "Rua 1" });
    let quietly = Edit::by("user:ana").silently();
    scene.crm.crm.create("account", &made.to_string(), &quietly).unwrap();
    let report = scene.reconcile().await;
    assert_eq!((report.counters.created, report.counters.failed), (1, 0));
    let acme = scene.party("E00001").await;
    assert_eq!(
        mechanisms(acme).await,
        [json!({ "type": "email", "value": "acme@example.com" })]
    );
    assert_eq!(addresses(acme).await, [json!({ "street": "Rua 1", "city": "Recife" })]);
    // What is cleared is removed.
    scene.edit(&id, &json!({ "Email": null }));
    scene.reconcile().await;
    let left = mechanisms(party).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["type"], "phone");
    // A change in the ERP, and nothing more to do after it.
    let params =
        json!([[party], { "addresses": [["write", [scene.address(party).await], { "city": "Ogdenville" }]] }, {}]);
    scene.erp.call("model.party.party.write", params).await;
    scene.reconcile().await;
    assert_eq!(scene.account("C00001").1["BillingCity"], "Ogdenville");
    let last = scene.reconcile().await;
    assert_eq!(
        (last.counters.created, last.counters.updated, last.counters.deleted),
        (0, 0, 0)
    );
}

impl Scene {
    async fn address(&self, party: i64) -> i64 {
        let found = self
            .erp
            .call(
                "model.party.address.search",
                json!([[["party", "=", party]], 0, null, null, {}]),
            )
            .await;
        found[0].as_i64().unwrap()
    }
}
