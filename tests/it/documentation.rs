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
