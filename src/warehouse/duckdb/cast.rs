//! How a file's values become the table's in DuckDB: exactly, or not at all.

use finops_core::{
    files::file_type::{Conversion, FileType},
    model::column_type::ColumnType,
};

use super::{
    number_text::{Number, is_exact},
    types::{DIGITS, SCALE, decimal_type, sql_type},
    value_text::as_text,
};
use crate::warehouse::{
    LoadColumn, MonthLoad,
    sql::{CODE, Dialect::DuckDb as DIALECT, EXPECTED_TIMESTAMP, NO_VALUE, TIMESTAMP, expected_no_code},
};

/// How a file's column is converted.
pub struct Cast {
    /// The file's value, or its text.
    pub text: String,
    /// NULL where there is nothing to convert.
    given: String,
    /// The value of the table's type; NULL where there is no exact one.
    value: String,
    /// What the values must be, where not every one is.
    expected: Option<&'static str>,
}

impl Cast {
    /// The conversion of `column`; `scale` is the number of decimals of the table's column, if it has any.
    pub fn new(column: &LoadColumn, load: &MonthLoad, scale: u8) -> Self {
        let name = DIALECT.quote(&column.file_name);
        let to = column.column.column_type;
        let cast = match (column.file_type, column.reading()) {
            // CSV is read by position, under the table's names.
            (FileType::Text(_) | FileType::TimeText(_), _) => {
                Self::from_text(DIALECT.quote(&column.column.name), to, scale).without(&load.no_value.texts)
            }
            (FileType::Double, Conversion::Cast) if to == ColumnType::Decimal => Self::from_double(&name, scale),
            // These may have more digits than the table's column, and a cast would round them.
            (FileType::LongDecimal, _) | (_, Conversion::Cast | Conversion::Unsupported) => {
                let cast = Self::from_text(as_text(&name, column.file_type, to, load.kind), to, scale);
                if column.file_type == FileType::String { cast.without(&load.no_value.texts) } else { cast }
            }
            // A widened column has fewer digits before the point.
            (FileType::Decimal, Conversion::None) if scale > SCALE => Self {
                text: as_text(&name, column.file_type, to, load.kind),
                value: format!("TRY_CAST({name} AS {})", decimal_type(scale)),
                given: name,
                expected: Some(EXPECTED_DECIMAL),
            },
            // An empty text means no value. DuckDB reads an empty text of CSV as NULL.
            (FileType::String, Conversion::None) => {
                let value = format!("NULLIF({name}, '')");
                Self { text: name.clone(), given: name, value, expected: None }
            }
            (_, Conversion::None) => {
                let value = format!("CAST({name} AS {})", sql_type(to));
                Self { text: name.clone(), given: name, value, expected: None }
            }
        };
        if column.may_be_code() { cast.without_codes(to) } else { cast }
    }

    /// The same, but no value for codes, which a column of numbers would change.
    fn without_codes(self, to: ColumnType) -> Self {
        let Self { text, value, .. } = &self;
        let value = format!("CASE WHEN NOT regexp_matches({text}, '^({CODE})') THEN {value} END");
        Self { value, expected: Some(expected_no_code(to)), ..self }
    }

    /// The same, but NULL for the texts that mean "no value", except in columns of text.
    fn without(self, no_value: &[String]) -> Self {
        let Some(given) = DIALECT.given(&self.text, no_value).filter(|_| self.expected.is_some()) else { return self };
        Self { text: given.clone(), given, ..self }
    }

    fn from_text(text: String, to: ColumnType, scale: u8) -> Self {
        let (value, expected) = match to {
            ColumnType::String | ColumnType::Foreign => (text.clone(), None),
            // The cast would round 1.5 to 2 (seen on 1.5.6).
            ColumnType::Int64 => (
                format!("CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+') THEN TRY_CAST({text} AS BIGINT) END"),
                Some("a whole number of 64 bits"),
            ),
            // A cast straight to TIMESTAMP drops the zone's offset (seen on 1.5.6), and refuses a timestamp without seconds.
            ColumnType::Timestamp => (
                format!(
                    "CASE WHEN regexp_full_match({text}, '{TIMESTAMP}') THEN COALESCE(TRY_CAST({text} AS TIMESTAMPTZ), \
                     TRY_CAST(regexp_replace({text}, '^([0-9-]*[T ][0-9]+:[0-9]+)([Z+-].*)?$', '\\1:00\\2') AS TIMESTAMPTZ)) END \
                     AT TIME ZONE 'UTC'"
                ),
                Some(EXPECTED_TIMESTAMP),
            ),
            // The cast would drop a time of day.
            ColumnType::Date => (
                format!(
                    "CASE WHEN regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}([T ]00:00:00([.]0+)?(Z|[+]00:00)?)?') \
                     THEN TRY_CAST(regexp_extract({text}, '^[0-9-]*') AS DATE) \
                     WHEN regexp_full_match({text}, '[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}}') \
                     THEN CAST(try_strptime({text}, '%m/%d/%Y') AS DATE) END"
                ),
                Some("a date"),
            ),
            // A cast through a type of 64 bits is forty times faster than one to the table's type (measured on 1.5.6), and most
            // amounts fit.
            ColumnType::Decimal => (
                format!(
                    "CASE WHEN regexp_full_match({text}, '[+-]?[0-9]{{1,6}}([.][0-9]{{0,12}})?') \
                     THEN TRY_CAST(TRY_CAST({text} AS DECIMAL(18,12)) AS {decimal}) \
                     WHEN {} THEN TRY_CAST({text} AS {decimal}) END",
                    is_exact(&text, scale),
                    decimal = decimal_type(scale)
                ),
                Some(EXPECTED_DECIMAL),
            ),
        };
        Self { given: text.clone(), text, value, expected }
    }

