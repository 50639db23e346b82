//! What the documentation says of routes and codes, compared with what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syncline::server::api;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
}

#[test]
fn every_route_of_the_api_is_documented_with_its_role_and_an_example() {
    let page = fs::read_to_string(root().join("docs/api.md")).unwrap();
    let mut documented = BTreeMap::new();
    for section in page.split("\n### ").skip(1) {
        let heading = section.lines().next().unwrap();
        let (route, role) = heading.split_once("` — ").unwrap_or_else(|| panic!("{heading}"));
        let route = route.trim_start_matches('`').to_owned();
        assert!(section.contains("curl "), "{route} has no example");
        assert!(
            documented.insert(route.clone(), role.to_owned()).is_none(),
            "{route} stands twice"
        );
    }
    let served: BTreeMap<_, _> = api::routes()
        .into_iter()
        .map(|route| (format!("{} {}", route.method, route.path), route.role.to_string()))
        .collect();
    assert_eq!(documented, served);
}

#[test]
fn the_page_on_reports_has_every_situation_and_cause_in_the_words_of_the_product() {
    use syncline::{
        core::status::{Cause, Situation},
        report::words,
    };
    let page = fs::read_to_string(root().join("docs/drift-reports.md")).unwrap();
    for situation in Situation::ALL {
        let row = format!("| `{situation}` | {} |", words::situation(*situation));
        assert!(page.contains(&row), "{row}");
    }
    for cause in Cause::ALL {
        let row = format!(
            "| `{cause}` | {} | {} |",
            words::cause(*cause),
            words::next_step(*cause)
        );
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn every_column_of_a_view_is_documented_and_both_databases_have_it() {
    let page = fs::read_to_string(root().join("docs/database.md")).unwrap();
    let columns = |database: &str| {
        let text = fs::read_to_string(root().join(format!("migrations/{database}/0004_report.sql"))).unwrap();
        let views = text.split("create view").skip(1).flat_map(|view| {
            let body = view.split("\nselect\n").nth(1).unwrap().split("\nfrom").next().unwrap();
            let lines = body.lines().map(|line| line.trim().trim_end_matches(','));
            lines
                .map(|line| line.rsplit([' ', '.']).next().unwrap().to_owned())
                .collect::<Vec<_>>()
        });
        views.collect::<Vec<_>>()
    };
    let found = columns("sqlite");
    assert!(found.len() > 45, "{found:?}");
    assert_eq!(found, columns("postgres"));
    for column in found {
        assert!(
            page.contains(&format!("`{column}`")),
            "docs/database.md has no `{column}`"
        );
    }
}

/// Two capital letters and three digits, in quotation marks or brackets.
fn codes(text: &str) -> BTreeSet<String> {
    let is_code =
        |word: &[u8]| word[..2].iter().all(u8::is_ascii_uppercase) && word[2..].iter().all(u8::is_ascii_digit);
    let words = text.as_bytes().windows(7).filter(|window| {
        let edges = (window[0], window[6]);
        matches!(edges, (b'"', b'"') | (b'[', b']')) && is_code(&window[1..6])
    });
    words
        .map(|window| String::from_utf8_lossy(&window[1..6]).into_owned())
        .collect()
}

#[test]
fn every_code_of_the_source_is_documented() {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let mut known = BTreeMap::new();
    for source in sources {
        let is_test = source
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        let text = fs::read_to_string(&source).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        if !is_test {
            for found in codes(code) {
                known.entry(found).or_insert_with(|| source.clone());
            }
        }
    }
    assert!(known.len() > 150, "the codes are found: {}", known.len());
    let mut pages = Vec::new();
    files(&root().join("docs/errors"), "md", &mut pages);
    let documented: String = pages.iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    // The page of the client comes with the client.
    let has_client_page = root().join("docs/errors/client.md").exists();
    let missing: Vec<_> = known
        .iter()
        .filter(|(code, _)| has_client_page || !(code.starts_with("AU") || code.starts_with("RQ")))
        .filter(|(code, _)| !documented.contains(&format!("| {code} |")))
        .collect();
    assert!(missing.is_empty(), "no page of docs/errors has a row for {missing:#?}");
    let index = fs::read_to_string(root().join("docs/errors/README.md")).unwrap();
    let families: BTreeSet<&str> = known.keys().map(|code| &code[..2]).collect();
    for family in families {
        assert!(index.contains(&format!("`{family}`")), "the index has no `{family}`");
    }
}

#[test]
fn no_page_links_to_a_page_that_is_not_there() {
    let mut pages = Vec::new();
    files(&root().join("docs"), "md", &mut pages);
    pages.push(root().join("SECURITY.md"));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.contains(' ') {
                continue;
            }
            let target = page.parent().unwrap().join(path);
            assert!(target.exists(), "{} links to {link}", page.display());
        }
    }
}

/// A name of a test or of a module of tests, as the documentation writes it; `…` stands for what two names have in common.
fn is_name(span: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let rest = span.strip_prefix('…').unwrap_or(span);
    let is_sentence = rest.matches('_').count() > 3;
    rest.split("::").all(is_word) && (span.contains("::") || span.starts_with('…') || is_sentence)
}

