"""Prints log entries, oldest first: time, severity, message, and below it error and hint. The file is newest first.

usage: log_lines.py <entries.json>
"""

import json
import re
import sys


def lines(entry):
    """The lines of an entry."""
    payload = entry.get("jsonPayload", {})
    # Lines of finops have a severity; other lines on stderr have none.
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
        print("no log lines yet; a line appears some seconds after it was written")
    for entry in reversed(entries):
        # Entries contain names of files, which must not control the terminal.
        print(re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "?", "\n".join(lines(entry))))
