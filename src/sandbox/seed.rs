//! The companies that both systems start with: invented, the same for the same seed, and spelt by each in its own way.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::chance::Chance;
use super::clock::Clock;

/// How long ago the oldest record of a fresh system was written.
const AGE: TimeDelta = TimeDelta::days(30);
/// Every so many companies one is a supplier, whom a CRM does not know.
const SUPPLIER_EVERY: u32 = 20;

/// Which records a pair of systems starts with. One plan given to both makes them related.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Decides every value; equal seeds give equal records.
    pub seed: u64,
    /// Companies in the ERP, one in twenty of them a supplier.
    pub companies: u32,
    /// The share of the ERP's customers that the CRM has too, from 0 to 1.
    pub overlap: f64,
    /// Accounts that the ERP does not know.
    pub crm_only: u32,
    /// Contacts of each company and account.
    pub contacts: u32,
    /// Products of the ERP.
    pub products: u32,
    /// Orders of each customer in the ERP, opportunities of each account in the CRM.
    pub deals: u32,
}

impl Default for Plan {
    /// Nothing at all.
    fn default() -> Self {
        Self {
            seed: 1,
            companies: 0,
            overlap: 0.0,
            crm_only: 0,
            contacts: 0,
            products: 0,
            deals: 0,
        }
    }
}

/// What a plan says about the two systems, for tests and for the demo's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Customers of the ERP that are not suppliers.
    pub customers: u32,
    /// Suppliers in the ERP.
    pub suppliers: u32,
    /// Accounts of the CRM.
    pub accounts: u32,
    /// Companies that are in both, as customer and account.
    pub shared: u32,
    /// Shared companies that have a tax id on both sides.
    pub shared_with_tax_id: u32,
    /// Shared companies of which the CRM says something else than the ERP, formats and letter case of e-mail aside.
    pub differing: u32,
}

impl Plan {
    /// Counts what the plan makes.
    pub fn count(&self) -> Overlap {
        let mut overlap = Overlap {
            accounts: self.crm_only,
            ..Overlap::default()
        };
        for index in 0..self.companies {
            if is_supplier(index) {
                overlap.suppliers += 1;
                continue;
            }
            overlap.customers += 1;
            if self.is_shared(index) {
                let company = self.company(index);
                overlap.shared += 1;
                overlap.accounts += 1;
                overlap.shared_with_tax_id += u32::from(company.tax_id.is_some());
                overlap.differing += u32::from(self.slip(index).is_some());
            }
        }
        overlap
    }

    /// Whether the CRM has this company of the ERP too.
    pub(crate) fn is_shared(&self, index: u32) -> bool {
        !is_supplier(index) && Chance::of(self.seed ^ 0x5EED_0001, index.into()).hits(self.overlap)
    }

    /// What the CRM has wrong about a shared company; most often nothing.
    pub(crate) fn slip(&self, index: u32) -> Option<Slip> {
        match Chance::of(self.seed ^ 0x5EED_0002, index.into()).below(100) {
            0..5 => Some(Slip::NameInCapitals),
            5..8 => Some(Slip::OtherCity),
            8..10 => Some(Slip::OtherStatus),
            10..12 => Some(Slip::OtherCredit),
            _ => None,
        }
    }

    /// The company with this number; those from `companies` on are the CRM's own.
    pub(crate) fn company(&self, index: u32) -> Company {
        Company::new(self.seed, index)
    }

    /// The contact with this number (from 0) of a company.
    pub(crate) fn person(&self, company: &Company, number: u32) -> Person {
        Person::new(self.seed, company, number)
    }
}

/// A way in which a CRM differs from the ERP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    NameInCapitals,
    OtherCity,
    OtherStatus,
    OtherCredit,
}

pub(crate) fn is_supplier(index: u32) -> bool {
    index % SUPPLIER_EVERY == SUPPLIER_EVERY - 1
}

/// Gives the records of a fresh system their times: all different, none in the future.
pub(crate) struct Past {
    start: DateTime<Utc>,
    step: TimeDelta,
    given: i32,
}

impl Past {
    pub(crate) fn new(clock: &Clock, records: u64) -> Self {
        let records = i64::try_from(records).unwrap_or(i64::MAX).saturating_add(1);
        let step = (AGE.num_microseconds().unwrap_or(i64::MAX) / records).clamp(1, 1_000_003);
        Self {
            start: clock.now() - AGE,
            step: TimeDelta::microseconds(step),
            given: 0,
        }
    }

    pub(crate) fn next(&mut self) -> DateTime<Utc> {
        self.given = self.given.saturating_add(1);
        self.start + self.step * self.given
    }
}

