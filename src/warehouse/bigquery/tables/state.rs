//! The state table: its schema, reading its rows, and adding one.

use backon::Retryable;
use finops_core::{
    hint,
    model::{
        amount::Amount,
        load_record::{LoadRecord, STATE_TABLE},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::warehouse::bigquery::{
    BigQuery,
    api::{
        failure::Failure,
        model::{Field, Table},
        query::parameter,
    },
    tables::labels::{JOBS_IN, label},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{
        Loaded, TableName, Target,
        sql::Dialect,
        state_columns::{COLUMNS, StateColumn, StateRow, Type, check_columns},
        unmanaged_table,
    },
};

fn sql_type(column: &StateColumn) -> &'static str {
    match column.of {
        Type::Text => "STRING",
        Type::Whole => "INT64",
        Type::Day => "DATE",
        Type::Timestamp => "TIMESTAMP",
        Type::Json => "JSON",
    }
}

/// The state table's schema.
pub fn state_schema() -> Value {
    json!({"fields": COLUMNS.map(|column| json!({"name": column.name, "type": sql_type(&column)}))})
}

/// A query for the last record of each month of the table in the parameter `table`. Two runs may have added a number twice,
/// since their INSERTs do not conflict. It selects all columns: an older version's table lacks some.
fn last_records_query(state_table: &str) -> String {
    format!(
        "SELECT * FROM {state_table} WHERE table_name = @table \
         QUALIFY ROW_NUMBER() OVER (PARTITION BY billing_period ORDER BY sequence DESC, loaded_at DESC) = 1"
    )
}

/// The statement that adds the missing columns to an older version's table; `None` where it has all.
pub fn missing_columns(state_table: &str, table: &Table) -> Option<String> {
    let is_there = |name: &str| table.schema.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let missing = COLUMNS.iter().filter(|column| !is_there(column.name));
    let table_changes: Vec<String> = missing
        .map(|column| format!("ADD COLUMN IF NOT EXISTS {} {}", Dialect::BigQuery.quote(column.name), sql_type(column)))
        .collect();
    (!table_changes.is_empty()).then(|| format!("ALTER TABLE {state_table} {}", table_changes.join(", ")))
}

/// A TIMESTAMP of a query result: seconds since 1970 as decimal text, such as `1.7569728E9`.
fn timestamp(text: &str) -> Result<Timestamp, String> {
    let seconds = text.parse::<Amount>().map_err(|error| error.to_string())?.to_string();
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((&seconds, ""));
    let microseconds = format!("{seconds}{fraction:0<6.6}").parse::<i64>().map_err(|error| error.to_string())?;
    Timestamp::from_microsecond(microseconds).map_err(|error| error.to_string())
}

impl BigQuery {
    /// `project.dataset.finops_loads`, for messages.
    pub(in super::super) fn state_table(&self, dataset: &str) -> String {
        format!("{}.{dataset}.{STATE_TABLE}", self.client.project())
    }

    /// See [`crate::warehouse::Warehouse::loaded`].
    pub(in super::super) async fn last_records(&self, name: &TableName) -> Result<Loaded> {
        let Some(location) = self.location(&name.dataset).await? else { return Ok(Loaded::nothing()) };
        let sql = last_records_query(&self.path(&name.dataset, STATE_TABLE));
        let table = [parameter("table", "STRING", Some(name.table.clone()))];
        let answer =
            self.client.query_if_there(&location, &sql, &table).await.map(Some).or_else(Failure::none_if_missing);
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                // The statement fails where columns are missing or have another type: finops may not have created the table.
                if failure.is_status(400)
                    && let Some(table) = self.find_table(&name.dataset, STATE_TABLE).await?
                {
                    self.check_state(&name.dataset, &table)?;
                }
                return Err(failure.into_error(&format!("reading {}", self.state_table(&name.dataset))));
            }
        };
        let Some(answer) = answer else { return Ok(Loaded::nothing()) };
        self.check_state_columns(&name.dataset, &answer.fields)?;
        let names: Vec<String> = answer.fields.into_iter().map(|field| field.name).collect();
        let rows = answer.rows.iter().map(|values| StateRow { names: &names, values }.read(timestamp));
        Ok(Loaded::new(rows.collect::<Result<Vec<_>>>()?))
    }

    /// Refuses a state table that finops did not create, or whose columns are not those that finops writes.
    pub(in super::super) fn check_state(&self, dataset: &str, table: &Table) -> Result<()> {
        if !table.is_ours() {
            return Err(unmanaged_table(&self.state_table(dataset)).hint(hint::FOREIGN_STATE));
        }
        self.check_job_project(dataset, table)?;
        self.check_state_columns(dataset, &table.schema.fields)
    }

    /// Refuses a state table whose months were swapped by jobs in another project: a run there could be at work, and would not
    /// be noticed.
    fn check_job_project(&self, dataset: &str, table: &Table) -> Result<()> {
        let (tables, jobs) = (self.client.project(), self.client.job_project());
        let (before, now) = (table.labels.get(JOBS_IN).map_or_else(|| label(tables), String::clone), label(jobs));
        if before == now {
            return Ok(());
        }
        let message = format!(
            "BigQuery jobs that load months of {} run in project {before}, but this run is configured to run them in {jobs}",
            self.state_table(dataset)
        );
        let (label, table) = (JOBS_IN, format!("{tables}:{dataset}.{STATE_TABLE}"));
        Err(Error::new(ErrorKind::Configuration, message).hint(hint::move_jobs(&before, label, now, table)))
    }

    fn check_state_columns(&self, dataset: &str, fields: &[Field]) -> Result<()> {
        let found = |name: &str| {
            let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
            // The API's name of the type.
            Some(if field.r#type == "INTEGER" { "INT64".to_owned() } else { field.r#type.clone() })
        };
        check_columns(&self.state_table(dataset), found, |column| Some(sql_type(column)))
    }

    /// Checks that a row may be added to the state table, with a dry run of the statement: a project without billing loads and
    /// copies months, but refuses INSERT.
    ///
    /// # Errors
    /// What BigQuery refuses; `NotFound` where there is no such table.
    pub(in super::super) async fn try_recording(
        &self,
        dataset: &str,
        location: &str,
        is_there: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let sql = insert_statement(&self.path(dataset, STATE_TABLE), is_there);
        let doing = format!("trying to record in {}", self.state_table(dataset));
        self.dry_run(location, &sql, &parameters_of(|_| None), &doing).await.map(drop)
    }

    /// Adds the row of a load, unless the table has it.
    pub(in super::super) async fn record(&self, target: &Target, record: &LoadRecord, location: &str) -> Result<()> {
        let dataset = &target.name.dataset;
        let sql = insert_statement(&self.path(dataset, STATE_TABLE), |_| true);
        let parameters = parameters(record);
        let insert = || self.client.query(location, &sql, &parameters);
        let inserted = insert.retry(self.client.job_backoff()).when(Failure::is_concurrent_update).await;
        let doing = || format!("recording {} of {}", record.billing_period, self.state_table(dataset));
        inserted.map(drop).map_err(|failure| failure.into_error(&doing()))
    }
}

