//! ALTER TABLE.

use sqlparser::{
    ast::{AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, Expr, ObjectName, Value},
    dialect::BigQueryDialect,
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use super::{
    expr::{sql_type, unsupported},
    names,
    scope::Context,
    typed::Typed,
};
use crate::{
    catalog::Table,
    error::ApiError,
    types::{Field, find, quote},
};

/// A changed table, and the DuckDB statements that change it, to be run in one transaction.
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
            } => {
                let ty = sql_type(data_type)?;
                alteration.set_type(&column_name.value, ty)?;
            }
            other => return Err(unsupported(other)),
        }
    }
    Ok(alteration)
}

impl Alteration {
    fn add_column(&mut self, definition: &ColumnDef, if_not_exists: bool) -> Result<(), ApiError> {
        let ColumnDef { name, data_type, options } = definition;
        if !options.is_empty() {
            return Err(unsupported(definition));
        }
        if find(&self.table.fields, &name.value).is_some() {
            if if_not_exists {
                return Ok(());
            }
            let message = format!("Column already exists: {} at {}", name.value, self.table.id);
            return Err(ApiError::invalid_query(message));
        }
        let field = Field::nullable(&name.value, sql_type(data_type)?);
        self.statements.push(format!("ALTER TABLE {} ADD COLUMN {}", self.table.id.duckdb(), field.ddl()));
        self.table.fields.push(field);
        Ok(())
    }

    fn set_type(&mut self, name: &str, ty: crate::types::Type) -> Result<(), ApiError> {
        let id = self.table.id.clone();
        let field = self.table.fields.iter_mut().find(|field| field.name.eq_ignore_ascii_case(name));
        let field = field.ok_or_else(|| ApiError::invalid_query(format!("Column not found: {name} at {id}")))?;
        if !field.ty.widens_to(ty) {
            return Err(ApiError::invalid_query(format!(
                "ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({}) is assignable to \
                 the new type ({})",
                field.ty.sql_name(),
                ty.sql_name()
            )));
        }
        let column = quote(&field.name);
        let value = Typed::new(column.clone(), field.ty).cast(ty, false)?;
        field.ty = ty;
        self.statements.push(format!(
            "ALTER TABLE {} ALTER {column} SET DATA TYPE {} USING {}",
            id.duckdb(),
            ty.duckdb(),
            value.sql
        ));
        Ok(())
    }
}

/// `ALTER TABLE t SET OPTIONS (...)`, which the parser's own grammar lacks.
pub struct SetOptions {
    pub table: ObjectName,
    pub options: Vec<(String, Expr)>,
}

/// Reads the statement; `None` where the text is another one.
pub fn parse_set_options(sql: &str) -> Option<SetOptions> {
    let mut parser = Parser::new(&BigQueryDialect).try_with_sql(sql).ok()?;
    let mut read = || -> Result<SetOptions, ParserError> {
        parser.expect_keywords(&[Keyword::ALTER, Keyword::TABLE])?;
        let table = parser.parse_object_name(true)?;
        parser.expect_keywords(&[Keyword::SET, Keyword::OPTIONS])?;
        parser.expect_token(&Token::LParen)?;
        let options = parser.parse_comma_separated(|parser| {
            let name = parser.parse_identifier()?.value;
            parser.expect_token(&Token::Eq)?;
            Ok((name, parser.parse_expr()?))
        })?;
        parser.expect_token(&Token::RParen)?;
        let _ = parser.consume_token(&Token::SemiColon);
        parser.expect_token(&Token::EOF)?;
        Ok(SetOptions { table, options })
    };
    read().ok()
}

/// Applies the options.
pub fn set_options(statement: &SetOptions, context: &Context<'_>) -> Result<Alteration, ApiError> {
    let mut table = names::table(&statement.table, context)?.clone();
    for (name, value) in &statement.options {
        let (true, Expr::Value(value)) = (name.eq_ignore_ascii_case("partition_expiration_days"), value) else {
            return Err(unsupported(format!("option {name} = {value}")));
        };
        let partitioning = table.partitioning.as_mut().ok_or_else(|| {
            ApiError::invalid_query(format!("partition_expiration_days needs a partitioned table, {} is not", table.id))
        })?;
        partitioning.expiration = match &value.value {
            Value::Null => None,
            Value::Number(days, false) => {
                let days: i64 = days.parse().map_err(|_| unsupported(format!("{name} = {days}")))?;
                Some(days * 24 * 60 * 60 * 1000)
            }
            other => return Err(unsupported(format!("{name} = {other}"))),
        };
    }
    Ok(Alteration { table, statements: Vec::new() })
}
