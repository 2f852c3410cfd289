"""What Python and NumPy can ask of an array: the table of ``test_tracer_conversions``.

Each case is a function of a number ``x`` and of the module that stands for ``jax.numpy``.
"""

import array
import cmath
import copy
import decimal
import json
import math
import operator
import pickle
import statistics
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.special

from fungrad.errors import (
    ConcretizationTypeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
)


class Case(NamedTuple):
    """A conversion.

    Attributes:
      name: how it is written.
      call: function of ``x`` and the array module.
      error: what it raises where there is no value, or where its derivative would be lost; None: never.
      constant: what it computes while it is differentiated eagerly, where its conversion is a constant by its nature
        (a function of ``x`` and the module again); None: it raises there too.
      computes: what a case without an error computes everywhere.
    """

    name: str
    call: Callable[[Any, Any], Any]
    error: Any = None
    constant: Callable[[Any, Any], Any] | None = None
    computes: Callable[[Any, Any], Any] | None = None


def _filled(write: Callable[[np.ndarray], Any]) -> Any:
    b = np.zeros(2)
    write(b)
    return (b * 1.0).sum()


def _set(index: Any, value: Any) -> Any:
    return _filled(lambda b: b.__setitem__(index, value))


def _added(x: Any) -> Any:
    b = np.zeros(2)
    b += x
    return b.sum()


Number, NumPyArray, Truth, Index = (
    ConcretizationTypeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
)

