//! Companies.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::contact::Contact;
use super::opportunity::Opportunity;
use super::{Acme, Billing, Books, Money, Versioned, check_external_key, email, kept_in, write_timestamp};
use crate::sandbox::fields::{Field, Fields, choice};
use crate::sandbox::history::Kind;
use crate::sandbox::office::{Edit, Office, find};
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, alphanumeric, caseless};

choice! {
    /// How far business with them goes.
    Status { Active => "Active", Inactive => "Inactive", Lead => "Lead" }
}

/// A company.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) vat_number: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) status: Status,
    pub(super) credit_limit: Option<Money>,
    pub(super) city: Option<String>,
    pub(super) country: Option<String>,
    pub(super) owner_id: Option<String>,
    pub(super) customer_since: Option<NaiveDate>,
    pub(super) description: Option<String>,
    pub(super) external_key: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) modified_at: DateTime<Utc>,
    pub(super) version: u64,
    pub(super) billing: Billing,
}

/// An account as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shown<'a> {
    id: String,
    name: &'a str,
    vat_number: Option<&'a str>,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    status: Status,
    credit_limit: Option<Money>,
    #[serde(flatten)]
    place: Place<'a>,
    owner_id: Option<&'a str>,
    customer_since: Option<NaiveDate>,
    description: Option<&'a str>,
    external_key: Option<&'a str>,
    #[serde(serialize_with = "write_timestamp")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "write_timestamp")]
    modified_at: DateTime<Utc>,
    version: u64,
}

/// Where bills go, in one of the two forms.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
enum Place<'a> {
    Flat {
        billing_city: Option<&'a str>,
        billing_country: Option<&'a str>,
    },
    Nested {
        billing: Town<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Town<'a> {
    city: Option<&'a str>,
    country: Option<&'a str>,
}

impl Account {
    fn shown(&self) -> Shown<'_> {
        let (city, country) = (self.city.as_deref(), self.country.as_deref());
        let place = match self.billing {
            Billing::Flat => Place::Flat {
                billing_city: city,
                billing_country: country,
            },
            Billing::Nested => Place::Nested {
                billing: Town { city, country },
            },
        };
        Shown {
            id: Self::id(self.number),
            name: &self.name,
            vat_number: self.vat_number.as_deref(),
            email: self.email.as_deref(),
            phone: self.phone.as_deref(),
            status: self.status,
            credit_limit: self.credit_limit,
            place,
            owner_id: self.owner_id.as_deref(),
            customer_since: self.customer_since,
            description: self.description.as_deref(),
            external_key: self.external_key.as_deref(),
            created_at: self.created_at,
            modified_at: self.modified_at,
            version: self.version,
        }
    }

    fn set_billing(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match (self.billing, field.name) {
            (Billing::Flat, "BillingCity") | (Billing::Nested, "City") => self.city = field.text(100)?,
            (Billing::Flat, "BillingCountry") | (Billing::Nested, "Country") => self.country = field.text(2)?,
            (Billing::Nested, "Billing") if field.is_null() => (self.city, self.country) = (None, None),
            (Billing::Nested, "Billing") => {
                let parts = Fields::of(field.raw())?;
                parts.iter().try_for_each(|part| self.set_billing(&part))?;
            }
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }
}

impl Versioned for Account {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for Account {
    kept_in!(accounts, "ACC");
    const OBJECT: &'static str = "account";
    const PATH: &'static str = "accounts";
    const FILTERS: &'static [&'static str] = &["VatNumber", "Email", "ExternalKey"];

