//! The steps of the protocol and their results.

use jiff::civil::Date;

/// How a swap job replaces the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// A copy of the staged partition.
    Copy,
    /// A query over the same staged rows, where a copy is refused.
    Query,
}

/// Which delivery a job loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// This one: the same delivery, files and columns, whichever run inserted the job.
    Mine,
    /// Another one.
    Other,
}

/// Why a job failed, or was refused when it was inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It goes away by itself.
    Transient,
    /// A copy is not possible. A query may be.
    CopyRefused,
    /// The staged rows are no longer there.
    SourceGone,
    /// None of the above.
    Final,
}

/// The result of the last [`Do`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// There is no such job.
    Free,
    /// It is not over.
    Running,
    /// It replaced the month. The date is the last day of its delivery, where the job's labels have it.
    Succeeded(Whose, Option<Date>),
    /// It changed nothing.
    Failed(Why),
    /// Its number is used, and BigQuery no longer knows the job.
    Forgotten,
    /// This run inserted it just now.
    Inserted,
    /// The insert was refused, but not because the number is used.
    Refused(Why),
    /// Whether the table still has the rows that a job put there.
    HasRows(bool),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Do {
    /// Find out whether there is a job of that number.
    Look(i64),
    /// Stage and check the month. The protocol goes on with [`Month::staged`].
    Stage,
    /// Insert the swap under that number.
    Insert(i64, By),
    /// Wait for the end of that job.
    Wait(i64),
    /// Find out whether the table still has the rows that that job put there.
    CheckRows(i64),
    /// That job loaded the month: record it.
    Record(i64),
    /// Another run replaced the month, or the staged rows are gone: start again with the state.
    Superseded,
    /// A job without a state row loaded another delivery, whose rows the table still has, and which covers more days than
    /// this one: up to that day.
    Outreached(Date),
    /// Give up.
    Fail,
}
