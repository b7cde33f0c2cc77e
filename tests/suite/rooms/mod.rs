//! The rooms of ARCHITECTURE.md: who may import whom, no circle between files, and names that must not come back.

mod names;
mod picture;
mod source;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use self::{
    picture::picture,
    source::{Import, Source},
    table::Table,
};

const PICTURE: &str = "docs/rooms.svg";
/// Set to write the picture.
const REWRITE: &str = "FINOPS_REWRITE_DOCS";

/// Crates, and the beginnings of the paths of the only files that may use them.
const KEPT_IN: [(&str, &[&str]); 8] = [
    ("aws_config", &["src/storage/s3.rs"]),
    ("aws_sdk_s3", &["src/storage/s3.rs"]),
    ("billing_exports", &["src/commands/demo.rs"]),
    ("clap", &["src/cli.rs", "src/commands/mod.rs", "src/main.rs"]),
    ("console", &["src/output/"]),
    ("duckdb", &["src/warehouse/duckdb/"]),
    ("google_cloud_storage", &["src/storage/gcs"]),
    ("indicatif", &["src/output/"]),
];

#[test]
fn every_file_is_in_one_room() {
    let table = Table::read();
    for file in Source::read().files() {
        assert_eq!(table.rooms_with(file).count(), 1, "{file} must be in exactly one room of ARCHITECTURE.md");
    }
}

#[test]
fn rooms_import_only_what_the_architecture_allows() {
    let (table, source) = (Table::read(), Source::read());
    let room = |file: &str| table.rooms_with(file).next().unwrap();
    let mut wrong = BTreeSet::new();
    for Import { from, to, path } in source.imports() {
        let (importer, imported) = (room(from), room(to));
        if importer.name != imported.name && !importer.imports.contains(&imported.name) {
            wrong.insert(format!(
                "{from} imports {path} of {to}: `{}` may not import `{}`",
                importer.name, imported.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn types_of_services_and_of_the_command_line_stay_in_their_files() {
    let crates: Vec<&str> = KEPT_IN.iter().map(|(name, _)| *name).collect();
    let source = Source::read();
    let is_kept = |file: &str, name: &str| {
        KEPT_IN.iter().any(|(kept, places)| *kept == name && places.iter().any(|place| file.starts_with(place)))
    };
    let is_product = |file: &str| file.starts_with("src/") || file.starts_with("core/src/");
    let wrong = source.uses(&crates).filter(|(file, name)| is_product(file) && !is_kept(file, name));
    let wrong: BTreeSet<String> = wrong.map(|(file, name)| format!("{file} uses the crate {name}")).collect();
    assert!(wrong.is_empty(), "{}", lines(&wrong));
}

#[test]
fn rooms_have_no_circle() {
    let table = Table::read();
    assert_eq!(table.levels("").concat().len(), table.0.len());
}

#[test]
fn files_of_product_code_have_no_circle() {
    let source = Source::read();
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Import { from, to, .. } in source.imports() {
        imports.entry(from).or_default().insert(to);
    }
    let is_product = |file: &str| file.starts_with("src/") || file.starts_with("core/src/");
    let circles: BTreeSet<String> = imports
        .keys()
        .filter(|file| is_product(file))
        .filter_map(|file| shortest_circle(file, &imports))
        .map(|circle| circle.join(" -> "))
        .collect();
    assert!(circles.is_empty(), "{}", lines(&circles));
}

/// The shortest way from the file back to itself, written from its first file by name.
fn shortest_circle<'a>(file: &'a str, imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut reached = vec![file];
    let mut at = 0;
    while !came_from.contains_key(file) {
        let from = *reached.get(at)?;
        at += 1;
        for to in imports.get(from).into_iter().flatten() {
            came_from.entry(to).or_insert_with(|| {
                reached.push(to);
                from
            });
        }
    }
    let mut circle = vec![file];
    let mut previous = came_from[file];
    while previous != file {
        circle.push(previous);
        previous = came_from[previous];
    }
    circle.reverse();
    let first = (0..circle.len()).min_by_key(|at| circle[*at])?;
    circle.rotate_left(first);
    Some(circle)
}

#[test]
fn the_picture_agrees_with_the_table() {
    let path = source::root().join(PICTURE);
    let wanted = picture(&Table::read());
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let drawn = fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == wanted, "{REWRITE}=1 cargo nextest run rooms writes {PICTURE}");
}

fn lines(found: &BTreeSet<String>) -> String {
    let lines: Vec<&str> = found.iter().map(String::as_str).collect();
    format!("\n{}", lines.join("\n"))
}
