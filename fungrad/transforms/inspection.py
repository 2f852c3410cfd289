"""Looking at a function without running it: ``make_jaxpr``, ``eval_shape`` and ``ShapeDtypeStruct``.

May import ``core``, ``ops.foundation`` and ``transforms.api``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.arguments import integers, sizes
from fungrad.core.array import typeof
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AxisData, Tracer, named_axis
from fungrad.core.refs import AbstractRef, RefFrame
from fungrad.core.source import api_boundary, api_class, boundary_of, wraps
from fungrad.core.staging import debug_info, trace_tree
from fungrad.ops.foundation import zeros
from fungrad.transforms.api import abstract_argument, check_callable


@api_class
class ShapeDtypeStruct:
    """Shape and dtype of an array, without the array.

    Attributes:
      shape: tuple of ints.
      dtype: NumPy dtype.
      weak_type: whether the dtype is weak.
      sharding: where the array is; None if nothing is said about it.
      is_ref: whether it is a mutable reference to such an array.

    Example:
      >>> import fungrad
      >>> fungrad.ShapeDtypeStruct((2, 3), 'float32')
      ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """

    __slots__ = ("shape", "dtype", "weak_type", "sharding", "is_ref")

    def __init__(
        self,
        shape: Sequence[int],
        dtype: Any,
        *,
        sharding: Any = None,
        weak_type: bool = False,
        vma: Any = None,
        is_ref: bool = False,
    ):
        if dtype is None:
            raise ValueError("fungrad.ShapeDtypeStruct: dtype must not be None")
        self.shape = sizes("fungrad.ShapeDtypeStruct", "shape", shape)
        self.dtype = dtypes.canonicalize_dtype(dtype, "fungrad.ShapeDtypeStruct")
        self.weak_type = weak_type
        self.sharding = sharding
        self.is_ref = is_ref

    @classmethod
    def like(cls, x: Any) -> ShapeDtypeStruct:
        """The struct of an array, a scalar, or something else with ``shape`` and ``dtype``.

        Example:
          >>> import fungrad, fungrad.numpy as jnp
          >>> fungrad.ShapeDtypeStruct.like(jnp.zeros((2, 3)))
          ShapeDtypeStruct(shape=(2, 3), dtype=float32)
        """
        aval = abstract_argument(x, "ShapeDtypeStruct.like", ((x,), {}), 0)
        placed = not isinstance(x, Tracer) and getattr(x, "committed", True)
        sharding = getattr(x, "sharding", None) if placed else None
        return cls(
            aval.shape, aval.dtype, sharding=sharding, weak_type=aval.weak_type, is_ref=isinstance(aval, AbstractRef)
        )

    def update(self, **changes: Any) -> ShapeDtypeStruct:
        """The struct with some of ``shape``, ``dtype``, ``sharding`` and ``weak_type`` replaced."""
        fields = {name: getattr(self, name) for name in self.__slots__} | changes
        return ShapeDtypeStruct(fields.pop("shape"), fields.pop("dtype"), **fields)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("fungrad.ShapeDtypeStruct: a type of shape () has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        name = self.dtype.name if self.dtype.names is None else dtypes.short_name(self.dtype)
        weak = ", weak_type=True" if self.weak_type else ""
        sharding = "" if self.sharding is None else f", sharding={self.sharding}"
        ref = ", is_ref=True" if self.is_ref else ""
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={name}{sharding}{weak}{ref})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShapeDtypeStruct):
            return False
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype, self.weak_type, self.sharding, self.is_ref))


def shape_struct(aval: ShapedArray) -> ShapeDtypeStruct:
    """The user's view of an aval; types of users' own are one already."""
    if aval.is_high:
        return aval  # type: ignore[return-value]
    return ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type, sharding=aval.placement)


def make_jaxpr(
    fun: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    axis_env: Sequence[tuple[Any, int]] | None = None,
    return_shape: bool = False,
) -> Callable[..., Any]:
    """A function that returns the jaxpr of ``fun`` for given arguments instead of running it.

    Args:
      fun: function of arrays and trees of arrays.
      static_argnums: positions of arguments that are passed on as they are.
      axis_env: names and sizes of mapped axes that collectives in ``fun`` may refer to.
      return_shape: whether to return a pair of the jaxpr and the tree of ``ShapeDtypeStruct`` of the output.

    Returns:
      A function with the arguments of ``fun`` (arrays, scalars or ``ShapeDtypeStruct``) that returns a ``Jaxpr``.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.make_jaxpr(lambda x: jnp.sin(x) * 2.0)(1.0)
      { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32[] in (c,) }
    """
    check_callable(fun, "make_jaxpr")
    static = integers("fungrad.make_jaxpr", "static_argnums", static_argnums)

    @wraps(fun)
    @boundary_of("fungrad.make_jaxpr")
    def jaxpr_of(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            for name, size in axis_env or ():
                stack.enter_context(named_axis(AxisData(name, size)))
            jaxpr, out_tree = trace_arguments(fun, args, kwargs, static, "make_jaxpr")
        if return_shape:
            return jaxpr, tree.unflatten(out_tree, [shape_struct(a) for a in jaxpr.out_avals[: out_tree.num_leaves]])
        return jaxpr

    return jaxpr_of


def trace_arguments(
    fun: Callable[..., Any], args: tuple, kwargs: dict, static: Sequence[int], api: str
) -> tuple[Any, Any]:
    """The jaxpr of ``fun`` for arguments given as values or types, and the tree of its output."""
    where = {a % len(args) if args else a for a in static}
    fixed = {i: args[i] for i in where}
    dynamic = tuple(a for i, a in enumerate(args) if i not in where)

    def with_static(*rest: Any, **keywords: Any) -> Any:
        given = iter(rest)
        result = fun(*[fixed[i] if i in where else next(given) for i in range(len(args))], **keywords)
        # A function of types may well return types.
        return tree.map(lambda x: zeros(typeof(x)) if isinstance(x, ShapeDtypeStruct) else x, result)

    leaves, in_tree = tree.flatten((dynamic, kwargs))
    avals = [abstract_argument(x, api, (dynamic, kwargs), i) for i, x in enumerate(leaves)]
    debug = debug_info(fun, dynamic, kwargs, api)
    # What references hold in the end are further results, which nobody stores.
    return trace_tree(with_static, in_tree, avals, debug, RefFrame())


@api_boundary
def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Shapes and dtypes of the output of ``fun``, without any computation.

    Args:
      fun: function of arrays and trees of arrays.
      *args: arguments: arrays, scalars, or anything with ``shape`` and ``dtype``.
      **kwargs: keyword arguments, likewise.

    Returns:
      A tree like the output with ``ShapeDtypeStruct`` leaves.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> a = fungrad.ShapeDtypeStruct((2000, 1000), jnp.float32)
      >>> fungrad.eval_shape(lambda a, x: jnp.dot(a, x), a, jnp.ones(1000))
      ShapeDtypeStruct(shape=(2000,), dtype=float32)
    """
    check_callable(fun, "eval_shape")
    jaxpr, out_tree = trace_arguments(fun, args, kwargs, (), "eval_shape")
    return tree.unflatten(out_tree, [shape_struct(a) for a in jaxpr.out_avals[: out_tree.num_leaves]])
