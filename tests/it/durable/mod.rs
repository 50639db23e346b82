//! What is acknowledged stays: processes are killed, lose power and run on disks that fail, and a checker compares what
//! they acknowledged with what is there.

mod daemon;
mod disk;
mod failing_disk;
mod inbox;
mod power;
mod unknown;

/// A promise in the documentation is worth what its tests are.
#[test]
fn every_test_that_the_documentation_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let mut found = 0;
    for name in page.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
        let path = name.split("::").collect::<Vec<_>>();
        let folder = root.join("tests/it").join(path[0]);
        let file = folder.join(format!("{}.rs", path[1]));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_there = path.get(2).is_none_or(|test| text.contains(&format!("fn {test}()")));
        assert!(is_there, "there is no test {name}");
        found += 1;
    }
    assert!(found > 10, "{found}");
}
