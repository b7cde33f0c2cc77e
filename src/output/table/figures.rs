//! Counts, sizes and amounts, as people read them.

use finops_core::{
    Amount, Costs,
    model::{
        amount::{subtract, thousands},
        text::excerpt,
    },
};
use indicatif::HumanBytes;

use super::{
    layout::Cell,
    view::{GLUE, View},
};

/// Such as `1,824 rows`.
pub fn count(count: u64, of_one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{}{GLUE}{of_one}{plural}", thousands(&count.to_string()))
}

/// A cell with a count; empty if there are none.
pub fn count_cell(number: u64, of_one: &str) -> Cell {
    if number == 0 { Cell::default() } else { Cell::said(&thousands(&number.to_string()), &count(number, of_one)) }
}

/// A cell with the size of files; empty without files.
pub fn size_cell(files: u64, bytes: u64) -> Cell {
    if files == 0 { Cell::default() } else { Cell::of(&size(bytes)) }
}

/// The number and size of all files; nothing without files.
pub fn files(of_months: impl Iterator<Item = (u64, u64)>) -> Vec<String> {
    let (files, bytes) = of_months.fold((0, 0), |(files, bytes), of_month| (files + of_month.0, bytes + of_month.1));
    if files == 0 { Vec::new() } else { vec![count(files, "file"), size(bytes)] }
}

fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string().replace(' ', GLUE)
}

impl View {
    /// Such as `1,142,924.20 EUR`.
    fn amount(&self, amount: &Amount, currency: &str) -> String {
        format!("{} {}", self.digits(amount, false), excerpt(currency))
    }

    /// How many months have nothing to do; nothing if there are none.
    pub fn unchanged(&self, months: usize) -> Option<String> {
        (months > 0).then(|| self.paragraph(&format!("{} unchanged", count(months as u64, "month")), 2))
    }

    fn digits(&self, amount: &Amount, is_difference: bool) -> String {
        if self.exact { amount.exact(is_difference) } else { amount.rounded(is_difference) }
    }

    /// Each currency's amount. Currencies are never added together.
    pub fn costs(&self, costs: &Costs) -> Vec<String> {
        costs.iter().map(|(currency, amount)| self.amount(amount, currency).replace(' ', GLUE)).collect()
    }

    /// A cell with the cost of a month, and one with the change since `previous`, the same currency on the same line. In a
    /// list the change is beside the amount.
    pub fn cost_cells(&self, cost: &Costs, previous: &Costs) -> [Cell; 2] {
        if previous.is_empty() {
            let amounts = self.costs(cost);
            return [Cell::of_lines(amounts.clone(), &amounts.join(", ")), Cell::default()];
        }
        let (mut amounts, mut changes, mut listed) = (Vec::new(), Vec::new(), Vec::new());
        for (currency, change) in subtract(cost, previous) {
            let amount = self.amount(cost.get(&currency).unwrap_or(&Amount::zero()), &currency);
            let change = self.digits(&change, true);
            listed.push(format!("{amount} ({change})").replace(' ', GLUE));
            amounts.push(amount);
            changes.push(change);
        }
        [Cell::of_lines(amounts, &listed.join(", ")), Cell::of_lines(changes, "")]
    }
}
