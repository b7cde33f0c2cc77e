#!/usr/bin/env python3
"""Computes figures of a CUR v1 tree, per month: rows, files, exact unblended cost, and the columns with their types.

The code is independent of finops, so that tests can compare the results. It reads the manifests beside the assembly
folders (not the copies inside them), and the files that they list. A mirror may change the beginning of a path: a report
key names the file with the longest matching end of its path. A Parquet tree needs pyarrow
(scripts/python-requirements.txt).

usage: expected.py <tree>
"""

import csv
import gzip
import json
import sys
from decimal import Context, Decimal, Inexact, setcontext
from pathlib import Path

import aws_cur

# An inexact sum is an error.
setcontext(Context(prec=200, traps=[Inexact]))

# docs/decisions/0003: columns that AWS documents as amounts, quantities or timestamps have this type in every manifest.
KNOWN_TYPES = (
    {header: "DECIMAL" for header in aws_cur.DOUBLES}
    | {header: "TIMESTAMP" for header in aws_cur.MOMENTS}
)
MANIFEST_TYPES = {"BigDecimal": "DECIMAL", "Integer": "INT64", "DateTime": "TIMESTAMP"}
PARQUET_TYPES = {"double": "DECIMAL", "string": "STRING", "timestamp": "TIMESTAMP"}


def outer_manifests(tree):
    for path in sorted(tree.rglob("*-Manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if path.parent.name != manifest["assemblyId"]:
            yield manifest


def locate(tree, key):
    parts = Path(key.lstrip("/")).parts
    for start in range(len(parts)):
        path = tree.joinpath(*parts[start:])
        if path.is_file():
            return path
    sys.exit(f"{tree}: the manifest lists {key}, but no file has a path with this end")


def read_csv(path, manifest):
    """Returns the columns with their types, and the currency and cost of each row."""
    delivered = {f"{c['category']}/{c['name']}": c.get("type", "") for c in manifest["columns"]}
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = {}
        for header, name in zip(reader.fieldnames, aws_cur.column_names(reader.fieldnames)):
            by_manifest = MANIFEST_TYPES.get(delivered.get(header, "").removeprefix("Optional"), "STRING")
            is_tag = header.startswith(("resourceTags/", "costCategory/"))
            columns[name] = "STRING" if is_tag else KNOWN_TYPES.get(header, by_manifest)
        return columns, [
            (row["lineItem/CurrencyCode"], Decimal(row["lineItem/UnblendedCost"] or "0")) for row in reader
        ]


def read_parquet(path):
    """Returns the same. The value of a double is the shortest decimal that reads back as the same double."""
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    # `timestamp[ms, tz=UTC]` without its unit and zone.
    columns = {field.name: PARQUET_TYPES[str(field.type).split("[")[0]] for field in table.schema}
    currencies = table["line_item_currency_code"].to_pylist()
    costs = table["line_item_unblended_cost"].to_pylist()
    return columns, [(code, Decimal(repr(cost or 0.0))) for code, cost in zip(currencies, costs)]


def month_figures(tree, manifest):
    rows = 0
    columns = {}
    cost = {}
    for key in manifest["reportKeys"]:
        path = locate(tree, key)
        parquet = manifest["contentType"] == "Parquet"
        found, amounts = read_parquet(path) if parquet else read_csv(path, manifest)
        if columns and columns != found:
            sys.exit(f"{path}: the columns differ from those of the month's other files")
        columns = found
        rows += len(amounts)
        for currency, amount in amounts:
            currency = currency or "unknown"
            cost[currency] = cost.get(currency, Decimal(0)) + amount
    return {
        "rows": rows,
        "files": len(manifest["reportKeys"]),
        "columns": columns,
        "unblended_cost": {currency: plain(amount) for currency, amount in sorted(cost.items())},
    }


def plain(amount):
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip().splitlines()[-1])
    tree = Path(sys.argv[1])
    figures = {}
    for manifest in outer_manifests(tree):
        start = manifest["billingPeriod"]["start"]
        figures[f"{start[:4]}-{start[4:6]}"] = month_figures(tree, manifest)
    json.dump(figures, sys.stdout, indent=2, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
