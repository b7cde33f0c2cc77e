//! Checks a footer's schema before the library reads it. The library reads nested groups by recursion, so thousands of nested
//! groups would end the process (seen on parquet 60.1). It also allocates memory for any number of columns.
//!
//! The footer is a Thrift struct in the compact protocol. Its field 2 is the list of schema elements, depth first. Field 5 of an
//! element is the number of its children.
//! Source: Apache Parquet's `parquet.thrift` and Thrift's description of the compact protocol.

use crate::model::column_type::MOST_COLUMNS;

/// The limit of nested groups. Reports have none; a map in a list in a map has six.
const DEEPEST: usize = 32;
/// The limit of groups and columns. A map has three for one column.
const MOST_ELEMENTS: u64 = 2 * MOST_COLUMNS as u64;
/// The limit of nested structs in an element. A logical type has three.
const DEEPEST_VALUE: u8 = 8;

const STOP: u8 = 0;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Whether the schema is within the limits; `None` if it is not valid. The library must not read invalid bytes either, because it
/// accepts more than the format allows.
pub(super) fn within_bounds(footer: &[u8]) -> Option<bool> {
    let mut bytes = Bytes(footer);
    let mut field = 0;
    loop {
        let kind = bytes.field(&mut field)?;
        match (kind, field) {
            (LIST, 2) => return schema(&mut bytes),
            // The library reads any field 2 as the schema.
            (STOP, _) | (_, 2) => return None,
            _ => bytes.skip(kind, 0)?,
        }
    }
}

fn schema(bytes: &mut Bytes<'_>) -> Option<bool> {
    let (kind, elements) = bytes.list()?;
    if kind != STRUCT {
        return None;
    }
    if elements > MOST_ELEMENTS {
        return Some(false);
    }
    // The number of children that are still to come, for each open group.
    let mut open: Vec<u64> = Vec::new();
    for _ in 0..elements {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        let children = children(bytes)?;
        if children > 0 {
            open.push(children);
        }
        if open.len() > DEEPEST {
            return Some(false);
        }
    }
    Some(open.iter().sum::<u64>() == 0)
}

/// Reads an element, and returns the number of its children.
fn children(bytes: &mut Bytes<'_>) -> Option<u64> {
    let (mut field, mut children) = (0, 0);
    loop {
        let kind = bytes.field(&mut field)?;
        match (kind, field) {
            (STOP, _) => return Some(children),
            // Zigzag encoding. Negative numbers are not valid here.
            (5, 5) => children = bytes.number()? >> 1,
            // The library also accepts numbers of other sizes.
            (_, 5) => return None,
            _ => bytes.skip(kind, 0)?,
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn jump(&mut self, length: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    /// The next field's type; its number goes to `field`.
    fn field(&mut self, field: &mut u64) -> Option<u8> {
        let head = self.byte()?;
        match head >> 4 {
            0 if head & 0x0f != STOP => *field = self.number()? >> 1,
            step => *field += u64::from(step),
        }
        // The library counts in 16 bits, so larger numbers would become field 2 again.
        i16::try_from(*field).ok()?;
        Some(head & 0x0f)
    }

    /// The type and number of a list's elements.
    fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let length = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        Some((head & 0x0f, length))
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        if depth > DEEPEST_VALUE {
            return None;
        }
        match kind {
            // Booleans: the type is the value.
            1 | 2 => Some(()),
            3 => self.jump(1),
            4..=6 => self.number().map(drop),
            7 => self.jump(8),
            8 => {
                let length = self.number()?;
                self.jump(length)
            }
            LIST | 10 => {
                let (kind, length) = self.list()?;
                for _ in 0..length {
                    // In a list, a boolean is a byte.
                    self.skip(if kind <= 2 { 3 } else { kind }, depth + 1)?;
                }
                Some(())
            }
            STRUCT => {
                let mut field = 0;
                loop {
                    match self.field(&mut field)? {
                        STOP => return Some(()),
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
            }
            // A schema has no maps.
            _ => None,
        }
    }
}
