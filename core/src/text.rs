//! Texts from outside, made fit for messages and patterns.

/// More than this of one value helps nobody.
const LONGEST: usize = 200;

/// Whether the character may do something to a terminal, end a line or change the order in which it reads: controls,
/// separators of lines, and marks of writing direction.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` without them.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// The same of a text of several lines, which stay.
pub fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// `text` on one line, without control characters, cut where it is long: it may come from a file of any content.
pub fn short(text: &str) -> String {
    let mut shown: String = harmless(&text.chars().take(LONGEST).collect::<String>());
    if shown.len() < text.len() && text.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    shown
}

/// `name` as a glob pattern. Glob characters match themselves only as `?`; what else that matches, the caller filters.
pub(crate) fn as_pattern(name: &str) -> String {
    name.chars().map(|c| if "*?[]{}\\".contains(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_short_and_harmless() {
        assert_eq!(short("cost/é"), "cost/é");
        assert_eq!(short("a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(short("a\u{202e}b\u{2066}\u{2028}"), "a\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(harmless_lines("a\u{85}\r\nb"), "a\u{fffd}\u{fffd}\nb");
        assert_eq!(short(&"x".repeat(1000)).len(), LONGEST + 3);
    }
}
