//! Names that were replaced by plainer ones.

use std::fs;

use proc_macro2::{TokenStream, TokenTree};

use super::source::{root, rust_files};

/// The folders with Rust code.
const FOLDERS: [&str; 7] = ["src", "core", "emulator", "generator", "tests", "benches", "examples"];

/// What must not come back, and the name that replaces it.
const REPLACED: [(&str, &str); 31] = [
    ("AsIs", "Conversion::None"),
    ("Fetched", "LocalFiles"),
    ("BucketPlace", "BucketLocation"),
    ("Got", "OnBytes"),
    ("Head", "ReadRange::First"),
    ("Held", "StageState"),
    ("Looked", "SourceChecks or WarehouseChecks"),
    ("MonthSurvey", "MonthOverview"),
    ("Overtaken", "Superseded"),
    ("Standing", "LoadedMonth"),
    ("Steps", "StagedSettings"),
    ("TableLayout", "KeyColumns"),
    ("Tail", "ReadRange::Last"),
    ("Untold", "BucketLocationLookup::NotPermitted"),
    ("another_export", "holds_other_export"),
    ("another_way", "written_by_other_pipeline"),
    ("asks_for", "preferred_type"),
    ("castings", "conversions"),
    ("harmless", "strip_control_chars"),
    ("is_news", "is_unacknowledged"),
    ("not_ours", "unmanaged_table"),
    ("passed_over", "ignored_newer_delivery"),
    ("pillars", "required_columns"),
    ("respell", "unify_case"),
    ("reword", "a wording of Reason"),
    ("stand_in", "fallback_delivery"),
    ("standing", "loaded or loaded_month"),
    ("survey", "overview"),
    ("told", "reported, or last_acknowledged"),
    ("unreplaced", "files_not_yet_overwritten"),
    ("weigh", "decide"),
];

#[test]
fn replaced_names_do_not_come_back() {
    let files = FOLDERS.iter().flat_map(|folder| rust_files(folder));
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut used = Vec::new();
        identifiers(tokens, &mut used);
        let replaced = REPLACED.iter().filter(|(old, _)| used.iter().any(|name| name == old));
        found.extend(replaced.map(|(old, new)| format!("{file}: `{old}` is called {new}")));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn identifiers(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
