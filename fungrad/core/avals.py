"""Abstract values: what tracing knows of an array without its contents.

Holds ``ShapedArray`` (shape, dtype, weak type), its interning, and the symbolic zero of differentiation.
May import ``core.dtypes`` and ``core.dimensions``.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from fungrad import locks
from fungrad.core import dtypes
from fungrad.core.dimensions import size_of_dimension

_interned: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_intern_lock = locks.lock()
# The same for those asked for lately, as a plain dictionary, which is faster; emptied when full.
_recent: dict[Any, ShapedArray] = {}
_RECENT_LIMIT = 1024
_NOWHERE: frozenset = frozenset()


class AbstractValue:
    """Type of a value: of an array (``ShapedArray``), or one of a user's own (``core.hitypes``)."""

    __slots__ = ()

    # What types of arrays on meshes with explicit or manual axes say; see `ShapedArray`.
    placement: Any = None
    vma: frozenset = _NOWHERE


class ShapedArray(AbstractValue):
    """Type of an array value: ``shape``, ``dtype`` and whether the dtype is weak.

    Instances are interned: two avals are equal exactly when they are the same object, so they are cheap keys of
    dictionaries. Construction with the same arguments returns the existing object.

    Attributes:
      shape: tuple of ints; in functions that are exported for symbolic shapes also of expressions
        (``core.dimensions``).
      dtype: NumPy dtype.
      weak_type: true for values made from Python scalars, whose dtype yields to that of any other operand.
      ndim: number of dimensions.
      size: number of elements.
      inexact: whether the dtype is floating point or complex.
      compound: whether compiled programs know values by what they are made of (``core.lojax``).
      placement: the sharding over explicit axes of a mesh (a ``fungrad.sharding.NamedSharding``), or None.
      vma: names of the axes of functions of shards along which values vary.

    Example:
      >>> from fungrad.core.avals import ShapedArray
      >>> ShapedArray((2, 3), 'float32')
      ShapedArray(float32[2,3])
      >>> ShapedArray((2, 3), 'float32') is ShapedArray((2, 3), 'float32')
      True
    """

    __slots__ = (
        "shape", "dtype", "weak_type", "ndim", "size", "inexact", "compound", "placement", "vma", "_tangent",
        "__weakref__",
    )  # fmt: skip
    shape: tuple[int, ...]
    dtype: np.dtype
    weak_type: bool
    ndim: int
    size: int
    inexact: bool
    compound: bool
    placement: Any
    vma: frozenset
    _tangent: ShapedArray | None

    def __new__(
        cls,
        shape: tuple[int, ...],
        dtype: Any,
        weak_type: bool = False,
        *,
        sharding: Any = None,
        vma: frozenset = frozenset(),
    ) -> ShapedArray:
        if sharding is not None or vma:
            return _intern_placed(cls, shape, dtype, weak_type, sharding, vma)
        if type(dtype) is not np.dtype and not isinstance(dtype, np.dtype):
            dtype = dtypes.canonicalize_dtype(dtype)
        key = (shape, dtype, weak_type)
        try:
            found = _recent.get(key)
        except TypeError:
            if isinstance(shape, list):
                return cls(tuple(shape), dtype, weak_type)
            raise TypeError(f"ShapedArray: shape must be a tuple of ints, got {shape!r}") from None
        if found is not None:
            return found
        return _intern(cls, tuple([size_of_dimension(d) for d in shape]), dtype, bool(weak_type))

    def update(
        self,
        shape: Any = None,
        dtype: Any = None,
        weak_type: bool | None = None,
        *,
        sharding: Any = None,
        vma: frozenset | None = None,
    ) -> ShapedArray:
        """The aval with some fields replaced; with another shape it keeps its sharding if that fits."""
        placement = self.placement if sharding is None else sharding
        if placement is not None and sharding is None and shape is not None and len(shape) != self.ndim:
            placement = placement.without_dimensions(len(shape))
        return ShapedArray(
            self.shape if shape is None else shape,
            self.dtype if dtype is None else dtype,
            self.weak_type if weak_type is None else weak_type,
            sharding=placement,
            vma=self.vma if vma is None else vma,
        )

    def plain(self) -> ShapedArray:
        """The aval without a sharding, and of values that do not vary."""
        if self.placement is None and not self.vma:
            return self
        return ShapedArray(self.shape, self.dtype, self.weak_type)

    def like(self, other: ShapedArray) -> ShapedArray:
        """The aval with the sharding of another of the same shape."""
        if self.placement is other.placement and self.vma == other.vma:
            return self
        return ShapedArray(self.shape, self.dtype, self.weak_type, sharding=other.placement, vma=other.vma)

    def strip_weak_type(self) -> ShapedArray:
        """The aval with a strong dtype."""
        return self.update(weak_type=False) if self.weak_type else self

    def tangent(self) -> ShapedArray:
        """Aval of a tangent: the same for inexact dtypes, ``float0`` for integers, booleans and keys."""
        found = self._tangent
        if found is None:
            found = self if self.inexact else ShapedArray(self.shape, dtypes.float0).like(self)
            self._tangent = found
        return found

    def str_short(self, short_dtypes: bool = True, mesh_axis_types: bool = False, *, weak: bool = False) -> str:
        """Short text as in printed jaxprs, ``f32[2,3]``; with ``weak``, weak types carry a ``~``. Dtypes are always
        short; with ``mesh_axis_types``, the kinds of the axes of the mesh follow."""
        mark = "~" if weak and self.weak_type else ""
        if self.placement is None and not self.vma:
            return f"{mark}{dtypes.short_name(self.dtype)}[{','.join(map(str, self.shape))}]"
        kinds = f"({self.placement.kinds_text()})" if mesh_axis_types and self.placement is not None else ""
        return f"{mark}{dtypes.short_name(self.dtype)}{self._placed_text()}{kinds}"

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
        shape = self.shape[:dim] + self.shape[dim + 1 :]
        if self.placement is None and not self.vma:
            return ShapedArray(shape, self.dtype, self.weak_type)
        placement = None if self.placement is None else self.placement.of_example(dim)
        return ShapedArray(shape, self.dtype, self.weak_type, sharding=placement, vma=self.vma)

    def inc_rank(self, size: int, dim: int | None, entry: Any = None) -> ShapedArray:
        """Aval of a batch of ``size`` examples of this type along ``dim``, which ``entry`` divides over a mesh."""
        if dim is None:
            return self
        shape = (*self.shape[:dim], size, *self.shape[dim:])
        if self.placement is None and not self.vma:
            return ShapedArray(shape, self.dtype, self.weak_type)
        placement = None if self.placement is None else self.placement.of_batch(dim, entry)
        return ShapedArray(shape, self.dtype, self.weak_type, sharding=placement, vma=self.vma)

    def leading_axis_spec(self) -> int:
        """The dimension that ``scan`` iterates over."""
        return 0

    def __repr__(self) -> str:
        return f"ShapedArray({self._long_text()}{', weak_type=True' if self.weak_type else ''})"

    def __str__(self) -> str:
        return f"{'~' if self.weak_type else ''}{self._long_text()}"

    def _long_text(self) -> str:
        name = self.dtype.name if self.dtype.names is None else dtypes.short_name(self.dtype)
        if self.placement is None and not self.vma:
            return f"{name}[{','.join(map(str, self.shape))}]"
        return f"{name}{self._placed_text()}"

    def _placed_text(self) -> str:
        """The shape with the mesh axes that divide its dimensions, and how values differ between devices."""
        sizes, sets = list(map(str, self.shape)), []
        order = sorted(self.vma, key=str)
        if self.placement is not None:
            spec, mesh = self.placement.spec, self.placement.mesh
            for d in range(self.ndim):
                names = spec.names(d)
                if names:
                    sizes[d] += f"@{names[0]}" if len(names) == 1 else f"@({','.join(map(str, names))})"
            sets = [("U", [n for n in mesh.axis_names if n in spec.unreduced])]
            sets.append(("R", [n for n in mesh.axis_names if n in spec.reduced]))
        sets.insert(0, ("V", order))
        texts = [
            f"{mark}:{names[0] if len(names) == 1 else '(' + ','.join(map(str, names)) + ')'}"
            for mark, names in sets
            if names
        ]
        return f"[{','.join(sizes)}]{'{' + ', '.join(texts) + '}' if texts else ''}"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("fungrad.Array.__len__: len() of unsized object: the array is 0-dimensional")
        return self.shape[0]

    def __reduce__(self) -> tuple:
        if self.placement is None and not self.vma:
            return (ShapedArray, (self.shape, self.dtype, self.weak_type))
        return (_placed, (self.shape, self.dtype, self.weak_type, self.placement, self.vma))


