"""``dim_as_value``: the value of a symbolic dimension, as a scalar array.

The value is known when the program gets its numbers (``exports.instances``), where the equation becomes a literal; so
the primitive is never computed or compiled.

May import ``core``.
"""

from __future__ import annotations

from typing import Any

from fungrad.core import dtypes
from fungrad.core.avals import ShapedArray
from fungrad.core.primitive import Primitive


class _DimAsValue(Primitive):
    kind = "structural"
    cheap = True

    def abstract_eval(self, *, dim: Any) -> ShapedArray:
        return value_aval()

    def impl(self, *, dim: Any) -> Any:
        raise NotImplementedError(
            f"the value of the symbolic dimension '{dim}' is not known: symbolic dimensions can only be used inside of "
            "functions that fungrad.export.export traces"
        )

    def jvp(self, primals: Any, tangents: Any, **params: Any) -> Any:
        raise AssertionError("internal error: dim_as_value has no operands to differentiate")


def value_aval() -> ShapedArray:
    """The type of the value of a dimension, that of a Python integer."""
    return ShapedArray((), dtypes.scalar_dtype(0), True)


dim_as_value = _DimAsValue("dim_as_value")
