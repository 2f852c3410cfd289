"""Lowering of values and jaxprs with compound types to arrays: those of users' own (``core.hitypes``), and random keys.

A jaxpr is high if such a type or an operation on one is anywhere in it. Transformations map high jaxprs as any other.
What runs is the low jaxpr: its inputs and outputs are the arrays that make up the values, and each operation that
knows such types is replaced by what it is in terms of arrays (``Primitive.expand``). Inside of ``expand`` values are
instances of the users' classes, with arrays or tracers in them. Keys of other generators than threefry2x32 are arrays
to transformations, and are lowered to their words (``core.key_values``).

May import ``core.ir``, ``core.key_values``, ``core.primitive`` and ``core.staging``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from fungrad.core.array import as_array
from fungrad.core.avals import same_type
from fungrad.core.ir import Jaxpr, Literal
from fungrad.core.key_values import bind_on_words, keys_of, words_aval, words_of
from fungrad.core.primitive import Primitive
from fungrad.core.source import attributed
from fungrad.core.staging import DebugInfo, trace_flat


def low_avals(avals: Sequence[Any]) -> list[Any]:
    """Types of the arrays that make up values of these types."""
    return [lo for aval in avals for lo in _parts(aval)]


def _parts(aval: Any) -> list[Any]:
    return [words_aval(aval)] if aval.compound and not aval.is_high else aval.lo_ty()  # type: ignore[no-any-return]


def lowered(values: Sequence[Any], avals: Sequence[Any]) -> list[Any]:
    """The arrays that make up values.

    Raises:
      TypeError: a value is not made up of what its type announces.
    """
    out: list[Any] = []
    for x, aval in zip(values, avals, strict=True):
        if not aval.is_high:
            out.append(words_of(x) if aval.compound else as_array(x))
            continue
        los = [as_array(lo) for lo in aval.lower_val(x)]
        expected = aval.lo_ty()
        if len(los) != len(expected) or not all(map(same_type, [lo.aval for lo in los], expected)):
            raise TypeError(
                f"{type(aval).__name__}: lo_ty announces [{', '.join(map(str, expected))}] for a value of type "
                f"{aval.short()}, but lower_val returned [{', '.join(str(lo.aval) for lo in los)}]"
            )
        out += los
    return out


def raised(los: Sequence[Any], avals: Sequence[Any]) -> list[Any]:
    """The values of these types that arrays make up."""
    given = iter(los)
    return [
        aval.raise_val(*itertools.islice(given, len(aval.lo_ty())))
        if aval.is_high or not aval.compound
        else keys_of(next(given), aval)
        for aval in avals
    ]


def lower_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """The low jaxpr of a jaxpr without constants; it may have some."""
    if not jaxpr.is_high:
        return jaxpr
    found = jaxpr.memo.get("low")
    if found is None:

        def fun(*los: Any) -> list[Any]:
            outs = eval_low(jaxpr, raised(los, jaxpr.in_avals))
            return lowered(outs, jaxpr.out_avals)

        found = trace_flat(fun, low_avals(jaxpr.in_avals), jaxpr.debug or DebugInfo("jaxpr", (), "jit"))
        jaxpr.memo["low"] = found
    return found  # type: ignore[no-any-return]


def eval_low(jaxpr: Jaxpr, args: Sequence[Any]) -> list[Any]:
    """The results of a jaxpr without constants, with its operations on compound types expanded."""
    env: dict[Any, Any] = dict(zip(jaxpr.invars, args, strict=True))

    def read(a: Any) -> Any:
        return a.array if isinstance(a, Literal) else env[a]

    for eqn in jaxpr.eqns:
        operands = [read(a) for a in eqn.invars]
        with attributed(eqn.source):
            if eqn.primitive.is_high_in(eqn.params):
                out = eqn.primitive.expanded(operands, eqn.params)
            elif any(v.aval.compound for v in eqn.invars):
                out = bind_on_words(eqn.primitive, operands, eqn.params, [v.aval for v in eqn.outvars])
            else:
                out = eqn.primitive.bind(*operands, **eqn.params)
        env.update(zip(eqn.outvars, out if eqn.primitive.multiple_results else [out], strict=True))
    return [read(a) for a in jaxpr.outvars]


def expand_call(primitive: Primitive, args: Sequence[Any], params: dict[str, Any], name: str) -> list[Any]:
    """``Primitive.expand`` of a call of the jaxpr that is the parameter ``name``: a call of the low jaxpr."""
    jaxpr = params[name]
    low = lower_jaxpr(jaxpr)
    changed = {**params, name: low.with_consts_as_inputs()}
    return raised(primitive.bind(*low.consts, *lowered(args, jaxpr.in_avals), **changed), jaxpr.out_avals)
