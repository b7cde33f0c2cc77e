//! The program from end to end, with the sample exports, against `examples/aws/*.expected.json`.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    place::Place,
};
use crate::{
    flow::figures::{MONTHS, example, expected, figures},
    support::{
        program::{Finops, each},
        tables::{Figures, figures_of},
    },
};

const CSV: &str = "from_csv";
const PARQUET: &str = "from_parquet";

/// In this order: each continues after the one before.
pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::relied(["E1", "", "`finops plan` finds three months of CSV to load", "`finops plan`"], plan(place)),
        Asking::relied(
            [
                "E2",
                "",
                "`finops run` loads them, and rows and cost are those that were computed apart",
                "`finops run`, direct loads",
            ],
            first_run(place),
        ),
        Asking::relied(
            ["E3", "", "A second run does nothing", "the state table, and the rows of each month"],
            second_run(place),
        ),
        Asking::relied(
            ["E4", "", "A month that is delivered again is replaced, and no other", "redeliveries"],
            redelivery(place),
        ),
        Asking::relied(["E5", "", "`finops status` tells what the table holds", "`finops status`"], status(place)),
        Asking::relied(
            [
                "E6",
                "D4",
                "Tables do not expire, though the dataset says that new ones do",
                "finops takes the inherited expiration away",
            ],
            no_expiration(place),
        ),
        Asking::relied(
            [
                "E7",
                "",
                "Parquet with INT96 and DOUBLE is loaded by way of staging, with the same rows and cost as CSV",
                "staged loads",
            ],
            parquet(place),
        ),
        Asking::relied(["E8", "W7", "No staging table is left", "finops removes them"], no_staging_table(place)),
    ]
}

/// Puts a sample export into the bucket, data before manifests.
async fn deliver(place: &Place, tree: &str, folder: &str) -> Result<(), Seen> {
    let root = example(tree);
    let mut files = files(&root.join("cur"));
    files.sort_by_key(|path| path.extension().is_some_and(|ending| ending == "json"));
    for path in files {
        let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
        place.put(&format!("{folder}/{key}"), std::fs::read(&path).unwrap()).await?;
    }
    Ok(())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What the program prints as JSON.
fn output(finops: &Finops, arguments: &[&str]) -> Result<Value, Seen> {
    let outcome = finops.run(&[arguments, &["--output", "json"]].concat());
    let (code, stderr) = (outcome.code, outcome.stderr.trim());
    if code != 0 {
        return Err(Seen::Differs(format!("exit code {code}: {stderr}")));
    }
    serde_json::from_str(&outcome.stdout).map_err(|error| Seen::Differs(format!("no JSON ({error}): {stderr}")))
}

fn of_csv(place: &Place) -> Finops {
    place.finops("csv/cur", CSV)
}

/// Rows and cost of each month, by a query of its own.
async fn in_table(place: &Place, table: &str) -> Result<Figures, Seen> {
    let sql = format!(
        "SELECT CAST(bill_billing_period_start_date AS STRING), CAST(COUNT(*) AS STRING), \
         CAST(SUM(line_item_unblended_cost) AS STRING) FROM `{}`.`{}`.`{table}` GROUP BY 1",
        place.project, place.dataset
    );
    let rows = place.query(&sql).await?.into_iter().map(|row| <[String; 3]>::try_from(row).unwrap());
    Ok(figures_of(rows.map(|[timestamp, rows, cost]| [timestamp[..7].to_owned(), rows, cost])))
}

async fn plan(place: &Place) -> StageState {
    deliver(place, "first", "csv").await?;
    let report = output(&of_csv(place), &["plan"])?;
    same(&each(&report, "billing_period"), &MONTHS)?;
    same(&each(&report, "action"), &["load"; 3])
}

async fn first_run(place: &Place) -> StageState {
    same(&each(&output(&of_csv(place), &["run"])?, "status"), &["loaded"; 3])?;
    same(&in_table(place, CSV).await?, &figures(&expected("first")))
}

async fn second_run(place: &Place) -> StageState {
    let report = output(&of_csv(place), &["run"])?;
    same(&report["pipelines"][0]["status"], &json!("nothing_to_do"))?;
    same(&in_table(place, CSV).await?, &figures(&expected("first")))
}

fn redelivered() -> Figures {
    let mut all = figures(&expected("first"));
    all.extend(figures(&expected("redelivery")));
    all
}

async fn redelivery(place: &Place) -> StageState {
    deliver(place, "redelivery", "csv").await?;
    let report = output(&of_csv(place), &["run"])?;
    same(&each(&report, "status"), &["skipped", "loaded", "skipped"])?;
    same(&in_table(place, CSV).await?, &redelivered())
}

async fn status(place: &Place) -> StageState {
    let status = output(&of_csv(place), &["status"])?;
    let months = status[0]["months"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = months.iter().map(|month| {
        same(&month["rows"], &month["rows_in_table"])?;
        Ok([text(&month["billing_period"]), month["rows"].to_string(), text(&month["cost"]["USD"])])
    });
    same(&figures_of(rows.collect::<Result<Vec<_>, _>>()?), &in_table(place, CSV).await?)
}

async fn no_expiration(place: &Place) -> StageState {
    for table in [CSV, "finops_loads"] {
        let path = ["datasets", &place.dataset, "tables", table];
        let table = place.call(Method::GET, &path, &Value::Null).await?.accepted("reading a table of finops")?;
        same(&table["expirationTime"], &Value::Null)?;
    }
    Ok(())
}

async fn parquet(place: &Place) -> StageState {
    deliver(place, "parquet-versioned", "parquet").await?;
    let finops = place.finops("parquet/cur", PARQUET);
    same(&each(&output(&finops, &["run"])?, "status"), &["loaded"; 3])?;
    same(&in_table(place, PARQUET).await?, &figures(&expected("first")))
}

async fn no_staging_table(place: &Place) -> StageState {
    let mut tables = place.tables().await?;
    tables.retain(|name| name == PARQUET || name.starts_with("finops_staging"));
    same(&tables, &[PARQUET])
}
