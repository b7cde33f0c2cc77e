//! What a table keeps when a month is replaced, and how else a table changes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    answer::{Asking, StageState, same},
    place::Place,
    scratch::{COLUMNS, Scratch, schema},
};

const SEPTEMBER: &str = "month,cost,note\n2025-09-01,1,x\n2025-09-02,2,x\n";
/// A query whose result is a row of that day.
const ROW_OF: &str = "SELECT TIMESTAMP '{day} 00:00:00' AS month, CAST('3' AS BIGNUMERIC) AS cost, 'y' AS note";

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::either(
            [
                "3a",
                "T1",
                "A table keeps its labels through a load that truncates a month",
                "finops loads into staging tables only; see 31a",
            ],
            labels_after_load(place),
        ),
        Asking::relied(
            [
                "3b",
                "W1",
                "A table keeps its labels through a query that truncates a month",
                "by its label finops knows a table as its own",
            ],
            labels_after_query(place),
        ),
        Asking::either(
            [
                "3c",
                "T1",
                "A table keeps its description through a load that truncates a month",
                "nothing reads it but people",
            ],
            description(place),
        ),
        Asking::either(
            [
                "16",
                "P1",
                "A load that truncates a month leaves the other months as they are",
                "finops loads into staging tables only; see 27a",
            ],
            other_months(place),
        ),
        Asking::either(
            [
                "17",
                "P2",
                "A row of another month fails the load with `belong to different partitions`; what stood stays",
                "finops counts the rows of other months in the staging table",
            ],
            another_month_in_a_load(place),
        ),
        Asking::either(
            [
                "18",
                "W2",
                "A row of another month fails the query with `belong to different partitions`; what stood stays",
                "finops counts the rows of other months in the staging table",
            ],
            another_month_in_a_query(place),
        ),
        Asking::either(
            [
                "19",
                "P1",
                "INFORMATION_SCHEMA.PARTITIONS has a month's rows as soon as its load is done",
                "finops loads into staging tables only; see 27b",
            ],
            partition_rows(place),
        ),
        Asking::either(
            [
                "20",
                "W7",
                "A table keeps its expiration through a load that truncates it",
                "no load of finops truncates; see 36b",
            ],
            expiration(place),
        ),
        Asking::relied(
            [
                "21",
                "Q5",
                "One ALTER TABLE adds several columns, may run twice, and leaves labels and rows as they are",
                "columns that come with later months",
            ],
            added_columns(place),
        ),
    ]
}

async fn filled<'a>(place: &'a Place, name: &str) -> Result<Scratch<'a>, super::answer::Seen> {
    let table = Scratch::new(place, name, COLUMNS).await?;
    table.csv(SEPTEMBER).await?.taken()?;
    Ok(table)
}

async fn labels_after_load(place: &Place) -> StageState {
    let table = filled(place, "labels_after_load").await?;
    same(&table.properties().await?["labels"], &json!({"managed_by": "finops"}))
}

async fn labels_after_query(place: &Place) -> StageState {
    let table = filled(place, "labels_after_query").await?;
    table.replace_by(&ROW_OF.replace("{day}", "2025-09-30")).await?.taken()?;
    same(&table.rows("CAST(cost AS STRING)").await?, &[["3"]])?;
    same(&table.properties().await?["labels"], &json!({"managed_by": "finops"}))
}

async fn description(place: &Place) -> StageState {
    let table = filled(place, "description").await?;
    same(&table.properties().await?["description"], &json!("A question of the live suite."))
}

async fn other_months(place: &Place) -> StageState {
    let table = filled(place, "other_months").await?;
    let mut destination = table.destination();
    destination["tableId"] = format!("{}$202510", table.name).into();
    let october = b"month,cost,note\n2025-10-01,4,x\n".to_vec();
    table.csv_with(&[october], &json!({"destinationTable": destination})).await?.taken()?;
    table.csv("month,cost,note\n2025-09-01,3,x\n").await?.taken()?;
    same(&table.rows("CAST(cost AS STRING)").await?, &[["3"], ["4"]])
}

const ANOTHER_MONTH: &str = "belong to different partitions";

async fn another_month_in_a_load(place: &Place) -> StageState {
    let table = filled(place, "another_month_in_a_load").await?;
    let loaded = table.csv("month,cost,note\n2025-09-01,3,x\n2025-10-01,4,x\n").await?;
    loaded.refused(ANOTHER_MONTH)?;
    same(&table.rows("CAST(cost AS STRING)").await?, &[["1"], ["2"]])
}

async fn another_month_in_a_query(place: &Place) -> StageState {
    let table = filled(place, "another_month_in_a_query").await?;
    table.replace_by(&ROW_OF.replace("{day}", "2025-10-01")).await?.refused(ANOTHER_MONTH)?;
    same(&table.rows("CAST(cost AS STRING)").await?, &[["1"], ["2"]])
}

async fn partition_rows(place: &Place) -> StageState {
    let table = filled(place, "partition_rows").await?;
    let sql = format!(
        "SELECT partition_id, total_rows FROM `{}`.`{}`.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = '{}'",
        place.project, place.dataset, table.name
    );
    same(&place.query(&sql).await?, &[["202509", "2"]])
}

async fn expiration(place: &Place) -> StageState {
    let at = (Timestamp::now() + SignedDuration::from_hours(24)).as_millisecond().to_string();
    let schema = schema(&[("note", "STRING")]);
    let table = Scratch::with(place, "expiration", schema, &json!({"expirationTime": at})).await?;
    table.csv("note\nx\n").await?.taken()?;
    same(&table.properties().await?["expirationTime"], &Value::from(at))
}

async fn added_columns(place: &Place) -> StageState {
    let table = filled(place, "added_columns").await?;
    let path = table.path();
    let sql =
        format!("ALTER TABLE {path} ADD COLUMN IF NOT EXISTS `a` STRING, ADD COLUMN IF NOT EXISTS `b` BIGNUMERIC");
    place.query(&sql).await?;
    place.query(&sql).await?;
    same(
        &table.rows("CAST(cost AS STRING), a, CAST(b AS STRING)").await?,
        &[["1", "NULL", "NULL"], ["2", "NULL", "NULL"]],
    )?;
    same(&table.properties().await?["labels"], &json!({"managed_by": "finops"}))
}
