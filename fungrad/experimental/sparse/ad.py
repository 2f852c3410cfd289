"""Derivatives by sparse arrays: with respect to the elements that they have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree
from fungrad.core.public_names import publish
from fungrad.experimental.sparse._base import is_sparse
from fungrad.experimental.sparse.bcoo import BCOO
from fungrad.transforms import api, jacobians


def _data_of(x: Any) -> Any:
    return tree.map(lambda leaf: leaf.data if is_sparse(leaf) else leaf, x, is_leaf=is_sparse)


def _with_data(x: Any, data: Any) -> Any:
    leaves, structure = tree.flatten(x, is_leaf=is_sparse)
    values = tree.flatten_up_to(structure, data)
    out = []
    for leaf, value in zip(leaves, values, strict=True):
        if is_sparse(leaf):
            (_, *rest), aux = leaf.tree_flatten()
            value = type(leaf).tree_unflatten(aux, (value, *rest))
        out.append(value)
    return tree.unflatten(structure, out)


def _by_data(transform: Callable[..., Any], fun: Callable[..., Any], argnums: Any, options: dict, finish: Any) -> Any:
    single = not isinstance(argnums, (tuple, list))

    @functools.wraps(fun)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = [n % len(args) for n in ((argnums,) if single else argnums)]

        def of_data(*datas: Any) -> Any:
            full = list(args)
            for i, d in zip(where, datas, strict=True):
                full[i] = _with_data(args[i], d)
            return fun(*full, **kwargs)

        numbers = tuple(range(len(where)))
        result = transform(of_data, argnums=numbers, **options)(*[_data_of(args[i]) for i in where])
        return finish(result, [args[i] for i in where], single)

    return wrapped


def value_and_grad(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, **options: Any
) -> Any:
    """``fungrad.value_and_grad`` in which the gradient by a sparse array has its indices.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([0.0, 2.0]))
      >>> sparse.value_and_grad(lambda m: (m * m.todense()).sum())(m)[1].data
      Array([4.], dtype=float32)
    """

    def finish(result: Any, args: Sequence[Any], single: bool) -> Any:
        value, grads = result
        out = tuple([_with_data(a, g) for a, g in zip(args, grads, strict=True)])
        return value, out[0] if single else out

    return _by_data(api.value_and_grad, fun, argnums, {"has_aux": has_aux, **options}, finish)


def grad(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, **options: Any) -> Any:
    """``fungrad.grad`` in which the gradient by a sparse array has its indices.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.experimental import sparse
      >>> m = sparse.BCOO.fromdense(jnp.array([0.0, 2.0]))
      >>> sparse.grad(lambda m: (m @ jnp.array([3.0, 4.0])) ** 2)(m)
      BCOO(float32[2], nse=1)
    """
    both = value_and_grad(fun, argnums, has_aux, **options)

    @functools.wraps(fun)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return gradient


def _jacobian(transform: Callable[..., Any], fun: Callable[..., Any], argnums: Any, options: dict) -> Any:
    def finish(result: Any, args: Sequence[Any], single: bool) -> Any:
        parts = []
        for arg, part in zip(args, result, strict=True):
            if not is_sparse(arg):
                parts.append(part)
                continue
            if not isinstance(arg, BCOO) or arg.n_batch:
                raise NotImplementedError(
                    "fungrad.experimental.sparse: Jacobians are by BCOO arrays without batches only; change their "
                    "layout with bcoo_update_layout(arr, n_batch=0)"
                )
            lead = part.shape[: part.ndim - arg.data.ndim]
            indices = jnp.broadcast_to(arg.indices, (*lead, *arg.indices.shape))
            parts.append(BCOO((part, indices), shape=(*lead, *arg.shape)))
        return parts[0] if single else tuple(parts)

    return _by_data(transform, fun, argnums, options, finish)


def jacfwd(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, **options: Any) -> Any:
    """``fungrad.jacfwd`` of a function with one array as result; that by a sparse array is sparse."""
    return _jacobian(jacobians.jacfwd, fun, argnums, {"has_aux": has_aux, **options})


def jacrev(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, **options: Any) -> Any:
    """``fungrad.jacrev`` of a function with one array as result; that by a sparse array is sparse."""
    return _jacobian(jacobians.jacrev, fun, argnums, {"has_aux": has_aux, **options})


jacobian = jacrev

__all__ = ["grad", "is_sparse", "jacfwd", "jacobian", "jacrev", "value_and_grad"]

publish(globals(), __name__, __all__)
