//! A hint, and the macro that declares the hints of an area.

/// A hint as the documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// Its area, such as `BigQuery`.
    pub area: &'static str,
    /// The name of its constant or function.
    pub name: &'static str,
    /// What happened.
    pub when: &'static str,
    /// What to do, with placeholders such as `{bucket}`.
    pub text: &'static str,
}

/// Declares the hints of one area: constants, and functions for texts with placeholders.
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
        $($crate::hint::declare::hints!(@item $(#[doc = $when])+ $name$(($($place),+))? = $text);)+

        pub(super) const ALL: &[$crate::hint::declare::Hint] = &[$($crate::hint::declare::Hint {
            area: $area,
            name: stringify!($name),
            when: concat!($($when),+),
            text: $text,
        }),+];
    };
}
pub(super) use hints;
