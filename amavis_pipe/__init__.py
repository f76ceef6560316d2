"""A content filter for Postfix: takes mail apart, has it scanned, decides, reinjects.

As a library (the functions and an example are in amavis_pipe.library):

    load_settings(source)              the site's settings
    decompose(fd, limits, into=None)   what a mail is made of
    release(facts)                     gives up the bytes of its parts
    scan(parts, rows)                  what scanners find in parts
    examine(fd, settings)              both, with the cache: the Facts
    decide(facts, envelope, settings)  what is to be done: the Verdict

Errors: AmavisPipeError, with SettingsError (its `faults`) and Trouble below it; Trouble is
SpoolTrouble, SandboxTrouble, ScannerTrouble or ForwardTrouble. Hostile content raises nothing.

Nothing is loaded before it is asked for: the filter starts once for every mail.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from amavis_pipe.budget import Limits as Limits
    from amavis_pipe.library import decompose as decompose
    from amavis_pipe.library import examine as examine
    from amavis_pipe.library import load_settings as load_settings
    from amavis_pipe.library import release as release
    from amavis_pipe.library import scan as scan
    from amavis_pipe.model import AmavisPipeError as AmavisPipeError
    from amavis_pipe.model import Answer as Answer
    from amavis_pipe.model import Envelope as Envelope
    from amavis_pipe.model import Facts as Facts
    from amavis_pipe.model import Finding as Finding
    from amavis_pipe.model import ForwardTrouble as ForwardTrouble
    from amavis_pipe.model import Part as Part
    from amavis_pipe.model import SandboxTrouble as SandboxTrouble
    from amavis_pipe.model import ScannerTrouble as ScannerTrouble
    from amavis_pipe.model import SpoolTrouble as SpoolTrouble
    from amavis_pipe.model import Trouble as Trouble
    from amavis_pipe.policy import Verdict as Verdict
    from amavis_pipe.policy import decide as decide
    from amavis_pipe.settings import Row as Row
    from amavis_pipe.settings import Settings as Settings
    from amavis_pipe.settings import SettingsError as SettingsError
else:
    ModuleType = type(sys)

__version__ = "0.1.0"

__all__ = (
    "AmavisPipeError",
    "Answer",
    "Envelope",
    "Facts",
    "Finding",
    "ForwardTrouble",
    "Limits",
    "Part",
    "Row",
    "SandboxTrouble",
    "ScannerTrouble",
    "Settings",
    "SettingsError",
    "SpoolTrouble",
    "Trouble",
    "Verdict",
    "decide",
    "decompose",
    "examine",
    "load_settings",
    "release",
    "scan",
)

_HOMES = {"Limits": "budget", "Verdict": "policy", "decide": "policy"}
_HOMES |= dict.fromkeys(("Row", "Settings", "SettingsError"), "settings")
_HOMES |= dict.fromkeys(("load_settings", "release"), "library")
_ROOMS = ("decompose", "examine", "scan")


class Room(ModuleType):
    """A module that bears the name of what it does, and does it when it is called."""

    def __call__(self, *words: "Any", **named: "Any") -> "Any":
        """Do what the function of the same name in amavis_pipe.library does."""
        from amavis_pipe import library

        return getattr(library, self.__name__.rpartition(".")[2])(*words, **named)


def __getattr__(name: str) -> "Any":
    """A public name, loaded now (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'amavis_pipe' has no attribute {name!r}")
    home = "amavis_pipe." + (name if name in _ROOMS else _HOMES.get(name, "model"))
    __import__(home)
    return sys.modules[home] if name in _ROOMS else getattr(sys.modules[home], name)
