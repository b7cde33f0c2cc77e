//! What all tables share.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use finops_core::plan::age::issued;
use indicatif::HumanBytes;
use jiff::Timestamp;

use crate::output::streams::print;

/// Terminals with fewer columns than this get tables that do not wrap cells.
const NARROWEST: u16 = 80;

/// An empty table; the columns `numbers` are aligned to the right.
pub fn new_table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    // Long cells wrap in a terminal. In a very narrow one, columns would have single letters.
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

/// The number and size of a month's files; empty if there are none.
pub fn files_and_size(files: u64, bytes: u64) -> [String; 2] {
    if files == 0 { Default::default() } else { [files.to_string(), HumanBytes(bytes).to_string()] }
}

/// Prints how old the newest delivery is.
pub fn newest_delivery(newest: Timestamp) {
    print(&format!("newest delivery: {}", issued(newest, Timestamp::now())));
}