def _placed(shape: tuple[int, ...], dtype: np.dtype, weak_type: bool, placement: Any, vma: frozenset) -> ShapedArray:
    return ShapedArray(shape, dtype, weak_type, sharding=placement, vma=vma)


def _intern_placed(
    cls: type, shape: tuple[int, ...], dtype: Any, weak_type: bool, sharding: Any, vma: frozenset
) -> ShapedArray:
    """The aval with a sharding, if that says anything, and with axes along which values vary."""
    plain = ShapedArray(shape, dtype, weak_type)
    placement = None if sharding is None else sharding.of_type(plain.shape)
    vma = frozenset(vma)
    if placement is None and not vma:
        return plain
    key = (plain, placement, vma)
    with _intern_lock:
        found: Any = _interned.get(key)
        if found is None:
            found = object.__new__(cls)
            found.shape, found.dtype, found.weak_type = plain.shape, plain.dtype, plain.weak_type
            found.ndim, found.size, found.inexact = plain.ndim, plain.size, plain.inexact
            found.compound = plain.compound
            found.placement, found.vma, found._tangent = placement, vma, None
            _interned[key] = found
    return found  # type: ignore[no-any-return]


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
        new.placement, new.vma = None, _NOWHERE
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


def interchangeable(a: Any, b: Any) -> bool:
    """Whether values of two types may come from one operation: they agree but for weakness and how they are divided."""
    if not same_type(a, b):
        return False
    p, q = a.placement, b.placement
    if p is q:
        return True
    of_p, of_q = [(x.spec.unreduced, x.spec.reduced) if x is not None else (_NOWHERE, _NOWHERE) for x in (p, q)]
    return of_p == of_q


class Typed:
    """Base of what stands for an array: tells what its type says.

    Attributes:
      aval: the type; subclasses have it.
    """

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, a tuple of ints."""
        return self.aval.shape  # type: ignore[attr-defined,no-any-return]

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype."""
        return self.aval.dtype  # type: ignore[attr-defined,no-any-return]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.aval.ndim  # type: ignore[attr-defined,no-any-return]

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.aval.size  # type: ignore[attr-defined,no-any-return]

    @property
    def weak_type(self) -> bool:
        """Whether the dtype is weak."""
        return self.aval.weak_type  # type: ignore[attr-defined,no-any-return]


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
