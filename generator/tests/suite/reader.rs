//! Reads data files with code that is independent of the writer: rows of texts by column, in the form of CSV.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::json;

/// Digits after the point of [`units`].
const SCALE: usize = 18;

pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<BTreeMap<String, String>>,
}

pub fn read(path: &Path) -> Table {
    if path.extension().unwrap() == "parquet" { read_parquet(path) } else { read_csv(path) }
}

fn read_csv(path: &Path) -> Table {
    let file = File::open(path).unwrap();
    let mut text = String::new();
    if path.extension().unwrap() == "gz" {
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        { file }.read_to_string(&mut text).unwrap();
    }
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    Table { columns, rows: reader.deserialize().map(Result::unwrap).collect() }
}

fn read_parquet(path: &Path) -> Table {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let fields = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let texts = |row: parquet::record::Row| {
        row.get_column_iter().map(|(name, field)| (name.clone(), text(field))).collect::<BTreeMap<_, _>>()
    };
    Table {
        columns: fields.iter().map(|field| field.name().to_owned()).collect(),
        rows: reader.get_row_iter(None).unwrap().map(|row| texts(row.unwrap())).collect(),
    }
}

fn text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        // The shortest decimal that is read as the same number.
        Field::Double(number) => number.to_string(),
        Field::Decimal(decimal) => {
            assert_eq!((decimal.precision(), decimal.scale()), (38, 18));
            plain(i128::from_be_bytes(decimal.data().try_into().unwrap()))
        }
        Field::Bool(flag) => (if *flag { "True" } else { "False" }).to_owned(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, value)| {
                let value = if let Field::Str(value) = value { json!(value).to_string() } else { text(value) };
                format!("{}:{value}", json!(text(key)))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Field::TimestampMillis(_) | Field::TimestampMicros(_) => field.to_string().replacen(' ', "T", 1),
        other => panic!("no column has the type of {other:?}"),
    }
}

/// An amount in 10^-18, from decimal text with or without an exponent.
pub fn units(text: &str) -> i128 {
    let (number, exponent) = text.split_once('E').unwrap_or((text, "-0"));
    let shift: usize = exponent.strip_prefix('-').unwrap().parse().unwrap();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let zeros = SCALE.checked_sub(fraction.len() + shift).expect("more digits than DECIMAL(38,18) has");
    format!("{whole}{fraction}{}", "0".repeat(zeros)).parse().unwrap()
}

/// Plain decimal text of an amount in 10^-18.
pub fn plain(units: i128) -> String {
    let digits = format!("{:019}", units.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - SCALE);
    let text = format!("{}{whole}.{fraction}", if units < 0 { "-" } else { "" });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
