//! Every hint is in the registry (`core/src/hint/`), is shown somewhere, is reached by a test, and is documented.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use finops_core::hint::{ALL, Hint};

/// The test itself names no hint.
const THIS: &str = "tests/suite/cli/hints.rs";
const REGISTRY: &str = "core/src/hint/";
const DOCUMENT: &str = "docs/troubleshooting.md";
/// Set to rewrite the table of the document.
const REWRITE: &str = "FINOPS_REWRITE_DOCS";
/// Longer than any text that a run inserts into a hint.
const LONGEST_FILLED: usize = 200;

/// A file of the repository.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The program's code, and the unit tests below it.
    fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.text.find("#[cfg(test)]").unwrap_or(self.text.len()))
    }
}

/// The files with one of the `extensions` below a folder.
fn files(folder: &str, extensions: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found): (Vec<PathBuf>, Vec<File>) = (vec![root.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)) {
                let relative = path.strip_prefix(root).unwrap().display().to_string();
                found.push(File { path: relative, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found
}

/// The program's own code, without the registry.
fn sources() -> Vec<File> {
    let all = files("src", &["rs"]).into_iter().chain(files("core/src", &["rs"]));
    all.filter(|file| !file.path.starts_with(REGISTRY)).collect()
}

fn all() -> impl Iterator<Item = &'static Hint> {
    ALL.into_iter().flatten()
}

/// A text without line breaks, and without the escapes of Rust and JSON for line breaks and quotes.
fn flat(text: &str) -> String {
    let joined = text.replace("\\\n", " ").replace("\\\"", "\"").replace("\\n", "\n");
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a hint's constant or function is named.
fn names(code: &str, hint: &Hint) -> bool {
    let path = format!("hint::{}", hint.name);
    code.match_indices(&path).any(|(at, _)| {
        let after = code[at + path.len()..].chars().next();
        after.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// Whether the text has the hint, with any short text in the hint's places.
fn shows(flat_text: &str, hint: &Hint) -> bool {
    let text = flat(hint.text);
    let mut parts = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, fixed)| fixed));
    // A place at the beginning may be anything.
    let first = parts.find(|part| !part.is_empty()).unwrap();
    let rest: Vec<&str> = parts.collect();
    flat_text.match_indices(first).any(|(at, _)| {
        let mut left = &flat_text[at + first.len()..];
        rest.iter().all(|part| match left.find(part) {
            Some(at) if at <= LONGEST_FILLED => {
                left = &left[at + part.len()..];
                true
            }
            _ => false,
        })
    })
}

/// The code up to the end of the statement, argument or field that begins here.
fn expression(code: &str) -> &str {
    let mut depth = 0;
    let mut is_text = false;
    let end = code.char_indices().find(|(_, c)| {
        match c {
            '"' => is_text = !is_text,
            _ if is_text => {}
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            ';' | ',' => return depth == 0,
            _ => {}
        }
        depth < 0
    });
    &code[..end.map_or(code.len(), |(at, _)| at)]
}

/// The last argument of a call, given what follows its opening parenthesis.
fn last_argument(mut code: &str) -> &str {
    loop {
        let argument = expression(code);
        match code[argument.len()..].strip_prefix(',') {
            Some(after) if !after.trim_start().starts_with(')') => code = after,
            _ => return argument,
        }
    }
}

/// The literals that a piece of code uses as hints, or stores for that.
fn literals(code: &str) -> Vec<String> {
    let code = flat(code);
    let is_literal = |rest: &str| {
        let rest = rest.trim_start().trim_start_matches("Some(").trim_start_matches('&');
        rest.starts_with('"') || rest.starts_with("format!")
    };
    // In a branch.
    let has_literal = |given: &str| {
        ["{ ", "=> "]
            .iter()
            .any(|start| given.match_indices(start).any(|(at, _)| is_literal(&given[at + start.len()..])))
    };
    // A constant without `hint::` is not one of the registry.
    let is_constant = |word: &str| {
        let is_of_constant = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        word.len() > 1 && word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(is_of_constant)
    };
    let has_constant = |given: &str| {
        let words = given.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':' | '"'));
        words.into_iter().any(is_constant)
    };
    // The last argument of a finding of `finops check` is its hint.
    let findings = ["Finding::warning(", "Finding::failed("];
    let starts = [".hint(", "let hint = ", "hint: "]
        .into_iter()
        .chain(findings)
        .flat_map(|start| code.match_indices(start).map(move |(at, start)| (at, at + start.len())).collect::<Vec<_>>());
    let wrong = starts.filter(|(_, end)| {
        let is_finding = findings.iter().any(|finding| code[..*end].ends_with(finding));
        let given = if is_finding { last_argument(&code[*end..]) } else { expression(&code[*end..]) };
        // The text `hint: {hint}`.
        let is_in_text = given.starts_with('{');
        !is_in_text && (is_literal(given) || has_literal(given) || has_constant(given))
    });
    wrong.map(|(at, _)| code[at..].chars().take(80).collect()).collect()
}

