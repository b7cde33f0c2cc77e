//! A table of one question, and loads into it like those of finops.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::{Seen, StageState},
    place::{Place, Rows},
};

/// The columns of most tables; the table is partitioned by the months of the first one.
pub const COLUMNS: Columns = &[("month", "TIMESTAMP"), ("cost", "BIGNUMERIC"), ("note", "STRING")];

/// Names and types.
pub type Columns = &'static [(&'static str, &'static str)];

/// Columns as a schema.
pub fn schema(columns: &[(&str, &str)]) -> Value {
    let fields: Vec<Value> = columns.iter().map(|(name, of)| json!({"name": name, "type": of})).collect();
    json!({"fields": fields})
}

/// A Parquet file of a query's rows, written by DuckDB.
pub fn parquet(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let connection = duckdb::Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("COPY ({sql}) TO '{}' (FORMAT parquet)", path.display())).unwrap();
    std::fs::read(path).unwrap()
}

/// A table; its partitions are the months of the column `month`, if it has one.
pub struct Scratch<'a> {
    pub place: &'a Place,
    pub dataset: String,
    pub name: String,
    schema: Value,
    is_partitioned: bool,
}

impl<'a> Scratch<'a> {
    /// Creates the table with the labels and the description of finops's tables.
    pub async fn new(place: &'a Place, name: &str, columns: Columns) -> Result<Self, Seen> {
        Self::with(place, name, schema(columns), &json!({})).await
    }

    /// Creates it with a schema of any form and other properties.
    pub async fn with(place: &'a Place, name: &str, schema: Value, properties: &Value) -> Result<Self, Seen> {
        Self::create(place, &place.dataset, name, schema, properties).await
    }

    /// Creates it in a dataset.
    pub async fn create(
        place: &'a Place,
        dataset: &str,
        name: &str,
        schema: Value,
        properties: &Value,
    ) -> Result<Self, Seen> {
        let is_partitioned = schema["fields"][0]["name"] == "month";
        let mut table = json!({
            "tableReference": {"projectId": place.project, "datasetId": dataset, "tableId": name},
            "schema": schema,
            "labels": {"managed_by": "finops"},
            "description": "A question of the live suite.",
        });
        if is_partitioned {
            table["timePartitioning"] = json!({"type": "MONTH", "field": "month"});
        }
        merge(&mut table, properties);
        let created = place.call(Method::POST, &["datasets", dataset, "tables"], &table).await?;
        // The answer to a first insert may have been lost: nothing else creates a table with this name.
        if created.status != 409 {
            created.accepted(&format!("creating table {name}"))?;
        }
        Ok(Self { place, dataset: dataset.to_owned(), name: name.to_owned(), schema, is_partitioned })
    }

    /// The table's name for statements.
    pub fn path(&self) -> String {
        format!("`{}`.`{}`.`{}`", self.place.project, self.dataset, self.name)
    }

    /// What loads and queries replace: September of 2025, or the whole table where it has no months.
    pub fn destination(&self) -> Value {
        self.reference(if self.is_partitioned { "$202509" } else { "" })
    }

    /// The table with a partition decorator, or without one.
    pub fn reference(&self, decorator: &str) -> Value {
        let table = format!("{}{decorator}", self.name);
        json!({"projectId": self.place.project, "datasetId": self.dataset, "tableId": table})
    }

    /// Configures a load or a query to append to the table, in all months.
    pub fn append(&self) -> Value {
        json!({"destinationTable": self.reference(""), "writeDisposition": "WRITE_APPEND"})
    }

    /// A load of CSV without its files.
    pub fn csv_load(&self) -> Value {
        let load = json!({
            "sourceFormat": "CSV",
            "skipLeadingRows": 1,
            "allowQuotedNewlines": true,
            "maxBadRecords": 0,
            "encoding": "UTF-8",
        });
        self.load_of(load)
    }

    fn load_of(&self, mut load: Value) -> Value {
        let rest = json!({
            "schema": self.schema,
            "destinationTable": self.destination(),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_TRUNCATE",
        });
        merge(&mut load, &rest);
        load
    }

