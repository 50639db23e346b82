//! The oracle: what a report has to say, by the rules of `docs/drift-reports.md` written down a second time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value as Json;
use syncline::core::status::{Cause, Side, Situation};

use super::town::{Records, Town};

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub situation: Situation,
    pub cause: Cause,
    pub field: Option<String>,
    pub left: Option<String>,
    pub right: Option<String>,
}

impl Found {
    pub fn is_about(&self, ids: &BTreeSet<String>) -> bool {
        [&self.left, &self.right]
            .into_iter()
            .flatten()
            .any(|id| ids.contains(id))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        write!(
            f,
            "{} {} {} {} ↔ {}",
            self.situation,
            self.cause,
            shown(&self.field),
            shown(&self.left),
            shown(&self.right)
        )
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn alphanumeric(value: &Json) -> String {
    let text = text(value);
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .collect::<String>()
        .to_lowercase()
}

/// Money to the hundredth, as a whole number of them.
fn money(value: &Json) -> String {
    let text = text(value);
    if text.is_empty() {
        return text;
    }
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{part:0<2}")
}

fn status(value: &Json) -> String {
    let text = text(value);
    let known = [("active", "Active"), ("blocked", "Inactive"), ("prospect", "Lead")];
    let found = known.iter().find(|(erp, _)| *erp == text);
    found.map_or(text.clone(), |(_, crm)| (*crm).to_owned())
}

fn owner(customer: &Json) -> String {
    match &customer["salesperson_id"] {
        Json::Null => String::new(),
        id => format!("USR-00{id}"),
    }
}

/// Every field of a pair in one form: its name, and what each side holds. An empty text stands for nothing at all.
pub fn cells(customer: &Json, account: &Json) -> Vec<(&'static str, String, String)> {
    vec![
        ("name", text(&customer["name"]), text(&account["Name"])),
        (
            "tax_id",
            alphanumeric(&customer["tax_id"]),
            alphanumeric(&account["VatNumber"]),
        ),
        (
            "email",
            text(&customer["email"]).to_lowercase(),
            text(&account["Email"]).to_lowercase(),
        ),
        (
            "phone",
            alphanumeric(&customer["phone"]),
            alphanumeric(&account["Phone"]),
        ),
        ("status", status(&customer["status"]), text(&account["Status"])),
        (
            "credit_limit",
            money(&customer["credit_limit"]),
            money(&account["CreditLimit"]),
        ),
        (
            "address.city",
            text(&customer["address"]["city"]),
            text(&account["BillingCity"]),
        ),
        (
            "address.country",
            text(&customer["address"]["country"]),
            text(&account["BillingCountry"]),
        ),
        (
            "customer_since",
            text(&customer["customer_since"]),
            text(&account["CustomerSince"]),
        ),
        ("note", text(&customer["note"]), text(&account["Description"])),
        ("OwnerId", owner(customer), text(&account["OwnerId"])),
    ]
}

/// Fields that only the ERP may change.
const OF_ERP: [&str; 3] = ["tax_id", "credit_limit", "OwnerId"];

fn is_customer(customer: &Json) -> bool {
    customer["kind"] == "customer"
}

/// What is known of a linked pair beside its records.
struct Told {
    /// Its customer's change was refused.
    is_refused: bool,
    /// An event about its customer, or its account, waits.
    is_pending: (bool, bool),
}

/// Why a field of a linked pair differs.
fn cause(field: &str, (left, right): (&str, &str), agreed: Option<&String>, told: &Told) -> Cause {
    let Some(agreed) = agreed else {
        return if told.is_refused {
            Cause::EventFailed
        } else {
            Cause::Unknown
        };
    };
    match (left != agreed, right != agreed) {
        (true, true) => Cause::Conflict,
        (false, true) if OF_ERP.contains(&field) => Cause::EditedOnWrongSide,
        _ if told.is_refused => Cause::EventFailed,
        (true, false) if told.is_pending.0 => Cause::Pending,
        (false, true) if told.is_pending.1 => Cause::Pending,
        _ => Cause::EventMissed,
    }
}

/// Unlinked customers, and unlinked accounts, by tax id.
fn groups<'a>(records: &'a Records, key: &str) -> BTreeMap<String, Vec<&'a String>> {
    let mut groups: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for (id, record) in records {
        let key = alphanumeric(&record[key]);
        if !key.is_empty() {
            groups.entry(key).or_default().push(id);
        }
    }
    groups
}

