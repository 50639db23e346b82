//! Files that grow while they are read: every one is refused in few words, wherever a definition may stand.

use syncline::catalog::yaml::{Document, NODES_MAX};

use super::Project;
use crate::{
    cli::{Place, stderr, stdout},
    support::rig::{Budget, Chance},
};

/// Each by its name, and the code it is refused with.
#[expect(clippy::too_many_lines, reason = "a table")]
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let levels = |count: usize, join: &dyn Fn(usize) -> String| {
        let lines: Vec<String> = (1..count)
            .map(|level| format!("a{level}: &a{level} {}", join(level - 1)))
            .collect();
        format!("a0: &a0 [x, x, x, x, x, x, x, x, x]\n{}\n", lines.join("\n"))
    };
    let nine = |below: usize| format!("[{}]", vec![format!("*a{below}"); 9].join(", "));
    let maps = |below: usize| {
        let members: Vec<String> = (0..9).map(|member| format!("m{member}: *a{below}")).collect();
        format!("{{ {} }}", members.join(", "))
    };
    let merges = |below: usize| format!("{{ <<: *a{below}, k: 1 }}");
    vec![
        ("lists of aliases", levels(30, &nine).into_bytes(), "YM012"),
        ("maps of aliases", levels(30, &maps).into_bytes(), "YM012"),
        ("merge keys upon merge keys", levels(30, &merges).into_bytes(), "YM009"),
        (
            "a list of merges",
            b"a: &a { b: 1 }\nc: { <<: [*a, *a, *a] }\n".to_vec(),
            "YM009",
        ),
        (
            "one large anchor many times",
            format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(5_000), "*a, ".repeat(90)).into_bytes(),
            "YM012",
        ),
        (
            "many small aliases",
            format!("a: &a 1\nb: [{}]\n", "*a, ".repeat(50_000)).into_bytes(),
            "YM013",
        ),
        ("an anchor within itself", b"a: &a { b: *a }\n".to_vec(), "YM006"),
        ("100,000 documents", "--- 1\n".repeat(100_000).into_bytes(), "YM005"),
        (
            "100,000 ends of documents",
            format!("a: 1\n{}b: 2\n", "...\n".repeat(100_000)).into_bytes(),
            "YM",
        ),
        (
            "10,000 lists in each other",
            format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes(),
            "YM014",
        ),
        (
            "10,000 maps in each other",
            format!("{}1{}", "{a: ".repeat(10_000), "}".repeat(10_000)).into_bytes(),
            "YM014",
        ),
        ("10,000 blocks in each other", "- ".repeat(10_000).into_bytes(), "YM014"),
        (
            "500 levels by indent",
            (0..500)
                .fold(String::new(), |text, level| text + &" ".repeat(level) + "a:\n")
                .into_bytes(),
            "YM014",
        ),
        ("10,000 keys that are maps", "? ".repeat(10_000).into_bytes(), "YM010"),
        ("10,000 anchors in a row", "&a ".repeat(10_000).into_bytes(), "YM"),
        (
            "a million items",
            format!("[{}]", "1,".repeat(500_000)).into_bytes(),
            "YM012",
        ),
        (
            "a text of a mebibyte",
            format!("a: \"{}\"\n", "x".repeat(1 << 20)).into_bytes(),
            "YM001",
        ),
        (
            "a tag that runs",
            b"a: !!python/object/apply:os.system ['id']\n".to_vec(),
            "YM007",
        ),
        (
            "a tag that builds",
            b"!ruby/object:Gem::Installer\ni: x\n".to_vec(),
            "YM007",
        ),
        ("a tag of the set", b"a: !!set { b, c }\n".to_vec(), "YM007"),
        (
            "a directive for tags",
            b"%TAG ! tag:evil.example,2026:\n---\na: !x 1\n".to_vec(),
            "YM0",
        ),
        (
            "UTF-16",
            "a: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "YM003",
        ),
        ("bytes that are no text", b"a: \xc0\xae\xc0\xae/\n".to_vec(), "YM002"),
    ]
}

#[test]
fn every_bomb_is_refused_at_every_place_by_its_name_and_after_little_work() {
    for (name, bytes, code) in bombs() {
        let document = Document::read(&bytes);
        assert!(document.events <= NODES_MAX + 10, "{name}: {} events", document.events);
        for place in [
            "connectors/evil.yaml",
            "connectors/shop.overlay.yaml",
            "mappings/evil.yaml",
            "mappings/customer.overlay.yaml",
            "mappings/customer.test.yaml",
        ] {
            let project = Project::new();
            project.write(&format!("project/{place}"), &bytes);
            let told = project.refused(&format!("{name} as {place}"));
            assert!(
                told.contains(&format!("error[{code}")),
                "{name} as {place}: {told:.2000}"
            );
            let file = place.rsplit('/').next().unwrap();
            assert!(told.contains(file), "{name}: {place} is not named: {told:.2000}");
        }
    }
}

#[test]
fn the_command_that_checks_tells_of_all_bombs_at_once_and_goes_on_to_the_rest() {
    let place = Place::project();
    for (number, (_, bytes, _)) in bombs().into_iter().enumerate() {
        let path = place.path().join(format!("connectors/evil{number}.yaml"));
        std::fs::write(path, bytes).unwrap();
    }
    place.edit(
        "mappings/contact.yaml",
        "mapping: contact",
        "mapping: contact\nmatsch: []",
    );
    let done = place.run(&["check"]).code(1);
    let (told, error) = (stdout(&done), stderr(&done));
    assert!(told.contains("matsch"), "what else is wrong is told, too: {told:.2000}");
    for number in 0..bombs().len() {
        assert!(told.contains(&format!("evil{number}.yaml")), "evil{number} is told");
    }
    for inside in ["panicked", "RUST_BACKTRACE", "overflow"] {
        assert!(!told.contains(inside) && !error.contains(inside), "{error}");
    }
}

/// Anchors, aliases, tags, keys and brackets by chance.
fn drawn(chance: &mut Chance) -> String {
    const PIECES: [&str; 26] = [
        "&a ",
        "*a",
        "*b ",
        "&b ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "a: ",
        "b: ",
        "<<: ",
        "? ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "--- ",
        "...\n",
        "!!str ",
        "!include ",
        "x",
        "\"{{ a }}\"",
        "|\n",
        ">-\n ",
        "# c\n",
    ];
    (0..chance.below(200)).map(|_| *chance.pick(&PIECES)).collect()
}

#[test]
fn whatever_is_drawn_is_read_within_its_bounds_and_never_grows() {
    let mut budget = Budget::new(3_000, 10_000_000);
    let mut chance = budget.chance();
    let mut taken = 0;
    while budget.goes_on() {
        let text = drawn(&mut chance);
        let document = Document::read(text.as_bytes());
        let told = || format!("{text:?}; {}", budget.replay());
        assert!(
            document.events <= NODES_MAX + 10,
            "{} events: {}",
            document.events,
            told()
        );
        assert!(document.body.is_ok() || !document.flaws.is_empty(), "{}", told());
        for flaw in &document.flaws {
            assert!(
                flaw.span.start <= flaw.span.end && flaw.span.end <= text.len(),
                "{}",
                told()
            );
        }
        taken += u64::from(document.flaws.is_empty());
    }
    assert!(
        taken > 0 && taken < budget.done(),
        "{taken} of {} are right",
        budget.done()
    );
}
