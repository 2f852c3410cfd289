"""The parser of printed jaxprs: ``parse_jaxpr`` is the inverse of ``core.printing.jaxpr_text``.

The text that is printed with ``weak=True`` determines a jaxpr up to the values of constants and
parameters that are arbitrary objects, which are passed separately (source lines are lost)::

    parse_jaxpr(jaxpr_text(j, weak=True), consts=j.consts, objects=opaque_objects(j)) == j

The ordinary form is read as well, as far as it says everything: its types count as strong, and a
bare word that is not the name of a dtype or of a shared jaxpr is a string.

May import ``core.printing``, ``core.primitive`` and what they import.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var
from fungrad.core.primitive import Primitive
from fungrad.core.printing import param_types, parse_scalar

_REAL = r"(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)"
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<string>b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*")
    | (?P<size>`[^`]*`)
    | (?P<bytes>0x[0-9a-f]*)
    | (?P<complex>\([-+]?{_REAL}[-+]{_REAL}j\)|[-+]?{_REAL}j(?![\w<]))
    | (?P<number>[-+]?{_REAL}(?![\w<]))
    | (?P<word>[\w@<~][\w.<>@~-]*)
    | (?P<sign>[\[\](){{}}.,:;=])
    """,
    re.VERBOSE,
)
_TYPE = re.compile(r"(~?)([a-z]\w*(?:<\w+>)?)")
_NAME_END = re.compile(r"[\s\]]")
_CONSTANTS = {"None": None, "True": True, "False": False, "Ellipsis": Ellipsis}
_DTYPES = {dtypes.display_name(dtype): dtype for dtype in dtypes.all_dtypes}


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