    /// A DOUBLE through its shortest text. For a decimal of up to 15 digits this is not needed: if it reads back as the number,
    /// it is the only such decimal, and so the shortest. It is computed without text, thirty times faster (measured on 1.5.6),
    /// and almost every amount is one.
    fn from_double(name: &str, scale: u8) -> Self {
        // The shortest that reads back as the same number.
        let careful = Self::from_text(format!("CAST({name} AS VARCHAR)"), ColumnType::Decimal, scale);
        let near = format!("TRY_CAST({name} AS DECIMAL(15,10))");
        let value = format!(
            "CASE WHEN CAST({near} AS DOUBLE) = {name} THEN TRY_CAST({near} AS {}) ELSE {} END",
            decimal_type(scale),
            careful.value
        );
        Self { given: name.to_owned(), value, ..careful }
    }

    /// The table's value. A value that cannot be converted fails the statement.
    pub fn checked(&self) -> String {
        let Self { given, value, expected, .. } = self;
        match expected {
            Some(_) => format!("CASE WHEN {given} IS NOT NULL THEN COALESCE({value}, error('{NO_VALUE}')) END"),
            None => value.clone(),
        }
    }

    /// The text of a value that cannot be converted; otherwise NULL. With what the values must be.
    pub fn refused(&self) -> Option<(String, &'static str)> {
        let Self { text, value, expected, .. } = self;
        Some((format!("CASE WHEN {value} IS NULL THEN {text} END"), (*expected)?))
    }

    /// The most digits after and before the point, among the values that fit a decimal of some scale; NULL where there are
    /// none.
    pub fn digits(&self) -> [String; 2] {
        let Number { form, significant, fraction, whole } = Number::of(&self.text);
        let fits = format!(
            "{form} AND {significant} <> '' AND greatest({fraction}, 0) + greatest({whole}, 0) <= {DIGITS} \
             AND {fraction} <= {DIGITS} AND {whole} <= {DIGITS}"
        );
        [fraction, whole].map(|digits| format!("max(CASE WHEN {fits} THEN {digits} END)"))
    }
}

const EXPECTED_DECIMAL: &str = "a decimal of at most 38 digits";

#[cfg(test)]
mod tests {
    use duckdb::Connection;
    use finops_core::{Amount, schema::Column};
    use proptest::{
        prop_assert, prop_assert_eq,
        strategy::{Just, Strategy},
        test_runner::{Config, TestRunner},
    };

