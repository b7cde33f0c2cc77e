"""Looks at a dataset as `bq show` prints it.

usage: dataset.py check <dataset.json> <location>   ends with 1 where it is elsewhere; warns where it drops months
       dataset.py place <dataset.json> <location>   ends with 1 where it is elsewhere
       dataset.py grants <dataset.json> <account>   ends with 1 where the account may not edit it
"""

import json
import sys


def place(dataset, location):
    """Whether the dataset is in the location."""
    name, elsewhere = dataset["id"], dataset["location"]
    if elsewhere.lower() != location.lower():
        print(f"error: dataset {name} is in {elsewhere}, and BIGQUERY_LOCATION is {location}", file=sys.stderr)
        print(f"hint: a dataset cannot be moved: set BIGQUERY_LOCATION={elsewhere}, or another dataset", file=sys.stderr)
        return 1
    return 0


def check(dataset, location):
    """Whether tables with months can be in the dataset."""
    if place(dataset, location):
        return 1
    name = dataset["id"]
    for what, field in (("partition", "defaultPartitionExpirationMs"), ("table", "defaultTableExpirationMs")):
        if days := int(dataset.get(field, 0)) // 86_400_000:
            print(f"warning: dataset {name} drops each new {what} after {days} days: old months would be lost. "
                  f"Remove it: bq update --default_{what}_expiration 0 {name}", file=sys.stderr)
    return 0


def grants(dataset, account):
    """Whether the account has roles/bigquery.dataEditor, which datasets.get calls WRITER."""
    edits = ("WRITER", "roles/bigquery.dataEditor")
    found = (entry for entry in dataset.get("access", []) if entry.get("userByEmail") == account)
    return 0 if any(entry.get("role") in edits and "condition" not in entry for entry in found) else 1


if __name__ == "__main__":
    verb, file, argument = sys.argv[1:]
    with open(file, encoding="utf-8") as dataset:
        sys.exit({"check": check, "place": place, "grants": grants}[verb](json.load(dataset), argument))
