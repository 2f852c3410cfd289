"""Programs for given sizes, from programs for symbolic ones.

A program for symbolic shapes is a jaxpr whose types and parameters have expressions where others have numbers. For
values of the variables every expression becomes a number, and the value of a dimension a literal. The result is
verified as every jaxpr is: each operation computes its types from the numbers, so a program that a size does not fit is
refused.

May import ``core``, ``ops.dim_as_value`` and ``exports.dimensions``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from fungrad.core.avals import ShapedArray
from fungrad.core.check import check_jaxpr
from fungrad.core.dimensions import LARGEST_SYMBOLIC, SymbolicDim, is_symbolic, least_value
from fungrad.core.ir import Atom, Eqn, Jaxpr, Literal, Var
from fungrad.errors import InconclusiveDimensionOperation, JaxprTypeError
from fungrad.exports.dimensions import Dim
from fungrad.ops.dim_as_value import dim_as_value


def at_sizes(jaxpr: Jaxpr, values: dict[str, Any], name: str) -> Jaxpr:
    """The program for some sizes.

    Args:
      jaxpr: a program for symbolic shapes, without Python functions among its parameters.
      values: values of its variables: integers, or expressions of one other scope.
      name: of the function, for messages.

    Raises:
      ValueError: an operation of the program is not possible for these sizes.
    """
    found = _Substitution(values)
    sizes = ", ".join(f"{k} = {v}" for k, v in values.items())
    try:
        out = found.jaxpr(jaxpr)
        check_jaxpr(out, f"{name} for {sizes}")
    except (JaxprTypeError, ValueError, ArithmeticError, InconclusiveDimensionOperation) as error:
        raise ValueError(
            f"fungrad.export: {name} was exported for symbolic shapes and is not possible for {sizes}: {error}"
        ) from error
    return out


class _Substitution:
    """Replaces expressions by values in jaxprs and in what stands in their parameters."""

    def __init__(self, values: dict[str, Any]):
        self.values = values
        self.jaxprs: dict[int, Jaxpr] = {}

    def jaxpr(self, jaxpr: Jaxpr) -> Jaxpr:
        """A jaxpr with values for the variables."""
        found = self.jaxprs.get(id(jaxpr))
        if found is None:
            found = self.jaxprs[id(jaxpr)] = self._new_jaxpr(jaxpr)
        return found

    def _new_jaxpr(self, jaxpr: Jaxpr) -> Jaxpr:
        new: dict[Atom, Atom] = {}

        def define(v: Var) -> Var:
            new[v] = out = Var(self.value(v.aval))
            return out

        constvars, invars = [define(v) for v in jaxpr.constvars], [define(v) for v in jaxpr.invars]
        eqns = []
        for eqn in jaxpr.eqns:
            params = {k: self.value(v) for k, v in eqn.params.items()}
            if eqn.primitive is dim_as_value and not is_symbolic(params["dim"]):
                new[eqn.outvars[0]] = Literal(params["dim"], eqn.outvars[0].aval)
                continue
            invars_of = [a if type(a) is Literal else new[a] for a in eqn.invars]
            eqns.append(Eqn(eqn.primitive, invars_of, params, [define(v) for v in eqn.outvars], eqn.source))
        outvars = [a if type(a) is Literal else new[a] for a in jaxpr.outvars]
        return Jaxpr(constvars, invars, outvars, eqns, jaxpr.consts, jaxpr.debug)

    def value(self, value: Any) -> Any:
        """A parameter, or a part of one."""
        if isinstance(value, SymbolicDim):
            return value.evaluate(self.values)
        if isinstance(value, ShapedArray):
            return self.aval(value)
        if isinstance(value, Jaxpr):
            return self.jaxpr(value)
        if isinstance(value, tuple):
            items = [self.value(v) for v in value]
            if all(a is b for a, b in zip(items, value, strict=True)):
                return value
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, frozenset):
            return frozenset([self.value(v) for v in value])
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changes = {f.name: self.value(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
            if all(v is getattr(value, k) for k, v in changes.items()):
                return value
            return dataclasses.replace(value, **changes)
        return value

    def aval(self, aval: ShapedArray) -> ShapedArray:
        """A type with values for the variables."""
        if not any(is_symbolic(d) for d in aval.shape):
            return aval
        out = aval.update(shape=self.value(aval.shape))
        # Integers that hold positions have been chosen for that.
        if least_value(out.size) > LARGEST_SYMBOLIC:
            raise ValueError(f"arrays with symbolic dimensions must have less than 2**31 elements, got {out}")
        return out


def expressions(value: Any) -> Iterator[Dim]:
    """The expressions in types, jaxprs, and what stands in parameters."""
    if isinstance(value, Dim):
        yield value
    elif isinstance(value, ShapedArray):
        yield from expressions(value.shape)
    elif isinstance(value, Jaxpr):
        for v in value.all_invars:
            yield from expressions(v.aval)
        for eqn in value.eqns:
            yield from expressions(tuple(eqn.params.values()))
            for v in eqn.outvars:
                yield from expressions(v.aval)
    elif isinstance(value, (tuple, frozenset)):
        for item in value:
            yield from expressions(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from expressions(tuple([getattr(value, f.name) for f in dataclasses.fields(value)]))