    use super::*;
    use crate::warehouse::test::load;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("SET TimeZone = 'UTC'").unwrap();
        connection
    }

    fn cast_with(
        connection: &Connection,
        text: &str,
        column_type: ColumnType,
        scale: u8,
    ) -> Result<Option<String>, String> {
        let column = LoadColumn {
            column: Column { name: "amount".to_owned(), column_type },
            file_name: "amount".to_owned(),
            file_type: FileType::Text(Some(column_type).filter(|named| *named == ColumnType::Decimal)),
        };
        let value = Cast::new(&column, &load(), scale).checked();
        let sql = format!("SELECT CAST({value} AS VARCHAR) FROM (SELECT {} AS amount)", DIALECT.literal(text));
        connection.query_row(&sql, [], |row| row.get(0)).map_err(|error| error.to_string())
    }

    fn cast(text: &str, column_type: ColumnType) -> Result<Option<String>, String> {
        cast_with(&connection(), text, column_type, SCALE)
    }

    #[test]
    fn decimals_are_kept_to_the_last_digit() {
        for (text, stored) in [
            ("0.0000000186", "0.000000018600000000"),
            ("1E-10", "0.000000000100000000"),
            ("12345678.123456789012", "12345678.123456789012000000"),
            ("-1.5e+3", "-1500.000000000000000000"),
            ("0.123456789012345678", "0.123456789012345678"),
            ("0.1234567890123456780000", "0.123456789012345678"),
            ("10E-19", "0.000000000000000001"),
            ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
            (".5", "0.500000000000000000"),
            ("0E-40", "0.000000000000000000"),
            ("+7.", "7.000000000000000000"),
        ] {
            assert_eq!(cast(text, ColumnType::Decimal).unwrap().as_deref(), Some(stored), "{text}");
        }
    }

    #[test]
    fn what_would_be_rounded_or_guessed_is_refused() {
        for text in [
            "0.1234567890123456789",
            "1.9e-18",
            "1E-19",
            "100000000000000000000",
            "-99999999999999999999.9999999999999999999",
            "1065510686112506006.30045748708317938321e2",
            "-01516136925154634965.13000229132103010902e+2",
            "0.000000000000000000001e41",
            "1e20",
            "1_000",
            " 1",
            "abc",
            "1,5",
            "--1",
            "e5",
        ] {
            let error = cast(text, ColumnType::Decimal).unwrap_err();
            assert!(error.contains(NO_VALUE), "{text}: {error}");
        }
    }

    #[test]
    fn whole_numbers_are_whole() {
        assert_eq!(cast("-70", ColumnType::Int64).unwrap().as_deref(), Some("-70"));
        for text in ["1.5", "1.0", "1e3", "1_000", "9223372036854775808", "007", "-007", "+7"] {
            assert!(cast(text, ColumnType::Int64).unwrap_err().contains(NO_VALUE), "{text}");
        }
    }

    #[test]
    fn an_id_that_a_column_of_numbers_would_change_is_refused() {
        let connection = connection();
        for column_type in [ColumnType::Int64, ColumnType::Decimal] {
            for (text, fits) in [("1000000001", true), ("0", true), ("0000000042", false), ("+42", false)] {
                let column = Column { name: "bill_invoice_id".to_owned(), column_type };
                let (file_name, file_type) = (column.name.clone(), FileType::Text(None));
                let value = Cast::new(&LoadColumn { column, file_name, file_type }, &load(), SCALE).checked();
                let sql = format!("SELECT {value} IS NOT NULL FROM (SELECT '{text}' AS bill_invoice_id)");
                let kept = connection.query_row(&sql, [], |row| row.get::<_, bool>(0));
                assert_eq!(kept.ok(), fits.then_some(true), "{text} {column_type}");
            }
        }
    }

    #[test]
    fn dates_have_no_time_of_day() {
        for text in ["2025-08-02", "08/02/2025", "8/2/2025", "2025-08-02T00:00:00", "2025-08-02 00:00:00.000+00:00"] {
            assert_eq!(cast(text, ColumnType::Date).unwrap().as_deref(), Some("2025-08-02"), "{text}");
        }
        for text in ["2025-08-02T16:00:00Z", "2025-08-02T00:00:00+02:00", "2025-02-30", "13/02/2025", "02.08.2025"] {
            assert!(cast(text, ColumnType::Date).unwrap_err().contains(NO_VALUE), "{text}");
        }
    }

    #[test]
    fn any_decimal_is_kept_to_the_last_digit_or_refused_where_it_does_not_fit() {
        let texts =
            "[+-]?(0{0,2}[0-9]{1,22}[.]?|[0-9]{0,22}[.][0-9]{1,40}|0[.]0{0,30}[0-9]{1,3})([eE][+-]?[0-4]?[0-9])?";
        let scales = proptest::prop_oneof![Just(SCALE), SCALE..=DIGITS];
        let strategy = (proptest::string::string_regex(texts).unwrap(), scales);
        let connection = connection();
        let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };
        let kept = |(text, scale): (String, u8)| {
            let exact = text.parse::<Amount>().unwrap().to_string();
            let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
            let whole = whole.trim_start_matches(['-', '0']).len();
            let fits = whole <= usize::from(DIGITS - scale) && fraction.len() <= usize::from(scale);
            let stored = cast_with(&connection, &text, ColumnType::Decimal, scale).ok().flatten();
            let stored = stored.map(|stored| stored.parse::<Amount>().unwrap().to_string());
            // The cast refuses some that fit, such as 0.001E21.
            if !(fits && stored.is_none() && text.contains(['e', 'E'])) {
                prop_assert_eq!(stored, fits.then_some(exact), "{} {}", text, scale);
            }
            Ok(())
        };
        TestRunner::new(config).run(&strategy, kept).unwrap();
    }

    #[test]
    fn any_double_is_its_shortest_decimal_or_refused_where_that_does_not_fit() {
        let connection = connection();
        let column = LoadColumn {
            column: Column { name: "amount".to_owned(), column_type: ColumnType::Decimal },
            file_name: "amount".to_owned(),
            file_type: FileType::Double,
        };
        let statements = [SCALE, 25, 34].map(|scale| {
            let value = Cast::new(&column, &load(), scale).checked();
            let sql = format!("SELECT CAST({value} AS VARCHAR) FROM (SELECT ?::DOUBLE AS amount)");
            (scale, std::cell::RefCell::new(connection.prepare(&sql).unwrap()))
        });
        let any = proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
        let small = (-1_000_000_000_000_000i64..1_000_000_000_000_000, 0..22u8)
            .prop_map(|(digits, decimals)| format!("{digits}e-{decimals}").parse::<f64>().unwrap());
        let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
        let kept = |double: f64| {
            // Rust writes the shortest decimal, too.
            let exact = format!("{double:e}").parse::<Amount>().unwrap().to_string();
            let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
            let whole = whole.trim_start_matches(['-', '0']).len();
            for (scale, statement) in &statements {
                let fits = whole <= usize::from(DIGITS - scale) && fraction.len() <= usize::from(*scale);
                let stored: Option<String> = statement.borrow_mut().query_row([double], |row| row.get(0)).ok();
                let stored = stored.map(|stored| stored.parse::<Amount>().unwrap().to_string());
                // Of some doubles two decimals are the shortest, and Rust takes the other.
                let alike = |stored: &String| stored.len() == exact.len() && stored.parse() == Ok(double);
                prop_assert!(stored.as_ref().map_or(!fits, |stored| fits && alike(stored)), "{} {:?}", double, stored);
            }
            Ok(())
        };
        TestRunner::new(config).run(&proptest::prop_oneof![any, small], kept).unwrap();
    }

    #[test]
    fn any_timestamp_is_kept_to_the_last_digit_or_refused_where_it_does_not_fit() {
        let timestamps = ("[0-9]{2,5}", 0..30u8, proptest::option::of("[0-9]{1,6}(0{1,3}|[0-9]{0,3})"));
        let connection = connection();
        let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
        let kept = |(year, hour, fraction): (String, u8, Option<String>)| {
            let decimals = fraction.as_ref().map(|fraction| format!(".{fraction}")).unwrap_or_default();
            let text = format!("{year}-08-02T{hour:02}:59:58{decimals}Z");
            let digits = fraction.as_deref().unwrap_or_default().trim_end_matches('0');
            let fits = year.len() == 4 && hour < 24 && digits.len() <= 6;
            let point = if digits.is_empty() { "" } else { "." };
            let exact = format!("{year}-08-02 {hour:02}:59:58{point}{digits}");
            // There is no year 0.
            if year != "0000" {
                let stored = cast_with(&connection, &text, ColumnType::Timestamp, SCALE).ok().flatten();
                prop_assert_eq!(stored, fits.then_some(exact), "{}", text);
            }
            Ok(())
        };
        TestRunner::new(config).run(&timestamps, kept).unwrap();
    }

    #[test]
    fn timestamps_are_utc_whatever_their_offset() {
        for (text, stored) in [
            ("2025-08-02T16:00:00Z", "2025-08-02 16:00:00"),
            ("2025-08-02 16:00:00+00:00", "2025-08-02 16:00:00"),
            ("2025-08-02 16:00:00+02:00", "2025-08-02 14:00:00"),
            ("2025-08-02 16:00:00", "2025-08-02 16:00:00"),
            ("2025-08-02T16:00Z", "2025-08-02 16:00:00"),
            ("2025-08-02T16:00:00.123Z", "2025-08-02 16:00:00.123"),
            ("2025-08-02T16:00:00.1234560Z", "2025-08-02 16:00:00.123456"),
            ("2025-08-02T16:00:00.0000000+02:00", "2025-08-02 14:00:00"),
            ("2025-8-2 6:00:00 UTC", "2025-08-02 06:00:00"),
            ("2025-08-02", "2025-08-02 00:00:00"),
        ] {
            assert_eq!(cast(text, ColumnType::Timestamp).unwrap().as_deref(), Some(stored), "{text}");
        }
        for text in [
            "tomorrow",
            "epoch",
            "infinity",
            "2025-08-02T16:00:00.1234567Z",
            "2025-08-31T23:59:59.9999999Z",
            "2025-08-02T16:00:00.00000010Z",
            "25-08-02 10:00:00",
            "12025-08-02 10:00:00",
            "2025-08-31 24:00:00",
            "2025-08-31T24:00Z",
        ] {
            assert!(cast(text, ColumnType::Timestamp).unwrap_err().contains(NO_VALUE), "{text}");
        }
    }
}