#[test]
fn no_hint_is_written_outside_the_registry() {
    let wrong: Vec<String> = sources()
        .iter()
        .flat_map(|file| literals(file.halves().0).into_iter().map(|found| format!("{}: {found}", file.path)))
        .collect();
    assert!(wrong.is_empty(), "{REGISTRY} is the place for hints:\n{}", wrong.join("\n"));
}

#[test]
fn literals_are_found_in_every_form_of_a_hint() {
    for code in [
        "error.hint(\"run\")",
        "error.hint(\n    \"run\",\n)",
        "error.hint(format!(\"run {x}\"))",
        "error.hint(RUN)",
        "let hint =\n    \"run\";",
        "let hint = format!(\"run {x}\");",
        "Error { hint: Some(\"run\".to_owned()) }",
        "Failure { stale, hint: RUN }",
        "let hint = if x { RUN } else { hint::ASK };",
        "let hint = match x { Some(_) => hint::ASK, None => \"run\" };",
        "error.hint(if x { hint::ASK } else { \"run\" })",
        "Finding::warning(check, \"a, b\", &format!(\"run {x}\"))",
        "Finding::failed(\n    check,\n    &found,\n    Some(\"run\"),\n)",
    ] {
        assert_eq!(literals(code).len(), 1, "{code}");
    }
    for code in [
        "error.hint(hint::RUN)",
        "error.hint(hint::run(\"x\"))",
        "error.hint(way_out)",
        "error.hint()",
        "pub hint: Option<String>, }; const RUN",
        "Failure { hint: hint::RUN }; RUN",
        "Finding::warning(check, \"found\", hint::RUN)",
    ] {
        assert!(literals(code).is_empty(), "{code}");
    }
}

#[test]
fn every_hint_is_said_once_and_shown_somewhere() {
    let sources = sources();
    for hint in all() {
        assert_eq!(all().filter(|other| flat(other.text) == flat(hint.text)).count(), 1, "{hint:?}");
        assert!(sources.iter().any(|file| names(file.halves().0, hint)), "nothing shows {hint:?}");
    }
}

/// A test reaches a hint if it names the hint's constant, or has its text: in a snapshot or of its own.
#[test]
fn every_hint_is_reached_by_a_test() {
    let tests = files("tests", &["rs", "snap"]).into_iter().chain(files("core/tests", &["rs", "snap"]));
    let tests = tests.filter(|file| file.path != THIS).map(|file| file.text);
    let beside = sources().into_iter().map(|file| file.halves().1.to_owned());
    let tests: Vec<(String, String)> = tests.chain(beside).map(|text| (flat(&text), text)).collect();
    let is_reached = |hint: &Hint| tests.iter().any(|(flat, text)| names(text, hint) || shows(flat, hint));
    let unreached: Vec<&str> = all().filter(|hint| !is_reached(hint)).map(|hint| hint.name).collect();
    assert!(unreached.is_empty(), "no test reaches {} hints: {}", unreached.len(), unreached.join(" "));
}

/// The table of the document.
fn table() -> String {
    let mut table = "| About | What happened | What finops says to do |\n|---|---|---|\n".to_owned();
    for Hint { area, when, text, .. } in all() {
        let when = flat(when);
        writeln!(table, "| {area} | {} | {} |", when.trim_end_matches('.'), flat(text).replace('|', "\\|")).unwrap();
    }
    table
}

#[test]
fn troubleshooting_lists_every_hint() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let document = fs::read_to_string(&path).unwrap();
    let at = document.find("| About |").unwrap();
    let written: String = document[at..].split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    let wanted = table();
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, document.replacen(&written, &wanted, 1)).unwrap();
    } else {
        assert_eq!(
            written, wanted,
            "{REWRITE}=1 cargo nextest run troubleshooting writes the table of {DOCUMENT} again"
        );
    }
}
