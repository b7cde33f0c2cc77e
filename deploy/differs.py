"""Compares a wanted configuration with a found one, and prints the differences. The found one may have more properties.

usage: differs.py <wanted.json> <found.json>     exit code 1 where they differ
"""

import json
import re
import sys

UNITS = {"": 1, "m": 1 / 1000, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text):
    """An amount of CPU or memory as a number: Cloud Run may return 1000m for 1, and 1Gi for 1024Mi."""
    found = re.fullmatch(r"([0-9]+)(m|Ki|Mi|Gi|)", str(text))
    return int(found[1]) * UNITS[found[2]] if found else text


def plain(value):
    """A value as text: in Google's JSON, 64-bit numbers are texts."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, bool)) else str(value)


def named(values):
    """Converts a list of objects with names to a dictionary; other values are unchanged."""
    if isinstance(values, list) and values and all(isinstance(value, dict) and "name" in value for value in values):
        return {value["name"]: value.get("value", value) for value in values}
    return values


def differences(wanted, found, path=""):
    """Yields a line for each difference."""
    by_name = path.endswith(".env") and isinstance(wanted, list)
    if by_name:
        wanted, found = named(wanted), named(found or [])
        found = found or {}
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in [*wanted, *(name for name in found if by_name and name not in wanted)]:
            at = f"{path}.{name}" if path else name
            yield from differences(wanted.get(name), found.get(name), at)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, pair in enumerate(zip(wanted, found)):
            yield from differences(*pair, f"{path}[{number}]")
    elif ".limits." in path and quantity(wanted) == quantity(found):
        return
    elif wanted is None:
        # Its value may be a credential, so it is not printed.
        yield f"{path}: removed"
    elif found is None:
        yield f"{path}: none -> {plain(wanted)}"
    elif plain(wanted) != plain(found):
        yield f"{path}: {plain(found)} -> {plain(wanted)}"


def main(wanted, found):
    """Prints the differences."""
    with open(wanted, encoding="utf-8") as wanted, open(found, encoding="utf-8") as found:
        lines = list(differences(json.load(wanted), json.load(found)))
    for line in lines:
        print("  " + re.sub(r"^spec\.(template\.)?(spec\.)?(template\.)?(spec\.)?(containers\[0\]\.)?", "", line))
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
