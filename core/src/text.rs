//! Texts from outside, made fit for messages and patterns.

/// More than this of one value helps nobody.
const LONGEST: usize = 200;

/// `text` on one line, without control characters, cut where it is long: it may come from a file of any content.
pub fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
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
        assert_eq!(short(&"x".repeat(1000)).len(), LONGEST + 3);
    }
}