/// A company as the ERP spells it.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) tax_id: Option<String>,
    pub(crate) domain: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) street: String,
    pub(crate) city: &'static str,
    pub(crate) postcode: String,
    pub(crate) country: &'static str,
    pub(crate) currency: &'static str,
    pub(crate) credit_limit: Decimal,
    /// 0 active, 1 blocked, 2 prospect.
    pub(crate) standing: u8,
    pub(crate) salesperson: Option<u64>,
    pub(crate) since: NaiveDate,
}

/// Somebody who works at a company.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) role: &'static str,
    pub(crate) birth_date: NaiveDate,
}

/// What companies of one country look like.
#[derive(Clone, Copy, Default)]
struct Country {
    code: &'static str,
    currency: &'static str,
    dial: &'static str,
    legal_form: &'static str,
    mailbox: &'static str,
    street: &'static str,
    /// `#` stands for a digit.
    tax_id: &'static str,
    cities: &'static [&'static str],
}

const COUNTRIES: &[Country] = &[
    Country {
        code: "DE",
        currency: "EUR",
        dial: "+49",
        legal_form: "GmbH",
        mailbox: "einkauf",
        street: "Hauptstraße",
        tax_id: "DE ### ### ###",
        cities: &["München", "Köln", "Hamburg", "Leipzig", "Görlitz"],
    },
    Country {
        code: "BR",
        currency: "BRL",
        dial: "+55",
        legal_form: "Ltda",
        mailbox: "compras",
        street: "Rua Augusta",
        tax_id: "BR ##.###.###/####-##",
        cities: &["São Paulo", "Curitiba", "Recife", "Florianópolis", "Belém"],
    },
    Country {
        code: "FR",
        currency: "EUR",
        dial: "+33",
        legal_form: "SARL",
        mailbox: "achats",
        street: "Rue de la Gare",
        tax_id: "FR ## ### ### ###",
        cities: &["Lyon", "Fécamp", "Nîmes", "Besançon", "Lille"],
    },
    Country {
        code: "PT",
        currency: "EUR",
        dial: "+351",
        legal_form: "Lda",
        mailbox: "geral",
        street: "Avenida da Liberdade",
        tax_id: "PT ### ### ###",
        cities: &["Lisboa", "Porto", "Évora", "Setúbal", "Faro"],
    },
    Country {
        code: "NL",
        currency: "EUR",
        dial: "+31",
        legal_form: "B.V.",
        mailbox: "inkoop",
        street: "Stationsweg",
        tax_id: "NL ###.###.###.B##",
        cities: &["Utrecht", "Leiden", "Groningen", "'s-Hertogenbosch", "Zwolle"],
    },
];

const FIRST_WORDS: &[&str] = &[
    "Alpenglas",
    "Boreal",
    "Cordoba",
    "Delta",
    "Estrela",
    "Faber",
    "Granit",
    "Horizonte",
    "Isar",
    "Jangada",
    "Kranich",
    "Lumen",
    "Marmor",
    "Nordlicht",
    "Oliva",
    "Pomar",
    "Quartz",
    "Ribeira",
    "Sonnen",
    "Tejo",
    "Ulme",
    "Vega",
    "Wieland",
    "Xisto",
    "Ypê",
    "Zeder",
];
const SECOND_WORDS: &[&str] = &[
    "Handel",
    "Logistik",
    "Optik",
    "Papier",
    "Metall",
    "Textil",
    "Agro",
    "Pharma",
    "Druck",
    "Solar",
    "Möbel",
    "Café",
    "Transport",
    "Elektro",
    "Bau",
    "Foods",
    "Keramik",
];
const FIRST_NAMES: &[&str] = &[
    "Ana", "Bruno", "Chloé", "Daan", "Elif", "Fátima", "Günther", "Hélène", "Iñigo", "Joana", "Kai", "Lotte", "Miguel",
    "Noor", "Otto", "Paula",
];
const LAST_NAMES: &[&str] = &[
    "Almeida",
    "Bäcker",
    "Costa",
    "de Vries",
    "Eßer",
    "Ferreira",
    "Großmann",
    "Héritier",
    "Ibáñez",
    "Jansen",
    "König",
    "Lemaire",
    "Moreau",
    "Núñez",
    "O'Neill",
    "Pereira",
];
const ROLES: &[&str] = &["buyer", "accountant", "owner", "warehouse"];

