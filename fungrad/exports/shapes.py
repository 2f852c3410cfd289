"""Shapes with symbols: what is understood of them.

Programs are compiled for the shapes of their arguments, and an exported program has those of the arguments that it was
exported for. So there are no symbolic dimensions: shapes that are written as text are read, and symbols in them are
refused with what to do instead.

May import ``core`` and ``transforms.inspection``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.avals import ShapedArray
from fungrad.transforms.inspection import ShapeDtypeStruct, shape_struct


class SymbolicScope:
    """Constraints on symbols, which there are none of: only a scope without constraints can be made.

    Args:
      constraints_str: must be empty.

    Raises:
      NotImplementedError: there are constraints.

    Example:
      >>> from fungrad import export
      >>> export.symbolic_shape("3, 4", scope=export.SymbolicScope())
      (3, 4)
    """

    def __init__(self, constraints_str: Sequence[str] = ()):
        if constraints_str:
            raise _no_symbols("export.SymbolicScope", f"the constraints {list(constraints_str)}")

    def __repr__(self) -> str:
        return "SymbolicScope()"


def _no_symbols(api: str, what: str) -> NotImplementedError:
    return NotImplementedError(
        f"fungrad.{api}: {what} would need programs for arrays of any size, but a program is compiled for the shapes "
        "of its arguments; export the function once for each shape that is needed, for the largest with the rest "
        "filled up, or for one example, and map it with fungrad.vmap over a batch of any size"
    )


def is_symbolic_dim(p: Any) -> bool:
    """Whether a dimension is symbolic: false, since every dimension here is an integer.

    Args:
      p: the dimension.

    Example:
      >>> from fungrad import export
      >>> export.is_symbolic_dim(3)
      False
    """
    return False


def symbolic_shape(
    shape_spec: str | None,
    *,
    constraints: Sequence[str] = (),
    scope: SymbolicScope | None = None,
    like: Sequence[int | None] | None = None,
) -> tuple[int, ...]:
    """Reads a shape that is written as text, as far as it has no symbols.

    Args:
      shape_spec: dimensions separated by commas. ``_`` stands for the dimension of ``like``, ``...`` for those that are
        left; None for all of ``like``.
      constraints: must be empty.
      scope: has no effect.
      like: the shape from which dimensions are taken.

    Raises:
      NotImplementedError: a dimension is a symbol.
      ValueError: the text is no shape, or ``like`` does not fit it.

    Example:
      >>> from fungrad import export
      >>> export.symbolic_shape("_, ..., 5", like=(2, 3, 4, 5))
      (2, 3, 4, 5)
    """
    api = "export.symbolic_shape"
    if constraints:
        raise _no_symbols(api, f"the constraints {list(constraints)}")
    known = None if like is None else tuple(like)
    if shape_spec is None:
        if known is None or any(d is None for d in known):
            raise ValueError(f"fungrad.{api}: shape_spec is None, so like must be a shape, got {like!r}")
        return known  # type: ignore[return-value]
    if not isinstance(shape_spec, str):
        raise TypeError(
            f"fungrad.{api}: shape_spec must be a string or None, got {shape_spec!r} of type "
            f"{type(shape_spec).__name__}"
        )
    text = shape_spec.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    parts = [p.strip() for p in text.split(",")]
    if parts[-1] == "":
        parts.pop()
    if parts.count("...") > 1:
        raise ValueError(f"fungrad.{api}: {shape_spec!r} has more than one '...'")
    if "..." in parts:
        if known is None:
            raise ValueError(f"fungrad.{api}: '...' in {shape_spec!r} needs like")
        at, missing = parts.index("..."), len(known) - len(parts) + 1
        parts[at : at + 1] = ["_"] * missing
    if known is not None and len(parts) != len(known):
        raise ValueError(
            f"fungrad.{api}: {shape_spec!r} has {len(parts)} dimensions, but like={known} has {len(known)}"
        )
    return tuple([_dimension(p, known, i, shape_spec, api) for i, p in enumerate(parts)])


def _dimension(text: str, like: tuple | None, position: int, spec: str, api: str) -> int:
    given = None if like is None else like[position]
    if text == "_":
        if given is None:
            raise ValueError(f"fungrad.{api}: '_' in {spec!r} needs like with that dimension")
        return int(given)
    if re.search(r"[A-Za-z_]", text):
        raise _no_symbols(api, f"the symbolic dimension {text!r} of {spec!r}")
    if not text.isdecimal():
        raise ValueError(f"fungrad.{api}: {text!r} in {spec!r} is no dimension: expected an integer, '_' or '...'")
    if given is not None and int(text) != given:
        raise ValueError(f"fungrad.{api}: dimension {position} of {spec!r} is {text}, but that of like is {given}")
    return int(text)


def symbolic_args_specs(
    args: Any,
    shapes_specs: Any,
    constraints: Sequence[str] = (),
    scope: SymbolicScope | None = None,
) -> Any:
    """Types of arguments with shapes that are written as text, as far as those have no symbols.

    Args:
      args: tree of arrays or ``ShapeDtypeStruct``.
      shapes_specs: a shape for every leaf as in ``symbolic_shape``, a tree that is a prefix of ``args``.
      constraints: must be empty.
      scope: has no effect.

    Returns:
      The tree of ``args`` with leaves ``ShapeDtypeStruct``.

    Raises:
      NotImplementedError: a dimension is a symbol.
      ValueError: a text is no shape, or not that of its argument.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import export
      >>> export.symbolic_args_specs((jnp.ones((2, 3)),), "_, 3")
      (ShapeDtypeStruct(shape=(2, 3), dtype=float32),)
    """
    if constraints:
        raise _no_symbols("export.symbolic_args_specs", f"the constraints {list(constraints)}")
    leaves, structure = tree.flatten(args)
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
        aval = ShapedArray(x.shape, x.dtype) if isinstance(x, ShapeDtypeStruct) else as_array(x).aval
        symbolic_shape(spec, scope=scope, like=aval.shape)
        out.append(shape_struct(aval))
    return tree.unflatten(structure, out)
