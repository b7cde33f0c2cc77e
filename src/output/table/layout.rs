//! A table in columns, or as a list where the columns do not fit. Nothing in it is ever cut: only texts are wrapped, and those
//! between words.

use console::measure_text_width;
use finops_core::model::text::strip_control_chars;

use super::view::{GLUE, Tone, View, lines};

/// Narrower terminals get a list.
const NARROWEST: usize = 100;
/// The narrowest column of texts, as long as others can be left out.
const TEXT: usize = 32;
const BETWEEN: &str = "  ";

/// A column of values, which are never wrapped.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    heading: &'static str,
    to_the_right: bool,
}

/// A column of words.
pub const fn words(heading: &'static str) -> Column {
    Column { heading, to_the_right: false }
}

/// A column of numbers.
pub const fn numbers(heading: &'static str) -> Column {
    Column { heading, to_the_right: true }
}

/// A value in a column.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    lines: Vec<String>,
    listed: String,
    tone: Tone,
}

impl Cell {
    /// One value.
    pub fn of(value: &str) -> Self {
        Self::said(value, &value.replace(' ', GLUE))
    }

    /// One value, and how a list says it.
    pub fn said(value: &str, listed: &str) -> Self {
        let lines = if value.is_empty() { Vec::new() } else { vec![value.to_owned()] };
        Self::of_lines(lines, listed)
    }

    /// Several values, and how a list says them.
    pub fn of_lines(lines: Vec<String>, listed: &str) -> Self {
        let lines = lines.into_iter().map(|line| strip_control_chars(&line).replace(GLUE, " ")).collect();
        Self { lines, listed: strip_control_chars(listed), tone: Tone::Plain }
    }

    /// With a colour.
    pub fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|line| measure_text_width(line)).max().unwrap_or(0)
    }
}

/// Columns of values, and a last one of texts.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    text: &'static str,
    least_important: &'static [&'static str],
    rows: Vec<(Vec<Cell>, String)>,
}

impl Table {
    /// An empty table. `text` is the heading of the texts. `least_important` are the columns that are left out where there is
    /// no space for them, the first one first.
    pub fn new(columns: &[Column], text: &'static str, least_important: &'static [&'static str]) -> Self {
        Self { columns: columns.to_vec(), text, least_important, rows: Vec::new() }
    }

    /// Adds a row. A list names it by its first value.
    pub fn row<const COLUMNS: usize>(&mut self, cells: [Cell; COLUMNS], text: &str) {
        self.rows.push((cells.into(), strip_control_chars(text)));
    }

    /// Its lines; none without rows.
    pub fn draw(&self, view: &View) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let drawn = match view.width {
            Some(width) if width < NARROWEST => self.list(view),
            Some(width) => match self.fitting(width) {
                Some(columns) => self.in_columns(&columns, view),
                None => self.list(view),
            },
            None => self.in_columns(&self.filled(), view),
        };
        drawn.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The columns that have values, and their widths.
    fn filled(&self) -> Vec<(usize, usize)> {
        let width = |at: usize| self.rows.iter().map(|(cells, _)| cells[at].width()).max().unwrap_or(0);
        let widths = (0..self.columns.len()).map(|at| (at, width(at))).filter(|(_, width)| *width > 0);
        widths.map(|(at, width)| (at, width.max(self.columns[at].heading.len()))).collect()
    }

    /// The columns that fit beside a column of texts; `None` if not even the most important ones fit.
    fn fitting(&self, width: usize) -> Option<Vec<(usize, usize)>> {
        let texts = self.rows.iter().map(|(_, text)| measure_text_width(text)).max().unwrap_or(0).min(TEXT);
        let mut columns = self.filled();
        for dropped in self.least_important {
            if taken(&columns) + texts <= width {
                break;
            }
            columns.retain(|(at, _)| self.columns[*at].heading != *dropped);
        }
        (taken(&columns) <= width + BETWEEN.len()).then_some(columns)
    }

    fn in_columns(&self, columns: &[(usize, usize)], view: &View) -> Vec<String> {
        let before_text = taken(columns);
        let in_line = |cell: &dyn Fn(usize) -> (String, Tone)| {
            let cells = columns.iter().map(|(at, width)| {
                let (text, tone) = cell(*at);
                let spaces = " ".repeat(width.saturating_sub(measure_text_width(&text)));
                let (before, after) =
                    if self.columns[*at].to_the_right { (spaces, String::new()) } else { (String::new(), spaces) };
                format!("{before}{}{after}{BETWEEN}", view.paint(&text, tone))
            });
            cells.collect::<String>()
        };
        let has_texts = self.rows.iter().any(|(_, text)| !text.is_empty());
        let heading = in_line(&|at| (self.columns[at].heading.to_owned(), Tone::Plain));
        let mut drawn = vec![if has_texts { format!("{heading}{}", self.text) } else { heading }];
        for (cells, text) in &self.rows {
            let beside = view.width.map(|width| width.saturating_sub(before_text));
            let longest = text.split(' ').map(measure_text_width).max().unwrap_or(0).max(self.text.len());
            let is_beside = beside.is_none_or(|width| longest <= width);
            let texts = if is_beside && !text.is_empty() { lines(text, beside) } else { Vec::new() };
            let height = columns.iter().map(|(at, _)| cells[*at].lines.len()).chain([texts.len()]).max().unwrap_or(0);
            for number in 0..height {
                let cell = |at: usize| (cells[at].lines.get(number).cloned().unwrap_or_default(), cells[at].tone);
                let text = texts.get(number).map(String::as_str).unwrap_or_default();
                drawn.push(format!("{}{text}", in_line(&cell)));
            }
            if !is_beside {
                drawn.extend(indented(text, columns.first().map_or(0, |(_, width)| width + BETWEEN.len()), view));
            }
        }
        drawn
    }

    fn list(&self, view: &View) -> Vec<String> {
        let indent = self.rows.iter().map(|(cells, _)| cells[0].width()).max().unwrap_or(0) + BETWEEN.len();
        let mut drawn = Vec::new();
        for (cells, text) in &self.rows {
            let [name, values @ ..] = cells.as_slice() else { continue };
            let said = values.iter().map(|cell| cell.listed.as_str()).filter(|listed| !listed.is_empty());
            let mut lines = indented(&said.collect::<Vec<_>>().join(", "), indent, view);
            let name = name.lines.first().map(String::as_str).unwrap_or_default();
            if let Some(first) = lines.first_mut() {
                let values_there = first.trim_start();
                let painted = values.first().and_then(|value| {
                    let word = value.listed.replace(GLUE, " ");
                    values_there.strip_prefix(&word).map(|rest| format!("{}{rest}", view.paint(&word, value.tone)))
                });
                let spaces = " ".repeat(indent.saturating_sub(measure_text_width(name)));
                *first = format!("{name}{spaces}{}", painted.as_deref().unwrap_or(values_there));
            }
            drawn.extend(lines);
            if !text.is_empty() {
                drawn.extend(indented(text, indent, view));
            }
        }
        drawn
    }
}

/// The width of columns and of the spaces after them.
fn taken(columns: &[(usize, usize)]) -> usize {
    columns.iter().map(|(_, width)| width + BETWEEN.len()).sum()
}

fn indented(text: &str, indent: usize, view: &View) -> Vec<String> {
    let width = view.width.map(|width| width.saturating_sub(indent));
    lines(text, width).into_iter().map(|line| format!("{}{line}", " ".repeat(indent))).collect()
}
