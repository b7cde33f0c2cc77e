//! One month: staged, checked, swapped.

use jiff::civil::Date;

use super::check::check;
use crate::{
    error::Result,
    warehouse::{Committed, MonthLoad, Stage, Swap, Target, Warehouse},
};

/// What became of a month.
#[derive(Debug)]
pub enum Replaced {
    /// It is loaded, checked and recorded; with what is to be said of it.
    Committed(Box<Committed>, Vec<String>),
    /// Another run replaced it, or its files changed: begin again with the state.
    Superseded,
    /// The table holds a delivery of it that reaches further, to this day, which no run recorded.
    Outreached(Date),
}

/// Replaces the month. `unchanged` tells, once the files are staged, whether they are still those that were listed: a
/// mirror may replace them while they are read.
///
/// # Errors
/// Why the month is not loaded. What was loaded before is unchanged, unless the swap itself was done: the next run then
/// finds and records it.
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
    // Files that changed meanwhile are read again: what was counted of them says nothing.
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
