"""Shapes with symbols: ``symbolic_shape`` and ``symbolic_args_specs``.

May import ``core``, ``transforms.inspection`` and ``exports``: ``scopes`` and ``dimension_text``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fungrad.core import tree
from fungrad.core.arguments import shown
from fungrad.core.array import as_array
from fungrad.core.dimensions import is_symbolic
from fungrad.exports.dimension_text import parse_shape
from fungrad.exports.scopes import SymbolicScope
from fungrad.transforms.inspection import ShapeDtypeStruct


def is_symbolic_dim(p: Any) -> bool:
    """Whether a dimension is symbolic: an expression with variables, no number.

    Args:
      p: the dimension.

    Example:
      >>> from fungrad import export
      >>> b, n = export.symbolic_shape("b, 3")
      >>> export.is_symbolic_dim(b), export.is_symbolic_dim(n)
      (True, False)
    """
    return is_symbolic(p)


def _check_constraints(api: str, constraints: Any) -> None:
    if isinstance(constraints, str):
        raise ValueError(
            f"{api}: The symbolic constraints should be a sequence of strings. Got {constraints!r}; put it into a list"
        )


def symbolic_shape(
    shape_spec: str | None,
    *,
    constraints: Sequence[str] = (),
    scope: SymbolicScope | None = None,
    like: Sequence[int | None] | None = None,
) -> tuple[Any, ...]:
    """A shape that is written as text, with variables for sizes that are not known yet.

    Args:
      shape_spec: dimensions separated by commas: integers, variables, and sums and products of them with ``floordiv``,
        ``mod``, ``max`` and ``min``. ``_`` stands for the dimension of ``like``, ``...`` for those that are left; None
        for all of ``like``.
      constraints: of a new scope; see ``SymbolicScope``.
      scope: where the variables are known; a new one by default.
      like: the shape from which dimensions are taken.

    Returns:
      A tuple of integers and symbolic dimensions.

    Raises:
      ValueError: the text is no shape, ``like`` does not fit it, or there are both a scope and constraints.

    Example:
      >>> from fungrad import export
      >>> b, n = export.symbolic_shape("b, 2*b + 1")
      >>> (n - 1) // b, n % 2, n > b
      (2, 1, True)
      >>> export.symbolic_shape("b, ...", like=(2, 3, 4))
      (b, 3, 4)
    """
    api = "fungrad.export.symbolic_shape"
    if shape_spec is not None and not isinstance(shape_spec, str):
        raise ValueError(
            f"{api}: polymorphic shape spec should be None or a string. Found {shown(shape_spec)}"
        )
    _check_constraints(api, constraints)
    if scope is None:
        scope = SymbolicScope(constraints)
    elif constraints:
        raise ValueError(f"{api}: Cannot specify both a `scope` and `constraints`; give the constraints to the scope")
    return parse_shape("..." if shape_spec is None else shape_spec, like, scope, repr(shape_spec))


def symbolic_args_specs(
    args: Any,
    shapes_specs: Any,
    constraints: Sequence[str] = (),
    scope: SymbolicScope | None = None,
) -> Any:
    """Types of arguments with shapes that are written as text.

    Args:
      args: tree of arrays or ``ShapeDtypeStruct``.
      shapes_specs: a shape for every leaf as in ``symbolic_shape``, a tree that is a prefix of ``args``; None for the
        shape that the argument has.
      constraints: of a new scope; see ``SymbolicScope``.
      scope: where the variables are known; a new one by default.

    Returns:
      The tree of ``args`` with leaves ``ShapeDtypeStruct``.

    Raises:
      ValueError: a text is no shape, or not that of its argument; or there are both a scope and constraints.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import export
      >>> export.symbolic_args_specs((jnp.ones((2, 3)),), "b, _")
      (ShapeDtypeStruct(shape=(b, 3), dtype=float32),)
    """
    api = "fungrad.export.symbolic_args_specs"
    _check_constraints(api, constraints)
    if scope is None:
        scope = SymbolicScope(constraints)
    elif constraints:
        raise ValueError(f"{api}: Cannot use both `scope` and `constraints`; give the constraints to the scope")
    leaves, structure = tree.flatten(args)
    if isinstance(args, tuple) and isinstance(shapes_specs, list):
        shapes_specs = tuple(shapes_specs)
    specs = tree.broadcast_prefix(
        shapes_specs,
        args,
        is_leaf=lambda s: s is None,
        api="fungrad.export.symbolic_args_specs",
        prefix_name="shapes_specs",
        full_name="args",
    )
    out = []
    for x, spec in zip(leaves, specs, strict=True):
        aval = x if isinstance(x, ShapeDtypeStruct) else as_array(x).aval
        shape = symbolic_shape(spec, scope=scope, like=aval.shape)
        out.append(ShapeDtypeStruct(shape, aval.dtype))
    return tree.unflatten(structure, out)
