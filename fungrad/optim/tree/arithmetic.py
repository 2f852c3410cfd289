"""Arithmetic on trees as on vectors: sums, products, norms, moving averages.

May import ``fungrad.numpy``, ``core`` and ``optim._formulas``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import tree as pytree
from fungrad.core.array import Array
from fungrad.optim._formulas import corrected, decayed, gained, is_wide, square


def _is_none(x: Any) -> bool:
    return x is None


def _skipping_none(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f`` of leaves, None where the first is."""
    return lambda x, *rest: None if x is None else f(x, *rest)


def add(tree_x: Any, tree_y: Any, *other_trees: Any) -> Any:
    """The sum of two or more trees.

    Args:
      tree_x: tree of arrays.
      tree_y: a tree like it.
      *other_trees: further trees like it.

    Example:
      >>> from fungrad import optim
      >>> optim.tree.add({'a': 1.0}, {'a': 2.0}, {'a': 3.0})
      {'a': 6.0}
    """
    return pytree.map(lambda x, *rest: functools.reduce(operator.add, rest, x), tree_x, tree_y, *other_trees)


def sub(tree_x: Any, tree_y: Any) -> Any:
    """The difference of two trees.

    Args:
      tree_x: tree of arrays.
      tree_y: a tree like it.
    """
    return pytree.map(operator.sub, tree_x, tree_y)


def mul(tree_x: Any, tree_y: Any) -> Any:
    """The product of two trees, element by element.

    Args:
      tree_x: tree of arrays.
      tree_y: a tree like it.
    """
    return pytree.map(operator.mul, tree_x, tree_y)


def div(tree_x: Any, tree_y: Any) -> Any:
    """The quotient of two trees, element by element.

    Args:
      tree_x: tree of arrays.
      tree_y: a tree like it.
    """
    return pytree.map(operator.truediv, tree_x, tree_y)


def scale(scalar: Any, tree: Any) -> Any:
    """A tree times a number.

    Args:
      scalar: the number.
      tree: tree of arrays.

    Example:
      >>> from fungrad import optim
      >>> optim.tree.scale(2.0, {'a': 3.0})
      {'a': 6.0}
    """
    return pytree.map(lambda x: scalar * x, tree)


def add_scale(tree_x: Any, scalar: Any, tree_y: Any) -> Any:
    """``tree_x + scalar * tree_y``; None where ``tree_x`` is.

    Args:
      tree_x: tree of arrays.
      scalar: a number.
      tree_y: a tree like ``tree_x``.
    """
    factor = jnp.asarray(scalar)
    return pytree.map(_skipping_none(lambda x, y: x + factor * y), tree_x, tree_y, is_leaf=_is_none)


def vdot(tree_x: Any, tree_y: Any) -> Any:
    """The inner product of two trees, the first conjugated.

    Args:
      tree_x: tree of arrays.
      tree_y: a tree like it.

    Returns:
      A scalar.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.tree.vdot([jnp.ones(2), 3.0], [jnp.ones(2), 2.0]))
      8.0
    """
    products = pytree.map(jnp.vdot, tree_x, tree_y)
    return functools.reduce(operator.add, pytree.leaves(products), 0)


def total(tree: Any, associative_reduction: bool = False) -> Any:
    """The sum of all elements of a tree.

    Args:
      tree: tree of arrays.
      associative_reduction: whether leaves are added up pairwise, and not from the left.

    Returns:
      A scalar; 0 for a tree without leaves.
    """
    sums = pytree.map(jnp.sum, tree)
    if associative_reduction:
        return pytree.reduce_associative(operator.add, sums, identity=0)
    return functools.reduce(operator.add, pytree.leaves(sums), 0)


def _extreme(tree: Any, of_array: Callable[[Any], Any], of_pair: Callable[[Any, Any], Any], start: float) -> Any:
    values = [of_array(x) for x in pytree.leaves(tree) if jnp.size(x)]
    return functools.reduce(of_pair, values, start)


def greatest(tree: Any) -> Any:
    """The greatest element of a tree; minus infinity if there is none.

    Args:
      tree: tree of arrays.
    """
    return _extreme(tree, jnp.max, jnp.maximum, -float("inf"))


def least(tree: Any) -> Any:
    """The least element of a tree; infinity if there is none.

    Args:
      tree: tree of arrays.
    """
    return _extreme(tree, jnp.min, jnp.minimum, float("inf"))


def size(tree: Any) -> int:
    """The number of elements of a tree.

    Args:
      tree: tree of arrays.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> optim.tree.size([jnp.ones((2, 3)), 1.0])
      7
    """
    return sum([jnp.size(x) for x in pytree.leaves(tree)])


def conj(tree: Any) -> Any:
    """The complex conjugate of a tree.

    Args:
      tree: tree of arrays.
    """
    return pytree.map(jnp.conj, tree)


def real(tree: Any) -> Any:
    """The real part of a tree.

    Args:
      tree: tree of arrays.
    """
    return pytree.map(jnp.real, tree)


