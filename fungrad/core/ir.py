"""The intermediate representation: variables, literals, equations and ``Jaxpr``.

A jaxpr is a function as data: constants and inputs, a list of equations that each apply one primitive, and outputs.
There is one class for it.  Captured arrays are explicit leading inputs (``constvars``) with their values attached
(``consts``); jaxprs inside equation parameters never have any.

May import ``core.avals`` and ``core.array``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fungrad.core import printing_hooks
from fungrad.core.array import ArrayImpl, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.sharded_types import typing
from fungrad.core.source import where

if TYPE_CHECKING:
    from fungrad.core.primitive import Primitive


class Var:
    """A variable, identified by the object itself; names are given by the printer."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var({self.aval.short()})"


class Literal:
    """A scalar constant written into an equation.

    Attributes:
      val: NumPy scalar of dtype ``aval.dtype``.
      aval: 0-d aval.
    """

    __slots__ = ("val", "aval", "_data", "key")

    def __init__(self, val: Any, aval: ShapedArray):
        if aval.shape:
            raise TypeError(f"Literal: only scalars may be literals, got {aval.str_short()}")
        data = np.asarray(val, aval.dtype)
        self.val = data[()]
        self.aval = aval
        self._data = data
        # Bytes, so that -0.0 and 0.0 differ and NaN equals itself.
        self.key = (aval, data.tobytes())

    @property
    def array(self) -> ArrayImpl:
        """The constant as a new 0-d ``Array``: whoever gets it may delete it."""
        return wrap_unchecked(self._data, self.aval)

    def __repr__(self) -> str:
        return f"Literal({self.val}:{self.aval.str_short()})"


Atom = Var | Literal


class Eqn:
    """One application of a primitive: ``outvars = primitive[params] invars``.

    Attributes:
      primitive: the ``Primitive``.
      invars: operands, ``Var`` or ``Literal``.
      params: static parameters by name, all hashable.
      outvars: results.
      source: where the user's code asked for it, a ``core.source.Source`` or None.
    """

    __slots__ = ("primitive", "invars", "params", "outvars", "source")

    def __init__(
        self,
        primitive: Primitive,
        invars: Sequence[Atom],
        params: dict[str, Any],
        outvars: Sequence[Var],
        source: Any = None,
    ):
        self.primitive = primitive
        self.invars = tuple(invars)
        self.params = params
        self.outvars = tuple(outvars)
        self.source = source

    def replace(self, **changes: Any) -> Eqn:
        """The equation with some fields replaced."""
        fields = {name: getattr(self, name) for name in Eqn.__slots__}
        return Eqn(**{**fields, **changes})

    @property
    def has_effects(self) -> bool:
        """Whether the equation must run even if its results are unused."""
        return self.primitive.has_effects or any(j.has_effects for j in jaxprs_in_params(self.params))

    @property
    def observes(self) -> bool:
        """Whether the equation has effects, and they are to show values."""
        if self.primitive.has_effects:
            return self.primitive.observes
        inside = [eqn for j in jaxprs_in_params(self.params) if j.has_effects for eqn in j.eqns if eqn.has_effects]
        return bool(inside) and all(eqn.observes for eqn in inside)

    @property
    def effects(self) -> frozenset:
        """Non-empty exactly if the equation has effects."""
        return frozenset(("effect",)) if self.has_effects else frozenset()

    @property
    def source_info(self) -> Any:
        """JAX's name of ``source``."""
        return self.source

    def __repr__(self) -> str:
        return printing_hooks.eqn_text(self)


