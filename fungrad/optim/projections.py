"""``fungrad.optim.projections``: the points of sets that are nearest to given ones, for projected gradient descent.

A point is a tree of arrays; norms and products are those of all its elements together.

May import ``core``, ``numpy``, ``nn``, ``control``, ``transforms`` and ``flatten_util``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad import nn
from fungrad.control.cond import cond
from fungrad.core import tree as trees
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.public_names import publish
from fungrad.flatten_util import ravel_pytree
from fungrad.optim._naming import match
from fungrad.optim.tree.arithmetic import add_scale, norm, scale as scaled, vdot
from fungrad.transforms.custom_rules import custom_jvp

__all__ = [
    "projection_box",
    "projection_halfspace",
    "projection_hypercube",
    "projection_hyperplane",
    "projection_l1_ball",
    "projection_l1_sphere",
    "projection_l2_ball",
    "projection_l2_sphere",
    "projection_linf_ball",
    "projection_non_negative",
    "projection_simplex",
    "projection_vector",
]


def _point(api: str, name: str, value: Any) -> Any:
    """An argument as a tree of arrays."""
    for path, leaf in trees.leaves_with_path(value):
        if not is_array_like(leaf):
            raise TypeError(
                f"fungrad.optim.projections.{api}: {name}{trees.keystr(path)} must be an array or a scalar, got "
                f"{shown(leaf)}"
            )
    return trees.map(as_array, value)


def _pair(api: str, x: Any, a: Any) -> tuple[Any, Any]:
    """A point and a normal."""
    x, a = _point(api, "x", x), _point(api, "a", a)
    match(f"fungrad.optim.projections.{api}", "a", trees.structure(x), a, "It must have the structure of x.")
    return x, a


def _bound(api: str, name: str, value: Any, point: Any) -> Any:
    """A bound for every array of a point."""
    api = f"fungrad.optim.projections.{api}"
    return trees.unflatten(trees.structure(point), trees.broadcast_prefix(value, point, api=api, prefix_name=name))


def projection_non_negative(tree: Any) -> Any:
    """The nearest point without negative elements.

    Args:
      tree: tree of arrays.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_non_negative(jnp.array([-1.0, 2.0]))
      Array([0., 2.], dtype=float32)
    """
    return trees.map(nn.relu, _point("projection_non_negative", "tree", tree))


def projection_box(tree: Any, lower: Any, upper: Any) -> Any:
    """The nearest point with elements between bounds.

    Args:
      tree: tree of arrays.
      lower: bound: a tree like ``tree``, or the upper part of one, such as a single number.
      upper: likewise.

    Raises:
      ValueError: a bound is no upper part of the tree.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_box({"w": jnp.array([-1.0, 2.0])}, 0.0, 1.0)
      {'w': Array([0., 1.], dtype=float32)}
    """
    tree = _point("projection_box", "tree", tree)
    bounds = [_bound("projection_box", name, value, tree) for name, value in (("lower", lower), ("upper", upper))]
    return trees.map(jnp.clip, tree, *bounds)


def projection_hypercube(tree: Any, scale: Any = 1) -> Any:
    """The nearest point with elements from 0 to ``scale``.

    Args:
      tree: tree of arrays.
      scale: length of the edges: a number, or a tree of them.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_hypercube(jnp.array([-1.0, 0.5, 2.0]))
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    tree = _point("projection_hypercube", "tree", tree)
    return trees.map(lambda x, top: jnp.clip(x, 0, top), tree, _bound("projection_hypercube", "scale", scale, tree))


@custom_jvp
def unit_simplex(values: Any) -> Array:
    """The nearest probabilities to a vector."""
    size = values.shape[0]
    descending = jnp.sort(values)[::-1]
    # Each number of positive elements has a shift that makes them add up to 1.
    shifts = (1 - jnp.cumsum(descending)) / jnp.arange(1, size + 1, dtype=values.dtype)
    count = jnp.sum(descending + shifts > 0)
    return nn.relu(values + shifts[jnp.maximum(count, 1) - 1])


@unit_simplex.defjvp
def _unit_simplex_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (values,), (direction,) = primals, tangents
    out = unit_simplex(values)
    support = (out > 0).astype(out.dtype)
    return out, support * (direction - jnp.sum(support * direction) / jnp.sum(support))


def _simplex(api: str, point: Any, scale: Any) -> Any:
    vector, unravel = ravel_pytree(point)
    if not vector.size:
        raise ValueError(f"fungrad.optim.projections.{api}: tree must have at least one element")
    return unravel((scale * unit_simplex(vector / scale)).astype(vector.dtype))


