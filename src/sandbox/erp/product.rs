//! What is sold.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{Books, Money, kept_in, write_timestamp};
use crate::sandbox::fields::Field;
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, caseless};

/// An article, as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Product {
    pub(super) id: u64,
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) price: Money,
    pub(super) currency: String,
    pub(super) active: bool,
    #[serde(serialize_with = "write_timestamp")]
    pub(super) created: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    pub(super) updated: DateTime<Utc>,
}

impl Entity for Product {
    kept_in!(products);
    const OBJECT: &'static str = "product";
    const PATH: &'static str = "products";
    const FILTERS: &'static [&'static str] = &["sku"];

    fn blank(_books: &Books, id: u64, at: DateTime<Utc>) -> Self {
        Self {
            id,
            sku: String::new(),
            name: String::new(),
            price: Money(Decimal::new(0, 2)),
            currency: "EUR".to_owned(),
            active: true,
            created: at,
            updated: at,
        }
    }

    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "id" | "created" | "updated" => {}
            "sku" => self.sku = field.required_text(40)?,
            "name" => self.name = field.required_text(200)?,
            "price" => self.price = field.money()?.map(Money).ok_or_else(|| field.required())?,
            "currency" => self.currency = field.required_text(3)?,
            "active" => self.active = field.flag()?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, books: &Books) -> Result<(), Refusal> {
        for (field, value) in [("sku", &self.sku), ("name", &self.name)] {
            if value.is_empty() {
                return Err(Refusal::field(
                    Reason::Required,
                    field,
                    format!("{field} may not be empty"),
                ));
            }
        }
        let same = Self::table(books).find("sku", &caseless(&self.sku));
        if same.iter().any(|number| *number != self.id) {
            let message = format!("another product has the sku {}", self.sku);
            return Err(Refusal::field(Reason::Duplicate, "sku", message));
        }
        Ok(())
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![("sku", caseless(&self.sku))]
    }

    fn normal(_filter: &str, value: &str) -> String {
        caseless(value)
    }
}
