"""Texts with variables in them, numbers, sums, hashes, as Perl reads them; else Unknown."""

import re
from typing import Protocol

from amavis_pipe.config.imported.values import Flat, Pattern, Patterns, Unknown, Value

LONGEST_RANGE = 10_000
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "a": "\a", "f": "\f", "b": "\b"}
_IN_TEXT = re.compile(
    r"\\x\{([0-9A-Fa-f]{1,6})\}|\\x([0-9A-Fa-f]{1,2})|\\([0-7]{3})|\\(.)"
    r"|([$@])(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*(?:::\w+)*))(\[|\{|->)?",
    re.S,
)
_NUMERIC = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)")


class Variables(Protocol):
    """What knows the variables set before."""

    def value(self, name: str) -> Value:
        """A variable's value, Unknown if it has none."""


def interpolated(text: str, variables: Variables) -> Value:
    """A text in double quotes, its variables replaced; Unknown if one isn't known."""
    missing: list[Unknown] = []

    def replaced(match: re.Match[str]) -> str:
        wide, short, octal, plain, sign, braced, bare, more = match.groups()
        if wide or short or octal:
            code = int(wide or short, 16) if wide or short else int(octal, 8)
            return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
        if plain is not None:
            return _ESCAPES.get(plain, plain)
        value = variables.value(sign + (braced or bare))
        if sign == "@" and isinstance(value, Unknown):
            return match[0]  # an address that somebody forgot to escape
        if more in ("{", "->") or not isinstance(value, (str, int, float)):
            missing.append(value if isinstance(value, Unknown) else Unknown(f"{match[0]} is no text"))
            return ""
        return f"{value}{more or ''}"

    result = _IN_TEXT.sub(replaced, text)
    return missing[0] if missing else result


def number(text: str) -> Value:
    bare = text.replace("_", "").lower()
    try:
        if bare.startswith(("0x", "0b")):
            return int(bare, 0)
        if bare.isdigit():
            return (
                int(bare, 8)
                if len(bare) > 1 and bare[0] == "0" and set(bare) <= set("01234567")
                else int(bare[:40])
            )
        return float(bare)
    except ValueError:
        return Unknown(f"{text[:20]} is no number")


def _numeric(value: Value) -> float | int | None:
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, Flat) and len(value) == 1:
        return _numeric(value[0])
    if isinstance(value, str) and (match := _NUMERIC.match(value[:40])):
        return float(match[0]) if "." in match[0] else int(match[0])
    return None


def reckoned(sign: str, left: Value, right: Value) -> Value:
    for one in (left, right):
        if isinstance(one, Unknown):
            return one
    a, b = _numeric(left), _numeric(right)
    if a is None or b is None:
        return Unknown("it reckons with something that is no number")
    try:
        result = a + b if sign == "+" else a - b if sign == "-" else a * b if sign == "*" else a / b
    except (ArithmeticError, ValueError):
        return Unknown("a sum that has no result")
    if abs(result) > 1e15:
        return Unknown("a number beyond all measure")
    return int(result) if result == int(result) else result


def ranged(first: Value, last: Value) -> Value:
    if type(first) is int and type(last) is int and last - first < LONGEST_RANGE:
        return Flat(range(first, last + 1))
    return Unknown("a range that is no list of numbers")


def joined(left: Value, right: Value) -> Value:
    for one in (left, right):
        if isinstance(one, Unknown):
            return one
    if not isinstance(left, (str, int, float)) or not isinstance(right, (str, int, float)):
        return Unknown("it joins something that is no text")
    return f"{left}{right}"


def paired(values: list[Value]) -> Value:
    """The hash of keys and values in turn."""
    if len(values) % 2:
        return Unknown("a hash with a key and no value")
    return {
        str(key) if isinstance(key, (str, int, float)) else "": value
        for key, value in zip(values[::2], values[1::2], strict=True)
    }


def patterns(values: list[Value]) -> Value:
    """What new_RE makes: each value an expression, or a list of one and what its match means."""
    pairs: list[tuple[Pattern, Value]] = []
    for value in values:
        if isinstance(value, Pattern):
            pairs.append((value, 1))
        elif isinstance(value, list) and len(value) == 2 and isinstance(value[0], Pattern):
            pairs.append((value[0], value[1]))
        elif isinstance(value, Unknown):
            return value
        else:
            return Unknown("new_RE with something that is no expression")
    return Patterns(tuple(pairs))
