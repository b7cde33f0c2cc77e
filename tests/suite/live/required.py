"""Writes required.parquet, whose fields are REQUIRED as DuckDB writes none: run with pyarrow, `python required.py`."""

from datetime import datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

columns = [
    ("month", pa.timestamp("us", "UTC"), datetime(2025, 9, 1, tzinfo=timezone.utc)),
    ("cost", pa.decimal128(38, 18), Decimal("0.000000000000000001")),
    ("note", pa.string(), "x"),
]
schema = pa.schema([pa.field(name, of, nullable=False) for name, of, _ in columns])
table = pa.table([pa.array([value], type=of) for _, of, value in columns], schema=schema)
pq.write_table(table, "required.parquet", store_schema=False)
