"""Derivatives of primitives, with JAX's names and conventions (``jax.interpreters.ad``).

A rule of `primitive_jvps` is ``rule(primals, tangents, **params)`` and returns results and their tangents; tangents are
arrays or `Zero`. A rule of `primitive_transposes` is ``rule(ct, *args, **params)``, where ``args`` has
`UndefinedPrimal` in the places to transpose in, and returns one cotangent per operand, or None.

Example:
  >>> import fungrad
  >>> from fungrad.extend.core import Primitive
  >>> from fungrad.interpreters import ad
  >>> twice_p = Primitive("doc_twice")
  >>> _ = twice_p.def_impl(lambda x: 2 * x)
  >>> _ = twice_p.def_abstract_eval(lambda x: x)
  >>> ad.deflinear(twice_p, lambda ct: [2 * ct])
  >>> fungrad.grad(lambda x: twice_p.bind(x) * x)(3.0)
  Array(12., dtype=float32, weak_type=True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.primitive import Linear as UndefinedPrimal, Primitive, is_linear as is_undefined_primal
from fungrad.core.public_names import publish
from fungrad.extend.core.user_primitives import opened
from fungrad.interpreters.registries import Registry
from fungrad.lax import add_p
from fungrad.ops.foundation import instantiate
from fungrad.transforms.api import jvp as _jvp
from fungrad.transforms.forward import JVPTrace, JVPTracer

__all__ = [
    "JVPTrace",
    "JVPTracer",
    "UndefinedPrimal",
    "Zero",
    "add_jaxvals",
    "add_jaxvals_p",
    "add_tangents",
    "defbilinear",
    "defjvp",
    "defjvp2",
    "deflinear",
    "deflinear2",
    "get_primitive_transpose",
    "instantiate_zeros",
    "is_undefined_primal",
    "jvp",
    "primitive_jvps",
    "primitive_transposes",
    "zeros_like_aval",
]

add_jaxvals_p = add_p


def _our_jvp(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out, tangent = rule(tuple(primals), tuple(tangents), **opened(params))
        if primitive.multiple_results:
            outs = [as_array(x, f"result of the rule of {primitive.name}") for x in out]
            return outs, [_tangent(t, x) for t, x in zip(tangent, outs, strict=True)]
        out = as_array(out, f"result of the rule of {primitive.name}")
        return out, _tangent(tangent, out)

    return jvp


def _tangent(t: Any, primal: Any) -> Any:
    if t is None:
        return Zero(primal.aval.tangent())
    if isinstance(t, (int, float, complex, np.ndarray, np.generic)):
        # Rules may return numbers.
        return as_array(np.asarray(t, primal.aval.tangent().dtype))
    return t


def _their_jvp(primitive: Primitive) -> Callable[..., Any]:
    def rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        primals = [as_array(x) for x in primals]
        if all(type(t) is Zero for t in tangents):
            out = primitive.bind(*primals, **params)
            if primitive.multiple_results:
                return out, [Zero(x.aval.tangent()) for x in out]
            return out, Zero(out.aval.tangent())
        return primitive.jvp(primals, list(tangents), **params)

    return rule


def _our_transpose(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    def transpose(ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        found = rule(ct, *args, **opened(params))
        if found is None:
            found = [None] * len(args)
        out = []
        for a, x in zip(args, found, strict=True):
            out.append(Zero(a.aval.tangent()) if x is None and is_undefined_primal(a) else x)
        return out

    return transpose


primitive_jvps: Registry = Registry("jvp", _our_jvp, _their_jvp)
primitive_transposes: Registry = Registry("transpose", _our_transpose, lambda primitive: primitive.transpose)


def get_primitive_transpose(p: Primitive) -> Callable[..., Any]:
    """The transposition rule of a primitive.

    Raises:
      NotImplementedError: it has none.
    """
    try:
        return primitive_transposes[p]
    except KeyError:
        raise NotImplementedError(
            f"Transpose rule (for reverse-mode differentiation) for '{p}' not implemented; register one in "
            "fungrad.interpreters.ad.primitive_transposes"
        ) from None


def defjvp(primitive: Primitive, *jvprules: Callable[..., Any] | None) -> None:
    """Registers one rule per operand, ``rule(tangent, *primals, **params)``, whose results are added up.

    Args:
      primitive: of one result.
      *jvprules: one per operand; None where there is no derivative.
    """

    def rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive.bind(*primals, **params)
        return out, _added(out, [
            r(t, *primals, **params) for r, t in zip(jvprules, tangents, strict=True)
            if r is not None and type(t) is not Zero
        ])  # fmt: skip

    primitive_jvps[primitive] = rule


def defjvp2(primitive: Primitive, *jvprules: Callable[..., Any] | None) -> None:
    """As `defjvp`, for rules that are also given the result: ``rule(tangent, result, *primals, **params)``."""

    def rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive.bind(*primals, **params)
        return out, _added(out, [
            r(t, out, *primals, **params) for r, t in zip(jvprules, tangents, strict=True)
            if r is not None and type(t) is not Zero
        ])  # fmt: skip

    primitive_jvps[primitive] = rule


def _added(out: Any, tangents: Sequence[Any]) -> Any:
    total: Any = Zero(out.aval.tangent())
    for t in tangents:
        total = add_tangents(total, t)
    return total


def deflinear(primitive: Primitive, transpose_rule: Callable[..., Any]) -> None:
    """Registers a primitive as linear in all operands; ``transpose_rule(ct, **params)`` returns their cotangents."""
    deflinear2(primitive, lambda ct, *_, **params: transpose_rule(ct, **params))


def deflinear2(primitive: Primitive, transpose_rule: Callable[..., Any]) -> None:
    """As `deflinear`, with a rule that is also given the operands: ``transpose_rule(ct, *args, **params)``."""

    def rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive.bind(*primals, **params)
        return out, primitive.bind(*[instantiate_zeros(t) for t in tangents], **params)

    def transpose(ct: Any, *args: Any, **params: Any) -> Any:
        if type(ct) is Zero:
            return [Zero(a.aval.tangent()) if is_undefined_primal(a) else None for a in args]
        return transpose_rule(ct, *args, **params)

    primitive_jvps[primitive] = rule
    primitive_transposes[primitive] = transpose


def defbilinear(prim: Primitive, lhs_rule: Callable[..., Any], rhs_rule: Callable[..., Any]) -> None:
    """Registers a primitive of two operands as linear in each.

    Args:
      prim: the primitive.
      lhs_rule: ``lhs_rule(ct, x, y, **params)``, the cotangent of the first operand; ``x`` is `UndefinedPrimal`.
      rhs_rule: that of the second.
    """
    defjvp(
        prim,
        lambda t, x, y, **params: prim.bind(t, y, **params),
        lambda t, x, y, **params: prim.bind(x, t, **params),
    )

    def transpose(ct: Any, x: Any, y: Any, **params: Any) -> Any:
        if is_undefined_primal(x):
            return (None if type(ct) is Zero else lhs_rule(ct, x, y, **params)), None
        return None, (None if type(ct) is Zero else rhs_rule(ct, x, y, **params))

    primitive_transposes[prim] = transpose


def add_jaxvals(x: Any, y: Any) -> Any:
    """The sum of two tangents of one type."""
    return add_p.bind(x, y)


def add_tangents(x: Any, y: Any) -> Any:
    """The sum of two tangents, each an array or `Zero`."""
    if type(x) is Zero:
        return y
    return x if type(y) is Zero else add_jaxvals(x, y)


def instantiate_zeros(tangent: Any) -> Any:
    """A tangent as an array: zeros for `Zero`."""
    return instantiate(tangent) if type(tangent) is Zero else tangent


def zeros_like_aval(aval: ShapedArray) -> Any:
    """An array of zeros of a type."""
    return instantiate(Zero(aval))


def jvp(
    fun: Any, primals: Sequence[Any] | None = None, tangents: Sequence[Any] | None = None, has_aux: bool = False,
    instantiate: bool = True,
) -> Any:  # fmt: skip
    """JVP of a function, wrapped or not, that takes and returns flat sequences of arrays.

    Args:
      fun: a ``linear_util.WrappedFun`` or a function.
      primals: with ``tangents``, evaluates at once as `fungrad.jvp` does; without, returns a function of both.
      tangents: as many as primals.
      has_aux: whether ``fun`` returns a pair of results and something else.
      instantiate: has no meaning here: tangents of results are always arrays.
    """
    call = getattr(fun, "call_wrapped", fun)
    if primals is None:
        return partial(jvp, fun, has_aux=has_aux, instantiate=instantiate)
    return _jvp(call, tuple(primals), tuple(tangents or ()), has_aux=has_aux)


publish(globals(), __name__, __all__)
