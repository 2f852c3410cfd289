"""``Array``: the immutable array type that users see, and its concrete implementation.

``Array`` is the base class of everything array-like in fungrad: concrete arrays (``ArrayImpl``) and the tracers of
every transformation, so ``isinstance(x, fungrad.Array)`` holds for both.  Operators and methods (``x + y``,
``x.sum()``, ``x.at[i].set(v)``) have NumPy semantics and are attached by ``fungrad.numpy`` at import: this file only
says what an array is, how a concrete one is stored, and how it converts to Python and NumPy.

May import ``locks``, ``core.buffers``, ``core.dlpack``, ``core.dtypes``, ``core.avals``,
``core.transfers`` and ``core.hitypes``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fungrad import locks
from fungrad.config import watch
from fungrad.core import buffers, dlpack, dtypes
from fungrad.core.avals import ShapedArray, scalar_aval
from fungrad.core.hitypes import is_hi_class
from fungrad.core.source import api_boundary
from fungrad.core.transfers import host_to_device, number_to_device
from fungrad.core.tree import known_leaf_types

if TYPE_CHECKING:
    from fungrad.core.attached_methods import AttachedMethods
else:
    AttachedMethods = object

PYTHON_SCALARS = (bool, int, float, complex)


class Array(AttachedMethods):
    """An immutable n-dimensional array, concrete or traced.

    Create arrays with the functions of ``fungrad.numpy`` (``asarray``, ``zeros``, ``arange`` ...).  An array never
    changes: where NumPy would write ``x[i] = v``, write ``x = x.at[i].set(v)``.

    Attributes:
      shape: tuple of ints.
      dtype: NumPy dtype.
      ndim: number of dimensions.
      size: number of elements.
      weak_type: whether the dtype yields to the dtype of other operands (values of Python scalars).

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.arange(3.0)
      >>> x.at[1].set(5.0)
      Array([0., 5., 2.], dtype=float32)
    """

    __slots__ = ("__weakref__",)

    # Set by every subclass, as a slot.
    aval: ShapedArray

    # NumPy must not treat an Array as a scalar or try its own ufunc loop first.
    __array_priority__ = 100

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, a tuple of ints."""
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype."""
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.aval.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.aval.size

    @property
    def weak_type(self) -> bool:
        """Whether the dtype is weak."""
        return self.aval.weak_type

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.aval.size * self.aval.dtype.itemsize

    def __len__(self) -> int:
        return len(self.aval)

    # -- conversion to Python and NumPy -------------------------------------------------------------------------

    def _concrete(self, what: str) -> np.ndarray:
        """The value as an ndarray; tracers without one raise, naming the conversion ``what``."""
        raise NotImplementedError

    def _known(self, what: str) -> np.ndarray:
        """The value for what has no derivative: a choice, a count, an index.

        Like ``_concrete``, but a value that is being differentiated may be looked at, if the transformation knows it.
        """
        return self._concrete(what)

    def _refuse_keys(self, what: str) -> None:
        if self.aval.dtype.names is not None and dtypes.is_key(self.aval.dtype):
            raise TypeError(
                f"fungrad: random keys ({self.aval.str_short()}) cannot become {what}; fungrad.random.key_data "
                "gives their words"
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_keys("an ndarray")
        data = self._concrete("__array__()")
        if dtype is not None and data.dtype != dtype:
            if copy is False:
                raise ValueError(
                    f"fungrad: {self.aval.str_short()} cannot become an ndarray of dtype {np.dtype(dtype)} without a "
                    "copy; leave out copy=False or the dtype"
                )
            return data.astype(dtype)
        if copy:
            return data.copy()
        view = data.view()
        view.flags.writeable = False
        return view

    def __bool__(self) -> bool:
        return bool(self._scalar("bool()", self._known("bool()")))

    def __int__(self) -> int:
        return int(self._scalar("int()", self._known("int()")))

    def __float__(self) -> float:
        return float(self._scalar("float()", self._concrete("float()")))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex()", self._concrete("complex()")))

    def __index__(self) -> int:
        aval = self.aval
        if aval.ndim or not dtypes.is_integer(aval.dtype):
            raise TypeError(
                "fungrad.Array.__index__: only integer scalar arrays can be converted to an index, got "
                f"{aval.str_short()}"
            )
        return int(self._known("__index__()")[()])

    def __bytes__(self) -> bytes:
        return self._concrete("bytes()").tobytes()

    def _scalar(self, what: str, data: np.ndarray) -> Any:
        """The single element of ``data`` as a NumPy scalar, for ``bool``, ``int``, ``float`` and ``complex``."""
        if self.aval.dtype.names is not None:
            raise TypeError(
                f"fungrad.Array: {what}: {self.aval.str_short()} is not a number"
                + (
                    "; fungrad.random.key_data gives the words of a random key"
                    if dtypes.is_key(self.aval.dtype)
                    else ""
                )
            )
        if self.aval.size != 1:
            if what == "bool()":
                raise ValueError(
                    f"fungrad.Array: The truth value of an array of shape {self.aval.shape} is ambiguous. Use "
                    "a.any() or a.all()"
                )
            raise TypeError(
                f"fungrad.Array: {what} needs an array with one element, got {self.aval.str_short()}; "
                "use .item(), index it, or reduce it first"
            )
        return data.reshape(())[()]

    def item(self, *args: Any) -> Any:
        """The element as a Python scalar; ``args`` index it as in ``ndarray.item``.

        Within ``grad``, ``jvp`` and their kin outside of ``jit`` it is the value, a constant without a derivative.
        """
        self._refuse_keys("a Python scalar")
        return self._known("item()").item(*args)

    def tolist(self) -> Any:
        """Nested Python lists of the elements."""
        self._refuse_keys("lists of Python scalars")
        return self._concrete("tolist()").tolist()

    def __hash__(self) -> int:
        raise TypeError("fungrad.Array.__hash__: unhashable type: arrays compare elementwise, so they cannot be keys")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "fungrad.Array.__setitem__: fungrad arrays are immutable: `x[idx] = y` is not possible; "
            "use `x = x.at[idx].set(y)` (also add, multiply, min, max ... on `.at[idx]`)"
        )

    @classmethod
    def _bind_operators(cls, table: dict[str, Callable | property]) -> None:
        """Attaches operators and methods; called once by ``fungrad.numpy``."""
        for name, value in table.items():
            setattr(cls, name, value)


for _name in ("__array__", "__bool__", "__bytes__", "__complex__", "__float__", "__hash__", "__index__", "__int__",
              "__len__", "__setitem__", "item", "tolist"):  # fmt: skip
    setattr(Array, _name, api_boundary(getattr(Array, _name)))


class ArrayImpl(Array):
    """A concrete array: an aval and an ndarray that nobody writes to."""

    __slots__ = ("aval", "_data")
    _data: np.ndarray

    def __new__(cls, *args: Any, **kwargs: Any) -> ArrayImpl:
        raise TypeError("fungrad.Array is not constructed directly; use fungrad.numpy.array or asarray")

    def _concrete(self, what: str) -> np.ndarray:
        return self._data

    @api_boundary
    def __iter__(self) -> Iterator[Array]:
        if not self.aval.shape:
            raise TypeError("fungrad.Array.__iter__: iteration over a 0-d array")
        aval = ShapedArray(self.aval.shape[1:], self.aval.dtype, self.aval.weak_type)
        return (wrap(row, aval) for row in self._data)

    def __repr__(self) -> str:
        aval = self.aval
        suffix = f"dtype={aval.dtype.name if aval.dtype.names is None else dtypes.short_name(aval.dtype)}"
        if aval.weak_type:
            suffix += ", weak_type=True"
        if aval.dtype.names is not None:
            text = f"Array({aval.shape}, {suffix})"
            return f"{text} overlaying:\n{dtypes.key_words(self._data)}" if dtypes.is_key(aval.dtype) else text
        if aval.size == 0:
            return f"Array([], shape={aval.shape}, {suffix})"
        text = np.array2string(self._data, prefix="Array(", separator=", ", suffix=")")
        last = text.rsplit("\n", 1)[-1]
        width = len(last) + len(suffix) + (7 if "\n" not in text else 1)
        separator = ", " if width <= np.get_printoptions()["linewidth"] else ",\n      "
        return f"Array({text}{separator}{suffix})"

    def __str__(self) -> str:
        return str(self._data) if self.aval.dtype.names is None else repr(self)

    def __format__(self, spec: str) -> str:
        if self.aval.dtype.names is not None:
            return format(str(self), spec)
        if not self.aval.shape:
            return format(self._data[()], spec)
        return format(self._data, spec)

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: dict) -> Array:
        return wrap(self._data.copy(), self.aval)

    def __reduce__(self) -> tuple:
        return (wrap, (np.array(self._data), self.aval))

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self.__array__())  # type: ignore[arg-type]

    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The array for another library, read-only (a copy where the protocol's version cannot say so)."""
        data = self._concrete("__dlpack__()")
        return dlpack.export(data, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.CPU_DEVICE


buffers.install(ArrayImpl, ArrayImpl.__array__)
known_leaf_types.update((ArrayImpl, np.ndarray))


class DeletedArray(Array):
    """What an array becomes when its memory was given away: every use raises, reading ``_data`` included."""

    # The slots of `ArrayImpl`, so that an array can change its class; `_data` says what happened to the memory.
    __slots__ = ("aval", "_data")

    def _concrete(self, what: str) -> np.ndarray:
        raise RuntimeError(
            f"fungrad: {what}: the array of type {self.aval.str_short()} has been deleted "
            f"({_reason.__get__(self, DeletedArray)}); copy it before donating it, or use the function's result instead"
        )

    def __repr__(self) -> str:
        return f"<deleted Array {self.aval.str_short()}>"

    def block_until_ready(self) -> Array:
        """Nothing to wait for."""
        return self._concrete("block_until_ready()")  # type: ignore[return-value]

    def copy_to_host_async(self) -> None:
        """Nothing to copy."""
        self._concrete("copy_to_host_async()")

    def __copy__(self) -> Array:
        return self

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self._concrete("__dlpack__()")

    def __dlpack_device__(self) -> Any:
        return self._concrete("__dlpack_device__()")

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self._concrete("__buffer__()"))  # type: ignore[arg-type]

    def __reduce__(self) -> tuple:
        return (wrap, (self._concrete("copying or pickling an array"), self.aval))


