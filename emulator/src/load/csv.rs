//! Reads CSV as BigQuery does by default. Unlike common readers, it refuses an unclosed quote and text after a closing
//! quote, and reports whether a field was quoted.

/// A field, and whether it was quoted.
#[derive(Debug, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub quoted: bool,
}

/// A row, and the position of its first byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub start: usize,
    pub cells: Vec<Cell>,
}

impl Row {
    /// Whether the line is empty.
    pub fn is_empty_line(&self) -> bool {
        matches!(self.cells.as_slice(), [cell] if cell.text.is_empty() && !cell.quoted)
    }
}

/// A row that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub start: usize,
    pub message: &'static str,
}

/// Reads rows one by one.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    quoted_newlines: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], quoted_newlines: bool) -> Self {
        Self { bytes, at: 0, quoted_newlines }
    }

    fn quoted(&mut self) -> Result<Vec<u8>, &'static str> {
        let unclosed = "Missing close double quote (\") character.";
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.bytes.get(self.at).copied() {
                None => return Err(unclosed),
                Some(b'"') if self.bytes.get(self.at + 1) == Some(&b'"') => {
                    text.push(b'"');
                    self.at += 2;
                }
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\n' | b'\r') if !self.quoted_newlines => return Err(unclosed),
                Some(byte) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn cell(&mut self) -> Result<Cell, &'static str> {
        let quoted = self.bytes.get(self.at) == Some(&b'"');
        let text = if quoted {
            let text = self.quoted()?;
            if !matches!(self.bytes.get(self.at), None | Some(b',' | b'\n' | b'\r')) {
                return Err("Data between close double quote (\") and field separator.");
            }
            text
        } else {
            let rest = &self.bytes[self.at..];
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'\n' | b'\r')).unwrap_or(rest.len());
            self.at += length;
            rest[..length].to_vec()
        };
        let text = String::from_utf8(text).map_err(|_| "Invalid UTF-8 in a field.")?;
        Ok(Cell { text, quoted })
    }

    fn row(&mut self) -> Result<Vec<Cell>, &'static str> {
        let mut cells = Vec::new();
        loop {
            cells.push(self.cell()?);
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'\r') if self.bytes.get(self.at + 1) == Some(&b'\n') => {
                    self.at += 2;
                    return Ok(cells);
                }
                Some(_) => {
                    self.at += 1;
                    return Ok(cells);
                }
                None => return Ok(cells),
            }
        }
    }

    /// Skips to the next line.
    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Row, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        Some(match self.row() {
            Ok(cells) => Ok(Row { start, cells }),
            Err(message) => {
                self.skip_line();
                Err(Malformed { start, message })
            }
        })
    }
}
