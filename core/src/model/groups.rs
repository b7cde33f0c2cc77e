//! Rows and cost of parts of a month, as a warehouse sums them.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::model::amount::{Costs, add_to, subtract};

/// Rows and cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many rows.
    pub rows: u64,
    /// The exact sum of their cost.
    pub cost: Costs,
}

impl Sums {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        other.cost.iter().for_each(|(currency, amount)| add_to(&mut self.cost, currency, amount));
    }
}

/// The values of the requested columns, and the day, if the row has one.
pub type Group = (Vec<String>, Option<Date>);

/// Sums by group.
pub type Groups = BTreeMap<Group, Sums>;

/// The difference between `before` and `after`.
pub fn added(before: &Groups, after: &Groups) -> Groups {
    let mut added = after.clone();
    for (group, sums) in before {
        let left = added.entry(group.clone()).or_default();
        left.rows = left.rows.saturating_sub(sums.rows);
        left.cost = subtract(&left.cost, &sums.cost);
    }
    added.retain(|_, sums| sums.rows > 0);
    added
}

/// Part of a month's files that was staged separately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchFigures {
    /// Rows that its load reports to have written.
    pub written: Option<u64>,
    /// Its own sums, if they were requested.
    pub groups: Option<Groups>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_what_was_not_there() {
        let sums = |rows, cost: &str| Sums { rows, cost: [("EUR".to_owned(), cost.parse().unwrap())].into() };
        let group = |name: &str| (vec![name.to_owned()], None);
        let before: Groups = [(group("a"), sums(1, "1.5")), (group("b"), sums(2, "2"))].into();
        let after: Groups =
            [(group("a"), sums(3, "1.75")), (group("b"), sums(2, "2")), (group("c"), sums(1, "0"))].into();
        assert_eq!(added(&before, &after), [(group("a"), sums(2, "0.25")), (group("c"), sums(1, "0"))].into());
        assert_eq!(added(&Groups::new(), &after), after);
    }
}
