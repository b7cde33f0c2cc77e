//! Hints about DuckDB.

super::declare::hints! {
    "DuckDB";

    /// Another process has the database open.
    DATABASE_OPEN = "another process has it open: close that one, or wait for the other run to end";
    /// The disk of the database is full.
    DATABASE_DISK_FULL = "free space on the disk of the database, then run again; what was loaded is still there";
    /// A disk is full while DuckDB writes a file.
    DISK_OF_FILE_FULL = "free space on the disk of the named file, or of the database if none is named; what was loaded is still \
                         there";
    /// The database's file is empty.
    DATABASE_EMPTY = "the file is empty and so not a database: delete it, and the next run creates it";
    /// The database cannot be opened.
    DATABASE_PATH = "DUCKDB_PATH, or database.duckdb.database_path in the staged pipeline, must name a DuckDB file that you may \
                     write, in a folder where you may create files";
    /// The memory is used up while a month is loaded.
    MORE_MEMORY = "nothing was changed; run it on a machine with more memory: rows with thousands of columns need gigabytes";
    /// An index keeps a column from getting more decimals.
    DROP_INDEXES = "nothing was changed; drop the table's indexes, then run again";
    /// A column's values need more digits than DuckDB supports.
    LOAD_INTO_BIGQUERY = "nothing was changed; load the export into BigQuery, which supports 38 digits before and after the \
                          point";
    /// A column's values in the files and in the table together need more digits than DuckDB supports.
    BIGQUERY_OR_ANOTHER_TABLE = "nothing was changed; load the export into BigQuery, which supports 38 digits before and after \
                                 the point, or choose another table name: the months that fit are loaded there";
}
