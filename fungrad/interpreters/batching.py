"""Batching rules of primitives, with JAX's names and conventions (``jax.interpreters.batching``).

A rule of `primitive_batchers` is ``rule(args, dims, **params)``, where ``dims`` has the dimension of the batch for each
operand or None, and returns results and their dimensions. A rule of `axis_primitive_batchers` is also told the axis:
``rule(size, name, None, args, dims, **params)``, and one of `fancy_primitive_batchers` is
``rule(axis, args, dims, **params)``, where ``axis`` has ``name`` and ``size``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive
from fungrad.core.public_names import publish
from fungrad.extend.core.user_primitives import opened
from fungrad.interpreters.registries import Registry
from fungrad.ops.foundation import batch_to, reshape

__all__ = [
    "axis_primitive_batchers",
    "bdim_at_front",
    "broadcast",
    "defbroadcasting",
    "defreducer",
    "defvectorized",
    "fancy_primitive_batchers",
    "primitive_batchers",
    "register_vmappable",
    "unregister_vmappable",
]


def _method(primitive: Primitive, call: Callable[..., Any]) -> Callable[..., Any]:
    def batch(axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        out, dim = call(axis, tuple(args), tuple(dims), opened(params))
        if primitive.multiple_results:
            return list(out), list(dim) if isinstance(dim, (tuple, list)) else [dim] * len(out)
        return out, dim

    return batch


def _plain(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    return _method(primitive, lambda axis, args, dims, params: rule(args, dims, **params))


def _named(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    return _method(primitive, lambda axis, args, dims, params: rule(axis.size, axis.name, None, args, dims, **params))


def _fancy(primitive: Primitive, rule: Callable[..., Any]) -> Callable[..., Any]:
    return _method(primitive, lambda axis, args, dims, params: rule(axis, args, dims, **params))


def _axis_of(args: Sequence[Any], dims: Sequence[int | None]) -> AxisData:
    size = next(x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None)
    return AxisData(None, size)


def _out_plain(primitive: Primitive) -> Callable[..., Any]:
    def rule(args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> Any:
        return primitive.batch(_axis_of(args, dims), args, dims, **params)

    return rule


def _out_named(primitive: Primitive) -> Callable[..., Any]:
    def rule(
        size: int, name: Any, trace_type: Any, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> Any:
        return primitive.batch(AxisData(name, size), args, dims, **params)

    return rule


primitive_batchers: Registry = Registry("batch", _plain, _out_plain)
axis_primitive_batchers: Registry = Registry("batch", _named, _out_named)
fancy_primitive_batchers: Registry = Registry("batch", _fancy, lambda primitive: primitive.batch)


def bdim_at_front(x: Any, bdim: int | None, size: int) -> Any:
    """A batch with its dimension in front; what is not a batch is repeated ``size`` times."""
    return batch_to(x, bdim, 0, size)


def broadcast(x: Any, sz: int, axis: int) -> Any:
    """``x`` repeated along a new dimension."""
    return batch_to(x, None, axis, sz)


def defvectorized(prim: Primitive) -> None:
    """Registers a primitive that works on each element, and whose operands have their batches in one dimension."""

    def rule(args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        if any(d != dims[0] for d in dims):
            raise ValueError(f"defvectorized({prim}): the operands have their batches in dimensions {tuple(dims)}")
        return prim.bind(*args, **params), dims[0]

    primitive_batchers[prim] = rule


def defbroadcasting(prim: Primitive) -> None:
    """Registers a primitive that works on each element and repeats dimensions of size 1."""

    def rule(args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        shape, dim = next((x.shape, d) for x, d in zip(args, dims, strict=True) if d is not None)
        if all(x.shape == shape and d == dim for x, d in zip(args, dims, strict=True) if x.ndim):
            out = prim.bind(*args, **params)
            return (out, [dim] * len(out)) if prim.multiple_results else (out, dim)
        fronted = [batch_to(x, d, 0, 1) if x.ndim else x for x, d in zip(args, dims, strict=True)]
        ndim = max(x.ndim for x in fronted)
        padded = [
            x if d is None or x.ndim == ndim else reshape(x, (*x.shape, *(1,) * (ndim - x.ndim)))
            for x, d in zip(fronted, dims, strict=True)
        ]
        out = prim.bind(*padded, **params)
        return (out, [0] * len(out)) if prim.multiple_results else (out, 0)

    primitive_batchers[prim] = rule


def defreducer(prim: Primitive, ident: Any = None) -> None:
    """Registers a primitive of one operand that reduces the dimensions of its parameter ``axes``."""

    def rule(args: Sequence[Any], dims: Sequence[int | None], *, axes: Sequence[int], **params: Any) -> tuple[Any, Any]:
        (x,) = args
        dim = next(d for d in dims if d is not None)
        moved = tuple([a if a < dim else a + 1 for a in axes])
        kept = [i for i in range(x.ndim) if i not in moved]
        return prim.bind(x, axes=moved, **params), kept.index(dim)

    primitive_batchers[prim] = rule


def register_vmappable(*args: Any, **kwargs: Any) -> None:
    """Refuses: only arrays and pytrees of them can be mapped."""
    raise NotImplementedError(
        "fungrad.interpreters.batching.register_vmappable: vmap maps arrays and pytrees of arrays; register the class "
        "as a pytree node (fungrad.tree_util.register_pytree_node) instead"
    )


def unregister_vmappable(data_type: type) -> None:
    """Refuses, as nothing can be registered."""
    raise KeyError(data_type)


publish(globals(), __name__, __all__)
