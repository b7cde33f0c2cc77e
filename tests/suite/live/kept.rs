//! Which labels, descriptions, tags and policies a table keeps when a month is swapped in by a copy or by a query.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    pair::Pair,
    place::Place,
    scratch::{COLUMNS, Scratch, schema},
};

/// A query whose result is a row of September.
const ROW: &str = "SELECT TIMESTAMP '2025-09-15 00:00:00' AS month, CAST('3' AS BIGNUMERIC) AS cost, 'queried' AS note";
const DESCRIPTION: &str = "Money.";
const COMPARED: &str =
    "finops looks after the first swap of a run, and replaces no further month where something is gone";
const POLICIES: &str = "finops replaces months of a table with such policies by a query that keeps them";

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::relied(
            [
                "31a",
                "A1",
                "A table keeps its own labels through a copy, though those of the source differ",
                "by its label finops knows a table as its own",
            ],
            labels(place),
        ),
        Asking::either(
            [
                "31b",
                "A1",
                "A table keeps its own description through a copy, though that of the source differs",
                "nothing reads it but people",
            ],
            description(place),
        ),
        Asking::either(
            ["31c", "A1", "A copy removes the descriptions of columns, though the source has the same ones", COMPARED],
            column_description(place, "copied_description", By::Copy, None),
        ),
        Asking::either(
            ["31d", "A1", "A query with WRITE_TRUNCATE into a month removes the descriptions of columns", COMPARED],
            column_description(place, "queried_description", By::Query("WRITE_TRUNCATE"), None),
        ),
        Asking::either(
            ["31e", "A1", "A copy removes the policy tags of columns", COMPARED],
            policy_tag(place, "copied_tag", By::Copy, false),
        ),
        Asking::either(
            ["31f", "A1", "A copy removes row access policies", POLICIES],
            row_policies(place, "copied_policies", By::Copy, false),
        ),
        Asking::relied(
            [
                "32a",
                "Y1",
                "A table without partition expiration has none after a copy from one whose partitions expire in a hundred years",
                "months do not vanish; finops would stop after the first one",
            ],
            partition_expiration(place),
        ),
        Asking::relied(
            [
                "32b",
                "Y1",
                "A table without expiration has none after a copy from one that expires",
                "staging tables expire; finops would stop after the first month",
            ],
            expiration(place),
        ),
        Asking::relied(
            [
                "33a",
                "A2",
                "A query with WRITE_TRUNCATE_DATA into a month replaces its rows and leaves other months",
                "months of a table with row access policies",
            ],
            data_of_a_month(place),
        ),
        Asking::relied(
            [
                "33b",
                "A2",
                "It keeps row access policies",
                "rows that others must not see; finops replaces months of such tables so",
            ],
            row_policies(place, "data_policies", By::Query("WRITE_TRUNCATE_DATA"), true),
        ),
        Asking::either(
            ["33c", "A2", "It keeps the descriptions of columns", COMPARED],
            column_description(place, "data_description", By::Query("WRITE_TRUNCATE_DATA"), Some(DESCRIPTION)),
        ),
        Asking::either(
            ["33d", "A2", "It keeps the policy tags of columns", COMPARED],
            policy_tag(place, "data_tag", By::Query("WRITE_TRUNCATE_DATA"), true),
        ),
    ]
}

