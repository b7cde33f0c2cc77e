//! CSV into a month.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    place::Place,
    scratch::{COLUMNS, Columns, Loaded, Scratch, schema},
};

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::either(
            [
                "1a",
                "S1",
                "A load of CSV into a month is refused where its schema lacks columns of the table",
                "finops appends to a staging table instead",
            ],
            a_subset(place),
        ),
        Asking::either(
            [
                "2a",
                "N1",
                "CSV amounts with an exponent go into BIGNUMERIC exactly",
                "AWS writes 2.1e-07; after a refusal finops loads amounts as texts, which costs a query a month",
            ],
            amounts(place, "exponents", &["-2.1e-07", "1E-10", "3e3"], &["-0.00000021", "0.0000000001", "3000"]),
        ),
        Asking::relied(
            ["2b", "N1", "CSV amounts with twelve decimals go into BIGNUMERIC exactly", "the month's cost"],
            amounts(
                place,
                "twelve_decimals",
                &["-0.000000000001", "12345678.123456789012"],
                &["-0.000000000001", "12345678.123456789012"],
            ),
        ),
        Asking::either(
            [
                "6a",
                "C4",
                "An empty CSV field without quotes is NULL in a STRING column",
                "finops's loads have nullMarkers, see 6d",
            ],
            empty_text(place, "empty_unquoted", "", json!({}), "NULL"),
        ),
        Asking::either(
            [
                "6b",
                "C4",
                "An empty CSV field in quotes is an empty string in a STRING column",
                "finops's loads have nullMarkers, see 6d",
            ],
            empty_text(place, "empty_quoted", "\"\"", json!({}), ""),
        ),
        Asking::relied(
            [
                "6c",
                "C4",
                "An empty CSV field is NULL in a BIGNUMERIC and in a TIMESTAMP column",
                "rows without an amount or a moment, which is most of a report's columns",
            ],
            empty_values(place),
        ),
        Asking::relied(
            [
                "6d",
                "C4",
                "With nullMarkers of the empty text, an empty CSV field is NULL in a STRING column, without quotes or with them",
                "an empty text is NULL in the tables, as from Parquet",
            ],
            marked_texts(place),
        ),
        Asking::relied(
            [
                "6e",
                "C7",
                "With preserveAsciiControlCharacters, a NUL in a CSV field is loaded",
                "a tag or description with one does not fail its month",
            ],
            nul(place, "nul_kept", true),
        ),
        Asking::either(
            ["6f", "C7", "Without it, a NUL in a CSV field fails the load", "finops's loads have it"],
            nul(place, "nul_refused", false),
        ),
        Asking::either(
            [
                "6g",
                "",
                "Spaces round a CSV text without quotes are kept",
                "a tag `prod ` is the same from CSV and from Parquet",
            ],
            spaces(place),
        ),
        Asking::either(
            ["10b", "F3", "An object with `//` in its name is not found", "finops refuses such names before a job"],
            two_slashes(place),
        ),
        Asking::either(
            [
                "10c",
                "",
                "Objects with `,`, `?`, `[` and `]` in their names are loaded",
                "a name that BigQuery does not find fails its month",
            ],
            odd_names(place),
        ),
        Asking::relied(
            [
                "7",
                "N2",
                "A CSV amount with more than 38 decimals is refused, not rounded",
                "nothing is rounded in direct loads, which finops does not read",
            ],
            too_many_decimals(place),
        ),
        Asking::relied(
            [
                "8a",
                "C5",
                "dateFormat MM/DD/YYYY is read in DATE columns, and leaves TIMESTAMP columns alone",
                "direct loads of Azure's actual and amortized cost",
            ],
            month_first(place),
        ),
        Asking::either(
            [
                "8c",
                "C5",
                "With dateFormat MM/DD/YYYY, 9/5/2025 is read, and 09/15/25 is a day of the year 25",
                "the first is a file's own later row; the second is found where it tells the month",
            ],
            short_days(place),
        ),
        Asking::relied(
            [
                "8b",
                "C5",
                "With dateFormat MM/DD/YYYY a day such as 13/09/2025 is refused",
                "no day is taken for another; finops looks at the first rows only",
            ],
            day_first(place),
        ),
        Asking::relied(
            [
                "9",
                "C6",
                "A byte order mark goes with the header that is skipped",
                "Azure's CSV files, which begin with one",
            ],
            byte_order_mark(place),
        ),
        Asking::either(
            ["10", "F1", "One load does not take plain CSV beside CSV with gzip", "exports have one or the other"],
            plain_beside_gzip(place),
        ),
        Asking::either(
            [
                "11",
                "C3",
                "Where a CSV value does not parse, errors[] names the value, its type, its column and its file",
                "finops prints what there is",
            ],
            wording(place),
        ),
    ]
}

