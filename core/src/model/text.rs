//! Texts from outside, cleaned for messages and patterns.

use crate::model::shown::without_credentials;

/// Characters of one value in a message.
const LONGEST: usize = 200;

/// Characters of a whole message.
const LONGEST_MESSAGE: usize = 4_000;

/// Whether the character can control a terminal, end a line or change the order of characters: control characters, line
/// separators, and marks of writing direction.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` without control characters.
pub fn strip_control_chars(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// `text` without control characters, except the ends of its lines.
pub fn harmless_lines(text: &str) -> String {
    text.split('\n').map(strip_control_chars).collect::<Vec<_>>().join("\n")
}

/// `text` on one line, without control characters, cut if it is long. It may come from a file with any content.
pub fn excerpt(text: &str) -> String {
    strip_control_chars(&cut(text, LONGEST))
}

/// A whole message, which may include texts from outside: on one line, without control characters and credentials, cut if it
/// is long.
pub fn message(text: &str) -> String {
    // Cut first, so that the steps below do not process megabytes. The end of a line may have two characters.
    let text = cut(text, 2 * LONGEST_MESSAGE);
    let lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    cut(&strip_control_chars(&without_credentials(&lines.collect::<Vec<_>>().join(" "))), LONGEST_MESSAGE)
}

/// The first `most` characters of `text`, with `...` if there are more.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// `name` as a glob pattern. Glob characters become `?`, which also matches others: callers filter.
pub fn as_pattern(name: &str) -> String {
    name.chars().map(|c| if "*?[]{}\\".contains(c) { '?' } else { c }).collect()
}

/// Whether `name` matches `pattern`: `*` matches any characters, `?` one.
pub(crate) fn is_like(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut of_name) = (0, 0);
    // The last `*`, and the length of the name that is matched up to and by it.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(of_name) {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, of_name));
                at += 1;
            }
            (Some(p), _) if *p == '?' || p == c => (at, of_name) = (at + 1, of_name + 1),
            (_, Some((before, taken))) => {
                star = Some((before, taken + 1));
                (at, of_name) = (before + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|p| *p == '*')
}

/// Whether `known` has the name in any case.
pub(crate) fn is_in(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_any_characters_and_single_ones() {
        for (pattern, name) in [
            ("", ""),
            ("a", "a"),
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("*c", "abc"),
            ("a*c", "ac"),
            ("?", "é"),
            ("a?c", "abc"),
            ("a*b*c", "aXbYc"),
            ("*b*", "abc"),
            ("a*bc", "abbc"),
            ("**", "x"),
            ("*?", "x"),
            ("a*?c", "axbc"),
        ] {
            assert!(is_like(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("a", ""),
            ("a", "ab"),
            ("?", ""),
            ("a*c", "abcd"),
            ("a*a", "a"),
            ("*b*", "ac"),
            ("a?", "a"),
            ("*?", ""),
            ("A", "a"),
            ("ab*bc", "abc"),
        ] {
            assert!(!is_like(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_message_is_one_line_however_many_a_text_in_it_has() {
        assert_eq!(message("cannot read `a\r\n  hint: run `rm`\n`: no\n"), "cannot read `a hint: run `rm` `: no");
        assert_eq!(message("a\u{85}b\u{2028}c\td"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(message(&"é".repeat(100_000)), format!("{}...", "é".repeat(LONGEST_MESSAGE)));
    }

    #[test]
    fn what_comes_from_outside_is_short_and_harmless() {
        assert_eq!(excerpt("cost/é"), "cost/é");
        assert_eq!(excerpt("a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(excerpt("a\u{202e}b\u{2066}\u{2028}"), "a\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(harmless_lines("a\u{85}\r\nb"), "a\u{fffd}\u{fffd}\nb");
        assert_eq!(excerpt(&"x".repeat(1000)).len(), LONGEST + 3);
    }
}
