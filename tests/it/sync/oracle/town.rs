//! Two small systems of chance, and what people do in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use syncline::core::status::Side;

use super::super::{World, quietly};
use crate::support::rig::Chance;

/// Records of a system by id.
pub type Records = BTreeMap<String, Json>;

/// Both systems, and what is known to have been agreed.
pub struct Town {
    pub world: World,
    pub chance: Chance,
    /// Pairs known to be the same thing.
    pub links: Vec<(String, String)>,
    /// What both sides held when they last agreed, by pair and field, in the oracle's own form.
    pub agreed: BTreeMap<(String, String, &'static str), String>,
    /// Records that an event tells of which nobody has worked on yet.
    pub pending: BTreeSet<(Side, String)>,
    /// Customers whose change came by an event and is refused by the CRM.
    pub refused: BTreeSet<String>,
    /// The next number that nobody has.
    next: u32,
}

/// An edit that is made while the systems are read.
#[derive(Debug, Clone)]
pub struct LateEdit {
    is_left: bool,
    id: String,
    partner: String,
    json: String,
}

impl LateEdit {
    pub fn ids(&self) -> [String; 2] {
        [self.id.clone(), self.partner.clone()]
    }

    pub fn make(&self, world: &World) {
        if self.is_left {
            world.edit_customer(&self.id, &self.json);
        } else {
            world.edit_account(&self.id, &self.json);
        }
    }
}

const CITIES: [&str; 4] = ["Recife", "São Paulo", "Belém", "Natal"];

fn tax_id(n: u32) -> String {
    format!("BR 10.000.{n:03}/0001-95")
}

fn customer(n: u32, chance: &mut Chance) -> Json {
    json!({
        "kind": "customer",
        "status": "active",
        "name": format!("Company {n}"),
        "tax_id": tax_id(n),
        "credit_limit": 100 + chance.below(900),
        "address": { "city": *chance.pick(&CITIES), "country": "BR" },
        "note": "as agreed",
    })
}

/// An account that stands for the same company, spelled another way.
fn account(n: u32) -> Json {
    json!({ "Name": format!("Company {n}"), "VatNumber": format!("BR10000{n:03}000195"), "Status": "Active" })
}

impl Town {
    /// Systems whose records were synced once.
    pub async fn found(mut chance: Chance) -> Self {
        let limits = (
            "limits: { delete: 1%, change: 25% }",
            "limits: { delete: 100%, change: 100% }",
        );
        let world = World::new(syncline::sandbox::seed::Plan::default(), &[limits]).await;
        let count = 5 + u32::try_from(chance.below(30)).unwrap();
        let mut town = Self {
            world,
            links: Vec::new(),
            agreed: BTreeMap::new(),
            pending: BTreeSet::new(),
            refused: BTreeSet::new(),
            next: count,
            chance: chance.clone(),
        };
        for n in 0..count {
            town.world.customer(&customer(n, &mut chance).to_string());
            if chance.percent(30) {
                town.world.account(&account(n).to_string());
            }
        }
        for _ in 0..chance.below(3) {
            let n = town.number();
            town.world.account(&account(n).to_string());
        }
        town.chance = chance;
        town.world.full().await;
        town.settle();
        town
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub fn customers(&self) -> Records {
        let all = self.world.systems.erp.all("customer").unwrap();
        all.into_iter()
            .map(|one| (one.id, serde_json::from_str(&one.json).unwrap()))
            .collect()
    }

    pub fn accounts(&self) -> Records {
        let all = self.world.systems.crm.all("account").unwrap();
        all.into_iter()
            .map(|one| (one.id, serde_json::from_str(&one.json).unwrap()))
            .collect()
    }

    /// What is the same thing from now on, and what both sides agree on: after a sync that did all that it may.
    pub fn settle(&mut self) {
        let (customers, accounts) = (self.customers(), self.accounts());
        self.links
            .retain(|(left, right)| customers.contains_key(left) || accounts.contains_key(right));
        for (left, right) in super::expect::matches(&customers, &accounts, &self.links) {
            self.links.push((left, right));
        }
        for (left, right) in &self.links {
            let (Some(customer), Some(account)) = (customers.get(left), accounts.get(right)) else {
                continue;
            };
            for (field, one, other) in super::expect::cells(customer, account) {
                if one == other {
                    self.agreed.insert((left.clone(), right.clone(), field), one);
                }
            }
        }
    }

    /// Quiet edits of every kind on both sides, and a few that events tell of: some were refused, some are not worked on yet.
    pub async fn plant(&mut self) {
        self.merge_aloud().await;
        let links = self.links.clone();
        for (left, _) in &links {
            if self.chance.percent(5) {
                self.world.edit_customer(left, r#"{"tax_id":"12"}"#);
                self.world.event(Side::Left, left).await;
                self.refused.insert(left.clone());
            }
        }
        self.world.drain().await;
        for (left, right) in &links {
            if self.chance.percent(60) || self.refused.contains(left) {
                continue;
            }
            self.disturb(left, right);
        }
        for (left, right) in &links {
            if self.chance.percent(80) || self.refused.contains(left) {
                continue;
            }
            let (side, id) = if self.chance.percent(50) {
                (Side::Left, left)
            } else {
                (Side::Right, right)
            };
            self.world.event(side, id).await;
            self.pending.insert((side, id.clone()));
        }
        for _ in 0..self.chance.below(4) {
            self.add();
        }
    }

    /// A few accounts live on as others, and events tell of it: their customers follow.
    async fn merge_aloud(&mut self) {
        for at in 0..self.links.len() {
            let (left, right) = self.links[at].clone();
            if self.chance.percent(94) {
                continue;
            }
            let twin = self.twin(&right);
            self.world.systems.crm.merge(&right, &twin, &quietly()).unwrap();
            self.world.merged(&right, &twin).await;
            self.links[at] = (left.clone(), twin.clone());
            let agreed = std::mem::take(&mut self.agreed).into_iter();
            let moved = |((l, r, field), value)| {
                let right = if r == right { twin.clone() } else { r };
                ((l, right, field), value)
            };
            self.agreed = agreed.map(moved).collect();
        }
        self.world.drain().await;
    }

    /// Another account that says the same of itself.
    fn twin(&self, right: &str) -> String {
        let mut twin = self.world.account_now(right);
        let of_system = ["Id", "CreatedAt", "ModifiedAt", "Version", "ExternalKey"];
        if let Some(fields) = twin.as_object_mut() {
            fields.retain(|name, value| !of_system.contains(&name.as_str()) && !value.is_null());
        }
        self.world.account(&twin.to_string())
    }

    /// Something happens to a linked pair.
    fn disturb(&mut self, left: &str, right: &str) {
        let word = format!("w{}", self.chance.below(1_000));
        let world = &self.world;
        match self.chance.below(19) {
            0 => world.edit_customer(left, &json!({ "name": word }).to_string()),
            1 => world.edit_account(right, &json!({ "Name": word }).to_string()),
            2 => {
                world.edit_customer(left, &json!({ "name": word }).to_string());
                world.edit_account(right, &json!({ "BillingCity": word }).to_string());
            }
            3 => {
                world.edit_customer(left, &json!({ "note": word }).to_string());
                world.edit_account(right, &json!({ "Description": format!("{word} not") }).to_string());
            }
            4 => {
                world.edit_customer(left, &json!({ "name": word }).to_string());
                world.edit_account(right, &json!({ "Name": word }).to_string());
            }
            5 => world.edit_account(
                right,
                &json!({ "VatNumber": respelled(&self.world.account_now(right)) }).to_string(),
            ),
            6 => world.edit_account(right, &json!({ "CreditLimit": "7.25" }).to_string()),
            7 => world.edit_account(right, &json!({ "VatNumber": format!("BR9900000{word}") }).to_string()),
            8 => world.systems.erp.delete("customer", left, &quietly()).unwrap(),
            9 => world.systems.crm.delete("account", right, &quietly()).unwrap(),
            10 => {
                world.systems.erp.delete("customer", left, &quietly()).unwrap();
                world.systems.crm.delete("account", right, &quietly()).unwrap();
            }
            11 => world.edit_customer(left, r#"{"kind":"supplier"}"#),
            12 => world.edit_customer(left, r#"{"status":"blocked"}"#),
            13 => world.edit_account(right, r#"{"Status":"Inactive"}"#),
            14 => world.edit_customer(left, r#"{"address":{"city":null,"country":"BR"}}"#),
            15 => {
                let account = world.account_now(right);
                world.systems.crm.delete("account", right, &quietly()).unwrap();
                let again = json!({ "Name": account["Name"], "VatNumber": account["VatNumber"], "Status": "Active" });
                world.account(&again.to_string());
            }
            16 => {
                let twin = self.twin(right);
                world.systems.crm.merge(right, &twin, &quietly()).unwrap();
            }
            17 => {
                let accounts = self.accounts();
                let mut others = self
                    .links
                    .iter()
                    .filter(|(_, other)| other != right && accounts.contains_key(other));
                if let Some((_, other)) = others.next_back().cloned()
                    && accounts.contains_key(right)
                {
                    world.systems.crm.merge(right, &other, &quietly()).unwrap();
                }
            }
            _ => {
                let account = world.account_now(right);
                let twin = json!({ "Name": "Twin", "VatNumber": account["VatNumber"], "Status": "Active" });
                world.account(&twin.to_string());
            }
        }
    }

    /// Records that nobody has linked.
    fn add(&mut self) {
        let n = self.number();
        let record = customer(n, &mut self.chance).to_string();
        match self.chance.below(4) {
            0 => drop(self.world.customer(&record)),
            1 => drop(self.world.account(&account(n).to_string())),
            2 => {
                self.world.customer(&record);
                self.world.account(&account(n).to_string());
            }
            _ => {
                self.world.customer(&record);
                self.world.account(&account(n).to_string());
                self.world.account(&account(n).to_string());
            }
        }
    }

    /// A few edits for later, each to a pair that is whole.
    pub fn edits_to_come(&mut self) -> Vec<LateEdit> {
        let (customers, accounts) = (self.customers(), self.accounts());
        let whole: Vec<_> = self
            .links
            .iter()
            .filter(|(left, right)| customers.contains_key(left) && accounts.contains_key(right))
            .cloned()
            .collect();
        let count = self.chance.below(4).min(whole.len() as u64);
        (0..count)
            .map(|_| {
                let (left, right) = self.chance.pick(&whole).clone();
                let word = format!("late {}", self.chance.below(1_000));
                if self.chance.percent(50) {
                    LateEdit {
                        is_left: true,
                        id: left,
                        partner: right,
                        json: json!({ "name": word }).to_string(),
                    }
                } else {
                    LateEdit {
                        is_left: false,
                        id: right,
                        partner: left,
                        json: json!({ "Name": word }).to_string(),
                    }
                }
            })
            .collect()
    }
}

/// The same tax id in other signs.
fn respelled(account: &Json) -> String {
    let text = account["VatNumber"].as_str().unwrap_or_default();
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_lowercase()
}
