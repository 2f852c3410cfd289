"""Scalar operations over which elementwise code is written once and run by several builders.

A scalar function is ordinary Python over `Value` objects and a builder `m`:

    def smooth_step(m, x):
        t = m.min(m.max(x, 0.0), 1.0)
        return t * t * (3.0 - 2.0 * t)

`ScalarBuilder` is the interface between such functions and what executes them. Two builders
implement it:

* `NumpyScalars` (here) evaluates the text on NumPy arrays, so that a function can be tested on a
  large sample without compiling anything;
* `LLVMScalars` (`fungrad.jit.llvm.scalar`) writes LLVM instructions for one element of a loop,
  which LLVM then vectorises.

Both give the same bits for every operation, including `fma`; a test holds them to that. Everything
in the interface maps to instructions that vectorise, so there is no branch, no table and no loop
that depends on data.

Types are short strings: `i1` (boolean), `i8 i16 i32 i64` (signed), `u8 u16 u32 u64` (unsigned),
`f16 bf16 f32 f64`. Signedness is a property of the type, so `>>` on an `i32` is an arithmetic shift
and on a `u32` a logical one. Arithmetic on `f16` and `bf16` is done in `f32` and rounded back after
every operation.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, Protocol

import ml_dtypes
import numpy as np

from fungrad.core import dtypes

Number = bool | int | float

SIGNED = ("i8", "i16", "i32", "i64")
UNSIGNED = ("u8", "u16", "u32", "u64")
HALF = ("f16", "bf16")
FLOATS = ("f16", "bf16", "f32", "f64")

NUMPY_DTYPES: dict[str, np.dtype] = {
    "i1": np.dtype(np.bool_),
    **{t: np.dtype(f"int{t[1:]}") for t in SIGNED},
    **{t: np.dtype(f"uint{t[1:]}") for t in UNSIGNED},
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
_TYPE_OF_DTYPE = {dtype: name for name, dtype in NUMPY_DTYPES.items()}
# Complex numbers are pairs of scalars: their types, and those of their parts. `kernels.complexmath` computes with them.
PARTS = {"c64": "f32", "c128": "f64"}
_TYPE_OF_DTYPE[np.dtype(np.complex64)] = "c64"
_TYPE_OF_DTYPE[np.dtype(np.complex128)] = "c128"
# A random key is moved as one number; the operations on keys take its words apart.
_TYPE_OF_DTYPE[dtypes.prng_key] = "u64"


def dtype_of(type: str) -> np.dtype:
    """The NumPy dtype of a scalar type, complex ones included."""
    return NUMPY_DTYPES[type] if type in NUMPY_DTYPES else np.dtype({"c64": np.complex64, "c128": np.complex128}[type])


def type_of(dtype: Any) -> str:
    """The scalar type that holds elements of a NumPy dtype.

    Raises:
      TypeError: the dtype is not a boolean, integer, floating or complex type of a supported width.
    """
    try:
        return _TYPE_OF_DTYPE[np.dtype(dtype)]
    except KeyError:
        raise TypeError(
            f"scalar code: dtype {np.dtype(dtype).name} has no scalar type; expected one of "
            f"{', '.join(d.name for d in _TYPE_OF_DTYPE)}"
        ) from None


def bit_width(type: str) -> int:
    """Number of bits of a value of this type in a register (`i1` counts as 1)."""
    return int(type.lstrip("iubf"))


class Value:
    """A scalar of a known type inside a builder, with operators.

    `raw` belongs to the builder: an array for `NumpyScalars`, an operand text for `LLVMScalars`.
    Python numbers mix freely and take the type of the other operand. Comparisons give `i1` values;
    `& | ^ ~` work on `i1` and integers.
    """

    __slots__ = ("m", "raw", "type")
    __hash__ = None  # type: ignore[assignment]  # `==` builds code, so values cannot be keys
    __array_ufunc__ = None  # NumPy scalars on the left must defer to our reflected operators

    def __init__(self, m: ScalarBuilder, type: str, raw: Any):
        self.m: Any = m
        self.type = type
        self.raw = raw

    def __repr__(self) -> str:
        return f"Value({self.type}, {self.raw!r})"

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "scalar code: a Value has no truth value because scalar functions are branch-free; "
            "use m.select(condition, a, b)"
        )

    def _coerce(self, other: Value | Number) -> Value:
        if isinstance(other, Value):
            return other
        return self.m.const(other, self.type)

    def __add__(self, other: Value | Number) -> Value:
        return self.m.binary("add", self, self._coerce(other))

    def __radd__(self, other: Value | Number) -> Value:
        return self.m.binary("add", self._coerce(other), self)

    def __sub__(self, other: Value | Number) -> Value:
        return self.m.binary("sub", self, self._coerce(other))

    def __rsub__(self, other: Value | Number) -> Value:
        return self.m.binary("sub", self._coerce(other), self)

    def __mul__(self, other: Value | Number) -> Value:
        return self.m.binary("mul", self, self._coerce(other))

    def __rmul__(self, other: Value | Number) -> Value:
        return self.m.binary("mul", self._coerce(other), self)

    def __truediv__(self, other: Value | Number) -> Value:
        return self.m.binary("div", self, self._coerce(other))

    def __rtruediv__(self, other: Value | Number) -> Value:
        return self.m.binary("div", self._coerce(other), self)

    def __and__(self, other: Value | Number) -> Value:
        return self.m.binary("and", self, self._coerce(other))

    def __rand__(self, other: Value | Number) -> Value:
        return self.m.binary("and", self._coerce(other), self)

    def __or__(self, other: Value | Number) -> Value:
        return self.m.binary("or", self, self._coerce(other))

    def __ror__(self, other: Value | Number) -> Value:
        return self.m.binary("or", self._coerce(other), self)

    def __xor__(self, other: Value | Number) -> Value:
        return self.m.binary("xor", self, self._coerce(other))

    def __rxor__(self, other: Value | Number) -> Value:
        return self.m.binary("xor", self._coerce(other), self)

    def __lshift__(self, other: Value | Number) -> Value:
        return self.m.binary("shl", self, self._coerce(other))

    def __rshift__(self, other: Value | Number) -> Value:
        return self.m.binary("shr", self, self._coerce(other))

    def __neg__(self) -> Value:
        return self.m.unary("neg", self)

    def __invert__(self) -> Value:
        return self.m.unary("not", self)

    def __eq__(self, other: Value | Number) -> Value:
        return self.m.compare("eq", self, self._coerce(other))

    def __ne__(self, other: Value | Number) -> Value:
        return self.m.compare("ne", self, self._coerce(other))

    def __lt__(self, other: Value | Number) -> Value:
        return self.m.compare("lt", self, self._coerce(other))

    def __le__(self, other: Value | Number) -> Value:
        return self.m.compare("le", self, self._coerce(other))

    def __gt__(self, other: Value | Number) -> Value:
        return self.m.compare("gt", self, self._coerce(other))

    def __ge__(self, other: Value | Number) -> Value:
        return self.m.compare("ge", self, self._coerce(other))


class ScalarBuilder(Protocol):
    """What a scalar function may do. A builder implements the eight methods that have no body here.

    Operands of one operation have the same type (the conditions of `select` and the amount of a
    shift included: a shift amount has the type of the shifted value). Operations follow IEEE 754
    with round to nearest even, and no builder may reassociate or contract them unless it is told
    so.
    """

    def const(self, value: Number, like: Value | str) -> Value:
        """The number rounded to the type `like` (a type name, or a value whose type is taken)."""
        ...

    def unary(self, op: str, a: Value) -> Value:
        """Apply one of

        * `neg`, `abs`: floats and integers (two's complement, the minimum stays itself);
        * `not`: integers (bitwise) and `i1` (logical);
        * `sqrt floor ceil trunc rint`: floats; `rint` rounds halves to even;
        * `popcount`, `clz`: integers; `clz` of zero is the width.
        """
        ...

    def binary(self, op: str, a: Value, b: Value) -> Value:
        """Apply one of

        * `add sub mul`: floats, integers (wrapping);
        * `div`: floats; integers truncate towards zero, with x/0 = -1 (all bits set) and minimum/-1
          = minimum;
        * `rem`: sign of the dividend; floats as C `fmod` (exact, but a call: it does not
          vectorise); integers x rem 0 = x;
        * `and or xor`: integers and `i1`;
        * `shl shr`: integers; the amount must be less than the width; `shr` is arithmetic on signed
          types;
        * `min max`: floats, integers. For floats `min` is `a < b ? a : b`: the second operand wins
          when the two are unordered or equal, which is one machine instruction. See `minimum` for
          the variant that propagates NaN;
        * `copysign`: floats, magnitude of `a` with the sign of `b`;
        * `mulhi`: unsigned 32-bit integers, the upper half of the double-width product.
        """
        ...

    def compare(self, op: str, a: Value, b: Value) -> Value:
        """`eq ne lt le gt ge` as an `i1`. With a NaN all but `ne` are false."""
        ...

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        """`a` where the `i1` holds, else `b`. At least one of them is a Value; both are always
        evaluated."""
        ...

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        """`a * b + c` with one rounding. Exact on every builder; slow on processors without the
        instruction."""
        ...

    def convert(self, a: Value, type: str) -> Value:
        """The value in another type: float to integer truncates and saturates, NaN gives 0; integer
        to integer wraps; anything to `i1` is `a != 0`; float to a narrower float rounds to nearest
        even (f64 to bf16 by way of f32, as NumPy and XLA do)."""
        ...

    def bitcast(self, a: Value, type: str) -> Value:
        """The same bits as another type of the same width."""
        ...

    def precise(self) -> AbstractContextManager[None]:
        """A context in which no operation is contracted, whatever the builder was told.

        Error-free transformations (`a * b - p` for the rounding error of p) need it; `vecmath`
        functions enter it by themselves.
        """
        return nullcontext()

    def rare(
        self,
        condition: Value,
        usual: tuple[Value, ...],
        fallback: Callable[..., tuple[Value, ...]],
        *arguments: Value,
    ) -> tuple[Value, ...]:
        """`fallback(m, *arguments)` where the `i1` holds and `usual` elsewhere, element by element.

        For a costly correction of few arguments: a builder may skip the fallback where no element
        needs it, and may compile it once for all its uses, so it is a function that depends on
        nothing but its arguments. Here it is always evaluated.
        """
        pairs = zip(fallback(self, *arguments), usual, strict=True)
        return tuple(self.select(condition, a, b) for a, b in pairs)

    def outline(
        self, function: Callable[..., tuple[Value, ...]], types: tuple[str, ...], *arguments: Value
    ) -> tuple[Value, ...]:
        """`function(m, *arguments)`, whose results have these types, compiled once for all its uses.

        Only in such a function (and on NumPy) may `iterate` be used.
        """
        return function(self, *arguments)

    def iterate(
        self, going: Value, step: Callable[..., tuple[Value, ...]], state: tuple[Value, ...], limit: int
    ) -> tuple[Value, ...]:
        """The state after repeated steps.

        An element takes part while its `going` holds, and keeps its state afterwards; the loop ends when none goes on.

        Args:
          going: the `i1` before the first step.
          step: `step(m, *state)` gives the next `going` and the next state.
          state: values at the start.
          limit: the greatest number of steps.
        """
        raise TypeError(f"scalar code: {type(self).__name__} has no loops; use m.outline with a function that has one")

    def scale(self, a: Value, n: Value) -> Value | None:
        """`a * 2**n` with one rounding, for a float `n` that is an integer, if there is an instruction for it."""
        return None

    def split(self, a: Value) -> tuple[Value, Value] | None:
        """(f, e) with `a = f * 2**e` and 3/4 <= f < 3/2, both floats, if there are instructions for it.

        `e` is infinite for infinity and minus infinite for zeros, where `f` is 1; `f` is NaN below zero.
        """
        return None

    # What follows is spelling, the same for every builder.

    def sqrt(self, a: Value) -> Value:
        """Square root, correctly rounded; NaN for negative operands, -0 for -0."""
        return self.unary("sqrt", a)

    def abs(self, a: Value) -> Value:
        """Magnitude; clears the sign bit of a float, NaN included."""
        return self.unary("abs", a)

    def is_nan(self, a: Value) -> Value:
        """`a` is not a number, as an `i1`."""
        return self.compare("ne", a, a)

    def floor(self, a: Value) -> Value:
        """Largest integral value not above `a`."""
        return self.unary("floor", a)

    def ceil(self, a: Value) -> Value:
        """Smallest integral value not below `a`."""
        return self.unary("ceil", a)

    def trunc(self, a: Value) -> Value:
        """Integral part of `a`."""
        return self.unary("trunc", a)

    def rint(self, a: Value) -> Value:
        """Nearest integral value, halves to even."""
        return self.unary("rint", a)

    def copysign(self, a: Value, b: Value) -> Value:
        """Magnitude of `a`, sign of `b`."""
        return self.binary("copysign", a, b)

    def rem(self, a: Value, b: Value | Number) -> Value:
        """Remainder with the sign of the dividend."""
        return self.binary("rem", a, a._coerce(b))

    def min(self, a: Value, b: Value | Number) -> Value:
        """`a < b ? a : b`."""
        return self.binary("min", a, a._coerce(b))

    def max(self, a: Value, b: Value | Number) -> Value:
        """`a > b ? a : b`."""
        return self.binary("max", a, a._coerce(b))

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller operand; NaN when either is NaN."""
        return self.select(self.is_nan(a), a, self.min(a, b)) if a.type in FLOATS else self.min(a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger operand; NaN when either is NaN."""
        return self.select(self.is_nan(a), a, self.max(a, b)) if a.type in FLOATS else self.max(a, b)


class NumpyScalars(ScalarBuilder):
    """Evaluates scalar functions on NumPy arrays: every Value holds an array (or NumPy scalar) of
    its type.

    >>> m = NumpyScalars()
    >>> x = m.value(np.array([1.0, 4.0, 9.0], np.float32))
    >>> (m.sqrt(x) + 1.0).raw
    array([2., 3., 4.], dtype=float32)

    Call functions under `numpy.errstate(all="ignore")`: branch-free code computes discarded
    infinities and NaNs.
    """

    def value(self, array: Any) -> Value:
        """Wrap an array; its dtype decides the type."""
        array = np.asarray(array)
        return Value(self, type_of(array.dtype), array)

    def _of(self, type: str, array: Any) -> Value:
        return Value(self, type, np.asarray(array).astype(NUMPY_DTYPES[type], copy=False))

    def iterate(
        self, going: Value, step: Callable[..., tuple[Value, ...]], state: tuple[Value, ...], limit: int
    ) -> tuple[Value, ...]:
        for _ in range(limit):
            if not np.any(going.raw):
                break
            more, *new = step(self, *state)
            state = tuple(self.select(going, a, b) for a, b in zip(new, state, strict=True))
            going = going & more
        return state

    def const(self, value: Number, like: Value | str) -> Value:
        type = like.type if isinstance(like, Value) else like
        dtype = NUMPY_DTYPES[type]
        if type in SIGNED or type in UNSIGNED:
            mask = (1 << bit_width(type)) - 1
            wrapped = np.array(int(value) & mask, np.dtype(f"uint{bit_width(type)}")).view(dtype)
            return Value(self, type, wrapped)
        return Value(self, type, np.asarray(value).astype(dtype))

    def unary(self, op: str, a: Value) -> Value:
        if a.type in HALF and op not in ("neg", "abs"):
            return self.convert(self.unary(op, self.convert(a, "f32")), a.type)
        return self._of(a.type, _UNARY[op](a.raw))

    def binary(self, op: str, a: Value, b: Value) -> Value:
        _require_same(op, a, b)
        if a.type in HALF and op not in ("min", "max", "copysign"):
            wide = self.binary(op, self.convert(a, "f32"), self.convert(b, "f32"))
            return self.convert(wide, a.type)
        if a.type not in FLOATS and op in _INTEGER_BINARY:
            return self._of(a.type, _INTEGER_BINARY[op](a.raw, b.raw))
        return self._of(a.type, _BINARY[op](a.raw, b.raw))

    def compare(self, op: str, a: Value, b: Value) -> Value:
        _require_same(op, a, b)
        return Value(self, "i1", np.asarray(_COMPARE[op](a.raw, b.raw)))

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        a, b = both_values("select", a, b)
        _require_same("select", a, b)
        return self._of(a.type, np.where(condition.raw, a.raw, b.raw))

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        b, c = a._coerce(b), a._coerce(c)
        _require_same("fma", a, b)
        _require_same("fma", a, c)
        fused = _fma_double if a.type == "f64" else _fma_single
        return self._of(a.type, fused(a.raw, b.raw, c.raw))

    def convert(self, a: Value, type: str) -> Value:
        if type == "i1":
            return Value(self, type, np.asarray(a.raw != 0))
        if a.type in FLOATS and type not in FLOATS:
            return Value(self, type, _saturate(a.raw, NUMPY_DTYPES[type]))
        return self._of(type, a.raw)

    def bitcast(self, a: Value, type: str) -> Value:
        if bit_width(a.type) != bit_width(type):
            raise TypeError(f"scalar code: bitcast from {a.type} to {type} changes the width")
        return Value(self, type, a.raw.view(NUMPY_DTYPES[type]))


def both_values(op: str, a: Value | Number, b: Value | Number) -> tuple[Value, Value]:
    """Give a Python number the type of the other operand."""
    if isinstance(a, Value):
        return a, a._coerce(b)
    if isinstance(b, Value):
        return b._coerce(a), b
    raise TypeError(f"scalar code: {op} of two Python numbers {a!r} and {b!r} has no type; use m.const for one")


def _require_same(op: str, a: Value, b: Value) -> None:
    if a.type != b.type:
        raise TypeError(f"scalar code: {op} of {a.type} and {b.type}; convert one of them first")


def _clz(x: np.ndarray) -> np.ndarray:
    width = x.dtype.itemsize * 8
    bits = x.view(f"u{x.dtype.itemsize}").astype(np.uint64)
    count = np.zeros(x.shape, np.int64)
    for i in range(width):
        count = np.where(bits >> np.uint64(i) != 0, i + 1, count)
    return width - count


def _integer_div(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    safe = np.where(b == 0, np.ones_like(b), b)
    floored = a // safe
    # NumPy floors; move up by one where the exact quotient is negative and not whole
    truncated = floored + ((a % safe != 0) & ((a < 0) != (safe < 0)))
    return np.where(b == 0, ~np.zeros_like(a), truncated)


def _integer_rem(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    safe = np.where(b == 0, np.ones_like(b), b)
    return np.where(b == 0, a, np.fmod(a, safe))


def _saturate(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    info = np.iinfo(dtype)
    x = np.trunc(x.astype(np.float64))
    below, above = x <= float(info.min), x >= float(info.max)
    inside = np.where(below | above | np.isnan(x), 0.0, x).astype(dtype)
    return np.where(below, dtype.type(info.min), np.where(above, dtype.type(info.max), inside))


def _mulhi(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.uint64) * b.astype(np.uint64)) >> np.uint64(32)


_UNARY: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "abs": np.abs,
    "not": np.invert,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "popcount": lambda x: np.bitwise_count(x.view(f"u{x.dtype.itemsize}")),
    "clz": _clz,
}
_BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "rem": np.fmod,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shl": np.left_shift,
    "shr": np.right_shift,
    "min": lambda a, b: np.where(a < b, a, b),
    "max": lambda a, b: np.where(a > b, a, b),
    "copysign": np.copysign,
    "mulhi": _mulhi,
}
_INTEGER_BINARY = {"div": _integer_div, "rem": _integer_rem}
_COMPARE = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


# Exact fused multiply-add out of rounded operations.


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    def split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c = x * 134217729.0
        high = c - (c - x)
        return high, x - high

    p = a * b
    ah, al = split(a)
    bh, bl = split(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _round_to_odd(s: np.ndarray, error: np.ndarray) -> np.ndarray:
    """`s + error`, where s is its rounding to nearest, rounded to odd instead, which a second
    rounding cannot spoil."""
    bits = s.view(np.int64)
    inexact = (error != 0) & np.isfinite(s) & (bits & 1 == 0)
    toward_larger_magnitude = (error > 0) == (s > 0)
    return np.where(inexact, bits + np.where(toward_larger_magnitude, 1, -1), bits).view(np.float64)


def _fma_single(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Fused multiply-add for formats of at most 24 bits: the product is exact in double."""
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    s, error = _two_sum(product, np.asarray(c, np.float64))
    return _round_to_odd(s, np.where(np.isfinite(error), error, 0.0))


def _fma_double(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Fused multiply-add in double after Boldo and Melquiond, "Emulation of a FMA and correctly
    rounded sums" (2008).

    Operands are scaled by powers of two first, so that neither the splitting overflows nor the
    error term underflows.
    """
    a, b, c = (np.array(v) for v in np.broadcast_arrays(a, b, c))
    naive = a * b + c
    c_given, finite_product = c, np.isfinite(a) & np.isfinite(b)
    special = ~(np.isfinite(a) & np.isfinite(b) & np.isfinite(c)) | (a == 0) | (b == 0)
    a, ea = np.frexp(np.where(special, 1.0, a))
    b, eb = np.frexp(np.where(special, 1.0, b))
    c, ec = np.frexp(np.where(special, 0.0, c))
    # c relative to the product: far away it only serves as a sticky bit, at either end
    shift = np.where(c == 0, -200, np.clip(ec - (ea + eb), -200, 200))
    u, ul = _two_product(a, b)
    t, tl = _two_sum(np.ldexp(c, shift), ul)
    v, vl = _two_sum(u, t)
    z, zl = _two_sum(tl, vl)
    low = _round_to_odd(z, zl)
    scale = np.where(shift == 200, ec - 200, ea + eb)
    scale = np.where((shift == -200) | (c == 0), ea + eb, scale)
    total, error = _two_sum(v, low)
    scaled = np.ldexp(total, scale)
    # Subnormal results have a fixed spacing: round to it here, where the error still decides
    # between two neighbours.
    steps = np.ldexp(total, scale + 1074)
    tie = (np.abs(steps - np.trunc(steps)) == 0.5) & (error != 0)
    rounded = np.where(tie, steps + np.copysign(0.5, error), np.rint(steps))
    result = np.where(np.abs(steps) < 2.0**52, np.ldexp(rounded, -1074), scaled)
    return np.where(special, np.where(np.isinf(c_given) & finite_product, c_given, naive), result)
