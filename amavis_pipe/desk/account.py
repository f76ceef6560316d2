"""The readable account of one mail: what it is made of, what was found, what would be done and why."""

import os
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from amavis_pipe.record import Json

MEANING = {
    "pass": "deliver",
    "tag": "deliver, marked",
    "defer": "keep in the queue and try again",
    "bounce": "refuse, telling the sender",
    "discard": "discard",
}
COLOURS = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "33", "green": "32", "cyan": "36"}
GRADE_COLOURS = {"virus": "red", "suspect": "red", "unchecked": "yellow", "note": "dim"}
LABEL_COLOURS = {"infected": "red", "clean": "green"}
WIDEST_NAME = 48


class Paint:
    """Colours text for a terminal (not if NO_COLOR is set: https://no-color.org)."""

    def __init__(self, terminal: bool) -> None:
        self._on = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, colour: str, text: str) -> str:
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self._on else text


def text(made: "dict[str, Json]", paint: Paint) -> str:
    """The account of a record, for a person; several lines, no line end at the last."""
    entry = cast("dict[str, Any]", made)
    lines = [paint("bold", f"{entry['source']}: {entry['size']:,} bytes, sha256 {entry['sha256'][:16]}…")]
    if entry["trouble"]:
        lines += ["", paint("red", "trouble"), *(f"  {what}" for what in entry["trouble"])]
        lines += ["", "Nothing could be decided: the filter would leave 75, and Postfix try again."]
        return "\n".join(lines)
    lines += ["", paint("bold", "parts"), *_parts(entry, paint)]
    lines += ["", paint("bold", "findings"), *_findings(entry, paint)]
    lines += ["", paint("bold", "scanners"), *_scanners(entry)]
    if entry["spam"]:
        lines += ["", paint("bold", "spam"), *_spam(entry["spam"])]
    lines += ["", paint("bold", "limits"), *_limits(entry)]
    lines += ["", paint("bold", "verdict"), *_verdict(entry, paint)]
    return "\n".join(lines)


def _parts(entry: dict[str, Any], paint: Paint) -> list[str]:
    """A row for each part, indented by depth."""
    worst = {found["part"]: found["grade"] for found in reversed(entry["findings"])}
    rows = []
    for part in entry["parts"]:
        depth = part["path"].count(".")
        place = "  " * depth + part["path"]
        name = part["name"][:WIDEST_NAME]
        flags = ", ".join(part["flags"])
        row = f"  {place:<22} {part['size']:>11,}  {part['kind']:<30} {name}"
        row += paint("dim", f"  ({flags})") if flags else ""
        grade = worst.get(part["path"])
        rows.append(paint(GRADE_COLOURS[grade], row) if grade in GRADE_COLOURS else row)
    return rows or ["  none"]


def _findings(entry: dict[str, Any], paint: Paint) -> list[str]:
    names = {part["path"]: part["name"] for part in entry["parts"]}
    rows = []
    for found in entry["findings"]:
        where = found["part"] or "the whole mail"
        name = names.get(found["part"])
        where += f" ({name[:WIDEST_NAME]})" if name else ""
        grade = paint(GRADE_COLOURS.get(found["grade"], "dim"), f"{found['grade']:<10}")
        rows.append(f"  {grade} {found['name']}  in {where}, says {found['source']}")
    return rows or ["  none"]


def _scanners(entry: dict[str, Any]) -> list[str]:
    rows = []
    for scanner in entry["scanners"]:
        how = "remembered" if scanner["cached"] else f"{scanner['ms']:.1f} ms"
        rows.append(f"  {scanner['name']}  {scanner['version']}  {how}".replace("    ", "  "))
    return rows


def _spam(score: dict[str, Any]) -> list[str]:
    required = f" of {score['required']}" if score["required"] is not None else ""
    tests = ", ".join(score["tests"]) or "no test"
    return [f"  {score['score']}{required} points, says {score['checker']}: {tests}"]


def _limits(entry: dict[str, Any]) -> list[str]:
    limits = entry["limits"]
    hit = ", ".join(limits["hit"]) or "none met"
    return [f"  unpacked {limits['used_bytes']:,} of {limits['quota_bytes']:,} bytes allowed; {hit}"]


def _verdict(entry: dict[str, Any], paint: Paint) -> list[str]:
    label = entry["verdict"]
    rows = ["  " + paint(LABEL_COLOURS.get(label, "yellow"), label)]
    for action in entry["actions"]:
        to = ", ".join(action["recipients"]) or "all recipients"
        rows.append(f"  would {MEANING[action['action']]} for {to}: {action['reason']}")
    rows += [f"  would keep a copy: {place}" for place in entry["quarantined"]]
    took = entry["ms"].get("total", 0.0)
    return [*rows, paint("dim", f"  {took:.1f} ms, cache {entry['cache']}; nothing was sent or stored")]
