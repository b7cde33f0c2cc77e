//! docs/decisions/: every decision has the same parts, and the list has every decision.

use std::{fs, path::Path};

const PARTS: [&str; 4] = ["## Context", "## Decision", "## Alternatives", "## Consequences"];

#[test]
fn every_decision_has_status_date_and_alternatives_and_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions");
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut rows = Vec::new();
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names.iter().filter(|name| *name != "README.md") {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let line = |start: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(start));
            found.unwrap_or_else(|| panic!("{name} has no line that begins with {start:?}")).to_owned()
        };
        let (number, title) = line("# ").split_once(". ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(name.starts_with(&format!("{:04}-", number.parse::<u32>().unwrap())), "{name}");
        rows.push(format!("| [{number}]({name}) | {title} | {} | {} |", line("Status: "), line("Date: ")));
        let parts: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(parts, PARTS, "{name}");
    }
    let listed: Vec<&str> = list.lines().filter(|line| line.starts_with("| [")).collect();
    assert_eq!(listed, rows);
}
