//! Parquet into a month and into a staging table, and the values that a query reads there.

use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    place::Place,
    scratch::{COLUMNS, Columns, Scratch, parquet, schema},
};

/// A file of pyarrow, whose three fields are REQUIRED; `required.py` writes it.
const REQUIRED: &[u8] = include_bytes!("required.parquet");

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::either(
            [
                "1c",
                "S1",
                "A load of Parquet into a month is refused where its schema lacks columns of the table",
                "finops appends to a staging table instead",
            ],
            a_subset(place),
        ),
        Asking::either(
            [
                "4a",
                "R3",
                "A Parquet DOUBLE does not go into a BIGNUMERIC column",
                "amounts in DOUBLE are staged; a direct load would have to be exact",
            ],
            double_into_bignumeric(place),
        ),
        Asking::relied(
            [
                "4b",
                "Q10",
                "FORMAT %.15g, %.16g and %.17g of a FLOAT64 give its shortest decimal text, as in C",
                "AWS's amounts in Parquet",
            ],
            shortest_texts(place),
        ),
        Asking::either(
            ["4c", "Q3", "A CAST of FLOAT64 to BIGNUMERIC takes the binary expansion", "finops goes by the text"],
            expansion(place),
        ),
        Asking::either(
            [
                "5",
                "R1",
                "REQUIRED fields of Parquet go into NULLABLE columns",
                "after a refusal finops loads them with the files' modes; see 13 for the keys of maps",
            ],
            required_fields(place),
        ),
        Asking::either(
            [
                "5b",
                "R1",
                "REQUIRED fields of Parquet go into REQUIRED columns, with every value in its row",
                "finops's way where 5 or 13 does not hold",
            ],
            required_columns(place),
        ),
        Asking::relied(
            [
                "5c",
                "R2",
                "A Parquet timestamp in nanoseconds goes into an INT64 column as a whole number",
                "files of pandas and DuckDB; finops converts the numbers",
            ],
            nanoseconds(place),
        ),
        Asking::relied(
            [
                "12",
                "R2",
                "Parquet timestamps go into TIMESTAMP columns as UTC, whether they are marked so or not",
                "AWS's and Azure's moments, and so the month of each row",
            ],
            timestamps(place),
        ),
        Asking::either(
            [
                "13b",
                "R6",
                "A Parquet map whose groups have other names is loaded as NULL, and no error",
                "finops counts keys where footers show some",
            ],
            other_groups(place),
        ),
        Asking::relied(
            [
                "13",
                "R6",
                "A Parquet map becomes a record of key_value, in its order; no map is NULL, a map without entries is not",
                "CUR 2.0's and FOCUS's maps, as the text of a JSON object",
            ],
            maps(place),
        ),
        Asking::either(
            [
                "14",
                "Q15",
                "TO_JSON_STRING of a text escapes quotes, backslashes, control characters, U+2028 and U+2029, and nothing else",
                "it is the same JSON, written otherwise than from CSV",
            ],
            json_escapes(place),
        ),
        Asking::relied(
            [
                "15",
                "R4",
                "A Parquet file that is cut off fails the load, and changes nothing",
                "a month is never made worse by a delivery that cannot be read",
            ],
            cut_off(place),
        ),
    ]
}

async fn a_subset(place: &Place) -> StageState {
    let table = Scratch::new(place, "parquet_subset", COLUMNS).await?;
    let file = parquet("SELECT 1.5::DECIMAL(38, 18) AS cost, TIMESTAMPTZ '2025-09-01 00:00:00+00' AS month");
    let columns = [("cost", "BIGNUMERIC"), ("month", "TIMESTAMP")];
    table.parquet_with(file, &json!({"schema": schema(&columns)})).await?.refused("missing in new schema")
}

async fn double_into_bignumeric(place: &Place) -> StageState {
    let table = Scratch::new(place, "double_into_bignumeric", &[("cost", "BIGNUMERIC")]).await?;
    let loaded = table.parquet(parquet("SELECT 0.1::DOUBLE AS cost")).await?;
    if loaded.failure().is_none() {
        let stored = table.rows("CAST(cost AS STRING)").await?;
        return Err(Seen::Differs(format!("taken, and 0.1 is {}", stored.concat().join(","))));
    }
    loaded.refused("")
}

async fn doubles(place: &Place, name: &str, expression: &str) -> Result<Vec<String>, Seen> {
    let table = Scratch::new(place, name, &[("number", "FLOAT64")]).await?;
    let numbers = "SELECT unnest([-2.1e-07, 0.1, 2::DOUBLE / 3, 1234567.89]) AS number";
    table.parquet(parquet(numbers)).await?.taken()?;
    let rows = place.query(&format!("SELECT {expression} FROM {} ORDER BY number", table.path())).await?;
    Ok(rows.concat())
}

async fn shortest_texts(place: &Place) -> StageState {
    let reads_back = |digits: u8| format!("SAFE_CAST(FORMAT('%.{digits}g', number) AS FLOAT64) = number");
    let shortest = format!(
        "IF({}, FORMAT('%.15g', number), IF({}, FORMAT('%.16g', number), FORMAT('%.17g', number)))",
        reads_back(15),
        reads_back(16)
    );
    let found = doubles(place, "shortest_texts", &shortest).await?;
    same(&found, &["-2.1e-07", "0.1", "0.6666666666666666", "1234567.89"])
}

