use super::*;
use crate::core::value::{Map, Value, fingerprint::Key};

fn todo(id: &str) -> NewTodo {
    NewTodo {
        side: Side::Left,
        id: id.to_owned(),
        acts: true,
    }
}

fn print(id: &str) -> u128 {
    Key::new([7; 32]).print(id)
}

fn row(id: &str, digest: u64, keys: &[Option<u64>]) -> Row {
    Row {
        record: Record {
            id: id.to_owned(),
            fields: Map::from([("name".to_owned(), Value::from(id))]),
            version: Some("3".to_owned()),
            updated_at: None,
        },
        print: print(id),
        digest: Some(digest),
        is_outside: false,
        match_keys: keys.to_vec(),
    }
}

fn pair(link_id: i64, left: &str, right: &str, agreed: u64) -> Pair {
    Pair {
        link_id,
        prints: Sides {
            left: print(left),
            right: print(right),
        },
        agreed: Sides::of(|_| Some(agreed)),
    }
}

async fn add(scan: &Scan, side: Side, rows: Vec<Row>) {
    let rows = scan.sieve(side).await.unwrap().sift(rows.into_iter());
    scan.add(rows).await.unwrap();
}

/// A scan of these match keys of unlinked records.
async fn keyed(left: &[(&str, &[Option<u64>])], right: &[(&str, &[Option<u64>])], pairs: Vec<Pair>) -> Scan {
    let scan = Scan::create(None, 10, 1 << 20).await.unwrap();
    scan.add_pairs(move || pairs).await.unwrap();
    for (side, rows) in [(Side::Left, left), (Side::Right, right)] {
        let rows = rows.iter().map(|(id, keys)| row(id, 0, keys)).collect();
        add(&scan, side, rows).await;
    }
    scan.join().await.unwrap();
    scan
}

async fn found(scan: &Scan, side: Side) -> Vec<(String, Candidates)> {
    let found = scan.unlinked(side, "", 100).await.unwrap();
    found.into_iter().map(|one| (one.id, one.candidates)).collect()
}

fn one(id: &str) -> Candidates {
    Candidates::One(id.to_owned())
}

fn several(ids: &[&str]) -> Candidates {
    Candidates::Several(ids.iter().map(|id| (*id).to_owned()).collect())
}

fn shared(partner: &str, rivals: &[&str]) -> Candidates {
    Candidates::Shared(partner.to_owned(), rivals.iter().map(|id| (*id).to_owned()).collect())
}

#[tokio::test]
async fn only_pairs_that_are_not_as_agreed_are_suspects() {
    let scan = Scan::create(None, 3, 1 << 20).await.unwrap();
    let pairs = vec![
        pair(1, "1", "A", 7),
        pair(2, "2", "B", 8),
        pair(3, "3", "C", 9),
        pair(4, "4", "D", 9),
    ];
    scan.add_pairs(move || pairs).await.unwrap();
    let outside = Row {
        is_outside: true,
        ..row("4", 9, &[])
    };
    let left = vec![row("1", 7, &[]), row("2", 8, &[]), row("3", 9, &[]), outside];
    add(&scan, Side::Left, left).await;
    add(
        &scan,
        Side::Right,
        vec![row("A", 7, &[]), row("B", 1, &[]), row("D", 9, &[])],
    )
    .await;
    let counts = Counts {
        left: 4,
        right: 3,
        pairs: 4,
    };
    assert_eq!(scan.join().await.unwrap(), counts);
    let found: Vec<_> = scan.suspects(0, 10).await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.link_id, one.has_left, one.has_right))
        .collect();
    assert_eq!(shown, [(2, true, true), (3, true, false), (4, true, true)]);
}

#[tokio::test]
async fn many_records_are_joined_on_disk_as_they_would_be_in_memory() {
    const COUNT: u64 = 20_000;
    let left = |number: u64| format!("L{number}");
    let right = |number: u64| format!("R{number}");
    // So little memory that everything is spilled, and the filter says yes to many that are not linked.
    let scan = Scan::create(None, COUNT, 1).await.unwrap();
    let pairs = (1..=COUNT).map(|number| pair(number.cast_signed(), &left(number), &right(number), number));
    let pairs: Vec<Pair> = pairs.collect();
    scan.add_pairs(move || pairs).await.unwrap();
    // Every 100th left record differs, every 150th right one is missing, and each side has 100 records without a link.
    let lefts =
        (1..=COUNT + 100).map(|number| row(&left(number), number + u64::from(number % 100 == 0), &[Some(number)]));
    add(&scan, Side::Left, lefts.collect()).await;
    let rights = (1..=COUNT)
        .filter(|number| number % 150 != 0)
        .chain(COUNT + 51..=COUNT + 150);
    add(
        &scan,
        Side::Right,
        rights
            .map(|number| row(&right(number), number, &[Some(number)]))
            .collect(),
    )
    .await;
    let counts = scan.join().await.unwrap();
    let wanted = Counts {
        left: COUNT + 100,
        right: COUNT - COUNT / 150 + 100,
        pairs: COUNT,
    };
    assert_eq!(counts, wanted);
    let suspects = scan.suspects(0, 10_000).await.unwrap();
    let shown: Vec<_> = suspects
        .iter()
        .map(|one| (one.link_id.cast_unsigned(), one.has_left, one.has_right))
        .collect();
    let is_suspect = |number: &u64| number.is_multiple_of(100) || number.is_multiple_of(150);
    let wanted: Vec<_> = (1..=COUNT)
        .filter(is_suspect)
        .map(|number| (number, true, number % 150 != 0))
        .collect();
    assert_eq!(shown, wanted);
    let unlinked = found(&scan, Side::Left).await;
    assert_eq!(unlinked.len(), 100);
    let partners = unlinked
        .iter()
        .filter(|(_, candidates)| matches!(candidates, Candidates::One(_)));
    assert_eq!(partners.count(), 50);
}

