//! Copies of a month of a staging table onto that month of the table, and how they are refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    pair::{Copied, Pair, layout},
    place::Place,
    scratch::{COLUMNS, Scratch, schema},
};

/// Reasons for which finops replaces the month by a query instead.
const QUERY_INSTEAD: [&str; 3] = ["invalid", "notImplemented", "unsupported"];
const BY_QUERY: &str = "finops replaces the month by a query then; for any other reason the month fails";

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::relied(
            [
                "27a",
                "Y1",
                "A copy of a month onto that month replaces its rows, leaves other months and the source, and tells copiedRows",
                "each month is replaced so",
            ],
            a_month(place),
        ),
        Asking::relied(
            [
                "27b",
                "Y1",
                "INFORMATION_SCHEMA.PARTITIONS has a month's rows as soon as its copy is done",
                "a month whose rows are gone is loaded again; without them each run would load all months",
            ],
            partition_rows(place),
        ),
        Asking::relied(
            [
                "27c",
                "Y1",
                "A month is copied from one dataset into another of the same location",
                "staging tables in a dataset of their own",
            ],
            another_dataset(place),
        ),
        Asking::relied(
            [
                "28a",
                "Y4",
                "A copy of a month that the source does not have leaves the table's month as it is",
                "a month is never emptied; finops copies only a month that it counted the rows of",
            ],
            no_partition(place),
        ),
        Asking::either(
            [
                "28b",
                "Y4",
                "It is refused at the insert with 404 `notFound`, which names the source",
                "finops stages the month again then; where only the job fails or the words differ, the month fails in this run",
            ],
            no_partition_is_not_found(place),
        ),
        Asking::either(
            [
                "28c",
                "Y2",
                "A copy from a table that is not there is refused at the insert with 404 `notFound`, which names the source",
                "finops stages the month again then; where only the job fails or the words differ, the month fails in this run",
            ],
            no_source(place),
        ),
        Asking::relied(
            ["29a", "Y2", "A copy onto a table of another clustering is refused as invalid or not supported", BY_QUERY],
            another_clustering(place),
        ),
        Asking::relied(
            ["29b", "Y2", "A copy onto a table with one column more is refused as invalid or not supported", BY_QUERY],
            a_column_more(place),
        ),
        Asking::either(
            [
                "29c",
                "Y2",
                "A copy onto a table whose columns are in another order is refused as invalid or not supported",
                "a copy that is done has put each value into its column",
            ],
            another_order(place),
        ),
        Asking::either(
            [
                "30a",
                "Y3",
                "A copy that is refused at the insert for its clustering uses its job id up",
                "finops looks whether the number is used, and takes that one or the next for its query",
            ],
            used_up_by_clustering(place),
        ),
        Asking::either(
            [
                "30b",
                "Y3",
                "A copy that is refused at the insert for its columns uses its job id up",
                "finops looks whether the number is used, and takes that one or the next for its query",
            ],
            used_up_by_columns(place),
        ),
    ]
}

async fn a_month(place: &Place) -> StageState {
    let pair = Pair::new(place, "copied").await?;
    match pair.copy("$202509").await? {
        Copied::Done(rows) => same(&rows, "2")?,
        other => other.taken()?,
    }
    same(&pair.table.notes().await?, &["august", "new", "newer"])?;
    same(&pair.staging.notes().await?, &["new", "newer"])?;
    pair.swap().await?;
    same(&pair.table.notes().await?, &["august", "new", "newer"])
}

async fn partition_rows(place: &Place) -> StageState {
    let pair = Pair::new(place, "copied_partition_rows").await?;
    pair.swap().await?;
    let sql = format!(
        "SELECT partition_id, total_rows FROM `{}`.`{}`.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = '{}' ORDER BY 1",
        place.project, place.dataset, pair.table.name
    );
    same(&place.query(&sql).await?, &[["202508", "1"], ["202509", "2"]])
}

async fn another_dataset(place: &Place) -> StageState {
    let datasets = [place.other_dataset.as_str(), place.dataset.as_str()];
    let none = json!({});
    let schemas = [schema(COLUMNS), schema(COLUMNS)];
    let pair = Pair::of(place, datasets, "copied_across", schemas, [&none, &none]).await?;
    pair.swap().await?;
    same(&pair.table.notes().await?, &["august", "new", "newer"])
}

