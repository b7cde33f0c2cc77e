//! What to do about each failure: all hints that finops shows, in one place. `docs/troubleshooting.md` is made of them.

mod bigquery;
mod check;
mod delivery;
mod duckdb;
mod run;
mod settings;
mod source;
mod table;

pub use self::{bigquery::*, check::*, delivery::*, duckdb::*, run::*, settings::*, source::*, table::*};

/// A hint as the documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// What it is about, such as `BigQuery`.
    pub area: &'static str,
    /// The name of its constant, or of the function that fills its places.
    pub name: &'static str,
    /// What happened.
    pub when: &'static str,
    /// What to do, with places such as `{bucket}` for what only the run knows.
    pub text: &'static str,
}

/// All hints, each area's by itself.
pub const ALL: [&[Hint]; 8] =
    [settings::ALL, source::ALL, delivery::ALL, table::ALL, bigquery::ALL, duckdb::ALL, run::ALL, check::ALL];

/// Two hints about one failure.
pub fn both(one: &str, other: &str) -> String {
    format!("{one}; {other}")
}

/// Declares the hints of one area: a constant each, or a function where the text has places that only the run knows.
macro_rules! hints {
    (@item $(#[$doc:meta])+ $name:ident = $text:literal) => {
        $(#[$doc])+
        pub const $name: &str = $text;
    };
    (@item $(#[$doc:meta])+ $name:ident($($place:ident),+) = $text:literal) => {
        $(#[$doc])+
        pub fn $name($($place: impl std::fmt::Display),+) -> String {
            format!($text)
        }
    };
    ($area:literal; $($(#[doc = $when:literal])+ $name:ident$(($($place:ident),+))? = $text:literal;)+) => {
        $($crate::hint::hints!(@item $(#[doc = $when])+ $name$(($($place),+))? = $text);)+

        pub(super) const ALL: &[$crate::hint::Hint] = &[$($crate::hint::Hint {
            area: $area,
            name: stringify!($name),
            when: concat!($($when),+),
            text: $text,
        }),+];
    };
}
use hints;
