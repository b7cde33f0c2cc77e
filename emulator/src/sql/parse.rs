//! From text to syntax trees.

use sqlparser::{
    ast::{ObjectName, Query, Statement},
    dialect::BigQueryDialect,
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use crate::error::ApiError;

/// A statement.
pub enum Parsed {
    Statement(Box<Statement>),
    /// `ALTER TABLE t SET OPTIONS (.. = NULL)`, which the parser's grammar lacks.
    EndExpiration(ObjectName, Expiration),
}

/// An expiration that SET OPTIONS ends.
#[derive(Clone, Copy)]
pub enum Expiration {
    /// `partition_expiration_days`
    OfPartitions,
    /// `expiration_timestamp`
    OfTable,
}

/// Parses a job's text.
pub fn parse(sql: &str) -> Result<Parsed, ApiError> {
    if let Ok((table, expiration)) = end_expiration(sql) {
        return Ok(Parsed::EndExpiration(table, expiration));
    }
    Ok(Parsed::Statement(Box::new(parse_one(sql)?)))
}

/// Parses one statement.
pub fn parse_one(sql: &str) -> Result<Statement, ApiError> {
    let mut statements = Parser::parse_sql(&BigQueryDialect, sql)
        .map_err(|error| ApiError::invalid_query(format!("Syntax error: {error}")))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(unsupported("a script of several statements, or none")),
    }
}

/// A query without any clause. What a statement has beyond the clauses understood here shows as a
/// difference from it, whatever the parser learns in later versions.
pub fn plain() -> Result<Query, ApiError> {
    match parse_one("SELECT 1")? {
        Statement::Query(query) => Ok(*query),
        other => Err(unsupported(other)),
    }
}

/// The refusal of a construct.
pub fn unsupported(what: impl std::fmt::Display) -> ApiError {
    ApiError::invalid_query(format!("The emulator does not understand: {what}"))
}

fn end_expiration(sql: &str) -> Result<(ObjectName, Expiration), ParserError> {
    let mut parser = Parser::new(&BigQueryDialect).try_with_sql(sql)?;
    parser.expect_keywords(&[Keyword::ALTER, Keyword::TABLE])?;
    let table = parser.parse_object_name(true)?;
    parser.expect_keywords(&[Keyword::SET, Keyword::OPTIONS])?;
    parser.expect_token(&Token::LParen)?;
    let option = parser.parse_identifier()?.value;
    parser.expect_token(&Token::Eq)?;
    parser.expect_keyword(Keyword::NULL)?;
    parser.expect_token(&Token::RParen)?;
    parser.expect_token(&Token::EOF)?;
    match option.as_str() {
        "partition_expiration_days" => Ok((table, Expiration::OfPartitions)),
        "expiration_timestamp" => Ok((table, Expiration::OfTable)),
        _ => Err(ParserError::ParserError(option)),
    }
}
