"""``Op``: one row of the op table, and the sampling of operands.

A family of operations has a file ``tests/optable_<family>.py`` with a list ``OPS`` of rows;
``tests/optable.py`` collects them and ``tests/test_optable.py`` holds every row to the same rules.
A new primitive needs a row (a test says so).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
from thinning import kind

from fungrad.core.array import Array, wrap
from fungrad.core.avals import ShapedArray

Shape = tuple[int, ...]

UNARY_SHAPES: tuple = (((2, 3),), ((),), ((5,),), ((0,),), ((2, 0, 3),))
BINARY_SHAPES: tuple = (
    ((2, 3), (2, 3)),
    ((), (3,)),
    ((3,), ()),
    ((), ()),
    ((0, 2), (0, 2)),
    ((), (0,)),
    ((1, 3), (2, 1)),
)

FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
SIGNED = ("int32", "int8", "int64")
UNSIGNED = ("uint32", "uint8", "uint64")
INTEGERS = SIGNED + UNSIGNED
REAL = FLOATS + INTEGERS
NUMERIC = FLOATS + COMPLEX + INTEGERS
INEXACT = FLOATS + COMPLEX

# Relative tolerance of a result against the reference computed with twice the precision.
TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "float32": 1e-6,
    "float64": 2e-15,
    "complex64": 2e-6,
    "complex128": 4e-15,
}
_WIDER = {
    "float16": "float64",
    "bfloat16": "float64",
    "float32": "float64",
    "complex64": "complex128",
}


@dataclass(frozen=True)
class Op:
    """One operation and how to test it.

    Attributes:
      name: of the row; that of the primitive unless ``primitives`` says otherwise.
      fun: fungrad function of the operands and ``params``.
      reference: NumPy function of ndarrays and ``params``.
      dtypes: one entry per case: a dtype name for all operands, or a tuple with one per operand.
      shapes: one entry per case: a tuple with the shape of each operand.
      params: keyword arguments of both functions.
      domains: per operand ``(low, high)`` or ``f(rng, shape, dtype) -> ndarray``; the last one
        serves for all further operands. Must be away from kinks and poles if ``order`` is positive.
      result: dtype of the (first) result from the operand dtypes; default that of the first
        operand.
      order: how many times the derivative is checked.
      diff: positions of the operands differentiated; default all of an inexact dtype.
      rtol: relative tolerance per result dtype, where ``TOLERANCE`` is too strict.
      atol: absolute tolerance, in units of the relative one.
      grad_rtol: tolerance of derivatives against finite differences.
      wide: whether the reference gets operands with twice the precision.
      special: whether the operation acts element by element, so that it is compared on special
        values.
      jax: name in ``jax.lax`` (default that of the row) or ``f(jax, *operands, **params)``; None if
        JAX has none.
      jax_rtol: as ``rtol`` for the comparison with JAX, where it is the less accurate one.
      jax_special: whether JAX agrees on special values.
      jax_dtypes: dtypes that JAX accepts, default all.
      weak: whether Python scalars are accepted in place of 0-d operands.
      jit_rtol: as ``rtol`` for compiled against eager results.
      primitives: primitives that the row stands for.
    """

    name: str
    fun: Callable[..., Any]
    reference: Callable[..., Any]
    dtypes: Sequence[Any] = FLOATS
    shapes: Sequence[Sequence[Shape]] = UNARY_SHAPES
    params: Mapping[str, Any] = field(default_factory=dict)
    domains: Sequence[Any] = ((-3.0, 3.0),)
    result: Callable[..., Any] | None = None
    order: int = 2
    diff: Sequence[int] | None = None
    rtol: Mapping[str, float] = field(default_factory=dict)
    atol: float = 1.0
    grad_rtol: float = 1e-5
    wide: bool = True
    special: bool = True
    jax: Any = ""
    jax_rtol: Mapping[str, float] = field(default_factory=dict)
    jax_special: bool = True
    jax_dtypes: Sequence[Any] | None = None
    weak: bool = True
    jit_rtol: Mapping[str, float] = field(default_factory=dict)
    primitives: tuple[str, ...] = ()

    @property
    def covers(self) -> tuple[str, ...]:
        """Names of the primitives that the row stands for."""
        return self.primitives or (self.name,)

    @property
    def arity(self) -> int:
        """Number of operands."""
        return len(self.shapes[0])

    def call(self, *operands: Any) -> Any:
        """``fun`` with its parameters."""
        return self.fun(*operands, **self.params)

    def operand_dtypes(self, entry: Any) -> tuple[np.dtype, ...]:
        """The dtypes of the operands for an entry of ``dtypes``."""
        names = (entry,) * self.arity if isinstance(entry, str) else entry
        return tuple(dtype_of(n) for n in names)

    def cases(self) -> list[tuple[tuple[Shape, ...], tuple[np.dtype, ...]]]:
        """Every shape with the first dtypes and every dtypes with the first two shapes."""
        shapes = [tuple(s) for s in self.shapes]
        dtypes = [self.operand_dtypes(d) for d in self.dtypes]
        chosen = [(s, dtypes[0]) for s in shapes]
        chosen += [(s, d) for d in dtypes[1:] for s in shapes[:2]]
        return chosen

    def few_dtypes(self) -> list[Any]:
        """The first entry of ``dtypes`` of each kind."""
        found: dict[Any, Any] = {}
        for entry in self.dtypes:
            found.setdefault(tuple(map(kind, self.operand_dtypes(entry))), entry)
        return list(found.values())

    def few_cases(self) -> list[tuple[tuple[Shape, ...], tuple[np.dtype, ...]]]:
        """Every shape with the first dtypes and the first shape with dtypes of every other kind."""
        few = {self.operand_dtypes(entry) for entry in self.few_dtypes()}
        first = tuple(self.shapes[0])
        every = self.cases()
        return [(s, d) for s, d in every if d == every[0][1] or (s == first and d in few)]

    def sample(self, shapes: Sequence[Shape], dtypes: Sequence[np.dtype], seed: int = 0) -> list[np.ndarray]:
        """Random operands in the domain of the operation."""
        text = repr((self.name, shapes, [d.name for d in dtypes], seed))
        rng = np.random.default_rng(zlib.crc32(text.encode()))
        out = []
        for position, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
            domain = self.domains[min(position, len(self.domains) - 1)]
            x = domain(rng, shape, dtype) if callable(domain) else uniform(rng, shape, dtype, *domain)
            out.append(np.asarray(x, dtype))
        return out

    def gradient_cases(self) -> list[tuple[tuple[Shape, ...], tuple[np.dtype, ...]]]:
        """Shapes and double precision dtypes for derivatives, three shapes for real and one for complex operands."""
        out = []
        shapes = [tuple(s) for s in self.shapes if all(0 not in shape for shape in s)][:3]
        for narrow, double in (("float32", "float64"), ("complex64", "complex128")):
            for entry in self.dtypes:
                names = (entry,) * self.arity if isinstance(entry, str) else entry
                if narrow in names or double in names:
                    found = tuple(dtype_of(double if n in (narrow, double) else _WIDER.get(n, n)) for n in names)
                    out += [(s, found) for s in (shapes if not out else shapes[:1])]
                    break
        return out


def dtype_of(name: Any) -> np.dtype:
    """The dtype called ``name``, bfloat16 included."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def is_inexact(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is floating or complex."""
    return dtype.kind in "fc" or dtype == ml_dtypes.bfloat16


