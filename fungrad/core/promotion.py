"""Type promotion: the common dtype of operands, on a lattice with weak types.

Weak operands come from Python scalars and take on the width of what they meet.  A 64-bit value
keeps its 64 bits whatever ``config.enable_x64`` says; only a 64-bit type that *no* operand had
(``uint32 + int32``, ``True + 1.5``) follows the switch.  Other modules use these names through
``fungrad.core.dtypes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core.scalar_types import (
    DEFAULT_WIDTHS,
    NARROWED,
    PYTHON_KIND,
    SUPPORTED,
    bfloat16,
    bool_,
    canonicalize_dtype,
    complex64,
    complex128,
    complex_dtypes,
    display_name,
    float16,
    float32,
    float64,
    float_dtypes,
    int8,
    int16,
    int32,
    int64,
    integer_dtypes,
    number_dtypes,
    small_floats,
    small_integers,
    uint8,
    uint16,
    uint32,
    uint64,
)
from fungrad.errors import TypePromotionError

# A node of the lattice is a dtype or one of the weak kinds "i*", "f*", "c*", which stand for values
# that came from Python scalars and take on the width of what they meet.
_Node = np.dtype | str
_KIND_NODE: dict[_Node, _Node] = {
    dtype: f"{'i' if dtype in integer_dtypes else 'f' if dtype in float_dtypes else 'c'}*"
    for dtype in number_dtypes
    if dtype is not bool_
}
_WEAK_DTYPES: dict[str, tuple[np.dtype, np.dtype]] = {
    "i*": DEFAULT_WIDTHS["i"],
    "f*": DEFAULT_WIDTHS["f"],
    "c*": DEFAULT_WIDTHS["c"],
}

# The edges of the lattice: what each node may become in one step.  Small floats and small integers
# have no way up, so that nothing leaves them, or meets them, by accident.
_STANDARD_STEPS: dict[_Node, tuple[_Node, ...]] = {
    bool_: ("i*",),
    "i*": (uint8, int8, *small_integers),
    uint8: (uint16, int16),
    uint16: (uint32, int32),
    uint32: (uint64, int64),
    uint64: ("f*",),
    int8: (int16,),
    int16: (int32,),
    int32: (int64,),
    int64: ("f*",),
    "f*": (bfloat16, float16, "c*", *small_floats),
    bfloat16: (float32,),
    float16: (float32,),
    float32: (float64, complex64),
    float64: (complex128,),
    "c*": (complex64,),
    complex64: (complex128,),
}

# Strict promotion: weak values adapt, strong ones never do.
_STRICT_STEPS: dict[_Node, tuple[_Node, ...]] = {
    "i*": ("f*", *integer_dtypes),
    "f*": ("c*", *float_dtypes),
    "c*": complex_dtypes,
}


def _reachable(steps: dict[_Node, tuple[_Node, ...]]) -> dict[_Node, frozenset[_Node]]:
    """For each node, itself and everything that it can be promoted to."""
    above: dict[_Node, frozenset[_Node]] = {}

    def visit(node: _Node) -> frozenset[_Node]:
        if node not in above:
            above[node] = frozenset({node}).union(*(visit(step) for step in steps.get(node, ())))
        return above[node]

    for node in number_dtypes:
        visit(node)
    for kind in _WEAK_DTYPES:
        visit(kind)
    return above


_ABOVE = {"standard": _reachable(_STANDARD_STEPS), "strict": _reachable(_STRICT_STEPS)}


def _join(nodes: Iterable[_Node], mode: str) -> _Node | None:
    """The least node that all ``nodes`` can be promoted to, or None when there is none."""
    above = _ABOVE[mode]
    common = frozenset.intersection(*(above[node] for node in nodes))
    # The least element of the common part is the one from which all of it is reached.
    return next((node for node in common if above[node] == common), None)


_Operand = tuple[np.dtype, bool]

# operands -> (result under every configuration, None)
#          or (None, promotion mode -> (32-bit result, 64-bit result)).
_memo: dict[
    tuple[_Operand, ...], tuple[_Operand | None, dict[str, tuple[_Operand, _Operand] | None]]
] = {}


def lattice_result_type(*operands: _Operand) -> _Operand:
    """The common dtype of operands given as ``(dtype, weak)``, and whether the result is weak.

    The result depends neither on the order nor on the multiplicity of the operands.

    Raises:
      TypePromotionError: when there is no common dtype, or strict promotion forbids it.

    Example:
      >>> from fungrad.core import dtypes
      >>> dtypes.lattice_result_type((dtypes.int8, False), (dtypes.float32, True))
      (dtype('float32'), True)
      >>> dtypes.lattice_result_type((dtypes.float16, False), (dtypes.float32, True))
      (dtype('float16'), False)
    """
    try:
        fixed, by_mode = _memo[operands]
    except KeyError:
        fixed, by_mode = _memoise(operands)
    if fixed is not None:
        return fixed
    results = by_mode[config.numpy_dtype_promotion]
    if results is None:
        raise _promotion_error(operands, allowed_otherwise=by_mode["standard"] is not None)
    narrow, wide = results
    return narrow if narrow is wide or not config.enable_x64 else wide


def requested_result_type(*operands: np.dtype) -> np.dtype:
    """The common dtype of dtypes that somebody asked for together, which strict promotion does not forbid.

    Raises:
      TypePromotionError: when there is no common dtype.
    """
    found = _resolve(tuple([(dtype, False) for dtype in operands]), "standard")
    if found is None:
        raise _promotion_error(tuple([(dtype, False) for dtype in operands]), allowed_otherwise=False)
    return found[1 if config.enable_x64 else 0][0]


def _memoise(operands: tuple[_Operand, ...]) -> tuple:
    if not operands:
        raise ValueError("lattice_result_type: expected at least one operand, got none")
    distinct = tuple(dict.fromkeys(operands))
    if len(distinct) < len(operands) > 4:
        # Long operand lists of every length would fill the table with copies of few entries.
        return _memo.get(distinct) or _memoise(distinct)
    standard, strict = _resolve(operands, "standard"), _resolve(operands, "strict")
    if standard and strict and standard[0] == standard[1] == strict[0] == strict[1]:
        entry: tuple = (standard[0], None)
    else:
        entry = (None, {"standard": standard, "strict": strict})
    _memo[operands] = entry
    return entry


def _resolve(operands: tuple[_Operand, ...], mode: str) -> tuple[_Operand, _Operand] | None:
    """Results with 32 and with 64 bit as default width, or None when there is no common dtype."""
    distinct = {(SUPPORTED.get(dtype, dtype), bool(weak)) for dtype, weak in operands}
    all_weak = all(weak for _, weak in distinct)
    dtypes = {dtype for dtype, _ in distinct}
    if len(dtypes) == 1:
        # Also the only way for float0 and keys, which are not in the lattice.
        (dtype,) = dtypes
        result = (dtype, all_weak and dtype in _KIND_NODE)
        return result, result
    if not dtypes <= _ABOVE[mode].keys():
        return None
    if all_weak and mode == "standard":
        node = _join(dtypes, mode)
        weak = True
    else:
        node = _join(
            (_KIND_NODE.get(dtype, dtype) if weak else dtype for dtype, weak in distinct), mode
        )
        weak = node in _WEAK_DTYPES
    if node is None:
        return None
    if isinstance(node, str):
        narrow, wide = _WEAK_DTYPES[node]
    else:
        # 64 bits that no operand had are not an explicit request.
        created = node in NARROWED and dtypes.isdisjoint(NARROWED)
        narrow, wide = NARROWED[node] if created else node, node
    result = (wide, weak)
    return (result if narrow is wide else (narrow, weak)), result


def _promotion_error(operands: tuple[_Operand, ...], allowed_otherwise: bool) -> TypePromotionError:
    ordered = dict.fromkeys(operands)
    shown = ", ".join(
        f"weak {display_name(dtype)}" if weak else display_name(dtype) for dtype, weak in ordered
    )
    dtypes = {dtype for dtype, _ in ordered}
    if allowed_otherwise:
        why = "are not promoted implicitly while numpy_dtype_promotion is 'strict'"
        fix = (
            "convert the operands with .astype(...), or allow it with fungrad.numpy_dtype_promotion"
        )
    elif not dtypes.isdisjoint(small_floats) or not dtypes.isdisjoint(small_integers):
        why = "have no common dtype: floats up to 8 bits and integers up to 4 are never promoted"
        fix = "convert explicitly, for example x.astype('float32') or x.astype('int32')"
    elif all(display_name(dtype).startswith("key<") for dtype in dtypes):
        why = "have no common dtype: random keys of different generators do not mix"
        fix = "make all of them with one impl, for example fungrad.random.key(0, impl='rbg')"
    else:
        why = "have no common dtype: float0 and random keys are never promoted"
        fix = "look for the operand that is a random key or an integer's tangent"
    return TypePromotionError(f"dtypes {shown} {why}; {fix}", tuple(ordered))


def promote_types(a: Any, b: Any) -> np.dtype:
    """The dtype to which values of dtypes ``a`` and ``b`` are promoted together.

    Args:
      a: a dtype-like; Python's ``int``, ``float`` and ``complex`` are weak and adapt to ``b``.
      b: likewise.

    Raises:
      TypePromotionError: when there is no common dtype.
      TypeError: when an argument is not a supported dtype.

    Example:
      >>> import fungrad.core.dtypes as dt
      >>> dt.promote_types("int8", "uint8"), dt.promote_types("float16", float)
      (dtype('int16'), dtype('float16'))
    """
    return lattice_result_type(_promotion_operand(a), _promotion_operand(b))[0]


# What strict promotion forbids is what the caller asks for.
promote_types.asks_for_promotion = True  # type: ignore[attr-defined]


def _promotion_operand(dtype_like: Any) -> _Operand:
    weak = isinstance(dtype_like, type) and dtype_like in PYTHON_KIND and dtype_like is not bool
    return canonicalize_dtype(dtype_like, "promote_types"), weak
