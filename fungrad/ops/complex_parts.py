"""Complex numbers and their parts, and the absolute value.

Cotangents of complex numbers follow the convention that no conjugation happens in transposition:
the gradient of a real function is the conjugate of the direction of steepest ascent.

May import ``core``, ``ops._operands``, ``ops._families``, ``ops.elementwise``, ``ops.compare`` and
``ops.cast``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.primitive import is_linear
from fungrad.ops._families import Elementwise, LinearElementwise, unbroadcast
from fungrad.ops._operands import constant, kind_of, lift, lift_pair
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import eq, ge, select_n
from fungrad.ops.elementwise import div, mul, neg
from fungrad.ops.foundation import broadcast


def _zero_of(ct: Any) -> Array:
    return constant(ct, 0)


real_p = LinearElementwise(
    "real",
    lambda x: x.real.copy(),
    "c",
    lambda ct, aval: complex(ct, _zero_of(ct)),
    result=dtypes.to_real_dtype,
    cheap=True,
)
imag_p = LinearElementwise(
    "imag",
    lambda x: x.imag.copy(),
    "c",
    lambda ct, aval: complex(_zero_of(ct), neg(ct)),
    result=dtypes.to_real_dtype,
    cheap=True,
)


def real(x: Any) -> Array:
    """Elementwise real part of a complex array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.real(jnp.array([1.0 + 2.0j]))
      Array([1.], dtype=float32)
    """
    return real_p.bind(lift(x, "fungrad.lax.real: x"))


def imag(x: Any) -> Array:
    """Elementwise imaginary part of a complex array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.imag(jnp.array([1.0 + 2.0j]))
      Array([2.], dtype=float32)
    """
    return imag_p.bind(lift(x, "fungrad.lax.imag: x"))


class Complex(Elementwise):
    """Complex numbers of their parts; linear in each."""

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> ShapedArray:
        for aval in avals:
            if aval.dtype not in (dtypes.float32, dtypes.float64):
                raise TypeError(
                    "fungrad.lax.complex: parts must be float32 or float64, got "
                    f"{aval.str_short()}; convert with .astype"
                )
        return super().abstract_eval(*avals, **params)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        y = self.bind(*primals)
        parts = [
            constant(x, 0) if type(g) is Zero else g for g, x in zip(tangents, primals, strict=True)
        ]
        return y, broadcast(self.bind(*parts), y.aval.shape)

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return [
            unbroadcast(real(ct), x.aval) if is_linear(x) else None,
            unbroadcast(neg(imag(ct)), y.aval) if is_linear(y) else None,
        ]


def _complex(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Not x + 1j * y: that loses signed zeros, and makes NaN of infinities.
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), dtypes.to_complex_dtype(x.dtype))
    out.real = x
    out.imag = y
    return out


complex_p = Complex("complex", _complex, "f", result=dtypes.to_complex_dtype, arity=2, cheap=True)


def complex(x: Any, y: Any) -> Array:
    """Elementwise complex number with real part ``x`` and imaginary part ``y``.

    Args:
      x: float32 or float64 array.
      y: array of the same dtype; equal shapes, or one operand 0-d.

    Example:
      >>> from fungrad import lax
      >>> lax.complex(1.0, 2.0)
      Array(1.+2.j, dtype=complex64, weak_type=True)
    """
    return complex_p.bind(*lift_pair("complex", x, y))


class Conj(Elementwise):
    """Complex conjugate, of real numbers too; linear over the reals."""

    def abstract_eval(self, x: ShapedArray, *, input_dtype: np.dtype) -> ShapedArray:
        if x.dtype not in (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128):
            raise TypeError(
                f"fungrad.lax.conj: the operand must be float32, float64 or complex, got {x.str_short()}"
            )
        return super().abstract_eval(x)

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        return self.bind(*primals, **params), self.bind(*tangents, **params)

    def transpose(self, ct: Any, x: Any, *, input_dtype: np.dtype) -> Sequence[Any]:
        return (conj(ct) if kind_of(input_dtype) == "c" else real(ct),)


def _conj(x: np.ndarray, *, input_dtype: np.dtype) -> Any:
    return np.conjugate(x) if x.dtype.kind == "c" else x.astype(dtypes.to_complex_dtype(x.dtype))


conj_p = Conj("conj", _conj, "fc", result=dtypes.to_complex_dtype, cheap=True)


def conj(x: Any) -> Array:
    """Elementwise complex conjugate; real numbers become complex.

    Example:
      >>> from fungrad import lax
      >>> lax.conj(1.0 + 2.0j)
      Array(1.-2.j, dtype=complex64, weak_type=True)
    """
    x = lift(x, "fungrad.lax.conj: x")
    return conj_p.bind(x, input_dtype=x.aval.dtype)


def _abs_jvp(g: Any, x: Any, y: Any) -> Array:
    if kind_of(x.aval.dtype) != "c":
        return select_n(ge(x, constant(x, 0)), neg(g), g)
    # The derivative of |x| along g is Re(conj(x) g) / |x|; it is taken as 0 at 0.
    size = convert_element_type(y, x.aval.dtype)
    direction = div(conj(x), select_n(eq(size, constant(size, 0)), size, constant(size, 1)))
    return real(mul(g, direction))


abs_p = Elementwise("abs", np.absolute, "ifc", _abs_jvp, result=dtypes.to_real_dtype, cheap=True, complex_cost=12)


def abs(x: Any) -> Array:
    """Elementwise absolute value of a signed array; its derivative at 0 is taken as 1 (0 for complex numbers).

    Example:
      >>> from fungrad import lax
      >>> lax.abs(3.0 + 4.0j)
      Array(5., dtype=float32, weak_type=True)
    """
    return abs_p.bind(lift(x, "fungrad.lax.abs: x"))
