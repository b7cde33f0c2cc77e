//! Questions, and what was seen.

use std::{fmt, panic::AssertUnwindSafe};

use comfy_table::{ContentArrangement, Table, presets};
use futures::{FutureExt, future::BoxFuture};

/// What depends on a belief.
pub enum Stake {
    /// finops is wrong where it does not hold.
    Relies(&'static str),
    /// finops is right either way; what would be otherwise.
    Either(&'static str),
}

/// Something that finops believes of the services.
pub struct Question {
    /// Its number here.
    pub id: &'static str,
    /// The rule of the emulator that does so (`emulator/SEMANTICS.md`); empty where it is none of BigQuery's alone.
    pub rule: &'static str,
    pub belief: &'static str,
    pub stake: Stake,
}

/// What was seen where a belief did not hold.
pub enum Seen {
    Differs(String),
    NotAnswered(String),
    /// It needs something that was not named.
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

/// A question on its way.
pub struct Asking<'a> {
    question: Question,
    held: BoxFuture<'a, StageState>,
}

impl<'a> Asking<'a> {
    /// For a belief that finops relies on: what depends on it.
    pub fn relied(
        [id, rule, belief, what]: [&'static str; 4],
        held: impl Future<Output = StageState> + Send + 'a,
    ) -> Self {
        Self { question: Question { id, rule, belief, stake: Stake::Relies(what) }, held: held.boxed() }
    }

    /// Of one that it does not rely on: what would be otherwise.
    pub fn either(
        [id, rule, belief, what]: [&'static str; 4],
        held: impl Future<Output = StageState> + Send + 'a,
    ) -> Self {
        Self { question: Question { id, rule, belief, stake: Stake::Either(what) }, held: held.boxed() }
    }

    /// Asks. What panics is not answered, so that the others are.
    pub async fn answer(self) -> Answer {
        let held = AssertUnwindSafe(self.held).catch_unwind().await;
        let held = held.unwrap_or_else(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(Seen::NotAnswered(format!("panicked: {}", message.unwrap_or("without a message"))))
        });
        Answer { question: self.question, held }
    }
}

/// A question with what was seen.
pub struct Answer {
    pub question: Question,
    pub held: StageState,
}

impl Answer {
    pub fn seen(&self) -> String {
        self.held.as_ref().err().map_or_else(|| "held".to_owned(), Seen::to_string)
    }

    pub fn is_asked(&self) -> bool {
        !matches!(self.held, Err(Seen::NotAsked(_)))
    }

    /// Whether finops relies on a belief that was not confirmed.
    pub fn is_wrong(&self) -> bool {
        self.held.is_err() && self.is_asked() && matches!(self.question.stake, Stake::Relies(_))
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
