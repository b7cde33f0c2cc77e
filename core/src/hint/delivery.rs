//! Hints about deliveries: their manifests, files and rows.

super::hints! {
    "Delivery";

    /// A month has waited for its files for longer than `WAIT_MAX_HOURS`, or `check` finds files missing.
    MIRROR_RUNNING = "is the mirror still running? WAIT_MAX_HOURS says how long a month may wait";
    /// A manifest is broken, or contradicts its folder.
    COMPARE_MANIFEST = "compare the object with the one in the provider's bucket; the month that is loaded stays as it is";
    /// finops does not load this kind of delivery.
    CHANGE_REPORT = "change the report's settings at the provider";
    /// The month's files differ in their columns, or do not have the rows that the manifest counts.
    MIXED_DELIVERIES = "a part of another delivery may lie among the files: fetch the month again";
    /// A CSV file or a Parquet footer is broken.
    FETCH_AGAIN = "fetch the file again";
    /// A compressed file is broken.
    FETCH_FILE = "delete the file and fetch it again; a staging folder gets it back from extract-billing";
    /// A file lacks columns that every billing export has, or they have other types.
    IS_EXPORT = "is this a billing export, as its provider wrote it?";
    /// A column has a type that finops does not load.
    WITHOUT_COLUMN = "have the report delivered without that column, or as CSV";
    /// A Parquet file has a column of a name that BigQuery does not take.
    RENAME_COLUMN = "have the report delivered as CSV, or with another name for that column";
    /// A Parquet file has a map in the form of old writers.
    DELIVER_CSV = "have the export delivered as CSV";
    /// A Parquet file has decimals of more digits than DuckDB holds.
    CSV_OR_BIGQUERY = "nothing was changed; have the report delivered as CSV, or load it into BigQuery";
    /// A Parquet file has timestamps of nanoseconds in UTC.
    MICROSECONDS = "nothing was changed; write the files with microseconds, or load them into BigQuery";
    /// A month has more files than a BigQuery load job takes.
    FEWER_FILES = "have the export delivered in fewer, larger files";
    /// A month in several local files goes into BigQuery.
    USE_BUCKET = "put the files into a bucket, or load the month as one";
    /// A file of the export has a `*` in its name.
    NO_STAR = "no name of a folder or file of the export may have a `*`: other files would be loaded with it";
    /// The files have no rows.
    COMPARE_FILES = "nothing was changed; compare the files with the provider's";
    /// The month has other rows than the manifest counts, or its files changed.
    DELIVER_AGAIN = "nothing was changed; compare the files with the provider's, have the month delivered again where \
                     they are not whole, then run again";
    /// The month's files have rows of another month.
    ROWS_OF_OTHER_MONTHS = "nothing was changed: a month is replaced as a whole, and takes rows of its own only. Where billing \
                            cycles do not follow the calendar month, as with some of Azure's agreements, choose an export by \
                            calendar month, such as month to date; else compare the files with the provider's";
    /// Values of the files cannot be converted to the types of the table's columns.
    COMPARE_VALUES = "nothing was changed; compare the files with the provider's, or report the values";
    /// Values cannot be converted, and a new table would give their columns another type.
    COMPARE_OR_ANOTHER_TABLE = "nothing was changed; compare the files with the provider's, or choose another table name: \
                                finops creates that table and loads all months there";
}