RAISE = [
    # Python numbers.
    Case("float(x)", lambda x, jnp: float(x) ** 2, Number),
    Case("complex(x)", lambda x, jnp: abs(complex(x)), Number),
    Case("complex(1, x)", lambda x, jnp: complex(1, x).imag, Number),
    Case("math.sin", lambda x, jnp: math.sin(x), Number),
    Case("math.pow", lambda x, jnp: math.pow(x, 2), Number),
    Case("math.hypot", lambda x, jnp: math.hypot(x, x), Number),
    Case("math.fsum", lambda x, jnp: math.fsum([x, x]), Number),
    Case("math.floor", lambda x, jnp: math.floor(x) * x, Number),
    Case("math.isnan", lambda x, jnp: math.isnan(x) * x, Number),
    Case("cmath.sin", lambda x, jnp: abs(cmath.sin(x)), Number),
    Case("math.trunc", lambda x, jnp: math.trunc(x), TypeError),
    Case("statistics.mean", lambda x, jnp: statistics.mean([x, x]), TypeError),
    Case("decimal.Decimal", lambda x, jnp: float(decimal.Decimal(x)), TypeError),
    Case("x.tolist()", lambda x, jnp: x.tolist() * x, Number),
    Case("operator.index(x)", lambda x, jnp: operator.index(x) * x, TypeError),
    Case("list[x]", lambda x, jnp: [1.0, 2.0, 3.0, 4.0][x], TypeError),
    Case("range(x)", lambda x, jnp: sum(range(x)) * x, TypeError),
    Case("hash(x)", lambda x, jnp: hash(x) * x, TypeError),
    # Text and bytes.
    Case("'%f' % x", lambda x, jnp: float(operator.mod("%f", x)), Number),
    Case("'%g' % x", lambda x, jnp: float(operator.mod("%g", x)), Number),
    Case("f'{x:.3f}'", lambda x, jnp: float(f"{x:.3f}"), TypeError),
    Case("'{:e}'.format(x)", lambda x, jnp: float(f"{x:e}"), TypeError),
    Case("x.tobytes()", lambda x, jnp: np.frombuffer(x.tobytes(), "f4")[0] * x, Number),
    Case("bytes(x)", lambda x, jnp: np.frombuffer(bytes(x), "f4")[0] * x, TypeError),
    Case("memoryview(x)", lambda x, jnp: memoryview(x)[()], TypeError),
    Case("np.frombuffer(x)", lambda x, jnp: np.frombuffer(x, "f4")[0], TypeError),
    Case("struct.pack", lambda x, jnp: struct.unpack("f", struct.pack("f", x))[0], struct.error),
    Case("array.array", lambda x, jnp: array.array("d", [x])[0], Number),
    Case("pickle.dumps", lambda x, jnp: pickle.loads(pickle.dumps(x)) * x, Number),
    Case("json.dumps", lambda x, jnp: json.loads(json.dumps(x)) * x, TypeError),
    # NumPy arrays.
    Case("np.array(x)", lambda x, jnp: np.array(x).sum(), NumPyArray),
    Case("np.asarray(x)", lambda x, jnp: np.asarray(x).sum(), NumPyArray),
    Case("np.asarray(x, float)", lambda x, jnp: np.asarray(x, float).sum(), NumPyArray),
    Case("np.array([x, x])", lambda x, jnp: np.array([x, x]).sum(), NumPyArray),
    Case("np.array([x, x], float)", lambda x, jnp: np.array([x, x], float).sum(), NumPyArray),
    Case("np.array(x, object)", lambda x, jnp: np.array(x, object).sum(), NumPyArray),
    Case("np.ascontiguousarray", lambda x, jnp: np.ascontiguousarray(x).sum(), NumPyArray),
    Case("np.asarray_chkfinite", lambda x, jnp: np.asarray_chkfinite(x).sum(), NumPyArray),
    Case("np.float32(x)", lambda x, jnp: np.float32(x) * 1, NumPyArray),
    Case("np.float64(x)", lambda x, jnp: np.float64(x) * 1, NumPyArray),
    Case("np.int32(x)", lambda x, jnp: np.int32(x) * x, NumPyArray),
    Case("np.from_dlpack(x)", lambda x, jnp: np.from_dlpack(x).sum(), Number),
    Case("x.__dlpack__()", lambda x, jnp: x.__dlpack__(), Number),
    Case("np.nditer(x)", lambda x, jnp: sum(float(v) for v in np.nditer(x)), TypeError),
    Case("np.ma.array(x)", lambda x, jnp: np.ma.array(x).sum(), NumPyArray),
    Case("np.matrix(x)", lambda x, jnp: np.matrix(x).sum(), NumPyArray),
    Case("np.poly1d([x, 1])", lambda x, jnp: np.poly1d([x, 1.0])(2.0), NumPyArray),
    Case("b[0] = x", lambda x, jnp: _set(0, x), ValueError),
    Case("b.flat[0] = x", lambda x, jnp: _filled(lambda b: b.flat.__setitem__(0, x)), ValueError),
    Case("b.fill(x)", lambda x, jnp: _filled(lambda b: b.fill(x)), ValueError),
    Case("b[:] = x", lambda x, jnp: _set(slice(None), x), NumPyArray),
    Case("b[:] = [x, x]", lambda x, jnp: _set(slice(None), [x, x]), NumPyArray),
    Case("b += x", lambda x, jnp: _added(x), NumPyArray),
    Case("np.copyto(b, x)", lambda x, jnp: _filled(lambda b: np.copyto(b, x)), NumPyArray),
    Case("np.put(b, [0], x)", lambda x, jnp: _filled(lambda b: np.put(b, [0], x)), NumPyArray),
    Case("np.place(b, mask, x)", lambda x, jnp: _filled(lambda b: np.place(b, b == 0, x * jnp.ones(2))), NumPyArray),
    Case("np.putmask(b, mask, x)", lambda x, jnp: _filled(lambda b: np.putmask(b, b == 0, x)), NumPyArray),
    Case("np.add.at(b, 0, x)", lambda x, jnp: _filled(lambda b: np.add.at(b, 0, x)), NumPyArray),
    Case("np.add(x, x, out=b)", lambda x, jnp: np.add(x, x, out=np.zeros(())).sum(), NumPyArray),
    Case("np.clip(x, 0, 1, out=b)", lambda x, jnp: np.clip(x, 0, 1, out=np.zeros(())).sum(), (NumPyArray, TypeError)),
    Case("np.full(3, x)", lambda x, jnp: np.full(3, x).sum(), NumPyArray),
    Case("np.full_like(b, x)", lambda x, jnp: np.full_like(np.ones(2), x).sum(), NumPyArray),
    Case("np.mean([x, x])", lambda x, jnp: np.mean([x, x]), NumPyArray),
    Case("np.sum([x, x])", lambda x, jnp: np.sum([x, x]), NumPyArray),
    Case("np.max([x, 1.0])", lambda x, jnp: np.max([x, 1.0]), NumPyArray),
    Case("np.diag([x, x])", lambda x, jnp: np.diag([x, x]).sum(), NumPyArray),
    Case("np.arange(x)", lambda x, jnp: np.arange(x).sum(), NumPyArray),
    Case("np.zeros(x)", lambda x, jnp: np.zeros(x).sum(), TypeError),
    Case("np.random.normal(x)", lambda x, jnp: np.random.default_rng(0).normal(x), NumPyArray),
    Case("np.vectorize", lambda x, jnp: np.vectorize(lambda v: v**2)(x).sum(), NumPyArray),
    Case("np.frompyfunc", lambda x, jnp: np.frompyfunc(lambda v: v * v, 1, 1)(x), NumPyArray),
    Case("np.testing", lambda x, jnp: (np.testing.assert_allclose(x, x), x)[1], NumPyArray),
    # Functions of NumPy and SciPy that have no counterpart.
    Case("np.save", lambda x, jnp: (np.save("/dev/null", x), x)[1], NumPyArray),
    Case("scipy.special.ellipk", lambda x, jnp: scipy.special.ellipk(x / 4), NumPyArray),
    Case("scipy.special.logsumexp", lambda x, jnp: scipy.special.logsumexp([x, x]), NumPyArray),
]

