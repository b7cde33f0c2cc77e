//! Settings and their origins.

use finops_core::model::text::strip_control_chars;

use super::layout::new_table;
use crate::{
    output::streams::print,
    settings::{ENV_FILE, Origin, Setting},
};

pub fn settings(settings: &[Setting]) {
    let mut table = new_table(&["Setting", "Value", "Origin"], &[]);
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
        table.add_row([&setting.name, &strip_control_chars(&setting.value), origin]);
    }
    print(&table.to_string());
}
