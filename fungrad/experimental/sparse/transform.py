"""``sparsify``: functions of dense arrays, applied to sparse ones.

The function is traced for dense arguments, and its operations are applied to sparse values one by one, by rules.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.arguments import function
from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Jaxpr, Literal, jaxprs_in_params
from fungrad.core.primitive import Primitive
from fungrad.core.public_names import publish
from fungrad.core.source import api_boundary, function_name
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.experimental.sparse import bcoo
from fungrad.experimental.sparse._base import is_sparse
from fungrad.experimental.sparse.bcoo import BCOO
from fungrad.transforms.api import flat_arrays

# Rules by name of the primitive: rule(*operands, **params), some of which are BCOO.
_rules: dict[str, Callable[..., Any]] = {}


def sparsify(f: Callable[..., Any], use_tracer: bool = False) -> Callable[..., Any]:
    """A function that takes sparse arrays where ``f`` takes arrays.

    Args:
      f: function of arrays and trees of arrays.
      use_tracer: accepted for compatibility.

    Returns:
      The function; its results are sparse where zeros stay zeros.

    Raises:
      NotImplementedError: an operation of ``f`` has no rule for sparse operands.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> f = sparse.sparsify(lambda m, v: (2 * m @ v).sum())
      >>> print(f(sparse.BCOO.fromdense(jnp.eye(3)), jnp.ones(3)))
      6.0
    """

    function("fungrad.experimental.sparse.sparsify", "f", f)

    @functools.wraps(f)
    @api_boundary
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten((args, kwargs), is_leaf=is_sparse)
        values: list[Any] = [x if is_sparse(x) else as_array(x, "fungrad.experimental.sparse.sparsify") for x in leaves]
        values = [x.to_bcoo() if is_sparse(x) and not isinstance(x, BCOO) else x for x in values]
        out: dict[str, Any] = {}

        def flat(*xs: Any) -> Sequence[Any]:
            positional, keywords = tree.unflatten(structure, xs)
            outs, out["tree"] = flat_arrays(f(*positional, **keywords), "sparsify", f"the result of {function_name(f)}")
            return outs

        avals = [ShapedArray(x.shape, x.dtype) if is_sparse(x) else x.aval for x in values]
        jaxpr = trace_flat(flat, avals, DebugInfo(function_name(f), (), "sparsify"))
        outs = eval_sparse(jaxpr, jaxpr.consts, values)
        return tree.unflatten(out["tree"], outs)

    return wrapped


def eval_sparse(jaxpr: Jaxpr, consts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The results of a jaxpr for operands of which some are ``BCOO``."""
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, values, strict=True))

    def read(a: Any) -> Any:
        return a.array if isinstance(a, Literal) else env[a]

    for eqn in jaxpr.eqns:
        operands = [read(a) for a in eqn.invars]
        if not any(map(is_sparse, operands)):
            out = eqn.primitive.bind(*operands, **eqn.params)
        else:
            body = eqn.params.get(getattr(eqn.primitive, "inline_param", None) or "")
            rule = _rules.get(eqn.primitive.name)
            if body is not None:
                out = eval_sparse(body, (), operands)
            elif rule is None:
                inner = " (its body gets a sparse operand)" if any(jaxprs_in_params(eqn.params)) else ""
                raise NotImplementedError(
                    f"fungrad.experimental.sparse.sparsify: sparse rule for {eqn.primitive.name} is not implemented"
                    f"{inner}; convert its operand with todense()"
                )
            else:
                out = rule(*operands, **eqn.params)
        if eqn.primitive.multiple_results:
            env.update(zip(eqn.outvars, out, strict=True))
        else:
            env[eqn.outvars[0]] = out
    return [read(a) for a in jaxpr.outvars]


def _rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(fun: Callable[..., Any]) -> Callable[..., Any]:
        _rules.update({n: fun for n in names})
        return fun

    return register


def _zero_preserving(primitive: Primitive) -> Callable[..., Any]:
    def rule(x: Any, **params: Any) -> Any:
        # A function of a sum is not the sum of its values.
        one = x if x.unique_indices or primitive.name in _LINEAR else x.sum_duplicates(nse=x.nse)
        data = primitive.bind(one.data, **params)
        return one.with_(data, indices_sorted=one.indices_sorted, unique_indices=one.unique_indices)

    return rule


_LINEAR = ("neg", "convert_element_type", "real", "imag", "copy", "conj")
_ZERO_PRESERVING = (
    *_LINEAR, "abs", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "erf", "expm1", "floor",
    "log1p", "round", "round_nearest_even", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh",
)  # fmt: skip


