"""Exact amounts of a DuckDB database and of a Parquet file in pandas and Polars; see witness_python.rs.

usage: witness_money.py <database> <table> <Parquet file> <column of the cost>
"""

import json
import sys
from decimal import Decimal
from importlib.util import find_spec


def main():
    database, table, file, cost = sys.argv[1:]
    for library in ["duckdb", "pandas", "polars", "pyarrow"]:
        if find_spec(library) is None:
            print(json.dumps({"lacks": library}))
            return
    import duckdb
    import pandas
    import polars

    connection = duckdb.connect(database, read_only=True)
    rows = connection.sql(f"SELECT {cost} FROM {table}")
    arrow = rows.to_arrow_table()
    frames = {
        "arrow": arrow.to_pandas(),
        "pandas with Arrow's types": arrow.to_pandas(types_mapper=pandas.ArrowDtype),
        "pandas from the file": pandas.read_parquet(file),
    }
    sums = {name: f"{Decimal(frame[cost].sum()):f}" for name, frame in frames.items()}
    for name, frame in {"pl": rows.pl(), "polars from the file": polars.read_parquet(file)}.items():
        sums[name] = f"{frame[cost].sum():f}"
    print(json.dumps({"sums": sums, "df": str(rows.df()[cost].dtype)}))


if __name__ == "__main__":
    main()
