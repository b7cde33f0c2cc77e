//! Reads `.env` without running it, in the language of `deploy/dotenv.py`: values that a shell would read differently are
//! refused. Libraries such as dotenvy replace `$NAME` in a value, which `make` does not.

use std::collections::{BTreeMap, btree_map::Entry};

/// The values by name, and the problems with their lines. Problems do not show values.
pub fn read(data: &[u8]) -> (BTreeMap<String, String>, Vec<String>) {
    let text = match std::str::from_utf8(data) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = data[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            return (BTreeMap::new(), vec![format!("line {before}: is not UTF-8 text")]);
        }
    };
    let (mut values, mut lines, mut problems) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let begin = line.trim_start_matches([' ', '\t']);
        if begin.is_empty() || begin.starts_with('#') {
            continue;
        }
        let Some((name, text)) = assignment(line) else {
            problems.push(format!("line {number}: expected KEY=value, a comment or an empty line"));
            continue;
        };
        let value =
            if line.contains(is_control) { Err("contains a control character".to_owned()) } else { value_of(text) };
        match (value, lines.entry(name)) {
            (Err(problem), _) => problems.push(format!("line {number}: {name}: {problem}")),
            (Ok(value), Entry::Vacant(new)) => {
                new.insert(number);
                values.insert(name.to_owned(), value.to_owned());
            }
            (Ok(_), Entry::Occupied(mut line)) => {
                let before = line.insert(number);
                problems.push(format!("line {number}: {name} is already set in line {before}: keep one of them"));
            }
        }
    }
    (values, problems)
}

/// White space as a shell defines it: other white space, such as the no-break space, is part of a word.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn is_control(c: char) -> bool {
    c != '\t' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// The name and the text after `=`, from `KEY=value` or `export KEY=value`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (left, text) = line.split_once('=')?;
    let left = left.trim_start_matches(is_space);
    let name = match left.strip_prefix("export") {
        Some(rest) if rest.starts_with(is_space) => rest.trim_start_matches(is_space),
        _ => left,
    };
    let may_be = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(may_be);
    is_name.then_some((name, text))
}

/// The value in the text after `KEY=`.
fn value_of(text: &str) -> Result<&str, String> {
    if let Some(quote) = text.chars().next().filter(|c| ['\'', '"'].contains(c)) {
        let quoted = text[1..].split_once(quote).filter(|(_, rest)| is_comment(rest));
        let Some((value, _)) = quoted else {
            return Err("the quotes must enclose the whole value and end on the same line".to_owned());
        };
        let changed = value.chars().find(|c| quote == '"' && ['$', '`', '\\'].contains(c));
        return match changed {
            Some(c) => Err(format!("contains {c}, which a shell would change: put the value in single quotes")),
            None => Ok(value),
        };
    }
    if text.starts_with('#') || text.starts_with(is_space) && !is_comment(text) {
        return Err("the value must begin directly after =, in quotes if it begins with #".to_owned());
    }
    let (value, rest) = text.split_at(text.find(is_space).unwrap_or(text.len()));
    if !is_comment(rest) {
        return Err("contains spaces: put the value in quotes".to_owned());
    }
    if let Some(c) = value.chars().find(|c| r#"'"$`\;&|<>()"#.contains(*c)) {
        return Err(format!("contains {c}: put the value in single quotes"));
    }
    if value.starts_with('~') || value.contains(":~") {
        return Err("contains a ~ that a shell would replace: put the value in single quotes".to_owned());
    }
    Ok(value)
}

/// Whether the text after a value is only white space, or white space and a comment.
fn is_comment(rest: &str) -> bool {
    let trimmed = rest.trim_start_matches(is_space);
    trimmed.is_empty() || trimmed.len() < rest.len() && trimmed.starts_with('#')
}
