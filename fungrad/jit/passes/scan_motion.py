"""Loop-invariant code motion for scans: what need not be done step by step is done before or after the loop.

* What does not change from step to step is computed once, before the loop.
* A matrix that does not change and whose columns are multiplied is transposed once, before the loop.
* A product of a value that depends only on scanned operands with one that does not change, such as the input
  projection ``x_t @ W`` of a recurrent network, is one product over all steps before the loop.
* A carry that only adds up products, such as the gradient of a weight in the backward pass, is one product over all
  steps after the loop; its factors are scanned operands, stacked results, or stacked for it.

The compiler calls ``moved`` through ``Scan.moved``. Values are the same up to the order of summation.

May import ``core``, ``ops``, ``transforms``, ``jit.ir`` and ``jit.passes``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from fungrad.core.avals import same_type
from fungrad.core.context import AxisData
from fungrad.core.ir import Atom, Builder, Eqn, Jaxpr, Var, eval_jaxpr
from fungrad.core.jaxpr_parts import chosen, closed, dependent, makers, slice_of, split_list, uses
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.jit.ir import tuning
from fungrad.jit.ir.cost import application_cost
from fungrad.jit.passes import run_passes
from fungrad.jit.passes.dce import dce
from fungrad.jit.passes.scan_unroll import Bind, Loop, unrolling
from fungrad.ops.dot import dot_general, dot_general_p
from fungrad.ops.elementwise import add_p
from fungrad.ops.foundation import add_any, add_any_p, transpose_p
from fungrad.ops.joining import split_p
from fungrad.ops.shape import iota_p
from fungrad.transforms.batching import batch_jaxpr


def moved(loop: Loop, bind: Bind) -> Jaxpr | None:
    """A scan with less work in its loop, as a jaxpr of its operands; None if there is nothing to move.

    Args:
      loop: the scan.
      bind: applies a scan to consts, carry and xs.
    """
    if loop.length < 2:
        return None
    loop = loop._replace(jaxpr=run_passes(loop.jaxpr))
    before = _hoisted(loop)
    inner = loop if before is None else before.loop
    after = _deferred(inner)
    if before is None and after is None and loop.unroll == 1:
        return None
    bind = unrolling(bind)
    groups = loop.operands([v.aval for v in loop.jaxpr.invars])
    avals = [*groups[0], *groups[1], *[a.update(shape=(loop.length, *a.shape)) for a in groups[2]]]

    def fun(*args: Any) -> list[Any]:
        consts, carry, xs = loop.operands(args)
        if before is not None:
            consts, xs = before.run(consts, xs)
        if after is None:
            return bind(inner, consts, carry, xs)
        return after.run(consts, carry, xs, bind)

    return trace_flat(fun, avals, DebugInfo("scan", (), "lax.scan"))


# -- before the loop -------------------------------------------------------------------------------------------------


class _Before(NamedTuple):
    """What is computed before a loop.

    Attributes:
      loop: what is left; has more consts and xs.
      fixed: from the consts to the new consts.
      products: from all consts and whole xs to the new xs.
    """

    loop: Loop
    fixed: Jaxpr
    products: tuple[list[Any], Jaxpr]

    def run(self, consts: Sequence[Any], xs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Consts and xs of the loop that is left."""
        captured, products = self.products
        new = eval_jaxpr(self.fixed, (), *consts)
        made = eval_jaxpr(products, (), *captured, *consts, *xs)
        return [*consts, *new], [*xs, *made]


def _hoisted(loop: Loop) -> _Before | None:
    consts, carry, xs = loop.operands(loop.jaxpr.invars)
    varying = dependent(loop.jaxpr, [*carry, *xs])
    body, turned = _with_rows(loop.jaxpr, varying)
    turning = dependent(body, carry)
    invariant = [e for e in body.eqns if varying.isdisjoint(e.outvars) and not e.has_effects]
    fixed = _frontier(body, _worth_hoisting(invariant) + turned)
    products = [e.outvars[0] for e in body.eqns if _is_projection(e, loop, varying, turning)]
    if not fixed and not products:
        return None
    given = {*fixed, *products}
    left = [e for e in body.eqns if given.isdisjoint(e.outvars)]
    jaxpr = dce(body.replace(invars=[*consts, *fixed, *carry, *xs, *products], eqns=left, debug=None))
    stacked = slice_of(body, [*consts, *xs], products)
    dims = [None] * len(consts) + [0] * len(xs)
    batched, _ = batch_jaxpr(stacked, AxisData(None, loop.length), dims, True)
    new = loop._replace(jaxpr=jaxpr, num_consts=len(consts) + len(fixed))
    return _Before(new, slice_of(body, consts, fixed), closed(batched))


