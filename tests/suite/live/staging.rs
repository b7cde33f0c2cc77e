//! How a month comes into its staging table, which is typed, partitioned and clustered.

use serde_json::json;

use super::{
    answer::{Asking, Seen, StageState, same},
    pair::{PARTITIONS_EXPIRE_AFTER, staging_layout},
    place::Place,
    scratch::{COLUMNS, Scratch, merge, parquet, schema},
};

const CONVERTED: &str = "a query converts the files where it is refused, which costs a query";

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::either(
            [
                "35a",
                "S3",
                "CSV is appended with some of the table's columns, in another order, to a table with months and clustering",
                CONVERTED,
            ],
            csv(place, "appended_csv"),
        ),
        Asking::either(
            [
                "35b",
                "S3",
                "Parquet is appended with some of the table's columns, in another order, to a table with months and clustering",
                CONVERTED,
            ],
            parquet_file(place, "appended_parquet"),
        ),
        Asking::relied(
            [
                "35c",
                "S3",
                "Such loads put each value into its column and NULL into the others, or are refused in words that are known",
                "months whose files lack columns of the table",
            ],
            csv_and_parquet_or_a_known_refusal(place),
        ),
        Asking::relied(
            [
                "36a",
                "W8",
                "A query with WRITE_EMPTY fills an empty table with months and clustering, columns by name",
                "loads whose values a query converts",
            ],
            write_empty(place),
        ),
        Asking::relied(
            [
                "36b",
                "W8",
                "The table keeps clustering, partition expiration, expiration and labels through it",
                "a copy wants the same clustering; a staging table goes by itself where a run is killed",
            ],
            layout_after_write_empty(place),
        ),
    ]
}

async fn staging<'a>(place: &'a Place, name: &str) -> Result<Scratch<'a>, Seen> {
    Scratch::with(place, name, schema(COLUMNS), &staging_layout()).await
}

const SOME: [(&str, &str); 2] = [("note", "STRING"), ("month", "TIMESTAMP")];
const APPENDED: [[&str; 3]; 2] = [["2025-08-31 00:00:00+00", "NULL", "a"], ["2025-09-01 00:00:00+00", "NULL", "b"]];

async fn csv(place: &Place, name: &str) -> StageState {
    let table = staging(place, name).await?;
    let mut options = table.append();
    merge(&mut options, &json!({"schema": schema(&SOME)}));
    table.csv_with(&[b"note,month\na,2025-08-31\nb,2025-09-01\n".into()], &options).await?.taken()?;
    same(&table.rows("CAST(month AS STRING), CAST(cost AS STRING), note").await?, &APPENDED)
}

async fn parquet_file(place: &Place, name: &str) -> StageState {
    let table = staging(place, name).await?;
    let mut options = table.append();
    merge(&mut options, &json!({"schema": schema(&SOME)}));
    let file = parquet(
        "SELECT 'a' AS note, TIMESTAMPTZ '2025-08-31 00:00:00+00' AS month UNION ALL \
         SELECT 'b', TIMESTAMPTZ '2025-09-01 00:00:00+00'",
    );
    table.parquet_with(file, &options).await?.taken()?;
    same(&table.rows("CAST(month AS STRING), CAST(cost AS STRING), note").await?, &APPENDED)
}

async fn csv_and_parquet_or_a_known_refusal(place: &Place) -> StageState {
    or_a_known_refusal(csv(place, "appended_csv_or_refusal").await)?;
    or_a_known_refusal(parquet_file(place, "appended_parquet_or_refusal").await)
}

/// Accepts the messages that finops recognises as a refusal of columns.
fn or_a_known_refusal(outcome: StageState) -> StageState {
    let words = ["has changed type", "Cannot add fields", "Provided Schema does not match", "missing in new schema"];
    match outcome {
        Err(Seen::Differs(why))
            if why.contains("refused, invalid") && words.iter().any(|words| why.contains(words)) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

/// Fills an empty staging table by a query.
async fn filled<'a>(place: &'a Place, name: &str) -> Result<Scratch<'a>, Seen> {
    let table = staging(place, name).await?;
    let sql = "SELECT 'x' AS note, CAST('0.1' AS BIGNUMERIC) AS cost, TIMESTAMP '2025-09-01 00:00:00' AS month";
    let options = json!({"destinationTable": table.reference(""), "writeDisposition": "WRITE_EMPTY"});
    table.query_into(sql, &options).await?.taken()?;
    Ok(table)
}

async fn write_empty(place: &Place) -> StageState {
    let table = filled(place, "write_empty").await?;
    let rows = table.rows("CAST(month AS STRING), CAST(cost AS STRING), note").await?;
    same(&rows, &[["2025-09-01 00:00:00+00", "0.1", "x"]])
}

async fn layout_after_write_empty(place: &Place) -> StageState {
    let table = filled(place, "write_empty_layout").await?;
    let now = table.properties().await?;
    same(&now["clustering"], &json!({"fields": ["note"]}))?;
    same(&now["timePartitioning"]["expirationMs"], &json!(PARTITIONS_EXPIRE_AFTER))?;
    same(&now["expirationTime"].is_string(), &true)?;
    same(&now["labels"], &json!({"managed_by": "finops", "of": "staging"}))
}
