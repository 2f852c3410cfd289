"""Helpers of functions that take functions (``jax.api_util``): functions of trees as functions of flat sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core import staging, tree
from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray
from fungrad.core.linear_util import Store, WrappedFun, transformation2, transformation_with_aux2
from fungrad.core.public_names import publish
from fungrad.core.staging import DebugInfo

__all__ = [
    "argnums_partial",
    "debug_info",
    "donation_vector",
    "flatten_axes",
    "flatten_fun",
    "flatten_fun_nokwargs",
    "rebase_donate_argnums",
    "safe_map",
    "shaped_abstractify",
]


def _flatten_fun(f: Callable, store: Store, in_tree: Any, *flat: Any) -> list[Any]:
    args, kwargs = tree.unflatten(in_tree, flat)
    leaves, out_tree = tree.flatten(f(*args, **kwargs))
    store.store(out_tree)
    return leaves


def _flatten_fun_nokwargs(f: Callable, store: Store, in_tree: Any, *flat: Any) -> list[Any]:
    leaves, out_tree = tree.flatten(f(*tree.unflatten(in_tree, flat)))
    store.store(out_tree)
    return leaves


def flatten_fun(fun: WrappedFun, in_tree: Any) -> tuple[WrappedFun, Callable[[], Any]]:
    """A wrapped function of the leaves of ``(args, kwargs)``, and a function that returns the tree of its results."""
    return transformation_with_aux2(_flatten_fun, fun, in_tree, use_eq_store=True)  # type: ignore[no-any-return]


def flatten_fun_nokwargs(fun: WrappedFun, in_tree: Any) -> tuple[WrappedFun, Callable[[], Any]]:
    """As `flatten_fun`, for the leaves of ``args`` alone."""
    return transformation_with_aux2(_flatten_fun_nokwargs, fun, in_tree, use_eq_store=True)  # type: ignore[no-any-return]


def flatten_axes(name: str, treedef: Any, axis_tree: Any, *, kws: bool = False, tupled_args: bool = False) -> list[Any]:
    """A leaf of ``axis_tree`` (an int or None) for every leaf of ``treedef``, of which it is a prefix.

    Args:
      name: for the message.
      treedef: the tree that the leaves are for.
      axis_tree: a prefix of it.
      kws: whether ``treedef`` is that of ``(args, kwargs)``.
      tupled_args: whether ``axis_tree`` is one per argument.

    Raises:
      ValueError: it is no prefix.
    """
    out: list[Any] = []

    def extend(axis: Any, part: Any) -> None:
        out.extend([axis] * len(tree.leaves(part)))

    dummy = tree.unflatten(treedef, [object()] * treedef.num_leaves)
    try:
        tree.map(extend, axis_tree, dummy, is_leaf=lambda x: x is None)
    except ValueError as error:
        raise ValueError(
            f"fungrad.api_util.flatten_axes: {name} specification must be a tree prefix of the corresponding value: "
            f"{error}"
        ) from None
    return out


def argnums_partial(
    f: WrappedFun, dyn_argnums: int | Sequence[int], args: Sequence[Any], require_static_args_hashable: bool = True
) -> tuple[WrappedFun, tuple[Any, ...]]:
    """A wrapped function of the arguments at ``dyn_argnums`` alone, and these arguments.

    Raises:
      ValueError: one of the others does not hash, and ``require_static_args_hashable``.
    """
    numbers = (dyn_argnums,) if isinstance(dyn_argnums, int) else tuple(dyn_argnums)
    numbers = tuple([n % len(args) for n in numbers])
    fixed = {i: x for i, x in enumerate(args) if i not in numbers}
    if require_static_args_hashable:
        for i, x in fixed.items():
            try:
                hash(x)
            except TypeError:
                raise ValueError(
                    f"Non-hashable static arguments are not supported: argument {i} of {f.__name__} has type "
                    f"{type(x).__name__}"
                ) from None

    def partial(inner: Callable, *dynamic: Any, **kwargs: Any) -> Any:
        whole = {**fixed, **dict(zip(numbers, dynamic, strict=True))}
        return inner(*[whole[i] for i in range(len(args))], **kwargs)

    return transformation2(partial, f), tuple([args[i] for i in numbers])


def donation_vector(donate_argnums: Sequence[int], donate_argnames: Sequence[str], in_tree: Any) -> tuple[bool, ...]:
    """For every leaf of ``(args, kwargs)``, whether it is donated."""
    args, kwargs = tree.unflatten(in_tree, range(in_tree.num_leaves))
    out: list[bool] = []
    for i, arg in enumerate(args):
        out += [i in donate_argnums] * len(tree.leaves(arg))
    for name in sorted(kwargs):
        out += [name in donate_argnames] * len(tree.leaves(kwargs[name]))
    return tuple(out)


def rebase_donate_argnums(donate_argnums: Sequence[int], static_argnums: Sequence[int]) -> tuple[int, ...]:
    """Positions of the donated arguments among those that are not static.

    Raises:
      ValueError: an argument is both.
    """
    both = set(donate_argnums) & set(static_argnums)
    if both:
        raise ValueError(
            "fungrad.api_util.rebase_donate_argnums: static_argnums and donate_argnums cannot intersect: arguments "
            f"{sorted(both)} are in both"
        )
    return tuple([d - sum(s < d for s in static_argnums) for d in sorted(donate_argnums)])


def safe_map(f: Callable, *args: Any) -> list[Any]:
    """``list(map(f, *args))`` for sequences of one length.

    Raises:
      ValueError: their lengths differ.
    """
    given = [list(a) for a in args]
    if len({len(a) for a in given}) > 1:
        raise ValueError(f"safe_map: length mismatch: {[len(a) for a in given]}")
    return [f(*xs) for xs in zip(*given, strict=True)]


def shaped_abstractify(x: Any) -> ShapedArray:
    """The type of an array or scalar, or of what has a shape and a dtype."""
    if isinstance(x, ShapedArray):
        return x
    if hasattr(x, "shape") and hasattr(x, "dtype") and not hasattr(x, "__array__"):
        return ShapedArray(tuple(x.shape), x.dtype, bool(getattr(x, "weak_type", False)))
    return as_array(x, "fungrad.api_util.shaped_abstractify: x").aval


def debug_info(
    traced_for: str, fun: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None, **_: Any
) -> DebugInfo:
    """Names for the messages about a traced function.

    Args:
      traced_for: the transformation.
      fun: the function.
      args: examples of its arguments.
      kwargs: examples of its keyword arguments.
    """
    return staging.debug_info(fun, args, kwargs or {}, traced_for)


publish(globals(), __name__, __all__)
