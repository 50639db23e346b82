use super::*;
use crate::core::value::{Map, Value};

fn row(id: &str, hashes: &[u8], keys: &[Option<u64>]) -> Row {
    Row {
        record: Record {
            id: id.to_owned(),
            fields: Map::from([("name".to_owned(), Value::from(id))]),
            version: Some("3".to_owned()),
            updated_at: None,
        },
        hashes: Some(hashes.to_vec()),
        is_outside: false,
        match_keys: keys.to_vec(),
    }
}

fn pair(link_id: i64, left: &str, right: &str, agreed: &[u8]) -> Pair {
    let agreed = Some(agreed.to_vec());
    let (left_agreed, right_agreed) = (agreed.clone(), agreed);
    Pair {
        link_id,
        left_id: left.to_owned(),
        right_id: right.to_owned(),
        left_agreed,
        right_agreed,
    }
}

/// A scan of these match keys of unlinked records.
async fn keyed(left: &[(&str, &[Option<u64>])], right: &[(&str, &[Option<u64>])], pairs: Vec<Pair>) -> Scan {
    let scan = Scan::create(None, 1 << 20).await.unwrap();
    scan.add_pairs(pairs).await.unwrap();
    for (side, rows) in [(Side::Left, left), (Side::Right, right)] {
        let rows = rows.iter().map(|(id, keys)| row(id, b"", keys)).collect();
        scan.add(side, rows).await.unwrap();
    }
    scan.prepare_matching().await.unwrap();
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
    let scan = Scan::create(None, 1 << 20).await.unwrap();
    let pairs = vec![
        pair(1, "1", "A", b"a"),
        pair(2, "2", "B", b"b"),
        pair(3, "3", "C", b"c"),
    ];
    scan.add_pairs(pairs).await.unwrap();
    let left = vec![row("1", b"a", &[]), row("2", b"b", &[]), row("3", b"c", &[])];
    scan.add(Side::Left, left).await.unwrap();
    let right = vec![row("A", b"a", &[]), row("B", b"x", &[])];
    scan.add(Side::Right, right).await.unwrap();
    let found: Vec<_> = scan.suspects(0, 10).await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.link_id, one.has_left, one.has_right))
        .collect();
    assert_eq!(shown, [(2, true, true), (3, true, false)]);
    let counts = Counts {
        left: 3,
        right: 2,
        pairs: 3,
    };
    assert_eq!(scan.counts().await.unwrap(), counts);
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
    let scan = keyed(left, right, vec![pair(1, "9", "D", b"")]).await;
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
async fn a_record_that_a_listing_repeats_counts_once() {
    let scan = Scan::create(None, 1 << 20).await.unwrap();
    scan.add(Side::Left, vec![row("1", b"a", &[]), row("1", b"b", &[])])
        .await
        .unwrap();
    assert_eq!(scan.counts().await.unwrap().left, 1);
}

#[tokio::test]
async fn unlinked_records_are_kept_whole_and_linked_ones_are_not() {
    let scan = keyed(&[("1", &[]), ("2", &[])], &[("A", &[])], vec![pair(1, "1", "A", b"")]).await;
    let todos = vec![(Side::Left, "1".to_owned()), (Side::Left, "2".to_owned())];
    scan.add_todos(todos).await.unwrap();
    let todos = scan.todos(0, 10).await.unwrap();
    let kept: Vec<Option<Record>> = todos.into_iter().map(|todo| todo.found.record).collect();
    assert_eq!(kept, [None, Some(row("2", b"", &[]).record)]);
}

#[tokio::test]
async fn only_made_records_that_look_otherwise_than_sent_are_told() {
    let scan = Scan::create(None, 1 << 20).await.unwrap();
    let made = |id: &str| (Side::Right, id.to_owned(), Some(b"sent".to_vec()));
    scan.add_made(vec![made("A"), made("B")]).await.unwrap();
    let read = |id: &str, hashes: &[u8]| (id.to_owned(), Some(hashes.to_vec()));
    let listed = vec![read("A", b"sent"), read("B", b"cut"), read("C", b"other")];
    assert_eq!(scan.unlike_sent(Side::Right, listed).await.unwrap(), [1]);
    assert_eq!(scan.made(Side::Right, "A", 5).await.unwrap(), ["B"]);
}

#[tokio::test]
async fn what_has_to_be_done_keeps_what_was_found_for_it() {
    let left: &[(&str, &[Option<u64>])] = &[("1", &[Some(1)]), ("2", &[Some(2)]), ("9", &[])];
    let right: &[(&str, &[Option<u64>])] = &[("A", &[Some(1)]), ("B", &[Some(2)])];
    let scan = keyed(left, right, vec![pair(1, "9", "B", b"")]).await;
    let todos = vec![(Side::Left, "1".to_owned()), (Side::Left, "2".to_owned())];
    scan.add_todos(todos).await.unwrap();
    let todos = scan.todos(0, 10).await.unwrap();
    let found: Vec<Candidates> = todos.into_iter().map(|todo| todo.found.candidates).collect();
    assert_eq!(found, [one("A"), Candidates::Elsewhere("B".into())]);
}
