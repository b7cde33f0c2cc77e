//! Parses statements.

use sqlparser::{
    ast::{ObjectName, Query, Statement},
    dialect::BigQueryDialect,
    keywords::Keyword,
    parser::{Parser, ParserError, ParserOptions},
    tokenizer::Token,
};

use crate::error::ApiError;

/// A statement.
pub enum Parsed {
    Statement(Box<Statement>),
    /// `ALTER TABLE t SET OPTIONS (.. = NULL)`, which sqlparser does not know.
    EndExpiration(ObjectName, Expiration),
    /// `CREATE ROW ACCESS POLICY p ON t GRANT TO (..) FILTER USING (TRUE)`, which sqlparser does not know.
    RowAccessPolicy(ObjectName, String),
}

/// An expiration that SET OPTIONS removes.
#[derive(Clone, Copy)]
pub enum Expiration {
    /// `partition_expiration_days`
    OfPartitions,
    /// `expiration_timestamp`
    OfTable,
}

/// Parses the statement of a job.
pub fn parse(sql: &str) -> Result<Parsed, ApiError> {
    if let Ok((table, expiration)) = end_expiration(sql) {
        return Ok(Parsed::EndExpiration(table, expiration));
    }
    if let Ok((table, policy)) = row_access_policy(sql) {
        return Ok(Parsed::RowAccessPolicy(table, policy));
    }
    Ok(Parsed::Statement(Box::new(parse_one(sql)?)))
}

/// Parses one statement.
pub fn parse_one(sql: &str) -> Result<Statement, ApiError> {
    let mut statements = parser(sql)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| ApiError::invalid_query(format!("Syntax error: {error}")))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(unsupported("a script of several statements, or none")),
    }
}

/// A parser that does not change string literals. [`unescape`] reads them, because sqlparser accepts escapes that GoogleSQL
/// refuses.
fn parser(sql: &str) -> Result<Parser<'static>, ParserError> {
    Parser::new(&BigQueryDialect).with_options(ParserOptions::new().with_unescape(false)).try_with_sql(sql)
}

/// The text of a string literal. `literal` is the part between the quotes.
pub fn unescape(literal: &str, quote: char) -> Result<String, ApiError> {
    let illegal =
        |what: &str| ApiError::invalid_query(format!("Syntax error: Illegal {what} in {quote}{literal}{quote}"));
    let mut text = String::with_capacity(literal.len());
    let mut rest = literal.chars();
    while let Some(c) = rest.next() {
        if c == quote || c == '\n' {
            return Err(illegal("quote or line end"));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let escape = rest.next().ok_or_else(|| illegal("escape sequence"))?;
        let mut code = |radix: u32, first: &str, digits: usize| {
            let (number, after) = rest.as_str().split_at_checked(digits)?;
            rest = after.chars();
            char::from_u32(u32::from_str_radix(&format!("{first}{number}"), radix).ok()?)
        };
        let c = match escape {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' | '?' | '"' | '\'' | '`' => Some(escape),
            'x' | 'X' => code(16, "", 2),
            'u' => code(16, "", 4),
            'U' => code(16, "", 8),
            '0'..='3' => code(8, &escape.to_string(), 2),
            _ => None,
        };
        text.push(c.ok_or_else(|| illegal("escape sequence"))?);
    }
    Ok(text)
}

/// A query without any clause. Callers copy the supported clauses into it and compare it with the statement: any
/// difference is an unsupported clause, also one that a later version of sqlparser adds.
pub fn empty_query() -> Result<Query, ApiError> {
    match parse_one("SELECT 1")? {
        Statement::Query(query) => Ok(*query),
        other => Err(unsupported(other)),
    }
}

/// The error for SQL that the emulator does not know.
pub fn unsupported(what: impl std::fmt::Display) -> ApiError {
    ApiError::invalid_query(format!("The emulator does not support: {what}"))
}

fn end_expiration(sql: &str) -> Result<(ObjectName, Expiration), ParserError> {
    let mut parser = parser(sql)?;
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

/// Reads the table and the name of its new policy. It accepts no filter except TRUE, because the emulator filters no rows.
fn row_access_policy(sql: &str) -> Result<(ObjectName, String), ParserError> {
    let mut parser = parser(sql)?;
    parser.expect_keywords(&[Keyword::CREATE, Keyword::ROW, Keyword::ACCESS, Keyword::POLICY])?;
    let policy = parser.parse_identifier()?.value;
    parser.expect_keyword(Keyword::ON)?;
    let table = parser.parse_object_name(true)?;
    parser.expect_keywords(&[Keyword::GRANT, Keyword::TO])?;
    parser.expect_token(&Token::LParen)?;
    parser.parse_comma_separated(Parser::parse_literal_string)?;
    parser.expect_token(&Token::RParen)?;
    parser.expect_keywords(&[Keyword::FILTER, Keyword::USING])?;
    parser.expect_token(&Token::LParen)?;
    parser.expect_keyword(Keyword::TRUE)?;
    parser.expect_token(&Token::RParen)?;
    parser.expect_token(&Token::EOF)?;
    Ok((table, policy))
}
