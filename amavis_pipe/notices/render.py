"""The texts of notices and digests from Jinja2 templates: a site's own, else those that come with us.

`FOLDER/LANGUAGE/KIND.txt` of the option notices.folder comes first; with a fault in it, the built-in one is
used and the log says so. What a template yields begins with a line `Subject: …` and an empty one. Values are
bounded and escaped before they come here, and never read as templates.
"""

import os
import sys
from importlib import import_module
from typing import Any

from amavis_pipe import journal, settings
from amavis_pipe.model import AmavisPipeError
from amavis_pipe.text import ascii_of

KINDS = ("sender", "recipients", "admin", "withheld", "digest-admin", "digest-recipient")
BUILT_IN = os.path.join(os.path.dirname(os.fsencode(__file__)), b"templates")
DEFAULT_LANGUAGE = "en"
LARGEST = 256 << 10
"""Bytes of a template."""
LONGEST = 8 << 20
"""Characters that one may yield."""


class TemplateFault(AmavisPipeError):
    """What a template yields is no notice, or there is nothing to render it."""


def rendered(kind: str, values: dict[str, Any], site: settings.Settings) -> tuple[str, str]:
    """Subject and text of a notice of this kind."""
    folder: bytes = site.values["notices.folder"]
    language: str = site.values["notices.language"]
    own = f"{language}/{kind}.txt"
    try:
        if folder and _source(folder, own) is not None:
            return _rendered([folder, BUILT_IN], language, kind, values)
    except Exception as error:  # a template may fail as any program; the notice goes out nevertheless
        why = ascii(f"{type(error).__name__}: {error}")[1:-1][:300]
        path = ascii_of(folder + b"/" + own.encode(), 200)
        journal.log(journal.WARNING, f"template {path}: {why}; the built-in one is used")
    if _source(BUILT_IN, own) is None:
        language = DEFAULT_LANGUAGE
    return _rendered([BUILT_IN], language, kind, values)


def _rendered(folders: list[bytes], language: str, kind: str, values: dict[str, Any]) -> tuple[str, str]:
    jinja2 = _jinja2()
    from jinja2.sandbox import SandboxedEnvironment

    def load(name: str) -> str | None:
        return next((text for folder in folders if (text := _source(folder, name)) is not None), None)

    environment = SandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # plain text, and no value can leave its line
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template(f"{language}/{kind}.txt")
    pieces, length = [], 0
    for piece in template.generate(language=language, **values):
        pieces.append(piece)
        length += len(piece)
        if length > LONGEST:
            raise TemplateFault(f"yields more than {LONGEST} characters")
    return _split("".join(pieces))


def _split(text: str) -> tuple[str, str]:
    """Subject and text of what a template yields."""
    first, _, rest = text.lstrip("\n").partition("\n")
    name, colon, subject = first.partition(":")
    if name.lower() != "subject" or not colon or not subject.strip() or not rest.startswith("\n"):
        raise TemplateFault('wants a line "Subject: …" and an empty one first')
    return subject.strip(), rest.strip("\n") + "\n"


def _source(folder: bytes, name: str) -> str | None:
    """The template of this name in a folder, None if it has none. OSError, ValueError for what is no text."""
    if ".." in name.split("/") or name.startswith("/"):
        return None
    try:
        return settings.slurp(folder + b"/" + os.fsencode(name), LARGEST).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _jinja2() -> Any:
    """The module: the filter's interpreter doesn't look where it may be installed."""
    try:
        return import_module("jinja2")
    except ImportError:
        from amavis_pipe.jail.programs import site_folders
    sys.path += [folder for folder in site_folders() if folder not in sys.path]
    try:
        return import_module("jinja2")
    except ImportError as error:
        raise TemplateFault(f"Jinja2: {error}") from None
