//! A staging table and the table for its months, both created in the way of finops, and copies between them.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::{Seen, StageState},
    place::Place,
    scratch::{COLUMNS, Scratch, merge, schema},
};

/// The expiration of the partitions of a staging table of finops: a hundred years, in milliseconds.
pub const PARTITIONS_EXPIRE_AFTER: &str = "3155760000000";

/// Two tables of the same form.
pub struct Pair<'a> {
    pub staging: Scratch<'a>,
    pub table: Scratch<'a>,
}

/// How a copy ended.
pub enum Copied {
    /// With the job's `copiedRows`.
    Done(String),
    /// The job failed, for a reason and with a message.
    Failed(String, String),
    /// The insert was refused: status, reason and message.
    Refused(u16, String, String),
}

/// Clustering and partitions of a table that months are copied into.
pub fn layout() -> Value {
    json!({"clustering": {"fields": ["note"]}, "timePartitioning": {"type": "MONTH", "field": "month"}})
}

/// The same of a staging table, with its expirations.
pub fn staging_layout() -> Value {
    let mut staging = layout();
    staging["timePartitioning"]["expirationMs"] = json!(PARTITIONS_EXPIRE_AFTER);
    let expires = Timestamp::now() + SignedDuration::from_hours(1);
    staging["expirationTime"] = json!(expires.as_millisecond().to_string());
    staging["labels"] = json!({"managed_by": "finops", "of": "staging"});
    staging["description"] = json!("A staging table.");
    staging
}

impl Scratch<'_> {
    /// Appends rows of [`COLUMNS`], as CSV; the load names no column's description, tag or mode.
    pub async fn append_rows(&self, rows: &str) -> StageState {
        let mut options = self.append();
        options["schema"] = schema(COLUMNS);
        self.csv_with(&[format!("month,cost,note\n{rows}").into()], &options).await?.taken()
    }
}

impl<'a> Pair<'a> {
    /// Two tables in one dataset.
    pub async fn new(place: &'a Place, name: &str) -> Result<Self, Seen> {
        Self::with(place, name, [schema(COLUMNS), schema(COLUMNS)], &json!({})).await
    }

    /// Two tables with schemas of their own, the staging table's first, and properties that both have.
    pub async fn with(place: &'a Place, name: &str, schemas: [Value; 2], properties: &Value) -> Result<Self, Seen> {
        Self::of(place, [&place.dataset, &place.dataset], name, schemas, [properties, properties]).await
    }

    /// The staging table has two new rows of September; the other table has a row of August and an old one of September.
    pub async fn of(
        place: &'a Place,
        [from, to]: [&str; 2],
        name: &str,
        [staged, stored]: [Value; 2],
        [of_staging, of_table]: [&Value; 2],
    ) -> Result<Self, Seen> {
        let (mut staging_layout, mut layout) = (staging_layout(), layout());
        merge(&mut staging_layout, of_staging);
        merge(&mut layout, of_table);
        let staging = Scratch::create(place, from, &format!("{name}_staging"), staged, &staging_layout).await?;
        let table = Scratch::create(place, to, name, stored, &layout).await?;
        let pair = Self { staging, table };
        pair.staging.append_rows("2025-09-01,1,new\n2025-09-30,2,newer\n").await?;
        pair.table.append_rows("2025-08-31,7,august\n2025-09-30,8,old\n").await?;
        Ok(pair)
    }

    /// Copies a month, as `$202509`, as finops does.
    pub async fn copy(&self, month: &str) -> Result<Copied, Seen> {
        self.copy_as(&self.staging.place.new_name(), month, &json!({})).await
    }

    /// Copies it by a job of that id, with other properties.
    pub async fn copy_as(&self, id: &str, month: &str, properties: &Value) -> Result<Copied, Seen> {
        let place = self.staging.place;
        let mut copy = json!({
            "sourceTable": self.staging.reference(month),
            "destinationTable": self.table.reference(month),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_TRUNCATE",
        });
        merge(&mut copy, properties);
        let answer = place.call(Method::POST, &["jobs"], &place.job(id, &json!({"copy": copy}))).await?;
        // The answer to a first insert may have been lost.
        if answer.status != 409 && !(200..300).contains(&answer.status) {
            let message = answer.body["error"]["message"].as_str().unwrap_or("no message").to_owned();
            return Ok(Copied::Refused(answer.status, answer.reason().to_owned(), message));
        }
        let job = place.ended(id).await?;
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let error = &job["status"]["errorResult"];
        Ok(if error.is_object() {
            Copied::Failed(text(&error["reason"]), text(&error["message"]))
        } else {
            Copied::Done(text(&job["statistics"]["copy"]["copiedRows"]))
        })
    }

    /// Copies September, which must succeed.
    pub async fn swap(&self) -> StageState {
        self.copy("$202509").await?.taken()
    }
}

impl Copied {
    /// Expects that the copy was done.
    pub fn taken(&self) -> StageState {
        if matches!(self, Self::Done(_)) { Ok(()) } else { Err(Seen::Differs(self.to_string())) }
    }

    /// Expects a refusal, at the insert or by the job, for one of these reasons. Returns reason and message.
    pub fn refused(&self, reasons: &[&str]) -> Result<(&str, &str), Seen> {
        match self {
            Self::Failed(reason, message) | Self::Refused(_, reason, message) if reasons.contains(&reason.as_str()) => {
                Ok((reason, message))
            }
            _ => Err(Seen::Differs(self.to_string())),
        }
    }
}

impl std::fmt::Display for Copied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done(rows) => write!(f, "taken, {rows} rows copied"),
            Self::Failed(reason, message) => write!(f, "the job failed, {reason}: {message}"),
            Self::Refused(status, reason, message) => write!(f, "refused at the insert, {status} {reason}: {message}"),
        }
    }
}
