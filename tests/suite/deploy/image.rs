//! The recipe of the container image. `make image-test` follows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a file of the tree that are not comments.
fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(tree().join(name)).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The Dockerfile's instructions, each with what follows it.
fn instructions() -> Vec<(String, String)> {
    let text = lines("Dockerfile").join("\n").replace("\\\n", " ");
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
        .collect()
}

/// What a COPY from the context copies, and where to.
fn copied((name, rest): &(String, String)) -> Option<(Vec<&str>, &str)> {
    let mut paths: Vec<&str> = rest.split_whitespace().collect();
    let target = paths.pop()?;
    (name == "COPY" && !rest.starts_with("--from")).then_some((paths, target))
}

/// The targets in a manifest. A build needs a file for each.
fn named_targets(manifest: &Path) -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let tables = ["bin", "example", "test", "bench"].into_iter().filter_map(|kind| manifest.get(kind)?.as_array());
    tables.flatten().map(|target| target["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_layer_of_dependencies_has_a_file_for_each_target_that_a_manifest_names() {
    let layer = TempDir::new().unwrap();
    let mut named = BTreeSet::new();
    for instruction in instructions() {
        if let Some((sources, target)) = copied(&instruction) {
            let target = layer.path().join(target);
            fs::create_dir_all(&target).unwrap();
            for source in sources {
                let source = tree().join(source);
                fs::copy(&source, target.join(source.file_name().unwrap())).unwrap();
                if source.ends_with("Cargo.toml") {
                    named.extend(named_targets(&source));
                }
            }
        }
        if let Some((empty_sources, _)) = instruction.1.split_once("&& cargo build") {
            let created = Command::new("sh").args(["-c", empty_sources]).current_dir(layer.path()).status().unwrap();
            assert!(created.success(), "{empty_sources}");
            break;
        }
    }
    // Other than a build, it leaves out what it finds no file for.
    let arguments = ["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(layer.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found: BTreeSet<String> = packages
        .iter()
        .flat_map(|package| package["targets"].as_array().unwrap())
        .filter(|target| Path::new(target["src_path"].as_str().unwrap()).exists())
        .map(|target| target["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(named.contains("suite"), "{named:?}");
    assert!(named.is_subset(&found), "named: {named:?}, with a file: {found:?}");
}

#[test]
fn the_context_lets_in_what_the_image_copies_and_nothing_else() {
    let rules: Vec<String> = lines(".dockerignore").into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(rules[0], "*", "everything is left out");
    let let_in: BTreeSet<&str> = rules[1..].iter().map(|rule| rule.strip_prefix('!').unwrap()).collect();
    let instructions = instructions();
    let needed: BTreeSet<&str> = instructions.iter().filter_map(copied).flat_map(|(sources, _)| sources).collect();
    assert_eq!(let_in, needed);
}

#[test]
fn the_images_it_begins_from_are_arguments_and_docker_hub_is_not_asked() {
    let instructions = instructions();
    let of = |wanted: &'static str| {
        instructions.iter().filter(move |(name, _)| name == wanted).map(|(_, rest)| rest.as_str())
    };
    let defaults: BTreeMap<&str, &str> = of("ARG").filter_map(|argument| argument.split_once('=')).collect();
    let begins: Vec<&str> = of("FROM").map(|from| from.split(' ').next().unwrap()).collect();
    assert_eq!(begins.len(), 2);
    for begin in begins {
        let image = defaults[begin.strip_prefix('$').unwrap()];
        let (registry, name) = image.split_once('/').unwrap();
        assert!(registry.ends_with("gcr.io") && name.contains(':') && !name.contains('@'), "{image}");
    }
}