def norm(tree: Any, ord: int | str | float | None = None, squared: bool = False) -> Array:
    """The norm of a tree as one vector.

    Args:
      tree: tree of arrays.
      ord: None or 2 for the Euclidean norm, 1 for the sum of magnitudes, ``inf`` (or ``"inf"``, ``"infinity"``) for the
        greatest.
      squared: whether to return the square of the norm.

    Returns:
      A scalar.

    Raises:
      ValueError: ``ord`` is none of these.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.tree.norm([jnp.array([3.0]), jnp.array([4.0])]))
      5.0
    """
    if ord is None or ord == 2:
        found = total(pytree.map(lambda x: square(jnp.asarray(x), jnp), tree))
        return jnp.asarray(found if squared else jnp.sqrt(found))
    if ord == 1:
        found = total(pytree.map(jnp.abs, tree))
    elif ord in ("inf", "infinity", float("inf")):
        found = greatest(pytree.map(jnp.abs, tree))
    else:
        raise ValueError(f"fungrad.optim.tree.norm: ord must be None, 1, 2 or inf, got {ord!r}")
    return jnp.asarray(found * found if squared else found)


def global_norm(updates: Any) -> Array:
    """The Euclidean norm of a tree as one vector; the old name of ``tree.norm``.

    Args:
      updates: tree of arrays.
    """
    return norm(updates)


def batch_shape(tree: Any, shape: tuple[int, ...] = ()) -> Any:
    """A tree repeated along new leading axes.

    Args:
      tree: tree of arrays.
      shape: sizes of the new axes.
    """
    return pytree.map(lambda x: jnp.broadcast_to(x, (*shape, *jnp.shape(x))), tree)


def zeros_like(tree: Any, dtype: Any = None) -> Any:
    """Zeros of the shapes of a tree.

    Args:
      tree: tree of arrays.
      dtype: of the zeros; default those of the tree.
    """
    return pytree.map(lambda x: jnp.zeros_like(x, dtype=dtype), tree)


def ones_like(tree: Any, dtype: Any = None) -> Any:
    """Ones of the shapes of a tree.

    Args:
      tree: tree of arrays.
      dtype: of the ones; default those of the tree.
    """
    return pytree.map(lambda x: jnp.ones_like(x, dtype=dtype), tree)


def full_like(tree: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Arrays of the shapes of a tree, filled with a number.

    Args:
      tree: tree of arrays.
      fill_value: the number.
      dtype: of the arrays; default those of the tree.
    """
    return pytree.map(lambda x: jnp.full_like(x, fill_value, dtype=dtype), tree)


def clip(tree: Any, min_value: Any = None, max_value: Any = None) -> Any:
    """A tree with its elements limited to an interval.

    Args:
      tree: tree of arrays.
      min_value: lower end; None for none.
      max_value: upper end; None for none.
    """
    return pytree.map(lambda x: jnp.clip(x, min_value, max_value), tree)


def where(condition: Any, tree_x: Any, tree_y: Any) -> Any:
    """The elements of one tree where a condition holds, of another where it does not.

    Args:
      condition: bool array that broadcasts against every leaf.
      tree_x: tree of arrays.
      tree_y: a tree like it.
    """
    return pytree.map(lambda x, y: jnp.where(condition, x, y), tree_x, tree_y)


def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements of two trees are equal to a tolerance, as ``fungrad.numpy.allclose``.

    Args:
      a: tree of arrays.
      b: a tree like it.
      rtol: relative tolerance.
      atol: absolute tolerance.
      equal_nan: whether NaN equals NaN.

    Returns:
      A bool scalar.
    """
    close = pytree.map(lambda x, y: jnp.allclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan), a, b)
    return functools.reduce(operator.and_, pytree.leaves(close), True)


def update_moment(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """The next moving average of powers: ``(1 - decay) * updates**order + decay * moments``.

    Args:
      updates: tree of arrays; None leaves stay None.
      moments: a tree like it.
      decay: of the average.
      order: exponent.
    """
    return pytree.map(_skipping_none(lambda g, t: decayed(g**order, t, decay)), updates, moments, is_leaf=_is_none)


def update_infinity_moment(updates: Any, moments: Any, decay: Any, eps: Any) -> Any:
    """The next decaying maximum of magnitudes: ``max(abs(updates) + eps, decay * moments)``.

    Args:
      updates: tree of arrays; None leaves stay None.
      moments: a tree like it.
      decay: factor of the maximum before.
      eps: added to magnitudes.
    """
    update = _skipping_none(lambda g, t: jnp.maximum(jnp.abs(g) + eps, decay * t))
    return pytree.map(update, updates, moments, is_leaf=_is_none)


def update_moment_per_elem_norm(updates: Any, moments: Any, decay: Any, order: int) -> Any:
    """The next moving average of powers, of complex numbers those of their magnitudes.

    Args:
      updates: tree of arrays; None leaves stay None.
      moments: a tree like it.
      decay: of the average.
      order: exponent.
    """

    def power(g: Any) -> Any:
        if not jnp.iscomplexobj(g):
            return g**order
        return square(g, jnp) ** (order // 2 if order % 2 == 0 else order / 2)

    return pytree.map(_skipping_none(lambda g, t: decayed(power(g), t, decay)), updates, moments, is_leaf=_is_none)


def bias_correction(moment: Any, decay: Any, count: Any) -> Any:
    """Moving averages corrected for their start at zero: ``moment / (1 - decay**count)``.

    Args:
      moment: tree of arrays.
      decay: of the averages.
      count: number of values in them.
    """
    gain = gained(decay, jnp.asarray(count), is_wide(moment))
    return pytree.map(lambda m: corrected(m, gain), moment)
