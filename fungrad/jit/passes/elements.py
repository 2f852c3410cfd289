"""Pass ``elements``: scalar replacement of aggregates. Computes the elements of small arrays one by one where they are
used one by one.

The right-hand side of an ordinary differential equation is often written as ``stack([f(y[0], y[1]), g(y[0], y[1])])``.
Taken literally, every stage of an integrator fills a tiny array and picks it apart again, and under ``vmap`` the lanes
of the batch are two, three numbers apart. Here an element of an elementwise result that is only ever picked apart
becomes the same operation on elements of the operands, and an element of a joined array becomes the array that was
joined; the tiny arrays vanish, and a batch runs over whole vectors of lanes.

Contract: a ``slice`` of one index along one axis (and everything along the others) moves in front of elementwise
operations whose result is not used in any other way, and through ``stack``, ``concatenate``, broadcasts and other
such slices wherever it meets them. Values are the same, bit for bit.
"""

from __future__ import annotations

from typing import Any

from fungrad.core.ir import Atom, Builder, Eqn, Jaxpr, Var, substitute
from fungrad.jit.ir import tuning
from fungrad.ops.foundation import broadcast_in_dim_p, reshape_p
from fungrad.ops.joining import concatenate_p, stack_p
from fungrad.ops.shape import slice_p


def elements(jaxpr: Jaxpr) -> Jaxpr:
    """Moves slices of single elements towards the inputs, in one backward sweep."""
    if not any(_element(eqn) for eqn in jaxpr.eqns):
        return jaxpr
    sweep = _Sweep(jaxpr)
    for eqn in reversed(jaxpr.eqns):
        sweep.visit(eqn)
    return sweep.result() if sweep.env else jaxpr


def _element(eqn: Eqn) -> tuple[int, int] | None:
    """Axis and index if the equation takes one index along one axis and everything along the others."""
    if eqn.primitive is not slice_p:
        return None
    shape = eqn.invars[0].aval.shape
    starts, limits = eqn.params["start_indices"], eqn.params["limit_indices"]
    cut = [d for d, n in enumerate(shape) if (starts[d], limits[d]) != (0, n)]
    if len(cut) != 1 or limits[cut[0]] - starts[cut[0]] != 1:
        return None
    return cut[0], starts[cut[0]]


class _Sweep:
    """The backward sweep: what reads each variable so far, and what is put in front of each equation."""

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = jaxpr
        self.slices: dict[Var, list[Eqn]] = {}
        self.otherwise: set[Any] = set(jaxpr.outvars)
        self.env: dict[Var, Atom] = {}
        # In reverse order: an equation, and then what must stand behind it.
        self.eqns: list[Eqn] = []
        self.gained = 0

    def visit(self, eqn: Eqn) -> None:
        if len(eqn.outvars) == 1:
            slices = self.slices.get(eqn.outvars[0])
            if slices and self._split(eqn, slices) and eqn.outvars[0] not in self.otherwise:
                return
        self._keep(eqn)

    def result(self) -> Jaxpr:
        env = self.env
        for v in list(env):
            while type(env[v]) is Var and env[v] in env:
                env[v] = env[env[v]]  # type: ignore[index]
        eqns = [substitute(e, env) for e in reversed(self.eqns) if len(e.outvars) != 1 or e.outvars[0] not in env]
        return self.jaxpr.rewritten(eqns, env)

    def _keep(self, eqn: Eqn) -> None:
        """Records an equation that stays, and how it reads its operands."""
        self.eqns.append(eqn)
        if _element(eqn) is not None:
            if type(eqn.invars[0]) is Var:
                self.slices.setdefault(eqn.invars[0], []).append(eqn)
            return
        self.otherwise.update(a for a in eqn.invars if type(a) is Var)

    def _split(self, eqn: Eqn, slices: list[Eqn]) -> bool:
        """Replaces the slices of a result by what they are slices of; whether that went well for all of them."""
        out = eqn.outvars[0]
        places = {place for s in slices if (place := _element(s)) is not None}
        apart = eqn.primitive.kind == "elementwise"
        if apart:
            alone = out not in self.otherwise and len({axis for axis, _ in places}) == 1
            cost = len(places) * len(eqn.invars)
            if not alone or len(places) > tuning.FEW_ELEMENTS or self.gained + cost > tuning.GAINED_EQUATIONS:
                return False
            self.gained += cost
        found: dict[tuple[int, int], Atom] = {}
        for axis, index in sorted(places):
            builder = Builder()
            atom = (_operate if apart else _through)(builder, eqn, axis, index)
            if atom is not None and atom.aval is slices[0].outvars[0].aval.update(shape=atom.aval.shape):
                found[axis, index] = atom
                for new in reversed(builder.eqns):
                    self._keep(new)
        for s in slices:
            atom = found.get(_element(s))  # type: ignore[arg-type]
            if atom is not None:
                self.env[s.outvars[0]] = atom
        return len(found) == len(places)


