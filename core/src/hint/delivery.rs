//! Hints about deliveries: their manifests, files and rows.

super::declare::hints! {
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
    DELIVER_AGAIN = "nothing was changed; where files or manifest were written by hand, correct the counts in the manifest or \
                     leave them out; else compare the files with the provider's, and have the month delivered again where they \
                     are not whole";
    /// The month's files have rows of another month.
    ROWS_OF_OTHER_MONTHS = "nothing was changed: a month is replaced as a whole, and takes rows of its own only; compare the \
                            files with the provider's";
    /// An Azure export is by billing periods that are not calendar months.
    WITHOUT_BILLING_PERIODS = "where billing periods are not calendar months, as with pay-as-you-go, export month to date a \
                               data set that has no billing periods (type Usage, or version 2019-11-01): finops loads it by \
                               month of usage";
    /// Files without a billing period have rows of days that another month has, or of too many days outside of the month.
    ROWS_OUTSIDE = "nothing was changed: the files have no billing period, so that a row's day says which month it is of. \
                    Compare the files with the provider's, or leave the run out with AZURE_LEAVE_OUT";
    /// A month without billing periods has rows of a day that the month beside it has, too.
    DAY_TWICE = "compare the rows of that day in both months; where some are in both, have the month exported again without \
                 them, or leave its run out with AZURE_LEAVE_OUT";
    /// A column's values in the files were not read.
    DELIVER_AS_CSV = "nothing was changed; have the export delivered as CSV, and report it with the first kilobytes of a file's \
                      footer";
    /// Values of the files cannot be converted to the types of the table's columns.
    COMPARE_VALUES = "nothing was changed; compare the files with the provider's, or report the values";
    /// Values cannot be converted, and a new table would give their columns another type.
    COMPARE_OR_ANOTHER_TABLE = "nothing was changed; compare the files with the provider's, or choose another table name: \
                                finops creates that table and loads all months there";
    /// Texts such as `NULL` are in a column of amounts or dates.
    name_no_value(setting) = "nothing was changed; where such a text means that there is no value, list it in {setting}, as in \
                              `None,NULL`, or compare the files with the provider's";
    /// A text file has its days as DD/MM/YYYY.
    DAY_FIRST = "nothing was changed: read as MM/dd/yyyy, its rows would be of other days; Azure itself writes MM/dd/yyyy or \
                 yyyy-MM-dd: see what rewrote the file, and put the provider's own in its place";
    /// The query of a data export leaves a required column out, or gives it another name.
    SELECT_COLUMN = "have the export's query select that column under its own name, not under an alias";
    /// A delivery cannot be loaded; after the hint about the reason.
    or_leave_out(hint, entry, setting) = "{hint} To load the export without this delivery, add `{entry}` to {setting}";
    /// A legacy Cost and Usage Report and a data export have one name.
    CHOOSE_VERSION = "set AWS_CUR_VERSION (aws.cur_version) to the one that this table takes, v1 or v2; give the other an \
                      export of its own in AWS_EXPORTS, with its version and its table";
    /// A delivery is of another kind than the table's rows.
    OTHER_KIND = "export each kind under a name of its own, and give each a table of its own";
    /// Pieces of a month overlap.
    BY_MONTH = "have it delivered by month: choose a time frame such as month to date or last month for the export; \
                AZURE_LEAVE_OUT sets single runs aside";
    /// A piece of a month is missing.
    MISSING_PIECE = "have the missing days exported, or choose a time frame by month for the export, such as month to date";
    /// An Azure export of selected dates covers days of several months.
    ONCE_FOR_EACH_MONTH = "run the export once for each month: as dates, choose the first and the last day of one calendar month";
    /// An Azure export by calendar month has a manifest or a folder of other days.
    CHANGED_MANIFEST = "see what changed the manifest or its folder: with this time frame Azure exports one calendar month";
    /// An Azure export covers days of several months.
    CHOOSE_TIME_FRAME = "choose the time frame MonthToDate or TheLastMonth for the export";
    /// Scopes of one Azure export may contain each other.
    NAME_SCOPES = "name the scopes that count with AZURE_SCOPES, or give each export a folder and a table of its own";
    /// `AZURE_SCOPES` names none of the scopes that are delivered.
    OTHER_SCOPES = "AZURE_SCOPES names other scopes: correct it, or remove it";
    /// The manifest of a run does not name its scope, and there are runs of several.
    RUN_WITHOUT_SCOPE = "leave the run out with AZURE_LEAVE_OUT, or give its manifest a resourceId";
    /// The files of a scope that is loaded are gone, and the month cannot be loaded without them.
    FILES_OF_SCOPE_GONE = "bring the files back, or set the scope aside: AZURE_SCOPES names those that count, AZURE_LEAVE_OUT \
                           runs that do not";
    /// A run's rows are not those of its scope, or not as many as its manifest counts.
    ROWS_OF_OTHER_SCOPES = "nothing was changed; compare the files with the provider's; AZURE_SCOPES names the scopes that count, \
                            and AZURE_LEAVE_OUT runs that do not";
    /// A month would have less than what is loaded.
    LESS_THAN_LOADED = "what is loaded stays. Where the new run is right, take it with --force; where both are right for their \
                        days, as after a subscription was moved, name the older one in AZURE_KEEP_RUNS";
    /// Runs of one month have their cost or currency in different columns.
    SAME_VERSION = "give the exports of all scopes the same dataset version, or leave runs out with AZURE_LEAVE_OUT";
}
