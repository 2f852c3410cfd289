"""Operators and methods of ``Array``: bound to the class when ``fungrad.numpy`` is imported.

May import everything below ``numpy`` and the modules of ``numpy``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import REFUSALS, guarded, reword
from fungrad.core.array import PYTHON_SCALARS, Array, DeletedArray, delete
from fungrad.core.context import Tracer
from fungrad.core.device import CPU, Device
from fungrad.core.formats import Format, Layout
from fungrad.core.primitive import Primitive
from fungrad.core.shardings import DEFAULT as DEFAULT_SHARDING, Sharding
from fungrad.core.source import api_boundary, filter_exception
from fungrad.numpy import (
    creation,
    division,
    indexing,
    linear,
    manipulation,
    reductions,
    selection,
    sorting,
    ufuncs,
    updating,
)
from fungrad.numpy._promotion import fitting, partners
from fungrad.numpy.array_api import VERSIONS
from fungrad.numpy.bits import reinterpret, swapped_bytes
from fungrad.ops import compare, elementwise
from fungrad.ops.resharding import on_device

# -- operators ---------------------------------------------------------------------------------------------------------

_OPERANDS = (*PYTHON_SCALARS, np.ndarray, np.generic)


def _is_operand(x: Any) -> bool:
    return isinstance(x, _OPERANDS) or hasattr(x, "__jax_array__")


def _operator(
    name: str,
    function: Callable[[Any, Any], Any],
    primitive: Primitive | None = None,
    accepts: Callable[[np.dtype], bool] | None = None,
) -> Callable:
    """``x <op> y``.

    Operands of equal type, and a Python scalar that takes the type of the array, go straight to ``primitive``, if it
    ``accepts`` their dtype (None: all).
    """

    def general(x: Any, y: Any) -> Any:
        try:
            if isinstance(y, Array) or _is_operand(y):
                return function(x, y)
        except Exception as error:
            filter_exception(error)
            raise
        return NotImplemented

    if primitive is None:
        operator = general
    else:
        bind = primitive.bind

        def operator(x: Any, y: Any) -> Any:
            try:
                aval = x.aval
                kind = type(y)
                if kind is float or kind is int:
                    partner = partners.get((aval, kind, y or repr(y)))
                    if partner is not None and (aval.inexact or accepts is None or accepts(aval.dtype)):
                        return bind(x, partner)
                elif isinstance(y, Array) and (aval is y.aval or (aval, y.aval) in fitting):
                    if aval.inexact or accepts is None or accepts(aval.dtype):
                        return bind(x, y)
                return general(x, y)
            except Exception as error:
                filter_exception(error)
                raise

    operator.__name__ = operator.__qualname__ = name
    return operator


def _reflected(
    name: str,
    function: Callable[[Any, Any], Any],
    primitive: Primitive | None = None,
    accepts: Callable[[np.dtype], bool] | None = None,
) -> Callable:
    """``y <op> x`` for an ``y`` that does not know arrays; ``primitive`` and ``accepts`` as in ``_operator``."""

    def operator(x: Any, y: Any) -> Any:
        try:
            kind = type(y)
            if primitive is not None and (kind is float or kind is int):
                aval = x.aval
                partner = partners.get((aval, kind, y or repr(y)))
                if partner is not None and (aval.inexact or accepts is None or accepts(aval.dtype)):
                    return primitive.bind(partner, x)
            if isinstance(y, Array) or _is_operand(y):
                return function(y, x)
            return NotImplemented
        except Exception as error:
            filter_exception(error)
            raise

    operator.__name__ = operator.__qualname__ = name
    return operator


def _no_bools(dtype: np.dtype) -> bool:
    return dtype.kind != "b"


def _unary(name: str, function: Callable[[Any], Any]) -> Callable:
    def operator(x: Any) -> Any:
        try:
            try:
                return function(x)
            except REFUSALS as error:
                reword(error, f"fungrad.numpy.{function.__name__}", function, (x,), {})
        except Exception as error:
            filter_exception(error)
            raise

    operator.__name__ = operator.__qualname__ = name
    return operator


def _arithmetic_operators() -> dict[str, Callable | property]:
    both: dict[str, tuple] = {
        "add": (ufuncs.add, elementwise.add_p, _no_bools),
        "sub": (ufuncs.subtract, elementwise.sub_p, _no_bools),
        "mul": (ufuncs.multiply, elementwise.mul_p, _no_bools),
        "truediv": (ufuncs.true_divide, elementwise.div_p, dtypes.is_inexact),
        "floordiv": (division.floor_divide, None),
        "mod": (division.remainder, None),
        "divmod": (division.divmod, None),
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
    table: dict[str, Callable | property] = {}
    table |= {f"__{name}__": _operator(f"__{name}__", *rest) for name, rest in (both | comparisons).items()}
    table |= {f"__r{name}__": _reflected(f"__r{name}__", *rest) for name, rest in both.items()}
    table["__neg__"] = _unary("__neg__", ufuncs.negative)
    table["__pos__"] = _unary("__pos__", ufuncs.positive)
    table["__abs__"] = _unary("__abs__", ufuncs.absolute)
    table["__invert__"] = _unary("__invert__", ufuncs.invert)
    return table


Array._bind_operators(_arithmetic_operators())


# -- methods -----------------------------------------------------------------------------------------------------------


def _reshape(self: Array, *shape: Any, order: str = "C", copy: bool | None = None, out_sharding: Any = None) -> Array:
    """The elements in another shape, given as one tuple or as several ints; see ``fungrad.numpy.reshape``."""
    sizes = shape[0] if len(shape) == 1 else shape
    return manipulation.reshape(self, sizes, order, copy=copy, out_sharding=out_sharding)


def _transpose(self: Array, *axes: Any) -> Array:
    """The dimensions in another order, given as one sequence or as several ints; by default reversed."""
    if not axes or axes == (None,):
        return manipulation.transpose(self)
    return manipulation.transpose(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)


def _flatten(self: Array, order: str = "C") -> Array:
    """The elements in one dimension."""
    return manipulation.ravel(self, order)


def _astype(self: Array, dtype: Any, copy: bool = False, device: Any = None) -> Array:
    """The array converted to a dtype; see ``fungrad.numpy.astype``."""
    return creation.astype(self, dtype, copy=copy, device=device)


def _view(self: Array, dtype: Any = None, type: None = None) -> Array:
    """The same bits as another dtype; the last dimension changes if the sizes of the dtypes differ.

    Raises:
      ValueError: the last dimension does not fit the dtype.
    """
    if type is not None:
        raise NotImplementedError("fungrad.Array.view: type= is not supported; pass a dtype")
    if dtype is None:
        return self
    return reinterpret(self, dtypes.canonicalize_dtype(dtype, "fungrad.Array.view"))


def _contains(self: Array, item: Any) -> bool:
    return bool(reductions.any(ufuncs.equal(self, item)))


def _argmax(self: Array, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """Position of the first largest element; see ``fungrad.numpy.argmax``."""
    return reductions.argmax(self, axis, out, keepdims)


def _round(self: Array, decimals: int = 0, out: None = None) -> Array:
    """The elements rounded to a number of decimals; see ``fungrad.numpy.round``."""
    manipulation.no_out("round", out)
    return ufuncs.round(self, decimals)


def _dunder_round(self: Array, ndigits: int | None = None) -> Array:
    # As of Python's numbers: without digits the result is an integer.
    if ndigits is not None:
        return ufuncs.round(self, ndigits)
    whole = ufuncs.round(ufuncs.real(self))
    return whole if dtypes.is_integer(whole.aval.dtype) else creation.astype(whole, int)


def _copy(self: Array) -> Array:
    """A copy."""
    return creation.copy(self)


def _block_until_ready(self: Array) -> Array:
    """The array itself: computation is synchronous."""
    return self


def _devices(self: Array) -> set[Device]:
    """The devices that hold the array: the CPU."""
    return {CPU}


def _to_device(self: Array, device: Any, *, stream: Any = None) -> Array:
    """The array on a device, or divided by a sharding."""
    return on_device(self, device, "fungrad.Array.to_device")


def _is_deleted(self: Array) -> bool:
    """Whether the memory of the array was given away."""
    return isinstance(self, DeletedArray)


def _byteswap(self: Array) -> Array:
    """The numbers with their bytes in reverse order: those of the other byte order, or from it."""
    return swapped_bytes(self)


def _unsafe_buffer_pointer(self: Array) -> int:
    """The address of the first element, which holds while the array lives; nobody may write there."""
    return int(self._concrete("unsafe_buffer_pointer").ctypes.data)


def _delete(self: Array) -> None:
    """Gives the memory of the array away: every later use raises."""
    delete(self)


def _sharding(self: Array) -> Sharding:
    if isinstance(self, Tracer):
        raise AttributeError(
            f"The 'sharding' attribute is not available on {self!r}, which is traced and so is nowhere yet; "
            "use fungrad.typeof(x).sharding",
            name="sharding",
        )
    return DEFAULT_SHARDING


def _format(self: Array) -> Format:
    return Format(Layout(tuple(range(self.ndim))), self.sharding)


def _committed(self: Array) -> bool:
    self._concrete("committed")
    return False


def _on_device_size_in_bytes(self: Array) -> int:
    """Bytes of memory that the elements take."""
    return self._concrete("on_device_size_in_bytes()").nbytes


def _addressable_data(self: Array, index: int) -> Array:
    """The part of the array on a device of this process: all of it."""
    if index != 0:
        raise IndexError(f"fungrad.Array.addressable_data: there is one device, got index {index}")
    return self


def _tobytes(self: Array, order: str = "C") -> bytes:
    """The bytes of the elements in row-major order."""
    return self._concrete("tobytes()").tobytes(order)  # type: ignore[arg-type]


def _array_namespace(self: Array, *, api_version: str | None = None) -> Any:
    """The module with the functions of this array: ``fungrad.numpy``."""
    if api_version is not None and api_version not in VERSIONS:
        raise ValueError(
            f"fungrad.Array.__array_namespace__: api_version must be one of {', '.join(VERSIONS)}, got {api_version!r}"
        )
    return sys.modules["fungrad.numpy"]


def _is_true(self: Array) -> bool:
    return True


def _methods() -> dict[str, Any]:
    """Methods of arrays that are functions of ``fungrad.numpy``, or small adapters of them."""
    same = {
        "all": reductions.all,
        "any": reductions.any,
        "argmin": reductions.argmin,
        "argpartition": sorting.argpartition,
        "argsort": sorting.argsort,
        "choose": selection.choose,
        "conj": ufuncs.conjugate,
        "conjugate": ufuncs.conjugate,
        "cumprod": reductions.cumprod,
        "cumsum": reductions.cumsum,
        "diagonal": linear.diagonal,
        "dot": linear.dot,
        "max": reductions.max,
        "mean": reductions.mean,
        "min": reductions.min,
        "nonzero": selection.nonzero,
        "prod": reductions.prod,
        "ptp": reductions.ptp,
        "ravel": manipulation.ravel,
        "repeat": manipulation.repeat,
        "searchsorted": sorting.searchsorted,
        "sort": sorting.sort,
        "squeeze": manipulation.squeeze,
        "std": reductions.std,
        "sum": reductions.sum,
        "swapaxes": manipulation.swapaxes,
        "take": indexing.take,
        "trace": linear.trace,
        "var": reductions.var,
    }
    # Functions bind as methods: the array is their first argument.
    methods = same | {
        "__array_namespace__": _array_namespace,
        "__contains__": api_boundary(_contains),
        "__getitem__": indexing.getitem,
        "__matmul__": _operator("__matmul__", linear.matmul),
        "__rmatmul__": _reflected("__rmatmul__", linear.matmul),
        "__round__": api_boundary(_dunder_round),
        "T": property(manipulation.transpose, doc="The array with its dimensions reversed."),
        "mT": property(manipulation.matrix_transpose, doc="The array with its last two dimensions exchanged."),
        "real": property(ufuncs.real, doc="The real part."),
        "imag": property(ufuncs.imag, doc="The imaginary part."),
        "addressable_data": _addressable_data,
        "argmax": _argmax,
        "at": property(
            updating.IndexUpdateHelper, doc="Helper of updates: ``x.at[idx].set(y)`` is a changed copy of ``x``."
        ),
        "astype": _astype,
        "block_until_ready": _block_until_ready,
        "byteswap": _byteswap,
        "clip": _clip,
        "compress": _compress,
        "format": property(_format, doc="How the array lies in memory, and where it is."),
        "committed": property(_committed, doc="Whether the array was put on a device on purpose: no."),
        "copy": _copy,
        "ctypes": property(lambda self: np.asarray(self).ctypes, doc="NumPy's ctypes: the address of the memory ..."),
        "copy_to_host_async": _nothing,
        "delete": _delete,
        "device": property(lambda self: CPU, doc="The device that holds the array: the CPU."),
        "devices": _devices,
        "flatten": _flatten,
        "is_deleted": _is_deleted,
        "item": Array.item,
        "is_fully_addressable": property(_is_true, doc="Whether this process holds the whole array: yes."),
        "is_fully_replicated": property(_is_true, doc="Whether every device holds the whole array: yes."),
        "is_ready": _is_true,
        "on_device_size_in_bytes": _on_device_size_in_bytes,
        "reshape": _reshape,
        "round": _round,
        "sharding": property(_sharding, doc="Which device holds which part of the array."),
        "to_device": _to_device,
        "tobytes": _tobytes,
        "transpose": _transpose,
        "unsafe_buffer_pointer": _unsafe_buffer_pointer,
        "view": _view,
    }
    return {
        name: guarded(f"fungrad.Array.{name}", value) if callable(value) and not name.startswith("__") else value
        for name, value in methods.items()
    }


def _clip(self: Array, min: Any = None, max: Any = None) -> Array:
    """The elements limited to an interval; see ``fungrad.numpy.clip``."""
    return selection.clip(self, min, max)


def _compress(self: Array, condition: Any, axis: int | None = None, *, out: None = None, size: int | None = None,
              fill_value: Any = 0) -> Array:  # fmt: skip
    """The slices for which a condition holds; see ``fungrad.numpy.compress``."""
    return selection.compress(condition, self, axis, size=size, fill_value=fill_value, out=out)


def _nothing(self: Array) -> None:
    """Does nothing: the data are on the host."""


Array._bind_operators(_methods())