/// The text of a module, of a folder with everything in it.
fn module(path: &Path) -> Option<String> {
    let file = path.with_extension("rs");
    if file.exists() {
        return fs::read_to_string(file).ok();
    }
    let mut found = Vec::new();
    if path.is_dir() {
        files(path, "rs", &mut found);
    }
    (!found.is_empty()).then(|| found.iter().map(|file| fs::read_to_string(file).unwrap()).collect())
}

/// Whether a text has a test whose name ends so: a function that is marked as one, or listed to be made two of.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let is_made = |at: &usize| {
        let marks = lines[at.saturating_sub(6)..*at].iter().rev();
        let mut marks = marks.take_while(|line| !line.is_empty() && **line != "}" && !line.ends_with(';'));
        let of = lines[*at].split("fn ").nth(1).and_then(|rest| rest.split('(').next());
        marks.any(|line| line.contains("test]") || line.contains("test("))
            || lines.contains(&&*format!("    {},", of.unwrap_or_default()))
    };
    let is_its = |at: &usize| {
        let rest = lines[*at].trim_start();
        let rest = rest.strip_prefix("pub ").unwrap_or(rest);
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        let function = rest.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        match name.strip_prefix('…') {
            Some(end) => function.is_some_and(|function| function.ends_with(end)),
            None => function == Some(name),
        }
    };
    (0..lines.len()).filter(is_its).any(|at| is_made(&at))
}

/// Where the test may be that a span of the documentation names: in the module that it names, or else in that which its sentence
/// names, or else anywhere.
fn find(span: &str, place: Option<&str>) -> Result<(), String> {
    let suite = root().join("tests/it");
    if let Some((path, name)) = span.rsplit_once("::") {
        let path = suite.join(path.replace("::", "/"));
        // The name of a module, or of a test in one.
        let is_there = module(&path.join(name)).is_some() || module(&path).is_some_and(|text| has_test(&text, name));
        return is_there.then_some(()).ok_or_else(|| format!("there is no `{span}`"));
    }
    let texts = match place {
        Some(place) if place.starts_with("src/") => module(&root().join(place)),
        Some(place) => module(&suite.join(place.replace("::", "/"))),
        None => module(&suite)
            .zip(module(&root().join("src")))
            .map(|(one, other)| one + &other),
    };
    let text = texts.ok_or_else(|| format!("there is no {place:?}"))?;
    let where_to = place.unwrap_or("the suite");
    has_test(&text, span)
        .then_some(())
        .ok_or_else(|| format!("there is no test `{span}` in {where_to}"))
}

/// The names of tests on a page, each with the place that its sentence gives.
fn named(page: &str) -> Vec<(String, Option<String>)> {
    let mut all: Vec<(String, Option<String>)> = Vec::new();
    for item in page.split("\n\n").flat_map(|part| part.split("\n- ")) {
        let parts: Vec<&str> = item.split('`').collect();
        let (mut open, mut last) = (all.len(), None);
        for at in (1..parts.len()).step_by(2) {
            let (before, span) = (parts[at - 1], parts[at]);
            let is_place = before.ends_with('(') || before.ends_with("(in ");
            let is_pending = |(name, place): &&mut (String, Option<String>)| place.is_none() && !name.contains("::");
            let is_place = is_place && (span.starts_with("src/") || is_name(span));
            if is_place && all[open..].iter_mut().any(|named| is_pending(&named)) {
                for (_, place) in all[open..].iter_mut().filter(is_pending) {
                    *place = Some(span.to_owned());
                }
                open = all.len();
            } else if is_name(span) {
                let place = span.starts_with('…').then(|| last.clone()).flatten();
                last = span.rsplit_once("::").map(|(path, _)| path.to_owned()).or(last);
                all.push((span.to_owned(), place));
            }
        }
    }
    all
}

#[test]
fn names_of_tests_are_found_with_the_place_that_their_sentence_gives() {
    let page = "- see `a::b::it_is_so`, `…_or_so` and `limits.lease`\n- `one_that_says_what_it_means` and `another_that_says_what_it_means` \
                (in `src/core/plan`)\n- `a_third_that_says_what_it_means`\n\nalone: `one::two` (`run_time_max`)";
    let expected = [
        ("a::b::it_is_so", None),
        ("…_or_so", Some("a::b")),
        ("one_that_says_what_it_means", Some("src/core/plan")),
        ("another_that_says_what_it_means", Some("src/core/plan")),
        ("a_third_that_says_what_it_means", None),
        ("one::two", None),
    ];
    let expected = expected.map(|(name, place)| (name.to_owned(), place.map(str::to_owned)));
    assert_eq!(named(page), expected);
    let listed =
        "on_both!(\n    a_b,\n);\n\nasync fn a_b(database: Database) {\n}\n\n#[test]\nfn c_d() {\n}\n\nfn e_f() {\n}\n";
    assert!(has_test(listed, "a_b") && has_test(listed, "c_d") && has_test(listed, "…_d"));
    assert!(!has_test(listed, "e_f") && !has_test(listed, "a_c"));
}

/// A promise in the documentation is worth what its tests are.
#[test]
fn every_test_that_the_documentation_names_exists() {
    let page = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let named = named(&page);
    assert!(named.len() > 30, "{named:?}");
    let missing = named
        .iter()
        .filter_map(|(span, place)| find(span, place.as_deref()).err())
        .collect::<Vec<_>>();
    assert_eq!(missing, Vec::<String>::new());
}
