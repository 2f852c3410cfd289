"""Text of jaxprs and equations, in the notation of JAX.

``jaxpr_text`` is what ``print`` shows of a jaxpr::

    { lambda ; a:f32[3]. let b:f32[] = reduce_sum[axes=(0,)] a in (b,) }

Variables are named in the order in which the text mentions them, ``_`` is a result that nothing
uses, and a jaxpr that occurs several times or is long is printed once, before the others:
``let f = {...} in {...}``.

With ``weak=True`` the text is exact: weak types carry a ``~``, strings are quoted, and all
parameters are shown.  ``core.parsing.parse_jaxpr`` reads it back.

Primitives influence the text by optional methods:

- ``printed_params(params) -> dict``: the parameters to show in the ordinary form (default: all).
- ``restored_params(printed, in_avals, out_avals) -> dict``: its inverse, for the parser.  Complete
  parameters come back unchanged.

May import ``core.ir``, ``core.avals``, ``core.dtypes``, ``core.source`` and ``core.layout``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fungrad.core import dtypes, printing_hooks
from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import is_symbolic
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var, jaxprs_in_params
from fungrad.core.layout import Break, Doc, Group, Nest, Note, join, layout
from fungrad.core.source import function_name

# Nested jaxprs with more equations than this are printed before the program that contains them.
_MAX_INLINE_EQNS = 10
# Primitives that apply a jaxpr to their operands one to one: its variables take their names.
_CALLS = frozenset(("jit",))
# Words that mean something else in the text, so that nothing is named like that.
RESERVED = frozenset(("None", "True", "False", "nan", "inf", "frozenset")) | frozenset(
    map(dtypes.display_name, dtypes.all_dtypes)
)

C = TypeVar("C", bound=type)

# Classes of parameters that the parser can construct, by name.
param_types: dict[str, type] = {}


def register_param_type(cls: C) -> C:
    """Lets values of ``cls`` in equation parameters be parsed; usable as a class decorator.

    Args:
      cls: an ``Enum``, a ``NamedTuple`` or a dataclass.

    Raises:
      TypeError: ``cls`` is of no such kind.
      ValueError: another class of the same name is registered.
    """
    if not (issubclass(cls, Enum) or _field_names(cls) is not None):
        raise TypeError(
            f"register_param_type: expected an Enum, NamedTuple or dataclass, got {cls!r}"
        )
    if param_types.setdefault(cls.__name__, cls) is not cls:
        raise ValueError(
            f"register_param_type: the name {cls.__name__} already stands for "
            f"{param_types[cls.__name__]!r}, so it cannot stand for {cls!r}"
        )
    return cls


def _field_names(cls: type) -> tuple[str, ...] | None:
    """Arguments of the constructor of a NamedTuple or dataclass, None for other classes."""
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls) if field.init)
    return getattr(cls, "_fields", None) if issubclass(cls, tuple) else None


def variable_names() -> Iterator[str]:
    """a, b, ... z, ba, bb, ...: numbers to the base 26."""
    n = 0
    while True:
        name, rest = chr(97 + n % 26), n // 26
        while rest:
            name, rest = chr(97 + rest % 26) + name, rest // 26
        yield name
        n += 1


# -- values ---------------------------------------------------------------------------------------


def parse_scalar(text: str, dtype: np.dtype) -> np.ndarray:
    """The 0-d array of the literal ``text``, a Python number or ``0x`` and the bytes in memory."""
    if text.startswith("0x"):
        raw = bytes.fromhex(text[2:])
        if len(raw) != dtype.itemsize:
            raise ValueError(f"{text} has {len(raw)} bytes, and {dtype} has {dtype.itemsize}")
        # Neither frombuffer nor view work for dtypes without bytes.
        return np.frombuffer(raw, dtype).reshape(()) if raw else np.zeros((), dtype)
    if dtypes.is_bool(dtype):
        if text not in ("True", "False"):
            raise ValueError(f"{text!r} is not a truth value")
        return np.asarray(text == "True", dtype)
    if dtypes.is_integer(dtype):
        return np.asarray(int(text), dtype)
    if dtypes.is_complex(dtype):
        return np.asarray(complex(text), dtype)
    return np.asarray(float(text), dtype)


def _number_text(value: Any, dtype: np.dtype) -> str:
    if dtypes.is_bool(dtype):
        return str(bool(value))
    if dtypes.is_integer(dtype):
        return str(int(value))
    return repr(complex(value) if dtypes.is_complex(dtype) else float(value))


def literal_text(literal: Literal, *, exact: bool = False) -> str:
    """The value of a literal, as a Python number.

    With ``exact``, values that a Python number does not determine (NaNs with a sign or payload) are
    given by their bytes, as are always those that are not numbers.
    """
    dtype, raw = literal.aval.dtype, literal.array._data.tobytes()
    if dtype.names is not None:
        return "0x" + raw.hex()
    text = _number_text(literal.val, dtype)
    if exact and parse_scalar(text, dtype).tobytes() != raw:
        return "0x" + raw.hex()
    return text


def _set_order(element: Any) -> tuple[str, Any]:
    """Sort key for the elements of a set: numbers by value, all others by text."""
    if isinstance(element, (int, float)):
        return "", element
    return type(element).__name__, repr(element)


# -- the printer ----------------------------------------------------------------------------------


class _Scope:
    """Names of the variables of one jaxpr, and those of its variables that are printed as ``_``."""

    def __init__(self, names: dict[Var, str], unused: frozenset[Var] = frozenset()):
        self.names = names
        self.unused = unused


def _unused(jaxpr: Jaxpr) -> frozenset[Var]:
    """Results of equations that nothing uses."""
    defined = {v for eqn in jaxpr.eqns for v in eqn.outvars if type(v) is Var}
    used = {a for eqn in jaxpr.eqns for a in eqn.invars if type(a) is Var}
    return frozenset(defined - used - {a for a in jaxpr.outvars if type(a) is Var})


class Printer:
    """Turns jaxprs into documents; one object per printed text.

    Attributes:
      objects: with ``weak``, the parameters that have no text, by the names that stand for them.
    """

    def __init__(
        self,
        *,
        source_info: bool = False,
        name_stack: bool = False,
        print_shapes: bool = True,
        weak: bool = False,
        names: Mapping[Var, str] | None = None,
        print_effects: bool = False,
        custom_pp_eqn_rules: bool = True,
    ):
        self.source_info = source_info
        self.name_stack = name_stack
        self.print_shapes = print_shapes
        self.exact = weak
        self.given_names = dict(names or {})
        self.print_effects = print_effects
        self.all_params = weak or not custom_pp_eqn_rules
        self.shared: dict[int, str] = {}
        self.objects: dict[str, Any] = {}
        self._names_inside: dict[int, dict[Var, str]] = {}
        self._fresh = variable_names()
        self._taken = {"nan", "inf", *self.given_names.values()}

    # -- names

    def name(self, var: Var, scope: _Scope) -> str:
        """Name of a variable, chosen at its first mention."""
        if var not in scope.names:
            given = self.given_names.get(var)
            if given is None:
                if var in scope.unused:
                    return "_"
                given = next(name for name in self._fresh if name not in self._taken)
            scope.names[var] = given
        return scope.names[var]

    def share(self, jaxpr: Jaxpr) -> list[Jaxpr]:
        """Names the jaxprs inside ``jaxpr`` that are to be printed once, and returns them."""
        count: dict[int, int] = {}
        found: dict[int, Jaxpr] = {}
        base: dict[int, str] = {}
        queue = [jaxpr]
        for item in queue:
            key = id(item)
            found[key] = item
            count[key] = count.get(key, 0) + 1
            if count[key] > 2:
                continue  # what it contains is known to occur more than once
            if item is not jaxpr and len(item.eqns) > _MAX_INLINE_EQNS:
                count[key] += 1
            for eqn in item.eqns:
                subjaxprs = list(jaxprs_in_params(eqn.params))
                queue += subjaxprs
                name = eqn.params.get("name")
                if isinstance(name, str):
                    for sub in subjaxprs:
                        base.setdefault(id(sub), re.sub(r"\W", "_", name.strip("<>")))
        many = [key for key in found if count[key] > 1]
        for key in many:
            self.shared[key] = self._unique(base.get(key) or "jaxpr", self.shared.values())
        self._taken.update(self.shared.values())
        return [found[key] for key in many]

    def _unique(self, base: str, taken: Any) -> str:
        taken = {*taken, *RESERVED}
        candidates = (base + (str(n) if n else "") for n in range(len(taken) + 1))
        return next(name for name in candidates if name not in taken)

    # -- parts of equations

    def aval(self, aval: ShapedArray) -> str:
        return aval.short(weak=self.exact)

    def atom(self, a: Atom, scope: _Scope) -> str:
        if type(a) is Literal:
            return f"{literal_text(a, exact=self.exact)}:{self.aval(a.aval)}"
        # Anything else is a mistake, which the text must be able to show.
        return self.name(a, scope) if type(a) is Var else repr(a)

    def binder(self, var: Var, scope: _Scope) -> str:
        name = self.atom(var, scope)
        return f"{name}:{self.aval(var.aval)}" if self.print_shapes and type(var) is Var else name

    def binders(self, vs: Sequence[Var], scope: _Scope) -> Doc:
        return self._row([self.binder(v, scope) for v in vs])

    def atoms(self, atoms: Sequence[Atom], scope: _Scope, separator: str = "") -> Doc:
        return self._row([self.atom(a, scope) for a in atoms], separator)

    @staticmethod
    def _row(texts: list[Doc], separator: str = "") -> Doc:
        """Texts that continue on the next line where the line is full."""
        return Nest(2, Group(join([separator, Group(Break(" "))], texts)))

    def params(self, eqn: Eqn) -> Doc:
        """``[name=value ...]``: ``name`` first, the others in alphabetical order."""
        shown: Mapping[str, Any] = eqn.params
        rule = getattr(eqn.primitive, "printed_params", None)
        if rule is not None and not self.all_params:
            shown = rule(eqn.params)
        if not shown:
            return ""
        order = sorted(shown, key=lambda key: (key != "name", key))
        pairs: list[Doc] = [[f"{key}=", self.value(shown[key], top=True)] for key in order]
        return Group([Nest(2, ["[", Break(""), join(Break(" "), pairs)]), Break(""), "]"])

    def value(self, value: Any, *, top: bool = False) -> Doc:
        """A parameter or, unless ``top``, a part of one."""
        if isinstance(value, Jaxpr):
            return self.shared.get(id(value)) or self.jaxpr(value)
        structured = self._structured(value, top)
        if structured is not None:
            return structured
        if isinstance(value, (bool, np.bool_)):
            return str(bool(value))
        if isinstance(value, str):
            return str(value) if top and not self.exact else repr(str(value))
        if type(value) in (tuple, list):
            return self._sequence(value, top)
        if type(value) is frozenset:
            elements = [self.value(e) for e in sorted(value, key=_set_order)]
            return ["frozenset({", join(", ", elements), "})"]
        return self._atomic(value)

    def _sequence(self, value: Sequence[Any], top: bool) -> Doc:
        left, right = "[]" if type(value) is list else "()"
        items = [self.value(item) for item in value]
        # As in JAX, an empty tuple counts as one of jaxprs, which matters where lines are too long.
        if all(isinstance(item, Jaxpr) for item in value) and (items or top):
            return Group([Nest(2, [left, Break(""), join(Break(" "), items)]), Break(""), right])
        return [left, join(", ", items), ",)" if len(items) == 1 and left == "(" else right]

    def _structured(self, value: Any, top: bool) -> Doc | None:
        """``Name.MEMBER`` for an enum, ``Name(field=value)`` for a named tuple or dataclass."""
        cls = type(value)
        registered = param_types.get(cls.__name__) is cls
        if not registered and (self.exact or not isinstance(value, (Enum, tuple))):
            return None
        if isinstance(value, Enum):
            # The members of an IntEnum print as numbers, which they equal.
            plain = top and not self.exact
            return str(value) if plain else f"{cls.__name__}.{value.name}"
        fields = _field_names(cls)
        if fields is None:
            return None
        pairs: list[Doc] = [[f"{key}=", self.value(getattr(value, key))] for key in fields]
        return [f"{cls.__name__}(", join(", ", pairs), ")"]

    def _atomic(self, value: Any) -> str:
        if value is None or value is Ellipsis:
            return str(value)
        if isinstance(value, ShapedArray):
            return self.aval(value)
        if isinstance(value, np.dtype) and value in dtypes.all_dtypes:
            return dtypes.display_name(value)
        if isinstance(value, np.generic) and dtypes.is_known(value.dtype) and not value.dtype.names:
            return _number_text(value, value.dtype)
        if type(value) in (int, float, complex, bytes):
            return repr(value)
        if is_symbolic(value):
            return f"`{value}`" if self.exact else str(value)
        if self.exact:
            return "@" + self._object_name(value)
        if isinstance(value, type):
            return value.__name__
        if callable(value):
            return function_name(value)
        return re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))

    def _object_name(self, value: Any) -> str:
        """The name that stands for a parameter without an exact text."""
        for name, known in self.objects.items():
            if known is value:
                return name
        label = function_name(value) if callable(value) else type(value).__name__
        name = self._unique(re.sub(r"\W", "_", label.strip("<>")), self.objects)
        self.objects[name] = value
        return name

    # -- equations and jaxprs

    def eqn(self, eqn: Eqn, scope: _Scope) -> Doc:
        self._name_like_operands(eqn, scope)
        note = self._note(eqn)
        lhs = self.binders(eqn.outvars, scope)
        name: Doc = str(eqn.primitive)
        equals: Doc = " = "
        if note is not None:
            equals, name = (Note(equals, note), name) if eqn.outvars else ("", Note(name, note))
        rhs = [name, self.params(eqn), " ", self.atoms(eqn.invars, scope)]
        return [lhs, equals, *rhs] if eqn.outvars else rhs

    def _note(self, eqn: Eqn) -> str | None:
        """The remark at the end of the line of an equation."""
        note = str(eqn.source or "") if self.source_info else None
        if self.name_stack and eqn.source is not None and eqn.source.scopes:
            scopes = f"[{eqn.source.scope_text()}]"
            return scopes if note is None else f"{note} {scopes}"
        return note

    def _name_like_operands(self, eqn: Eqn, scope: _Scope) -> None:
        """Gives the variables of a called jaxpr the names of operands and results of the call.

        Names that would not be unique inside are not handed down, nor is ``_``.
        """
        if str(eqn.primitive) not in _CALLS:
            return
        for sub in jaxprs_in_params(eqn.params):
            if id(sub) in self.shared or len(sub.invars) != len(eqn.invars):
                continue
            inner: dict[Var, str] = {}
            for ours, theirs in ((eqn.invars, sub.invars), (eqn.outvars, sub.outvars)):
                seen = set()
                for a, v in zip(ours, theirs, strict=False):
                    if type(a) is not Var or type(v) is not Var or a in seen or v in inner:
                        continue
                    if a in scope.unused:
                        continue
                    seen.add(a)
                    inner[v] = self.name(a, scope)
            self._names_inside[id(sub)] = inner

    def scope(self, jaxpr: Jaxpr, *, inner: bool) -> _Scope:
        """A new scope for ``jaxpr``.  As in JAX, only the outermost jaxpr has results named ``_``."""
        if not inner:
            return _Scope({}, _unused(jaxpr))
        return _Scope(dict(self._names_inside.get(id(jaxpr), {})))

    def header(self, jaxpr: Jaxpr, scope: _Scope) -> Doc:
        constvars, invars = self.binders(jaxpr.constvars, scope), self.binders(jaxpr.invars, scope)
        return ["{ lambda ", constvars, "; ", invars, ". let"]

    def results(self, jaxpr: Jaxpr, scope: _Scope) -> Doc:
        row = self.atoms(jaxpr.outvars, scope, ",")
        tail = ",)" if len(jaxpr.outvars) == 1 else ")"
        effects = f" : {{ {', '.join(sorted(jaxpr.effects))} }}" if self.print_effects else ""
        return ["in (", row, tail, effects]

    def jaxpr(self, jaxpr: Jaxpr, *, inner: bool = True) -> Doc:
        scope = self.scope(jaxpr, inner=inner)
        header = self.header(jaxpr, scope)
        eqns = join(Break("; "), [self.eqn(eqn, scope) for eqn in jaxpr.eqns])
        body = [header, Nest(2, [Break(" "), eqns]), Break(" "), self.results(jaxpr, scope)]
        return Group([Nest(2, body), " }"])

    def program(self, jaxpr: Jaxpr) -> Doc:
        """``jaxpr``, after the jaxprs that are printed once."""
        docs: list[Doc] = []
        for shared in self.share(jaxpr):
            docs += ["let ", self.shared[id(shared)], " = ", self.jaxpr(shared), " in", Break(" ")]
        return [docs, self.jaxpr(jaxpr, inner=False)]


def jaxpr_text(jaxpr: Jaxpr, *, width: int = 80, **options: Any) -> str:
    """Text of a jaxpr.

    Args:
      jaxpr: the program.
      width: columns that lines should have at most.
      **options: ``source_info``: ends lines with the user's source line. ``name_stack``: ends
        them with the ``named_scope`` blocks in which the operation stands. ``print_shapes``: shows
        types (default true). ``weak``: prints the exact form that ``parse_jaxpr`` reads back.
        ``names``: a dictionary of names for some variables. ``print_effects``: shows whether there
        are effects. ``custom_pp_eqn_rules``: false shows all parameters.

    Example:
      >>> import fungrad
      >>> from fungrad.core.printing import jaxpr_text
      >>> print(jaxpr_text(fungrad.make_jaxpr(fungrad.lax.sin)(2.0), weak=True))
      { lambda ; a:~f32[]. let b:~f32[] = sin a in (b,) }
    """
    return layout(Printer(**options).program(jaxpr), width)


class MarkedLine(NamedTuple):
    """A line of a printed jaxpr, with the equations that begin on it or go on there, innermost last."""

    text: str
    eqns: tuple[Eqn, ...]


class _Marking(Printer):
    """Ends the line on which an equation begins with its number."""

    def __init__(self) -> None:
        super().__init__()
        self.eqns: list[Eqn] = []

    def _note(self, eqn: Eqn) -> str | None:
        self.eqns.append(eqn)
        return f"@{len(self.eqns) - 1}"


_MARK = re.compile(r"# @(\d+)$")


def marked_lines(jaxpr: Jaxpr, width: int = 92) -> list[MarkedLine]:
    """The lines of a printed jaxpr, at least one for each equation, that know their equations."""
    printer = _Marking()
    shared, whole = printer.program(jaxpr)  # type: ignore[misc]
    # On lines of its own even if it would fit into one.
    doc = [shared, whole.body if type(whole) is Group else whole]
    lines: list[MarkedLine] = []
    owners: list[tuple[int, tuple[Eqn, ...]]] = []
    for text in layout(doc, width).split("\n"):
        found = _MARK.search(text)
        eqns: tuple[Eqn, ...] = ()
        if found is not None:
            eqns = (printer.eqns[int(found[1])],)
            text = text[: found.start()].rstrip()
            if not text and lines:
                # One more remark of the line before.
                lines[-1] = MarkedLine(lines[-1].text, (*lines[-1].eqns, *eqns))
                continue
        indent = len(text) - len(text.lstrip())
        # The rest of an equation stands further right, but for the bracket that closes its parameters.
        closes = not eqns and text.lstrip().startswith("]")
        owners = [o for o in owners if o[0] < indent or (closes and o[0] == indent)]
        if eqns:
            owners.append((indent, eqns))
        elif owners and not text.lstrip().startswith("in ("):
            eqns = owners[-1][1]
        lines.append(MarkedLine(text, eqns))
    return lines


def eqn_text(eqn: Eqn, *, width: int = 80, **options: Any) -> str:
    """Text of one equation, with the options of ``jaxpr_text``."""
    printer = Printer(**options)
    return layout(printer.eqn(eqn, _Scope({})), width)


def opaque_objects(jaxpr: Jaxpr) -> dict[str, Any]:
    """Parameters that even the exact text only names, as ``@name``: functions, for example."""
    printer = Printer(weak=True)
    printer.program(jaxpr)
    return printer.objects


def excerpt(jaxpr: Jaxpr, at: int | str, *, radius: int = 6, max_lines: int = 4) -> str:
    """The part of a jaxpr around one place, which is marked by ``>``, for error messages.

    Args:
      jaxpr: the program, which may be malformed.
      at: index of an equation, ``"in"`` for the inputs or ``"out"`` for the outputs.
      radius: number of equations shown before and after.
      max_lines: lines shown of the other equations.
    """
    printer = Printer(weak=True)
    printer.share(jaxpr)
    scope = printer.scope(jaxpr, inner=False)
    header = layout(printer.header(jaxpr, scope), 76)
    # All equations, so that variables have the names they have in the complete text.
    eqns = [layout(printer.eqn(eqn, scope), 76) for eqn in jaxpr.eqns]
    results = layout(printer.results(jaxpr, scope), 76) + " }"
    middle = at if isinstance(at, int) else len(eqns) if at == "out" else 0
    first, last = max(0, middle - radius), min(len(eqns), middle + radius + 1)

    out = [_marked(header, 0, at == "in")]
    if first:
        out.append(_marked(f"... {first} equations", 4, False))
    for i in range(first, last):
        lines = eqns[i].split("\n")
        if i != at and len(lines) > max_lines:
            lines = [*lines[: max_lines - 1], "  ..."]
        out.append(_marked("\n".join(lines), 4, i == at))
    if last < len(eqns):
        out.append(_marked(f"... {len(eqns) - last} equations", 4, False))
    out.append(_marked(results, 2, at == "out"))
    return "\n".join(out)


def _marked(text: str, indent: int, marked: bool) -> str:
    """``text`` indented, with a mark before its first line."""
    pad = " " * indent
    first = ("> " if marked else "  ") + pad
    return first + text.replace("\n", "\n  " + pad)


printing_hooks.install(eqn_text, jaxpr_text)
