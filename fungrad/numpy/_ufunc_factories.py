"""What the elementwise functions are made with: promotion of operands, docstrings, and errors that name the function.

May import ``core``, ``ops`` and ``numpy._promotion``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core import dtypes
from fungrad.core.arguments import REFUSALS, reword
from fungrad.core.array import Array
from fungrad.core.primitive import Primitive
from fungrad.core.source import filter_exception
from fungrad.numpy._promotion import (
    cast,
    inexact,
    match_ranks,
    operand,
    promote_pair,
    promote_pair_inexact,
    weak_as,
)
from fungrad.numpy._ufunc_examples import with_example
from fungrad.ops import cast as cast_ops, compare


def refuse_out(api: str, out: Any, where: Any) -> None:
    """Refuses the arguments by which NumPy writes to an array.

    Raises:
      NotImplementedError: one of them is not None.
    """
    if out is not None:
        raise NotImplementedError(f"fungrad.numpy.{api}: out must be None; arrays are immutable, use the result")
    if where is not None:
        raise NotImplementedError(
            f"fungrad.numpy.{api}: where must be None: what is not computed would have no value; use "
            "fungrad.numpy.where on the result"
        )


# -- constructors ------------------------------------------------------------------------------------------------------


def named(fun: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    # Pickles refer to functions by these.
    fun.__module__, fun.__name__, fun.__qualname__ = "fungrad.numpy", name, name
    fun.__doc__ = with_example(name, doc)
    return fun


def unary_inexact(name: str, primitive: Primitive, what: str, example: str = "") -> Callable[[Any], Array]:
    """A function of one operand that is made floating first."""
    bind = primitive.bind

    def f(x: Any, /) -> Array:
        try:
            try:
                if not isinstance(x, Array) or not x.aval.inexact:
                    x = inexact(x, name)
                return bind(x)
            except REFUSALS as error:
                reword(error, f"fungrad.numpy.{name}", f, (x,), {})
        except Exception as error:
            filter_exception(error)
            raise

    doc = f"""{what}

    Args:
      x: array or scalar; integers and booleans are converted to the default floating dtype.

    Returns:
      Array of the shape of ``x``.
    """
    return named(f, name, doc + example)


def binary(name: str, primitive: Primitive, what: str, promote: Any = promote_pair) -> Callable[[Any, Any], Array]:
    """A function of two operands of a common dtype."""
    bind = primitive.bind

    def f(x: Any, y: Any, /, out: None = None, where: None = None) -> Array:
        try:
            try:
                if out is not None or where is not None:
                    refuse_out(name, out, where)
                x, y = promote(name, x, y)
                return bind(x, y)
            except REFUSALS as error:
                reword(error, f"fungrad.numpy.{name}", f, (x, y), {})
        except Exception as error:
            filter_exception(error)
            raise

    return named(f, name, binary_doc(what))


def binary_inexact(name: str, primitive: Primitive, what: str) -> Callable[[Any, Any], Array]:
    """A function of two operands of a common floating dtype."""
    return binary(name, primitive, what, promote_pair_inexact)


def binary_doc(what: str) -> str:
    return f"""{what}

    Args:
      x: array or scalar.
      y: array or scalar; dtypes are promoted and shapes broadcast.
      out: must be None.
      where: must be None.

    Returns:
      Array of the broadcast shape.

    Raises:
      ValueError: the shapes do not broadcast.
    """


def logical(name: str, primitive: Primitive, what: str) -> Callable[[Any, Any], Array]:
    """A function of two truth values."""

    def f(x: Any, y: Any, /, out: None = None, where: None = None) -> Array:
        refuse_out(name, out, where)
        return weak_as(primitive.bind(*match_ranks(name, truth(x, name), truth(y, name))), x, y)

    return named(f, name, binary_doc(what))


def truth(x: Any, api: str) -> Array:
    """``x`` as booleans: whether it is not zero."""
    x = operand(x, api, "x")
    return x if dtypes.is_bool(x.aval.dtype) else compare.ne(x, 0)


def strong(x: Array) -> Array:
    """``x`` with a strong dtype."""
    return cast(x, x.aval.dtype)


def where_value(mask: Array, value: float, x: Array) -> Array:
    """``x`` with the constant ``value`` where ``mask`` holds."""
    filled = cast_ops.full_like(x, value)
    return compare.select_n(mask, x, filled)


def promote_numbers(api: str, x1: Any, x2: Any) -> tuple[Array, Array]:
    """Two operands of a common dtype, integers of 32 bit instead of booleans."""
    x, y = promote_pair(api, x1, x2)
    if dtypes.is_bool(x.aval.dtype):
        return cast(x, dtypes.int32), cast(y, dtypes.int32)
    return x, y