class Jaxpr:
    """A function in the intermediate representation. Immutable.

    Attributes:
      constvars: variables of captured arrays; empty in jaxprs inside parameters.
      invars: input variables.
      eqns: equations in an order in which they can run.
      outvars: outputs, ``Var`` or ``Literal``.
      consts: values of ``constvars``: arrays, or tracers of enclosing transformations.
      debug: names of the function, its arguments and results, for messages (``DebugInfo``) or None.

    Example:
      >>> import fungrad
      >>> print(fungrad.make_jaxpr(lambda x: 2.0 * x + 1.0)(3.0))
      { lambda ; a:f32[]. let
          b:f32[] = mul 2.0:f32[] a
          c:f32[] = add b 1.0:f32[]
        in (c,) }
    """

    __slots__ = (
        "constvars",
        "invars",
        "eqns",
        "outvars",
        "consts",
        "debug",
        "_key",
        "_hash",
        "_effects",
        "_high",
        "memo",
        "__weakref__",
    )

    def __init__(
        self,
        constvars: Sequence[Var],
        invars: Sequence[Var],
        outvars: Sequence[Atom],
        eqns: Sequence[Eqn],
        consts: Sequence[Any] = (),
        debug: Any = None,
    ):
        if len(constvars) != len(consts):
            raise ValueError(f"Jaxpr: {len(constvars)} constvars but {len(consts)} consts")
        self.constvars = tuple(constvars)
        self.invars = tuple(invars)
        self.outvars = tuple(outvars)
        self.eqns = tuple(eqns)
        self.consts = tuple(consts)
        self.debug = debug
        self._key: Any = None
        self._hash: int | None = None
        self._effects: bool | None = None
        self._high: bool | None = None
        # Results of functions of this jaxpr (derivatives, compiled programs), by function and arguments.
        self.memo: dict[Any, Any] = {}

    @property
    def all_invars(self) -> tuple[Var, ...]:
        """``constvars`` followed by ``invars``."""
        return self.constvars + self.invars

    @property
    def in_avals(self) -> tuple[ShapedArray, ...]:
        """Avals of ``invars``."""
        return tuple(v.aval for v in self.invars)

    @property
    def out_avals(self) -> tuple[ShapedArray, ...]:
        """Avals of ``outvars``."""
        return tuple(v.aval for v in self.outvars)

    @property
    def jaxpr(self) -> Jaxpr:
        """The jaxpr itself: JAX separates closed and open jaxprs, fungrad has one class."""
        return self

    @property
    def literals(self) -> tuple[Any, ...]:
        """JAX's older name of ``consts``."""
        return self.consts

    @property
    def has_effects(self) -> bool:
        """Whether some equation must run even if its results are unused."""
        if self._effects is None:
            self._effects = any(eqn.has_effects for eqn in self.eqns)
        return self._effects

    @property
    def effects(self) -> frozenset:
        """Non-empty exactly if some equation has effects."""
        return frozenset(("effect",)) if self.has_effects else frozenset()

    @property
    def is_high(self) -> bool:
        """Whether a compound type (of a user's own, or of keys), or an operation on one, is anywhere in it."""
        if self._high is None:
            self._high = any(a.aval.compound for a in (*self.all_invars, *self.outvars)) or any(
                eqn.primitive.is_high_in(eqn.params) for eqn in self.eqns
            )
        return self._high

    @property
    def key(self) -> tuple:
        """Structure up to renaming of variables: equal keys mean equal functions (with identical consts)."""
        if self._key is None:
            self._key = _structural_key(self)
        return self._key

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.key)
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Jaxpr) and hash(self) == hash(other) and self.key == other.key)

    def replace(self, **changes: Any) -> Jaxpr:
        """The jaxpr with some of constvars, invars, outvars, eqns, consts, debug replaced."""
        names = ("constvars", "invars", "outvars", "eqns", "consts", "debug")
        fields = {name: getattr(self, name) for name in names}
        return Jaxpr(**{**fields, **changes})

    def rewritten(self, eqns: Sequence[Eqn], env: Mapping[Any, Atom]) -> Jaxpr:
        """The jaxpr with other equations, and with outputs replaced as ``env`` says."""
        return self.replace(eqns=eqns, outvars=[env.get(a, a) for a in self.outvars])

    def with_consts_as_inputs(self) -> Jaxpr:
        """The same function with its constants as leading inputs and none captured."""
        if not self.constvars:
            return self
        # Kept, so that what is derived from the result (programs, derivatives) is kept too.
        found = self.memo.get("with_consts_as_inputs")
        if found is None:
            found = Jaxpr((), self.all_invars, self.outvars, self.eqns, (), self.debug)
            self.memo["with_consts_as_inputs"] = found
        return found

    def __repr__(self) -> str:
        return printing_hooks.jaxpr_text(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return printing_hooks.jaxpr_html(self)

    def pretty_print(self, **options: Any) -> str:
        """Text of the jaxpr; see ``core.printing.jaxpr_text`` for the options."""
        return printing_hooks.jaxpr_text(self, **options)


def _structural_key(jaxpr: Jaxpr) -> tuple:
    number: dict[Var, int] = {}
    for var in jaxpr.all_invars:
        number[var] = len(number)

    def atom(a: Atom) -> Any:
        return a.key if isinstance(a, Literal) else number[a]

    eqns = []
    for eqn in jaxpr.eqns:
        ins = tuple([atom(a) for a in eqn.invars])
        for var in eqn.outvars:
            number[var] = len(number)
        eqns.append((eqn.primitive, ins, params_key(eqn.params), tuple([v.aval for v in eqn.outvars])))
    return (
        tuple([v.aval for v in jaxpr.all_invars]),
        len(jaxpr.constvars),
        tuple([id(c) for c in jaxpr.consts]),
        tuple(eqns),
        tuple([atom(a) for a in jaxpr.outvars]),
    )


def params_key(params: dict[str, Any]) -> tuple:
    """Hashable form of equation parameters."""
    if not params:
        return ()
    if len(params) == 1:
        return tuple(params.items())
    return tuple(sorted(params.items(), key=_first))


def _first(item: tuple) -> Any:
    return item[0]


def check_hashable(primitive: Primitive, params: dict[str, Any]) -> None:
    """Raises TypeError naming the parameter of an equation that is not hashable."""
    for name, value in params.items():
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"{primitive.name}: parameter {name!r} of a primitive must be hashable, got {value!r} of type "
                f"{type(value).__name__}; use tuples instead of lists, and pass arrays as operands"
            ) from None


