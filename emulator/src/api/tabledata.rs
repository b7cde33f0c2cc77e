//! tabledata.list, and the stored results of queries.

use serde_json::{Value, json};

use super::{Paging, flag};
use crate::{
    catalog::TableRef,
    error::ApiError,
    rest::{etag, now_ms, without_nulls},
    server::{Answer, LoggedRequest, Server},
    sql::wire,
    types::{Field, find, quote},
    warehouse::Warehouse,
};

type Page = (usize, Vec<Vec<Option<String>>>, Option<String>);

pub fn list(server: &Server, target: &TableRef, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let fields = server.catalog().table(&target.table)?.fields.clone();
    let fields = match call.query.get("selectedFields").filter(|names| !names.is_empty()) {
        None => fields,
        Some(names) => names
            .split(',')
            .map(|name| {
                let missing = || ApiError::invalid(format!("No such field: {name}"));
                find(&fields, name.trim()).cloned().ok_or_else(missing)
            })
            .collect::<Result<_, _>>()?,
    };
    let (total, rows, next) = read(server, target, &fields, &Paging::of(call))?;
    let int64_timestamps = flag(call, "formatOptions.useInt64Timestamp");
    let rows: Vec<Value> = rows.iter().map(|row| wire::row(&fields, row, int64_timestamps)).collect();
    Ok(Answer::Json(without_nulls(json!({
        "kind": "bigquery#tableDataList",
        "etag": etag(now_ms()),
        "totalRows": total.to_string(),
        "rows": (!rows.is_empty()).then_some(rows),
        "pageToken": next,
    }))))
}

/// The number of rows of a table or of one partition, one page of them, and the token of the next page.
pub fn read(server: &Server, target: &TableRef, fields: &[Field], paging: &Paging) -> Result<Page, ApiError> {
    if let Some(field) = fields.iter().find(|field| field.ty.map_value().is_some()) {
        return Err(ApiError::not_implemented(format!("a read of the record {}", field.name)));
    }
    let from = server.catalog().rows_sql(target)?;
    let connection = server.warehouse.connect()?;
    let total = usize::try_from(Warehouse::count(&connection, &from)?).unwrap_or(usize::MAX);
    let (range, next) = paging.range(total)?;
    let columns: Vec<String> = fields.iter().map(|field| wire::text_of(&quote(&field.name), field.ty)).collect();
    let page = format!("SELECT {} FROM {from} LIMIT {} OFFSET {}", columns.join(", "), range.len(), range.start);
    Ok((total, Warehouse::rows(&connection, &page)?, next))
}