_reason: Any = DeletedArray.__dict__["_data"]
_set_reason = _reason.__set__
# Whoever reads the data of an array finds a property here, not something that is no ndarray.
DeletedArray._data = property(lambda self: self._concrete("the data of an array were read"))  # type: ignore[attr-defined]

# One thread at a time gives arrays away, so that of two that are given the same array one gets the error. Reentrant,
# since what dies meanwhile may have a finalizer that deletes arrays.
_giving = locks.lock()


def _drop(x: Array, reason: str) -> None:
    if type(x) is ArrayImpl:
        x.__class__ = DeletedArray  # type: ignore[assignment]
        _set_reason(x, reason)


def delete(x: Array, reason: str = "by delete()") -> None:
    """Drops the memory of a concrete array; later uses raise and name ``reason``."""
    with _giving:
        _drop(x, reason)


def give_away(arrays: Sequence[ArrayImpl], given: Sequence[bool], reason: str) -> list[np.ndarray]:
    """The data of concrete arrays, of which the ``given`` ones are deleted. Either all or nothing happens.

    Raises:
      RuntimeError: one of the arrays has been deleted, maybe by another thread a moment ago.
    """
    with _giving:
        data = [x._data for x in arrays]
        # `_drop` written out: there may be thousands.
        for x in itertools.compress(arrays, given):
            if type(x) is ArrayImpl:
                x.__class__ = DeletedArray  # type: ignore[assignment]
                _set_reason(x, reason)
    return data


