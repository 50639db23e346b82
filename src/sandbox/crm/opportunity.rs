//! Business that may come.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::account::Account;
use super::{Books, Money, Versioned, account_number, check_account, check_external_key, kept_in, write_timestamp};
use crate::sandbox::fields::{Field, choice};
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::Entity;

choice! {
    /// How it stands.
    Stage { Open => "Open", Won => "Won", Lost => "Lost" }
}

/// An opportunity.
#[derive(Clone, Debug)]
pub(crate) struct Opportunity {
    pub(super) number: u64,
    pub(super) account: Option<u64>,
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) amount: Option<Money>,
    pub(super) currency: Option<String>,
    pub(super) close_date: Option<NaiveDate>,
    pub(super) external_key: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) modified_at: DateTime<Utc>,
    pub(super) version: u64,
}

/// An opportunity as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shown<'a> {
    id: String,
    account_id: Option<String>,
    name: &'a str,
    stage: Stage,
    amount: Option<Money>,
    currency: Option<&'a str>,
    close_date: Option<NaiveDate>,
    external_key: Option<&'a str>,
    #[serde(serialize_with = "write_timestamp")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    modified_at: DateTime<Utc>,
    version: u64,
}

impl Opportunity {
    fn shown(&self) -> Shown<'_> {
        Shown {
            id: Self::id(self.number),
            account_id: self.account.map(Account::id),
            name: &self.name,
            stage: self.stage,
            amount: self.amount,
            currency: self.currency.as_deref(),
            close_date: self.close_date,
            external_key: self.external_key.as_deref(),
            created_at: self.created_at,
            modified_at: self.modified_at,
            version: self.version,
        }
    }
}

impl Versioned for Opportunity {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for Opportunity {
    kept_in!(opportunities, "OPP");
    const OBJECT: &'static str = "opportunity";
    const PATH: &'static str = "opportunities";
    const FILTERS: &'static [&'static str] = &["AccountId", "ExternalKey"];

    fn blank(_books: &Books, number: u64, at: DateTime<Utc>) -> Self {
        Self {
            number,
            account: None,
            name: String::new(),
            stage: Stage::Open,
            amount: None,
            currency: None,
            close_date: None,
            external_key: None,
            created_at: at,
            modified_at: at,
            version: 1,
        }
    }

    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "Id" | "CreatedAt" | "ModifiedAt" | "Version" => {}
            "AccountId" => self.account = account_number(field)?,
            "Name" => self.name = field.required_text(120)?,
            "Stage" => self.stage = field.choice()?,
            "Amount" => self.amount = field.money_text()?.map(Money),
            "Currency" => self.currency = field.text(3)?,
            "CloseDate" => self.close_date = field.date()?,
            "ExternalKey" => self.external_key = field.text(100)?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, books: &Books) -> Result<(), Refusal> {
        if self.name.is_empty() {
            return Err(Refusal::field(Reason::Required, "Name", "Name may not be empty"));
        }
        check_account(books, self.account)?;
        check_external_key::<Self>(books, self.number, self.external_key.as_deref())
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        let account = self.account.iter().map(|account| ("AccountId", Account::id(*account)));
        let key = self.external_key.iter().map(|key| ("ExternalKey", key.clone()));
        account.chain(key).collect()
    }

    fn normal(_filter: &str, value: &str) -> String {
        value.to_owned()
    }
}
