"""Where in a settings file something stands: tomllib does not tell lines."""


def of_key(lines: list[str], key: str) -> int:
    """The line of a dotted key outside of tables of tables, or of that section; 0 if there is none."""
    section, _, last = key.rpartition(".")
    inside = ""
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.strip("[] \t").partition("#")[0].strip("[] \t\"'")
            if inside == key:
                return number
        name = stripped.partition("=")[0].strip().strip("\"'")
        if (inside == section and name == last) or (not inside and name == key):
            return number
        if not inside and name == section and "{" in stripped and last in stripped.partition("{")[2]:
            return number  # a table in one line
    return 0


def in_table(lines: list[str], table: str, number: int, key: str) -> int:
    """The line of the nth (from 0) [[table]], or of a dotted key in it; 0 if it is not there."""
    seen, inside = -1, ""
    for at, line in enumerate(lines, 1):
        stripped = line.partition("#")[0].strip()
        if stripped.startswith("[["):
            seen += stripped.strip("[] \t") == table
            inside = "" if seen == number and stripped.strip("[] \t") == table else "-"
            if not inside and not key:
                return at
        elif stripped.startswith("["):
            name = stripped.strip("[] \t")
            inside = (
                name.removeprefix(table + ".") + "."
                if seen == number and name.startswith(table + ".")
                else "-"
            )
        elif seen == number and inside != "-" and "=" in stripped:
            name = stripped.partition("=")[0].strip().replace('"', "").replace("'", "")
            if inside + name == key or (key.startswith(inside + name + ".") and "{" in stripped):
                return at
    return 0