/// The statement that adds a row, with the columns that the table has.
fn insert_statement(state_table: &str, is_there: impl Fn(&str) -> bool) -> String {
    let columns = || COLUMNS.iter().filter(|column| is_there(column.name));
    // `rows` is a keyword, so every name is quoted.
    let names = columns().map(|column| Dialect::BigQuery.quote(column.name)).collect::<Vec<_>>().join(", ");
    let value = |StateColumn { name, of, .. }: &StateColumn| match of {
        Type::Json => format!("PARSE_JSON(@{name})"),
        _ => format!("@{name}"),
    };
    let values: Vec<String> = columns().map(value).collect();
    format!(
        "INSERT INTO {state_table} ({names}) SELECT {} FROM (SELECT 1) WHERE NOT EXISTS (SELECT 1 FROM {state_table} \
         WHERE table_name = @table_name AND billing_period = @billing_period AND sequence = @sequence)",
        values.join(", ")
    )
}

fn parameters(record: &LoadRecord) -> Vec<Value> {
    parameters_of(|column| (column.write)(record))
}

fn parameters_of(value: impl Fn(&StateColumn) -> Option<String>) -> Vec<Value> {
    let parameter = |column: &StateColumn| {
        let sql_type = if column.of == Type::Json { "STRING" } else { sql_type(column) };
        let value = value(column);
        // With a zone, so that it does not depend on BigQuery's default.
        parameter(
            column.name,
            sql_type,
            value.map(|text| if column.of == Type::Timestamp { text + "+00:00" } else { text }),
        )
    };
    COLUMNS.iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use finops_core::model::load_record::LoadStatus;

    use super::*;
    use crate::error::ErrorKind;

    fn read(names: &[String], values: &[Option<String>]) -> Result<LoadRecord> {
        StateRow { names, values }.read(timestamp)
    }

    /// A row of a query result.
    const GOOD: [(&str, &str); 17] = [
        ("pipeline", "aws"),
        ("export_name", "cur"),
        ("table_name", "t"),
        ("billing_period", "2025-09-01"),
        ("sequence", "3"),
        ("execution_id", "e"),
        ("fingerprint", "f"),
        ("manifest_uri", "gs://b/m"),
        ("job_id", "j"),
        ("status", "loaded"),
        ("rows", "1"),
        ("files", "1"),
        ("bytes", "1"),
        ("cost", r#"{"USD":"1.5"}"#),
        ("previous_execution_id", "e0"),
        ("run_id", "r"),
        ("loaded_at", "1.7569728E9"),
    ];

    fn good() -> (Vec<String>, Vec<Option<String>>) {
        GOOD.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).into_iter().unzip()
    }

    #[test]
    fn a_timestamp_is_read_to_the_microsecond() {
        for text in ["1.795380845123456E9", "1795380845.123456"] {
            assert_eq!(timestamp(text).unwrap().to_string(), "2026-11-22T20:54:05.123456Z");
        }
        assert!(timestamp("2026-11-21").is_err());
        assert!(timestamp("1e300").is_err());
    }

    #[test]
    fn a_row_that_finops_did_not_write_is_named_with_its_column() {
        let (names, good) = good();
        assert_eq!(read(&names, &good).unwrap().status, LoadStatus::Loaded);
        for (at, text, column) in [
            (3, "soon", "column billing_period"),
            (9, "LOADED", "column status"),
            (13, "1.5", "column cost"),
            (16, "today", "column loaded_at"),
        ] {
            let mut row = good.clone();
            row[at] = Some(text.to_owned());
            let error = read(&names, &row).unwrap_err();
            let message = error.full_message();
            assert!(message.contains("row of table t") && message.contains("sequence 3"), "{message}");
            assert!(message.contains(column) && message.contains(text), "{message}");
            assert!(error.next_step().unwrap().contains("repair or delete that row"), "{error:?}");
        }
        assert!(read(&names, &vec![None; names.len()]).is_err());
    }

    #[test]
    fn columns_that_an_older_table_lacks_are_null_and_others_than_ours_are_left_out() {
        let (mut names, mut row) = good();
        names.insert(0, "note".to_owned());
        row.insert(0, Some("by hand".to_owned()));
        let record = read(&names, &row).unwrap();
        assert_eq!((record.pipeline.as_str(), record.kind, record.cost_net), ("aws", None, None));
        names.extend(["covers_until", "kind", "cost_net", "issued_at", "scopes"].map(str::to_owned));
        row.extend(["2025-09-21", "cur2", r#"{"USD":"1.25"}"#, "1.7569728E9", "[]"].map(|text| Some(text.to_owned())));
        let record = read(&names, &row).unwrap();
        assert_eq!(record.covers_until.unwrap().to_string(), "2025-09-21");
        assert_eq!(record.cost_net.unwrap()["USD"].to_string(), "1.25");
        assert_eq!(record.issued_at.unwrap(), record.loaded_at);
    }

    #[test]
    fn a_state_table_without_a_column_of_the_first_version_or_with_one_of_another_type_is_refused() {
        let check = |lacks: &[&str], retyped: &str| {
            let found = |name: &str| {
                let column = COLUMNS.iter().find(|column| column.name == name && !lacks.contains(&name))?;
                Some(if name == retyped { "FLOAT".to_owned() } else { sql_type(column).to_owned() })
            };
            check_columns("p.d.finops_loads", found, |column| Some(sql_type(column)))
        };
        check(&[], "").unwrap();
        check(&["kind", "issued_at", "covers_until", "cost_net", "scopes"], "").unwrap();
        let first = GOOD.map(|(name, _)| name);
        for name in first {
            let error = check(&[name], "").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Schema);
            let message = error.full_message();
            assert!(message.contains("p.d.finops_loads"), "{message}");
            assert!(message.ends_with(&format!(": the column {name} is missing")), "{message}");
            assert!(error.next_step().unwrap().contains("rename that table"), "{error:?}");
        }
        let message = check(&[], "sequence").unwrap_err().full_message();
        assert!(message.ends_with(": the column sequence is FLOAT, expected INT64"), "{message}");
        assert!(check(&first, "").unwrap_err().full_message().ends_with("; and 13 more"));
    }

    #[test]
    fn each_column_has_its_parameter_and_is_added_only_where_it_is_missing() {
        let (names, row) = good();
        let parameters = parameters(&read(&names, &row).unwrap());
        let value = |name: &str| {
            let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
            parameter["parameterValue"]["value"].as_str().map(str::to_owned)
        };
        assert_eq!(parameters.len(), COLUMNS.len());
        assert_eq!(value("cost").unwrap(), r#"{"USD":"1.5"}"#);
        assert_eq!((value("previous_execution_id"), value("kind")), (Some("e0".to_owned()), None));
        assert_eq!(value("loaded_at").unwrap(), "2025-09-04 08:00:00.000000+00:00");
        let with = |names: &[&str]| {
            let fields: Vec<Value> = names.iter().map(|name| json!({"name": name, "type": "STRING"})).collect();
            serde_json::from_value(json!({"schema": {"fields": fields}, "creationTime": "1"})).unwrap()
        };
        let all = COLUMNS.map(|column| column.name);
        assert_eq!(missing_columns("`s`", &with(&all)), None);
        assert_eq!(
            missing_columns("`s`", &with(&all[..20])).unwrap(),
            "ALTER TABLE `s` ADD COLUMN IF NOT EXISTS `cost_net` JSON, ADD COLUMN IF NOT EXISTS `scopes` JSON"
        );
    }
}
