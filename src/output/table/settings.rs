//! Settings and their origins.

use super::{
    layout::{Cell, Table, words},
    view::View,
};
use crate::settings::{ENV_FILE, Origin, Setting};

/// Each setting with its value and its origin.
pub fn settings(settings: &[Setting], view: &View) -> String {
    let mut table = Table::new(&[words("SETTING"), words("VALUE"), words("ORIGIN")], "", &[]);
    for setting in settings {
        let origin = match &setting.origin {
            Origin::Environment => "environment",
            Origin::EnvFile => ENV_FILE,
            Origin::Flag => "flag",
            Origin::File => "file",
            Origin::Default => "default",
            Origin::NotSet => "not set",
            Origin::Shared(variable) => variable,
        };
        // Listed without a comma after the value, which people copy.
        let listed = match setting.value.as_str() {
            "" => origin.to_owned(),
            value => format!("{value} ({origin})"),
        };
        table.row([Cell::of(&setting.name), Cell::said(&setting.value, &listed), Cell::said(origin, "")], "");
    }
    table.draw(view).join("\n")
}
