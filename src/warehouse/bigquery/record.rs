//! The state table: its columns, reading its rows, and adding one.

use backon::Retryable;
use finops_core::{
    amount::Amount,
    state::{LoadRecord, LoadStatus, STATE_TABLE},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{BigQuery, errors::Failure, job::Finished, query::parameter, verify::Found};
use crate::{
    error::Result,
    http,
    warehouse::{MonthLoad, Target, sql::Dialect, state_row::StateRow},
};

/// The state table's columns in the contract's order, with their types.
const COLUMNS: [(&str, &str); 17] = [
    ("pipeline", "STRING"),
    ("export_name", "STRING"),
    ("table_name", "STRING"),
    ("billing_period", "DATE"),
    ("sequence", "INT64"),
    ("execution_id", "STRING"),
    ("fingerprint", "STRING"),
    ("manifest_uri", "STRING"),
    ("job_id", "STRING"),
    ("status", "STRING"),
    ("rows", "INT64"),
    ("files", "INT64"),
    ("bytes", "INT64"),
    ("cost", "JSON"),
    ("previous_execution_id", "STRING"),
    ("run_id", "STRING"),
    ("loaded_at", "TIMESTAMP"),
];

/// The state table's schema.
pub(super) fn state_schema() -> Value {
    json!({"fields": COLUMNS.map(|(name, sql_type)| json!({"name": name, "type": sql_type}))})
}

/// A query for the last record of each month of the table that the parameter `table` names.
pub(super) fn last_records_query(state_table: &str) -> String {
    let columns = quoted_columns();
    format!(
        "SELECT {columns} FROM {state_table} WHERE table_name = @table \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY billing_period ORDER BY sequence DESC, loaded_at DESC) = 1"
    )
}

fn quoted_columns() -> String {
    // `rows` is a keyword, so every name is quoted.
    COLUMNS.map(|(name, _)| Dialect::BigQuery.quote(name)).join(", ")
}

/// Reads a row of [`last_records_query`].
///
/// # Errors
/// `Warehouse` where a value is not what finops writes there.
pub(super) fn read_record(row: &[Option<String>]) -> Result<LoadRecord> {
    let columns = COLUMNS.map(|(name, _)| name);
    StateRow { columns: &columns, values: row }.read(moment)
}

/// A TIMESTAMP as query results carry it: seconds since 1970 as decimal text, such as `1.7569728E9`.
fn moment(text: &str) -> Result<Timestamp, String> {
    let seconds = text.parse::<Amount>().map_err(|error| error.to_string())?.to_string();
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((&seconds, ""));
    let microseconds = format!("{seconds}{fraction:0<6.6}").parse::<i64>().map_err(|error| error.to_string())?;
    Timestamp::from_microsecond(microseconds).map_err(|error| error.to_string())
}

impl BigQuery {
    /// Adds the row that tells of a load, unless it is there already.
    pub(super) async fn record(
        &self,
        target: &Target,
        load: &MonthLoad,
        finished: &Finished,
        found: &Found,
        status: LoadStatus,
        location: &str,
    ) -> Result<LoadRecord> {
        let record = load.record(target, finished.number, found.rows, found.cost.clone());
        // Not before the job's end: a record older than its table would not count.
        let loaded_at = record.loaded_at.max(finished.ended);
        let record = LoadRecord { job_id: Some(finished.id.clone()), status, loaded_at, ..record };
        let sql = insert_statement(&self.path(&target.dataset, STATE_TABLE));
        let parameters = parameters(&record);
        let insert = || self.client.query(location, &sql, &parameters);
        let inserted = insert.retry(http::backoff()).when(Failure::is_concurrent_update).await;
        let doing = || format!("recording {} of {}", load.billing_period, self.state_table(&target.dataset));
        inserted.map_err(|failure| failure.into_error(&doing()))?;
        Ok(record)
    }
}

fn insert_statement(state_table: &str) -> String {
    let values = COLUMNS.map(|(name, sql_type)| match sql_type {
        "JSON" => format!("PARSE_JSON(@{name})"),
        _ => format!("@{name}"),
    });
    format!(
        "INSERT INTO {state_table} ({}) SELECT {} FROM (SELECT 1) WHERE NOT EXISTS (SELECT 1 FROM {state_table} \
         WHERE table_name = @table_name AND billing_period = @billing_period AND sequence = @sequence)",
        quoted_columns(),
        values.join(", ")
    )
}

fn parameters(record: &LoadRecord) -> Vec<Value> {
    let text = |name: &str, value: &str| parameter(name, "STRING", Some(value.to_owned()));
    let number = |name: &str, value: String| parameter(name, "INT64", Some(value));
    let cost: serde_json::Map<_, _> =
        record.cost.iter().map(|(currency, amount)| (currency.clone(), amount.to_string().into())).collect();
    vec![
        text("pipeline", &record.pipeline),
        text("export_name", &record.export_name),
        text("table_name", &record.table_name),
        parameter("billing_period", "DATE", Some(record.billing_period.first_day().to_string())),
        number("sequence", record.sequence.to_string()),
        text("execution_id", &record.execution_id),
        text("fingerprint", &record.fingerprint),
        text("manifest_uri", &record.manifest_uri),
        parameter("job_id", "STRING", record.job_id.clone()),
        text("status", record.status.as_str()),
        number("rows", record.rows.to_string()),
        number("files", record.files.to_string()),
        number("bytes", record.bytes.to_string()),
        text("cost", &Value::Object(cost).to_string()),
        parameter("previous_execution_id", "STRING", record.previous_execution_id.clone()),
        text("run_id", &record.run_id),
        parameter("loaded_at", "TIMESTAMP", Some(record.loaded_at.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_to_the_microsecond() {
        for text in ["1.795380845123456E9", "1795380845.123456"] {
            assert_eq!(moment(text).unwrap().to_string(), "2026-11-22T20:54:05.123456Z");
        }
        assert!(moment("2026-11-21").is_err());
        assert!(moment("1e300").is_err());
    }

    #[test]
    fn a_row_that_finops_did_not_write_is_named_with_its_column() {
        let good: Vec<Option<String>> = [
            "aws",
            "cur",
            "t",
            "2025-09-01",
            "3",
            "e",
            "f",
            "gs://b/m",
            "j",
            "loaded",
            "1",
            "1",
            "1",
            "{}",
            "e0",
            "r",
            "1.7569728E9",
        ]
        .map(|text| Some(text.to_owned()))
        .into();
        assert_eq!(read_record(&good).unwrap().status, LoadStatus::Loaded);
        for (at, text, column) in [
            (3, "soon", "column billing_period"),
            (9, "LOADED", "column status"),
            (13, "1.5", "column cost"),
            (16, "today", "column loaded_at"),
        ] {
            let mut row = good.clone();
            row[at] = Some(text.to_owned());
            let error = read_record(&row).unwrap_err();
            let message = error.full_message();
            assert!(message.contains("row of table t") && message.contains("sequence 3"), "{message}");
            assert!(message.contains(column) && message.contains(text), "{message}");
            assert!(error.next_step().unwrap().contains("repair or delete that row"), "{error:?}");
        }
        assert!(read_record(&vec![None; COLUMNS.len()]).is_err());
    }

    #[test]
    fn each_column_has_its_parameter() {
        let record = LoadRecord {
            pipeline: "aws".to_owned(),
            export_name: "cur".to_owned(),
            table_name: "t".to_owned(),
            billing_period: "2025-09".parse().unwrap(),
            sequence: 1,
            execution_id: "e".to_owned(),
            fingerprint: "f".to_owned(),
            manifest_uri: "gs://b/m".to_owned(),
            job_id: None,
            status: LoadStatus::Loaded,
            rows: 1,
            files: 1,
            bytes: 1,
            cost: [("USD".to_owned(), "1.50".parse().unwrap())].into(),
            previous_execution_id: None,
            run_id: "r".to_owned(),
            loaded_at: Timestamp::UNIX_EPOCH,
        };
        let parameters = parameters(&record);
        let named: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(named, COLUMNS.map(|(name, _)| name));
        let value = |at: usize| parameters[at]["parameterValue"]["value"].as_str();
        assert_eq!(value(13), Some(r#"{"USD":"1.5"}"#));
        assert_eq!(value(14), None);
        assert_eq!(value(16), Some("1970-01-01 00:00:00.000000+00:00"));
    }
}
