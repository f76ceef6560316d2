"""Values of single options, from those of amavisd's variables: routes, actions, sizes, levels, texts."""

import re
from typing import Any

from amavis_pipe.config.imported.lookups import is_true
from amavis_pipe.config.imported.result import BY_KEY
from amavis_pipe.config.imported.values import Value
from amavis_pipe.config.types import ACTIONS, BOOL

_SMTP = re.compile(r"(?:smtp|esmtp):\[?([0-9A-Fa-f.:]+|localhost)\]?:(\d{1,5})")
_SIZES = ("_quota", "max_size")
ALWAYS = -999
"""As a level: mail is always at or above it."""


class Wrong(Exception):
    """A value that nothing here stands for: why."""


def plain(name: str, key: str, value: Value) -> Any:
    """The value of option `key`, None if nothing is to be said; Wrong if it can't be carried over."""
    if key.endswith(".action"):
        return _action(key, value)
    if key in ("forward", "notify"):
        return _route(value)
    if key.startswith("limits."):
        return _limit(value)
    option = BY_KEY.get(key)
    if option is not None and option.type is BOOL:
        return is_true(value)
    if name.startswith("$sa_") and not key.endswith("subject_tag"):
        return _number(key, value)
    return _text(value) if option is None or isinstance(option.default, str) else value


def _action(key: str, value: Value) -> str:
    if isinstance(value, str) and value in ACTIONS:
        word = value
    elif type(value) is int:
        word = "pass" if value > 0 else "discard" if value == 0 else "bounce"
    else:
        raise Wrong("it is none of D_PASS, D_DISCARD, D_BOUNCE, D_REJECT, D_TEMPFAIL")
    return "tag" if word == "pass" and key == "spam.action" else word


def _route(value: Value) -> str | None:
    """smtp:ADDRESS:PORT, or sendmail."""
    if value is None:
        return None
    if isinstance(value, list):
        raise Wrong("there is one way back, not several")
    text = str(value)
    if text.startswith("pipe:") and "sendmail" in text:
        return "sendmail"
    match = _SMTP.fullmatch(text)
    if match is None:
        raise Wrong('it is neither sendmail nor smtp:ADDRESS:PORT; the default is "sendmail"')
    host = match[1].replace("localhost", "127.0.0.1")
    return f"smtp:[{host}]:{match[2]}" if ":" in host else f"smtp:{host}:{match[2]}"


def _limit(value: Value) -> int:
    if type(value) is int and value > 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    raise Wrong("there is always a limit here; the default stands")


def _number(key: str, value: Value) -> float | int | None:
    if value is None:
        return ALWAYS if key == "spam.tag" else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Wrong("it is no number") from None
    if not abs(number) < 1e12:
        raise Wrong("it is no number that makes sense")
    return int(number) if key.endswith(_SIZES) or key.endswith("timeout") else number


def _text(value: Value) -> str:
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)):
        raise Wrong("it is no text")
    return str(value)