@_rule("add", "add_any")
def _add(x: Any, y: Any, **_: Any) -> Any:
    return bcoo.add(x, y)


@_rule("sub")
def _sub(x: Any, y: Any, **_: Any) -> Any:
    return bcoo.add(x, -y)


@_rule("mul")
def _mul(x: Any, y: Any, **_: Any) -> Any:
    if not is_sparse(x) or not is_sparse(y):
        sparse, dense = (x, y) if is_sparse(x) else (y, x)
        shape = jnp.broadcast_shapes(sparse.shape, dense.shape)
        if shape != sparse.shape:
            sparse = _stretched(sparse, shape)
        return bcoo.multiply(sparse, dense)
    shape = jnp.broadcast_shapes(x.shape, y.shape)
    return bcoo.multiply(_stretched(x, shape), _stretched(y, shape))


def _stretched(m: BCOO, shape: Any) -> BCOO:
    if m.shape == tuple(shape):
        return m
    return bcoo.bcoo_broadcast_in_dim(m, shape=shape, broadcast_dimensions=tuple(range(m.ndim)))


@_rule("div")
def _div(x: Any, y: Any, **_: Any) -> Any:
    if is_sparse(y):
        raise NotImplementedError(
            "fungrad.experimental.sparse.sparsify: division by a sparse array: most of its elements are zero; divide "
            "by its todense()"
        )
    return bcoo.multiply(x, 1 / y)


@_rule("integer_pow")
def _integer_pow(x: Any, *, y: int, **_: Any) -> Any:
    if y <= 0:
        raise NotImplementedError(
            f"fungrad.experimental.sparse.sparsify: the power {y} of zeros is not zero; take that of todense()"
        )
    one = x if x.unique_indices else x.sum_duplicates(nse=x.nse)
    return one.with_(one.data**y, indices_sorted=one.indices_sorted, unique_indices=one.unique_indices)


@_rule("dot_general")
def _dot_general(x: Any, y: Any, *, dimension_numbers: Any, preferred_element_type: Any = None, **_: Any) -> Any:
    return bcoo.bcoo_dot_general(
        x, y, dimension_numbers=dimension_numbers, preferred_element_type=preferred_element_type
    )


@_rule("reduce_sum")
def _reduce_sum(x: Any, *, axes: Any, **_: Any) -> Any:
    out = bcoo.bcoo_reduce_sum(x, axes=axes)
    return out if out.shape else out.todense()


@_rule("transpose")
def _transpose(x: Any, *, permutation: Any) -> Any:
    return bcoo.bcoo_transpose(x, permutation=permutation)


@_rule("reshape")
def _reshape(x: Any, *, new_sizes: Any = None, shape: Any = None, **_: Any) -> Any:
    return bcoo.bcoo_reshape(x, new_sizes=new_sizes if new_sizes is not None else shape)


@_rule("squeeze")
def _squeeze(x: Any, *, dimensions: Any) -> Any:
    return bcoo.bcoo_squeeze(x, dimensions=dimensions)


@_rule("broadcast_in_dim")
def _broadcast_in_dim(x: Any, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> Any:
    return bcoo.bcoo_broadcast_in_dim(x, shape=shape, broadcast_dimensions=broadcast_dimensions)


@_rule("slice")
def _slice(x: Any, *, start_indices: Any, limit_indices: Any, strides: Any = None) -> Any:
    return bcoo.bcoo_slice(x, start_indices=start_indices, limit_indices=limit_indices, strides=strides)


@_rule("dynamic_slice")
def _dynamic_slice(x: Any, *starts: Any, slice_sizes: Any, **_: Any) -> Any:
    return bcoo.bcoo_dynamic_slice(x, starts, slice_sizes)


@_rule("rev")
def _rev(x: Any, *, dimensions: Any) -> Any:
    return bcoo.bcoo_rev(x, dimensions=dimensions)


@_rule("concatenate")
def _concatenate(*xs: Any, dimension: int) -> Any:
    return bcoo.bcoo_concatenate([x if is_sparse(x) else BCOO.fromdense(x) for x in xs], dimension=dimension)


# Functions that keep zeros apply to the data.
for _name in _ZERO_PRESERVING:
    if (_primitive := Primitive.find(_name)) is not None:
        _rules[_name] = _zero_preserving(_primitive)

__all__ = ["eval_sparse", "sparsify"]

publish(globals(), __name__, __all__)