_new = object.__new__


def another(x: Array) -> Array:
    """``x`` as an array object of its own on the same memory, for what is kept here and given to users: they may delete
    or donate it. Tracers stay what they are."""
    return wrap_unchecked(x._data, x.aval) if type(x) is ArrayImpl else x


def narrowed(data: Any, dtype: np.dtype) -> np.ndarray:
    """A result of NumPy as an ndarray of ``dtype``.

    NumPy lacks most functions for integers of 2 and 4 bits, and converts them to int8. The lowest bits of its results
    are those of theirs.
    """
    data = np.asarray(data)
    return data.astype(dtype) if data.dtype == np.int8 and dtype in dtypes.small_integers else data


def wrap(data: Any, aval: ShapedArray) -> ArrayImpl:
    """A concrete array around ``data``, an ndarray or NumPy scalar of the type ``aval`` that nobody else writes to."""
    if type(data) is not np.ndarray:
        data = np.asarray(data)
    if data.dtype is not aval.dtype and data.dtype != aval.dtype or data.shape != aval.shape:
        data = narrowed(data, aval.dtype)
        if data.dtype != aval.dtype or data.shape != aval.shape:
            raise AssertionError(
                f"internal error: a value of type {data.dtype.name}{list(data.shape)} where {aval} was expected"
            )
    out = _new(ArrayImpl)
    out._data = data
    out.aval = aval
    return out


def wrap_unchecked(data: np.ndarray, aval: ShapedArray) -> ArrayImpl:
    """``wrap`` for callers that have made ``data`` to the type ``aval`` themselves (compiled programs)."""
    out = _new(ArrayImpl)
    out._data = data
    out.aval = aval
    return out


