//! Plain English in the documents and in `--help`: words that are ruled out, and how long sentences are.

use std::{fs, path::Path};

/// Words that do not come back, and what to write instead. Case does not count.
const RULED_OUT: [(&str, &str); 23] = [
    ("as it is", "unchanged"),
    ("but for", "except"),
    ("dares", "(rewrite)"),
    ("held", "kept, or loaded"),
    ("leave alone", "keep"),
    ("leaves alone", "keeps"),
    ("left alone", "unchanged"),
    ("lie", "are"),
    ("lies", "is"),
    ("looks", "reads, or checks"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("needs the cloud", "(nothing: it is about the tests)"),
    ("of which", "(rewrite)"),
    ("pillars", "required columns"),
    ("stand", "are"),
    ("stands", "is"),
    ("stood", "was loaded"),
    ("takes it away", "removes it"),
    ("tells", "reports"),
    ("told", "reported"),
    ("whoever", "everyone who"),
];

/// How many words a sentence has on average, at most.
const LONGEST_AVERAGE: usize = 18;

fn words(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_alphanumeric() || "'_-".contains(c);
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of the text that are ruled out, each with its line and with what to write instead.
pub fn ruled_out(text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines());
    let (numbers, words_of_text): (Vec<usize>, Vec<String>) =
        lines.flat_map(|(number, line)| words(line).map(move |word| (number, word))).unzip();
    let mut found = Vec::new();
    for (phrase, instead) in RULED_OUT {
        let phrase_words: Vec<String> = words(phrase).collect();
        for (at, part) in words_of_text.windows(phrase_words.len()).enumerate() {
            if part == phrase_words {
                found.push((numbers[at], format!("`{phrase}`: write {instead}")));
            }
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(number, found)| format!("line {number}: {found}")).collect()
}

/// What is wrong with paragraphs whose sentences have too many words on average, with the longest sentences.
pub fn too_long<'a>(paragraphs: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut sentences: Vec<(usize, &str)> = Vec::new();
    for paragraph in paragraphs {
        // Not at the dot of `config.toml`.
        let ends = [". ", ".\n", "? ", "?\n", ": \n"];
        let mut rest = paragraph.trim();
        while !rest.is_empty() {
            let end = ends.iter().filter_map(|end| rest.find(end)).min().map_or(rest.len(), |at| at + 1);
            let (sentence, after) = rest.split_at(end);
            sentences.push((words(sentence).count(), sentence));
            rest = after.trim();
        }
    }
    let all: usize = sentences.iter().map(|(count, _)| count).sum();
    sentences.sort_unstable_by(|one, other| other.cmp(one));
    let longest: Vec<String> =
        sentences.iter().take(5).map(|(count, sentence)| format!("{count} words: {sentence}")).collect();
    let is_too_long = all > LONGEST_AVERAGE * sentences.len();
    is_too_long.then(|| {
        format!(
            "{all} words in {} sentences, on average at most {LONGEST_AVERAGE} are allowed; the longest:\n{}",
            sentences.len(),
            longest.join("\n")
        )
    })
}

/// A document without its code and without the addresses of links. Each line stays on its line.
fn prose(document: &str) -> String {
    let (mut text, mut is_fenced, mut is_paragraph) = (String::new(), false, false);
    for line in document.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let is_code = is_fence || is_fenced || (line.starts_with("    ") && !is_paragraph);
        is_fenced ^= is_fence;
        is_paragraph = !is_code && !line.trim().is_empty();
        text += if is_code { "" } else { line };
        text.push('\n');
    }
    let without_code = |paragraph: &str| {
        let parts = paragraph.split('`').enumerate();
        let parts = parts.map(|(at, part)| {
            let is_code = at % 2 == 1;
            if is_code { format!("code{}", "\n".repeat(part.matches('\n').count())) } else { part.to_owned() }
        });
        parts.collect::<String>()
    };
    let text = text.split("\n\n").map(without_code).collect::<Vec<_>>().join("\n\n");
    let mut links = text.split("](");
    let first = links.next().unwrap_or_default().to_owned();
    links.fold(first, |text, part| text + "]" + part.split_once(')').map_or(part, |(_, after)| after))
}

/// The paragraphs and the items of lists in prose, without tables, headings and pictures.
fn paragraphs(prose: &str) -> Vec<String> {
    let (mut found, mut is_open) = (Vec::<String>::new(), false);
    for line in prose.lines().map(str::trim) {
        let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let is_item = line.starts_with("- ") || line.split_once(". ").is_some_and(|(number, _)| is_number(number));
        match found.last_mut() {
            _ if line.is_empty() || line.starts_with(['|', '#', '<', '!']) => is_open = false,
            Some(paragraph) if is_open && !is_item => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            _ => {
                found.push(line.to_owned());
                is_open = true;
            }
        }
    }
    found
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The documents for users: not those on how finops is developed.
fn documents() -> Vec<String> {
    let docs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|of| of == "md"));
    let mut names: Vec<String> = docs.map(|path| format!("docs/{}", path.file_name().unwrap().display())).collect();
    names.extend(["README.md", "QUICKSTART.md", "DEPLOYMENT.md", "examples/README.md"].map(str::to_owned));
    names
}

#[test]
fn no_document_has_a_word_that_is_ruled_out() {
    let in_document =
        |name: String| ruled_out(&prose(&read(&name))).into_iter().map(move |found| format!("{name}, {found}"));
    let found: Vec<String> = documents().into_iter().flat_map(in_document).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_sentences_of_readme_and_quickstart_are_short() {
    for name in ["README.md", "QUICKSTART.md"] {
        let paragraphs = paragraphs(&prose(&read(name)));
        assert!(paragraphs.len() > 5);
        assert_eq!(too_long(paragraphs.iter().map(String::as_str)), None, "{name}");
    }
}

#[test]
fn prose_has_neither_code_nor_addresses_and_keeps_its_lines() {
    let document = "# A\n\nSee [the\nlist](docs/told.md), `it\nstands`.\n\n    $ told\n\n```\nheld\n```\n- one\n  two\n- three\n1. four\n\n| a |\n";
    let prose = prose(document);
    assert_eq!(prose, "# A\n\nSee [the\nlist], code\n.\n\n\n\n\n\n\n- one\n  two\n- three\n1. four\n\n| a |\n");
    assert_eq!(paragraphs(&prose), ["See [the list], code .", "- one two", "- three", "1. four"]);
}

#[test]
fn words_are_found_whole_and_in_any_case() {
    let found = ruled_out("It Stands there.\nBut\nfor this");
    assert_eq!(found, ["line 1: `stands`: write is", "line 2: `but for`: write except"]);
    assert_eq!(ruled_out("believe, understands, of one which, cloud needs"), [""; 0]);
}

#[test]
fn sentences_are_counted_by_their_words_and_not_at_the_dots_of_names() {
    assert_eq!(too_long(["config.toml is read. It is short."]), None);
    let long = ["word"; 19].join(" ");
    let found = too_long([long.as_str(), "In aws.bucket it is short."]);
    assert_eq!(found, None);
    assert!(too_long([long.as_str()]).unwrap().starts_with("19 words in 1 sentences"));
}
