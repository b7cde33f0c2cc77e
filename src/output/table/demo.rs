//! What the demonstration prints beside the output of its commands.

use finops_core::{Costs, model::amount::total};

use super::{
    layout::{Cell, Table, numbers, words},
    view::View,
};
use crate::output::streams::print;

/// Prints what follows.
pub fn heading(text: &str) {
    print(&format!("\n{}", View::of_stdout(false).paragraph(&format!("== {text}"), 3)));
}

/// Prints a cost for each service, and the total.
pub fn bill(heading: &str, services: &[(String, Costs)]) {
    let view = View { width: None, ..View::of_stdout(false) };
    let mut table = Table::new(&[words("SERVICE"), numbers("COST")], "", &[]);
    let sum = ("Total".to_owned(), total(services.iter().map(|(_, cost)| cost)));
    for (service, cost) in services.iter().chain([&sum]) {
        let [cost, _] = view.cost_cells(cost, &Costs::new());
        table.row([Cell::of(service), cost], "");
    }
    print(&format!("\n{heading}\n{}", table.draw(&view).join("\n")));
}
