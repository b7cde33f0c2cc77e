//! Hints about the tables of the exports, and the state table.

super::declare::hints! {
    "Table";

    /// finops did not create the table, or its columns cannot have the values of the files.
    ANOTHER_TABLE = "choose another table name: the first run loads all months there";
    /// A key column of the table is missing or has another type.
    RESTORE_COLUMN = "restore the column, or choose another table name: the first run loads all months there";
    /// The table has a column of a type that finops does not write, and the files also have that column.
    DROP_COLUMN_OR_ANOTHER_TABLE = "drop or rename that column of the table, or choose another table name: the first run loads \
                                    all months there";
    /// The table has the rows of another export.
    TABLE_PER_EXPORT = "give each export its own table";
    /// The job writes the table, and the staged pipeline was to write it, or the reverse.
    TABLE_PER_WAY = "use one table for the job, and another for the staged pipeline";
    /// A column of the table does not accept NULL, and the files do not have it or have empty values.
    take_null(table, column) = "allow NULL: ALTER TABLE `{table}` ALTER COLUMN {column} DROP NOT NULL";
    /// Jobs of two projects do not exclude each other, even if they load the same month.
    move_jobs(before, label, project, table) = "set BIGQUERY_JOB_PROJECT or database.bigquery.job_project_id to {before}. To \
                                                move the jobs, wait until no run and no job of finops is active, then run: bq update --set_label {label}:{project} \
                                                {table}";
    /// A row of the state table has values that finops does not write.
    REPAIR_STATE = "repair or delete that row of finops_loads";
    /// The state table lacks columns, or has them with other types.
    RESTORE_STATE = "restore the columns, or rename that table: finops then creates finops_loads and loads all months again";
    /// The dataset has a table `finops_loads` that finops did not create.
    FOREIGN_STATE = "choose another dataset, or rename that table: finops keeps its state in finops_loads";
}
