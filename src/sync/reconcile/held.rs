//! Guard rails: a reconciliation whose plans would do more than the mapping allows repairs nothing until a person says so.

use crate::{
    core::{drift::Planned, mapping::Guard},
    store::scan::Counts,
};

/// Why a reconciliation must not repair; `released` is what a person has agreed to.
pub(super) fn reason(guard: Guard, planned: Planned, counts: Counts, released: Option<Planned>) -> Option<String> {
    match released {
        Some(released) => beyond(planned, released),
        None => over(guard, planned, counts),
    }
}

/// Fewer records than this are no sign of anything.
const SHRINK_MIN: u64 = 100;

/// Whether a listing has so many records fewer than the last complete one that it is not believed about what is missing: a
/// filter, a permission or a broken page is likelier than that they are all gone.
pub(super) fn has_shrunk(guard: Guard, before: u64, now: u64) -> bool {
    before >= SHRINK_MIN && before.saturating_sub(now) > guard.shrink.of(before)
}

/// Plans beyond the guard rails.
fn over(guard: Guard, planned: Planned, counts: Counts) -> Option<String> {
    let records = counts.left.max(counts.right);
    let checks = [
        ("delete", planned.deletes, Some(guard.deletes(records))),
        // Where nothing is linked yet the first run changes what it must.
        (
            "change",
            planned.updates,
            (counts.pairs > 0).then(|| guard.change.of(records)),
        ),
        ("create", planned.creates, guard.create.map(|share| share.of(records))),
    ];
    let over = checks
        .into_iter()
        .find_map(|(what, count, max)| Some((what, count, max.filter(|max| count > *max)?)));
    over.map(|(what, count, max)| {
        format!("would {what} {count} records, but the mapping allows {max}: release or discard this run")
    })
}

/// Plans beyond what was released.
fn beyond(planned: Planned, released: Planned) -> Option<String> {
    let checks = [
        ("delete", planned.deletes, released.deletes),
        ("change", planned.updates, released.updates),
        ("create", planned.creates, released.creates),
    ];
    let over = checks.into_iter().find(|(_, count, max)| count > max);
    over.map(|(what, count, max)| {
        format!("would {what} {count} records by now, but {max} were released: release or discard this run again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::period::Share;

    const GUARD: Guard = Guard {
        delete: None,
        change: Share::Percent(25_000),
        create: None,
        shrink: Share::Percent(50_000),
    };

    const fn planned(creates: u64, updates: u64, deletes: u64) -> Planned {
        Planned {
            creates,
            updates,
            deletes,
        }
    }

    fn counts(records: u64, pairs: u64) -> Counts {
        Counts {
            left: records,
            right: records,
            pairs,
        }
    }

    #[test]
    fn a_plan_beyond_a_guard_rail_is_held_and_says_what_it_would_do() {
        let said = reason(GUARD, planned(0, 0, 11), counts(1_000, 1_000), None).unwrap();
        assert!(
            said.contains("delete 11 records") && said.contains("allows 10"),
            "{said}"
        );
        assert!(reason(GUARD, planned(0, 0, 51), counts(1_000_000, 1), None).is_some());
        assert!(reason(GUARD, planned(0, 251, 0), counts(1_000, 1_000), None).is_some());
        let strict = Guard {
            create: Some(Share::Count(5)),
            ..GUARD
        };
        assert!(reason(strict, planned(6, 0, 0), counts(9, 9), None).is_some());
    }

    #[test]
    fn a_plan_within_the_guard_rails_and_a_first_run_go_through() {
        assert_eq!(reason(GUARD, planned(5_000, 250, 10), counts(1_000, 1_000), None), None);
        assert_eq!(reason(GUARD, planned(0, 900, 0), counts(1_000, 0), None), None);
    }

    #[test]
    fn a_few_deletes_a_day_are_no_sign_of_anything_unless_the_mapping_says_so() {
        let day = |delete, pairs| Guard { delete, ..GUARD }.deletes_a_day(pairs);
        let cases = [
            (None, [10, 20, 50]),
            (Some(Share::Percent(5_000)), [10, 100, 1_000_000]),
            (Some(Share::Percent(0)), [0, 0, 0]),
            (Some(Share::Count(3)), [3, 3, 3]),
        ];
        for (delete, expected) in cases {
            assert_eq!(
                [10, 2_000, 20_000_000].map(|pairs| day(delete, pairs)),
                expected,
                "{delete:?}"
            );
        }
    }

    #[test]
    fn a_listing_that_lost_most_of_its_records_is_not_believed() {
        assert!(has_shrunk(GUARD, 1_000, 499));
        assert!(has_shrunk(GUARD, 1_000, 0));
        assert!(!has_shrunk(GUARD, 1_000, 500));
        assert!(!has_shrunk(GUARD, 1_000, 1_200));
        assert!(!has_shrunk(GUARD, 99, 0));
        let any = Guard {
            shrink: Share::Percent(100_000),
            ..GUARD
        };
        assert!(!has_shrunk(any, 1_000, 0));
    }

    #[test]
    fn a_released_run_does_at_most_what_it_announced() {
        let released = Some(planned(0, 900, 20));
        let counts = counts(1_000, 1_000);
        assert_eq!(reason(GUARD, planned(0, 900, 19), counts, released), None);
        let said = reason(GUARD, planned(1, 900, 20), counts, released).unwrap();
        assert!(
            said.contains("create 1 records") && said.contains("0 were released"),
            "{said}"
        );
    }
}
