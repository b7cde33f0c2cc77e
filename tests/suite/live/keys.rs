//! Tables with a key of Cloud KMS. Asked only where one is named.

use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    pair::Pair,
    place::Place,
    scratch::{COLUMNS, schema},
};

const ROW: &str = "SELECT TIMESTAMP '2025-09-15 00:00:00' AS month, CAST('3' AS BIGNUMERIC) AS cost, 'queried' AS note";

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::relied(
            [
                "34a",
                "Y5",
                "Between tables of one key a copy that names the key is done, and the table keeps it",
                "months of tables with a key; the loads into the staging table name none",
            ],
            a_copy_with_the_key(place),
        ),
        Asking::either(
            [
                "34b",
                "Y5",
                "Between tables of one key a copy that names no key is refused",
                "finops names the table's key",
            ],
            a_copy_without_a_key(place),
        ),
        Asking::relied(
            [
                "34c",
                "Y5",
                "A query with WRITE_TRUNCATE into a month that names the table's key is done, and the table keeps it",
                "months of tables with a key, where a copy is refused",
            ],
            a_query_with_the_key(place),
        ),
    ]
}

async fn pair<'a>(place: &'a Place, name: &str) -> Result<(Pair<'a>, Value), Seen> {
    let key = json!({"kmsKeyName": place.kms_key()?});
    let properties = json!({"encryptionConfiguration": key});
    Ok((Pair::with(place, name, [schema(COLUMNS), schema(COLUMNS)], &properties).await?, key))
}

/// BigQuery may add the key's version to its name.
async fn keeps(pair: &Pair<'_>, key: &Value) -> StageState {
    let properties = pair.table.properties().await?;
    let (name, key) = (properties["encryptionConfiguration"]["kmsKeyName"].as_str(), key["kmsKeyName"].as_str());
    same(&name.map(|name| name.split("/cryptoKeyVersions/").next().unwrap_or_default()), &key)
}

async fn a_copy_with_the_key(place: &Place) -> StageState {
    let (pair, key) = pair(place, "key_copied").await?;
    let named = json!({"destinationEncryptionConfiguration": key});
    pair.copy_as(&place.new_name(), "$202509", &named).await?.taken()?;
    same(&pair.table.notes().await?, &["august", "new", "newer"])?;
    keeps(&pair, &key).await
}

async fn a_copy_without_a_key(place: &Place) -> StageState {
    let (pair, _) = pair(place, "key_not_named").await?;
    pair.copy("$202509").await?.refused(&["invalid"])?;
    same(&pair.table.notes().await?, &["august", "old"])
}

async fn a_query_with_the_key(place: &Place) -> StageState {
    let (pair, key) = pair(place, "key_queried").await?;
    pair.table.query_into(ROW, &json!({"destinationEncryptionConfiguration": key})).await?.taken()?;
    same(&pair.table.notes().await?, &["august", "queried"])?;
    keeps(&pair, &key).await
}
