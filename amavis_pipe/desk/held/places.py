"""Where mail is held back: all folders, mailbox files and addresses that the settings name."""

from collections.abc import Iterator
from dataclasses import dataclass

from amavis_pipe.policy import CATEGORIES
from amavis_pipe.quarantine import MAILBOX, folder_of, is_address
from amavis_pipe.settings import Settings

_MAIN = "quarantine.place"
_KEYS = (_MAIN, *(f"{label}.quarantine" for label in CATEGORIES))


@dataclass(frozen=True)
class Place:
    """A folder or mailbox file, as the settings call it, and its path."""

    shown: str
    path: bytes

    @property
    def is_mailbox(self) -> bool:
        return self.path.endswith(MAILBOX.encode())


def places(settings: Settings) -> list[Place]:
    """The folders and mailbox files, each once, quarantine.place first."""
    found: dict[bytes, Place] = {}
    for name in _named(settings):
        path = folder_of(settings.state, name).rstrip(b"/")
        if path:
            found.setdefault(path, Place(name, path))
    return list(found.values())


def addresses(settings: Settings) -> list[str]:
    """The addresses that quarantined mail is sent to: what is there can't be listed."""
    return list(dict.fromkeys(name for name in _named(settings) if is_address(name)))


def _named(settings: Settings) -> Iterator[str]:
    """All places that the site and its rules name; "" among them."""
    for values in (settings.values, *(rule[2] for rule in settings.rules)):
        for key in _KEYS:
            if isinstance(values.get(key), str):
                yield values[key]
