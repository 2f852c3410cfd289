"""Taylor mode: derivatives of any order along a curve, ``jet``.

A value carries the derivatives of a curve through it.  The derivative of a result along the curve is the Jacobian of
the operation applied to the derivative of its operands, so its derivatives are those of that product, of one order
less: one rule serves every primitive.  Products and quotients have rules of their own, which cost the square of the
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad import lax
from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.avals import Zero
from fungrad.core.context import Trace, Tracer, current_trace, state, transformation
from fungrad.core.ir import eval_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.public_names import publish
from fungrad.core.source import api_boundary, function_name
from fungrad.ops.foundation import add_any, instantiate, zeros
from fungrad.transforms.api import check_callable, flat_arrays
from fungrad.transforms.forward import jvp_flat


class ZeroTerm:
    """A derivative that is zero."""


class ZeroSeries:
    """Derivatives that are all zero."""


zero_term = ZeroTerm()
zero_series = ZeroSeries()

# Rules of primitives: rule(primals, series, **params) -> (primal, series). Series have arrays only.
jet_rules: dict[Primitive, Callable[..., Any]] = {}


def fact(n: int) -> int:
    """``n!``."""
    return math.factorial(n)


@api_boundary
def jet(
    fun: Callable[..., Any], primals: Sequence[Any], series: Sequence[Any], factorial_scaled: bool = True
) -> tuple[Any, Any]:
    """Derivatives of a function along a curve.

    Args:
      fun: function of arrays.
      primals: tuple of arguments: where the curve is at time 0.
      series: for each argument the list of the derivatives of the curve at time 0, first, second and so on.
      factorial_scaled: whether series are derivatives; otherwise they are Taylor coefficients, derivatives divided by
        the factorial of their order.

    Returns:
      The output, and for each leaf of it the list of its derivatives along the curve, as many as were given.

    Raises:
      ValueError: there are not as many series as arguments, or they have different lengths.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental.jet import jet
      >>> y, derivatives = jet(jnp.exp, (0.0,), ([1.0, 0.0, 0.0],))
      >>> [float(d) for d in derivatives]
      [1.0, 1.0, 1.0]
    """
    api = "experimental.jet.jet"
    check_callable(fun, api)
    if len(primals) != len(series):
        raise ValueError(
            f"fungrad.{api}: there must be one series per argument, got {len(primals)} primals and {len(series)} series"
        )
    flat, in_tree = flat_arrays(tuple(primals), api, "primals")
    terms: list[list[Any]] = []
    for i, (primal, each) in enumerate(zip(primals, series, strict=True)):
        if not isinstance(each, (ZeroSeries, list, tuple, dict)) and np.ndim(each) == 0:
            raise TypeError(
                f"fungrad.{api}: series[{i}] must be a list of the derivatives of primals[{i}], got {each!r}"
            )
        n, structure = len(tree.leaves(primal)), tree.structure(primal)
        if structure.is_leaf():
            terms.append([each] if isinstance(each, ZeroSeries) else list(each))  # type: ignore[list-item]
            if isinstance(each, ZeroSeries):
                terms[-1] = [zero_series]
            continue
        parts = tree.flatten_up_to(structure, each)
        if len(parts) != n:
            raise ValueError(f"fungrad.{api}: series[{i}] must have the structure of primals[{i}]")
        terms += [list(p) for p in parts]
    orders = {len(t) for t in terms if t != [zero_series]}
    if len(orders) != 1:
        raise ValueError(f"fungrad.{api}: jet terms must have consistent lengths, got {sorted(orders)}")
    (order,) = orders
    if order < 1:
        raise ValueError(f"fungrad.{api}: series must have one derivative at least")
    scale = [1 if factorial_scaled else fact(k + 1) for k in range(order)]
    given = [_terms(t, x, order, scale, api) for t, x in zip(terms, flat, strict=True)]
    out: dict[str, Any] = {}

    def flat_fun(*xs: Any) -> Sequence[Any]:
        outs, out["tree"] = flat_arrays(fun(*tree.unflatten(in_tree, xs)), api, f"the result of {function_name(fun)}")
        return outs

    outs, out_terms = _jet_flat(flat_fun, flat, given, order, f"jet of {function_name(fun)}")
    found = []
    for x, own in zip(outs, out_terms, strict=True):
        values = [zeros(x.aval) if t is None else t for t in (own or [None] * order)]
        found.append([v if s == 1 else v / s for v, s in zip(values, scale, strict=True)])
    return tree.unflatten(out["tree"], outs), tree.unflatten(out["tree"], found)


def _terms(terms: list[Any], x: Any, order: int, scale: Sequence[int], api: str) -> list[Any] | None:
    """Derivatives of an argument, None for zeros; None for integers."""
    if terms == [zero_series] or not x.aval.inexact:
        return None
    out: list[Any] = []
    for t, s in zip(terms, scale, strict=True):
        if isinstance(t, ZeroTerm):
            out.append(None)
            continue
        value = as_array(t, f"fungrad.{api}: series")
        if value.aval.shape != x.aval.shape:
            raise ValueError(
                f"fungrad.{api}: a term of a series must have the shape of its primal, {x.aval.shape}, got "
                f"{value.aval.shape}"
            )
        value = value.astype(x.aval.dtype)  # type: ignore[attr-defined]
        out.append(value * s if s != 1 else value)
    return out


class JetTracer(Tracer):
    """A value with its derivatives along the curve, None for those that are zero."""

    __slots__ = ("primal", "terms")

    def __init__(self, trace: JetTrace, primal: Any, terms: Sequence[Any]):
        self._trace = trace
        self.primal, self.terms = primal, terms
        self.aval = primal.aval

    def _concrete(self, what: str) -> np.ndarray:
        self._leak_check()
        raise TypeError(
            f"fungrad.experimental.jet: {what} of a value of type {self.aval.str_short()} that is differentiated; use "
            "array operations instead of Python numbers"
        )

    def _known(self, what: str) -> np.ndarray:
        self._leak_check()
        return self.primal._known(what)  # type: ignore[no-any-return]


class JetTrace(Trace):
    """Runs operations on values with derivatives of orders up to ``order``."""

    __slots__ = ("order",)

    def __init__(self, parent: Trace, order: int, label: str):
        super().__init__(parent, label)
        self.order = order

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        ours = [type(a) is JetTracer and a._trace is self for a in args]
        primals = [a.primal if on else as_array(a) for a, on in zip(args, ours, strict=True)]
        terms = [a.terms if on else None for a, on in zip(args, ours, strict=True)]
        state.trace = self.parent
        if not any(t is not None and any(x is not None for x in t) for t in terms):
            return primitive.bind(*primals, **params)
        body = params.get(getattr(primitive, "inline_param", None) or "")
        if body is not None:
            state.trace = self
            return eval_jaxpr(body, (), *args)
        rule = jet_rules.get(primitive)
        if rule is not None:
            full = [_full(t, x, self.order) for t, x in zip(terms, primals, strict=True)]
            out, made = rule(primals, full, **params)
            if primitive.multiple_results:
                return [self.tracer(x, t) for x, t in zip(out, made, strict=True)]
            return self.tracer(out, made)
        outs, made = _by_jvp(primitive, primals, terms, params, self.order)
        tracers = [self.tracer(x, t) for x, t in zip(outs, made, strict=True)]
        return tracers if primitive.multiple_results else tracers[0]

    def tracer(self, x: Any, terms: Any) -> Any:
        """A value with derivatives; without any the value itself."""
        if terms is None or isinstance(terms, ZeroSeries) or not x.aval.inexact:
            return x
        terms = [None if isinstance(t, ZeroTerm) else t for t in terms]
        return x if all(t is None for t in terms) else JetTracer(self, x, terms)


def _full(terms: Any, x: Any, order: int) -> list[Any]:
    """Derivatives as arrays."""
    made = zeros(x.aval) if terms is None or any(t is None for t in terms) else None
    return [made if t is None else t for t in (terms or [None] * order)]


def _jet_flat(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], terms: Sequence[Any], order: int, label: str
) -> tuple[list[Any], list[Any]]:
    """``jet`` of a flat function: results, and their derivatives (None for none)."""
    trace = JetTrace(current_trace(), order, label)
    with transformation(trace):
        args = [trace.tracer(x, t) for x, t in zip(primals, terms, strict=True)]
        outs = [as_array(x) for x in fun(*args)]
    ours = [type(x) is JetTracer and x._trace is trace for x in outs]
    return (
        [x.primal if on else x for x, on in zip(outs, ours, strict=True)],  # type: ignore[attr-defined]
        [list(x.terms) if on else None for x, on in zip(outs, ours, strict=True)],  # type: ignore[attr-defined]
    )


def _by_jvp(
    primitive: Primitive, primals: Sequence[Any], terms: Sequence[Any], params: dict[str, Any], order: int
) -> tuple[list[Any], list[Any]]:
    """The rule of every primitive: the derivative of the result is the ``jvp`` along the derivative of the operands."""
    active = [i for i, t in enumerate(terms) if t is not None and any(x is not None for x in t)]

    def bound(*xs: Any) -> Sequence[Any]:
        out = primitive.bind(*xs, **params)
        return out if primitive.multiple_results else [out]  # type: ignore[no-any-return]

    def first(*given: Any) -> list[Any]:
        n = len(active)
        xs = list(primals)
        tangents: list[Any] = [Zero(p.aval.tangent()) for p in primals]
        for i, x, t in zip(active, given[:n], given[n:], strict=True):
            xs[i], tangents[i] = x, t
        outs, out_tangents = jvp_flat(bound, xs, tangents, f"jet of {primitive.name}")
        return [*outs, *[instantiate(t) for t in out_tangents if type(t) is not Zero or t.aval.inexact]]

    starts = [_full(terms[i], primals[i], order)[0] for i in active]
    given = [primals[i] for i in active] + starts
    if order == 1:
        results, made = first(*given), None
    else:
        lower = [list(terms[i][:-1]) for i in active] + [list(terms[i][1:]) for i in active]
        results, made = _jet_flat(first, given, lower, order - 1, f"jet of {primitive.name}")
    m = sum(1 for _ in results)
    k = m - _inexact_count(results, m)
    outs = results[:k]
    floats = [i for i, x in enumerate(outs) if x.aval.inexact]
    out_terms: list[Any] = [None] * k
    for position, i in zip(range(k, m), floats, strict=True):
        rest = made[position] if made is not None else []
        out_terms[i] = [results[position], *(rest if rest is not None else [None] * (order - 1))]
    return outs, out_terms


def _inexact_count(results: Sequence[Any], m: int) -> int:
    """How many of the results at the end are tangents: as many as there are floating ones before them."""
    for k in range(m + 1):
        if sum(x.aval.inexact for x in results[:k]) == m - k:
            return m - k
    raise AssertionError("internal error: results and tangents do not match")


# -- rules ------------------------------------------------------------------------------------------------------------


def _product(primitive: Primitive) -> Callable[..., Any]:
    """Leibniz's rule for a primitive that is linear in both operands."""

    def rule(primals: Sequence[Any], series: Sequence[Any], **params: Any) -> tuple[Any, list[Any]]:
        x, y = [primals[0], *series[0]], [primals[1], *series[1]]
        out = []
        for k in range(len(x)):
            parts = []
            for j in range(k + 1):
                part = primitive.bind(x[j], y[k - j], **params)
                parts.append(part * math.comb(k, j) if math.comb(k, j) != 1 else part)
            total = parts[0]
            for part in parts[1:]:
                total = add_any(total, part)
            out.append(total)
        return out[0], out[1:]

    return rule