async fn a_subset(place: &Place) -> StageState {
    let table = Scratch::new(place, "csv_subset", COLUMNS).await?;
    let files = [b"cost,month\n1.5,2025-09-01\n".to_vec()];
    let columns = [("cost", "BIGNUMERIC"), ("month", "TIMESTAMP")];
    table.csv_with(&files, &json!({"schema": schema(&columns)})).await?.refused("missing in new schema")
}

fn september(amounts: &[&str]) -> String {
    let rows = amounts.iter().map(|amount| format!("2025-09-01T00:00:00Z,{amount},x\n"));
    format!("month,cost,note\n{}", rows.collect::<String>())
}

async fn amounts(place: &Place, name: &str, written: &[&str], believed: &[&str]) -> StageState {
    let table = Scratch::new(place, name, COLUMNS).await?;
    table.csv(&september(written)).await?.taken()?;
    let rows = table.place.query(&format!("SELECT CAST(cost AS STRING) FROM {} ORDER BY cost", table.path())).await?;
    same(&rows.concat(), &believed)
}

async fn empty_text(place: &Place, name: &str, field: &str, options: Value, believed: &str) -> StageState {
    let table = Scratch::new(place, name, COLUMNS).await?;
    let file = format!("month,cost,note\n2025-09-01,1,{field}\n").into_bytes();
    table.csv_with(&[file], &options).await?.taken()?;
    match table.rows("note").await?.concat().join(",").as_str() {
        found if found == believed => Ok(()),
        "" => Err(Seen::Differs("it is an empty string".to_owned())),
        other => Err(Seen::Differs(format!("it is {other}"))),
    }
}

async fn marked_texts(place: &Place) -> StageState {
    let markers = json!({"nullMarkers": [""]});
    empty_text(place, "marked_unquoted", "", markers.clone(), "NULL").await?;
    empty_text(place, "marked_quoted", "\"\"", markers, "NULL").await
}

async fn nul(place: &Place, name: &str, preserved: bool) -> StageState {
    let table = Scratch::new(place, name, COLUMNS).await?;
    let file = b"month,cost,note\n2025-09-01,1,a\0b\n".to_vec();
    let options = if preserved { json!({"preserveAsciiControlCharacters": true}) } else { json!({}) };
    let loaded = table.csv_with(&[file], &options).await?;
    if !preserved {
        return loaded.refused("");
    }
    loaded.taken()?;
    same(&table.rows("CAST(LENGTH(note) AS STRING)").await?, &[["3"]])
}

async fn spaces(place: &Place) -> StageState {
    let table = Scratch::new(place, "spaces", COLUMNS).await?;
    table.csv("month,cost,note\n2025-09-01,1, prod \n").await?.taken()?;
    same(&table.rows("note").await?, &[[" prod "]])
}

/// A load of one object of that name.
async fn named(place: &Place, table: &str, name: &str) -> Result<Loaded, Seen> {
    let table = Scratch::new(place, table, COLUMNS).await?;
    let mut load = table.csv_load();
    load["sourceUris"] = json!([place.put(name, september(&["1"]).into_bytes()).await?]);
    place.run(&json!({"load": load})).await.map(Loaded)
}

async fn two_slashes(place: &Place) -> StageState {
    match named(place, "two_slashes", "folder//two_slashes.csv").await?.failure() {
        Some(("notFound", _)) => Ok(()),
        other => Err(Seen::Differs(format!("{other:?}"))),
    }
}

