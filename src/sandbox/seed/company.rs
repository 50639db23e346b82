//! One invented company and the people who work there.

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;

use crate::sandbox::chance::Chance;

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
    pub(super) fn new(seed: u64, index: u32) -> Self {
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
        self.tax_id.as_deref().map(crate::sandbox::table::alphanumeric)
    }
}

impl Person {
    pub(super) fn new(seed: u64, company: &Company, number: u32) -> Self {
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