def _with_rows(body: Jaxpr, varying: set[Var]) -> tuple[Jaxpr, list[Eqn]]:
    """A body in which products with matrices that do not change run along their rows, and the transpositions."""
    builder = Builder()
    turned: dict[Atom, Eqn] = {}
    for eqn in body.eqns:
        if _runs_along_columns(eqn, varying):
            x, matrix = eqn.invars
            if matrix not in turned:
                builder.add(transpose_p, [matrix], {"permutation": (1, 0)})
                turned[matrix] = builder.eqns[-1]
            (inner, _), batch = eqn.params["dimension_numbers"]
            params = {**eqn.params, "dimension_numbers": ((inner, (0,)), batch)}
            eqn = eqn.replace(invars=[x, turned[matrix].outvars[0]], params=params)
        builder.eqns.append(eqn)
    return (body.replace(eqns=builder.eqns) if turned else body), list(turned.values())


def _runs_along_columns(eqn: Eqn, varying: set[Var]) -> bool:
    """Whether an equation multiplies many vectors with the columns of a matrix that does not change."""
    if eqn.primitive is not dot_general_p:
        return False
    x, matrix = eqn.invars
    (inner, columns), (batch, _) = eqn.params["dimension_numbers"]
    if type(matrix) is not Var or matrix in varying or x not in varying or batch:
        return False
    vectors = x.aval.size // max(math.prod(x.aval.shape[d] for d in inner), 1)
    worth_it = vectors >= tuning.TURNED_VECTORS and _work(eqn) >= tuning.TURNED_PRODUCT
    return matrix.aval.ndim == 2 and tuple(columns) == (1,) and worth_it


def _worth_hoisting(invariant: Sequence[Eqn]) -> list[Eqn]:
    """The equations that cost more than reading their results from memory."""
    inside = {v for e in invariant for v in e.outvars}
    # The size of the largest array that a value is a view or a cheap formula of.
    sizes: dict[Var, int] = {}
    found = []
    for eqn in invariant:
        operands = [a for a in eqn.invars if type(a) is Var]
        source = max([sizes[a] if a in inside else a.aval.size for a in operands], default=0)
        size = max([v.aval.size for v in eqn.outvars], default=0)
        if _is_costly(eqn) or (eqn.primitive.kind == "elementwise" and 1 < size <= source):
            found.append(eqn)
            source = size
        sizes.update(dict.fromkeys(eqn.outvars, source))
    return found


def _is_costly(eqn: Eqn) -> bool:
    kind = eqn.primitive.kind
    if kind == "elementwise":
        return application_cost(eqn.primitive) > tuning.CHEAP_IN_LOOPS
    return kind != "structural" and eqn.primitive not in (iota_p, split_p)


def _frontier(body: Jaxpr, hoisted: Sequence[Eqn]) -> list[Var]:
    """The results of hoisted equations that the others read; none of an equation that leaves only in part."""
    chosen = set(hoisted)
    read = {a for e in body.eqns if e not in chosen for a in e.invars} | set(body.outvars)
    return [v for e in hoisted for v in e.outvars if len(e.outvars) == 1 and v in read]


def _is_projection(eqn: Eqn, loop: Loop, varying: set[Var], turning: set[Var]) -> bool:
    """Whether an equation multiplies what depends on the scanned operands alone by what never changes."""
    if eqn.primitive is not dot_general_p or eqn.outvars[0] in turning:
        return False
    if eqn.outvars[0].aval.size * loop.length * eqn.outvars[0].aval.dtype.itemsize > tuning.STACKED_BYTES:
        return False
    return sum(a in varying for a in eqn.invars) == 1 and _work(eqn) >= tuning.MOVED_PRODUCT


def _work(eqn: Eqn) -> int:
    """Multiplications of a product."""
    (contracting, _), _ = eqn.params["dimension_numbers"]
    shape = eqn.invars[0].aval.shape
    return eqn.outvars[0].aval.size * math.prod(shape[d] for d in contracting)


# -- after the loop --------------------------------------------------------------------------------------------------


class _Total(NamedTuple):
    """A product whose sum over all steps is added to a carry after the loop.

    Attributes:
      carry: number of the carry.
      eqn: the product of one step.
      factors: where its factors are: among ``xs`` or ``ys``, and at which position.
    """

    carry: int
    eqn: Eqn
    factors: list[tuple[str, int]]


class _After(NamedTuple):
    """What is computed after a loop.

    Attributes:
      loop: what is left; lacks some carries and has more ys.
      kept: which carries go round.
      n_ys: number of the original ys.
      totals: products to add.
    """

    loop: Loop
    kept: list[bool]
    n_ys: int
    totals: list[_Total]

    def run(self, consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any], bind: Bind) -> list[Any]:
        """The results of the original loop."""
        rest = chosen(carry, self.kept)
        outs, ys = split_list(bind(self.loop, consts, rest, xs), len(rest))
        left = iter(outs)
        results = [next(left) if on else c for c, on in zip(carry, self.kept, strict=True)]
        arrays = {"xs": xs, "ys": ys}
        for total in self.totals:
            a, b = (arrays[name][i] for name, i in total.factors)
            results[total.carry] = add_any(results[total.carry], _summed(total.eqn, a, b))
        return [*results, *ys[: self.n_ys]]