    /// Loads a CSV file.
    pub async fn csv(&self, text: &str) -> Result<Loaded, Seen> {
        self.csv_with(&[text.as_bytes().to_vec()], &json!({})).await
    }

    /// Loads CSV files, with other options.
    pub async fn csv_with(&self, files: &[Vec<u8>], options: &Value) -> Result<Loaded, Seen> {
        self.load(self.csv_load(), "csv", files, options).await
    }

    /// Loads a Parquet file.
    pub async fn parquet(&self, file: Vec<u8>) -> Result<Loaded, Seen> {
        self.parquet_with(file, &json!({})).await
    }

    /// Loads a Parquet file, with other options.
    pub async fn parquet_with(&self, file: Vec<u8>, options: &Value) -> Result<Loaded, Seen> {
        let load = self.load_of(json!({"sourceFormat": "PARQUET", "decimalTargetTypes": ["BIGNUMERIC"]}));
        self.load(load, "parquet", &[file], options).await
    }

    async fn load(&self, mut load: Value, ending: &str, files: &[Vec<u8>], options: &Value) -> Result<Loaded, Seen> {
        let mut uris = Vec::new();
        for file in files {
            uris.push(self.place.put(&format!("{}.{ending}", self.place.new_name()), file.clone()).await?);
        }
        load["sourceUris"] = uris.into();
        merge(&mut load, options);
        self.place.run(&json!({"load": load})).await.map(Loaded)
    }

    /// Replaces what [`Scratch::destination`] names by the rows of a query.
    pub async fn replace_by(&self, sql: &str) -> Result<Loaded, Seen> {
        self.query_into(sql, &json!({})).await
    }

    /// Does so with other options.
    pub async fn query_into(&self, sql: &str, options: &Value) -> Result<Loaded, Seen> {
        let mut query = json!({
            "query": sql,
            "useLegacySql": false,
            "destinationTable": self.destination(),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_TRUNCATE",
        });
        merge(&mut query, options);
        self.place.run(&json!({"query": query})).await.map(Loaded)
    }

    /// Expressions over the rows, in order.
    pub async fn rows(&self, expressions: &str) -> Result<Rows, Seen> {
        self.place.query(&format!("SELECT {expressions} FROM {} ORDER BY 1", self.path())).await
    }

    /// The texts of its column `note`, in order.
    pub async fn notes(&self) -> Result<Vec<String>, Seen> {
        self.place.texts(&self.dataset, &self.name, "note").await
    }

    /// The table's properties.
    pub async fn properties(&self) -> Result<Value, Seen> {
        let path = ["datasets", &self.dataset, "tables", &self.name];
        self.place.call(Method::GET, &path, &Value::Null).await?.accepted(&format!("reading table {}", self.name))
    }
}

/// Sets the properties of `with`.
pub fn merge(value: &mut Value, with: &Value) {
    for (key, of) in with.as_object().into_iter().flatten() {
        value[key] = of.clone();
    }
}

/// A job that is done, well or not.
pub struct Loaded(pub Value);

impl Loaded {
    /// Reason and message of its failure.
    pub fn failure(&self) -> Option<(&str, &str)> {
        let error = self.0["status"]["errorResult"].as_object()?;
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        Some((text("reason"), text("message")))
    }

    /// It should have succeeded.
    pub fn taken(&self) -> StageState {
        self.failure().map_or(Ok(()), |(reason, message)| Err(Seen::Differs(format!("refused, {reason}: {message}"))))
    }

    /// It should have failed for what was loaded, and with these words.
    pub fn refused(&self, words: &str) -> StageState {
        match self.failure() {
            Some((reason, message)) if reason.starts_with("invalid") && message.contains(words) => Ok(()),
            Some((reason, message)) => {
                Err(Seen::Differs(format!("refused in other words, {reason}: {message} (believed: {words})")))
            }
            None => Err(Seen::Differs("taken".to_owned())),
        }
    }
}
