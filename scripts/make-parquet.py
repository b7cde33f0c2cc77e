#!/usr/bin/env python3
"""Converts a CUR v1 CSV tree to Parquet, as AWS writes the same report, in one of AWS's two layouts.

Amounts and quantities become DOUBLE, timestamps TIMESTAMP, everything else text; an empty field is NULL. Timestamps are
INT64 milliseconds in the Athena layout and INT96 in the versioned layout. The same tree gives the same files.
Needs Python 3.11 and pyarrow (scripts/python-requirements.txt).

usage: make-parquet.py <CSV tree> <new tree> athena|versioned
"""

import csv
import gzip
import json
import sys
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow
from pyarrow import parquet

import aws_cur
from expected import locate, outer_manifests

TYPES = {
    "DOUBLE": pyarrow.float64(),
    "TIMESTAMP": pyarrow.timestamp("ms", tz="UTC"),
    "STRING": pyarrow.string(),
}


def type_of(header):
    if header in aws_cur.DOUBLES:
        return "DOUBLE"
    return "TIMESTAMP" if header in aws_cur.MOMENTS else "STRING"


def value(text, column_type):
    if text == "":
        return None
    if column_type == "DOUBLE":
        return float(text)
    return datetime.fromisoformat(text) if column_type == "TIMESTAMP" else text


def table(path):
    """Reads a CSV file. Returns a table and its headers."""
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        headers, *rows = csv.reader(file)
    arrays = [
        pyarrow.array([value(row[i], type_of(header)) for row in rows], TYPES[type_of(header)])
        for i, header in enumerate(headers)
    ]
    return pyarrow.table(arrays, names=aws_cur.column_names(headers)), headers


def assembly_id(start, layout):
    """An assembly id. AWS writes both forms: a UUID, or the time of the delivery."""
    if layout == "athena":
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"parquet/{start}"))
    return f"{datetime.strptime(start, '%Y%m%d') + timedelta(days=33, hours=12):%Y%m%dT%H%M%SZ}"


def convert(source, manifest, target, layout):
    name = manifest["reportName"]
    start, end = (manifest["billingPeriod"][edge][:8] for edge in ("start", "end"))
    assembly = assembly_id(start, layout)
    report = f"cur/{name}"
    period = f"{report}/{start}-{end}"
    data = {
        "athena": f"{report}/{name}/year={start[:4]}/month={int(start[4:6])}",
        "versioned": f"{period}/{assembly}",
    }[layout]
    keys, headers = [], []
    for number, csv_key in enumerate(manifest["reportKeys"], 1):
        rows, headers = table(locate(source, csv_key))
        keys.append(f"{data}/{name}-{number:05}.snappy.parquet")
        path = target / keys[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(
            rows, path, compression="snappy", use_deprecated_int96_timestamps=layout == "versioned",
            store_schema=False, write_statistics=False,
        )
    delivered = manifest | {
        "assemblyId": assembly,
        "columns": [
            {"category": header.split("/")[0], "name": aws_cur.column_name(header), "type": type_of(header)}
            for header in headers
        ],
        "compression": "Parquet",
        "contentType": "Parquet",
        "reportKeys": keys,
    }
    text = json.dumps(delivered, separators=(",", ":"))
    for folder in [period] if layout == "athena" else [period, data]:
        (target / folder).mkdir(parents=True, exist_ok=True)
        (target / folder / f"{name}-Manifest.json").write_text(text, encoding="utf-8")


def main():
    if len(sys.argv) != 4 or sys.argv[3] not in ("athena", "versioned"):
        sys.exit(__doc__.strip().splitlines()[-1])
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for manifest in outer_manifests(source):
        convert(source, manifest, target, sys.argv[3])


if __name__ == "__main__":
    main()