def _quotient(primals: Sequence[Any], series: Sequence[Any], **_: Any) -> tuple[Any, list[Any]]:
    x, y = [primals[0], *series[0]], [primals[1], *series[1]]
    q: list[Any] = []
    for k in range(len(x)):
        rest = x[k]
        for j in range(k):
            rest = rest - q[j] * y[k - j] * math.comb(k, j)
        q.append(rest / y[0])
    return q[0], q[1:]


def _exponential(primals: Sequence[Any], series: Sequence[Any], **params: Any) -> tuple[Any, list[Any]]:
    x = [primals[0], *series[0]]
    y = [lax.exp_p.bind(primals[0], **params)]
    for k in range(1, len(x)):
        y.append(sum(y[j] * x[k - j] * math.comb(k - 1, j) for j in range(k)))
    return y[0], y[1:]


for _p in (lax.mul_p, lax.dot_general_p, lax.conv_general_dilated_p):
    jet_rules[_p] = _product(_p)
jet_rules[lax.div_p] = _quotient
jet_rules[lax.exp_p] = _exponential


def deriv_prop(prim: Primitive, deriv: Callable[..., Any], primals: Sequence[Any], series: Sequence[Any]) -> tuple:
    """The rule of a primitive with one operand whose derivative is the function ``deriv``."""
    (x,), (terms,) = primals, series
    order = len(terms)
    slopes: list[Any] = [deriv(x)]
    if order > 1:
        (slope,), (rest,) = _jet_flat(lambda v: [deriv(v)], [x], [list(terms[:-1])], order - 1, f"jet of {prim.name}")
        slopes = [slope, *_full(rest, slope, order - 1)]
    out = []
    for k in range(order):
        out.append(sum(slopes[j] * terms[k - j] * math.comb(k, j) for j in range(k + 1)))
    return prim.bind(x), out


