//! Ids of deliveries, as short as they can be told apart.

use std::collections::BTreeSet;

use finops_core::model::text::excerpt;

use super::{layout::Cell, view::GLUE};

/// Characters of an id that people compare.
const FEWEST: usize = 8;

/// Ids up to this length are shown as they are. AWS also names deliveries by the moment, `20250903T120125Z`, of which the
/// first characters are only the day.
const SHORT: usize = 16;

/// The length of a UUID, and where it has hyphens.
const UUID: (usize, [usize; 4]) = (36, [8, 13, 18, 23]);

/// How many characters the ids of one report have. `--exact` does not change that: ids in full are in JSON.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    characters: usize,
}

impl Ids {
    /// The fewest with which different ids look different.
    pub fn of<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        let ids: BTreeSet<&str> = ids.collect();
        let longest = ids.iter().map(|id| id.chars().count()).max().unwrap_or(FEWEST).max(FEWEST);
        let differ = |characters: &usize| {
            let of_length = Self { characters: *characters };
            ids.iter().map(|id| of_length.short(id)).collect::<BTreeSet<_>>().len() == ids.len()
        };
        Self { characters: (FEWEST..longest).find(differ).unwrap_or(longest) }
    }

    /// The beginning of an id, or of the UUID at its end: folders of AWS's data exports begin with a moment.
    pub fn short(self, id: &str) -> String {
        let length = id.chars().count();
        let from = uuid_at(id).filter(|from| from + self.characters < length);
        match from {
            None if length <= SHORT.max(self.characters) => id.to_owned(),
            from => id.chars().skip(from.unwrap_or(0)).take(self.characters).collect(),
        }
    }

    /// A cell with a short id; empty without an id.
    pub fn cell(self, id: &str) -> Cell {
        let id = excerpt(&self.short(id));
        if id.is_empty() { Cell::default() } else { Cell::said(&id, &format!("delivery{GLUE}{id}")) }
    }

    /// The text with its UUIDs shortened.
    pub fn shorten(self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut words: Vec<&str> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| is_part(c) != is_part(first)).unwrap_or(rest.len());
            words.push(&rest[..end]);
            rest = &rest[end..];
        }
        words.into_iter().map(|word| if is_uuid(word) { self.short(word) } else { word.to_owned() }).collect()
    }
}

/// Where the UUID at the end of an id begins.
fn uuid_at(id: &str) -> Option<usize> {
    let from = id.len().checked_sub(UUID.0)?;
    id.get(from..).filter(|end| id.is_ascii() && is_uuid(end)).map(|_| from)
}

fn is_uuid(text: &str) -> bool {
    let (length, hyphens) = UUID;
    text.len() == length
        && text.char_indices().all(|(at, c)| if hyphens.contains(&at) { c == '-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUIDS: [&str; 2] = ["41524a17-eb1b-42b0-a538-0bcf352bc02c", "41524a17-eb2b-42b0-a538-0bcf352bc02c"];

    #[test]
    fn a_uuid_has_eight_characters_and_more_only_beside_a_similar_one() {
        let one = Ids::of(UUIDS.into_iter().take(1));
        assert_eq!(one.short(UUIDS[0]), "41524a17");
        assert_eq!(one.short("2025-04-11T16:16:37.516Z-41524a17-eb1b-42b0-a538-0bcf352bc02c"), "41524a17");
        let both = Ids::of(UUIDS.into_iter());
        assert_eq!(UUIDS.map(|id| both.short(id)), ["41524a17-eb1", "41524a17-eb2"]);
        for id in ["20250903T120125Z", "5f9a", "", "17"] {
            assert_eq!(one.short(id), id);
        }
        assert_eq!(one.short("a-run-with-a-long-name"), "a-run-wi");
    }

    #[test]
    fn a_text_keeps_all_but_the_ends_of_its_uuids() {
        let ids = Ids::of(UUIDS.into_iter().take(1));
        let text = format!("in place of {}; files of x/{}/é.csv, not {}0", UUIDS[0], UUIDS[1], UUIDS[0]);
        let expected = format!("in place of 41524a17; files of x/41524a17/é.csv, not {}0", UUIDS[0]);
        assert_eq!(ids.shorten(&text), expected);
    }

    proptest! {
        #[test]
        fn different_ids_look_different_and_are_parts_of_the_ids(
            ids in prop::collection::btree_set("[0-9a-f]{1}0000000-0000-0000-0000-[01]{12}|[ab]{0,40}|é{0,20}|.{0,40}", 0..8)
        ) {
            let short = Ids::of(ids.iter().map(String::as_str));
            let shown: BTreeSet<String> = ids.iter().map(|id| short.short(id)).collect();
            prop_assert_eq!(shown.len(), ids.len());
            prop_assert!(ids.iter().all(|id| id.contains(&short.short(id))));
        }
    }
}
