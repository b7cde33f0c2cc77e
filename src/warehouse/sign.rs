//! A case that only the text of a message reports.

/// The texts that report a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sign(pub &'static [&'static str]);

impl Sign {
    /// Whether the message reports the case.
    pub fn is_in(self, message: &str) -> bool {
        self.0.iter().any(|text| message.contains(text))
    }
}