def linear_prop(prim: Primitive, primals: Sequence[Any], series: Sequence[Any], **params: Any) -> tuple:
    """The rule of a linear primitive."""
    out = prim.bind(*primals, **params)
    made = [prim.bind(*terms, **params) for terms in zip(*series, strict=True)]
    return (out, list(zip(*made, strict=True))) if prim.multiple_results else (out, made)


def zero_prop(prim: Primitive, primals: Sequence[Any], series: Sequence[Any], **params: Any) -> tuple:
    """The rule of a primitive whose derivative is zero."""
    out = prim.bind(*primals, **params)
    return (out, [zero_series] * len(out)) if prim.multiple_results else (out, zero_series)


def def_deriv(prim: Primitive, deriv: Callable[..., Any]) -> None:
    """Says that the derivative of a primitive with one operand is the function ``deriv``."""
    jet_rules[prim] = lambda primals, series, **_: deriv_prop(prim, deriv, primals, series)


def def_comp(prim: Primitive, comp: Callable[..., Any], **kwargs: Any) -> None:
    """Says that a primitive is the function ``comp`` of other operations."""

    def rule(primals: Sequence[Any], series: Sequence[Any], **params: Any) -> tuple:
        (out,), (made,) = _jet_flat(
            lambda *xs: [comp(*xs, **params, **kwargs)], primals, list(map(list, series)), len(series[0]), prim.name
        )
        return out, zero_series if made is None else made

    jet_rules[prim] = rule


def deflinear(prim: Primitive) -> None:
    """Says that a primitive is linear."""
    jet_rules[prim] = lambda primals, series, **params: linear_prop(prim, primals, series, **params)


def defzero(prim: Primitive) -> None:
    """Says that the derivative of a primitive is zero."""
    jet_rules[prim] = lambda primals, series, **params: zero_prop(prim, primals, series, **params)


__all__ = [
    "JetTrace", "JetTracer", "ZeroSeries", "ZeroTerm", "def_comp", "def_deriv", "deflinear", "defzero", "deriv_prop",
    "fact", "jet", "jet_rules", "linear_prop", "zero_prop", "zero_series", "zero_term",
]  # fmt: skip

publish(globals(), __name__, __all__)
