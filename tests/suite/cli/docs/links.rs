//! Links between documents, and documents that texts of the program name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::root;

/// The documents, as paths from the root.
pub fn documents() -> Vec<String> {
    let folders = ["", "docs", "docs/decisions", "examples"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut names: Vec<String> =
        paths.map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The targets of a document's links and pictures, and the anchors of its titles as GitHub builds them.
fn targets_and_anchors(path: &Path) -> (Vec<String>, BTreeSet<String>) {
    let text = fs::read_to_string(path).unwrap();
    let (mut targets, mut anchors, mut title) = (Vec::new(), BTreeSet::new(), None::<String>);
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                targets.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => title = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                anchors.insert(anchor(&title.take().unwrap()));
            }
            _ => {}
        }
    }
    (targets, anchors)
}

fn anchor(title: &str) -> String {
    let kept = title.to_lowercase();
    kept.chars().filter(|each| each.is_alphanumeric() || " -_".contains(*each)).collect::<String>().replace(' ', "-")
}

/// The file that a link of `document` leads to, if it is no address of the web.
fn destination(document: &Path, target: &str) -> Option<(PathBuf, String)> {
    if target.contains("://") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { document.to_owned() } else { document.parent().unwrap().join(path) };
    Some((file, anchor.to_owned()))
}

#[test]
fn every_link_leads_to_a_file_and_a_title() {
    let mut broken = Vec::new();
    for name in documents() {
        let document = root().join(&name);
        for target in targets_and_anchors(&document).0 {
            let Some((file, anchor)) = destination(&document, &target) else { continue };
            let is_known = anchor.is_empty() || file.exists() && targets_and_anchors(&file).1.contains(&anchor);
            if !file.exists() || !is_known {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_index_names_every_document() {
    let index = root().join("docs/README.md");
    let linked = targets_and_anchors(&index).0.into_iter().filter_map(|target| destination(&index, &target));
    let linked: BTreeSet<PathBuf> = linked.map(|(file, _)| file.canonicalize().unwrap()).collect();
    let is_listed = |name: &String| {
        // Decisions have an index of their own.
        name.starts_with("docs/decisions/0") || name == "docs/README.md" || linked.contains(&root().join(name))
    };
    let missing: Vec<String> = documents().into_iter().filter(|name| !is_listed(name)).collect();
    assert!(missing.is_empty(), "docs/README.md does not name {missing:?}");
}

#[test]
fn documents_that_the_program_and_its_examples_name_exist() {
    let mut files = vec![".env.example".to_owned(), "config.toml.example".to_owned(), "Makefile".to_owned()];
    for folder in ["core/src/hint", "src", "src/settings", "src/commands", "deploy"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let own = entries.filter(|path| path.is_file());
        files.extend(own.map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()));
    }
    let (mut named, mut missing) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let words = text.split(|each: char| !(each.is_alphanumeric() || "./_-#".contains(each)));
        for word in words.filter(|word| word.trim_end_matches('.').contains(".md")) {
            let (path, anchor) = word.trim_end_matches('.').split_once('#').unwrap_or((word.trim_end_matches('.'), ""));
            let target = root().join(path);
            named += 1;
            if !target.is_file() || !(anchor.is_empty() || targets_and_anchors(&target).1.contains(anchor)) {
                missing.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(named >= 3 && missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(anchor("What the numbers mean"), "what-the-numbers-mean");
    assert_eq!(anchor("The job: `finops-job@<project>.example`"), "the-job-finops-jobprojectexample");
    assert_eq!(anchor("Encryption keys (CMEK)"), "encryption-keys-cmek");
}
