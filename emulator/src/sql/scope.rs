//! What names mean inside a query.

use std::collections::BTreeMap;

use super::typed::Typed;
use crate::{
    catalog::{Catalog, DatasetId},
    error::ApiError,
    types::{Field, Type, find, quote},
};

/// What a whole statement is compiled against.
pub struct Context<'a> {
    pub project: &'a str,
    pub default_dataset: Option<&'a DatasetId>,
    pub parameters: &'a BTreeMap<String, Typed>,
    pub catalog: &'a Catalog,
    /// The job's location; all datasets must be there.
    pub location: &'a str,
    /// DuckDB names of the tables that the statement touches, each counted for billing.
    pub referenced: std::cell::RefCell<Vec<String>>,
}

/// A table, view or subquery under its alias.
#[derive(Debug, Clone)]
pub struct Relation {
    pub alias: String,
    pub columns: Vec<Field>,
}

/// The names in reach of an expression.
#[derive(Default)]
pub struct Scope<'a> {
    pub relation: Option<Relation>,
    /// Aliases of the SELECT list, where a clause may use them.
    pub aliases: Vec<(String, Type)>,
    pub parent: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    /// The expression of a column.
    pub fn column(&self, path: &[&str]) -> Result<Typed, ApiError> {
        let (alias, name) = match path {
            [name] => (None, *name),
            [alias, name] => (Some(*alias), *name),
            _ => return Err(unrecognized(path)),
        };
        if let Some((own, ty)) = self.aliases.iter().find(|(own, _)| alias.is_none() && own.eq_ignore_ascii_case(name))
        {
            return Ok(Typed::new(quote(own), *ty));
        }
        let own = self.relation.as_ref().filter(|own| alias.is_none_or(|alias| own.alias.eq_ignore_ascii_case(alias)));
        let column = own.and_then(|own| Some((own, find(&own.columns, name)?)));
        match (column, self.parent) {
            (Some((own, field)), _) => {
                let sql = format!("{}.{}", quote(&own.alias), quote(&field.name));
                Ok(Typed::new(sql, field.ty))
            }
            (None, Some(parent)) => parent.column(path),
            (None, None) => Err(unrecognized(path)),
        }
    }
}

fn unrecognized(path: &[&str]) -> ApiError {
    ApiError::invalid_query(format!("Unrecognized name: {}", path.join(".")))
}
