//! One schema against another: what may change, and how the stored table follows.

use crate::{
    catalog::Table,
    types::{Field, find, quote},
};

/// Which differences are fine.
pub struct Allow {
    /// New nullable columns.
    pub addition: bool,
    /// REQUIRED columns that become NULLABLE.
    pub relaxation: bool,
    /// Nullable columns that the new schema lacks; the table keeps them.
    pub missing: bool,
}

/// What is to change.
#[derive(Default)]
pub struct SchemaChange {
    added: Vec<Field>,
    relaxed: Vec<String>,
}

impl SchemaChange {
    /// Compares the schemas; the first difference that is not fine comes back in BigQuery's words.
    pub fn between(old: &[Field], new: &[Field], allow: &Allow) -> Result<Self, String> {
        let mut change = Self::default();
        for old in old {
            let name = &old.name;
            let Some(new) = find(new, name) else {
                if old.required || !allow.missing {
                    return Err(format!("Field {name} is missing in new schema"));
                }
                continue;
            };
            if new.ty != old.ty {
                let (from, to) = (old.ty.rest_name(), new.ty.rest_name());
                return Err(format!("Field {name} has changed type from {from} to {to}"));
            }
            if old.required && !new.required && allow.relaxation {
                change.relaxed.push(name.clone());
            } else if old.required != new.required {
                return Err(format!("Field {name} has changed mode from {} to {}", old.mode(), new.mode()));
            }
        }
        for new in new.iter().filter(|new| find(old, &new.name).is_none()) {
            if !allow.addition {
                return Err(format!("Cannot add fields (field: {})", new.name));
            }
            if new.required {
                return Err(format!("Cannot add required fields to an existing schema. (field: {})", new.name));
            }
            change.added.push(new.clone());
        }
        Ok(change)
    }

    /// Changes the table's columns and returns the DuckDB statements that do so.
    pub fn apply(self, table: &mut Table) -> Vec<String> {
        let target = table.id.duckdb();
        let mut statements = Vec::new();
        for field in self.added {
            statements.push(format!("ALTER TABLE {target} ADD COLUMN {}", field.ddl()));
            table.fields.push(field);
        }
        for field in table.fields.iter_mut().filter(|field| self.relaxed.contains(&field.name)) {
            statements.push(format!("ALTER TABLE {target} ALTER {} DROP NOT NULL", quote(&field.name)));
            field.required = false;
        }
        statements
    }
}
