"""Reads a file of settings such as .env, without running it. src/settings/dotenv.rs reads the same language.

A line is blank, a comment, `KEY=value` or `export KEY=value`. A value has no quotes, or single or double quotes around
it; a comment may follow after white space. Values that a shell and other readers would read differently are refused.
"""

import re

# White space as a shell defines it: other white space, such as the no-break space, is part of a word.
LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII | re.DOTALL)
QUOTED = re.compile(r"""('[^']*'|"[^"]*")(?:\s*|\s+#.*)""", re.ASCII | re.DOTALL)
BARE = re.compile(r"(\S*)(?:\s*|\s+#.*)", re.ASCII | re.DOTALL)


class Unclear(Exception):
    """A problem of a value."""


def value_of(text):
    """The value in the text after `KEY=`."""
    if text[:1] in ("'", '"'):
        match = QUOTED.fullmatch(text)
        if not match:
            raise Unclear("the quotes must enclose the whole value and end on the same line")
        value = match[1][1:-1]
        if text[0] == '"' and (found := re.search(r"[$`\\]", value)):
            raise Unclear(f"contains {found[0]}, which a shell would change: put the value in single quotes")
        return value
    if re.match(r"#|\s+[^\s#]", text, re.ASCII):
        raise Unclear("the value must begin directly after =, in quotes if it begins with #")
    match = BARE.fullmatch(text)
    if not match:
        raise Unclear("contains spaces: put the value in quotes")
    value = match[1]
    if found := re.search(r"""['"$`\\;&|<>()]""", value):
        raise Unclear(f"contains {found[0]}: put the value in single quotes")
    if re.search(r"(?:^|:)~", value):
        raise Unclear("contains a ~ that a shell would replace: put the value in single quotes")
    return value


def read(data):
    """Returns the values by name, and the problems with their lines."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return {}, [f"line {data[: error.start].count(10) + 1}: is not UTF-8 text"]
    values, lines, problems = {}, {}, []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if re.match(r"[ \t]*(#|$)", line):
            continue
        match = LINE.fullmatch(line)
        if not match:
            problems.append(f"line {number}: expected KEY=value, a comment or an empty line")
            continue
        name = match[1]
        try:
            if re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", line):
                raise Unclear("contains a control character")
            value = value_of(match[2])
        except Unclear as error:
            problems.append(f"line {number}: {name}: {error}")
            continue
        if name in lines:
            problems.append(f"line {number}: {name} is already set in line {lines[name]}: keep one of them")
        lines[name] = number
        values[name] = value
    return values, problems
