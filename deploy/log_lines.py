"""Prints log entries, newest first in the file, oldest first: time, severity, message, and the hint below it.

usage: log_lines.py <entries.json>
"""

import json
import re
import sys


def lines(entry):
    """The lines for an entry."""
    payload = entry.get("jsonPayload", {})
    # The severity is the line's own where finops wrote it; what else speaks on stderr has none.
    severity = entry.get("severity", "DEFAULT")
    text = payload.get("message") or entry.get("textPayload") or json.dumps(entry.get("protoPayload", payload))
    time = entry.get("timestamp", "")[:19].replace("T", " ")
    yield f"{time} {severity:<8} {text}"
    for name in ("error", "hint"):
        if name in payload:
            value = payload[name]
            yield f"{'':28} {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        entries = json.load(file)
    if not entries:
        print("no log lines yet: they appear some seconds after they were written")
    for entry in reversed(entries):
        # Names of files are in them, which must not steer the terminal.
        print(re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "?", "\n".join(lines(entry))))
