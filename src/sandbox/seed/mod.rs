//! The companies that both systems start with: invented, the same for the same seed, and spelt by each in its own way.

mod company;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use company::{Company, Person, plain_phone};

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
