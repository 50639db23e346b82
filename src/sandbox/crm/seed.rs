//! The records a fresh CRM starts with: the ERP's companies as a sales team typed them in, and some of its own.

use rust_decimal::Decimal;

use super::account::{Account, Status};
use super::contact::Contact;
use super::opportunity::Opportunity;
use super::{Books, Money};
use crate::sandbox::chance::Chance;
use crate::sandbox::clock::Clock;
use crate::sandbox::seed::{Company, Past, Plan, Slip, plain_phone};
use crate::sandbox::table::Entity;

/// Puts the plan's records in, without history and without events: they have been there for long.
pub(super) fn fill(books: &mut Books, plan: &Plan, clock: &Clock) {
    let each = u64::from(plan.contacts) + u64::from(plan.deals) + 1;
    let mut past = Past::new(clock, (u64::from(plan.companies) + u64::from(plan.crm_only)) * each);
    let shared = (0..plan.companies).filter(|index| plan.is_shared(*index));
    let own = (0..plan.crm_only).map(|index| plan.companies.saturating_add(index));
    for index in shared.chain(own) {
        let company = plan.company(index);
        let slip = if index < plan.companies { plan.slip(index) } else { None };
        let account = account(books, &company, slip, &mut past);
        let number = account.number;
        books.accounts.put(account);
        for person in 0..plan.contacts {
            let contact = contact(books, number, plan, (&company, person), &mut past);
            books.contacts.put(contact);
        }
        for deal in 0..plan.deals {
            let opportunity = opportunity(books, number, plan, (&company, deal), &mut past);
            books.opportunities.put(opportunity);
        }
    }
}

fn account(books: &Books, company: &Company, slip: Option<Slip>, past: &mut Past) -> Account {
    let mut chance = Chance::of(0x5EED_0006, company.index.into());
    let email = if chance.hits(0.3) {
        capitalised(&company.email)
    } else {
        company.email.clone()
    };
    let mut account = Account {
        name: company.name.clone(),
        vat_number: company.vat_number(),
        email: Some(email),
        phone: Some(plain_phone(&company.phone)),
        status: match company.standing {
            0 => Status::Active,
            1 => Status::Inactive,
            _ => Status::Lead,
        },
        credit_limit: Some(Money(company.credit_limit)),
        city: Some(company.city.to_owned()),
        country: Some(company.country.to_owned()),
        owner_id: company.salesperson.map(|number| format!("USR-{number:03}")),
        customer_since: Some(company.since),
        ..Account::blank(books, books.accounts.next_number(), past.next())
    };
    match slip {
        Some(Slip::NameInCapitals) => account.name = account.name.to_uppercase(),
        Some(Slip::OtherCity) => account.city = Some("Bruxelles".to_owned()),
        Some(Slip::OtherStatus) => {
            account.status = if account.status == Status::Active {
                Status::Inactive
            } else {
                Status::Active
            };
        }
        Some(Slip::OtherCredit) => account.credit_limit = Some(Money(company.credit_limit + Decimal::new(10_000, 2))),
        None => {}
    }
    account
}

fn contact(books: &Books, account: u64, plan: &Plan, (company, number): (&Company, u32), past: &mut Past) -> Contact {
    let person = plan.person(company, number);
    Contact {
        account: Some(account),
        first_name: Some(person.first_name.to_owned()),
        last_name: person.last_name.to_owned(),
        email: Some(person.email),
        phone: Some(plain_phone(&person.phone)),
        title: Some(capitalised(person.role)),
        birth_date: Some(person.birth_date),
        ..Contact::blank(books, books.contacts.next_number(), past.next())
    }
}

fn opportunity(
    books: &Books,
    account: u64,
    plan: &Plan,
    (company, number): (&Company, u32),
    past: &mut Past,
) -> Opportunity {
    let mut chance = Chance::of(
        plan.seed ^ 0x5EED_0007,
        u64::from(company.index) << 16 | u64::from(number),
    );
    let cents = i64::try_from(chance.below(2_000_000)).unwrap_or_default();
    Opportunity {
        account: Some(account),
        name: chance
            .pick(&["Renewal", "New site", "Frame contract", "Trial"])
            .to_owned(),
        amount: Some(Money(Decimal::new(cents, 2))),
        currency: Some(company.currency.to_owned()),
        ..Opportunity::blank(books, books.opportunities.next_number(), past.next())
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
