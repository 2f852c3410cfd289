"""Bodies of scans under differentiation: what the rules of ``scan`` make of the jaxpr of one step.

Everything here takes and returns jaxprs and flags; nothing runs.

May import ``core``, ``ops``, ``transforms``, ``jit.ir`` and ``jit.passes``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fungrad.control._base import fixpoint, rewired
from fungrad.core.array import as_array
from fungrad.core.avals import Zero
from fungrad.core.context import state, transformation
from fungrad.core.ir import Atom, Eqn, Jaxpr, Var, eval_jaxpr, substitute
from fungrad.core.jaxpr_parts import chosen, closed, dependent, slice_of, split_list
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import application_cost
from fungrad.jit.passes.scan_unroll import Loop
from fungrad.ops.foundation import add_any, zeros
from fungrad.ops.summands import cotangent_type
from fungrad.transforms.forward import jvp_jaxpr
from fungrad.transforms.linearization import (
    LinearProgram,
    TangentTrace,
    TangentVar,
    linearize_jaxpr,
    staged_linear,
)
from fungrad.transforms.transposition import transpose_jaxpr

T = TypeVar("T")


def _carry_nonzero(
    loop: Loop, nonzero: Sequence[bool], outputs: Callable[[list[bool]], Sequence[bool]]
) -> list[bool]:
    """Which operands have tangents once those of the carry have gone round.

    Args:
      loop: the scan.
      nonzero: which operands have tangents.
      outputs: from flags of the body's inputs to flags of its results.
    """
    consts, carry, xs = loop.operands(nonzero)
    carry = fixpoint(carry, lambda flags: outputs([*consts, *flags, *xs])[: loop.num_carry])
    return [*consts, *carry, *xs]


def jvp_body(
    loop: Loop, nonzero: Sequence[bool]
) -> tuple[list[Any], Jaxpr, list[bool], list[bool]]:
    """The body on values and tangents, grouped like that of a scan.

    Returns:
      Constants that it captures, the body, which operands have tangents, and which results.
    """
    nonzero = _carry_nonzero(loop, nonzero, lambda flags: jvp_jaxpr(loop.jaxpr, flags)[1])
    carry = loop.operands(nonzero)[1]
    jaxpr, out_nonzero = jvp_jaxpr(loop.jaxpr, nonzero, [*carry, *[False] * loop.num_ys])
    captured, jaxpr = closed(jaxpr)
    k, n_in, n_out = len(captured), len(loop.jaxpr.invars), len(loop.jaxpr.outvars)
    ins = loop.operands(range(k, k + n_in))
    dots = split_list(
        range(k + n_in, len(jaxpr.invars)), *[sum(f) for f in loop.operands(nonzero)][:2]
    )
    order = [i for group in zip(ins, dots, strict=True) for part in group for i in part]
    outs = loop.results(range(n_out))
    out_dots = split_list(range(n_out, len(jaxpr.outvars)), sum(carry))
    outs_order = [*outs[0], *out_dots[0], *outs[1], *out_dots[1]]
    return captured, rewired(jaxpr, [*range(k), *order], outs_order), nonzero, list(out_nonzero)


class Split:
    """A scan taken apart: a forward scan that computes residuals, and a scan that is linear.

    A residual that all steps share is computed once, outside of the loop, one that is a scanned operand or a stacked
    result is just that array, and one that is a cheap formula of others is computed again by the linear scan: only
    what is left is stacked by the forward scan.

    Attributes:
      forward: its results are those of the original followed by the stacked residuals.
      forward_consts: what its body captures: leading consts.
      shared: jaxpr from the operands of ``forward`` before xs to the residuals that all steps share.
      sources: for each other residual the array that holds it: ``xs``, ``ys`` or ``stacked``, and its position there.
      linear: its consts are shared residuals and linear consts, its xs the other residuals and linear xs.
      linear_consts: what its body captures: leading consts.
    """

    def __init__(self, loop: Loop, n_ys: int, linear: Jaxpr, where: Sequence[int | None], counts: Sequence[int]):
        """Plans the forward loop and the place of every residual.

        Args:
          loop: the forward loop; results of its body beyond ``n_ys`` stacked ones are new residuals.
          n_ys: number of stacked results.
          linear: from residuals and linear inputs to linear results.
          where: where each residual comes from, as in ``linearize_jaxpr``.
          counts: number of linear consts, carries and xs.
        """
        body = loop.jaxpr
        n_in, n_out = len(body.invars), loop.num_carry + n_ys
        new = iter(body.outvars[n_out:])
        atoms = [
            next(new) if w is None else body.invars[w] if w < n_in else body.outvars[w - n_in]
            for w in where
        ]
        atoms, linear = _recomputing(loop, atoms, n_out, linear)
        fixed, scanned, stacked = self._classify(loop, atoms, n_out)

        consts, carry, _ = loop.operands(body.invars)
        self.shared = slice_of(body, [*body.constvars, *consts, *carry], [atoms[r] for r in fixed])
        forward = body.replace(outvars=[*body.outvars[:n_out], *stacked], debug=None)
        self.n_ys = n_ys
        self.forward_consts, forward = closed(forward)
        self.forward = loop._replace(
            jaxpr=forward, num_consts=len(self.forward_consts) + len(consts)
        )

        self.linear_consts, linear = closed(linear)
        k, r = len(self.linear_consts), len(atoms)
        dots = split_list(range(k + r, len(linear.invars)), *counts[:2])
        order = [
            *range(k),
            *[k + i for i in fixed],
            *dots[0],
            *dots[1],
            *[k + i for i in scanned],
            *dots[2],
        ]
        linear = rewired(linear, order, range(len(linear.outvars)))
        self.linear = loop._replace(
            jaxpr=linear, num_consts=k + len(fixed) + counts[0], num_carry=counts[1]
        )

    def _classify(
        self, loop: Loop, atoms: Sequence[Atom], n_out: int
    ) -> tuple[list[int], list[int], list[Atom]]:
        """Which residuals all steps share, which are scanned, and what is to be stacked for the latter."""
        body = loop.jaxpr
        _, carry, xs = loop.operands(body.invars)
        carry_out, ys = loop.results(body.outvars[:n_out])
        moving = [v for v, out in zip(carry, carry_out, strict=True) if out is not v]
        varying = dependent(body, [*moving, *xs])
        stacked: list[Atom] = []
        self.sources: list[tuple[str, int]] = []
        scanned = [r for r, a in enumerate(atoms) if a in varying]
        for a in [atoms[r] for r in scanned]:
            for name, arrays in (("xs", xs), ("ys", ys), ("stacked", stacked)):
                if a in arrays:
                    self.sources.append((name, arrays.index(a)))  # type: ignore[arg-type]
                    break
            else:
                self.sources.append(("stacked", len(stacked)))
                stacked.append(a)
        return [r for r, a in enumerate(atoms) if a not in varying], scanned, stacked


def _recomputing(
    loop: Loop, atoms: Sequence[Atom], n_out: int, linear: Jaxpr
) -> tuple[list[Atom], Jaxpr]:
    """Drops residuals that are cheap formulas of others.

    Args:
      loop: the forward loop.
      atoms: the residuals, values of its body.
      n_out: number of its original results.
      linear: the linear jaxpr, whose leading inputs are the residuals.

    Returns:
      What is still a residual, and the linear jaxpr with these as leading inputs.
    """
    body = loop.jaxpr
    consts, carry, xs = loop.operands(body.invars)
    made = {e.outvars[0]: e for e in body.eqns if _is_cheap(e)}
    at_hand = {*body.constvars, *consts, *xs, *loop.results(body.outvars[:n_out])[1]}
    known = {*at_hand, *atoms}
    varying = dependent(body, [*carry, *xs])

    def equations(a: Atom, own: bool) -> list[Eqn] | None:
        """What computes ``a`` from known values; None if that is not cheap."""
        if type(a) is not Var or (a in known and not own):
            return []
        eqn = made.get(a)
        if eqn is None:
            return None
        found: list[Eqn] = []
        for x in eqn.invars:
            part = equations(x, False)
            if part is None or len(found) + len(part) >= tuning.RECOMPUTED_EQUATIONS:
                return None
            found += [e for e in part if e not in found]
        return [*found, eqn]

    again: list[Eqn] = []
    dropped = set()
    for a in dict.fromkeys(atoms):
        part = equations(a, True) if a in varying and a not in at_hand else None
        if part:
            again += [e for e in part if e not in again]
            dropped.add(a)
    if not dropped:
        return list(atoms), linear
    order = {e: n for n, e in enumerate(body.eqns)}
    again.sort(key=order.__getitem__)
    inside = {v for e in again for v in e.outvars}
    read = [a for e in again for a in e.invars if type(a) is Var and a not in inside]
    left = list(dict.fromkeys([*[a for a in atoms if a not in dropped], *read]))
    env = dict(zip(linear.invars, atoms, strict=False))
    return left, linear.replace(
        invars=[*left, *linear.invars[len(atoms) :]],
        eqns=[*again, *[substitute(e, env) for e in linear.eqns]],
        outvars=[env.get(a, a) if type(a) is Var else a for a in linear.outvars],
        debug=None,
    )


def _is_cheap(eqn: Eqn) -> bool:
    """Whether computing an equation again costs no more than reading its result from memory."""
    if len(eqn.outvars) != 1 or eqn.has_effects or eqn.primitive.random:
        return False
    kind = eqn.primitive.kind
    if kind == "elementwise":
        return application_cost(eqn.primitive) <= tuning.CHEAP_FORMULA
    return kind == "structural" and eqn.primitive.name in _VIEWS


_VIEWS = ("broadcast_in_dim", "reshape", "transpose", "slice", "squeeze", "rev")


def linearized(loop: Loop, nonzero: Sequence[bool]) -> tuple[Split, list[bool], list[bool]]:
    """Forward and linear scan.

    Args:
      loop: the scan.
      nonzero: which operands have tangents.

    Returns:
      The scans, which operands of the linear one have tangents, and which of its results.
    """
    nonzero = _carry_nonzero(loop, nonzero, lambda flags: linearize_jaxpr(loop.jaxpr, flags)[3])
    forward, linear, where, out_nonzero = linearize_jaxpr(loop.jaxpr, nonzero)
    carry = loop.operands(nonzero)[1]
    linear = _carry_complete(loop, linear, carry, out_nonzero)
    counts = [sum(flags) for flags in loop.operands(nonzero)]
    split = Split(loop._replace(jaxpr=forward), loop.num_ys, linear, where, counts)
    return split, nonzero, [*carry, *out_nonzero[loop.num_carry :]]


def _carry_complete(
    loop: Loop, linear: Jaxpr, carry: Sequence[bool], out_nonzero: Sequence[bool]
) -> Jaxpr:
    """A linear body with zeros for carries that go in but do not come out."""
    made = iter(range(len(linear.outvars)))
    found = [next(made) if nz else None for nz in out_nonzero]
    outs: list[Any] = []
    for i, v in enumerate(loop.jaxpr.outvars):
        place = found[i]
        if place is not None:
            outs.append(place)
        elif i < loop.num_carry and carry[i]:
            outs.append(v.aval.tangent())
    return rewired(linear, range(len(linear.invars)), outs)


def linear_operands(loop: Loop, linear: Sequence[bool]) -> list[bool]:
    """Which inputs of the body depend on linear operands, once the carry has gone round."""

    def outputs(flags: list[bool]) -> list[bool]:
        found = dependent(loop.jaxpr, chosen(loop.jaxpr.invars, flags))
        return [a in found for a in loop.jaxpr.outvars]

    return _carry_nonzero(loop, linear, outputs)


def transposed_body(
    loop: Loop, linear: Sequence[bool], ct_nonzero: Sequence[bool]
) -> tuple[list[Any], Jaxpr, list[bool]]:
    """The body of the transposed scan, whose carries are totals for linear consts and the cotangents of carries.

    Args:
      loop: the scan.
      linear: in which operands it is linear; all carries are.
      ct_nonzero: which results have a cotangent.

    Returns:
      Constants that it captures, the body, and which operands of the scan have a cotangent.
    """
    ct_carry, ct_ys = loop.results(ct_nonzero)

    def transposed(flags: Sequence[bool]) -> tuple[Jaxpr, list[bool]]:
        jaxpr, found = transpose_jaxpr(loop.jaxpr, linear, [*flags, *ct_ys])
        given = iter(found)
        return jaxpr, [next(given) if on else False for on in linear]

    ct_carry = fixpoint(ct_carry, lambda flags: loop.operands(transposed(flags)[1])[1])
    jaxpr, made = transposed(ct_carry)
    const_made, carry_made, x_made = loop.operands(made)
    consts, carry, xs = loop.operands(loop.jaxpr.in_avals)
    const_linear, _, x_linear = loop.operands(linear)
    groups = [
        [a for a, on in zip(consts, const_linear, strict=True) if not on],
        [cotangent_type(a) for a in chosen(consts, const_made)],
        [cotangent_type(a) for a in chosen(carry, ct_carry)],
        [a for a, on in zip(xs, x_linear, strict=True) if not on],
        [cotangent_type(a) for a in chosen(loop.jaxpr.out_avals[loop.num_carry :], ct_ys)],
    ]

    def fun(*args: Any) -> list[Any]:
        fixed, totals, cts, slices, given = split_list(args, *map(len, groups))[:5]
        outs = eval_jaxpr(jaxpr, jaxpr.consts, *fixed, *slices, *cts, *given)
        const_cts, carry_cts, x_cts = split_list(outs, sum(const_made), sum(carry_made))
        totals = [add_any(t, ct) for t, ct in zip(totals, const_cts, strict=True)]
        source = iter(carry_cts)
        new = [
            next(source) if m else zeros(a.tangent())
            for a, m, c in zip(carry, carry_made, ct_carry, strict=True)
            if c
        ]
        return [*totals, *new, *x_cts]

    staged = trace_flat(
        fun, [a for group in groups for a in group], DebugInfo("transpose", (), "transpose")
    )
    captured, body = closed(staged)
    return captured, body, [*const_made, *ct_carry, *x_made]


def separated(loop: Loop, linear: Sequence[bool]) -> tuple[Split, list[bool]]:
    """A scan that is linear in some operands as a forward scan of the others and a linear scan.

    Args:
      loop: the scan.
      linear: which operands depend on what it is linear in, once the carry has gone round.

    Returns:
      The scans, and which results are those of the linear one.
    """
    carry = loop.operands(linear)[1]
    forced = [*carry, *[False] * loop.num_ys]
    forward, body, where, out_nonzero = _separate_jaxpr(loop.jaxpr, linear, forced)
    body = _carry_complete(loop, body, carry, out_nonzero)
    counts = [sum(flags) for flags in loop.operands(linear)]
    fixed = [len(group) - n for group, n in zip(loop.operands(linear), counts, strict=True)]
    out_linear = [*carry, *out_nonzero[loop.num_carry :]]
    n_ys = loop.num_ys - sum(out_linear[loop.num_carry :])
    return Split(
        loop._replace(jaxpr=forward, num_consts=fixed[0], num_carry=fixed[1]),
        n_ys,
        body,
        where,
        counts,
    ), out_linear


def _separate_jaxpr(
    jaxpr: Jaxpr, linear: Sequence[bool], dropped: Sequence[bool]
) -> tuple[Jaxpr, Jaxpr, list[int | None], list[bool]]:
    """As ``linearize_jaxpr``, for a jaxpr that is linear in the flagged inputs.

    The forward jaxpr has the other inputs only, and only the results that do not depend on the flagged ones and are not
    ``dropped``.
    """
    info: dict[str, Any] = {}
    fixed_avals = [v.aval for v, on in zip(jaxpr.invars, linear, strict=True) if not on]

    def forward(*args: Any) -> list[Any]:
        trace = TangentTrace(state.trace, "transpose")
        given = iter(args)
        with transformation(trace):
            operands = [
                TangentVar(trace, v.aval) if on else next(given)
                for v, on in zip(jaxpr.invars, linear, strict=True)
            ]
            outs = eval_jaxpr(jaxpr, (), *operands)
        ours = [type(x) is TangentVar and x._trace is trace for x in outs]
        outputs = [x if on else Zero(x.aval) for x, on in zip(outs, ours, strict=True)]
        program = LinearProgram(chosen(operands, linear), trace.eqns, outputs)
        known = [
            as_array(x) for x, on, drop in zip(outs, ours, dropped, strict=True) if not (on or drop)
        ]
        info["linear"], info["where"], new = staged_linear(program, args, known)
        info["ours"] = ours
        return known + new

    staged = trace_flat(forward, fixed_avals, DebugInfo("forward", (), "transpose"))
    return staged, info["linear"], info["where"], info["ours"]
