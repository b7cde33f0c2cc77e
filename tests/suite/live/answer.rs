//! Questions, and what was seen.

use std::{fmt, panic::AssertUnwindSafe};

use comfy_table::{ContentArrangement, Table, presets};
use futures::{FutureExt, future::BoxFuture};

/// What depends on a belief.
pub enum Stake {
    /// finops is wrong if the belief is false.
    Relies(&'static str),
    /// finops is right either way; what would be different.
    Either(&'static str),
}

/// Something that finops believes of the services.
pub struct Question {
    /// Its number here.
    pub id: &'static str,
    /// The rule of the emulator that does so (`emulator/SEMANTICS.md`); empty if it is not about BigQuery alone.
    pub rule: &'static str,
    pub belief: &'static str,
    pub stake: Stake,
}

/// What was seen instead of a belief.
pub enum Seen {
    Differs(String),
    NotAnswered(String),
    /// It needs something that is not configured.
    NotAsked(&'static str),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs(what) => write!(f, "differs: {what}"),
            Self::NotAnswered(why) => write!(f, "not answered: {why}"),
            Self::NotAsked(variable) => write!(f, "not asked: {variable} is not set"),
        }
    }
}

/// Whether a belief is true.
pub type StageState = Result<(), Seen>;

/// Compares what was found with what is believed.
pub fn same<T: PartialEq<U> + fmt::Debug, U: fmt::Debug + ?Sized>(found: &T, believed: &U) -> StageState {
    if found == believed {
        return Ok(());
    }
    Err(Seen::Differs(format!("found {found:?}, believed {believed:?}")))
}

/// A question and its future answer.
pub struct Asking<'a> {
    question: Question,
    outcome: BoxFuture<'a, StageState>,
}

impl<'a> Asking<'a> {
    /// For a belief that finops relies on: what depends on it.
    pub fn relied(
        [id, rule, belief, what]: [&'static str; 4],
        outcome: impl Future<Output = StageState> + Send + 'a,
    ) -> Self {
        Self { question: Question { id, rule, belief, stake: Stake::Relies(what) }, outcome: outcome.boxed() }
    }

    /// For a belief that finops does not rely on: what would be different.
    pub fn either(
        [id, rule, belief, what]: [&'static str; 4],
        outcome: impl Future<Output = StageState> + Send + 'a,
    ) -> Self {
        Self { question: Question { id, rule, belief, stake: Stake::Either(what) }, outcome: outcome.boxed() }
    }

    /// Asks. A panic counts as no answer, so that the other questions are answered.
    pub async fn answer(self) -> Answer {
        let outcome = AssertUnwindSafe(self.outcome).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(Seen::NotAnswered(format!("panicked: {}", message.unwrap_or("without a message"))))
        });
        Answer { question: self.question, outcome }
    }
}

/// A question with what was seen.
pub struct Answer {
    pub question: Question,
    pub outcome: StageState,
}

impl Answer {
    pub fn seen(&self) -> String {
        self.outcome.as_ref().err().map_or_else(|| "held".to_owned(), Seen::to_string)
    }

    pub fn is_asked(&self) -> bool {
        !matches!(self.outcome, Err(Seen::NotAsked(_)))
    }

    /// Whether finops relies on a belief that was not confirmed.
    pub fn is_wrong(&self) -> bool {
        self.outcome.is_err() && self.is_asked() && matches!(self.question.stake, Stake::Relies(_))
    }
}

/// The answers as a Markdown table, whose cells wrap in a terminal if they may.
pub fn table(answers: &[Answer], may_wrap: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "No.",
        "Rule",
        "finops believes",
        "Seen",
        "What stands on it",
    ]);
    if may_wrap {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for answer in answers {
        let Question { id, rule, belief, stake } = &answer.question;
        let stake = match stake {
            Stake::Relies(what) => format!("relied on: {what}"),
            Stake::Either(what) => format!("right either way: {what}"),
        };
        let cell = |text: &str| text.replace('\n', " ").replace('|', "\\|");
        table.add_row([id, rule, belief, answer.seen().as_str(), &stake].map(cell));
    }
    table
}
