//! Hints about the tables of the exports, and the state table.

super::declare::hints! {
    "Table";

    /// finops did not create the table, or its columns cannot take the files.
    ANOTHER_TABLE = "choose another table name: the first run loads all months there";
    /// A key column of the table is missing or has another type.
    RESTORE_COLUMN = "restore the column, or choose another table name: the first run loads all months there";
    /// The table has a column of a type that finops does not write, which the files have, too.
    DROP_COLUMN_OR_ANOTHER_TABLE = "drop or rename that column of the table, or choose another table name: the first run \
                                    loads all months there";
    /// The table is that of another export.
    TABLE_PER_EXPORT = "give each export a table of its own";
    /// The table is written by the job, and the staged pipeline was to write it, or the other way round.
    TABLE_PER_WAY = "give each way a table of its own";
    /// A column of the table takes no NULL, and the files lack it or have empty values.
    take_null(table, column) = "let it take NULL: ALTER TABLE `{table}` ALTER COLUMN {column} DROP NOT NULL";
    /// A row of the state table has values that finops does not write.
    REPAIR_STATE = "repair or delete that row of finops_loads";
    /// The state table lacks columns, or has them with other types.
    RESTORE_STATE = "restore the columns, or rename that table: finops then creates finops_loads and loads all months again";
    /// The dataset has a table `finops_loads` that finops did not create.
    FOREIGN_STATE = "choose another dataset, or rename that table: finops keeps its state in finops_loads";
}