def _summed(eqn: Eqn, a: Any, b: Any) -> Any:
    """The sum over all steps of a product, from its stacked factors."""
    contracting, batch = eqn.params["dimension_numbers"]
    sums = [(0, *[d + 1 for d in dims]) for dims in contracting]
    rest = [tuple([d + 1 for d in dims]) for dims in batch]
    params = {k: v for k, v in eqn.params.items() if k in ("precision", "preferred_element_type")}
    return dot_general(a, b, ((sums[0], sums[1]), (rest[0], rest[1])), **params)


def _deferred(loop: Loop) -> _After | None:
    body = loop.jaxpr
    used, made = uses(body), makers(body)
    _, carry, xs = loop.operands(body.invars)
    new_carry, ys = loop.results(list(body.outvars))
    n_ys = len(ys)
    varying = dependent(body, [*carry, *xs])
    totals: list[_Total] = []
    stays: dict[int, list[Atom]] = {}
    for k, (v, out) in enumerate(zip(carry, new_carry, strict=True)):
        terms = _terms(v, out, made, used)
        products = [made[t] for t in terms if t in made and used[t] == 1]
        leaving = [e for e in products if _is_deferrable(e, loop, v, varying, [*xs, *ys])]
        if leaving:
            totals += [_Total(k, e, [_stacked(a, xs, ys) for a in e.invars]) for e in leaving]
            gone = {e.outvars[0] for e in leaving}
            stays[k] = [t for t in terms if t not in gone]
    return _without(loop, totals, stays, ys, n_ys) if totals else None


def _terms(v: Var, out: Atom, made: dict[Atom, Eqn], used: Counter[Atom]) -> list[Atom]:
    """What a step adds to a carry with which it does nothing else; empty if it does."""
    if used[v] != 1:
        return []
    terms: list[Atom] = []
    stack, met = [out], False
    while stack:
        a = stack.pop()
        eqn = made.get(a)
        if a is v:
            met = True
        elif eqn is not None and eqn.primitive in (add_p, add_any_p) and used[a] == 1:
            stack += eqn.invars
        else:
            terms.append(a)
    return terms if met else []


def _is_deferrable(eqn: Eqn, loop: Loop, total: Var, varying: set[Var], known: Sequence[Atom]) -> bool:
    """Whether stacking the factors of a product costs less than adding up products step by step."""
    if eqn.primitive is not dot_general_p or not all(a in varying for a in eqn.invars):
        return False
    if not same_type(eqn.outvars[0].aval, total.aval):
        return False
    new = {a: a.aval for a in eqn.invars if a not in known}
    nbytes = sum(a.size * a.dtype.itemsize for a in new.values()) * loop.length
    return sum(a.size for a in new.values()) <= total.aval.size and nbytes <= tuning.STACKED_BYTES


def _stacked(a: Atom, xs: Sequence[Atom], ys: list[Atom]) -> tuple[str, int]:
    """Where the values of all steps are; adds a result to ``ys`` if they are nowhere."""
    if a in xs:
        return "xs", list(xs).index(a)
    if a not in ys:
        ys.append(a)
    return "ys", ys.index(a)


def _without(loop: Loop, totals: list[_Total], stays: dict[int, list[Atom]], ys: Sequence[Atom], n_ys: int) -> _After:
    """The loop without the deferred sums.

    Args:
      loop: the loop.
      totals: the sums.
      stays: by number of a carry of which something is deferred, what is still added in every step.
      ys: stacked results, those that hold factors included.
      n_ys: number of the original ys.
    """
    body = loop.jaxpr
    consts, carry, xs = loop.operands(body.invars)
    builder = Builder()
    builder.eqns = list(body.eqns)
    kept, outs = [], []
    for k, (v, out) in enumerate(zip(carry, body.outvars, strict=False)):
        terms = stays.get(k)
        kept.append(terms is None or bool(terms))
        for t in terms or ():
            (v,) = builder.add(add_p, [v, t], {})
        if kept[k]:
            outs.append(out if terms is None else v)
    ins = chosen(carry, kept)
    jaxpr = body.replace(invars=[*consts, *ins, *xs], outvars=[*outs, *ys], eqns=builder.eqns, debug=None)
    return _After(loop._replace(jaxpr=dce(jaxpr), num_carry=len(ins)), kept, n_ys, totals)
