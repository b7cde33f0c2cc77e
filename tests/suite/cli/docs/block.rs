//! Blocks of code in a document: commands with their output, files, queries.

use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// What a block of code is.
#[derive(Debug)]
pub enum Block {
    /// Its first line begins with `$ `.
    Commands(Vec<Shown>),
    /// Its first line is `# <name>`, such as `# .env`.
    File { name: String, text: String },
    /// It begins with SELECT, WITH or CREATE.
    Query(String),
    /// Everything else, such as an excerpt of a log.
    Other,
}

/// A command, and the output that the document shows below it.
#[derive(Debug)]
pub struct Shown {
    pub command: String,
    pub prints: String,
    /// The lines of the document that have the output.
    lines: Range<usize>,
}

/// The blocks of code of a document, in its order.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (event, range) in Parser::new(document).into_offset_iter() {
        match (event, &mut open) {
            (Event::Start(Tag::CodeBlock(_)), _) => {
                open = Some((document[..range.start].matches('\n').count(), String::new()));
            }
            (Event::Text(text), Some((_, code))) => code.push_str(&text),
            (Event::End(TagEnd::CodeBlock), _) => {
                let (line, code) = open.take().unwrap();
                found.push(block(line, code));
            }
            _ => {}
        }
    }
    found
}

/// `line` is that of the first line of the code.
fn block(line: usize, code: String) -> Block {
    let first = code.lines().next().unwrap_or_default();
    if first.starts_with("$ ") {
        return Block::Commands(commands(line, &code));
    }
    if let Some(name) = first.strip_prefix("# ").filter(|name| name.contains('.') && !name.contains(' ')) {
        return Block::File { name: name.to_owned(), text: code };
    }
    if ["SELECT ", "WITH ", "CREATE "].iter().any(|start| first.starts_with(start)) {
        return Block::Query(code);
    }
    Block::Other
}

fn commands(first_line: usize, code: &str) -> Vec<Shown> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let mut command = lines[at].strip_prefix("$ ").unwrap().to_owned();
        at += 1;
        while let Some(start) = command.strip_suffix('\\') {
            command = format!("{start}{}", lines[at].trim());
            at += 1;
        }
        let output = at;
        while at < lines.len() && !lines[at].starts_with("$ ") {
            at += 1;
        }
        let prints = lines[output..at].join("\n").trim_end().to_owned();
        let lines = first_line + output..first_line + output + prints.lines().count();
        found.push(Shown { command, prints, lines });
    }
    found
}

/// The document with other outputs. An output that is longer or shorter moves the lines below it.
pub fn rewritten(document: &str, outputs: &[(&Shown, String)]) -> String {
    let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
    // From the last to the first, so that the lines of those that are left do not move.
    for (shown, output) in outputs.iter().rev() {
        let indented = output.trim_end().lines().map(|line| format!("    {line}").trim_end().to_owned());
        lines.splice(shown.lines.clone(), indented);
    }
    lines.join("\n") + "\n"
}

/// Whether `text` is `shown`, where `...` matches any text.
pub fn is_shown(shown: &str, text: &str) -> bool {
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned();
    let (shown, text) = (trimmed(shown), trimmed(text));
    let parts: Vec<&str> = shown.split("...").collect();
    let [first, middle @ .., last] = parts.as_slice() else { return shown == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn three_dots_match_any_text_and_nothing_else_does() {
    assert!(is_shown("a\n...\nd\n", "a  \nb\nc\nd\n"));
    assert!(is_shown("a ...\nd", "a b c\nd") && is_shown("", "") && is_shown("a", "a\n"));
    assert!(!is_shown("a\n...\nd", "a\nb\nc") && !is_shown("a", "a\nb") && !is_shown("...b...", "a"));
}

#[test]
fn an_output_is_rewritten_where_it_is_shown() {
    let document = "# Title\n\n    $ one \\\n        two\n    old\n    $ three\n\ntext\n\n    # .env\n    A=b\n";
    let found = blocks(document);
    let [Block::Commands(commands), Block::File { name, text }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((name.as_str(), text.as_str()), (".env", "# .env\nA=b\n"));
    let [first, second] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((first.command.as_str(), first.prints.as_str()), ("one two", "old"));
    let outputs = [(first, "new\n\n  lines\n".to_owned()), (second, "3".to_owned())];
    let expected = "# Title\n\n    $ one \\\n        two\n    new\n\n      lines\n    $ three\n    3\n\ntext\n\n    # .env\n    A=b\n";
    assert_eq!(rewritten(document, &outputs), expected);
}
