//! CONTRIBUTING.md: what it takes to add a format, a warehouse or a form of output is counted, and its files exist.

use std::{fs, path::Path};

/// The sections, and how many files each may edit.
const WALKS: [(&str, usize); 3] =
    [("Add a provider's format", 12), ("Add a warehouse", 7), ("Add a form of output", 2)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A section, without its title.
fn section<'a>(document: &'a str, title: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("\n## {title}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The paths in a text between backticks. Files whose paths contain `<name>` do not exist yet.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.contains('/') && !text.contains('<'))
}

#[test]
fn what_is_to_be_edited_is_counted_and_is_no_more_than_planned() {
    let document = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    for (title, most) in WALKS {
        let section = section(&document, title);
        let numbers = section.lines().filter_map(|line| line.split_once(". `")?.0.parse::<usize>().ok());
        let edits: Vec<usize> = numbers.collect();
        assert_eq!(edits, (1..=edits.len()).collect::<Vec<_>>(), "{title}");
        assert!(edits.len() <= most, "{title}: {} edits, at most {most}", edits.len());
        assert!(section.contains(&format!("\n{} edits", edits.len())), "{title} has {} edits", edits.len());
    }
}

#[test]
fn files_to_edit_exist() {
    let document = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    for (title, _) in WALKS {
        let named: Vec<&str> = paths(section(&document, title)).collect();
        assert!(!named.is_empty(), "{title}");
        for path in named {
            assert!(root().join(path).exists(), "{title}: there is no {path}");
        }
    }
}
