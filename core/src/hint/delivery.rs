//! Hints about deliveries: their manifests, files and rows.

super::declare::hints! {
    "Delivery";

    /// A month has waited for its files for longer than `WAIT_MAX_HOURS`, or `check` finds files missing.
    MIRROR_RUNNING = "is the mirror still running? WAIT_MAX_HOURS limits how long a month may wait";
    /// A manifest is broken, or contradicts its folder.
    COMPARE_MANIFEST = "compare the object with the one in the provider's bucket; the loaded month is unchanged";
    /// finops does not load this kind of delivery.
    CHANGE_REPORT = "change the report's settings at the provider";
    /// The month's files have different columns, or not as many rows as the manifest says.
    MIXED_DELIVERIES = "files of another delivery may be among them: fetch the month again";
    /// A CSV file or a Parquet footer is broken.
    FETCH_AGAIN = "fetch the file again";
    /// A compressed file is broken.
    FETCH_FILE = "delete the file and fetch it again; for a staging folder, run extract-billing";
    /// A file does not have the columns that every billing export has, or they have other types.
    IS_EXPORT = "is this a billing export in the provider's original form?";
    /// A column has a type that finops does not load.
    WITHOUT_COLUMN = "have the report delivered without that column, or as CSV";
    /// A Parquet file has a column whose name BigQuery does not accept.
    RENAME_COLUMN = "have the report delivered as CSV, or with another name for that column";
    /// A Parquet file has a map in the form of old writers.
    DELIVER_CSV = "have the export delivered as CSV";
    /// A Parquet file has decimals with more digits than DuckDB supports.
    CSV_OR_BIGQUERY = "nothing was changed; have the report delivered as CSV, or load it into BigQuery";
    /// A Parquet file has timestamps of nanoseconds in UTC.
    MICROSECONDS = "nothing was changed; write the files with microseconds, or load them into BigQuery";
    /// A month has more files than a BigQuery load job accepts.
    FEWER_FILES = "have the export delivered in fewer, larger files";
    /// A month in several local files is loaded into BigQuery.
    USE_BUCKET = "put the files into a bucket, or load the month as one file";
    /// A file of the export has a `*` in its name.
    NO_STAR = "rename the export's folder or file so that it has no `*`: otherwise BigQuery would also load other files";
    /// The files have no rows.
    COMPARE_FILES = "nothing was changed; compare the files with the provider's";
    /// The month has other rows than the manifest says, or its files changed.
    DELIVER_AGAIN = "nothing was changed; if files or manifest were written by hand, correct the counts in the manifest or \
                     remove them. Otherwise compare the files with the provider's, and have the month delivered again if they \
                     are incomplete";
    /// The month's files have rows of another month.
    ROWS_OF_OTHER_MONTHS = "nothing was changed: finops replaces whole months, from files that have only rows of that month; \
                            compare the files with the provider's";
    /// An Azure export has billing periods that are not calendar months.
    WITHOUT_BILLING_PERIODS = "if billing periods are not calendar months, as with pay-as-you-go, export month to date in a data \
                               set without billing periods (type Usage, or version 2019-11-01): finops loads it by month of \
                               usage";
    /// Files without a billing period have rows of days that another month also has, or of too many days outside of the month.
    ROWS_OUTSIDE = "nothing was changed: the files have no billing period, so the day of a row decides its month. Compare the \
                    files with the provider's, or leave the run out with AZURE_LEAVE_OUT";
    /// A month without billing periods has rows of a day that the month before or after also has.
    DAY_TWICE = "compare the rows of that day in both months; if some are in both, have the month exported again without them, \
                 or leave its run out with AZURE_LEAVE_OUT";
    /// A column's values in the files were not read.
    DELIVER_AS_CSV = "nothing was changed; have the export delivered as CSV, and report it with the first kilobytes of a file's \
                      footer";
    /// Values of the files cannot be converted to the types of the table's columns.
    COMPARE_VALUES = "nothing was changed; compare the files with the provider's, or report the values";
    /// Values cannot be converted, and a new table would give their columns another type.
    COMPARE_OR_ANOTHER_TABLE = "nothing was changed; compare the files with the provider's, or choose another table name: \
                                finops creates that table and loads all months there";
    /// Texts such as `NULL` are in a column of amounts or dates.
    name_no_value(setting) = "nothing was changed; if such a text means that there is no value, list it in {setting}, as in \
                              `None,NULL`. Otherwise compare the files with the provider's";
    /// A CSV file writes days as DD/MM/YYYY.
    DAY_FIRST = "nothing was changed: read as MM/dd/yyyy, its rows would have other days. Azure itself writes MM/dd/yyyy or \
                 yyyy-MM-dd: find out what rewrote the file, and replace it with the provider's own";
    /// The query of a data export leaves a required column out, or gives it another name.
    SELECT_COLUMN = "select that column under its own name in the query of the export, not under an alias";
    /// A delivery cannot be loaded; after the hint about the reason.
    or_leave_out(hint, entry, setting) = "{hint} To load the export without this delivery, add `{entry}` to {setting}";
    /// A legacy Cost and Usage Report and a data export have the same name.
    CHOOSE_VERSION = "set AWS_CUR_VERSION (aws.cur_version) to the version that this table has, v1 or v2; define the other as a \
                      second export in AWS_EXPORTS, with its version and its table";
    /// A delivery has another kind of rows than the table.
    OTHER_KIND = "export each kind under its own name, and into its own table";
    /// Pieces of a month overlap.
    BY_MONTH = "have it delivered by month: choose a time frame such as month to date or last month for the export; \
                AZURE_LEAVE_OUT leaves single runs out";
    /// A piece of a month is missing.
    MISSING_PIECE = "have the missing days exported, or choose a time frame by month for the export, such as month to date";
    /// An Azure export of selected dates covers days of several months.
    ONCE_FOR_EACH_MONTH = "run the export once for each month, from the first to the last day of one calendar month";
    /// An Azure export by calendar month has a manifest or a folder with other days.
    CHANGED_MANIFEST = "find out what changed the manifest or its folder: with this time frame Azure exports one calendar month";
    /// An Azure export covers days of several months.
    CHOOSE_TIME_FRAME = "choose the time frame MonthToDate or TheLastMonth for the export";
    /// Scopes of one Azure export may contain each other.
    NAME_SCOPES = "list the scopes to load in AZURE_SCOPES, or give each export its own folder and table";
    /// No delivered scope is in `AZURE_SCOPES`.
    OTHER_SCOPES = "AZURE_SCOPES lists other scopes: correct or remove it";
    /// A month has runs of several scopes, and the manifest of one does not name its scope.
    RUN_WITHOUT_SCOPE = "leave the run out with AZURE_LEAVE_OUT, or add the resourceId to its manifest";
    /// The files of a loaded scope are gone, and the month cannot be loaded without them.
    FILES_OF_SCOPE_GONE = "restore the files, or leave the scope out: list the other scopes in AZURE_SCOPES, or its runs in \
                           AZURE_LEAVE_OUT";
    /// A run has rows of another scope, or not as many rows as its manifest says.
    ROWS_OF_OTHER_SCOPES = "nothing was changed; compare the files with the provider's. AZURE_SCOPES lists the scopes to load, \
                            AZURE_LEAVE_OUT the runs to leave out";
    /// A month would have less than what is loaded.
    LESS_THAN_LOADED = "the loaded month is unchanged. If the new run is right, load it with --force; if both are right for \
                        their days, as after a subscription was moved, list the older one in AZURE_KEEP_RUNS";
    /// Runs of one month have their cost or currency in different columns.
    SAME_VERSION = "give the exports of all scopes the same dataset version, or leave runs out with AZURE_LEAVE_OUT";
}
