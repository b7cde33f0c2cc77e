"""Reads a file of settings such as .env, without running any of it.

A line is blank, a comment, `KEY=value` or `export KEY=value`. A value is bare, or whole between single or double
quotes; a comment may follow after white space. What a shell and other readers of such files would read in different
ways is refused.
"""

import re

# White space is what a shell takes for it: others, such as the no-break space, are letters to it.
LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII | re.DOTALL)
QUOTED = re.compile(r"""('[^']*'|"[^"]*")(?:\s*|\s+#.*)""", re.ASCII | re.DOTALL)
BARE = re.compile(r"(\S*)(?:\s*|\s+#.*)", re.ASCII | re.DOTALL)


class Unclear(Exception):
    """What is wrong with a value."""


def value_of(text):
    """The value that stands behind `KEY=`."""
    if text[:1] in ("'", '"'):
        match = QUOTED.fullmatch(text)
        if not match:
            raise Unclear("the quotes must hold the whole value and be closed on the same line")
        value = match[1][1:-1]
        if text[0] == '"' and (found := re.search(r"[$`\\]", value)):
            raise Unclear(f"holds {found[0]}, which a shell would not take as it is: put the value in single quotes")
        return value
    if re.match(r"#|\s+[^\s#]", text, re.ASCII):
        raise Unclear("it is not clear whether there is a value: begin it right behind =, in quotes if it begins with #")
    match = BARE.fullmatch(text)
    if not match:
        raise Unclear("holds spaces: put the value in quotes")
    value = match[1]
    if found := re.search(r"""['"$`\\;&|<>()]""", value):
        raise Unclear(f"holds {found[0]}: put the value in single quotes")
    if re.search(r"(?:^|:)~", value):
        raise Unclear("holds a ~ that a shell would replace: put the value in single quotes")
    return value


def read(data):
    """The values by name, and what is wrong, each with its line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return {}, [f"line {data[: error.start].count(10) + 1}: is not UTF-8 text"]
    values, lines, problems = {}, {}, []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if re.match(r"[ \t]*(#|$)", line):
            continue
        match = LINE.fullmatch(line)
        if not match:
            problems.append(f"line {number}: KEY=value, a comment or nothing was expected")
            continue
        name = match[1]
        try:
            if re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", line):
                raise Unclear("holds a control character")
            value = value_of(match[2])
        except Unclear as error:
            problems.append(f"line {number}: {name}: {error}")
            continue
        if name in lines:
            problems.append(f"line {number}: {name} is set in line {lines[name]} already: keep one of them")
        lines[name] = number
        values[name] = value
    return values, problems
