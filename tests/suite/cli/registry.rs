//! The files that are generated from the registry of settings (`src/settings/registry.rs`) are up to date.

use std::{collections::BTreeSet, fs, path::Path};

use finops::settings::{
    Definition, Example, Form, Reader, Section,
    others::{CLOUDS, OF_ORIGINAL},
    registry::{self, INTRODUCTION, SECTIONS},
    variable,
};
use finops_core::model::provider::Provider;
use serde_json::{Map, Value, json};

/// Set to write the generated files.
const REWRITE: &str = "FINOPS_REWRITE_DOCS";
const WIDTH: usize = 110;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_default()
}

/// The text as comments, wrapped between words. A line break in the text stays.
fn comment(text: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = "#".to_owned();
        // Lines of code keep their spaces.
        for word in paragraph.split(' ') {
            if line.len() + 1 + word.len() > WIDTH {
                lines.push(std::mem::replace(&mut line, "#".to_owned()));
            }
            line = format!("{line} {word}");
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n") + "\n"
}

fn example(name: &str, Example { value, is_active, doc }: &Example) -> String {
    let sign = if *is_active { "" } else { "#" };
    let above = if doc.is_empty() { String::new() } else { format!("\n{}", comment(doc)) };
    let assignments = value.replace('\n', &format!("\n{sign}"));
    format!("{above}{sign}{name}={assignments}\n")
}

/// The lines of a setting; for a provider's setting, the lines of the provider `only`, or of all.
fn examples(setting: &Definition, only: Option<Provider>) -> String {
    let Definition { name, providers, examples, .. } = setting;
    if providers.is_empty() {
        return examples.iter().flatten().map(|each| example(name, each)).collect();
    }
    let of = providers
        .iter()
        .zip(examples.iter().flatten())
        .filter(|(provider, _)| only.is_none_or(|only| **provider == only));
    of.map(|(provider, each)| example(&setting.variable(Some(*provider)), each)).collect()
}

fn section(title: &str, Section { settings, .. }: &Section, only: Option<Provider>) -> String {
    let lines: String = settings.iter().map(|setting| examples(setting, only)).collect();
    format!("\n{:-<100}\n{lines}", format!("# --- {title} "))
}

fn env_example() -> String {
    let sections = SECTIONS.iter().map(|each| {
        if !each.title.contains("{provider}") {
            return section(each.title, each, None);
        }
        let of = Provider::ALL.map(|provider| {
            let name = provider.as_str();
            let title = each.title.replace("{provider}", &name.to_uppercase()).replace("{pipeline}", name);
            section(&title, each, Some(provider))
        });
        of.concat()
    });
    comment(INTRODUCTION) + &sections.collect::<String>()
}

/// What `deploy/settings.py` needs to know of a setting.
fn for_deployment(setting: &Definition) -> Value {
    let mut entry = Map::from_iter([("name".to_owned(), json!(setting.name))]);
    if let Some((form, expected)) = setting.form.pattern() {
        entry.extend([("form".to_owned(), json!(form)), ("expected".to_owned(), json!(expected))]);
    }
    if let Some(placeholder) = setting.placeholder {
        entry.insert("placeholder".to_owned(), json!(placeholder));
    }
    if setting.is_required {
        entry.insert("required".to_owned(), json!(true));
    }
    if let Some(default) = setting.default {
        entry.insert("default".to_owned(), json!(default));
    }
    if !setting.providers.is_empty() {
        entry.insert("pipelines".to_owned(), json!(setting.providers));
    }
    entry.into()
}

fn settings_json() -> String {
    let read_by = |reader| registry::all().filter(move |setting| setting.reader == reader && !setting.name.is_empty());
    // A deployment does not check settings of this machine, and settings with other rules there.
    let checked = |reader| -> Vec<Value> {
        read_by(reader).filter(|setting| setting.form.pattern().is_some()).map(for_deployment).collect()
    };
    let export = read_by(Reader::Export).map(for_deployment).collect();
    let lists = [("run", checked(Reader::Run)), ("deployment", checked(Reader::Deployment)), ("export", export)];
    let lists = lists.map(|(name, settings): (_, Vec<Value>)| {
        let lines: Vec<String> = settings.iter().map(|setting| format!("    {setting}")).collect();
        format!("  \"{name}\": [\n{}\n  ]", lines.join(",\n"))
    });
    let pipelines = json!(Provider::ALL);
    let of_run = registry::of_run().filter(|setting| setting.form.pattern().is_none());
    let local: Vec<String> =
        of_run.map(|setting| setting.name.to_owned()).chain(registry::keys().map(|(key, _)| variable(&key))).collect();
    let names = [("local", json!(local)), ("clouds", json!(CLOUDS)), ("of_original", json!(OF_ORIGINAL))];
    let names: String = names.map(|(name, list)| format!("  \"{name}\": {list},\n")).concat();
    format!(
        "{{\n  \"generated from\": \"src/settings/registry.rs\",\n  \"pipelines\": {pipelines},\n{names}{}\n}}\n",
        lists.join(",\n")
    )
}

#[test]
fn generated_files_are_those_of_the_registry() {
    for (name, wanted) in [(".env.example", env_example()), ("deploy/settings.json", settings_json())] {
        if std::env::var_os(REWRITE).is_some() {
            fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), wanted).unwrap();
        } else {
            assert_eq!(read(name), wanted, "`{REWRITE}=1 cargo nextest run registry` writes {name}");
        }
    }
}

#[test]
fn every_variable_has_an_example_of_every_provider() {
    for setting in registry::all() {
        let lines = if setting.name.is_empty() { 0 } else { setting.providers.len().max(1) };
        assert_eq!(setting.examples.iter().flatten().count(), lines, "{} {}", setting.name, setting.key);
    }
}

#[test]
fn a_variable_or_key_is_declared_once() {
    let variables = registry::all().filter(|setting| !setting.name.is_empty()).flat_map(|setting| {
        let providers: Vec<Option<Provider>> = setting.providers.iter().copied().map(Some).collect();
        let all = if providers.is_empty() { vec![None] } else { providers };
        all.into_iter().map(|provider| setting.variable(provider))
    });
    let names: Vec<String> = variables.chain(registry::keys().map(|(key, _)| key)).collect();
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len());
}

#[test]
fn numbers_are_as_the_expression_for_a_deployment_needs_them() {
    for setting in registry::all() {
        if let Form::Number(least, most) | Form::Hours(least, most) = setting.form {
            assert!(least <= 1 && most >= 10 && 10_u32.pow(most.ilog10()) == most, "{} {}", setting.name, setting.key);
        }
    }
}

#[test]
fn config_toml_example_has_every_key_and_no_other() {
    let mut table = String::new();
    let mut found = Vec::new();
    for line in read("config.toml.example").lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            found.push(format!("{table}{key}"));
        }
    }
    found.sort();
    let mut wanted: Vec<String> = registry::keys().map(|(key, _)| key).collect();
    wanted.sort();
    assert_eq!(found, wanted);
}
