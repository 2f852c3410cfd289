"""Abstract values: what tracing knows of an array without its contents.

Holds ``ShapedArray`` (shape, dtype, weak type), its interning, and the symbolic zero of differentiation.
May import ``core.dtypes`` only.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.core import dtypes

_interned: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_intern_lock = locks.lock()
# The same for those asked for lately, as a plain dictionary, which is faster; emptied when full.
_recent: dict[Any, ShapedArray] = {}
_RECENT_LIMIT = 1024


class AbstractValue:
    """Type of a value: of an array (``ShapedArray``), or one of a user's own (``core.hitypes``)."""

    __slots__ = ()


class ShapedArray(AbstractValue):
    """Type of an array value: ``shape``, ``dtype`` and whether the dtype is weak.

    Instances are interned: two avals are equal exactly when they are the same object, so they are cheap keys of
    dictionaries. Construction with the same arguments returns the existing object.

    Attributes:
      shape: tuple of ints.
      dtype: NumPy dtype.
      weak_type: true for values made from Python scalars, whose dtype yields to that of any other operand.
      ndim: number of dimensions.
      size: number of elements.
      inexact: whether the dtype is floating point or complex.
      compound: whether compiled programs know values by what they are made of (``core.lojax``).

    Example:
      >>> from fungrad.core.avals import ShapedArray
      >>> ShapedArray((2, 3), 'float32')
      ShapedArray(float32[2,3])
      >>> ShapedArray((2, 3), 'float32') is ShapedArray((2, 3), 'float32')
      True
    """

    __slots__ = ("shape", "dtype", "weak_type", "ndim", "size", "inexact", "compound", "_tangent", "__weakref__")
    shape: tuple[int, ...]
    dtype: np.dtype
    weak_type: bool
    ndim: int
    size: int
    inexact: bool
    compound: bool
    _tangent: ShapedArray | None

    def __new__(
        cls, shape: tuple[int, ...], dtype: Any, weak_type: bool = False, *, sharding: Any = None
    ) -> ShapedArray:
        if type(dtype) is not np.dtype and not isinstance(dtype, np.dtype):
            dtype = dtypes.canonicalize_dtype(dtype)
        key = (shape, dtype, weak_type)
        try:
            found = _recent.get(key)
        except TypeError:
            raise TypeError(f"ShapedArray: shape must be a tuple of ints, got {shape!r}") from None
        if found is not None:
            return found
        return _intern(cls, tuple(int(d) for d in shape), dtype, bool(weak_type))

    def update(self, *, shape: Any = None, dtype: Any = None, weak_type: bool | None = None) -> ShapedArray:
        """The aval with some fields replaced."""
        return ShapedArray(
            self.shape if shape is None else shape,
            self.dtype if dtype is None else dtype,
            self.weak_type if weak_type is None else weak_type,
        )

    def strip_weak_type(self) -> ShapedArray:
        """The aval with a strong dtype."""
        return ShapedArray(self.shape, self.dtype) if self.weak_type else self

    def tangent(self) -> ShapedArray:
        """Aval of a tangent: the same for inexact dtypes, ``float0`` for integers, booleans and keys."""
        found = self._tangent
        if found is None:
            found = self if self.inexact else ShapedArray(self.shape, dtypes.float0)
            self._tangent = found
        return found

    def str_short(self, short_dtypes: bool = True, mesh_axis_types: bool = False, *, weak: bool = False) -> str:
        """Short text as in printed jaxprs, ``f32[2,3]``; with ``weak``, weak types carry a ``~``. Dtypes are always
        short, and nothing is said of meshes."""
        mark = "~" if weak and self.weak_type else ""
        return f"{mark}{dtypes.short_name(self.dtype)}[{','.join(map(str, self.shape))}]"

    def short(self, *, weak: bool = False) -> str:
        """``str_short``, which types of users' own define with other arguments."""
        return self.str_short(weak=weak)

    # -- the same questions as to types of users' own (``core.hitypes.HiType``) ----------------------------------------

    is_high = False
    to_tangent_aval = tangent
    to_ct_aval = tangent
    normalize = strip_weak_type

    def lo_ty(self) -> list[ShapedArray]:
        """The types of the arrays that make up a value: this one."""
        return [self]

    def lower_val(self, x: Any) -> list[Any]:
        """The arrays that make up a value: the value."""
        return [x]

    def raise_val(self, x: Any) -> Any:
        """The value made up of these arrays: the array."""
        return x

    def dec_rank(self, size: int | None, dim: int | None) -> ShapedArray:
        """Aval of one example of a batch of this type along ``dim``."""
        if dim is None:
            return self
        return ShapedArray(self.shape[:dim] + self.shape[dim + 1 :], self.dtype, self.weak_type)

    def inc_rank(self, size: int, dim: int | None) -> ShapedArray:
        """Aval of a batch of ``size`` examples of this type along ``dim``."""
        if dim is None:
            return self
        return ShapedArray((*self.shape[:dim], size, *self.shape[dim:]), self.dtype, self.weak_type)

    def leading_axis_spec(self) -> int:
        """The dimension that ``scan`` iterates over."""
        return 0

    def __repr__(self) -> str:
        return f"ShapedArray({self._long_text()}{', weak_type=True' if self.weak_type else ''})"

    def __str__(self) -> str:
        return f"{'~' if self.weak_type else ''}{self._long_text()}"

    def _long_text(self) -> str:
        name = self.dtype.name if self.dtype.names is None else dtypes.short_name(self.dtype)
        return f"{name}[{','.join(map(str, self.shape))}]"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __reduce__(self) -> tuple:
        return (ShapedArray, (self.shape, self.dtype, self.weak_type))


def _intern(cls: type, shape: tuple[int, ...], dtype: np.dtype, weak_type: bool) -> ShapedArray:
    with _intern_lock:
        key = (shape, dtype, weak_type)
        found = _interned.get(key)
        if len(_recent) >= _RECENT_LIMIT:
            _recent.clear()
        if found is not None:
            _recent[key] = found
            return found
        new: ShapedArray = object.__new__(cls)
        new.shape, new.dtype, new.weak_type = shape, dtype, weak_type
        new.ndim = len(shape)
        size = 1
        for d in shape:
            size *= d
        new.size = size
        new.inexact = dtypes.is_inexact(dtype)
        new.compound = dtypes.is_compound(dtype)
        new._tangent = None
        _interned[key] = _recent[key] = new
        return new


def same_type(a: Any, b: Any) -> bool:
    """Whether two types agree but for weakness."""
    if a is b:
        return True
    if a.is_high or b.is_high:
        return bool(a == b)
    return a.shape == b.shape and a.dtype == b.dtype  # type: ignore[no-any-return]


class Zero:
    """A symbolic zero tangent or cotangent: known to be zero without an array of zeros.

    Attributes:
      aval: the (tangent) aval of the zero it stands for.
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Zero({self.aval.short()})"


# The avals of Python scalars depend on the default width only; they are made once per width.
_scalar_avals: dict[tuple[type, np.dtype], ShapedArray] = {}


def scalar_aval(value: Any) -> ShapedArray:
    """Weak aval of a Python scalar (``bool`` is strong, as in JAX)."""
    kind = type(value)
    dtype = dtypes.scalar_dtype(value)
    found = _scalar_avals.get((kind, dtype))
    if found is None:
        found = ShapedArray((), dtype, not isinstance(value, bool))
        _scalar_avals[(kind, dtype)] = found
    return found