#[tokio::test]
async fn a_record_that_a_listing_repeats_counts_as_it_came_last() {
    let scan = Scan::create(None, 1, 1 << 20).await.unwrap();
    scan.add_pairs(move || vec![pair(1, "1", "A", 7)]).await.unwrap();
    add(&scan, Side::Left, vec![row("1", 8, &[])]).await;
    add(
        &scan,
        Side::Left,
        vec![row("1", 7, &[]), row("2", 8, &[]), row("2", 9, &[])],
    )
    .await;
    add(&scan, Side::Right, vec![row("A", 7, &[])]).await;
    assert_eq!(scan.join().await.unwrap().left, 2);
    assert_eq!(scan.suspects(0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn partners_are_found_by_the_first_rule_with_exactly_one() {
    let left: &[(&str, &[Option<u64>])] = &[("1", &[Some(7), Some(9)]), ("2", &[None, Some(8)]), ("9", &[])];
    let right: &[(&str, &[Option<u64>])] = &[
        ("A", &[Some(7), None]),
        ("B", &[Some(7), None]),
        ("C", &[None, Some(9)]),
        ("D", &[None, Some(8)]),
    ];
    let scan = keyed(left, right, vec![pair(1, "9", "D", 0)]).await;
    let elsewhere = Candidates::Elsewhere("D".into());
    assert_eq!(
        found(&scan, Side::Left).await,
        [("1".to_owned(), one("C")), ("2".to_owned(), elsewhere)]
    );
    let names: Vec<String> = found(&scan, Side::Right).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(names, ["A", "B", "C"]);
}

#[tokio::test]
async fn two_records_that_match_one_partner_are_both_ambiguous() {
    let left: &[(&str, &[Option<u64>])] = &[("1", &[Some(7)]), ("2", &[Some(7)])];
    let scan = keyed(left, &[("A", &[Some(7)])], Vec::new()).await;
    assert_eq!(
        found(&scan, Side::Left).await,
        [
            ("1".to_owned(), shared("A", &["2"])),
            ("2".to_owned(), shared("A", &["1"]))
        ]
    );
    assert_eq!(
        found(&scan, Side::Right).await,
        [("A".to_owned(), several(&["1", "2"]))]
    );
}

#[tokio::test]
async fn a_later_rule_tells_records_apart_that_share_an_earlier_key() {
    let left: &[(&str, &[Option<u64>])] = &[("1", &[Some(7), Some(1)]), ("2", &[Some(7), Some(2)])];
    let right: &[(&str, &[Option<u64>])] = &[("A", &[Some(7), Some(1)])];
    let scan = keyed(left, right, Vec::new()).await;
    assert_eq!(
        found(&scan, Side::Left).await,
        [("1".to_owned(), one("A")), ("2".to_owned(), shared("A", &["1"]))]
    );
}

#[tokio::test]
async fn no_partner_is_given_to_two_records_by_different_rules() {
    // By the first rule A and 3 belong together, by the second A and 1.
    let left: &[(&str, &[Option<u64>])] = &[("1", &[None, Some(5)]), ("3", &[Some(4), None])];
    let right: &[(&str, &[Option<u64>])] = &[("A", &[Some(4), Some(5)])];
    let scan = keyed(left, right, Vec::new()).await;
    assert_eq!(
        found(&scan, Side::Left).await,
        [("1".to_owned(), shared("A", &["3"])), ("3".to_owned(), one("A"))]
    );
}

#[tokio::test]
async fn unlinked_records_are_kept_whole_and_linked_ones_are_not() {
    let scan = keyed(&[("1", &[]), ("2", &[])], &[("A", &[])], vec![pair(1, "1", "A", 0)]).await;
    let todos = ["1", "2"].map(todo).to_vec();
    scan.add_todos(todos).await.unwrap();
    let todos = scan.todos(0, 10).await.unwrap();
    let kept: Vec<Option<Record>> = todos.into_iter().map(|todo| todo.found.record).collect();
    assert_eq!(kept, [None, Some(row("2", 0, &[]).record)]);
}

#[tokio::test]
async fn only_made_records_that_look_otherwise_than_sent_are_told() {
    let scan = Scan::create(None, 0, 1 << 20).await.unwrap();
    let made = |id: &str| (Side::Right, id.to_owned(), Some(7));
    scan.add_made(vec![made("A"), made("B")]).await.unwrap();
    let read = |id: &str, digest: u64| (id.to_owned(), Some(digest));
    let listed = vec![read("A", 7), read("B", 8), read("C", 9)];
    assert_eq!(scan.unlike_sent(Side::Right, listed).await.unwrap(), [1]);
    assert_eq!(scan.made(Side::Right, "A", 5).await.unwrap(), ["B"]);
}

#[tokio::test]
async fn what_has_to_be_done_keeps_what_was_found_for_it() {
    let left: &[(&str, &[Option<u64>])] = &[("1", &[Some(1)]), ("2", &[Some(2)]), ("9", &[])];
    let right: &[(&str, &[Option<u64>])] = &[("A", &[Some(1)]), ("B", &[Some(2)])];
    let scan = keyed(left, right, vec![pair(1, "9", "B", 0)]).await;
    let todos = ["1", "2"].map(todo).to_vec();
    scan.add_todos(todos).await.unwrap();
    let todos = scan.todos(0, 10).await.unwrap();
    let found: Vec<Candidates> = todos.into_iter().map(|todo| todo.found.candidates).collect();
    assert_eq!(found, [one("A"), Candidates::Elsewhere("B".into())]);
}
