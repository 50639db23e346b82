//! Customers and suppliers.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::contact::Contact;
use super::order::Order;
use super::{Books, Money, Nordwind, kept_in, write_timestamp};
use crate::sandbox::fields::{Field, Fields, choice};
use crate::sandbox::office::{Edit, Office};
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, alphanumeric, caseless};

choice! {
    /// Whether we sell to them or buy from them.
    Kind { Customer => "customer", Supplier => "supplier" }
}

choice! {
    /// How far business with them goes.
    Status { Active => "active", Blocked => "blocked", Prospect => "prospect" }
}

/// A business partner, as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Customer {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) status: Status,
    pub(super) name: String,
    pub(super) tax_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) credit_limit: Option<Money>,
    pub(super) currency: String,
    pub(super) address: Address,
    pub(super) salesperson_id: Option<u64>,
    pub(super) payment_days: Option<u64>,
    #[serde(rename = "customer_since")]
    pub(super) since: Option<NaiveDate>,
    pub(super) note: Option<String>,
    #[serde(serialize_with = "write_timestamp")]
    pub(super) created: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    pub(super) updated: DateTime<Utc>,
}

/// Where they are.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Address {
    pub(super) street: Option<String>,
    pub(super) city: Option<String>,
    pub(super) postcode: Option<String>,
    pub(super) country: Option<String>,
}

impl Address {
    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "street" => self.street = field.text(200)?,
            "city" => self.city = field.text(100)?,
            "postcode" => self.postcode = field.text(20)?,
            "country" => self.country = field.text(2)?,
            _ => return Err(field.unknown("address")),
        }
        Ok(())
    }
}

impl Entity for Customer {
    kept_in!(customers);
    const OBJECT: &'static str = "customer";
    const PATH: &'static str = "customers";
    const FILTERS: &'static [&'static str] = &["tax_id", "email"];

    fn blank(_books: &Books, id: u64, at: DateTime<Utc>) -> Self {
        Self {
            id,
            kind: Kind::Customer,
            status: Status::Active,
            name: String::new(),
            tax_id: None,
            email: None,
            phone: None,
            credit_limit: None,
            currency: "EUR".to_owned(),
            address: Address::default(),
            salesperson_id: None,
            payment_days: None,
            since: None,
            note: None,
            created: at,
            updated: at,
        }
    }

    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "id" | "created" | "updated" => {}
            "kind" => self.kind = field.choice()?,
            "status" => self.status = field.choice()?,
            "name" => self.name = field.required_text(200)?,
            "tax_id" => self.tax_id = field.text(40)?,
            "email" => self.email = field.text(200)?,
            "phone" => self.phone = field.text(40)?,
            "credit_limit" => self.credit_limit = field.money()?.map(Money),
            "currency" => self.currency = field.required_text(3)?,
            "address" if field.is_null() => self.address = Address::default(),
            "address" => Fields::of(field.raw())?
                .iter()
                .try_for_each(|part| self.address.set(&part))?,
            "salesperson_id" => self.salesperson_id = field.number()?,
            "payment_days" => self.payment_days = field.number()?,
            "customer_since" => self.since = field.date()?,
            "note" => self.note = field.text(4000)?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, _books: &Books) -> Result<(), Refusal> {
        if self.name.is_empty() {
            return Err(Refusal::field(Reason::Required, "name", "name may not be empty"));
        }
        Ok(())
    }

    fn release(_office: &Office<Nordwind>, books: &mut Books, number: u64, _edit: &Edit) -> Result<(), Refusal> {
        let key = number.to_string();
        let contacts = Contact::table(books).find("customer_id", &key).len();
        let orders = Order::table(books).find("customer_id", &key).len();
        if contacts + orders == 0 {
            return Ok(());
        }
        let message = format!("customer {number} has {contacts} contacts and {orders} orders");
        Err(Refusal::new(Reason::InUse, message))
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        let tax_id = self.tax_id.iter().map(|tax_id| ("tax_id", alphanumeric(tax_id)));
        let email = self.email.iter().map(|email| ("email", caseless(email)));
        tax_id.chain(email).collect()
    }

    fn normal(filter: &str, value: &str) -> String {
        if filter == "tax_id" {
            alphanumeric(value)
        } else {
            caseless(value)
        }
    }
}
