"""The variables that a settings file in Perl sets: its statements, one after the other; nothing is run.

Understood are assignments of constants, lists, hashes and variables set before, with arithmetic and joined
texts, of single elements, push, read_hash and new_RE. Every other statement is passed over and told with its
line. A statement ends at a semicolon; one that begins with a word such as `if`, at its block's end.
"""

from collections.abc import Iterable

from amavis_pipe.config.imported import perl
from amavis_pipe.config.imported.expression import CannotTell, Expression
from amavis_pipe.config.imported.perl import Token
from amavis_pipe.config.imported.values import FileMap, Given, Unknown, Value, Where

MOST_TOKENS = 1_000_000
PRESET: dict[str, Value] = {
    "$MYHOME": "/var/amavis",
    "$myproduct_name": "amavis-pipe",
    "$TEMPBASE": "/var/amavis",
    "@mynetworks": [
        "127.0.0.0/8",
        "[::1]",
        "169.254.0.0/16",
        "[fe80::]/10",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "[fc00::]/7",
    ],
}
"""What amavisd itself sets before it reads the file."""
_SILENT = frozenset(("use", "no", "package", "1"))
_BLOCKS = frozenset(
    ("if", "unless", "elsif", "else", "for", "foreach", "while", "until", "sub", "BEGIN", "END")
)
_SIGNS = {"scalar": "$", "array": "@", "hash": "%"}
_OPENING = {"(": ")", "[": "]", "{": "}"}


class Assigned:
    """The variables by name with their sign ("$path"), and what was passed over: (where, what, why)."""

    def __init__(self) -> None:
        self.variables: dict[str, Given] = {}
        self.passed: list[tuple[Where, str, str]] = []
        self.read = 0

    def file(self, text: str, name: str) -> None:
        """Add a file's statements."""
        statement: list[Token] = []
        depth = 0
        try:
            for token in perl.tokens(text):
                self.read += 1
                if self.read > MOST_TOKENS:
                    self.passed.append((Where(name, token.line), "the rest of the file", "it is too long"))
                    return
                is_sign = token.kind == "operator"
                if is_sign and token.text == ";" and not depth:
                    self._statement(statement, name)
                    statement = []
                    continue
                statement.append(token)
                depth += (is_sign and token.text in _OPENING) - (is_sign and token.text in ")]}")
                depth = max(depth, 0)
                if is_sign and token.text == "}" and not depth and _is_block(statement):
                    self._statement(statement, name)
                    statement = []
        except perl.UnclosedError as error:
            self.passed.append((Where(name, error.line), "the rest of the file", str(error)))
            return
        self._statement(statement, name)

    def get(self, name: str) -> Given | None:
        """A variable by name with its sign, or None; it counts as used then."""
        given = self.variables.get(name)
        if given is not None:
            given.used = True
        return given

    def value(self, name: str) -> Value:
        """A variable's value, Unknown if it has none."""
        given = self.get(name)
        if given is not None:
            return given.value
        if name in PRESET:
            return PRESET[name]
        return Unknown(f"{name} isn't known; a file that is named before this one may set it")

    def _statement(self, words: list[Token], file: str) -> None:
        while words and words[0].kind == "word" and words[0].text in ("my", "our", "local"):
            words = words[1:]
        if not words or words[0].text in _SILENT:
            return
        where = Where(file, words[0].line)
        try:
            if words[0].kind == "word" or _is_block(words):
                self._call(words, where)
            else:
                self._assignment(words, where)
        except CannotTell as error:
            self.passed.append((where, _shown(words), str(error)))

    def _assignment(self, words: list[Token], where: Where) -> None:
        """Targets, each with "=" behind it, then the value."""
        targets = []
        at = 0
        while (end := _target_end(words, at)) and end < len(words) and words[end].text == "=":
            targets.append(words[at:end])
            at = end + 1
        if not targets:
            raise CannotTell("it is no plain assignment")
        reader = Expression(words[at:], self)
        is_many = words[0].kind in ("array", "hash")
        value: Value
        try:
            value = reader.many() if is_many else reader.one()
        except CannotTell as error:
            value = Unknown(str(error))
        for target in reversed(targets):
            self._set(target, value, where)

    def _set(self, target: list[Token], value: Value, where: Where) -> None:
        name = _SIGNS[target[0].kind] + target[0].text
        if len(target) > 1:
            self._set_element(target, value, where)
        elif target[0].kind == "hash":
            self.variables[name] = Given(_hash(value), where)
        else:
            self.variables[name] = Given(value, where)

    def _set_element(self, target: list[Token], value: Value, where: Where) -> None:
        """$hash{key}: as an entry of the hash, "%hash"."""
        name = "%" + target[0].text
        key = Expression(target[2:-1], self).key()
        given = self.variables.setdefault(name, Given({}, where))
        if not isinstance(given.value, dict):
            given.value = {"": Unknown(f"{name} holds more than entries")}
        given.value[key] = value
        given.where = where

    def _call(self, words: list[Token], where: Where) -> None:
        """push, unshift and read_hash, which change a variable."""
        name = words[0].text
        inner = (
            words[2:-1] if len(words) > 3 and words[1].text == "(" and words[-1].text == ")" else words[1:]
        )
        if name in ("push", "unshift") and inner and inner[0].kind == "array":
            known = self.variables.setdefault("@" + inner[0].text, Given([], where))
            added = Expression(inner[2:], self).many()
            if not isinstance(known.value, list):
                raise CannotTell("what it is added to can't be told")
            known.value = [*known.value, *added] if name == "push" else [*added, *known.value]
            return
        if name == "read_hash" and len(inner) >= 4 and inner[0].text == "\\" and inner[1].kind == "hash":
            path = Expression(inner[3:], self).one()
            if isinstance(path, str):
                self.variables["%" + inner[1].text] = Given(FileMap(path), where)
                return
        raise CannotTell(_why_not(name))


def _why_not(name: str) -> str:
    if name in ("include_config_files", "include_optional_config_files", "do", "require"):
        return "name that file on the command line, too, in its place"
    if name == "dkim_key":
        return "this program signs nothing: let OpenDKIM or rspamd do it"
    return "it would have to be run"


def _target_end(words: list[Token], at: int) -> int:
    """Where the target that begins at `at` ends: a variable, or $hash{key}; 0 if there is none."""
    if at >= len(words) or words[at].kind not in _SIGNS:
        return 0
    if words[at].kind != "scalar" or at + 1 >= len(words) or words[at + 1].text != "{":
        return at + 1
    for end in range(at + 2, min(len(words), at + 6)):
        if words[end].text == "}" and words[end].kind == "operator":
            return end + 1
    return 0


def _is_block(words: list[Token]) -> bool:
    first = words[0]
    return (first.kind == "word" and first.text in _BLOCKS) or (
        first.kind == "operator" and first.text == "{"
    )


def _hash(value: Value) -> Value:
    """The hash that a flat list makes; a single reference to one stands for it."""
    if not isinstance(value, list):
        return value
    if len(value) == 1:
        return value[0]
    found: dict[str, Value] = {}
    for key, one in zip(value[::2], [*value[1::2], None], strict=False):
        found[str(key) if isinstance(key, (str, int, float)) else ""] = one
    return found


def _shown(words: Iterable[Token]) -> str:
    """The beginning of a statement, for people."""
    signs = {"scalar": "$", "array": "@", "hash": "%", "sub": "&"}
    return " ".join(signs.get(word.kind, "") + word.text for word in list(words)[:4])[:60]
