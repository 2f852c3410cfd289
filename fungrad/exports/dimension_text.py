"""Shapes as text: ``"(b, 2*n + 1, _, ...)"``.

May import ``core`` and ``exports.dimensions``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fungrad.exports.dimensions import OPERATIONS, Scope, maximum, minimum, operation, variable

_TOKEN = re.compile(r"\s*(?:(\d+)|([^\W\d]\w*)|(\.\.\.)|(\S))")


class _Reader:
    """Recursive descent over one text."""

    def __init__(self, text: str, like: Sequence[Any] | None, scope: Scope, shown: str):
        self.text = text
        self.like = like
        self.scope = scope
        self.shown = shown
        self.read: list[Any] = []
        self.tokens: list[tuple[str, int]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            assert match is not None
            self.tokens.append((match.group().strip(), match.end() - len(match.group().strip())))
            at = match.end()
        self.tokens.append(("", len(text)))
        self.at = 0

    @property
    def token(self) -> str:
        return self.tokens[self.at][0]

    def take(self, text: str) -> bool:
        if self.token != text:
            return False
        self.at += 1
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.error(f"expecting {text!r} but found {self.token or 'the end'!r}")

    def error(self, what: str) -> ValueError:
        start = self.tokens[self.at][1]
        return ValueError(
            f"fungrad.export.symbolic_shape: syntax error in symbolic shape {self.shown} in dimension "
            f"{len(self.read)}: {what}. Parsed '{self.text[:start]}', remaining '{self.text[start:]}'."
        )

    # -- shapes

    def shape(self) -> tuple[Any, ...]:
        parentheses = 0
        while self.take("("):
            parentheses += 1
        while self.token not in ("", ")"):
            if self.token == "...":
                self.rest_of_like()
                break
            if self.token == "_":
                self.known(self.placeholder())
            else:
                self.add(self.expression())
            if self.token in ("", ")"):
                break
            self.expect(",")
        for _ in range(parentheses):
            self.expect(")")
        if self.token:
            raise self.error(f"expecting the end but found {self.token!r}")
        return tuple(self.read)

    def placeholder(self) -> Any:
        if self.like is None:
            raise self.error("spec contains ... but no 'like' shape was given")
        if len(self.like) <= len(self.read) and self.token == "_":
            raise self.error(
                f"cannot resolve placeholder '_' because we parsed {len(self.read)} already and 'like' shape has only "
                f"{len(self.like)} dimensions"
            )
        return self.like[len(self.read)] if self.token == "_" else None

    def rest_of_like(self) -> None:
        self.placeholder()
        assert self.like is not None
        if len(self.like) < len(self.read):
            raise self.error(
                f"cannot resolve placeholder '...' because we parsed {len(self.read)} already and 'like' shape has "
                f"only {len(self.like)} dimensions"
            )
        for d in self.like[len(self.read) :]:
            self.add(d)
        self.at += 1

    def known(self, d: Any) -> None:
        self.add(d)
        self.at += 1

    def add(self, d: Any) -> None:
        if d is None:
            raise self.error(f"unexpected placeholder for unknown dimension; like={self.like}")
        if type(d) is int and self.like is not None:
            given = self.like[len(self.read)] if len(self.read) < len(self.like) else None
            if given != d:
                raise self.error(f"different size {d} for known dimension; like={self.like}")
        self.read.append(d)

    # -- expressions

    def expression(self) -> Any:
        negative = self.take("-")
        if not negative:
            self.take("+")
        total: Any = 0
        while True:
            term = self.term()
            total = total - term if negative else total + term
            if self.token not in ("+", "-"):
                return total
            negative = self.token == "-"
            self.at += 1

    def term(self) -> Any:
        product: Any = 1
        while True:
            factor = self.factor()
            if self.take("^"):
                if not self.token.isdecimal():
                    raise self.error(f"expecting integer, found {self.token!r}")
                factor = factor ** int(self.token)
                self.at += 1
            product = product * factor
            if not self.take("*"):
                if self.token not in ("", ")", ",", "+", "-"):
                    raise self.error(f"expecting one of '*', '+', '-', ',' or the end but found {self.token!r}")
                return product

    def factor(self) -> Any:
        negative = self.take("-")
        token = self.token
        if token.isdecimal():
            self.at += 1
            return -int(token) if negative else int(token)
        if negative or not token.isidentifier() or token == "_":
            raise self.error(f"expecting a variable, an operation or an integer but found {token or 'the end'!r}")
        self.at += 1
        if token not in OPERATIONS:
            return variable(token, self.scope)
        self.expect("(")
        a = self.expression()
        self.expect(",")
        b = self.expression()
        self.expect(")")
        if token == "max":
            return maximum(a, b)
        if token == "min":
            return minimum(a, b)
        return operation(token, a, b, scope=self.scope)


def parse_shape(text: str, like: Sequence[Any] | None, scope: Scope, shown: str) -> tuple[Any, ...]:
    """The shape that is written as text.

    Args:
      text: the text.
      like: a shape from which placeholders are taken.
      scope: of the variables.
      shown: how messages show the text.

    Raises:
      ValueError: the text is no shape, or contradicts ``like``.
    """
    return _Reader(text, like, scope, shown).shape()


def parse_dimension(text: str, scope: Scope) -> Any:
    """The one dimension that is written as text."""
    shape = parse_shape(text, None, scope, repr(text))
    if len(shape) != 1:
        raise ValueError(
            f"fungrad.export.SymbolicScope: syntax error in {text!r}: expecting one dimension, found {len(shape)}"
        )
    return shape[0]