/// August is in the table only.
async fn no_partition(place: &Place) -> StageState {
    let pair = Pair::new(place, "no_partition").await?;
    let copied = pair.copy("$202508").await?;
    same(&pair.table.notes().await?, &["august", "old"])
        .map_err(|why| Seen::Differs(format!("{copied}; then in column note: {why}")))
}

fn not_found(copied: &Copied, source: &str) -> StageState {
    match copied {
        Copied::Refused(404, reason, message) if reason == "notFound" && message.contains(source) => Ok(()),
        other => Err(Seen::Differs(other.to_string())),
    }
}

async fn no_partition_is_not_found(place: &Place) -> StageState {
    let pair = Pair::new(place, "no_partition_not_found").await?;
    not_found(&pair.copy("$202508").await?, &pair.staging.name)
}

async fn no_source(place: &Place) -> StageState {
    let pair = Pair::new(place, "no_source").await?;
    let path = ["datasets", &pair.staging.dataset, "tables", &pair.staging.name];
    place.call(Method::DELETE, &path, &Value::Null).await?.accepted("removing a staging table")?;
    not_found(&pair.copy("$202509").await?, &pair.staging.name)
}

/// A table that is clustered by another column than its staging table.
async fn clustered_otherwise<'a>(place: &'a Place, name: &str) -> Result<Pair<'a>, Seen> {
    let (same, other) = (json!({}), json!({"clustering": {"fields": ["cost"]}}));
    let datasets = [place.dataset.as_str(); 2];
    Pair::of(place, datasets, name, [schema(COLUMNS), schema(COLUMNS)], [&same, &other]).await
}

/// A table to which a column was added after its staging table was created.
async fn with_a_column_more<'a>(place: &'a Place, name: &str) -> Result<Pair<'a>, Seen> {
    let more = schema(&[COLUMNS, &[("more", "STRING")]].concat());
    let pair = Pair::new(place, name).await?;
    let path = ["datasets", &pair.table.dataset, "tables", &pair.table.name];
    place.call(Method::PATCH, &path, &json!({"schema": more})).await?.accepted("adding a column")?;
    Ok(pair)
}

async fn refused(pair: &Pair<'_>) -> StageState {
    pair.copy("$202509").await?.refused(&QUERY_INSTEAD)?;
    same(&pair.table.notes().await?, &["august", "old"])
}

async fn another_clustering(place: &Place) -> StageState {
    refused(&clustered_otherwise(place, "other_clustering").await?).await
}

async fn a_column_more(place: &Place) -> StageState {
    refused(&with_a_column_more(place, "a_column_more").await?).await
}

async fn another_order(place: &Place) -> StageState {
    let [month, cost, note] = [COLUMNS[0], COLUMNS[1], COLUMNS[2]];
    let table = Scratch::with(place, "other_order", schema(&[month, note, cost]), &layout()).await?;
    table
        .csv_with(&[b"month,note,cost\n2025-08-31,august,7\n2025-09-30,old,8\n".into()], &table.append())
        .await?
        .taken()?;
    let staging = Pair::new(place, "other_order_of").await?.staging;
    refused(&Pair { staging, table }).await
}

/// A copy that is refused, and then another job under its id.
async fn used_up(pair: &Pair<'_>) -> StageState {
    let (place, id) = (pair.table.place, pair.table.place.new_name());
    let copied = pair.copy_as(&id, "$202509", &json!({})).await?;
    if !matches!(copied, Copied::Refused(..)) {
        return Err(Seen::Differs(copied.to_string()));
    }
    let query = json!({"query": {"query": "SELECT 1", "useLegacySql": false}});
    let again = place.call(Method::POST, &["jobs"], &place.job(&id, &query)).await?;
    if again.status == 200 {
        return Err(Seen::Differs("its id is free".to_owned()));
    }
    same(&(again.status, again.reason()), &(409, "duplicate"))
}

async fn used_up_by_clustering(place: &Place) -> StageState {
    used_up(&clustered_otherwise(place, "used_up_by_clustering").await?).await
}

async fn used_up_by_columns(place: &Place) -> StageState {
    used_up(&with_a_column_more(place, "used_up_by_columns").await?).await
}