def _tokens(text: str) -> list[_Token]:
    out, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            # Reported where the parser meets it, with what it expected there.
            out.append(_Token("unknown", text[at], at))
            at += 1
            continue
        if match.lastgroup != "space":
            out.append(_Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    out.append(_Token("end", "", len(text)))
    return out


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, objects: Mapping[str, Any], dimension: Callable[[str], Any] | None):
        self.text = text
        self.objects = objects
        self.dimension = dimension
        self.tokens = _tokens(text)
        self.at = 0
        # Jaxprs that are printed once: where they start, and those already read.
        self.definitions: dict[str, int] = {}
        self.shared: dict[str, Jaxpr] = {}
        self.reading: list[str] = []

    # -- tokens

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def ahead(self, *texts: str) -> bool:
        """Whether the next tokens are ``texts``."""
        found = self.tokens[self.at : self.at + len(texts)]
        return [token.text for token in found] == list(texts)

    def take(self, text: str) -> bool:
        """Passes over the token ``text`` if it is next."""
        if self.token.text != text:
            return False
        self.at += 1
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.error(f"expected {text!r}")

    def word(self, what: str) -> str:
        if self.token.kind != "word":
            raise self.error(f"expected {what}")
        self.at += 1
        return self.tokens[self.at - 1].text

    def adjacent(self, text: str) -> bool:
        """Whether the next token is ``text`` and no space precedes it."""
        before = self.tokens[self.at - 1]
        return self.token.text == text and self.token.start == before.start + len(before.text)

    def error(self, message: str, token: _Token | None = None) -> ValueError:
        """The error ``message`` at the next token, or at ``token``."""
        at = token or self.token
        line = self.text.count("\n", 0, at.start) + 1
        start = self.text.rfind("\n", 0, at.start) + 1
        end = self.text.find("\n", at.start)
        shown = self.text[start : end if end >= 0 else len(self.text)]
        got = ""
        if token is None:
            got = ", got " + ("the end of the text" if at.kind == "end" else repr(at.text))
        return ValueError(
            f"parse_jaxpr: {message}{got} in line {line}:\n{shown}\n{' ' * (at.start - start)}^"
        )

    # -- programs

    def program(self) -> tuple[Sequence[Var], Callable[[Sequence[Any]], Jaxpr]]:
        """Constvars and a function from constants to the jaxpr."""
        while self.take("let"):
            token = self.token
            name = self.word("the name of a shared jaxpr")
            if name in self.definitions:
                raise self.error(f"the name {name} is defined twice", token)
            self.expect("=")
            self.definitions[name] = self.at
            self.skip_braces()
            self.expect("in")
        constvars, make = self.jaxpr()
        if self.token.kind != "end":
            raise self.error("expected the end of the text")
        for name in self.definitions:
            self.shared_jaxpr(name)
        return constvars, make

    def skip_braces(self) -> None:
        depth = 0
        while True:
            token = self.token
            if token.kind == "end":
                raise self.error("expected '}'")
            depth += (token.text == "{") - (token.text == "}")
            self.at += 1
            if depth == 0:
                return

    def shared_jaxpr(self, name: str) -> Jaxpr:
        """The jaxpr that ``let name = ...`` defines, possibly further below."""
        if name not in self.shared:
            if name in self.reading:
                raise self.error(f"the jaxpr {name} contains itself")
            self.reading.append(name)
            back, self.at = self.at, self.definitions[name]
            self.shared[name] = self.inner_jaxpr()
            self.at = back
            self.reading.pop()
        return self.shared[name]

    def inner_jaxpr(self) -> Jaxpr:
        """A jaxpr in a parameter."""
        token = self.token
        constvars, make = self.jaxpr()
        if constvars:
            raise self.error("a jaxpr in a parameter cannot have constants", token)
        return make(())

    def jaxpr(self) -> tuple[Sequence[Var], Callable[[Sequence[Any]], Jaxpr]]:
        scope: dict[str, Var] = {}
        self.expect("{")
        self.expect("lambda")
        constvars = self.binders(scope)
        self.expect(";")
        invars = self.binders(scope)
        self.expect(".")
        self.expect("let")
        eqns = []
        while not self.ahead("in", "("):
            eqns.append(self.eqn(scope))
            self.take(";")
        self.expect("in")
        self.expect("(")
        outvars = []
        while not self.take(")"):
            outvars.append(self.atom(scope))
            if not self.ahead(")"):
                self.expect(",")
        if self.take(":"):  # effects, which follow from the primitives
            self.skip_braces()
        self.expect("}")
        return constvars, lambda consts: Jaxpr(constvars, invars, outvars, eqns, consts)

    # -- equations

    def binders(self, scope: dict[str, Var]) -> list[Var]:
        """``name:type`` several times."""
        out = []
        while self.token.kind == "word" and self.tokens[self.at + 1].text == ":":
            token = self.token
            name = self.word("a variable")
            self.expect(":")
            var = Var(self.aval())
            if name in scope:
                raise self.error(f"the variable {name} is defined twice", token)
            if name != "_":
                scope[name] = var
            out.append(var)
        return out

    def aval(self) -> ShapedArray:
        match = _TYPE.fullmatch(self.word("a type such as f32[3]"))
        token = self.tokens[self.at - 1]
        if match is None or not self.adjacent("["):
            raise self.error("expected a type such as f32[3]", token)
        try:
            dtype = dtypes.from_short_name(match.group(2))
        except ValueError as error:
            raise self.error(str(error), token) from None
        self.expect("[")
        shape = []
        while not self.take("]"):
            shape.append(self.size())
            if not self.ahead("]"):
                self.expect(",")
        return ShapedArray(tuple(shape), dtype, bool(match.group(1)))

    def size(self) -> Any:
        """A dimension in a type: a number, or else the text of an expression up to the next comma of the type."""
        start, depth = self.token.start, 0
        if re.fullmatch(r"\d+", self.token.text) and self.tokens[self.at + 1].text in ("]", ","):
            self.at += 1
            return int(self.text[start : self.token.start])
        if self.dimension is None:
            raise self.error("expected a dimension")
        while depth or self.token.text not in ("]", ","):
            if self.token.kind == "end":
                raise self.error("expected ']'")
            # A negative number in parentheses may be read as one token with them.
            depth += self.token.text.count("(") - self.token.text.count(")")
            self.at += 1
        return self.dimension(self.text[start : self.token.start])

    def eqn(self, scope: dict[str, Var]) -> Eqn:
        defined: dict[str, Var] = {}
        outvars = self.binders(defined)
        if outvars:
            self.expect("=")
        token = self.token
        name = self.word("the name of a primitive")
        primitive = Primitive.find(name)
        if primitive is None:
            raise self.error(f"there is no primitive named {name!r}", token)
        params = self.params() if self.adjacent("[") else {}
        invars = []
        while not self.operands_end(scope):
            invars.append(self.atom(scope))
        for name, var in defined.items():
            if name in scope:
                raise self.error(f"the variable {name} is defined twice", token)
            scope[name] = var
        restore = getattr(primitive, "restored_params", None)
        if restore is not None:
            params = restore(params, tuple(a.aval for a in invars), tuple(v.aval for v in outvars))
        return Eqn(primitive, invars, params, outvars)

    def operands_end(self, scope: dict[str, Var]) -> bool:
        """Whether the next token belongs to what follows the operands of an equation."""
        token, after = self.token, self.tokens[self.at + 1]
        if token.text in (";", "}") or token.kind == "end" or self.ahead("in", "("):
            return True
        if token.kind != "word" or token.text in ("True", "False"):
            return False
        if after.text == ":":  # a result of the next equation
            return True
        # An equation without results starts with its primitive.
        return token.text not in scope and Primitive.find(token.text) is not None

    def atom(self, scope: dict[str, Var]) -> Atom:
        token, after = self.token, self.tokens[self.at + 1]
        if token.kind in ("word", "number") and after.text != ":":
            self.at += 1
            if token.text not in scope:
                raise self.error(f"the variable {token.text} is not defined", token)
            return scope[token.text]
        if token.kind not in ("number", "complex", "bytes", "word"):
            raise self.error("expected a variable or a literal")
        self.at += 1
        self.expect(":")
        aval = self.aval()
        if aval.shape:
            raise self.error("a literal must be a scalar", token)
        try:
            return Literal(parse_scalar(token.text, aval.dtype), aval)
        except (ValueError, OverflowError) as error:
            raise self.error(f"not a literal of type {aval.str_short()}: {error}", token) from None

    # -- parameters

    def params(self) -> dict[str, Any]:
        self.expect("[")
        out: dict[str, Any] = {}
        while not self.take("]"):
            token = self.token
            key = self.word("the name of a parameter")
            if key in out:
                raise self.error(f"the parameter {key} is given twice", token)
            self.expect("=")
            out[key] = self.name_param() if key == "name" else self.value()
        return out

    def name_param(self) -> Any:
        """The parameter ``name``: without quotes, everything up to a space is the name.

        It may be that of a shared jaxpr or a dtype, or contain parentheses, as in ``jvp(f)``.
        """
        token = self.token
        if token.kind == "string" or token.text in _CONSTANTS or token.text.startswith("@"):
            return self.value()
        stop = _NAME_END.search(self.text, token.start)
        end = stop.start() if stop else len(self.text)
        while self.token.start < end:
            self.at += 1
        return self.text[token.start : end]

    def value(self) -> Any:
        token = self.token
        if token.text == "{":
            return self.inner_jaxpr()
        if self.take("("):
            return self.items(")")
        if self.take("["):
            return self.items("]")
        if token.kind == "word":
            return self.word_value()
        self.at += 1
        if token.kind == "string":
            return ast.literal_eval(token.text)
        if token.kind == "complex":
            return complex(token.text)
        if token.kind == "size" and self.dimension is not None:
            return self.dimension(token.text[1:-1])
        if token.kind == "number":
            if re.fullmatch(r"[-+]?\d+", token.text):
                return int(token.text)
            number = float(token.text)
            # There is one NaN among parameters, so that they compare equal.
            return math.nan if math.isnan(number) else number
        self.at -= 1
        raise self.error("expected the value of a parameter; only text printed with weak=True")

    def items(self, end: str) -> tuple:
        """Elements up to ``end``; jaxprs are separated by spaces, others by commas."""
        out = []
        while not self.take(end):
            out.append(self.value())
            if not self.take(",") and not self.ahead(end) and not isinstance(out[-1], Jaxpr):
                raise self.error(f"expected ',' or {end!r}")
        return tuple(out)

    def word_value(self) -> Any:
        token = self.token
        text = self.word("a word")
        if _TYPE.fullmatch(text) and self.adjacent("["):
            self.at -= 1
            return self.aval()
        if text in self.definitions:
            return self.shared_jaxpr(text)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text in _DTYPES:
            return _DTYPES[text]
        if text.startswith("@"):
            if text[1:] not in self.objects:
                raise self.error(
                    f"{text} stands for an object that has no text; give it as "
                    f"objects={{{text[1:]!r}: ...}}, for example objects=opaque_objects(jaxpr)",
                    token,
                )
            return self.objects[text[1:]]
        if text == "frozenset" and self.take("("):
            return self.frozenset()
        cls_name, _, member = text.partition(".")
        if member or self.adjacent("("):
            return self.structured(cls_name, member, token)
        return text

    def frozenset(self) -> frozenset:
        self.expect("{")
        out = []
        while not self.take("}"):
            out.append(self.value())
            self.take(",")
        self.expect(")")
        return frozenset(out)

    def structured(self, name: str, member: str, token: _Token) -> Any:
        """``Name.MEMBER`` or ``Name(field=value, ...)``."""
        cls = param_types.get(name)
        if cls is None:
            raise self.error(
                f"{name} is not a registered class of parameters; "
                "decorate it with fungrad.core.printing.register_param_type",
                token,
            )
        if member:
            if not (issubclass(cls, Enum) and member in cls.__members__):
                raise self.error(f"{name} has no member {member}", token)
            return cls[member]
        self.expect("(")
        fields = {}
        while not self.take(")"):
            key = self.word(f"a field of {name}")
            self.expect("=")
            fields[key] = self.value()
            if not self.ahead(")"):
                self.expect(",")
        try:
            return cls(**fields)
        except TypeError as error:
            raise self.error(str(error), token) from None


