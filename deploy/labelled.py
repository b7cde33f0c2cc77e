"""Finds the objects with finops's labels in a list of notification channels or alert policies.

usage: labelled.py <list.json> names <deployment> [<pipeline>]     prints the names of those of a deployment or of a pipeline
       labelled.py <list.json> alert <name>                        prints the one with this label as JSON; exit code 1 without
"""

import json
import sys


def main(file, what, name, pipeline=None):
    """Prints the found objects."""
    with open(file, encoding="utf-8") as listed:
        ours = [each for each in json.load(listed) if each.get("userLabels", {}).get("managed-by") == "finops"]
    if what == "names":
        # Those of earlier versions have no label of their deployment: there was one, of this name.
        ours = [each for each in ours if each["userLabels"].get("deployment", "finops") == name]
        begin = f"{name}-{pipeline}-" if pipeline else ""
        print("".join(each["name"] + "\n" for each in ours if each["userLabels"].get("alert", "").startswith(begin)), end="")
        return 0
    ours = [each for each in ours if each["userLabels"].get("alert") == name]
    if ours:
        print(json.dumps(ours[0]))
    return 0 if ours else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