/// Unlinked pairs that are the same thing for certain.
pub fn matches(customers: &Records, accounts: &Records, links: &[(String, String)]) -> Vec<(String, String)> {
    let (by_left, by_right) = (groups(customers, "tax_id"), groups(accounts, "VatNumber"));
    let mut found = Vec::new();
    for (key, lefts) in &by_left {
        let rights = by_right.get(key).map_or(&[][..], Vec::as_slice);
        if let ([left], [right]) = (lefts.as_slice(), rights)
            && is_customer(&customers[*left])
            && links.iter().all(|(l, r)| l != *left && r != *right)
        {
            found.push(((*left).clone(), (*right).clone()));
        }
    }
    found
}

/// What a report has to say now.
pub fn expected(town: &Town) -> BTreeSet<Found> {
    let (customers, accounts) = (town.customers(), town.accounts());
    let mut found = BTreeSet::new();
    for (left, right) in &town.links {
        linked(town, left, right, customers.get(left), accounts.get(right), &mut found);
    }
    unlinked(town, &customers, &accounts, &mut found);
    found
}

fn linked(
    town: &Town,
    left: &str,
    right: &str,
    customer: Option<&Json>,
    account: Option<&Json>,
    found: &mut BTreeSet<Found>,
) {
    let whole = |situation, cause| Found {
        situation,
        cause,
        field: None,
        left: Some(left.to_owned()),
        right: Some(right.to_owned()),
    };
    let (Some(customer), Some(account)) = (customer, account) else {
        let is_gone = customer.is_none() && account.is_none();
        let situation = if is_gone { Situation::Gone } else { Situation::Missing };
        found.insert(whole(situation, Cause::Deleted));
        return;
    };
    if !is_customer(customer) {
        found.insert(whole(Situation::Filtered, Cause::Filtered));
        return;
    }
    let told = Told {
        is_refused: town.refused.contains(left),
        is_pending: (
            town.pending.contains(&(Side::Left, left.to_owned())),
            town.pending.contains(&(Side::Right, right.to_owned())),
        ),
    };
    for (field, one, other) in cells(customer, account) {
        if one != other {
            let agreed = town.agreed.get(&(left.to_owned(), right.to_owned(), field));
            found.insert(Found {
                field: Some(field.to_owned()),
                ..whole(Situation::Differs, cause(field, (&one, &other), agreed, &told))
            });
        }
    }
}

fn unlinked(town: &Town, customers: &Records, accounts: &Records, found: &mut BTreeSet<Found>) {
    let (by_left, by_right) = (groups(customers, "tax_id"), groups(accounts, "VatNumber"));
    let is_linked_left = |id: &String| town.links.iter().any(|(left, _)| left == id);
    let is_linked_right = |id: &String| town.links.iter().any(|(_, right)| right == id);
    let line = |situation, left: Option<&String>, right: Option<&String>| Found {
        situation,
        cause: Cause::NeverLinked,
        field: None,
        left: left.cloned(),
        right: right.cloned(),
    };
    for (id, customer) in customers
        .iter()
        .filter(|(id, one)| !is_linked_left(id) && is_customer(one))
    {
        let rights = by_right
            .get(&alphanumeric(&customer["tax_id"]))
            .map_or(&[][..], Vec::as_slice);
        found.insert(match rights {
            [] => line(Situation::Absent, Some(id), None),
            [one] if is_linked_right(one) => line(Situation::AlreadyLinked, Some(id), None),
            [one] => line(Situation::UnlinkedMatch, Some(id), Some(one)),
            _ => line(Situation::Ambiguous, Some(id), None),
        });
    }
    for (id, account) in accounts.iter().filter(|(id, _)| !is_linked_right(id)) {
        let key = alphanumeric(&account["VatNumber"]);
        let lefts: Vec<_> = by_left
            .get(&key)
            .into_iter()
            .flatten()
            .copied()
            .filter(|left| is_customer(&customers[*left]))
            .collect();
        let siblings = by_right.get(&key).map_or(1, Vec::len);
        match lefts.as_slice() {
            [] => drop(found.insert(line(Situation::Absent, None, Some(id)))),
            [one] if is_linked_left(one) => drop(found.insert(line(Situation::AlreadyLinked, None, Some(id)))),
            [_] if siblings > 1 => drop(found.insert(line(Situation::Ambiguous, None, Some(id)))),
            // Told of with its partner.
            [_] => {}
            _ => drop(found.insert(line(Situation::Ambiguous, None, Some(id)))),
        }
    }
}
