"""The value of an expression in a settings file in Perl, as far as it can be told without running it.

    one    = sum { "." sum } ; sum = product { ("+" | "-") product } ; product = term { ("*" | "/") term }
    many   = [ one { ("," | "=>") one } ]
    term   = text | number | words | pattern | variable | "\\" term | "-" term | "(" many ")" | "[" many "]"
           | "{" many "}" | word [ "(" many ")" ]

What is more than that is Unknown, or CannotTell where nothing of the statement makes sense then.
"""

import re

from amavis_pipe.config.imported.perl import Token
from amavis_pipe.config.imported.reckoned import (
    Variables,
    interpolated,
    joined,
    number,
    paired,
    patterns,
    ranged,
    reckoned,
)
from amavis_pipe.config.imported.values import FileMap, Flat, Pattern, Ref, Unknown, Value

DEEPEST = 40
_CONSTANTS: dict[str, Value] = {
    "undef": None,
    "D_DISCARD": "discard",
    "D_PASS": "pass",
    "D_BOUNCE": "bounce",
    "D_REJECT": "bounce",
    "D_TEMPFAIL": "defer",
}
_FUNCTIONS = ("new_RE", "Amavis::Lookup::RE", "read_hash", "read_array", "Opaque", "lc", "uc")


class CannotTell(Exception):
    """A statement that can't be told without running it: why."""


