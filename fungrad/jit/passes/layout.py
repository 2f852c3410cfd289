"""Pass ``layout``: layout assignment. Moves transposes to where they are free.

Contract: a product reads what its operands were before they were transposed, unless that would reorder its result; a
product whose only use is a transpose that swaps the sides of its result is the product of swapped operands; and a
reduction over named axes reduces first and transposes what is left, if there is anything to transpose. Values are the
same up to the order of summation. Other changes of position (broadcasts, slices, pads, reversals) stay equations: the
lowering turns them into index formulas of whoever reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core.ir import Atom, Builder, Eqn, Jaxpr
from fungrad.core.jaxpr_parts import uses
from fungrad.jit.passes.sweep import Replacement, swept
from fungrad.ops.dot import dot_general_p
from fungrad.ops.foundation import reduce_sum_p, transpose_p
from fungrad.ops.reduce import reduce_and_p, reduce_max_p, reduce_min_p, reduce_or_p, reduce_prod_p, reduce_xor_p


def layout(jaxpr: Jaxpr) -> Jaxpr:
    """Absorbs transposes into products and reductions in one forward sweep."""
    made: dict[Atom, Eqn] = {}
    used = uses(jaxpr)

    def transposed(a: Atom) -> Eqn | None:
        eqn = made.get(a)
        return eqn if eqn is not None and eqn.primitive is transpose_p else None

    def product(a: Atom) -> Eqn | None:
        """The product that makes a value which nobody else uses."""
        eqn = made.get(a)
        return eqn if eqn is not None and eqn.primitive is dot_general_p and used[a] == 1 else None

    def change(eqn: Eqn) -> Replacement | None:
        new = None
        if eqn.primitive is dot_general_p:
            new = _dot(eqn, transposed)
        elif eqn.primitive in _REDUCTIONS:
            new = _reduction(eqn, transposed)
        elif eqn.primitive is transpose_p:
            new = _swapped(eqn, product)
        if new is None or new[-1].outvars[0].aval is not eqn.outvars[0].aval:
            return None
        used[new[-1].outvars[0]] = used[eqn.outvars[0]]
        return new, new[-1].outvars

    return swept(jaxpr, change, made)


_REDUCTIONS = (reduce_sum_p, reduce_prod_p, reduce_max_p, reduce_min_p, reduce_and_p, reduce_or_p, reduce_xor_p)


def _dot(eqn: Eqn, transposed: Callable[[Atom], Eqn | None]) -> list[Eqn] | None:
    """``dot_general`` of what its operands were before they were transposed, if their free dimensions keep their
    order.
    """
    contracting, batch = eqn.params["dimension_numbers"]
    operands, contractings, batches = list(eqn.invars), list(contracting), list(batch)
    changed = False
    for side in (0, 1):
        inner = transposed(operands[side])
        if inner is None:
            continue
        permutation = tuple(inner.params["permutation"])
        taken = set(contracting[side]) | set(batch[side])
        free = [permutation[d] for d in range(len(permutation)) if d not in taken]
        if free != sorted(free):
            continue
        operands[side] = inner.invars[0]
        contractings[side] = tuple([permutation[d] for d in contracting[side]])
        batches[side] = tuple([permutation[d] for d in batch[side]])
        changed = True
    if not changed:
        return None
    params: dict[str, Any] = {**eqn.params, "dimension_numbers": (tuple(contractings), tuple(batches))}
    builder = Builder()
    builder.add(eqn.primitive, operands, params, eqn.source)
    return builder.eqns


def _swapped(eqn: Eqn, product: Callable[[Atom], Eqn | None]) -> list[Eqn] | None:
    """A transpose that exchanges the free dimensions of the two sides of a product, as the product the other way
    round.
    """
    inner = product(eqn.invars[0])
    if inner is None:
        return None
    contracting, batch = inner.params["dimension_numbers"]
    x, y = inner.invars
    n_batch = len(batch[0])
    n_x = x.aval.ndim - len(contracting[0]) - n_batch
    rank = inner.outvars[0].aval.ndim
    exchanged = (*range(n_batch), *range(n_batch + n_x, rank), *range(n_batch, n_batch + n_x))
    if tuple(eqn.params["permutation"]) != exchanged:
        return None
    params = {**inner.params, "dimension_numbers": (tuple(contracting[::-1]), tuple(batch[::-1]))}
    builder = Builder()
    builder.add(inner.primitive, [y, x], params, inner.source)
    return builder.eqns


def _reduction(eqn: Eqn, transposed: Callable[[Atom], Eqn | None]) -> list[Eqn] | None:
    """Reduces what was transposed, and transposes what is left."""
    inner = transposed(eqn.invars[0])
    if inner is None:
        return None
    permutation = tuple(inner.params["permutation"])
    axes = {permutation[d] for d in eqn.params["axes"]}
    kept_order = [permutation[d] for d in range(len(permutation)) if permutation[d] not in axes]
    kept = sorted(kept_order)
    builder = Builder()
    params = {**eqn.params, "axes": tuple(sorted(axes))}
    out = builder.add(eqn.primitive, [inner.invars[0]], params, eqn.source)
    if kept_order != kept:
        # Kept dimensions are numbered anew in the result.
        after = tuple([kept.index(d) for d in kept_order])
        builder.add(transpose_p, out, {"permutation": after}, eqn.source)
    return builder.eqns
