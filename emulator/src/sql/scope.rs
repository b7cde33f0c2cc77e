//! What names mean inside a query.

use std::collections::BTreeMap;

use super::typed::Typed;
use crate::{
    catalog::{Catalog, DatasetId},
    error::ApiError,
    types::{Field, Type, quote},
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

/// A table, subquery or common table expression under its alias.
#[derive(Debug, Clone)]
pub struct Relation {
    pub alias: String,
    pub columns: Vec<Field>,
}

/// The names in reach of an expression.
#[derive(Default)]
pub struct Scope<'a> {
    pub relations: Vec<Relation>,
    /// Aliases of the SELECT list, where a clause may use them.
    pub aliases: Vec<(String, Type)>,
    pub parent: Option<&'a Scope<'a>>,
    /// Common table expressions.
    pub with: Vec<Relation>,
}

impl Scope<'_> {
    /// The expression of a column.
    ///
    /// # Errors
    /// invalidQuery where the name is unknown or ambiguous.
    pub fn column(&self, path: &[&str]) -> Result<Typed, ApiError> {
        let (alias, name) = match path {
            [name] => (None, *name),
            [alias, name] => (Some(*alias), *name),
            _ => return Err(unrecognized(path)),
        };
        if let Some((own, ty)) = self
            .aliases
            .iter()
            .find(|(own, _)| alias.is_none() && own.eq_ignore_ascii_case(name))
        {
            return Ok(Typed::new(quote(own), *ty));
        }
        let relations = self.relations.iter().filter(|relation| {
            alias.is_none_or(|alias| relation.alias.eq_ignore_ascii_case(alias))
        });
        let mut found = relations.filter_map(|relation| {
            let field = relation
                .columns
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))?;
            Some(Typed::new(
                format!("{}.{}", quote(&relation.alias), quote(&field.name)),
                field.ty,
            ))
        });
        match (found.next(), found.next(), self.parent) {
            (Some(column), None, _) => Ok(column),
            (Some(_), Some(_), _) => Err(ApiError::invalid_query(format!(
                "Column name {name} is ambiguous"
            ))),
            (None, _, Some(parent)) => parent.column(path),
            (None, _, None) => Err(unrecognized(path)),
        }
    }

    /// A common table expression.
    pub fn with(&self, name: &str) -> Option<&Relation> {
        let own = self
            .with
            .iter()
            .find(|relation| relation.alias.eq_ignore_ascii_case(name));
        own.or_else(|| self.parent.and_then(|parent| parent.with(name)))
    }
}

fn unrecognized(path: &[&str]) -> ApiError {
    ApiError::invalid_query(format!("Unrecognized name: {}", path.join(".")))
}