class Expression:
    """Reads the tokens of one expression."""

    def __init__(self, words: list[Token], variables: Variables) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self._variables = variables

    def one(self) -> Value:
        """A single value; a list in brackets stands for itself, one in parentheses for its last value."""
        value = self._one()
        self._end()
        return value[-1] if isinstance(value, Flat) and value else None if isinstance(value, Flat) else value

    def many(self) -> list[Value]:
        """The values of a list; lists in parentheses and arrays in it are part of it."""
        values = self._many("")
        self._end()
        return values

    def key(self) -> str:
        """The key of a hash's element: a word stands for itself."""
        words = [word for word in self._words if word.text != "+" or word.kind != "operator"]
        if len(words) == 1 and words[0].kind in ("word", "text", "number", "mixed"):
            return words[0].text
        raise CannotTell("its key can't be told")

    def _end(self) -> None:
        if self._at < len(self._words):
            raise CannotTell(f'"{self._words[self._at].text[:20]}" would have to be run')

    def _is(self, *texts: str) -> bool:
        return (
            self._at < len(self._words)
            and self._words[self._at].kind == "operator"
            and self._words[self._at].text in texts
        )

    def _many(self, closing: str) -> list[Value]:
        """Values up to the closing sign, or to the end; the sign is passed."""
        values: list[Value] = []
        while self._at < len(self._words) and not (closing and self._is(closing)):
            if self._is(",", "=>"):
                self._at += 1
                continue
            value = self._one()
            if isinstance(value, Flat):
                values.extend(value)
            else:
                values.append(value)
            if not self._is(",", "=>") and not (closing and self._is(closing)):
                break
        if closing:
            if not self._is(closing):
                self._fail()
            self._at += 1
        return values

    def _fail(self) -> None:
        shown = self._words[self._at].text[:20] if self._at < len(self._words) else "its end"
        raise CannotTell(f'"{shown}" would have to be run')

    def _one(self) -> Value:
        self._depth += 1
        if self._depth > DEEPEST:
            raise CannotTell("it is nested too deep")
        value = self._sum()
        while self._is("."):
            self._at += 1
            value = joined(value, self._sum())
        if self._is(".."):
            self._at += 1
            value = ranged(value, self._sum())
        if self._at < len(self._words) and not self._is(",", "=>", ")", "]", "}"):
            self._pass_value()
            value = Unknown("an expression would have to be run")
        self._depth -= 1
        return value

    def _pass_value(self) -> None:
        """To the end of a value that can't be told: the next comma, or what closes the list that it is in."""
        depth = 0
        while self._at < len(self._words):
            if not depth and self._is(",", "=>", ")", "]", "}"):
                return
            depth += self._is("(", "[", "{") - self._is(")", "]", "}")
            self._at += 1

    def _sum(self) -> Value:
        value = self._product()
        while self._is("+", "-"):
            sign = self._next().text
            value = reckoned(sign, value, self._product())
        return value

    def _product(self) -> Value:
        value = self._term()
        while self._is("*", "/"):
            sign = self._next().text
            value = reckoned(sign, value, self._term())
        return value

    def _next(self) -> Token:
        if self._at >= len(self._words):
            raise CannotTell("it ends too soon")
        self._at += 1
        return self._words[self._at - 1]

    def _term(self) -> Value:
        word = self._next()
        if word.kind in ("scalar", "array", "hash"):
            return self._variable(word)
        if word.kind in ("operator", "word"):
            return self._operator(word) if word.kind == "operator" else self._word(word)
        return self._constant(word)

    def _constant(self, word: Token) -> Value:
        made: Value = Unknown(f'"{word.text[:20]}" would have to be run')
        if word.kind == "text":
            made = re.sub(r"\\([\\'])", r"\1", word.text)
        elif word.kind == "mixed":
            made = interpolated(word.text, self._variables)
        elif word.kind == "words":
            made = Flat(word.text.split())
        elif word.kind == "number":
            made = number(word.text)
        elif word.kind == "pattern":
            made = Pattern(word.text, word.flags)
        return made

    def _operator(self, word: Token) -> Value:
        if word.text == "(":
            return Flat(self._many(")"))
        if word.text == "[":
            return self._many("]")
        if word.text == "{":
            return paired(self._many("}"))
        if word.text in ("-", "+", "\\"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise CannotTell("it is nested too deep")
            value = self._reference() if word.text == "\\" else self._term()
            self._depth -= 1
            return reckoned("-", 0, value) if word.text == "-" else value
        self._at -= 1
        self._fail()
        return None

    def _reference(self) -> Value:
        if self._at < len(self._words) and self._words[self._at].kind in ("scalar", "array", "hash"):
            word = self._next()
            return Ref({"scalar": "$", "array": "@", "hash": "%"}[word.kind] + word.text)
        if self._at < len(self._words) and self._words[self._at].kind == "sub":
            return Ref("&" + self._next().text)
        value = self._term()
        return list(value) if isinstance(value, Flat) else value

    def _variable(self, word: Token) -> Value:
        if self._is("{", "[", "->"):
            self._pass_over()
            return Unknown("an element of a variable would have to be looked up")
        sign = {"scalar": "$", "array": "@", "hash": "%"}[word.kind]
        value = self._variables.value(sign + word.text)
        if word.kind == "array" and isinstance(value, list):
            return Flat(value)
        if word.kind == "hash" and isinstance(value, dict):
            return Flat(item for pair in value.items() for item in pair)
        return value

    def _word(self, word: Token) -> Value:
        name = word.text
        if name in _CONSTANTS:
            if self._is("("):
                self._parenthesis()
            return _CONSTANTS[name]
        if self._is("=>") or name.startswith("CC_"):
            return name.split("::")[-1]
        return self._call(name) if self._is("(") else self._passed(name)

    def _call(self, name: str) -> Value:
        """What the few functions give that are known."""
        if name not in _FUNCTIONS:
            return self._passed(name)
        inner = self._parenthesis()
        if name in ("new_RE", "Amavis::Lookup::RE"):
            return patterns(inner)
        last = inner[-1] if inner else None
        if name == "Opaque" and len(inner) == 1:
            return last
        if not isinstance(last, str) or name == "Opaque":
            return Unknown(f"{name} of something that is no text")
        known: dict[str, Value] = {"lc": last.lower(), "uc": last.upper()}
        return known.get(name, FileMap(last))

    def _passed(self, name: str) -> Value:
        self._pass_over()
        return Unknown(f"{name[:30]} would have to be run")

    def _pass_over(self) -> None:
        """Past what belongs to a call or to an element: brackets with all in them, and arrows."""
        depth = 0
        while self._at < len(self._words):
            word = self._words[self._at]
            is_sign = word.kind == "operator"
            if not depth and not (is_sign and word.text in ("(", "[", "{", "->")):
                return
            depth += (is_sign and word.text in ("(", "[", "{")) - (is_sign and word.text in (")", "]", "}"))
            self._at += 1

    def _parenthesis(self) -> list[Value]:
        if not self._is("("):
            return []
        self._at += 1
        return self._many(")")