def projection_simplex(tree: Any, scale: Any = 1) -> Any:
    """The nearest point with elements of at least 0 that add up to ``scale``.

    Args:
      tree: tree of floating arrays.
      scale: the sum, a positive number.

    Raises:
      ValueError: the tree has no elements.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_simplex(jnp.array([0.5, 2.0, 1.5]))
      Array([0.  , 0.75, 0.25], dtype=float32)
    """
    return _simplex("projection_simplex", _point("projection_simplex", "tree", tree), scale)


def _l1_sphere(api: str, point: Any, scale: Any) -> Any:
    sizes = _simplex(api, trees.map(jnp.abs, point), scale)
    return trees.map(lambda x, size: jnp.sign(x) * size, point, sizes)


def projection_l1_sphere(tree: Any, scale: Any = 1) -> Any:
    """A nearest point whose absolute values add up to ``scale``.

    Args:
      tree: tree of floating arrays.
      scale: the sum, a positive number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_l1_sphere(jnp.array([2.0, -1.5]))
      Array([ 0.75, -0.25], dtype=float32)
    """
    return _l1_sphere("projection_l1_sphere", _point("projection_l1_sphere", "tree", tree), scale)


def projection_l1_ball(tree: Any, scale: Any = 1) -> Any:
    """The nearest point whose absolute values add up to at most ``scale``.

    Reference: Duchi et al., https://doi.org/10.1145/1390156.1390191.

    Args:
      tree: tree of floating arrays.
      scale: the bound, a positive number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_l1_ball(jnp.array([0.2, -0.3]))
      Array([ 0.2, -0.3], dtype=float32)
    """
    tree = _point("projection_l1_ball", "tree", tree)
    inside = norm(tree, ord=1) <= scale
    return cond(inside, lambda t: t, lambda t: _l1_sphere("projection_l1_ball", t, scale), tree)


def projection_l2_sphere(tree: Any, scale: Any = 1) -> Any:
    """The nearest point of Euclidean norm ``scale``.

    Args:
      tree: tree of floating arrays; zeros give NaN.
      scale: the norm.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_l2_sphere(jnp.array([3.0, 4.0]), 10.0)
      Array([6., 8.], dtype=float32)
    """
    tree = _point("projection_l2_sphere", "tree", tree)
    return scaled(scale / norm(tree), tree)


def projection_l2_ball(tree: Any, scale: Any = 1) -> Any:
    """The nearest point of Euclidean norm at most ``scale``.

    Args:
      tree: tree of floating arrays.
      scale: the bound of the norm, a positive number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_l2_ball(jnp.array([3.0, 4.0]), 10.0)
      Array([3., 4.], dtype=float32)
    """
    tree = _point("projection_l2_ball", "tree", tree)
    return scaled(scale / jnp.sqrt(jnp.maximum(norm(tree, squared=True), scale**2)), tree)


def projection_linf_ball(tree: Any, scale: Any = 1) -> Any:
    """The nearest point with absolute values of at most ``scale``.

    Args:
      tree: tree of arrays.
      scale: the bound.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_linf_ball(jnp.array([3.0, -0.5]))
      Array([ 1. , -0.5], dtype=float32)
    """
    return trees.map(lambda x: jnp.clip(x, -scale, scale), _point("projection_linf_ball", "tree", tree))


def projection_vector(x: Any, a: Any) -> Any:
    """The nearest multiple of ``a``.

    Args:
      x: tree of arrays.
      a: a tree like it.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_vector(jnp.array([1.0, 2.0]), jnp.array([2.0, 0.0]))
      Array([1., 0.], dtype=float32)
    """
    x, a = _pair("projection_vector", x, a)
    return scaled(vdot(x, a) / vdot(a, a), a)


def projection_hyperplane(x: Any, a: Any, b: Any) -> Any:
    """The nearest point with ``dot(a, x) = b``.

    Args:
      x: tree of arrays.
      a: a tree like it: the normal.
      b: a number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_hyperplane(jnp.array([1.0, 2.0]), jnp.array([2.0, 0.0]), 6.0)
      Array([3., 2.], dtype=float32)
    """
    x, a = _pair("projection_hyperplane", x, a)
    return add_scale(x, (b - vdot(x, a)) / vdot(a, a), a)


def projection_halfspace(x: Any, a: Any, b: Any) -> Any:
    """The nearest point with ``dot(a, x) <= b``.

    Args:
      x: tree of arrays.
      a: a tree like it: the normal.
      b: a number.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.projections.projection_halfspace(jnp.array([1.0, 2.0]), jnp.array([0.0, 1.0]), 1.0)
      Array([1., 1.], dtype=float32)
    """
    x, a = _pair("projection_halfspace", x, a)
    return add_scale(x, jnp.minimum((b - vdot(x, a)) / vdot(a, a), 0), a)


publish(globals(), __name__, __all__)
