"""Readers of Parquet that others wrote, as witnesses; see witness_python.rs.

usage: witness_parquet.py pyarrow|polars <file> <column of the month> <column of the cost>
"""

import json
import sys
from importlib.util import find_spec


def with_pyarrow(path):
    from pyarrow import parquet

    table = parquet.read_table(path)
    types = {field.name: str(field.type) for field in table.schema}
    return types, table.num_rows, lambda name: table[name].to_pylist()


def with_polars(path):
    import polars

    frame = polars.read_parquet(path)
    types = {name: str(of) for name, of in frame.schema.items()}
    return types, frame.height, lambda name: frame[name].to_list()


def main():
    library, path, month, cost = sys.argv[1:]
    if find_spec(library) is None:
        print("null")
        return
    types, rows, column = {"pyarrow": with_pyarrow, "polars": with_polars}[library](path)
    print(json.dumps({
        "types": types,
        "rows": rows,
        # A Decimal's sum is exact up to 28 digits.
        "cost": f"{sum(column(cost)):f}",
        "months": sorted({str(value) for value in column(month)}),
        "execution_ids": sorted(set(column("execution_id"))),
    }))


if __name__ == "__main__":
    main()
