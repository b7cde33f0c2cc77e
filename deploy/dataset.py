"""Checks a dataset in the form that `bq show` prints.

usage: dataset.py check <dataset.json> <location>      like location; warns where the dataset drops months
       dataset.py location <dataset.json> <location>   exit code 1 where the dataset is in another location
       dataset.py unlabelled <dataset.json> <labels>   exit code 0 where this deployment created it, and it lacks a label
       dataset.py grants <dataset.json> <account>      exit code 1 where the account may not edit the dataset
"""

import json
import sys


def check_location(dataset, location):
    """Checks that the dataset is in the location."""
    name, found = dataset["id"], dataset["location"]
    if found.lower() != location.lower():
        print(f"error: dataset {name} is in {found}, and BIGQUERY_LOCATION is {location}", file=sys.stderr)
        print(f"hint: a dataset cannot be moved: set BIGQUERY_LOCATION={found}, or another dataset", file=sys.stderr)
        return 1
    return 0


def check(dataset, location):
    """Checks the location, and warns where the dataset would drop months."""
    if check_location(dataset, location):
        return 1
    name = dataset["id"]
    for what, field in (("partition", "defaultPartitionExpirationMs"), ("table", "defaultTableExpirationMs")):
        if days := int(dataset.get(field, 0)) // 86_400_000:
            print(f"warning: dataset {name} drops each new {what} after {days} days: old months would be lost. "
                  f"Remove it: bq update --default_{what}_expiration 0 {name}", file=sys.stderr)
    return 0


def unlabelled(dataset, labels):
    """Succeeds where this deployment created the dataset, and it lacks one of the labels, `key:value` between spaces."""
    found = {"deployment": "finops"} | dataset.get("labels", {})
    wanted = dict(label.split(":") for label in labels.split())
    is_ours = all(found.get(name) == wanted[name] for name in ("managed_by", "deployment"))
    return 0 if is_ours and not wanted.items() <= found.items() else 1


def grants(dataset, account):
    """Checks that the account has roles/bigquery.dataEditor, which datasets.get calls WRITER."""
    edits = ("WRITER", "roles/bigquery.dataEditor")
    found = (entry for entry in dataset.get("access", []) if entry.get("userByEmail") == account)
    return 0 if any(entry.get("role") in edits and "condition" not in entry for entry in found) else 1


if __name__ == "__main__":
    verb, file, argument = sys.argv[1:]
    with open(file, encoding="utf-8") as dataset:
        sys.exit({"check": check, "location": check_location, "unlabelled": unlabelled, "grants": grants}[verb](json.load(dataset), argument))
