//! Counts the rows of a CSV file.

/// Counts lines that are not empty. Line ends within quotes do not count.
#[derive(Debug, Default)]
pub struct RowCounter {
    lines: u64,
    at: At,
    has_content: bool,
}

/// The position of the next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// At the beginning of a field.
    #[default]
    Field,
    /// In a field without quotes, where a quote has no meaning.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote, which ends the field unless another quote follows.
    Quote,
}

impl RowCounter {
    /// Reads the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.at = match (self.at, byte) {
                (At::Field | At::Quote, b'"') | (At::Quoted, 0..b'"' | b'#'..) => At::Quoted,
                (At::Quoted, b'"') => At::Quote,
                (_, b',') => At::Field,
                (_, b'\n' | b'\r') => {
                    self.lines += u64::from(self.has_content);
                    self.has_content = false;
                    self.at = At::Field;
                    continue;
                }
                (At::Field | At::Plain | At::Quote, _) => At::Plain,
            };
            self.has_content = true;
        }
    }

    /// Lines so far, including the header and an unfinished last line.
    pub fn lines(&self) -> u64 {
        self.lines + u64::from(self.has_content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn lines(text: &str, chunk: usize) -> u64 {
        let mut counter = RowCounter::default();
        text.as_bytes().chunks(chunk).for_each(|bytes| counter.push(bytes));
        counter.lines()
    }

    #[test]
    fn line_ends_of_every_kind_count_outside_of_quotes() {
        for (text, expected) in [
            ("", 0),
            ("a,b", 1),
            ("a,b\n1,2\n", 2),
            ("a,b\r\n1,2\r\n\r\n", 2),
            ("a\r1\r2", 3),
            ("a\n\"x\ny\"\n", 2),
            ("a\n\"x\"\"\n\"\"y\"\n2\n", 3),
            ("a\n3.5\" disk\nb\"c\n", 3),
            ("\"\n\"\n", 1),
            ("a\n,\n\n", 2),
        ] {
            for chunk in 1..5 {
                assert_eq!(lines(text, chunk), expected, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_records_that_a_csv_writer_writes_are_counted(records in vec(vec("[a\",\r\n ]{0,6}", 2..4), 0..20)) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for record in &records {
                writer.write_record(record).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(lines(&text, 7), records.len() as u64, "{:?}", text);
        }
    }
}