CONSTANT = [
    Case("bool(x)", lambda x, jnp: bool(x) * x, Truth, lambda x, jnp: 1.0 * x),
    Case("if x > 0", lambda x, jnp: x * x if x > 0 else -x, Truth, lambda x, jnp: x * x),
    Case("while x", lambda x, jnp: x if not x else x * 2, Truth, lambda x, jnp: x * 2),
    Case("x == x", lambda x, jnp: x * x if x == x else x, Truth, lambda x, jnp: x * x),
    Case("max(x, 1)", lambda x, jnp: max(x, 1.0) * x, Truth, lambda x, jnp: x * x),
    Case("sorted", lambda x, jnp: sorted([x, 1.0])[1] * x, Truth, lambda x, jnp: x * x),
    Case("int(x)", lambda x, jnp: int(x) * x, Number, lambda x, jnp: 3 * x),
    Case("'%d' % x", lambda x, jnp: float(operator.mod("%d", x)) * x, TypeError, lambda x, jnp: 3.0 * x),
    Case("x.item()", lambda x, jnp: x.item() * x, Number, lambda x, jnp: 3.0 * x),
    # What is computed without a derivative is a value.
    Case("float(x > 1)", lambda x, jnp: float(x > 1) * x, Number, lambda x, jnp: 1.0 * x),
    Case("np.asarray(x > 1)", lambda x, jnp: np.asarray(x > 1) * x, NumPyArray, lambda x, jnp: 1.0 * x),
    Case("float(sign)", lambda x, jnp: float(jnp.sign(x)) * x, Number, lambda x, jnp: 1.0 * x),
    Case("float(floor)", lambda x, jnp: float(jnp.floor(x)) * x, Number, lambda x, jnp: 3.0 * x),
    Case(
        "list[argmax]",
        lambda x, jnp: [1.0, 5.0][jnp.argmax(jnp.stack([0 * x, x]))] * x,
        Index,
        lambda x, jnp: 5.0 * x,
    ),
    Case(
        "np.asarray(argsort)",
        lambda x, jnp: np.asarray(jnp.argsort(jnp.stack([x, -x])))[0] * x,
        NumPyArray,
        lambda x, jnp: 1.0 * x,
    ),
    Case("x[x > 0]", lambda x, jnp: (x * jnp.ones(2))[x * jnp.ones(2) > 0].sum(), TypeError, lambda x, jnp: 2.0 * x),
    Case("len(nonzero)", lambda x, jnp: jnp.nonzero(x * jnp.ones(2))[0].size * x, Number, lambda x, jnp: 2.0 * x),
]