/// What replaces a month.
#[derive(Clone, Copy)]
enum By {
    Copy,
    /// With this disposition.
    Query(&'static str),
}

impl By {
    async fn swap(self, pair: &Pair<'_>) -> StageState {
        match self {
            Self::Copy => pair.swap().await,
            Self::Query(write) => pair.table.query_into(ROW, &json!({"writeDisposition": write})).await?.taken(),
        }
    }
}

async fn labels(place: &Place) -> StageState {
    let pair = Pair::new(place, "copied_labels").await?;
    pair.swap().await?;
    same(&pair.table.properties().await?["labels"], &json!({"managed_by": "finops"}))
}

async fn description(place: &Place) -> StageState {
    let pair = Pair::new(place, "copied_table_description").await?;
    pair.swap().await?;
    same(&pair.table.properties().await?["description"], &json!("A question of the live suite."))
}

/// [`COLUMNS`] with a property of the column `note`.
fn noted(key: &str, value: Value) -> Value {
    let mut schema = schema(COLUMNS);
    schema["fields"][2][key] = value;
    schema
}

/// The property of the column `note`.
async fn note(table: &Scratch<'_>, key: &str) -> Result<Value, Seen> {
    Ok(table.properties().await?["schema"]["fields"][2][key].clone())
}

/// The swap shows nothing where an append has already removed what the question is about.
fn still_there(is_there: bool) -> StageState {
    if is_there { Ok(()) } else { Err(Seen::NotAnswered("it was gone before the swap".to_owned())) }
}

async fn column_description(place: &Place, name: &str, by: By, believed: Option<&str>) -> StageState {
    let described = noted("description", json!(DESCRIPTION));
    let pair = Pair::with(place, name, [described.clone(), described], &json!({})).await?;
    still_there(note(&pair.table, "description").await? == DESCRIPTION)?;
    by.swap(&pair).await?;
    same(&note(&pair.table, "description").await?.as_str(), &believed)
}

/// The staging table has no tag, as with finops.
async fn policy_tag(place: &Place, name: &str, by: By, is_kept: bool) -> StageState {
    let tags = json!({"names": [place.policy_tag()?]});
    let pair = Pair::with(place, name, [schema(COLUMNS), noted("policyTags", tags.clone())], &json!({})).await?;
    still_there(note(&pair.table, "policyTags").await? == tags)?;
    by.swap(&pair).await?;
    same(&note(&pair.table, "policyTags").await?, &if is_kept { tags } else { Value::Null })
}

/// A policy that lets the account of this run see all rows.
async fn row_policies(place: &Place, name: &str, by: By, are_kept: bool) -> StageState {
    let pair = Pair::new(place, name).await?;
    let account = place.account().await?;
    let kind = if account.ends_with(".gserviceaccount.com") { "serviceAccount" } else { "user" };
    place
        .query(&format!(
            "CREATE ROW ACCESS POLICY finops_live ON {} GRANT TO ('{kind}:{account}') FILTER USING (TRUE)",
            pair.table.path()
        ))
        .await?;
    still_there(policies(&pair.table).await? == ["finops_live"])?;
    by.swap(&pair).await?;
    let believed: &[&str] = if are_kept { &["finops_live"] } else { &[] };
    same(&policies(&pair.table).await?, believed)
}

async fn policies(table: &Scratch<'_>) -> Result<Vec<String>, Seen> {
    let path = ["datasets", &table.dataset, "tables", &table.name, "rowAccessPolicies"];
    let list = table.place.call(Method::GET, &path, &Value::Null).await?.accepted("listing row access policies")?;
    let policies = list["rowAccessPolicies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let id = |policy: &Value| policy["rowAccessPolicyReference"]["policyId"].as_str().unwrap_or("none").to_owned();
    Ok(policies.iter().map(id).collect())
}

async fn partition_expiration(place: &Place) -> StageState {
    let pair = Pair::new(place, "copied_partition_expiration").await?;
    pair.swap().await?;
    same(&pair.table.properties().await?["timePartitioning"]["expirationMs"], &Value::Null)?;
    same(&pair.table.notes().await?, &["august", "new", "newer"])
}

/// The table loses the expiration that it inherits of its dataset first, as with finops.
async fn expiration(place: &Place) -> StageState {
    let pair = Pair::new(place, "copied_expiration").await?;
    place.query(&format!("ALTER TABLE {} SET OPTIONS (expiration_timestamp = NULL)", pair.table.path())).await?;
    let staging = pair.staging.properties().await?;
    still_there(staging["expirationTime"].is_string() && pair.table.properties().await?["expirationTime"].is_null())?;
    pair.swap().await?;
    same(&pair.table.properties().await?["expirationTime"], &Value::Null)
}

async fn data_of_a_month(place: &Place) -> StageState {
    let pair = Pair::new(place, "data_of_a_month").await?;
    By::Query("WRITE_TRUNCATE_DATA").swap(&pair).await?;
    same(&pair.table.notes().await?, &["august", "queried"])
}
