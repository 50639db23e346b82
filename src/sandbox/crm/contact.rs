//! People, most of them at an account.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::account::Account;
use super::{Books, Versioned, account_number, check_account, check_external_key, email, kept_in, write_timestamp};
use crate::sandbox::fields::Field;
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, caseless};

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(super) number: u64,
    pub(super) account: Option<u64>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: String,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) title: Option<String>,
    pub(super) birth_date: Option<NaiveDate>,
    pub(super) external_key: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) modified_at: DateTime<Utc>,
    pub(super) version: u64,
}

/// A contact as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shown<'a> {
    id: String,
    account_id: Option<String>,
    first_name: Option<&'a str>,
    last_name: &'a str,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    title: Option<&'a str>,
    birth_date: Option<NaiveDate>,
    external_key: Option<&'a str>,
    #[serde(serialize_with = "write_timestamp")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    modified_at: DateTime<Utc>,
    version: u64,
}

impl Contact {
    fn shown(&self) -> Shown<'_> {
        Shown {
            id: Self::id(self.number),
            account_id: self.account.map(Account::id),
            first_name: self.first_name.as_deref(),
            last_name: &self.last_name,
            email: self.email.as_deref(),
            phone: self.phone.as_deref(),
            title: self.title.as_deref(),
            birth_date: self.birth_date,
            external_key: self.external_key.as_deref(),
            created_at: self.created_at,
            modified_at: self.modified_at,
            version: self.version,
        }
    }
}

impl Versioned for Contact {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for Contact {
    kept_in!(contacts, "CON");
    const OBJECT: &'static str = "contact";
    const PATH: &'static str = "contacts";
    const FILTERS: &'static [&'static str] = &["Email", "AccountId", "ExternalKey"];

    fn blank(_books: &Books, number: u64, at: DateTime<Utc>) -> Self {
        Self {
            number,
            account: None,
            first_name: None,
            last_name: String::new(),
            email: None,
            phone: None,
            title: None,
            birth_date: None,
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
            "FirstName" => self.first_name = field.text(100)?,
            "LastName" => self.last_name = field.required_text(100)?,
            "Email" => self.email = email(field)?,
            "Phone" => self.phone = field.text(40)?,
            "Title" => self.title = field.text(100)?,
            "BirthDate" => self.birth_date = field.date()?,
            "ExternalKey" => self.external_key = field.text(100)?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, books: &Books) -> Result<(), Refusal> {
        if self.last_name.is_empty() {
            return Err(Refusal::field(
                Reason::Required,
                "LastName",
                "LastName may not be empty",
            ));
        }
        check_account(books, self.account)?;
        check_external_key::<Self>(books, self.number, self.external_key.as_deref())
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        let account = self.account.iter().map(|account| ("AccountId", Account::id(*account)));
        let email = self.email.iter().map(|email| ("Email", caseless(email)));
        let key = self.external_key.iter().map(|key| ("ExternalKey", key.clone()));
        account.chain(email).chain(key).collect()
    }

    fn normal(filter: &str, value: &str) -> String {
        if filter == "Email" {
            caseless(value)
        } else {
            value.to_owned()
        }
    }
}