COMPUTE = [
    # Python.
    Case("abs", lambda x, jnp: abs(-x), computes=lambda x, jnp: x * 1.0),
    Case("pow", lambda x, jnp: pow(x, 2), computes=lambda x, jnp: x * x),
    Case("round(x)", lambda x, jnp: round(x) * x, computes=lambda x, jnp: jnp.round(x) * x),
    Case("round(x, 1)", lambda x, jnp: round(x, 1) * x, computes=lambda x, jnp: jnp.round(x, 1) * x),
    Case("divmod(x, 2)", lambda x, jnp: divmod(x, 2)[1] * x, computes=lambda x, jnp: (x % 2) * x),
    Case("divmod(7, x)", lambda x, jnp: divmod(7.0, x)[1] * x, computes=lambda x, jnp: (7.0 % x) * x),
    Case("x // 2", lambda x, jnp: x // 2 * x, computes=lambda x, jnp: jnp.floor(x / 2) * x),
    Case("sum([x, x])", lambda x, jnp: sum([x, x]), computes=lambda x, jnp: 2.0 * x),
    Case("math.prod", lambda x, jnp: math.prod([x, x]), computes=lambda x, jnp: x * x),
    Case(
        "repr",
        lambda x, jnp: (repr(x), str(x), f"{x}", operator.mod("%s", x)) and x * 1.0,
        computes=lambda x, jnp: x * 1.0,
    ),
    Case("copy.copy", lambda x, jnp: copy.copy(x) * x, computes=lambda x, jnp: x * x),
    Case("copy.deepcopy", lambda x, jnp: copy.deepcopy([x])[0] * x, computes=lambda x, jnp: x * x),
    Case("x.real", lambda x, jnp: x.real * x, computes=lambda x, jnp: x * x),
    Case("np.shape(x)", lambda x, jnp: len(np.shape(x)) + x, computes=lambda x, jnp: x * 1.0),
    # Operators of NumPy's scalars and arrays.
    Case("np.float32 * x", lambda x, jnp: np.float32(2) * x, computes=lambda x, jnp: 2 * x),
    Case("ndarray + x", lambda x, jnp: (np.ones(2) + x).sum(), computes=lambda x, jnp: 2 * x + 2),
    Case("ndarray @ x", lambda x, jnp: np.ones(2, "f4") @ (x * jnp.ones(2)), computes=lambda x, jnp: 2 * x),
    # NumPy's functions and SciPy's.
    Case("np.sin", lambda x, jnp: np.sin(x), computes=lambda x, jnp: jnp.sin(x)),
    Case("np.sum", lambda x, jnp: np.sum(x * jnp.ones(2)), computes=lambda x, jnp: 2 * x),
    Case("np.mean", lambda x, jnp: np.mean(x * jnp.ones(2)), computes=lambda x, jnp: 1.0 * x),
    Case("np.stack", lambda x, jnp: np.stack([x, x * x]).sum(), computes=lambda x, jnp: x + x * x),
    Case("np.copy", lambda x, jnp: np.copy(x) * x, computes=lambda x, jnp: x * x),
    Case("np.atleast_1d", lambda x, jnp: np.atleast_1d(x).sum() * x, computes=lambda x, jnp: x * x),
    Case("np.multiply with a list", lambda x, jnp: np.multiply(x, [1.0, 2.0]).sum(), computes=lambda x, jnp: 3 * x),
    Case("np.concatenate", lambda x, jnp: np.concatenate([[1.0], x[None]]).sum(), computes=lambda x, jnp: x + 1.0),
    Case("np.where", lambda x, jnp: np.where([True, False], x, [5.0, 6.0]).sum(), computes=lambda x, jnp: x + 6.0),
    Case("np.interp", lambda x, jnp: np.interp(x, [0.0, 4.0], [0.0, 1.0]), computes=lambda x, jnp: x / 4),
    Case("np.linspace", lambda x, jnp: np.linspace(0, x, 3).sum(), computes=lambda x, jnp: 1.5 * x),
    Case("np.add.reduce", lambda x, jnp: np.add.reduce(x * jnp.ones(2)), computes=lambda x, jnp: 2 * x),
    Case("np.multiply.outer", lambda x, jnp: np.multiply.outer(x, [1.0, 2.0]).sum(), computes=lambda x, jnp: 3 * x),
    Case("np.add dtype=", lambda x, jnp: np.add(x, x, dtype="float32"), computes=lambda x, jnp: 2 * x),
    Case("np.clip a_min=", lambda x, jnp: np.clip(x, a_min=0, a_max=9), computes=lambda x, jnp: 1.0 * x),
    Case("np.sum where=", lambda x, jnp: np.sum(x * jnp.ones(2), where=[True, False]), computes=lambda x, jnp: 1.0 * x),
    Case("np.sort kind=", lambda x, jnp: np.sort(x * jnp.ones(2), kind="stable")[0], computes=lambda x, jnp: 1.0 * x),
    Case("np.einsum", lambda x, jnp: np.einsum("i,i", x * jnp.ones(2), [1.0, 2.0]), computes=lambda x, jnp: 3 * x),
    Case(
        "scipy.special.gammaln",
        lambda x, jnp: scipy.special.gammaln(x),
        computes=lambda x, jnp: _special(jnp).gammaln(x),
    ),
    Case("scipy.special.psi", lambda x, jnp: scipy.special.psi(x), computes=lambda x, jnp: _special(jnp).digamma(x)),
    Case(
        "scipy.special.xlogy",
        lambda x, jnp: scipy.special.xlogy(x, 2.0),
        computes=lambda x, jnp: _special(jnp).xlogy(x, 2.0),
    ),
]

# NumPy's linear algebra and transforms: computed where fungrad has them, refused where not, never a constant.
EITHER = [
    Case("np.linalg.norm", lambda x, jnp: np.linalg.norm(x * jnp.ones(2)), NumPyArray, None, lambda x, jnp: 2**0.5 * x),
    Case("np.linalg.inv", lambda x, jnp: np.linalg.inv(x * jnp.eye(2)).sum(), NumPyArray, None, lambda x, jnp: 2 / x),
    Case("np.linalg.det", lambda x, jnp: np.linalg.det(x * jnp.eye(2)), NumPyArray, None, lambda x, jnp: x * x),
    Case(
        "np.linalg.solve",
        lambda x, jnp: np.linalg.solve(x * jnp.eye(2), np.ones(2, "f4")).sum(),
        NumPyArray,
        None,
        lambda x, jnp: 2 / x,
    ),
    Case(
        "np.linalg.cholesky",
        lambda x, jnp: np.linalg.cholesky(x * jnp.eye(2)).sum(),
        NumPyArray,
        None,
        lambda x, jnp: 2 * jnp.sqrt(x),
    ),
    Case("np.fft.fft", lambda x, jnp: np.fft.fft(x * jnp.ones(2)).real.sum(), NumPyArray, None, lambda x, jnp: 2 * x),
    Case(
        "np.fft.irfft", lambda x, jnp: np.fft.irfft(x * jnp.ones(3)).sum(), NumPyArray, None, lambda x, jnp: 1.0 * x
    ),
]


def _special(jnp: Any) -> Any:
    import importlib

    return importlib.import_module(jnp.__name__.replace("numpy", "scipy.special"))
