"""Writes Parquet files with types that DuckDB does not write. Needs pyarrow: `python make.py`."""

from datetime import date, datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

moment = datetime(2025, 9, 2, 16, 0, 0, 123456)
columns = [
    (pa.field("Month", pa.timestamp("ms"), nullable=False), moment.replace(microsecond=0)),
    (pa.field("cost", pa.decimal128(38, 18), nullable=False), Decimal("12345678901234567890.123456789012345678")),
    (pa.field("small", pa.decimal128(5, 2)), Decimal("-0.05")),
    (pa.field("old", pa.timestamp("us")), moment),
    (pa.field("day", pa.date32()), date(2025, 9, 2)),
    (pa.field("narrow", pa.int32()), -7),
    (pa.field("single", pa.float32()), 0.5),
    (pa.field("yes", pa.bool_()), True),
    (pa.field("text", pa.string(), nullable=False), "größer"),
    (pa.field("tags", pa.struct([("a", pa.struct([("b", pa.string())])), ("c", pa.list_(pa.int64()))])), None),
    (pa.field("bytes", pa.binary()), b"x"),
    (pa.field("clock", pa.time64("us")), moment.time()),
    (pa.field("after", pa.int64()), 9),
]
utc = [(pa.field("utc", pa.timestamp("us", "UTC")), moment.replace(tzinfo=timezone.utc))]
nanos = [(pa.field("nanos", pa.timestamp("ns")), 1756828800123456000)]


def table(columns):
    schema = pa.schema([field for field, _ in columns])
    return pa.table([pa.array([value], type=field.type) for field, value in columns], schema=schema)


tags = [(pa.field("tags", pa.map_(pa.string(), pa.string())), [("b", "x"), ("a", None)])]
pq.write_table(table(tags), "map.parquet")  # The keys are REQUIRED.
pq.write_table(table(columns), "types.parquet")
pq.write_table(table(utc + nanos), "moments.parquet", version="2.6")
pq.write_table(table([columns[3]]), "int96.parquet", use_deprecated_int96_timestamps=True)
