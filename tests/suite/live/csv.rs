//! CSV into a month.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::{
    answer::{Asking, Held, Seen, same},
    place::Place,
    scratch::{COLUMNS, Columns, Scratch, schema},
};

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::either(
            [
                "1a",
                "S1",
                "A load of CSV into a month takes a schema that has only some of the table's columns, in another order",
                "finops appends to a staging table instead",
            ],
            a_subset(place),
        ),
        Asking::relied(
            [
                "2a",
                "N1",
                "CSV amounts with an exponent go into BIGNUMERIC exactly",
                "AWS writes 2.1e-07; the month's cost",
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
                "An empty CSV field without quotes is an empty string in a STRING column",
                "finops reads '' and NULL alike",
            ],
            empty_text(place, "empty_unquoted", ""),
        ),
        Asking::either(
            [
                "6b",
                "C4",
                "An empty CSV field in quotes is an empty string in a STRING column",
                "finops reads '' and NULL alike",
            ],
            empty_text(place, "empty_quoted", "\"\""),
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

async fn a_subset(place: &Place) -> Held {
    let table = Scratch::new(place, "csv_subset", COLUMNS).await?;
    let files = [b"cost,month\n1.5,2025-09-01\n".to_vec()];
    let columns = [("cost", "BIGNUMERIC"), ("month", "TIMESTAMP")];
    table.csv_with(&files, &json!({"schema": schema(&columns)})).await?.taken()?;
    let rows = table.rows("CAST(month AS STRING), CAST(cost AS STRING), note").await?;
    same(&rows, &[["2025-09-01 00:00:00+00", "1.5", "NULL"]])
}

fn september(amounts: &[&str]) -> String {
    let rows = amounts.iter().map(|amount| format!("2025-09-01T00:00:00Z,{amount},x\n"));
    format!("month,cost,note\n{}", rows.collect::<String>())
}

async fn amounts(place: &Place, name: &str, written: &[&str], believed: &[&str]) -> Held {
    let table = Scratch::new(place, name, COLUMNS).await?;
    table.csv(&september(written)).await?.taken()?;
    let rows = table.place.query(&format!("SELECT CAST(cost AS STRING) FROM {} ORDER BY cost", table.path())).await?;
    same(&rows.concat(), &believed)
}

async fn empty_text(place: &Place, name: &str, field: &str) -> Held {
    let table = Scratch::new(place, name, COLUMNS).await?;
    table.csv(&format!("month,cost,note\n2025-09-01,1,{field}\n")).await?.taken()?;
    match table.rows("note").await?.concat().join(",").as_str() {
        "" => Ok(()),
        other => Err(Seen::Differs(format!("it is {other}"))),
    }
}

async fn empty_values(place: &Place) -> Held {
    const COLUMNS: Columns = &[("month", "TIMESTAMP"), ("cost", "BIGNUMERIC"), ("moment", "TIMESTAMP")];
    let table = Scratch::new(place, "empty_values", COLUMNS).await?;
    table.csv("month,cost,moment\n2025-09-01,,\n").await?.taken()?;
    same(&table.rows("cost, moment").await?, &[["NULL", "NULL"]])
}

async fn too_many_decimals(place: &Place) -> Held {
    let table = Scratch::new(place, "too_many_decimals", COLUMNS).await?;
    let loaded = table.csv(&september(&[&format!("0.{}1", "0".repeat(38))])).await?;
    if loaded.failure().is_none() {
        let stored = table.rows("CAST(cost AS STRING)").await?;
        return Err(Seen::Differs(format!("taken as {}", stored.concat().join(","))));
    }
    loaded.refused("")
}

const DAYS: Columns = &[("month", "DATE"), ("moment", "TIMESTAMP")];

async fn month_first(place: &Place) -> Held {
    let table = Scratch::new(place, "month_first", DAYS).await?;
    let files = [b"month,moment\n09/30/2025,2025-09-02 03:00:00\n".to_vec()];
    table.csv_with(&files, &json!({"dateFormat": "MM/DD/YYYY"})).await?.taken()?;
    let rows = table.rows("CAST(month AS STRING), CAST(moment AS STRING)").await?;
    same(&rows, &[["2025-09-30", "2025-09-02 03:00:00+00"]])
}

async fn day_first(place: &Place) -> Held {
    let table = Scratch::new(place, "day_first", DAYS).await?;
    let files = [b"month,moment\n13/09/2025,2025-09-02 03:00:00\n".to_vec()];
    table.csv_with(&files, &json!({"dateFormat": "MM/DD/YYYY"})).await?.refused("")
}

async fn byte_order_mark(place: &Place) -> Held {
    let table = Scratch::new(place, "byte_order_mark", COLUMNS).await?;
    let text = september(&["1"]).replace("month,cost,note", "\u{feff}\"month\",\"cost\",\"note\"");
    table.csv(&text).await?.taken()?;
    same(&table.rows("CAST(cost AS STRING), note").await?, &[["1", "x"]])
}

async fn plain_beside_gzip(place: &Place) -> Held {
    let table = Scratch::new(place, "plain_beside_gzip", COLUMNS).await?;
    let plain = september(&["1"]).into_bytes();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&plain).unwrap();
    table.csv_with(&[packed.finish().unwrap(), plain], &json!({})).await?.refused("")
}

async fn wording(place: &Place) -> Held {
    let table = Scratch::new(place, "wording", COLUMNS).await?;
    let loaded = table.csv(&september(&["abc"])).await?;
    loaded.refused("")?;
    let errors = loaded.0["status"]["errors"].to_string();
    let parts = ["'abc'", "BIGNUMERIC", "cost", "gs://"];
    let missing: Vec<&str> = parts.into_iter().filter(|part| !errors.contains(part)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Seen::Differs(format!("{missing:?} is not in {errors}"))) }
}