def _slice(builder: Builder, x: Atom, axis: int, index: int, source: Any) -> Atom:
    """The element ``index`` of ``x`` along ``axis``, as a dimension of size 1."""
    shape = x.aval.shape
    if shape[axis] == 1:
        return x
    starts, limits = [0] * len(shape), list(shape)
    starts[axis], limits[axis] = index, index + 1
    params = {"start_indices": tuple(starts), "limit_indices": tuple(limits), "strides": None}
    return builder.add(slice_p, [x], params, source)[0]


def _operate(builder: Builder, eqn: Eqn, axis: int, index: int) -> Atom | None:
    """An elementwise operation on elements of its operands."""
    rank = eqn.outvars[0].aval.ndim
    operands = [_slice(builder, a, axis, index, eqn.source) if a.aval.ndim == rank else a for a in eqn.invars]
    return builder.add(eqn.primitive, operands, eqn.params, eqn.source)[0]


def _through(builder: Builder, eqn: Eqn, axis: int, index: int) -> Atom | None:
    """The element of a result that only moves elements, in terms of its operands; None for other operations."""
    primitive, params = eqn.primitive, eqn.params
    if primitive is stack_p and axis == params["axis"]:
        x = eqn.invars[index]
        shape = x.aval.shape
        wide = {"new_sizes": (*shape[:axis], 1, *shape[axis:]), "dimensions": None}
        return builder.add(reshape_p, [x], wide, eqn.source)[0]
    if primitive is concatenate_p and axis == params["dimension"]:
        for x in eqn.invars:
            size = x.aval.shape[axis]
            if index < size:
                return _slice(builder, x, axis, index, eqn.source)
            index -= size
    if primitive is broadcast_in_dim_p and len(eqn.invars) == 1:
        return _through_broadcast(builder, eqn, axis, index)
    if primitive is slice_p and params["strides"] is None:
        return _through_slice(builder, eqn, axis, index)
    return None


def _through_broadcast(builder: Builder, eqn: Eqn, axis: int, index: int) -> Atom:
    (x,), dims = eqn.invars, tuple(eqn.params["broadcast_dimensions"])
    if axis in dims:
        x = _slice(builder, x, dims.index(axis), index, eqn.source)
    shape = list(eqn.params["shape"])
    shape[axis] = 1
    return builder.add(eqn.primitive, [x], {**eqn.params, "shape": tuple(shape)}, eqn.source)[0]


def _through_slice(builder: Builder, eqn: Eqn, axis: int, index: int) -> Atom:
    starts, limits = list(eqn.params["start_indices"]), list(eqn.params["limit_indices"])
    starts[axis] += index
    limits[axis] = starts[axis] + 1
    params = {**eqn.params, "start_indices": tuple(starts), "limit_indices": tuple(limits)}
    return builder.add(eqn.primitive, [eqn.invars[0]], params, eqn.source)[0]
