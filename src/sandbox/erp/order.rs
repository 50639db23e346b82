//! Orders of customers, with lines and a total.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::customer::Customer;
use super::product::Product;
use super::{Books, Money, kept_in, unknown_reference, write_timestamp};
use crate::sandbox::fields::{Field, Fields, choice};
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, caseless};

/// How many lines an order has at most.
const LINES_MAX: usize = 500;

choice! {
    /// How far an order has come.
    Status { Open => "open", Shipped => "shipped", Cancelled => "cancelled" }
}

/// An order, as the API shows it but for the total, which follows from the lines.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(super) id: u64,
    pub(super) customer_id: u64,
    pub(super) status: Status,
    pub(super) ordered_on: Option<NaiveDate>,
    pub(super) currency: String,
    pub(super) lines: Vec<Line>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

/// So many of a product at this price each.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) product_id: u64,
    pub(super) quantity: u64,
    pub(super) price: Money,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: u64,
    number: String,
    customer_id: u64,
    status: Status,
    ordered_on: Option<NaiveDate>,
    currency: &'a str,
    lines: &'a [Line],
    total: Money,
    #[serde(serialize_with = "write_timestamp")]
    created: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    updated: DateTime<Utc>,
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = Shown {
            id: self.id,
            number: order_number(self.id),
            customer_id: self.customer_id,
            status: self.status,
            ordered_on: self.ordered_on,
            currency: &self.currency,
            lines: &self.lines,
            total: self.total().unwrap_or_default(),
            created: self.created,
            updated: self.updated,
        };
        shown.serialize(serializer)
    }
}

fn order_number(id: u64) -> String {
    format!("SO-{id:06}")
}

impl Order {
    /// The sum of the lines; none when it is too large to be money.
    fn total(&self) -> Option<Money> {
        let start = Decimal::new(0, 2);
        let total = self.lines.iter().try_fold(start, |total, line| {
            let amount = line.price.0.checked_mul(Decimal::from(line.quantity))?;
            total.checked_add(amount)
        });
        total.map(Money)
    }
}

fn lines(field: &Field<'_>) -> Result<Vec<Line>, Refusal> {
    let wrong = |message: &str| Refusal::field(Reason::Invalid, field.name, message);
    let items: Vec<&RawValue> = serde_json::from_str(field.raw().get()).map_err(|_| wrong("lines is a list"))?;
    if items.len() > LINES_MAX {
        return Err(wrong("too many lines"));
    }
    items.into_iter().map(line).collect()
}

fn line(raw: &RawValue) -> Result<Line, Refusal> {
    let fields = Fields::of(raw)?;
    let number = |name| {
        fields
            .get(name)
            .map(|field| field.number())
            .transpose()
            .map(Option::flatten)
    };
    let required = |name| Refusal::field(Reason::Required, name, format!("a line needs {name}"));
    let price = fields.get("price").map(|field| field.money()).transpose()?.flatten();
    Ok(Line {
        product_id: number("product_id")?.ok_or_else(|| required("product_id"))?,
        quantity: number("quantity")?.ok_or_else(|| required("quantity"))?,
        price: price.map(Money).ok_or_else(|| required("price"))?,
    })
}

impl Entity for Order {
    kept_in!(orders);
    const OBJECT: &'static str = "order";
    const PATH: &'static str = "orders";
    const FILTERS: &'static [&'static str] = &["customer_id", "number"];

    fn blank(_books: &Books, id: u64, at: DateTime<Utc>) -> Self {
        Self {
            id,
            customer_id: 0,
            status: Status::Open,
            ordered_on: Some(at.date_naive()),
            currency: "EUR".to_owned(),
            lines: Vec::new(),
            created: at,
            updated: at,
        }
    }

    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "id" | "number" | "total" | "created" | "updated" => {}
            "customer_id" => self.customer_id = field.number()?.ok_or_else(|| field.required())?,
            "status" => self.status = field.choice()?,
            "ordered_on" => self.ordered_on = field.date()?,
            "currency" => self.currency = field.required_text(3)?,
            "lines" => self.lines = lines(field)?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, books: &Books) -> Result<(), Refusal> {
        if Customer::table(books).get(self.customer_id).is_none() {
            return Err(unknown_reference("customer_id", Customer::OBJECT, self.customer_id));
        }
        let unknown = self
            .lines
            .iter()
            .find(|line| Product::table(books).get(line.product_id).is_none());
        if let Some(line) = unknown {
            return Err(unknown_reference("lines", Product::OBJECT, line.product_id));
        }
        if self.total().is_none() {
            return Err(Refusal::field(Reason::Invalid, "lines", "the total is too large"));
        }
        Ok(())
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![
            ("customer_id", self.customer_id.to_string()),
            ("number", caseless(&order_number(self.id))),
        ]
    }

    fn normal(_filter: &str, value: &str) -> String {
        caseless(value)
    }
}
