//! ALTER TABLE, and CREATE ROW ACCESS POLICY.

use sqlparser::ast::{AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ObjectName};

use super::{
    expr::sql_type,
    names::{self, Context},
    parse::{Expiration, unsupported},
    typed::Typed,
};
use crate::{
    catalog::{RowAccessPolicy, Table},
    error::ApiError,
    types::{Field, Type, find, quote},
};

/// A changed table, and the DuckDB statements for the change, which run in one transaction.
pub struct Alteration {
    pub table: Table,
    pub statements: Vec<String>,
}

/// Compiles ADD COLUMN (several in one statement) and ALTER COLUMN SET DATA TYPE.
pub fn alter(alter: &AlterTable, context: &Context<'_>) -> Result<Alteration, ApiError> {
    let plain = !alter.if_exists && !alter.only && alter.location.is_none() && alter.on_cluster.is_none();
    if !plain || alter.table_type.is_some() {
        return Err(unsupported(alter));
    }
    let table = names::table(&alter.name, context)?.clone();
    let mut alteration = Alteration { table, statements: Vec::new() };
    for operation in &alter.operations {
        match operation {
            AlterTableOperation::AddColumn { if_not_exists, column_def, column_position: None, .. } => {
                alteration.add_column(column_def, *if_not_exists)?;
            }
            AlterTableOperation::AlterColumn {
                column_name,
                op: AlterColumnOperation::SetDataType { data_type, using: None, .. },
            } => alteration.set_type(&column_name.value, sql_type(data_type)?)?,
            other => return Err(unsupported(other)),
        }
    }
    Ok(alteration)
}

/// Compiles SET OPTIONS (partition_expiration_days = NULL) and (expiration_timestamp = NULL).
pub fn end_expiration(
    name: &ObjectName,
    expiration: Expiration,
    context: &Context<'_>,
) -> Result<Alteration, ApiError> {
    let mut table = names::table(name, context)?.clone();
    match (expiration, table.partitioning.as_mut()) {
        (Expiration::OfTable, _) => table.expires = None,
        (Expiration::OfPartitions, Some(partitioning)) => partitioning.expiration = None,
        (Expiration::OfPartitions, None) => {
            return Err(ApiError::invalid_query(format!("{name} is not partitioned")));
        }
    }
    Ok(Alteration { table, statements: Vec::new() })
}

/// Compiles CREATE ROW ACCESS POLICY.
pub fn row_access_policy(name: &ObjectName, policy: String, context: &Context<'_>) -> Result<Alteration, ApiError> {
    let mut table = names::table(name, context)?.clone();
    if table.row_access_policies.iter().any(|other| other.id == policy) {
        return Err(ApiError::duplicate(format!("Row access policy {policy} on {}", table.id)));
    }
    table.row_access_policies.push(RowAccessPolicy { id: policy, filter: "TRUE".to_owned() });
    Ok(Alteration { table, statements: Vec::new() })
}

impl Alteration {
    fn add_column(&mut self, definition: &ColumnDef, if_not_exists: bool) -> Result<(), ApiError> {
        let ColumnDef { name, data_type, options } = definition;
        if !options.is_empty() {
            return Err(unsupported(definition));
        }
        if find(&self.table.fields, &name.value).is_none() {
            let statement = self.table.add(Field::nullable(&name.value, sql_type(data_type)?));
            self.statements.push(statement);
        } else if !if_not_exists {
            let message = format!("Column already exists: {} at {}", name.value, self.table.id);
            return Err(ApiError::invalid_query(message));
        }
        Ok(())
    }

    fn set_type(&mut self, name: &str, ty: Type) -> Result<(), ApiError> {
        let target = self.table.id.duckdb();
        let field = self.table.fields.iter_mut().find(|field| field.name.eq_ignore_ascii_case(name));
        let field = field.ok_or_else(|| ApiError::invalid_query(format!("Column not found: {name} at {target}")))?;
        if !field.ty.widens_to(ty) {
            return Err(ApiError::invalid_query(format!(
                "ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({}) is assignable to \
                 the new type ({})",
                field.ty.sql_name(),
                ty.sql_name()
            )));
        }
        let column = quote(&field.name);
        let value = Typed::new(column.clone(), field.ty).cast(ty, false)?.sql;
        field.ty = ty;
        self.statements
            .push(format!("ALTER TABLE {target} ALTER {column} SET DATA TYPE {} USING {value}", ty.duckdb()));
        Ok(())
    }
}
