"""Pass ``accumulate``: sparse accumulation of cotangents. Adds parts to arrays where they belong, instead of whole
arrays of zeros with a part in them.

The derivative of a read of part of an array is an array of zeros with the cotangent put or added at its place, and
the cotangents of all reads are added up. In a loop whose steps read parts of an array from outside that would go
through the whole array in each step. Here ``a + scatter_add(0, i, u)`` becomes ``scatter_add(a, i, u)``, and likewise
with ``scatter``, ``scatter_sub``, ``dynamic_update_slice`` and small ``pad``; and where the zeros are what a ``scan``
starts to add to, it starts from ``a`` instead.

Contract: values are the same but for rounding, since terms are added in another order, and for the sign of zeros that
nothing is added to: ``-0.0 + 0.0`` is ``0.0``, and here stays ``-0.0``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fungrad.core.ir import Atom, Builder, Eqn, Jaxpr, Literal, Var, substitute
from fungrad.core.jaxpr_parts import makers, uses
from fungrad.core.primitive import Primitive
from fungrad.jit.ir import tuning
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.cast import convert_element_type_p
from fungrad.ops.dynamic import dynamic_update_slice_p
from fungrad.ops.elementwise import add_p
from fungrad.ops.foundation import add_any_p, broadcast_in_dim_p, reshape_p
from fungrad.ops.indexing import ScatterDimensionNumbers, scatter_add_p
from fungrad.ops.joining import concatenate_p
from fungrad.ops.scatter import scatter_p, scatter_sub_p
from fungrad.ops.shape import pad_p

_SUMS = (add_p, add_any_p)
_UPDATES = (scatter_add_p, scatter_sub_p)


def accumulate(jaxpr: Jaxpr) -> Jaxpr:
    """Rewrites sums with parts, in one sweep."""
    if not any(eqn.primitive in _SUMS for eqn in jaxpr.eqns):
        return jaxpr
    return _Sweep(jaxpr).result()


class _Sweep:
    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = jaxpr
        self.made = makers(jaxpr)
        self.at: dict[Atom, int] = {v: n for n, eqn in enumerate(jaxpr.eqns) for v in eqn.outvars}
        self.uses = uses(jaxpr)
        # What loops start from instead of zeros: by equation, the operand at a position.
        self.starts: dict[int, dict[int, Atom]] = {}

    def result(self) -> Jaxpr:
        """The jaxpr after the sweep."""
        inner = {
            a
            for eqn in self.jaxpr.eqns
            if _is_sum(eqn)
            for a in eqn.invars
            if (made := self._made_for_this(a)) is not None and _is_sum(made)
        }
        # Whole sums are looked at, from their last addition.
        sums = [eqn for eqn in self.jaxpr.eqns if _is_sum(eqn) and eqn.outvars[0] not in inner]
        found = {eqn.outvars[0]: new for eqn in sums if (new := self.sum(eqn)) is not None}
        if not found:
            return self.jaxpr
        env: dict[Var, Atom] = {}
        eqns: list[Eqn] = []
        for eqn in self.jaxpr.eqns:
            new = found.get(eqn.outvars[0]) if eqn.outvars else None
            if new is not None:
                eqns += [substitute(e, env) for e in new[0]]
                env[eqn.outvars[0]] = env.get(new[1], new[1])  # type: ignore[arg-type]
                continue
            starts = self.starts.get(id(eqn))
            if starts:
                eqn = eqn.replace(invars=tuple([starts.get(n, a) for n, a in enumerate(eqn.invars)]))
            eqns.append(substitute(eqn, env))
        return self.jaxpr.rewritten(eqns, env)

    def sum(self, eqn: Eqn) -> tuple[list[Eqn], Atom] | None:
        """New equations for a sum, and the atom that holds it; None if it has no part."""
        out = eqn.outvars[0].aval
        # A sum of another type (usually only of its weakness) than its terms stays.
        if out.size <= tuning.FEW_ELEMENTS or any(a.aval is not out for a in self._terms(eqn)):
            return None
        whole: list[Atom] = []
        parts: list[Eqn] = []
        loops: list[Var] = []
        zeros = 0
        for term in self._terms(eqn):
            if self._is_zero(term):
                zeros += 1
            elif (found := self._parts(term)) is not None:
                parts += found
            elif self._adds_from_zero(term):
                loops.append(term)  # type: ignore[arg-type]
            else:
                whole.append(term)
        continued = self._continue(loops, whole)
        if not continued and not (parts and (whole or len(parts) > 1 or zeros)):
            return None
        builder = Builder()
        if whole:
            total = whole[0]
            for term in whole[1:]:
                (total,) = builder.add(eqn.primitive, [total, term], {}, eqn.source)
        else:
            zero = Literal(np.zeros((), out.dtype)[()], out.update(shape=(), weak_type=False))
            broadcast = {"shape": out.shape, "broadcast_dimensions": ()}
            (total,) = builder.add(broadcast_in_dim_p, [zero], broadcast, eqn.source)
        for part in parts:
            total = _added(builder, total, part)
        return builder.eqns, total

    def _continue(self, loops: Sequence[Var], whole: list[Atom]) -> bool:
        """Lets loops that add to zeros add to one of the other terms instead, which is then no term any more."""
        some = False
        for a in sorted(loops, key=lambda v: self.at[v]):
            scan = self.made[a]
            ready = [t for t in whole if type(t) is Var and self.at.get(t, -1) < self.at[a]]
            if ready:
                k = scan.params["num_consts"] + scan.outvars.index(a)
                self.starts.setdefault(id(scan), {})[k] = ready[0]
                whole.remove(ready[0])
                some = True
            whole.append(a)
        return some

    def _terms(self, eqn: Eqn) -> list[Atom]:
        """The terms of a sum, through additions whose results nothing else uses."""
        found: list[Atom] = []
        for a in eqn.invars:
            made = self._made_for_this(a)
            if made is not None and _is_sum(made):
                found += self._terms(made)
            else:
                found.append(a)
        return found

    def _made_for_this(self, a: Atom) -> Eqn | None:
        """The equation that makes an atom which is used once."""
        return self.made.get(a) if self.uses[a] == 1 else None

    def _is_zero(self, a: Atom) -> bool:
        """Whether an array consists of zeros."""
        if type(a) is Literal:
            return bool(a.val == 0)
        made = self.made.get(a)
        return made is not None and made.primitive is broadcast_in_dim_p and self._is_zero(made.invars[0])

    def _parts(self, a: Atom) -> list[Eqn] | None:
        """The updates of zeros that make up an array, in order; None if it is something else."""
        made = self._made_for_this(a)
        if made is None or not made.invars:  # nothing goes into the positions of ``iota``
            return None
        primitive, first = made.primitive, made.invars[0]
        if primitive in _UPDATES:
            if self._is_zero(first):
                return [made]
            before = self._parts(first)
            return None if before is None else [*before, made]
        if primitive is scatter_p and made.params["unique_indices"] and self._is_zero(first):
            return [made]
        if primitive is dynamic_update_slice_p and self._is_zero(first):
            return [made]
        if primitive is not pad_p or not self._is_zero(made.invars[1]):
            return None
        small = first.aval.size * tuning.PADDED_PARTS <= a.aval.size
        config = made.params["padding_config"]
        return [made] if small and all(low >= 0 and high >= 0 and gap == 0 for low, high, gap in config) else None

    def _adds_from_zero(self, a: Atom) -> bool:
        """Whether an atom is what a carry of a loop becomes that begins as zeros, and to which each step only adds."""
        scan = self._made_for_this(a)
        if scan is None or scan.primitive.name != "scan":
            return False
        k = next(n for n, v in enumerate(scan.outvars) if v is a)
        n_consts, body = scan.params["num_consts"], scan.params["jaxpr"]
        if k >= scan.params["num_carry"]:
            return False
        start = scan.invars[n_consts + k]
        return (
            start.aval is a.aval
            and self._is_zero(start)
            and _only_adds(body, body.invars[n_consts + k], body.outvars[k])
        )


def _is_sum(eqn: Eqn) -> bool:
    if eqn.primitive not in _SUMS:
        return False
    aval = eqn.outvars[0].aval
    return all((a.aval.shape, a.aval.dtype) == (aval.shape, aval.dtype) for a in eqn.invars)


def _only_adds(body: Jaxpr, carry: Var, result: Atom) -> bool:
    """Whether a new carry is the old one and something added, and nothing else reads the old one."""
    used, made = uses(body), makers(body)
    pending = [result]
    met = False
    while pending:
        a = pending.pop()
        if used[a] != 1:
            continue
        if a is carry:
            met = True
        elif a in made and _is_sum(made[a]):
            pending += made[a].invars
        elif a in made and made[a].primitive in _UPDATES:
            pending.append(made[a].invars[0])
    return met


def _added(builder: Builder, total: Atom, part: Eqn) -> Atom:
    """Adds a part to an array."""
    return _ADDED[part.primitive](builder, total, part)


def _scattered(builder: Builder, total: Atom, part: Eqn) -> Atom:
    # Unique updates of zeros are what is added.
    primitive = scatter_add_p if part.primitive is scatter_p else part.primitive
    return builder.add(primitive, [total, *part.invars[1:]], part.params, part.source)[0]


def _sliced(builder: Builder, total: Atom, part: Eqn) -> Atom:
    _, update, *starts = part.invars
    cut = [d for d, n in enumerate(update.aval.shape) if n != total.aval.shape[d]]
    return _window(builder, total, update, cut, [starts[d] for d in cut], part)


def _padded(builder: Builder, total: Atom, part: Eqn) -> Atom:
    update = part.invars[0]
    config = part.params["padding_config"]
    cut = [d for d, n in enumerate(update.aval.shape) if n != total.aval.shape[d]]
    aval = total.aval.update(shape=(), dtype=np.dtype(np.int64), weak_type=False)
    starts: list[Atom] = [Literal(np.int64(config[d][0]), aval) for d in cut]
    return _window(builder, total, update, cut, starts, part)


def _window(builder: Builder, total: Atom, update: Atom, cut: Sequence[int], starts: Sequence[Atom], part: Eqn) -> Atom:
    """Adds an update at one position, which is moved inside as that of ``dynamic_update_slice`` is.

    Args:
      builder: takes the equations.
      total: what is added to.
      update: of as many dimensions.
      cut: the dimensions in which it is smaller.
      starts: where it starts in these.
      part: where all that comes from.
    """
    if not cut:
        return builder.add(add_any_p, [total, update], {}, part.source)[0]
    dtypes = {a.aval.dtype for a in starts}
    joined: list[Atom] = []
    for a in starts:
        if len(dtypes) > 1:
            convert = {"new_dtype": np.dtype(np.int64), "weak_type": False}
            (a,) = builder.add(convert_element_type_p, [a], convert, part.source)
        shape = {"new_sizes": (1,), "dimensions": None}
        joined += builder.add(reshape_p, [a], shape, part.source)
    if len(joined) > 1:
        joined = [*builder.add(concatenate_p, joined, {"dimension": 0}, part.source)]
    params = {
        "dimension_numbers": ScatterDimensionNumbers(tuple(range(update.aval.ndim)), (), tuple(cut)),
        "indices_are_sorted": True,
        "unique_indices": True,
        "mode": GatherScatterMode.CLIP,
    }
    return builder.add(scatter_add_p, [total, joined[0], update], params, part.source)[0]


_ADDED: dict[Primitive, Callable[[Builder, Atom, Eqn], Atom]] = {
    scatter_add_p: _scattered,
    scatter_sub_p: _scattered,
    scatter_p: _scattered,
    dynamic_update_slice_p: _sliced,
    pad_p: _padded,
}
