"""Whole Jacobians and Hessians: ``jacfwd``, ``jacrev``, ``jacobian`` and ``hessian``.

A Jacobian is a linear function mapped over the standard basis: linearize once, then ``vmap`` the push-forward or the
pullback.

May import ``core``, ``ops.foundation`` and the other modules of ``transforms``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.array import Array, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AnonymousAxis, AxisData
from fungrad.core.dimensions import is_symbolic
from fungrad.core.signatures import P
from fungrad.core.source import boundary_of, function_name, wraps
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq
from fungrad.ops.elementwise import add
from fungrad.ops.foundation import batch_to, broadcast_in_dim, instantiate, reshape
from fungrad.ops.shape import broadcasted_iota, slice as slice_op
from fungrad.ops.summands import check_kind
from fungrad.transforms.api import _check_input, _FlatFunction, _positions, _resolve_all, check_callable, flat_arrays
from fungrad.transforms.batching import batch_flat
from fungrad.transforms.manual_axes import linearize_at
from fungrad.transforms.transposition import backward_pass


def jacfwd(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[P, Any]:
    """Jacobian by forward mode: one push-forward per input element; best for tall Jacobians.

    Args:
      fun: function of arrays and trees of arrays.
      argnums: position of the argument to differentiate, or a tuple of positions.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.
      holomorphic: whether ``fun`` is promised to be holomorphic.

    Returns:
      A function that returns the Jacobian: a tree like the output whose leaves are trees like the argument, with
      arrays of shape ``output shape + input shape``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.jacfwd(lambda x: x ** 2)(jnp.array([1.0, 2.0]))
      Array([[2., 0.],
             [0., 4.]], dtype=float32)
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, False, "jacfwd", forward=True)


