"""Reads the settings file: TOML in, flat values in base units out, or all faults at once.

A fault names file, line and key, what is wanted and what was met; an unknown key the nearest known
one. What other files say (clamd.conf) is read here, too, so that the filter itself need not.
"""

import difflib
import re
import tomllib
from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import banned, lines, spam
from amavis_pipe.config import rows as scanner_rows
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.config.rules import Reader as RuleReader
from amavis_pipe.config.rules import sorts
from amavis_pipe.config.schema import OPTIONS, SECTIONS, Fault
from amavis_pipe.config.types import Type

TABLES = ("scanner", "allow", "recipient", "sender", "client", "map", "banned_rule")
"""Sections of which there may be several."""
_SHA256 = re.compile("[0-9a-fA-F]{64}")

SHOWN_TABLES = ("recipient", "sender", "client", "map", "banned_rule")
"""Those whose text is kept, for `config show`."""

Values = dict[str, Any]
Files = list[tuple[bytes, "settings.Identity"]]


def load(path: bytes) -> tuple[Values, Files]:
    """The values of the file at `path`, and every file that was read with what it was then.

    SettingsError with all faults if there are any.
    """
    name = path.decode("utf-8", "backslashreplace")
    before = settings.identity(path)
    try:
        data = settings.slurp(path)
    except OSError as error:
        raise settings.SettingsError([f"{name}: {error.strerror}"]) from None
    values, files = parsed(data, name)
    return values, [(path, before), *files, *_package()]


def parsed(data: bytes, name: str) -> tuple[Values, Files]:
    """The values of a settings file with this content; `name` is for faults.

    SettingsError with all of them.
    """
    return read(_tree(data, name), name, data.decode())


def _tree(data: bytes, name: str) -> Values:
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise settings.SettingsError([f"{name}: is not UTF-8"]) from None
    except ValueError as error:  # TOMLDecodeError, and what Python says of a number of too many digits
        raise settings.SettingsError([f"{name}: {error}"]) from None
    except RecursionError:
        raise settings.SettingsError([f"{name}: is nested too deep"]) from None


def maps(data: bytes, name: str) -> Values:
    """Of a settings file what `config refresh` needs: state, path, maps. Rules may lack their maps yet."""
    tree = _tree(data, name)
    values = read({key: tree[key] for key in ("state", "path", "map") if key in tree}, name, data.decode())[0]
    values["sorts"] = {one[0]: sorts(tree, one[0]) for one in values["maps"]}
    return values


def defaults() -> Values:
    """The values where there is no settings file."""
    return read({}, "", "")[0]


def read(tree: Values, path: str, text: str) -> tuple[Values, Files]:
    """The flat values of a parsed TOML tree; `path` and `text` are for faults alone."""
    reader = _Reader(path, text)
    values = reader.options(tree)
    files: Files = []
    values["rows"] = reader.rows(values, tree.get("scanner", []), files)
    values["allow"] = reader.allowed(tree.get("allow", []))
    rules = RuleReader(values["state"], files, reader.line_of, reader.fault_at, reader.unknown)
    values["rules"] = rules.rules(tree)
    values["banned"] = reader.banned(values, tree.get("banned_rule", []))
    values["maps"] = rules.maps(tree.get("map", []))
    values["local_domains"] = rules.local(values["local"])
    values["tables"] = {name: tree[name] for name in SHOWN_TABLES if name in tree}
    values["passwords"] = reader.passwords(values["passwords.file"], files)
    values["checker"] = reader.checker(values, files)
    reader.relations(values)
    if reader.faults:
        raise settings.SettingsError([str(fault) for fault in reader.faults])
    values.update(_decoders())
    return values, files


def _package() -> Files:
    """This package's folders: what was read by other code is to be read again."""
    from amavis_pipe.decompose import registry

    folders = [folder.encode() for folder in registry.folders()]
    return [(folder, settings.identity(folder)) for folder in folders]


def _decoders() -> Values:
    """What the formats declare: beginnings, kinds that need the child, versions, files to watch."""
    from amavis_pipe.decompose import registry

    formats = registry.formats()
    return {
        "formats": (formats.starts, formats.ends, formats.opened),
        "decoders": registry.versions(),
        "decoder_files": registry.watched(),
    }


