"""Operators and methods of ``Array``: bound to the class when ``fungrad.numpy`` is imported.

May import everything below ``numpy`` and the modules of ``numpy``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core.array import PYTHON_SCALARS, Array
from fungrad.core.primitive import Primitive
from fungrad.numpy import ufuncs
from fungrad.ops import compare, elementwise

# -- operators -----------------------------------------------------------------------------------------------------------

_OPERANDS = (*PYTHON_SCALARS, np.ndarray, np.generic)


def _is_operand(x: Any) -> bool:
    return isinstance(x, _OPERANDS) or hasattr(x, "__jax_array__")


def _operator(name: str, function: Callable[[Any, Any], Any], primitive: Primitive | None = None, bools: bool = True) -> Callable:
    """``x <op> y``; operands of equal type go straight to ``primitive`` (unless boolean and ``bools`` is false)."""

    def general(x: Any, y: Any) -> Any:
        if isinstance(y, Array) or _is_operand(y):
            return function(x, y)
        return NotImplemented

    if primitive is None:
        operator = general
    else:
        bind = primitive.bind

        def operator(x: Any, y: Any) -> Any:
            if isinstance(y, Array) and x.aval is y.aval and (bools or x.aval.dtype.kind != "b"):
                return bind(x, y)
            return general(x, y)

    operator.__name__ = operator.__qualname__ = name
    return operator


def _reflected(name: str, function: Callable[[Any, Any], Any]) -> Callable:
    """``y <op> x`` for an ``y`` that does not know arrays."""

    def operator(x: Any, y: Any) -> Any:
        if isinstance(y, Array) or _is_operand(y):
            return function(y, x)
        return NotImplemented

    operator.__name__ = operator.__qualname__ = name
    return operator


def _unary(name: str, function: Callable[[Any], Any]) -> Callable:
    def operator(x: Any) -> Any:
        return function(x)

    operator.__name__ = operator.__qualname__ = name
    return operator


def _arithmetic_operators() -> dict[str, Callable]:
    both: dict[str, tuple] = {
        "add": (ufuncs.add, elementwise.add_p, False),
        "sub": (ufuncs.subtract, elementwise.sub_p, False),
        "mul": (ufuncs.multiply, elementwise.mul_p, False),
        "truediv": (ufuncs.true_divide, None),
        "floordiv": (ufuncs.floor_divide, None),
        "mod": (ufuncs.remainder, None),
        "divmod": (ufuncs.divmod, None),
        "pow": (ufuncs.power, None),
        "and": (ufuncs.bitwise_and, None),
        "or": (ufuncs.bitwise_or, None),
        "xor": (ufuncs.bitwise_xor, None),
        "lshift": (ufuncs.left_shift, None),
        "rshift": (ufuncs.right_shift, None),
    }
    comparisons: dict[str, tuple] = {
        "eq": (ufuncs.equal, compare.eq_p),
        "ne": (ufuncs.not_equal, compare.ne_p),
        "lt": (ufuncs.less, None),
        "le": (ufuncs.less_equal, None),
        "gt": (ufuncs.greater, None),
        "ge": (ufuncs.greater_equal, None),
    }
    table = {f"__{name}__": _operator(f"__{name}__", *rest) for name, rest in (both | comparisons).items()}
    table |= {f"__r{name}__": _reflected(f"__r{name}__", rest[0]) for name, rest in both.items()}
    table["__neg__"] = _unary("__neg__", ufuncs.negative)
    table["__pos__"] = _unary("__pos__", ufuncs.positive)
    table["__abs__"] = _unary("__abs__", ufuncs.absolute)
    table["__invert__"] = _unary("__invert__", ufuncs.invert)
    return table


Array._bind_operators(_arithmetic_operators())
