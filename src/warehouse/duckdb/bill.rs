//! What the newest month's bill says, for the demonstration.

use finops_core::{Costs, formats::kinds, model::kind::ExportKind};

use super::{
    catalog::{path, rows},
    database::DuckDb,
    failure::failed,
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{TableName, sql::Dialect::DuckDb as DIALECT},
};

/// The bill of a month.
#[derive(Debug)]
pub struct Bill {
    /// The month, such as `2025-10`.
    pub month: String,
    /// Cost by service, the largest first. What is neither usage nor a purchase, such as tax, has a line of its own.
    pub services: Vec<(String, Costs)>,
}

impl DuckDb {
    /// The bill of the newest month in a table with rows of `kind`.
    ///
    /// # Errors
    /// `Warehouse` where DuckDB refuses the query.
    pub async fn bill(&self, name: TableName, kind: ExportKind) -> Result<Bill> {
        self.blocking(move |connection| {
            let table = path(connection, &name, &name.table)?;
            let key = &kinds::columns(kind).key;
            let [cost, currency, partition] =
                [key.costs[0], key.currencies[0], key.partition].map(|name| DIALECT.quote(name));
            let sql = format!(
                "SELECT strftime({partition}, '%Y-%m'), {}, {currency}, CAST(sum({cost}) AS VARCHAR) FROM {table} \
                 WHERE {partition} = (SELECT max({partition}) FROM {table}) GROUP BY ALL ORDER BY sum({cost}) DESC",
                service(kind)
            );
            let read = rows(connection, &sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
            let mut bill = Bill { month: String::new(), services: Vec::new() };
            for (month, service, currency, cost) in read.map_err(failed(format!("cannot read the bill in {table}")))? {
                let cost: String = cost;
                let cost = cost.parse().map_err(|error| {
                    Error::new(ErrorKind::Warehouse, format!("{table} has an unreadable cost")).cause(error)
                })?;
                bill.month = month;
                bill.services.push((service, Costs::from([(currency, cost)])));
            }
            Ok(bill)
        })
        .await
    }
}

/// The service of usage and purchases, or else what the row is.
fn service(kind: ExportKind) -> &'static str {
    match kind {
        ExportKind::Cur | ExportKind::Cur2 => {
            "CASE WHEN line_item_line_item_type IN ('Credit', 'Refund', 'Tax') OR line_item_line_item_type LIKE '%Discount' \
             THEN line_item_line_item_type ELSE product_product_name END"
        }
        ExportKind::AzureActual | ExportKind::AzureAmortized | ExportKind::AzureUsage => "meterCategory",
        ExportKind::Focus => {
            "CASE WHEN ChargeCategory IN ('Usage', 'Purchase') THEN ServiceName ELSE ChargeCategory END"
        }
    }
}
