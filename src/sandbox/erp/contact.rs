//! People at a customer.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::customer::Customer;
use super::{Books, kept_in, unknown_reference, write_timestamp};
use crate::sandbox::fields::Field;
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, caseless};

/// A person, as the API shows them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Contact {
    pub(super) id: u64,
    pub(super) customer_id: u64,
    pub(super) first_name: Option<String>,
    pub(super) last_name: String,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) role: Option<String>,
    pub(super) birth_date: Option<NaiveDate>,
    #[serde(serialize_with = "write_timestamp")]
    pub(super) created: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    pub(super) updated: DateTime<Utc>,
}

impl Entity for Contact {
    kept_in!(contacts);
    const OBJECT: &'static str = "contact";
    const PATH: &'static str = "contacts";
    const FILTERS: &'static [&'static str] = &["email", "customer_id"];

    fn blank(_books: &Books, id: u64, at: DateTime<Utc>) -> Self {
        Self {
            id,
            customer_id: 0,
            first_name: None,
            last_name: String::new(),
            email: None,
            phone: None,
            role: None,
            birth_date: None,
            created: at,
            updated: at,
        }
    }

    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "id" | "created" | "updated" => {}
            "customer_id" => self.customer_id = field.number()?.ok_or_else(|| field.required())?,
            "first_name" => self.first_name = field.text(100)?,
            "last_name" => self.last_name = field.required_text(100)?,
            "email" => self.email = field.text(200)?,
            "phone" => self.phone = field.text(40)?,
            "role" => self.role = field.text(100)?,
            "birth_date" => self.birth_date = field.date()?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, books: &Books) -> Result<(), Refusal> {
        if self.last_name.is_empty() {
            return Err(Refusal::field(
                Reason::Required,
                "last_name",
                "last_name may not be empty",
            ));
        }
        if Customer::table(books).get(self.customer_id).is_none() {
            return Err(unknown_reference("customer_id", Customer::OBJECT, self.customer_id));
        }
        Ok(())
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        let customer = std::iter::once(("customer_id", self.customer_id.to_string()));
        let email = self.email.iter().map(|email| ("email", caseless(email)));
        customer.chain(email).collect()
    }

    fn normal(_filter: &str, value: &str) -> String {
        caseless(value)
    }
}