async fn expansion(place: &Place) -> StageState {
    let found = doubles(place, "expansion", "CAST(CAST(number AS BIGNUMERIC) AS STRING)").await?;
    // Python's decimal.Decimal(0.1), to 38 digits.
    same(&found.get(1).map(String::as_str), &Some("0.10000000000000000555111512312578270212"))
}

async fn required_fields(place: &Place) -> StageState {
    let table = Scratch::new(place, "required_fields", COLUMNS).await?;
    table.parquet(REQUIRED.to_vec()).await?.taken()?;
    same(&table.rows("CAST(cost AS STRING), note").await?, &[["0.000000000000000001", "x"]])
}

async fn required_columns(place: &Place) -> StageState {
    let mut columns = schema(COLUMNS);
    for at in 0..3 {
        columns["fields"][at]["mode"] = "REQUIRED".into();
    }
    let table = Scratch::with(place, "required_columns", columns, &json!({})).await?;
    table.parquet(REQUIRED.to_vec()).await?.taken()?;
    same(&table.rows("CAST(cost AS STRING), note").await?, &[["0.000000000000000001", "x"]])
}

async fn nanoseconds(place: &Place) -> StageState {
    let table = Scratch::new(place, "nanoseconds", &[("moment", "INT64")]).await?;
    table.parquet(parquet("SELECT TIMESTAMP_NS '2025-09-30 23:59:59.123456789' AS moment")).await?.taken()?;
    same(&table.rows("CAST(moment AS STRING)").await?, &[["1759276799123456789"]])
}

async fn other_groups(place: &Place) -> StageState {
    let table = Scratch::with(place, "other_groups", map_schema(), &json!({})).await?;
    let mut file = parquet("SELECT 1 AS id, MAP {'b': 'x'} AS tags");
    while let Some(at) = file.windows(9).position(|name| name == b"key_value") {
        file[at..at + 9].copy_from_slice(b"old_names");
    }
    table.parquet(file).await?.taken()?;
    same(&table.rows("id, IF(tags IS NULL, 'none', 'some')").await?, &[["1", "none"]])
}

async fn timestamps(place: &Place) -> StageState {
    const TIMESTAMPS: Columns = &[("utc", "TIMESTAMP"), ("plain", "TIMESTAMP"), ("local", "DATETIME")];
    let table = Scratch::new(place, "moments", TIMESTAMPS).await?;
    let file = parquet(
        "SELECT TIMESTAMPTZ '2025-09-30 23:59:59.123456+00' AS utc, TIMESTAMP '2025-09-30 23:59:59.123456' AS plain, \
         plain AS local",
    );
    table.parquet(file).await?.taken()?;
    let believed = "2025-09-30 23:59:59.123456+00";
    let rows = table.rows("CAST(utc AS STRING), CAST(plain AS STRING), CAST(TIMESTAMP(local) AS STRING)").await?;
    same(&rows, &[[believed, believed, believed]])
}

/// A table with a map.
fn map_schema() -> Value {
    let entry = json!([{"name": "key", "type": "STRING"}, {"name": "value", "type": "STRING"}]);
    let entries = json!([{"name": "key_value", "type": "RECORD", "mode": "REPEATED", "fields": entry}]);
    json!({"fields": [{"name": "id", "type": "INT64"}, {"name": "tags", "type": "RECORD", "fields": entries}]})
}

async fn maps(place: &Place) -> StageState {
    let table = Scratch::with(place, "maps", map_schema(), &json!({})).await?;
    let file = parquet(
        "SELECT 1 AS id, MAP {'b': 'x', 'a': NULL} AS tags UNION ALL SELECT 2, MAP {} UNION ALL SELECT 3, NULL ORDER BY id",
    );
    table.parquet(file).await?.taken()?;
    let text = "IF(`tags` IS NULL, NULL, CONCAT('{', IFNULL((SELECT STRING_AGG(CONCAT(TO_JSON_STRING(`key`), ':', \
                TO_JSON_STRING(`value`)), ',' ORDER BY `at`) FROM UNNEST(`tags`.`key_value`) WITH OFFSET AS `at`), ''), '}'))";
    let rows = table.rows(&format!("id, {text}")).await?;
    same(&rows, &[["1", r#"{"b":"x","a":null}"#], ["2", "{}"], ["3", "NULL"]])
}

async fn json_escapes(place: &Place) -> StageState {
    let text = r#"'"\\ / \n \u0001 \u00fc \u2028\u2029'"#;
    let rows = place.query(&format!("SELECT TO_JSON_STRING(text) FROM (SELECT {text} AS text)")).await?;
    same(&rows.concat(), &[r#""\"\\ / \n \u0001 ü \u2028\u2029""#])
}

async fn cut_off(place: &Place) -> StageState {
    let table = Scratch::new(place, "cut_off", &[("note", "STRING")]).await?;
    let mut file = parquet("SELECT 'x' AS note");
    table.parquet(file.clone()).await?.taken()?;
    file.truncate(file.len() - 5);
    table.parquet(file).await?.refused("")?;
    same(&table.rows("note").await?, &[["x"]])
}