class _Reader:
    """Collects values and faults from one tree."""

    def __init__(self, path: str, text: str) -> None:
        self.faults: list[Fault] = []
        self._path = path
        self._lines = text.split("\n")

    def options(self, tree: Values) -> Values:
        """Every option's value, the default where the file has none or a wrong one."""
        given = _flat(tree)
        values: Values = {}
        for option in OPTIONS:
            raw = given.pop(option.key, option.default)
            values[option.key] = self._value(option.type, raw, option.key, option.default)
        for key in given:
            self.unknown(key, [option.key for option in OPTIONS] + list(SECTIONS) + list(TABLES))
        return values

    def rows(self, values: Values, tables: Any, files: Files) -> list[Values]:
        """The scanner rows that are asked for, backups last; what files say of them is worked in."""
        known = scanner_rows.known()
        own = [self._row(table) for table in (tables if isinstance(tables, list) else [tables])]
        known.update({row["name"]: row for row in own})
        names = values["scanners"]
        if not names:
            self._fault("scanners", 'wants at least one; "builtin" is the EICAR check alone')
        rows = [{**known[name], "backup_of": ""} for name in self._known("scanners", names, known)]
        backups = [
            {"backup_of": "*", **known[name]} for name in self._known("backups", values["backups"], known)
        ]
        taken = {*names, *values["backups"]}
        backups += [row for row in own if row.get("backup_of") and row["name"] not in taken]
        return [scanner_rows.filled(row, files) for row in [*rows, *backups]]

    def _known(self, option: str, names: tuple[str, ...], known: dict[str, Values]) -> list[str]:
        """Those of the names that there are rows for, each once."""
        for name in dict.fromkeys(names):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = (
                    f"did you mean {near[0]}?"
                    if near
                    else "`amavis-pipe scanners --all` lists those there are"
                )
                self._fault(option, f'no scanner "{name}"; {hint}')
        return [name for name in dict.fromkeys(names) if name in known]

    def _row(self, table: Any) -> Values:
        if not isinstance(table, dict):
            self._fault("scanner", "wants [[scanner]] tables")
            return scanner_rows.merged("", {"via": "builtin"})
        row: Values = {}
        fields = {option.key: option for option in ROW_OPTIONS}
        for key, raw in table.items():
            if key not in fields:
                self.unknown("scanner." + key, ["scanner." + name for name in fields])
            elif key != "name":
                row[key] = self._value(fields[key].type, raw, "scanner." + key, None)
        name = self._row_name(table.get("name"))
        if None in row.values():  # a fault of its own
            return scanner_rows.merged(name, {"via": "builtin"})
        merged = scanner_rows.merged(name, row)
        for field, wants in scanner_rows.faults(merged):
            self._fault("scanner." + field, f"{name}: {wants}")
        return merged

    def _row_name(self, name: Any) -> str:
        if (
            isinstance(name, str)
            and name
            and name.replace("-", "a").replace("_", "a").isalnum()
            and name.isascii()
        ):
            return name
        self._fault("scanner.name", "wants a name of letters, digits, - and _")
        return ""

    def allowed(self, tables: Any) -> tuple[tuple[str, str, str, int], ...]:
        """What [[allow]] tables declare harmless: "sha256" or "name", the value, the reason, the line."""
        rules = []
        for number, table in enumerate(tables if isinstance(tables, list) else [tables]):
            given = table if isinstance(table, dict) else {}
            for key in given.keys() - {"sha256", "name", "reason"}:
                self.unknown("allow." + key, ["allow.sha256", "allow.name", "allow.reason"])
            kinds = [key for key in ("sha256", "name") if key in given]
            value, reason = given.get(kinds[0]) if len(kinds) == 1 else None, given.get("reason")
            if not isinstance(value, str) or not value or not isinstance(reason, str) or not reason:
                self._fault("allow", "wants sha256 or name, and a reason, each a text")
            elif kinds == ["sha256"] and not _SHA256.fullmatch(value):
                self._fault("allow.sha256", f"wants 64 hex digits, not {_shown(value)}")
            else:
                line = self.line_of("allow", number, "")
                rules.append((kinds[0], value.lower() if kinds == ["sha256"] else value, reason, line))
        return tuple(rules)

    def banned(self, values: Values, tables: Any) -> dict[str, tuple[Any, ...]]:
        """The banned rules that the site or a rule names, by name."""
        sets, faults = banned.compiled(tables, line_of=lambda number: self.line_of("banned_rule", number, ""))
        for field, text in faults:
            self._fault("banned_rule" + ("." + field if field else ""), text)
        named = [("banned_rules", values["banned_rules"], 0)]
        named += [
            (f"{kind}.banned_rules", options["banned_rules"], line)
            for kind, _, options, line in values["rules"]
            if "banned_rules" in options
        ]
        found = {}
        for key, names, line in named:
            for name in names:
                if name in sets:
                    found[name] = sets[name]
                else:
                    near = difflib.get_close_matches(name, sets, n=1, cutoff=0.5)
                    hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(sorted(sets))
                    self.fault_at(key, f'no banned rule "{name}"; {hint}', line)
        return found

    def passwords(self, file: bytes, files: Files) -> tuple[bytes, ...]:
        """The lines of that file."""
        if not file:
            return ()
        files.append((file, settings.identity(file)))
        try:
            found = settings.slurp(file).split(b"\n")
        except OSError as error:
            self._fault("passwords.file", f"{file.decode('utf-8', 'backslashreplace')}: {error.strerror}")
            return ()
        return tuple(dict.fromkeys(line.rstrip(b"\r") for line in found if line.strip()))

    def checker(self, values: Values, files: Files) -> tuple[Any, ...] | None:
        """What spam.check.Checker takes, None if nobody is asked."""
        path = values["spam.password_file"].decode("utf-8", "backslashreplace")
        try:
            return spam.checker(values, files)
        except OSError as error:
            self._fault("spam.password_file", f"{path}: {error.strerror}")
        except ValueError as error:
            self._fault("spam.password_file", f"{path}: {error}")
        return None

    def relations(self, values: Values) -> None:
        """Faults between options that are right by themselves."""
        slowest = max((row["timeout"] for row in values["rows"]), default=0)
        if values["checker"]:
            slowest = max(slowest, values["spam.timeout"])
        if values["limits.hard_seconds"] < values["limits.seconds"] + slowest:
            self._fault(
                "limits.hard_seconds",
                f"wants at least limits.seconds and the slowest scanner's timeout together "
                f"({values['limits.seconds']} + {slowest}), not {values['limits.hard_seconds']}",
            )
        if values["unchecked.crash"] == "quarantine" and not values["quarantine.place"]:
            self._fault("unchecked.crash", 'wants a quarantine.place, or "defer" or "pass"')

    def _value(self, kind: Type, raw: Any, key: str, default: Any) -> Any:
        try:
            return kind.read(raw)
        except (ValueError, UnicodeEncodeError):
            self._fault(key, f"wants {kind.wants}, not {_shown(raw)}")
            return kind.read(default) if default is not None else None

    def unknown(self, key: str, known: list[str], line: int = 0) -> None:
        """Note that there is no such option; the nearest known one is shown."""
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        self.fault_at(key, "is no option" + (f"; did you mean {near[0]}?" if near else ""), line)

    def fault_at(self, key: str, text: str, line: int = 0) -> None:
        """Note a fault; where it stands is looked for unless `line` says it."""
        self.faults.append(Fault(self._path, line or lines.of_key(self._lines, key) or 1, text, key))

    def line_of(self, table: str, number: int, key: str) -> int:
        """The line of the nth (from 0) table [[table]], or of a dotted key in it; 1 if it can't be told."""
        return lines.in_table(self._lines, table, number, key) or 1

    def _fault(self, key: str, text: str) -> None:
        self.fault_at(key, text)


def _flat(tree: Values) -> Values:
    """{"limits": {"depth": 3}} -> {"limits.depth": 3}; scanner rows are left out."""
    flat: Values = {}
    for key, value in tree.items():
        if key in TABLES:
            continue
        if isinstance(value, dict):
            if value or key not in SECTIONS:
                flat.update({f"{key}.{name}": inner for name, inner in value.items()} or {key: value})
        else:
            flat[key] = value
    return flat


def _shown(raw: Any) -> str:
    """A value as the user wrote it, about."""
    if isinstance(raw, bool):
        return str(raw).lower()
    text = f'"{raw}"' if isinstance(raw, str) else str(raw)
    return text if len(text) <= 60 else text[:57] + "..."
