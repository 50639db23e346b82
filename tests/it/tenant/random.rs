//! Names that begin alike, are parts of each other, or are spelled otherwise: none of them is the other.

use std::collections::{BTreeMap, BTreeSet};

use syncline::{
    core::{
        status::Role,
        tenant::{Reach, Tenant},
    },
    server::{api, tenancy::Owners},
};

use super::World;
use crate::support::{app::TestApp, http};

/// Names that a careless comparison takes for one another.
const NAMES: [&str; 14] = [
    "a", "ab", "abc", "abcd", "abcdef", "abc-def", "abc-", "abc-abc", "bc", "bcdef", "c", "def", "cdef", "0",
];
/// What is asked for beside them.
const STRANGE: [&str; 14] = [
    "",
    "ABC",
    "Abc",
    "abc ",
    " abc",
    "abc%",
    "ab_",
    "%",
    "*",
    "abc,ab",
    "abc\0",
    "a%62c",
    "abc/../ab",
    "abç",
];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.throw(of.len())]
    }
}

#[test]
fn of_100_000_random_questions_none_is_answered_across_tenants() {
    let mut dice = Dice(7);
    let (mut reads, mut refusals) = (0_u32, 0_u32);
    for _ in 0..1_000 {
        // Systems and mappings have the names of tenants as well, of others than their own mostly.
        let mut systems: BTreeMap<String, Option<Tenant>> = BTreeMap::new();
        for name in NAMES {
            let owner = dice.one(&NAMES).parse().ok().filter(|_| dice.throw(5) > 0);
            systems.insert(name.to_owned(), owner);
        }
        let ends: Vec<(&str, [&str; 2])> = NAMES
            .iter()
            .map(|name| (*name, [*dice.one(&NAMES), *dice.one(&NAMES)]))
            .collect();
        let owner_of = |name: &str| systems.get(name).cloned().flatten();
        let owners = Owners::new(systems.clone(), ends.iter().copied());
        for _ in 0..10 {
            let limit: BTreeSet<Tenant> = (0..dice.throw(3))
                .filter_map(|_| dice.one(&NAMES).parse().ok())
                .collect();
            let scope = owners.scope(&Reach::Tenants(limit.clone())).unwrap();
            for _ in 0..10 {
                let asked = if dice.throw(3) == 0 {
                    *dice.one(&STRANGE)
                } else {
                    *dice.one(&NAMES)
                };
                let is_mine = |owner: Option<&Tenant>| owner.is_some_and(|owner| limit.contains(owner));
                let system = is_mine(owner_of(asked).as_ref());
                let mapping = ends
                    .iter()
                    .find(|(name, _)| *name == asked)
                    .is_some_and(|(_, [left, right])| {
                        let both = [owner_of(left), owner_of(right)];
                        let named: BTreeSet<_> = both.iter().flatten().collect();
                        named.len() == 1 && is_mine(named.first().copied())
                    });
                assert_eq!(
                    scope.has_system(asked),
                    system,
                    "{asked} of {systems:?} within {limit:?}"
                );
                assert_eq!(
                    scope.has_mapping(asked),
                    mapping,
                    "{asked} of {ends:?} within {limit:?}"
                );
                let count = if system || mapping { &mut reads } else { &mut refusals };
                *count += 1;
            }
        }
    }
    assert_eq!(reads + refusals, 100_000);
    assert!(reads > 5_000, "something is theirs: {reads}");
}

/// A random look at the API, with a header that names a tenant now and then: nobody believes it.
async fn look(app: &TestApp, dice: &mut Dice, token: &str) -> (String, http::Answer) {
    let routes: Vec<_> = api::routes()
        .into_iter()
        .filter(|route| route.method == "GET")
        .collect();
    let names: Vec<String> = super::MAPPINGS
        .iter()
        .flat_map(|(name, _)| {
            [
                (*name).to_owned(),
                format!("erp-{name}"),
                format!("crm-{name}"),
                name.to_uppercase(),
            ]
        })
        .chain(NAMES.map(str::to_owned))
        .chain(["abc%25", "%61bcdef", "abc%00", "ab_", "abc%2F..%2Fabcdef", "%20abc"].map(str::to_owned))
        .collect();
    let route = dice.one(&routes);
    let steps: Vec<String> = route
        .path
        .split('/')
        .map(|step| match step {
            "{id}" if dice.throw(4) == 0 => dice.one(&names).clone(),
            "{id}" => dice.throw(40).to_string(),
            "{side}" => (*dice.one(&["left", "right", "erp-abc", "crm-abcdef"])).to_owned(),
            "{name}" => dice.one(&names).clone(),
            step => step.to_owned(),
        })
        .collect();
    let mut path = steps.join("/");
    if path.ends_with("/export") {
        path.push_str("?format=jsonl");
    } else if dice.throw(3) > 0 {
        let key = dice.one(&["mapping", "system", "subject", "record_id", "run_id", "limit"]);
        let value = dice.one(&names);
        path = format!("{path}?{key}={value}");
        if *key == "mapping" && dice.throw(3) == 0 {
            let word = dice.throw(6);
            path = format!("{path}&side=left&record_id=L0-zq{word}qz");
        }
    }
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Authorization", bearer.as_str())];
    if dice.throw(2) == 0 {
        headers.push(("X-Tenant", "abcdef"));
    }
    let answer = http::send(&app.address, "GET", &path, &headers, b"").await;
    (path, answer)
}

#[tokio::test]
async fn of_thousands_of_random_requests_none_is_answered_across_tenants() {
    let world = World::start().await;
    let app = &world.app;
    let limits: [&[&str]; 7] = [
        &["ab"],
        &["abc"],
        &["abcdef"],
        &["abc-def"],
        &["abc", "ab"],
        &["a", "abcde"],
        &[],
    ];
    let mut askers = Vec::new();
    for limit in limits {
        askers.push((limit, app.token_within(Role::Admin, limit).await));
    }
    let mut dice = Dice(11);
    let mut answered = 0;
    for _ in 0..4_000 {
        let (limit, token) = dice.one(&askers);
        let (path, answer) = look(app, &mut dice, token).await;
        assert!(answer.status < 500, "{path}: {}", answer.text());
        let text = answer.text();
        for thing in world.things.values() {
            if thing.owner.is_some_and(|owner| limit.contains(&owner)) {
                answered += u32::from(text.contains(&thing.word));
            } else {
                assert!(!text.contains(&thing.word), "{path} within {limit:?}: {text}");
            }
        }
    }
    assert!(answered > 100, "something is theirs: {answered}");
}