    fn blank(books: &Books, number: u64, at: DateTime<Utc>) -> Self {
        Self {
            number,
            name: String::new(),
            vat_number: None,
            email: None,
            phone: None,
            status: Status::Lead,
            credit_limit: None,
            city: None,
            country: None,
            owner_id: None,
            customer_since: None,
            description: None,
            external_key: None,
            created_at: at,
            modified_at: at,
            version: 1,
            billing: books.billing,
        }
    }

    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.name {
            "Id" | "CreatedAt" | "ModifiedAt" | "Version" => {}
            "Name" => self.name = field.required_text(120)?,
            "VatNumber" => self.vat_number = vat_number(field)?,
            "Email" => self.email = email(field)?,
            "Phone" => self.phone = field.text(40)?,
            "Status" => self.status = field.choice()?,
            "CreditLimit" => self.credit_limit = field.money_text()?.map(Money),
            "OwnerId" => self.owner_id = field.text(40)?,
            "CustomerSince" => self.customer_since = field.date()?,
            "Description" => self.description = field.text(4000)?,
            "ExternalKey" => self.external_key = field.text(100)?,
            "BillingCity" | "BillingCountry" | "Billing" => self.set_billing(field)?,
            _ => return Err(field.unknown(Self::OBJECT)),
        }
        Ok(())
    }

    fn check(&self, books: &Books) -> Result<(), Refusal> {
        if self.name.is_empty() {
            return Err(Refusal::field(Reason::Required, "Name", "Name may not be empty"));
        }
        check_external_key::<Self>(books, self.number, self.external_key.as_deref())
    }

    fn missing(books: &Books, number: u64) -> Refusal {
        let id = Self::id(number);
        let Some(into) = books.merged.get(&number).copied().map(Self::id) else {
            return Refusal::not_found(Self::OBJECT, &id);
        };
        let message = format!("account {id} was merged into {into}");
        Refusal::new(Reason::Merged(into), message)
    }

    /// What belonged to it belongs to nobody.
    fn release(office: &Office<Acme>, books: &mut Books, number: u64, edit: &Edit) -> Result<(), Refusal> {
        hand_over(office, books, (number, None), edit)
    }

    fn keys(&self) -> Vec<(&'static str, String)> {
        let vat = self.vat_number.iter().map(|vat| ("VatNumber", alphanumeric(vat)));
        let email = self.email.iter().map(|email| ("Email", caseless(email)));
        let key = self.external_key.iter().map(|key| ("ExternalKey", key.clone()));
        vat.chain(email).chain(key).collect()
    }

    fn normal(filter: &str, value: &str) -> String {
        match filter {
            "VatNumber" => alphanumeric(value),
            "Email" => caseless(value),
            _ => value.to_owned(),
        }
    }
}

/// Makes one account stand for another: what belonged to the first belongs to the second, and the first is gone.
pub(super) fn merge(
    office: &Office<Acme>,
    books: &mut Books,
    from: u64,
    into: u64,
    edit: &Edit,
) -> Result<(), Refusal> {
    find::<Account>(books, from)?;
    let survivor = find::<Account>(books, into);
    if from == into || survivor.is_err() {
        let message = format!("{} cannot be merged into {}", Account::id(from), Account::id(into));
        return Err(Refusal::field(Reason::UnknownReference, "Into", message));
    }
    hand_over(office, books, (from, Some(into)), edit)?;
    books.merged.insert(from, into);
    office.remove::<Account>(books, from, Kind::Merged, Some(Account::id(into)), edit);
    Ok(())
}

/// Gives the contacts and opportunities of one account to another, or to none.
fn hand_over(
    office: &Office<Acme>,
    books: &mut Books,
    (from, to): (u64, Option<u64>),
    edit: &Edit,
) -> Result<(), Refusal> {
    let key = Account::id(from);
    for number in books.contacts.find("AccountId", &key) {
        office.change(books, number, edit, |contact: &mut Contact| {
            contact.account = to;
            Ok(())
        })?;
    }
    for number in books.opportunities.find("AccountId", &key) {
        office.change(books, number, edit, |opportunity: &mut Opportunity| {
            opportunity.account = to;
            Ok(())
        })?;
    }
    Ok(())
}

/// Two letters and six to sixteen letters or digits, blanks and punctuation aside.
fn vat_number(field: &Field<'_>) -> Result<Option<String>, Refusal> {
    let Some(text) = field.text(40)? else {
        return Ok(None);
    };
    let bare: String = text
        .chars()
        .filter(|char| !matches!(char, ' ' | '.' | '-' | '/'))
        .collect();
    let is_plain = bare.chars().all(|char| char.is_ascii_alphanumeric());
    let has_country = bare.chars().take(2).all(|char| char.is_ascii_alphabetic());
    if is_plain && has_country && (8..=18).contains(&bare.len()) {
        return Ok(Some(text));
    }
    let message = format!("`{text}` is no VAT number: two letters and six to sixteen letters or digits");
    Err(Refusal::field(Reason::Invalid, field.name, message))
}
