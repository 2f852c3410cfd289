"""The primitive ``cond``: runs one of several functions.

Its operands are an index and the operands that all branches take; the index is clamped. Where the
index is known, the rules are those of a call of that branch.

May import ``core``, ``ops``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

from fungrad.config import config
from fungrad.control._base import (
    HigherOrderPrimitive,
    draws_together,
    is_concrete,
    is_nonzero,
    pruned,
    rewired,
    tangents_of,
)
from fungrad.control.checked_bodies import checked_branches
from fungrad.control.shields import needs_shields, shielded, with_shared
from fungrad.core.avals import ShapedArray, same_type
from fungrad.core.context import AxisData, state
from fungrad.core.ir import Eqn, Jaxpr, Var, eval_jaxpr
from fungrad.core.jaxpr_parts import chosen, closed, memoised, used_inputs
from fungrad.core.lojax import lower_jaxpr, lowered, raised
from fungrad.core.nonfinite import within
from fungrad.core.primitive import is_linear
from fungrad.core.refs import RefsUsedError
from fungrad.jit.front.call import jit_p, program_of
from fungrad.ops.compare import clamp, eq, select_n
from fungrad.ops.foundation import batch_to, broadcast_in_dim
from fungrad.transforms.batching import batch_flat, batch_jaxpr
from fungrad.transforms.conditional_effects import when_jaxpr
from fungrad.transforms.forward import jvp_jaxpr
from fungrad.transforms.linearization import linearize_jaxpr
from fungrad.transforms.runtime_checks import EVERY, Errors, needs_checks, recharged
from fungrad.transforms.transposition import transpose_jaxpr

Branches = tuple[Jaxpr, ...]
T = TypeVar("T")


class Cond(HigherOrderPrimitive):
    """The results of the branch that the index, an int32 scalar, chooses."""

    def abstract_eval(
        self, index: ShapedArray, *avals: ShapedArray, branches: Branches
    ) -> Sequence[ShapedArray]:
        if index.shape or index.dtype != np.int32:
            raise TypeError(f"cond: the index must be of type i32[], got {index.str_short()}")
        outs = branches[0].out_avals
        for branch in branches:
            for what, wanted, given in (
                ("operands", branch.in_avals, avals),
                ("results", branch.out_avals, outs),
            ):
                if len(wanted) != len(given) or not all(map(same_type, wanted, given)):
                    expected, got = (
                        ", ".join(a.str_short() for a in group) for group in (wanted, given)
                    )
                    raise TypeError(f"cond: a branch has {what} of types ({expected}), not ({got})")
        weak = [
            all(w)
            for w in zip(*[[a.weak_type for a in b.out_avals] for b in branches], strict=True)
        ]
        return [a.update(weak_type=w) for a, w in zip(outs, weak, strict=True)]

    def impl(self, *args: np.ndarray, **params: Any) -> list[np.ndarray]:
        # Which branch runs is known, so the others need not be compiled.
        if config.disable_jit:
            return super().impl(*args, **params)
        return program_of(_taken(args[0], params["branches"]), "branch").run(list(args[1:]))

    def interpret(self, index: Any, *args: Any, **params: Any) -> list[Any]:
        with within(f"in branch {_number(index, params['branches'])} of cond"):
            return eval_jaxpr(_taken(index, params["branches"]), (), *args)

    def lower(self, ctx: Any, index: Any, *args: Any, branches: Branches) -> Any:
        return ctx.cond(index, branches, args)

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        index, *operands = args
        branches = params["branches"]
        low, captured = joined([lower_jaxpr(b) for b in branches])
        outs = self.bind(index, *captured, *lowered(operands, branches[0].in_avals), branches=low)
        return raised(outs, branches[0].out_avals)

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        both, captured = joined([when_jaxpr(b) for b in params["branches"]])
        return self.bind(args[0], *captured, condition, *args[1:], branches=both)

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        branches = params["branches"]
        found = checked_branches(branches, errors.kinds)
        if found is None:
            return self.bind(*args, **params)
        both, captured = joined(found.branches)
        outs = self.bind(args[0], *captured, *args[1:], branches=both)
        n = len(branches[0].outvars)
        errors.merge(outs[n], found.sites, outs[n + 1 :])
        return outs[:n]

    def bind_shielded(
        self, condition: Any, args: Sequence[Any], mapped: Sequence[bool], params: dict[str, Any]
    ) -> list[Any]:
        """The operation in a branch or step that shields its mapped operands; see ``control.shields``."""
        both, captured = joined([shielded(b, mapped[1:]) for b in params["branches"]])
        return self.bind(args[0], *captured, condition, *args[1:], branches=both)

    # -- derivatives ---------------------------------------------------------------------------

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, branches: Branches
    ) -> tuple[Any, Any]:
        index, *ops = primals
        dots = tangents[1:]
        given = is_nonzero(dots)
        if is_concrete(index):
            return jit_p.jvp(ops, dots, jaxpr=_taken(index, branches), name="branch")
        if not any(given):
            outs = self.bind(*primals, branches=branches)
            return outs, tangents_of([], [False] * len(outs), outs)
        nonzero = _any_of([jvp_jaxpr(b, given)[1] for b in branches])
        both, captured = joined([jvp_jaxpr(b, given, nonzero)[0] for b in branches])
        outs = self.bind(index, *captured, *ops, *chosen(dots, given), branches=both)
        n = len(nonzero)
        return outs[:n], tangents_of(outs[n:], nonzero, outs[:n])

    def linearize(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, branches: Branches
    ) -> tuple[Any, Any]:
        index, *ops = primals
        dots = tangents[1:]
        if is_concrete(index):
            return jit_p.linearize(ops, dots, jaxpr=_taken(index, branches), name="branch")
        given = tuple(is_nonzero(dots))
        split = _derived(branches, ("linearize", given), lambda: _linearized(branches, given))
        outs = self.bind(index, *split.forward_consts, *ops, branches=split.forward)
        n = len(branches[0].outvars)
        known = [*ops, *outs]
        residuals = [known[i] for i in split.sources]
        outs = outs[:n]
        if not any(split.nonzero):
            return outs, tangents_of([], split.nonzero, outs)
        out_dots = self.bind(
            index, *split.linear_consts, *residuals, *chosen(dots, given), branches=split.linear
        )
        return outs, tangents_of(out_dots, split.nonzero, outs)

    def transpose(
        self, cts: Sequence[Any], index: Any, *args: Any, branches: Branches
    ) -> Sequence[Any]:
        linear = tuple(map(is_linear, args))
        given = is_nonzero(cts)
        try:
            flags = iter(_any_of([transpose_jaxpr(b, linear, given)[1] for b in branches]))
        except RefsUsedError as found:
            raise NotImplementedError(
                f"fungrad.lax.cond: the rule for reverse mode of a function in a branch uses references of types "
                f"{', '.join(r.aval.str_short() for r in found.refs)}, which is possible only where the predicate is "
                "known; return the value from the branch, and use the reference outside"
            ) from None
        nonzero = [next(flags) if on else False for on in linear]

        def make() -> tuple[Branches, list[Any]]:
            return joined([_transposed(b, linear, given, nonzero) for b in branches])

        key = ("transpose", linear, tuple(given), tuple(nonzero))
        transposed, captured = _derived(branches, key, make)
        fixed = [x for x in args if not is_linear(x)]
        outs = self.bind(index, *captured, *fixed, *chosen(cts, given), branches=transposed)
        results = iter(outs)
        return [None, *[next(results) if nz else None for nz in nonzero]]

    # -- batching ------------------------------------------------------------------------------

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, branches: Branches
    ) -> tuple[Any, Any]:
        (index, *ops), (index_dim, *op_dims) = args, dims
        if is_concrete(index) and index_dim is None:
            return jit_p.batch(axis, ops, op_dims, jaxpr=_taken(index, branches), name="branch")
        if index_dim is not None and any(needs_checks(b, EVERY) for b in branches):
            # Checks fail only for the examples that take their branch.
            params = {"branches": branches}
            return batch_flat(lambda *xs: recharged(self, xs, params), axis, args, dims, "vmap")
        if index_dim is not None:
            return self._batch_choice(axis, index, (ops, op_dims), branches)
        mapped = _any_of(
            [[d is not None for d in batch_jaxpr(b, axis, op_dims)[1]] for b in branches]
        )
        batched, captured = joined([batch_jaxpr(b, axis, op_dims, mapped)[0] for b in branches])
        outs = self.bind(index, *captured, *ops, branches=batched)
        return outs, [0 if m else None for m in mapped]

    def _batch_choice(
        self, axis: AxisData, index: Any, operands: tuple, branches: Branches
    ) -> tuple[list[Any], list[int]]:
        """Where examples take different branches, all run on all examples, and each takes its results."""
        ops, op_dims = operands
        last = np.int32(len(branches) - 1)
        which = clamp(np.int32(0), index, last)
        if any(map(draws_together, branches)):
            # Each example draws for itself, also where they share the key; and where an outer transformation maps the
            # index, its examples do, by what has no other effect.
            first = eq(which, np.int32(0))
            arrays = [type(x.aval) is ShapedArray for x in ops]
            ops = [batch_to(x, d, 0, axis.size) if a else x for x, d, a in zip(ops, op_dims, arrays, strict=True)]
            ops = [
                select_n(broadcast_in_dim(first, x.aval.shape, (0,)), x, x) if a else x
                for x, a in zip(ops, arrays, strict=True)
            ]
            op_dims = [0 if a else d for d, a in zip(op_dims, arrays, strict=True)]
        mapped = [d is not None for d in op_dims]
        cases = []
        for number, b in enumerate(branches):
            if needs_shields(b):
                # Effects happen, and derivatives count, only for the examples that take the branch.
                captured, b = closed(shielded(b, mapped))
                dims = [*[None] * len(captured), 0, *op_dims]
                batched, out_dims = batch_jaxpr(b, axis, dims)
                consts, batched = closed(batched)
                captured = [*consts, *captured]
                batched = with_shared(batched, len(captured), mapped)
                given = [*captured, eq(which, np.int32(number)), *ops]
            else:
                batched, out_dims = batch_jaxpr(b, axis, op_dims)
                consts, batched = closed(batched)
                given = [*consts, *ops]
            outs = jit_p.bind(*given, jaxpr=batched, name="branch")
            cases.append(
                [batch_to(x, d, 0, axis) for x, d in zip(outs, out_dims, strict=True)]
            )
        outs = [
            select_n(broadcast_in_dim(which, xs[0].aval.shape, (0,)), *xs)
            for xs in zip(*cases, strict=True)
        ]
        return outs, [0] * len(outs)

    # -- dead code -----------------------------------------------------------------------------

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn:
        """Without the results that nobody uses, and the operands that only they need."""
        branches = [pruned(b, used) for b in eqn.params["branches"]]
        kept = _any_of([used_inputs(b) for b in branches])
        branches = [b.replace(invars=chosen(b.invars, kept), debug=None) for b in branches]
        return eqn.replace(
            invars=[eqn.invars[0], *chosen(eqn.invars[1:], kept)],
            outvars=chosen(eqn.outvars, used),
            params={"branches": tuple(branches)},
        )


cond_p = Cond("cond")


def _taken(index: Any, branches: Branches) -> Jaxpr:
    """The branch that a known index chooses."""
    return branches[_number(index, branches)]


def _number(index: Any, branches: Branches) -> int:
    return min(max(int(index), 0), len(branches) - 1)


def _derived(branches: Branches, key: Hashable, make: Callable[[], T]) -> T:
    """``make()``, kept with the first branch."""
    return memoised(branches[0], ("cond", branches[1:], key, state.axis_env), make)


def _any_of(flags: Sequence[Sequence[bool]]) -> list[bool]:
    """The flags that are set in some branch."""
    return [any(column) for column in zip(*flags, strict=True)]


def joined(branches: Sequence[Jaxpr]) -> tuple[Branches, list[Any]]:
    """Branches with the constants of all of them as leading inputs, and the constants."""
    if not any(b.consts for b in branches):
        return tuple(branches), []
    return memoised(branches[0], ("joined", *branches[1:]), lambda: _join(branches))


def _join(branches: Sequence[Jaxpr]) -> tuple[Branches, list[Any]]:
    consts: dict[int, Any] = {id(c): c for b in branches for c in b.consts}
    out = []
    for b in branches:
        own = {id(c): v for c, v in zip(b.consts, b.constvars, strict=True)}
        leading = [own[key] if key in own else Var(c.aval) for key, c in consts.items()]
        out.append(b.replace(constvars=(), consts=(), invars=[*leading, *b.invars], debug=None))
    return tuple(out), list(consts.values())


class _Linearized:
    """Forward and linear parts of branches.

    Attributes:
      forward: from the operands to the results followed by residuals.
      forward_consts: what the forward branches capture.
      linear: from residuals and tangents to tangents of results.
      linear_consts: what the linear branches capture.
      sources: where each residual is among operands, results and new residuals.
      nonzero: which results have tangents.
    """

    forward: Branches
    forward_consts: list[Any]
    linear: Branches
    linear_consts: list[Any]
    sources: list[int]
    nonzero: list[bool]


def _linearized(branches: Branches, given: Sequence[bool]) -> _Linearized:
    parts = [linearize_jaxpr(b, given) for b in branches]
    out = _Linearized()
    out.nonzero = _any_of([part[3] for part in parts])
    n_in, n_out = len(branches[0].invars), len(branches[0].outvars)
    # One branch runs, so its residuals may take the places of those of another if types agree.
    slots: list[ShapedArray] = []
    places = [_places(forward.out_avals[n_out:], slots) for forward, *_ in parts]
    forwards, wanted = [], []
    for (forward, _, where, _), place in zip(parts, places, strict=True):
        source: list[Any] = list(slots)
        for position, slot in enumerate(place):
            source[slot] = n_out + position
        forwards.append(rewired(forward, range(n_in), [*range(n_out), *source]))
        new = iter(place)
        wanted.append([n_in + n_out + next(new) if w is None else w for w in where])
    out.forward, out.forward_consts = joined(forwards)
    out.sources = sorted({w for row in wanted for w in row})
    known = [*branches[0].in_avals, *branches[0].out_avals, *slots]
    linears = []
    for (_, linear, _, nonzero), row in zip(parts, wanted, strict=True):
        made = iter(range(len(linear.outvars)))
        outs: list[Any] = []
        for aval, own, some in zip(branches[0].out_avals, nonzero, out.nonzero, strict=True):
            if some:
                outs.append(next(made) if own else aval.tangent())
        linears.append(_with_residuals(linear, row, out.sources, known, outs))
    out.linear, out.linear_consts = joined(linears)
    return out


def _places(avals: Sequence[ShapedArray], slots: list[ShapedArray]) -> list[int]:
    """A slot of its own for each residual of a branch; adds slots where none fits."""
    free = list(range(len(slots)))
    out = []
    for aval in avals:
        slot = next((s for s in free if same_type(slots[s], aval)), None)
        if slot is None:
            slot = len(slots)
            slots.append(aval)
        else:
            free.remove(slot)
        out.append(slot)
    return out


def _with_residuals(
    linear: Jaxpr, row: Sequence[int], sources: Sequence[int], known: Sequence[ShapedArray], outs: Sequence[Any]
) -> Jaxpr:
    """A linear jaxpr whose leading inputs are the residuals of all branches, and its own among them."""
    inputs = [Var(known[s]) for s in sources]
    for w, v in zip(row, linear.invars, strict=False):
        inputs[sources.index(w)] = v
    own = len(row)
    jaxpr = rewired(linear, range(len(linear.invars)), outs)
    return jaxpr.replace(invars=[*inputs, *jaxpr.invars[own:]])


def _transposed(
    branch: Jaxpr, linear: Sequence[bool], given: Sequence[bool], nonzero: Sequence[bool]
) -> Jaxpr:
    """The transpose of a branch, with zeros for cotangents that only other branches have."""
    jaxpr, flags = transpose_jaxpr(branch, linear, given)
    own = iter(flags)
    made = iter(range(len(jaxpr.outvars)))
    outs: list[Any] = []
    for aval, on, some in zip(branch.in_avals, linear, nonzero, strict=True):
        place = next(made) if on and next(own) else None
        if some:
            outs.append(aval.tangent() if place is None else place)
    return rewired(jaxpr, range(len(jaxpr.invars)), outs)