def from_numpy(x: np.ndarray | np.generic, *, what: str = "argument", copy: bool = True) -> ArrayImpl:
    """A concrete array of an ndarray without a dtype request: 64-bit dtypes narrow to the default width.

    Args:
      x: an ndarray or NumPy scalar.
      what: how errors name the value.
      copy: whether the data are copied; without, the caller promises not to write to them.

    Raises:
      OverflowError: an integer does not fit the default width.
      TypeError: the dtype is not one that fungrad computes with.
    """
    if type(x) is not np.ndarray and hasattr(x, "mask"):
        raise ValueError(f"{what} is a masked array of NumPy, whose mask would be lost; fill it with .filled first")
    x = np.asarray(x)
    if x.dtype.kind not in "biufcV" or (x.dtype.kind == "V" and not dtypes.is_known(x.dtype)):
        raise TypeError(f"{what} has dtype {x.dtype}, which is not a numeric dtype; convert it with .astype first")
    dtype = dtypes.default_width(x.dtype)
    if watch.transfers:
        host_to_device(ShapedArray(x.shape, dtype))
    if dtype != x.dtype:
        if x.dtype.kind in "iu":
            dtypes.check_int_range(x, dtype, what)
        data = x.astype(dtype, order="C")
    elif not x.dtype.isnative:
        data = x.astype(x.dtype.newbyteorder("="))
    else:
        data = np.array(x, order="C", copy=True) if copy else x
    return wrap(data, ShapedArray(data.shape, data.dtype))


def from_scalar(x: Any, what: str = "fungrad") -> ArrayImpl:
    """A weakly typed 0-d array of a Python scalar (``bool`` is strong); ``what`` is how errors name the value.

    Raises:
      OverflowError: an integer does not fit the default width.
    """
    aval = scalar_aval(x)
    if watch.transfers:
        number_to_device(x, aval)
    try:
        return wrap_unchecked(np.asarray(x, aval.dtype), aval)
    except OverflowError:
        wide = " or enable 64 bit with fungrad.enable_x64()" if aval.dtype == dtypes.int32 else ""
        raise OverflowError(
            f"{what}: the Python integer {x} does not fit {aval.dtype.name}, the dtype of Python integers; request a "
            f"dtype that holds it{wide}"
        ) from None


def is_array_like(x: Any) -> bool:
    """Whether ``as_array`` accepts ``x``: arrays, tracers, ndarrays, scalars, objects with ``__jax_array__``."""
    if isinstance(x, (Array, np.ndarray, np.generic, *PYTHON_SCALARS)):
        return True
    return hasattr(x, "__jax_array__") or is_hi_class(type(x))


def as_array(x: Any, what: str = "argument") -> Array:
    """``x`` as an ``Array`` (arrays, tracers and values of users' own types unchanged).

    Raises:
      TypeError: ``x`` is not an array or scalar; lists and tuples are refused, as in JAX.
    """
    kind = type(x)
    if kind is ArrayImpl:
        return x  # type: ignore[no-any-return]
    if isinstance(x, Array):
        if kind is DeletedArray:
            x._concrete(what.removeprefix("fungrad.").removeprefix("fungrad: "))
        return x
    if kind is float or kind is int or kind is bool or kind is complex:
        return from_scalar(x, what)
    if isinstance(x, (np.ndarray, np.generic)):
        return from_numpy(x, what=what)
    if isinstance(x, PYTHON_SCALARS):
        return from_scalar(x, what)
    if hasattr(x, "__jax_array__"):
        return as_array(x.__jax_array__(), what)
    if is_hi_class(kind):
        return x  # type: ignore[no-any-return]
    hint = "; convert it with fungrad.numpy.asarray first" if isinstance(x, (list, tuple)) else ""
    raise TypeError(f"{what} must be an array or a scalar, got {x!r} of type {type(x).__name__}{hint}")


def typeof(x: Any) -> ShapedArray:
    """Aval of an array, tracer, ndarray or scalar, without converting it.

    Example:
      >>> import fungrad
      >>> fungrad.typeof(1.0)
      ShapedArray(float32[], weak_type=True)
    """
    if isinstance(x, Array):
        return x.aval
    if isinstance(x, PYTHON_SCALARS) and not isinstance(x, np.generic):
        return scalar_aval(x)
    if isinstance(x, (np.ndarray, np.generic)):
        return ShapedArray(x.shape, dtypes.default_width(x.dtype))
    aval = getattr(x, "aval", None)
    if getattr(aval, "is_ref", False):
        return aval  # type: ignore[return-value]
    if is_hi_class(type(x)):
        return x.aval  # type: ignore[no-any-return]
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return ShapedArray(tuple(x.shape), x.dtype, bool(getattr(x, "weak_type", False)))
    return as_array(x).aval
