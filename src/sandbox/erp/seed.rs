//! The records a fresh ERP starts with.

use rust_decimal::Decimal;

use super::contact::Contact;
use super::customer::{Address, Customer, Kind, Status};
use super::order::{Line, Order};
use super::product::Product;
use super::{Books, Money};
use crate::sandbox::chance::Chance;
use crate::sandbox::clock::Clock;
use crate::sandbox::seed::{Company, Past, Plan, is_supplier};
use crate::sandbox::table::Entity;

/// Puts the plan's records in, without history and without events: they have been there for long.
pub(super) fn fill(books: &mut Books, plan: &Plan, clock: &Clock) {
    let each = u64::from(plan.contacts) + u64::from(plan.deals) + 1;
    let mut past = Past::new(clock, u64::from(plan.companies) * each + u64::from(plan.products));
    for number in 1..=u64::from(plan.products) {
        let product = product(books, number, plan, &mut past);
        books.products.put(product);
    }
    for index in 0..plan.companies {
        let company = plan.company(index);
        let customer = customer(books, &company, &mut past);
        let id = customer.id;
        books.customers.put(customer);
        for number in 0..plan.contacts {
            let contact = contact(books, id, plan, &company, number, &mut past);
            books.contacts.put(contact);
        }
        if plan.products > 0 && !is_supplier(index) {
            for number in 0..plan.deals {
                let order = order(books, id, plan, &company, number, &mut past);
                books.orders.put(order);
            }
        }
    }
}

fn product(books: &Books, number: u64, plan: &Plan, past: &mut Past) -> Product {
    let mut chance = Chance::of(plan.seed ^ 0x5EED_0004, number);
    let cents = i64::try_from(10 + chance.below(50_000)).unwrap_or_default();
    Product {
        sku: format!("NW-{number:04}"),
        name: format!(
            "{} M{number}",
            chance.pick(&["Hex bolt", "Lens", "Carton", "Gasket", "Panel"])
        ),
        price: Money(Decimal::new(cents, 2)),
        ..Product::blank(books, number, past.next())
    }
}

fn customer(books: &Books, company: &Company, past: &mut Past) -> Customer {
    let address = Address {
        street: Some(company.street.clone()),
        city: Some(company.city.to_owned()),
        postcode: Some(company.postcode.clone()),
        country: Some(company.country.to_owned()),
    };
    Customer {
        kind: if is_supplier(company.index) {
            Kind::Supplier
        } else {
            Kind::Customer
        },
        status: match company.standing {
            0 => Status::Active,
            1 => Status::Blocked,
            _ => Status::Prospect,
        },
        name: company.name.clone(),
        tax_id: company.tax_id.clone(),
        email: Some(company.email.clone()),
        phone: Some(company.phone.clone()),
        credit_limit: Some(Money(company.credit_limit)),
        currency: company.currency.to_owned(),
        address,
        salesperson_id: company.salesperson,
        payment_days: Some(30),
        since: Some(company.since),
        ..Customer::blank(books, books.customers.next_number(), past.next())
    }
}

fn contact(books: &Books, customer_id: u64, plan: &Plan, company: &Company, number: u32, past: &mut Past) -> Contact {
    let person = plan.person(company, number);
    Contact {
        customer_id,
        first_name: Some(person.first_name.to_owned()),
        last_name: person.last_name.to_owned(),
        email: Some(person.email),
        phone: Some(person.phone),
        role: Some(person.role.to_owned()),
        birth_date: Some(person.birth_date),
        ..Contact::blank(books, books.contacts.next_number(), past.next())
    }
}

fn order(books: &Books, customer_id: u64, plan: &Plan, company: &Company, number: u32, past: &mut Past) -> Order {
    let mut chance = Chance::of(
        plan.seed ^ 0x5EED_0005,
        u64::from(company.index) << 16 | u64::from(number),
    );
    let lines = (0..=chance.below(3)).filter_map(|_| {
        let product = books.products.get(1 + chance.below(u64::from(plan.products)))?;
        Some(Line {
            product_id: product.entity.id,
            quantity: 1 + chance.below(40),
            price: product.entity.price,
        })
    });
    let lines = lines.collect();
    Order {
        customer_id,
        currency: company.currency.to_owned(),
        lines,
        ..Order::blank(books, books.orders.next_number(), past.next())
    }
}
