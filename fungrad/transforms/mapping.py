"""``vmap``: mapping a function over an axis of its arguments.

Checks arguments, resolves ``in_axes`` and ``out_axes`` trees and words errors; the work is done in ``batching``.

May import ``core``, ``ops.foundation`` and ``transforms.batching``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from fungrad.core import tree
from fungrad.core.arguments import index
from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.context import AnonymousAxis, AxisData
from fungrad.core.dimensions import SymbolicDim, is_symbolic
from fungrad.core.hitypes import MappingSpec
from fungrad.core.refs import AbstractRef, Ref, contents, passed, store
from fungrad.core.signatures import P, R
from fungrad.core.source import boundary_of, function_name, wraps
from fungrad.core.staging import argument_names
from fungrad.ops.foundation import batch_to
from fungrad.transforms.api import check_callable, flat_arrays, other_values
from fungrad.transforms.batching import batch_flat


def vmap(
    fun: Callable[P, R],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable | None = None,
    axis_size: int | None = None,
    spmd_axis_name: Hashable | None = None,
) -> Callable[P, R]:
    """Maps a function of one example over a batch, without a Python loop.

    Args:
      fun: function of one example.
      in_axes: axis of each argument to map over: an int, None (not mapped), or a tree of them that is a prefix of the
        tuple of positional arguments. Negative axes count from the end. Keyword arguments are always mapped over axis
        0.
      out_axes: where the mapped axis appears in the outputs: a prefix of the output tree. None states that an output is
        the same for all examples.
      axis_name: name by which collectives such as ``lax.psum`` refer to the axis.
      axis_size: size of the axis; needed only if no argument is mapped.
      spmd_axis_name: name of a mesh axis, or a tuple of them, along which the batch is divided where
        ``lax.with_sharding_constraint`` in ``fun`` says how examples are.

    Returns:
      A function of whole batches.

    Raises:
      ValueError: mapped axes have different sizes, an axis does not exist, ``in_axes`` is not a prefix of the
        arguments, or an output with ``out_axes=None`` differs between examples.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> fungrad.vmap(jnp.dot, in_axes=(0, None))(jnp.ones((2, 3)), jnp.arange(3.0))
      Array([3., 3.], dtype=float32)
    """
    check_callable(fun, "vmap")
    if axis_size is not None and not is_symbolic(axis_size):
        axis_size = index("fungrad.vmap", "axis_size", axis_size, least=0)
    if isinstance(in_axes, list):
        # As in JAX: a list is taken for a tuple, since the arguments are one.
        in_axes = tuple(in_axes)
    if isinstance(in_axes, dict):
        raise TypeError(
            "fungrad.vmap: in_axes must be an int, None, or a tuple with an entry for every positional argument, got "
            f"{in_axes!r}; give ({in_axes!r},) for a function of one argument"
        )
    _check_axes_tree(in_axes, "in_axes")
    _check_axes_tree(out_axes, "out_axes")
    name = function_name(fun)

    @wraps(fun)
    @boundary_of("fungrad.vmap")
    def vmapped(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(
                f"fungrad.vmap: in_axes={in_axes} has {len(in_axes)} entries, but {name} was called with {len(args)} "
                "positional arguments; give one entry per positional argument, or a single int for all"
            )
        refs = References((args, kwargs))
        leaves, in_tree = tree.flatten(refs.without())
        axes = _flat_in_axes(in_axes, args, kwargs, len(leaves))
        whole = fun, args, kwargs
        for i, (x, place) in enumerate(zip(leaves, axes, strict=True)):
            # What is no array and not mapped reaches the function as it is.
            if isinstance(x, Array):
                continue
            if place is not None:
                leaves[i] = _mapped(x, i, whole)
            elif isinstance(x, (np.ndarray, np.generic)) and is_array_like(x):
                leaves[i] = as_array(x)
        dims = [_checked_axis(a, x, i, whole) for i, (a, x) in enumerate(zip(axes, leaves, strict=True))]
        size = _mapped_size(leaves, dims, axis_size, whole, name)
        entry = _mapped_entry(leaves, dims, name)
        axis = AxisData(AnonymousAxis() if axis_name is None else axis_name, size, entry, spmd_axis_name)
        out_tree: Any = None

        def flat_fun(*xs: Any) -> Sequence[Any]:
            nonlocal out_tree
            positional, keywords = tree.unflatten(in_tree, refs.inside(xs, axes))
            outs, out_tree = flat_arrays(fun(*positional, **keywords), "vmap", f"the result of {name}")
            return [*outs, *refs.held()]

        outs, out_dims = batch_flat(flat_fun, axis, leaves, dims, f"vmap of {name}")
        refs.store(outs, out_dims, dims, size)
        wanted = _flat_out_axes(out_axes, tree.unflatten(out_tree, outs), len(outs))
        placed = [
            _place(x, d, w, size, name, i, out_tree, outs)
            for i, (x, d, w) in enumerate(zip(outs, out_dims, wanted, strict=True))
        ]
        return tree.unflatten(out_tree, placed)

    return vmapped


def _mapped_entry(leaves: Sequence[Any], dims: Sequence[Any], name: str) -> Any:
    """The axes of a mesh that divide the mapped dimensions, as the types of the arguments say; None for none.

    Raises:
      ValueError: two arguments are divided otherwise.
    """
    found = None
    for x, d in zip(leaves, dims, strict=True):
        placement = getattr(x.aval, "placement", None) if d is not None else None
        if placement is None:
            continue
        entry = placement.spec[d]
        if found is not None and found[0] != entry:
            raise ValueError(
                f"fungrad.vmap: Mapped away dimension of inputs passed to vmap should be sharded the same. The mapped "
                f"axes of the arguments of {name} are divided by {found[0]} and by {entry}; move one with "
                "fungrad.reshard"
            )
        found = (entry,)
    return None if found is None else found[0]


class References:
    """The references among the arguments of a mapped function; those that are mapped are others inside.

    Attributes:
      refs: the references by position among the leaves.
      local: those that stand for them inside, by position.
    """

    def __init__(self, values: Any):
        self.values = values
        self.refs: dict[int, Ref] = {}
        self.local: dict[int, Ref] = {}
        if type(values) is tuple and not any(isinstance(x, Ref) for x in tree.leaves(values)):
            return
        leaves, self.structure = tree.flatten(values)
        self.refs = {i: x for i, x in enumerate(leaves) if isinstance(x, Ref)}
        self.leaves = leaves
        if len(set(map(id, self.refs.values()))) < len(self.refs):
            raise ValueError(
                "fungrad.vmap: only one reference to a mutable array may be passed as an argument to a function, but "
                "one appears twice"
            )

    def without(self) -> Any:
        """The arguments with what the references hold in their places."""
        if not self.refs:
            return self.values
        return tree.unflatten(self.structure, [contents(x) if isinstance(x, Ref) else x for x in self.leaves])

    def inside(self, xs: Sequence[Any], axes: Sequence[int | None]) -> Sequence[Any]:
        """The leaves inside: references that are not mapped are the same as outside."""
        if not self.refs:
            return xs
        leaves = list(xs)
        for i, ref in self.refs.items():
            leaves[i] = ref
            if axes[i] is not None:
                leaves[i] = self.local[i] = passed(xs[i], AbstractRef(xs[i].aval))
        return leaves

    def held(self) -> list[Any]:
        """What the mapped references hold in the end."""
        return [r._value for r in self.local.values()]

    def store(self, outs: list[Any], out_dims: list[Any], dims: Sequence[Any], size: int) -> None:
        """Takes what they hold off the end of the results, and stores it."""
        if not self.local:
            return
        n = len(outs) - len(self.local)
        for i, x, d in zip(self.local, outs[n:], out_dims[n:], strict=True):
            store(self.refs[i], batch_to(x, d, dims[i], size))
        del outs[n:], out_dims[n:]
def _mapped(x: Any, position: int, whole: Any) -> Any:
    """A mapped argument as an array."""
    if not is_array_like(x):
        raise TypeError(
            f"fungrad.vmap: the mapped argument {_path(whole, position)} must be an array or a scalar, got {x!r} of "
            f"type {type(x).__name__}; give it the axis None in in_axes, or {other_values(x)}"
        )
    return as_array(x, f"fungrad.vmap: {_path(whole, position)}")


def _is_none(x: Any) -> bool:
    return x is None


def _check_axes_tree(axes: Any, what: str) -> None:
    for leaf in tree.leaves(axes):
        if (not isinstance(leaf, int) or isinstance(leaf, bool)) and not isinstance(leaf, MappingSpec):
            raise TypeError(
                f"fungrad.vmap: {what} must be an int, None, or a tree of them, got {leaf!r} of type "
                f"{type(leaf).__name__}"
            )


def _flat_in_axes(in_axes: Any, args: tuple, kwargs: dict, n: int) -> list[int | None]:
    """The axis of every leaf of ``(args, kwargs)``."""
    if in_axes is None or isinstance(in_axes, int):
        n_kwargs = len(tree.leaves(kwargs))
        return [in_axes] * (n - n_kwargs) + [0] * n_kwargs
    flat = tree.broadcast_prefix(in_axes, args, is_leaf=_is_none, api="fungrad.vmap", prefix_name="in_axes")
    return flat + [0] * (n - len(flat))


def _flat_out_axes(out_axes: Any, result: Any, n: int) -> list[int | None]:
    if out_axes is None or isinstance(out_axes, int):
        return [out_axes] * n
    return tree.broadcast_prefix(out_axes, result, is_leaf=_is_none, api="fungrad.vmap", prefix_name="out_axes")


def _path(whole: Any, position: int) -> str:
    """Where a leaf of the arguments of a call is, such as ``params['w']``; ``whole`` is the function and these."""
    return argument_names(*whole)[position]


def _checked_axis(axis: Any, x: Any, position: int, whole: Any) -> Any:
    """A non-negative axis of ``x``."""
    if axis is None:
        return None
    if x.aval.is_high or isinstance(axis, MappingSpec):
        if not x.aval.is_high or not isinstance(axis, MappingSpec):
            raise ValueError(
                f"fungrad.vmap: in_axes has {axis!r} for {_path(whole, position)} of type {x.aval.short()}; an array "
                "is mapped along an int, a value of non-array type as a MappingSpec of that type says (with axis_size)"
            )
        return axis
    ndim = x.aval.ndim
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"fungrad.vmap: in_axes names axis {axis} of {_path(whole, position)}, which has type {x.aval.str_short()} "
            f"and rank {ndim}; map an existing axis, or pass None for arguments that are not mapped"
        )
    return axis % ndim


def _mapped_size(
    leaves: Sequence[Any], dims: Sequence[int | None], axis_size: int | SymbolicDim | None, whole: Any, name: str
) -> Any:
    """The common size of the mapped axes."""
    first = None
    for i, (x, d) in enumerate(zip(leaves, dims, strict=True)):
        if d is None or x.aval.is_high:
            continue
        size = x.aval.shape[d]
        if first is None:
            first = (i, size)
        elif size != first[1]:
            raise _size_error(leaves, dims, whole, name)
    if axis_size is not None:
        if first is not None and first[1] != axis_size:
            raise ValueError(
                f"fungrad.vmap: axis_size={axis_size}, but the mapped axis of {_path(whole, first[0])} has size "
                f"{first[1]}"
            )
        return axis_size
    if first is None:
        raise ValueError(
            f"fungrad.vmap: {name} was called with no mapped argument, so the size of the axis is unknown; map at "
            "least one argument (in_axes), or pass axis_size"
        )
    return first[1]


def _size_error(leaves: Sequence[Any], dims: Sequence[int | None], whole: Any, name: str) -> ValueError:
    lines = [
        f"  axis {d} of {_path(whole, i)} of type {x.aval.str_short()} has size {x.aval.shape[d]}"
        for i, (x, d) in enumerate(zip(leaves, dims, strict=True))
        if d is not None and not x.aval.is_high
    ]
    shown = lines if len(lines) <= 12 else [*lines[:12], f"  ... and {len(lines) - 12} more"]
    return ValueError(
        f"fungrad.vmap: the mapped axes of the arguments of {name} must have one size:\n" + "\n".join(shown)
    )


def _place(
    x: Any, dim: int | None, wanted: int | None, size: int, name: str, position: int, out_tree: Any, outs: Sequence[Any]
) -> Any:
    """A result with its batch where ``out_axes`` wants it."""
    if x.aval.is_high:
        if dim != wanted:
            path = tree.leaf_paths(tree.unflatten(out_tree, outs))[position]
            raise ValueError(
                f"fungrad.vmap: out_axes has {wanted!r} for the result{path} of {name}, of type {x.aval.short()}, "
                f"which is mapped as {dim!r} says; values of non-array types are not moved or repeated"
            )
        return x
    rank = x.aval.ndim if dim is not None else x.aval.ndim + 1
    if wanted is None:
        if dim is None:
            return x
        path = tree.leaf_paths(tree.unflatten(out_tree, outs))[position]
        raise ValueError(
            f"fungrad.vmap: out_axes is None for the result{path} of {name}, but it differs between examples; give it "
            "an axis, or reduce it over the mapped axis with a collective such as lax.psum"
        )
    if not -rank <= wanted < rank:
        path = tree.leaf_paths(tree.unflatten(out_tree, outs))[position]
        raise ValueError(
            f"fungrad.vmap: out_axes names axis {wanted} of the result{path} of {name}, which has rank {rank} with the "
            "mapped axis"
        )
    return batch_to(x, dim, wanted % rank, size)