async fn odd_names(place: &Place) -> StageState {
    for (at, name) in ["a,b.csv", "a?b.csv", "a[b].csv"].into_iter().enumerate() {
        named(place, &format!("odd_name_{at}"), name).await?.taken()?;
    }
    Ok(())
}

async fn empty_values(place: &Place) -> StageState {
    const COLUMNS: Columns = &[("month", "TIMESTAMP"), ("cost", "BIGNUMERIC"), ("moment", "TIMESTAMP")];
    let table = Scratch::new(place, "empty_values", COLUMNS).await?;
    table.csv("month,cost,moment\n2025-09-01,,\n").await?.taken()?;
    same(&table.rows("cost, moment").await?, &[["NULL", "NULL"]])
}

async fn too_many_decimals(place: &Place) -> StageState {
    let table = Scratch::new(place, "too_many_decimals", COLUMNS).await?;
    let loaded = table.csv(&september(&[&format!("0.{}1", "0".repeat(38))])).await?;
    if loaded.failure().is_none() {
        let stored = table.rows("CAST(cost AS STRING)").await?;
        return Err(Seen::Differs(format!("taken as {}", stored.concat().join(","))));
    }
    loaded.refused("")
}

const DAYS: Columns = &[("month", "DATE"), ("moment", "TIMESTAMP")];

async fn month_first(place: &Place) -> StageState {
    let table = Scratch::new(place, "month_first", DAYS).await?;
    let files = [b"month,moment\n09/30/2025,2025-09-02 03:00:00\n".to_vec()];
    table.csv_with(&files, &json!({"dateFormat": "MM/DD/YYYY"})).await?.taken()?;
    let rows = table.rows("CAST(month AS STRING), CAST(moment AS STRING)").await?;
    same(&rows, &[["2025-09-30", "2025-09-02 03:00:00+00"]])
}

async fn short_days(place: &Place) -> StageState {
    let table = Scratch::new(place, "short_days", &[("id", "STRING"), ("day", "DATE")]).await?;
    let files = [b"id,day\n1,9/5/2025\n2,09/15/25\n".to_vec()];
    table.csv_with(&files, &json!({"dateFormat": "MM/DD/YYYY"})).await?.taken()?;
    same(&table.rows("id, CAST(day AS STRING)").await?, &[["1", "2025-09-05"], ["2", "0025-09-15"]])
}

async fn day_first(place: &Place) -> StageState {
    let table = Scratch::new(place, "day_first", DAYS).await?;
    let files = [b"month,moment\n13/09/2025,2025-09-02 03:00:00\n".to_vec()];
    table.csv_with(&files, &json!({"dateFormat": "MM/DD/YYYY"})).await?.refused("")
}

async fn byte_order_mark(place: &Place) -> StageState {
    let table = Scratch::new(place, "byte_order_mark", COLUMNS).await?;
    let text = september(&["1"]).replace("month,cost,note", "\u{feff}\"month\",\"cost\",\"note\"");
    table.csv(&text).await?.taken()?;
    same(&table.rows("CAST(cost AS STRING), note").await?, &[["1", "x"]])
}

async fn plain_beside_gzip(place: &Place) -> StageState {
    let table = Scratch::new(place, "plain_beside_gzip", COLUMNS).await?;
    let plain = september(&["1"]).into_bytes();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&plain).unwrap();
    table.csv_with(&[packed.finish().unwrap(), plain], &json!({})).await?.refused("")
}

async fn wording(place: &Place) -> StageState {
    let table = Scratch::new(place, "wording", COLUMNS).await?;
    let loaded = table.csv(&september(&["abc"])).await?;
    loaded.refused("")?;
    let errors = loaded.0["status"]["errors"].to_string();
    let parts = ["'abc'", "BIGNUMERIC", "cost", "gs://"];
    let missing: Vec<&str> = parts.into_iter().filter(|part| !errors.contains(part)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Seen::Differs(format!("{missing:?} is not in {errors}"))) }
}
