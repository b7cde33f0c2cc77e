#!/usr/bin/env python3
"""Figures of a CUR v1 CSV tree, per month: rows, files, columns and the exact unblended cost.

Written apart from finops and with other means, so that what finops loads can be held against it.
Reads the manifests beside the assembly folders (not the copies inside them), and the files they
list. A report key is found under the tree by its longest tail that exists, as a mirror may change
the head of the path.

usage: expected.py <tree>
"""

import csv
import gzip
import json
import sys
from decimal import Context, Decimal, Inexact, setcontext
from pathlib import Path

# Sums are exact or fail.
setcontext(Context(prec=200, traps=[Inexact]))


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
    sys.exit(f"{tree}: the manifest lists {key}, and no file of that tail is there")


def month_figures(tree, manifest):
    rows = 0
    columns = set()
    cost = {}
    for key in manifest["reportKeys"]:
        with gzip.open(locate(tree, key), "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns.update(reader.fieldnames)
            for row in reader:
                rows += 1
                currency = row["lineItem/CurrencyCode"] or "unknown"
                amount = Decimal(row["lineItem/UnblendedCost"] or "0")
                cost[currency] = cost.get(currency, Decimal(0)) + amount
    return {
        "rows": rows,
        "files": len(manifest["reportKeys"]),
        "columns": len(columns),
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