def parse_jaxpr(
    text: str,
    *,
    consts: Sequence[Any] = (),
    objects: Mapping[str, Any] | None = None,
    dimension: Callable[[str], Any] | None = None,
) -> Jaxpr:
    """Reads a printed jaxpr.

    Args:
      text: what ``jaxpr_text(jaxpr, weak=True)`` or ``str(jaxpr)`` gives. Text from ``#`` to the
        end of the line is ignored.
      consts: values of the constvars, arrays or tracers of exactly the types that the text says.
      objects: parameters that the text only names (``@name``); see
        ``core.printing.opaque_objects``.
      dimension: reads symbolic dimensions (``fungrad.export.symbolic_shape``), if there may be any.

    Returns:
      The jaxpr. Types of equations are believed; ``core.check.check_jaxpr`` verifies them.

    Raises:
      ValueError: the text is not a jaxpr, with the place; or the number of constants is wrong.
      TypeError: a constant has another type than its variable.

    Example:
      >>> import fungrad
      >>> from fungrad.core.parsing import parse_jaxpr
      >>> j = parse_jaxpr("{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }")
      >>> j.eqns[0].primitive
      sin
    """
    constvars, make = _Parser(text, objects or {}, dimension).program()
    if len(consts) != len(constvars):
        raise ValueError(
            f"parse_jaxpr: the text has {len(constvars)} constants but consts= has {len(consts)}; "
            "pass one value for each variable before the first ';'"
        )
    arrays = [x if isinstance(x, Array) else as_array(x, "parse_jaxpr: consts") for x in consts]
    for i, (var, x) in enumerate(zip(constvars, arrays, strict=True)):
        if x.aval is not var.aval:
            raise TypeError(
                f"parse_jaxpr: consts[{i}]: expected {var.aval.short(weak=True)}, "
                f"got {x.aval.short(weak=True)}"
            )
    return make(arrays)