impl Company {
    fn new(seed: u64, index: u32) -> Self {
        let mut chance = Chance::of(seed, index.into());
        let country = chance.pick(COUNTRIES);
        let (first, second) = (chance.pick(FIRST_WORDS), chance.pick(SECOND_WORDS));
        let domain = format!("{}-{index}.example", first.to_lowercase().replace('ê', "e"));
        let digits = format!(
            "{:02}{:06}{:06}",
            10 + chance.below(90),
            index % 1_000_000,
            chance.below(1_000_000)
        );
        let cents = i64::try_from(chance.below(5_000_000)).unwrap_or_default();
        Self {
            index,
            name: format!("{first} {second} {index} {}", country.legal_form),
            // One in twelve has none: it is found by its e-mail address.
            tax_id: (chance.below(12) > 0).then(|| with_digits(country.tax_id, &digits)),
            email: format!("{}@{domain}", country.mailbox),
            domain,
            phone: phone(country.dial, &mut chance),
            street: format!("{} {}", country.street, 1 + chance.below(180)),
            city: chance.pick(country.cities),
            postcode: format!("{:05}", 10_000 + chance.below(89_999)),
            country: country.code,
            currency: country.currency,
            credit_limit: Decimal::new(cents, 2),
            standing: chance.pick(&[0, 0, 0, 0, 0, 0, 0, 1, 2, 2]),
            salesperson: (chance.below(10) > 0).then(|| 1 + chance.below(8)),
            since: date(1995, 9000, &mut chance),
        }
    }

    /// The tax id as the CRM spells it: letters and digits alone.
    pub(crate) fn vat_number(&self) -> Option<String> {
        self.tax_id.as_deref().map(super::table::alphanumeric)
    }
}

impl Person {
    fn new(seed: u64, company: &Company, number: u32) -> Self {
        let mut chance = Chance::of(seed ^ 0x5EED_0003, u64::from(company.index) << 16 | u64::from(number));
        let first_name = chance.pick(FIRST_NAMES);
        let dial = COUNTRIES
            .iter()
            .find(|country| country.code == company.country)
            .map_or("+49", |country| country.dial);
        Self {
            first_name,
            last_name: chance.pick(LAST_NAMES),
            email: format!("contact{number}@{}", company.domain),
            phone: phone(dial, &mut chance),
            role: chance.pick(ROLES),
            birth_date: date(1955, 16_000, &mut chance),
        }
    }
}

/// A phone number as the CRM spells it: `0055 11 40028922` for `+55 11 4002-8922`.
pub(crate) fn plain_phone(phone: &str) -> String {
    phone.replacen('+', "00", 1).replace('-', "")
}

fn phone(dial: &str, chance: &mut Chance) -> String {
    let (area, first, second) = (10 + chance.below(90), chance.below(10_000), chance.below(10_000));
    format!("{dial} {area} {first:04}-{second:04}")
}

fn date(first_year: i32, span_days: u64, chance: &mut Chance) -> NaiveDate {
    let start = NaiveDate::from_ymd_opt(first_year, 1, 1).unwrap_or_default();
    start
        .checked_add_days(Days::new(chance.below(span_days)))
        .unwrap_or(start)
}

fn with_digits(pattern: &str, digits: &str) -> String {
    let mut digits = digits.chars();
    let fill = |char| {
        if char == '#' {
            digits.next().unwrap_or('0')
        } else {
            char
        }
    };
    pattern.chars().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn plan() -> Plan {
        Plan {
            companies: 2000,
            overlap: 0.6,
            crm_only: 50,
            ..Plan::default()
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_companies_and_another_gives_others() {
        let names = |seed| {
            let plan = Plan { seed, ..plan() };
            (0..50)
                .map(|index| format!("{:?}", plan.company(index)))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(3), names(3));
        assert_ne!(names(3), names(4));
    }

    #[test]
    fn tax_ids_and_addresses_are_unique() {
        let plan = plan();
        let companies: Vec<_> = (0..2000).map(|index| plan.company(index)).collect();
        let emails: HashSet<_> = companies.iter().map(|company| &company.email).collect();
        let with_tax_id = companies.iter().filter(|company| company.tax_id.is_some()).count();
        let vat: HashSet<_> = companies.iter().filter_map(Company::vat_number).collect();
        assert_eq!(emails.len(), 2000);
        assert_eq!(vat.len(), with_tax_id);
    }

    #[test]
    fn the_overlap_is_about_the_share_that_was_asked_for() {
        let count = plan().count();
        assert_eq!((count.customers, count.suppliers), (1900, 100));
        assert!((1050..1230).contains(&count.shared), "{count:?}");
        assert!(count.differing > 0 && count.differing < count.shared / 5, "{count:?}");
        assert!(count.shared_with_tax_id < count.shared);
        assert_eq!(count.accounts, count.shared + 50);
    }
}