def widened(x: np.ndarray) -> np.ndarray:
    """``x`` with at least double precision."""
    return x.astype(_WIDER.get(x.dtype.name, x.dtype))


def uniform(rng: np.random.Generator, shape: Shape, dtype: np.dtype, low: float, high: float) -> np.ndarray:
    """Random numbers of any dtype in [low, high]; ``low`` is raised to 0 for unsigned dtypes."""
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        low = max(low, 0) if dtype.kind == "u" else low
        return rng.integers(int(np.ceil(low)), int(np.floor(high)), shape, endpoint=True).astype(dtype)
    if dtype.kind == "c":
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(dtype)
    return rng.uniform(low, high, shape).astype(dtype)


def array(x: Any) -> Array:
    """A fungrad array of exactly the dtype and memory layout of ``x`` (64-bit dtypes do not narrow)."""
    x = np.asarray(x)
    return wrap(x, ShapedArray(x.shape, x.dtype))


def special_values(dtype: np.dtype) -> np.ndarray:
    """Values at which functions of this dtype tend to be wrong."""
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = [info.min, info.min + 1, -1, 0, 1, 2, 3, info.max - 1, info.max]
        return np.array(sorted({v for v in values if info.min <= v <= info.max}), dtype)
    if dtype.kind == "c":
        parts = [0.0, -0.0, 1.0, -2.5]
        return np.array([complex(a, b) for a, b in itertools.product(parts, parts)], dtype)
    info = ml_dtypes.finfo(dtype)
    sizes = [
        0.0,
        float(info.tiny),
        1e-3,
        0.5,
        0.75,
        1.0,
        1.5,
        2.0,
        2.5,
        10.0,
        100.0,
        float(info.max),
        np.inf,
    ]
    return np.array([s * v for v in sizes for s in (1, -1)] + [np.nan]).astype(dtype)


def special_operands(op: Op, dtypes: Sequence[np.dtype]) -> list[np.ndarray]:
    """All combinations of special values of the operands (a part of them for three and more)."""
    axes = [special_values(d) for d in dtypes]
    if len(axes) > 2:
        axes = [a[:: max(1, len(a) // 9)] for a in axes]
    return [g.ravel() for g in np.meshgrid(*axes, indexing="ij")]


def as_list(x: Any) -> list[Any]:
    """The results of an operation with one or several results."""
    return list(x) if isinstance(x, (tuple, list)) else [x]
