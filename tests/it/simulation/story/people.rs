//! What people do on both sides.

use serde_json::json;
use syncline::sandbox::{Edit, Snapshot};

use super::{PERSON, Story};

impl Story {
    pub(super) fn make_company(&mut self, may_be_known: bool) {
        self.companies += 1;
        let number = self.companies;
        let sim = self.sim.clone();
        let _the_systems_know_the_time = sim.time();
        if !may_be_known || sim.percent(80) {
            let value = self.value();
            // Some have a tax id that the CRM refuses.
            let tax_id = if sim.percent(5) {
                format!("?{number}")
            } else {
                tax_id(number)
            };
            let customer = json!({
                "kind": if sim.percent(95) { "customer" } else { "supplier" },
                "name": format!("Company {number} {value}"), "tax_id": tax_id, "phone": format!("+49 {number}"),
            });
            sim.note(&format!("person creates customer {customer}"));
            sim.erp()
                .create("customer", &customer.to_string(), &Edit::by(PERSON))
                .unwrap();
        }
        if may_be_known && sim.percent(70) {
            self.make_account(number);
        }
    }

    fn make_account(&mut self, number: u64) {
        let value = self.value();
        let account = json!({
            "Name": format!("Account {number} {value}"), "VatNumber": tax_id(number), "Phone": format!("+49 {number}"),
            "Description": format!("from the CRM {value}"),
        });
        self.sim.note(&format!("person creates account {account}"));
        let made = self
            .sim
            .crm()
            .create("account", &account.to_string(), &Edit::by(PERSON));
        made.unwrap();
    }

    /// Something that was not there before.
    fn value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    pub(super) fn edit(&mut self) {
        self.edits += 1;
        let sim = self.sim.clone();
        let _the_systems_know_the_time = sim.time();
        let customers = sim.erp().all("customer").unwrap();
        let accounts = sim.crm().all("account").unwrap();
        match sim.below(100) {
            0..12 => self.make_company(false),
            12..18 => {
                self.companies += 1;
                self.make_account(self.companies);
            }
            18..24 => {
                if let Some(id) = self.one_of(&customers) {
                    sim.note(&format!("person deletes customer {id}"));
                    let _gone_already = sim.erp().delete("customer", &id, &Edit::by(PERSON));
                }
            }
            24..30 => {
                if let Some(id) = self.one_of(&accounts) {
                    sim.note(&format!("person deletes account {id}"));
                    let _gone_already = sim.crm().delete("account", &id, &Edit::by(PERSON));
                }
            }
            30..68 => {
                let Some(id) = self.one_of(&customers) else { return };
                let patch = self.patch(["name", "note", "city", "credit_limit"]);
                sim.note(&format!("person patches customer {id} {patch}"));
                sim.erp().patch("customer", &id, &patch, &Edit::by(PERSON)).unwrap();
            }
            _ => {
                let Some(id) = self.one_of(&accounts) else { return };
                let patch = self.patch(["Name", "Description", "BillingCity", "CreditLimit"]);
                sim.note(&format!("person patches account {id} {patch}"));
                sim.crm().patch("account", &id, &patch, &Edit::by(PERSON)).unwrap();
            }
        }
    }

    fn one_of(&self, all: &[Snapshot]) -> Option<String> {
        let at = usize::try_from(self.sim.below(all.len() as u64)).unwrap();
        all.get(at).map(|snapshot| snapshot.id.clone())
    }

    fn patch(&mut self, names: [&str; 4]) -> String {
        let value = self.value();
        let patch = match self.sim.below(8) {
            0..4 => json!({ names[0]: format!("Name {value}") }),
            4 => json!({ names[1]: format!("Note {value}") }),
            5 if names[2] == "city" => json!({ "address": { "city": format!("City {value}") } }),
            5 => json!({ names[2]: format!("City {value}") }),
            6 if names[2] == "city" => json!({ names[3]: value }),
            6 => json!({ names[3]: format!("{value}.00") }),
            _ => json!({ names[0]: format!("Name {value}"), names[1]: null }),
        };
        patch.to_string()
    }
}

/// A tax id that both systems take.
fn tax_id(number: u64) -> String {
    format!("DE{number:09}")
}
