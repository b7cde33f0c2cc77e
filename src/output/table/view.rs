//! How tables are drawn, and where they are cut into lines.

use std::env;

use console::{Style, Term, measure_text_width};
use jiff::Timestamp;

/// Joins words that stay on one line, such as `2 files`. It is drawn as a space.
pub const GLUE: &str = "\u{a0}";

/// What a drawing depends on, besides the report.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The columns of the terminal; `None` without one: nothing is wrapped or left out.
    pub width: Option<usize>,
    /// Whether words have colours.
    pub color: bool,
    /// Whether amounts have all their digits.
    pub exact: bool,
    /// The time until which ages are counted.
    pub now: Timestamp,
}

/// What a word says of a month, a table or a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// All is well.
    Good,
    /// Nothing.
    #[default]
    Plain,
    /// It is not ready, or worth a look.
    Waiting,
    /// It failed, or would fail.
    Bad,
}

impl View {
    /// Of standard output. `NO_COLOR` is as no-color.org has it; `TERM=dumb` is a terminal without colours.
    pub fn of_stdout(exact: bool) -> Self {
        let width = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let color = width.is_some() && set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb");
        Self { width, color, exact, now: Timestamp::now() }
    }

    /// The word in its colour.
    pub fn paint(&self, word: &str, tone: Tone) -> String {
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Waiting => Style::new().yellow(),
            Tone::Bad => Style::new().red(),
            Tone::Plain => return word.to_owned(),
        };
        if word.is_empty() {
            return String::new();
        }
        style.force_styling(self.color).apply_to(word).to_string()
    }

    /// The text in lines between words, all but the first one with an indent.
    pub fn paragraph(&self, text: &str, indent: usize) -> String {
        let width = self.width.map(|width| width.saturating_sub(indent));
        lines(text, width).join(&format!("\n{}", " ".repeat(indent)))
    }
}

/// The text in lines of at most `width` columns. They end between words: a longer word has a line of its own.
pub fn lines(text: &str, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is always one");
        let needed = measure_text_width(line) + 1 + measure_text_width(word);
        if line.is_empty() {
            line.push_str(word);
        } else if width.is_none_or(|width| needed <= width) {
            *line = format!("{line} {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|line| line.replace(GLUE, " ")).collect()
}