def jaxprs_in_params(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """The jaxprs among the parameters of an equation, also inside tuples."""
    for value in params.values():
        if isinstance(value, Jaxpr):
            yield value
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Jaxpr):
                    yield item


def any_high(params: dict[str, Any]) -> bool:
    """Whether a jaxpr among the parameters of an equation is high."""
    return any(jaxpr.is_high for jaxpr in jaxprs_in_params(params))


def subjaxprs(jaxpr: Jaxpr) -> Iterator[Jaxpr]:
    """The jaxprs in the equations of ``jaxpr``, not recursively."""
    for eqn in jaxpr.eqns:
        yield from jaxprs_in_params(eqn.params)


def eval_jaxpr(jaxpr: Jaxpr, consts: Sequence[Any], *args: Any) -> list[Any]:
    """Applies ``jaxpr`` to ``args`` by binding its primitives in the current context.

    Args:
      jaxpr: the function.
      consts: values of its ``constvars`` (``jaxpr.consts`` to use the attached ones).
      *args: arrays or tracers, one per invar.

    Returns:
      The list of outputs.
    """
    env: dict[Var, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))

    def read(a: Atom) -> Any:
        return a.array if isinstance(a, Literal) else env[a]

    before, asked = where.source, typing.lenient
    typing.lenient = True
    try:
        for eqn in jaxpr.eqns:
            where.source = eqn.source or before
            out = eqn.primitive.bind(*[read(a) for a in eqn.invars], **eqn.params)
            if eqn.primitive.multiple_results:
                env.update(zip(eqn.outvars, out, strict=True))
            else:
                env[eqn.outvars[0]] = out
    finally:
        where.source, typing.lenient = before, asked
    return [read(a) for a in jaxpr.outvars]


def jaxpr_as_fun(jaxpr: Jaxpr) -> Callable[..., list[Any]]:
    """``jaxpr`` as a Python function of flat arguments that returns a list."""

    def fun(*args: Any) -> list[Any]:
        return eval_jaxpr(jaxpr, jaxpr.consts, *args)

    return fun


class Builder:
    """Builds a jaxpr equation by equation, for passes and rules that write jaxprs directly."""

    def __init__(self) -> None:
        self.eqns: list[Eqn] = []

    def add(
        self, primitive: Primitive, invars: Sequence[Atom], params: dict[str, Any], source: Any = None
    ) -> list[Var]:
        """Appends an equation and returns its result variables."""
        out = primitive.abstract(tuple([a.aval for a in invars]), params)
        outvars = [Var(a) for a in out] if primitive.multiple_results else [Var(out)]
        self.eqns.append(Eqn(primitive, invars, params, outvars, source))
        return outvars


def substitute(eqn: Eqn, env: Mapping[Any, Atom]) -> Eqn:
    """``eqn`` with operands replaced as ``env`` says."""
    invars = tuple([env.get(a, a) for a in eqn.invars])
    return eqn if invars == eqn.invars else eqn.replace(invars=invars)
