//! One month: staged, checked, swapped.

use jiff::civil::Date;

use super::check::check;
use crate::{
    error::Result,
    warehouse::{Committed, MonthLoad, Stage, Swap, Target, Warehouse},
};

/// The result of replacing a month.
#[derive(Debug)]
pub enum Replaced {
    /// It is loaded, checked and recorded; with notes for the report.
    Committed(Box<Committed>, Vec<String>),
    /// Another run replaced it, or its files changed: start again with the state.
    Superseded,
    /// The table has an unrecorded delivery of the month that covers more days, up to this one.
    Outreached(Date),
}

/// Replaces the month. `unchanged` is evaluated after the files are staged: whether they are still those that were listed. A
/// mirror may replace files while they are read.
///
/// # Errors
/// Why the month is not loaded. The loaded month is unchanged, unless the swap itself succeeded: the next run then finds and
/// records it.
pub async fn replace_month<W: Warehouse>(
    warehouse: &W,
    target: &Target,
    table: &W::Table,
    month: &MonthLoad,
    unchanged: impl Future<Output = Result<bool>>,
) -> Result<Replaced> {
    let (staged, figures) = match warehouse.stage(table, month).await? {
        Stage::Ready(staged, figures) => (staged, figures),
        Stage::Done(committed) => return Ok(Replaced::Committed(committed, Vec::new())),
        Stage::Superseded => return Ok(Replaced::Superseded),
        Stage::Outreached(until) => return Ok(Replaced::Outreached(until)),
    };
    // Files that changed meanwhile are loaded again, and their figures do not count.
    let may_be_swapped = match unchanged.await {
        Ok(true) => check(target, month, &figures).map(Some),
        changed => changed.map(|_| None),
    };
    match may_be_swapped {
        Ok(Some(notes)) => Ok(match warehouse.swap(table, staged, month.record(target, &figures)).await? {
            Swap::Committed(committed) => Replaced::Committed(committed, notes),
            Swap::Superseded => Replaced::Superseded,
        }),
        Ok(None) => {
            warehouse.discard(staged).await;
            Ok(Replaced::Superseded)
        }
        Err(error) => {
            warehouse.discard(staged).await;
            Err(error)
        }
    }
}