def jacrev(
    fun: Callable[P, Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, Any]:
    """Jacobian by reverse mode: one pullback per output element; best for wide Jacobians. Arguments as for ``jacfwd``.

    Args:
      fun: function of arrays and trees of arrays.
      argnums: position of the argument to differentiate, or a tuple of positions.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.
      holomorphic: whether ``fun`` is promised to be holomorphic.
      allow_int: whether integer arguments are allowed; their Jacobians have dtype ``float0``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.jacrev(lambda x: x[0] * x)(jnp.array([1.0, 2.0]))
      Array([[2., 0.],
             [2., 1.]], dtype=float32)
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, allow_int, "jacrev")


def jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Jacobian; the same as ``jacrev``."""
    return _jacobian(fun, argnums, has_aux, holomorphic, allow_int, "jacobian")


def hessian(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[P, Any]:
    """Hessian: forward mode over reverse mode.

    Args:
      fun: function of arrays and trees of arrays.
      argnums: position of the argument to differentiate, or a tuple of positions.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.
      holomorphic: whether ``fun`` is promised to be holomorphic.

    Returns:
      A function that returns the Jacobian of the Jacobian, a tree of trees of trees.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.hessian(lambda x: x[0] * x[1] ** 2)(jnp.array([1.0, 2.0]))
      Array([[0., 4.],
             [4., 2.]], dtype=float32)
    """
    gradients = _jacobian(fun, argnums, has_aux, holomorphic, False, "hessian")
    return _jacobian(gradients, argnums, has_aux, holomorphic, False, "hessian", forward=True)


def _jacobian(
    fun: Callable[..., Any],
    argnums: Any,
    has_aux: bool,
    holomorphic: bool,
    allow_int: bool,
    api: str,
    forward: bool = False,
) -> Callable[..., Any]:
    """Jacobian by forward or reverse mode; errors name ``api``."""
    check_callable(fun, api)
    single = not isinstance(argnums, (tuple, list))
    positions = _positions((argnums,) if single else argnums, api)
    name = function_name(fun)

    @wraps(fun)
    @boundary_of(f"fungrad.{api}")
    def jacobian_f(*args: Any, **kwargs: Any) -> Any:
        where = _resolve_all(positions, len(args), api, name)
        selected = args[where[0]] if single else tuple([args[i] for i in where])
        primals, in_tree = flat_arrays(selected, api, "the differentiated argument")
        for i, p in enumerate(primals):
            _check_input(p, i, selected, api, holomorphic, allow_int, forward)

        def of_selected(value: Any) -> Any:
            full = list(args)
            for i, v in zip(where, (value,) if single else value, strict=True):
                full[i] = v
            return fun(*full, **kwargs)

        flat_fun = _FlatFunction(of_selected, tree.structure((selected,)), has_aux, api, name)
        active = [p.aval.inexact for p in primals]
        outs, program = linearize_at(flat_fun, primals, active, f"{api} of {name}")
        n = flat_fun.n_out
        program.outputs = program.outputs[:n]
        for x in outs[:n]:
            _check_jacobian_output(x.aval, api, name, holomorphic, forward)
        blocks = _forward_blocks if forward else _reverse_blocks
        rows = blocks(program, primals, active, [x.aval for x in outs[:n]], api)
        jac = tree.unflatten(flat_fun.out_tree, [tree.unflatten(in_tree, row) for row in rows])
        return (jac, flat_fun.aux(outs[n:])) if has_aux else jac

    return jacobian_f


def _check_jacobian_output(aval: ShapedArray, api: str, name: str, holomorphic: bool, forward: bool) -> None:
    if holomorphic and not dtypes.is_complex(aval.dtype):
        raise TypeError(
            f"fungrad.{api}: with holomorphic=True {name} must return complex arrays, got {aval.str_short()}"
        )
    complex_columns = forward and dtypes.is_complex(aval.dtype)  # of a complex function of real numbers
    if not holomorphic and not dtypes.is_float(aval.dtype) and not complex_columns:
        hint = "; pass holomorphic=True if it is holomorphic" if dtypes.is_complex(aval.dtype) else ""
        raise TypeError(f"fungrad.{api}: {name} must return floating arrays, got {aval.str_short()}{hint}")


def standard_basis(avals: Sequence[ShapedArray]) -> tuple[list[Array], Any]:
    """For each aval a batch of directions in dimension 0; together they are the standard basis. Also its size."""
    total = sum(a.size for a in avals)
    if is_symbolic(total):
        return _symbolic_basis(avals, total), total
    out: list[Array] = []
    start = 0
    for aval in avals:
        data = np.zeros((total, aval.size), aval.dtype)
        data[np.arange(start, start + aval.size), np.arange(aval.size)] = 1
        out.append(wrap_unchecked(data.reshape(total, *aval.shape), ShapedArray((total, *aval.shape), aval.dtype)))
        start += aval.size
    return out, total


def _symbolic_basis(avals: Sequence[ShapedArray], total: Any) -> list[Array]:
    out, start = [], 0
    for aval in avals:
        shape = (total, aval.size)
        rows, columns = broadcasted_iota(np.int32, shape, 0), broadcasted_iota(np.int32, shape, 1)
        if start != 0:
            columns = add(columns, broadcast_in_dim(convert_element_type(as_array(start), np.int32), shape, ()))
        out.append(reshape(convert_element_type(eq(rows, columns), aval.dtype), (total, *aval.shape)))
        start = start + aval.size
    return out


def _forward_blocks(
    program: Any, primals: Sequence[Any], active: Sequence[bool], outs: Sequence[ShapedArray], api: str
) -> list:
    """Blocks of the Jacobian by push-forward: ``[output][input]``."""
    avals = [p.aval for p, on in zip(primals, active, strict=True) if on]
    basis, size = standard_basis(avals)
    axis = AxisData(AnonymousAxis(), size)

    def push(*tangents: Any) -> list[Any]:
        return [instantiate(t) for t in program.push_forward(tangents)]

    columns, dims = batch_flat(push, axis, basis, [0] * len(basis), api)
    rows = []
    for column, d, out in zip(columns, dims, outs, strict=True):
        column = batch_to(column, d, column.aval.ndim - (d is not None), size)
        parts = _split(column, [a.size for a in avals], column.aval.ndim - 1)
        rows.append(
            [_weak_like(reshape(part, (*out.shape, *a.shape)), out) for part, a in zip(parts, avals, strict=True)]
        )
    return rows


def _reverse_blocks(
    program: Any, primals: Sequence[Any], active: Sequence[bool], outs: Sequence[ShapedArray], api: str
) -> list:
    """Blocks of the Jacobian by pullback: ``[output][input]``."""
    basis, size = standard_basis(outs)
    axis = AxisData(AnonymousAxis(), size)
    for x, aval in zip(basis, outs, strict=True):
        check_kind(x, aval, api)

    def pull(*cts: Any) -> list[Any]:
        return [instantiate(ct) for ct in backward_pass(program, cts)]

    cotangents, dims = batch_flat(pull, axis, basis, [0] * len(basis), api)
    blocks: list[list[Any]] = []
    found = iter(zip(cotangents, dims, strict=True))
    for p, on in zip(primals, active, strict=True):
        if not on:
            blocks.append([np.zeros((*out.shape, *p.aval.shape), dtypes.float0) for out in outs])
            continue
        ct, d = next(found)
        parts = _split(batch_to(ct, d, 0, size), [out.size for out in outs], 0)
        blocks.append(
            [_weak_like(reshape(x, (*out.shape, *p.aval.shape)), p.aval) for x, out in zip(parts, outs, strict=True)]
        )
    return [list(row) for row in zip(*blocks, strict=True)]


def _weak_like(block: Any, aval: ShapedArray) -> Any:
    """A block of the dtype and the weak type of the results (forwards) or of the argument (backwards)."""
    return block if block.aval.weak_type == aval.weak_type else convert_element_type(block, aval.dtype, aval.weak_type)


def _split(x: Any, sizes: Sequence[int], dim: int) -> list[Any]:
    """Consecutive pieces of ``x`` along ``dim``."""
    if len(sizes) == 1:
        return [x]
    out, start = [], 0
    for size in sizes:
        limits = list(x.aval.shape)
        starts = [0] * x.aval.ndim
        starts[dim], limits[dim] = start, start + size
        out.append(slice_op(x, starts, limits))
        start += size
    return out
