//! What all tables share.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use finops_core::plan::age::issued;
use jiff::Timestamp;

use crate::output::streams::print;

/// Terminals with fewer columns than this get tables that do not wrap cells.
const NARROWEST: u16 = 80;

/// An empty table; the columns `numbers` are aligned to the right.
pub fn new_table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    // In a terminal, long cells wrap; in a very narrow one that would make columns of single letters.
    if table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Prints how old the newest delivery is.
pub fn newest_delivery(newest: Timestamp) {
    print(&format!("newest delivery: {}", issued(newest, Timestamp::now())));
}
