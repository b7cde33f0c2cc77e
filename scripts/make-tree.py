#!/usr/bin/env python3
"""Makes a small AWS CUR v1 CSV tree of many months, for benchmarks.

The layout keeps every version; manifests carry types. The same arguments make the same bytes.
For the variety of real exports see examples/README.md.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import uuid
from decimal import Decimal
from pathlib import Path

COLUMNS = [
    ("identity", "LineItemId", "String"),
    ("bill", "PayerAccountId", "String"),
    ("bill", "BillingPeriodStartDate", "DateTime"),
    ("bill", "BillingPeriodEndDate", "DateTime"),
    ("lineItem", "UsageAccountId", "String"),
    ("lineItem", "LineItemType", "String"),
    ("lineItem", "UsageStartDate", "DateTime"),
    ("lineItem", "UsageEndDate", "DateTime"),
    ("lineItem", "ProductCode", "String"),
    ("lineItem", "UsageAmount", "BigDecimal"),
    ("lineItem", "CurrencyCode", "String"),
    ("lineItem", "UnblendedCost", "BigDecimal"),
    ("product", "ProductName", "OptionalString"),
]
PRODUCTS = [
    ("AmazonEC2", "Amazon Elastic Compute Cloud", Decimal("0.096")),
    ("AmazonS3", "Amazon Simple Storage Service", Decimal("0.0230000186")),
    ("AmazonRDS", "Amazon Relational Database Service", Decimal("0.068")),
]


def months_before(last, count):
    """The `count` months that end with `last` (YYYY-MM), oldest first, each with the next."""
    year, month = map(int, last.split("-"))
    index = year * 12 + month - 1
    for i in range(index - count + 1, index + 1):
        yield f"{i // 12:04}-{i % 12 + 1:02}", f"{(i + 1) // 12:04}-{(i + 1) % 12 + 1:02}"


def csv_bytes(start, end, rows):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(f"{category}/{name}" for category, name, _ in COLUMNS)
    for row in range(rows):
        code, product, cost = PRODUCTS[row % len(PRODUCTS)]
        day, hour = row // 24 % 28 + 1, row % 24
        writer.writerow([
            hashlib.sha1(f"{start}/{row}".encode()).hexdigest(),
            "210987654321",
            f"{start}-01T00:00:00Z",
            f"{end}-01T00:00:00Z",
            "210987654321",
            "Usage",
            f"{start}-{day:02}T{hour:02}:00:00Z",
            f"{start}-{day:02}T{hour:02}:59:59Z",
            code,
            "1",
            "USD",
            str(cost),
            product,
        ])
    return text.getvalue().encode()


def write_month(folder, prefix, name, start, end, rows):
    compact = [month.replace("-", "") + "01" for month in (start, end)]
    assembly_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{prefix}/{name}/{start}"))
    period = f"{prefix}/{name}/{compact[0]}-{compact[1]}"
    key = f"{period}/{assembly_id}/{name}-00001.csv.gz"
    manifest = json.dumps({
        "assemblyId": assembly_id,
        "account": "210987654321",
        "columns": [{"category": c, "name": n, "type": t} for c, n, t in COLUMNS],
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": hashlib.sha256(name.encode()).hexdigest(),
        "reportName": name,
        "billingPeriod": {
            "start": f"{compact[0]}T000000.000Z",
            "end": f"{compact[1]}T000000.000Z",
        },
        "bucket": "example-billing-bucket",
        "reportKeys": [key],
        "additionalArtifactKeys": [],
    }, indent=2)
    data = folder / key
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_bytes(gzip.compress(csv_bytes(start, end, rows), mtime=0))
    for place in (period, f"{period}/{assembly_id}"):
        (folder / place / f"{name}-Manifest.json").write_text(manifest, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to make the tree, as the bucket's root")
    parser.add_argument("--months", type=int, default=39)
    parser.add_argument("--last", default="2025-10", help="the last month, YYYY-MM")
    parser.add_argument("--rows", type=int, default=100, help="rows a month")
    parser.add_argument("--prefix", default="cur")
    parser.add_argument("--name", default="cost-and-usage")
    options = parser.parse_args()
    for start, end in months_before(options.last, options.months):
        write_month(options.folder, options.prefix, options.name, start, end, options.rows)


if __name__ == "__main__":
    main()
