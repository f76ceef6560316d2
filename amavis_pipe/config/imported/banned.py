"""$banned_filename_re: lists of extensions and types become a [[banned_rule]], what is usual a ready rule."""

import re

from amavis_pipe.config.imported.lookups import is_true
from amavis_pipe.config.imported.result import Result
from amavis_pipe.config.imported.values import Given, Pattern, Patterns, Unknown

NAME = "amavisd"
"""Of the rules that are made."""
_WORDS = r"\(?(?:\?:)?((?:[\w-]+\|)*[\w-]+)\)?"
_DOUBLE = re.compile(r"\\\.\[\^\.?/?\.?\](?:\*|\+).*\(.*\).*")
_EXTENSIONS = re.compile(rf"(?:\.\*|\.)?(?:\\\.|\[\.\]){_WORDS}(?:\\\.\?)?(?:\$|\\z)", re.I)
_TYPES = re.compile(rf"\^(?:\\\.|\[\.\]){_WORDS}\$", re.I)
_CLAIMED = re.compile(
    r"\^((?:application|audio|video|image|text|message|multipart|model)/(?:[\w*-]|\\[.+/-])+)\$?"
)
_CLASS_ID = re.compile(r"\\\{\[0-9a-f\]\{8\}.*", re.I)
_KINDS = {
    "exe": "application/x-dosexec",
    "exe-ms": "application/x-dosexec",
    "dll": "application/x-dosexec",
    "lha": "application/x-lzh",
    "cab": "application/vnd.ms-cab-compressed",
    "rpm": "application/x-rpm",
    "zip": "application/zip",
    "rar": "application/vnd.rar",
    "pdf": "application/pdf",
    "elf": "application/x-executable",
}
"""Kinds by content, for file(1)'s short types in amavisd."""


def carry(given: Given, result: Result) -> None:
    """The rules that the variable means."""
    name = "$banned_filename_re"
    if not isinstance(given.value, Patterns):
        if given.value is not None:
            why = given.value.why if isinstance(given.value, Unknown) else "it is no new_RE"
            result.leave(given.where, name, why)
        return
    in_force: list[str] = []
    gathered: dict[str, list[str]] = {}
    for pattern, value in given.value.pairs:
        if not is_true(value):
            result.leave(
                given.where,
                name,
                f"an exception, {_shown(pattern)}: write a [[banned_rule]] with allow = true",
            )
        elif not _take(pattern, gathered, in_force):
            result.leave(given.where, name, f"{_shown(pattern)}: write a [[banned_rule]]")
    for field, found in gathered.items():
        result.table("banned_rule", {"name": NAME, field: list(dict.fromkeys(found))}, given.where, name)
    in_force = [*([NAME] if gathered else []), *dict.fromkeys(in_force)]
    if in_force:
        comment = "ready rules know more: executables, scripts, macros, shortcuts, disk-images"
        result.option(("banned_rules",), in_force, given.where, name, comment)


def _take(pattern: Pattern, gathered: dict[str, list[str]], in_force: list[str]) -> bool:
    """Whether an expression is one that is known; it is added then."""
    source = re.sub(r"^\(\?[a-z]+\)", "", pattern.source.replace(r"(?# )", ""))
    found: dict[str, list[str]] = {}
    if _CLASS_ID.fullmatch(source):
        found["names"] = ["*.{????????-????-????-????-????????????}"]
    elif match := _TYPES.fullmatch(source):
        types = match[1].lower().split("|")
        if not all(one in _KINDS for one in types):
            return False
        found["kinds"] = [_KINDS[one] for one in types]
    elif match := _EXTENSIONS.fullmatch(source):
        found["extensions"] = match[1].lower().split("|")
    elif match := _CLAIMED.fullmatch(source):
        found["claimed"] = [match[1].replace("\\", "").lower()]
    elif _DOUBLE.fullmatch(source):
        in_force.append("double-extensions")
    else:
        return False
    for field, values in found.items():
        gathered.setdefault(field, []).extend(values)
    return True


def _shown(pattern: Pattern) -> str:
    return f"qr/{pattern.source[:60]}/"
