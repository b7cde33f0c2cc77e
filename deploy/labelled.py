"""Finds the objects with finops's labels in a list of notification channels or alert policies.

usage: labelled.py <list.json> names             prints the names of all of them
       labelled.py <list.json> alert=<name>      prints the one with this label as JSON; exit code 1 without one
"""

import json
import sys


def main(file, what):
    """Prints the found objects."""
    with open(file, encoding="utf-8") as listed:
        ours = [each for each in json.load(listed) if each.get("userLabels", {}).get("managed-by") == "finops"]
    if what == "names":
        print("".join(each["name"] + "\n" for each in ours), end="")
        return 0
    key, value = what.split("=")
    ours = [each for each in ours if each["userLabels"].get(key) == value]
    if ours:
        print(json.dumps(ours[0]))
    return 0 if ours else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
