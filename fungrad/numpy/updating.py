"""Updates: ``x.at[idx].set(y)`` and its relatives, and ``put_along_axis``.

Arrays are immutable, so that an update is a changed copy: a scatter to the windows that the index selects.

May import everything below ``numpy`` and the modules of ``numpy`` for creation, promotion, indexing and ufuncs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes
from fungrad.core.arguments import guarded
from fungrad.core.array import Array, typeof, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import Tracer
from fungrad.core.dimensions import least_value
from fungrad.errors import IncompatibleShapesError
from fungrad.numpy import ufuncs
from fungrad.numpy._index_parsing import Selection, Shape, note_index, parse, select_windows, static_ints
from fungrad.numpy._promotion import cast, converted, operand
from fungrad.numpy.creation import broadcast_to, ones_like, raw_values
from fungrad.numpy.indexing import along, rewriting_take
from fungrad.ops._windows import GatherScatterMode
from fungrad.ops.dynamic import dynamic_update_slice_p
from fungrad.ops.foundation import reshape
from fungrad.ops.indexing import scatter_add
from fungrad.ops.joining import stack_p
from fungrad.ops.resharding import at_sharding
from fungrad.ops.scatter import scatter, scatter_max, scatter_min, scatter_mul, scatter_sub


def index_update(
    x: Array,
    idx: Any,
    values: Any,
    scatter_function: Callable[..., Array],
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: str | GatherScatterMode | None = None,
    wrap_negative_indices: bool = True,
    api: str = "fungrad.Array.at",
) -> Array:
    """A copy of ``x`` with the elements at ``idx`` combined with ``values`` by a scatter function of ``lax``.

    Args:
      x: array.
      idx: as in ``x[idx]``.
      values: array or scalar that broadcasts to the shape of ``x[idx]``.
      scatter_function: ``scatter``, ``scatter_add`` ...
      indices_are_sorted: a promise that positions come in increasing order.
      unique_indices: a promise that no position comes twice.
      mode: what happens to positions out of range.
      wrap_negative_indices: whether negative positions count from the end.
      api: name of the function, for messages.

    Raises:
      IndexError, TypeError, NonConcreteBooleanIndexError: as ``x[idx]``.
      ValueError: ``values`` do not broadcast.
    """
    x = operand(x, api, "x")
    dtype, weak = x.aval.dtype, x.aval.weak_type
    values = raw_values(values)
    given = typeof(values)
    common, _ = dtypes.lattice_result_type((dtype, weak), (given.dtype, given.weak_type))
    if common != dtype:
        warnings.warn(
            f"{api}: values of type {given.str_short()} are converted to the dtype {dtype.name} of the array, "
            "which may change them; convert them with .astype first",
            FutureWarning,
            stacklevel=3,
        )
    shape = x.aval.shape
    chosen, options = _select(shape, idx, mode, wrap_negative_indices, indices_are_sorted, unique_indices, api)
    values = converted(values, common, api.removeprefix("fungrad.").removeprefix("numpy."), "values")
    x, values = cast(x, common, weak), _fit(values, chosen, api)
    if not math.prod(shape):
        return cast(x, dtype, weak)
    if scatter_function is scatter and type(chosen.indices) is np.ndarray:
        box = _static_box(chosen)
        if box is not None:
            return cast(_replace_box(x, chosen, values, box), dtype, weak)
    indices = chosen.indices
    if type(indices) is np.ndarray and indices.ndim == 1 and indices.size and isinstance(x, Tracer):
        # One window at a known place: numbers in the jaxpr, where the compiler sees them, not a captured array.
        indices = stack_p.bind(*_numbers(indices.tolist()), axis=0)
    out = scatter_function(reshape(x, chosen.operand), indices, values, chosen.scatter_numbers, **options)
    return cast(reshape(out, shape), dtype, weak)


def _select(
    shape: Shape, idx: Any, mode: Any, wrap: bool, indices_are_sorted: bool, unique_indices: bool, api: str
) -> tuple[Selection, dict[str, Any]]:
    """The windows that are updated, and the options of the scatter."""
    parsed_mode = None if mode is None else GatherScatterMode.from_any(mode)
    if watch.transfers:
        note_index(idx)
    entries = static_ints(shape, parse(shape, idx, api), parsed_mode, wrap, api)
    chosen = select_windows(shape, entries, api, wrap=wrap, empty=not config.strict_index)
    if parsed_mode is None:
        # Updates outside are dropped, unless the configuration makes them an error.
        parsed_mode = GatherScatterMode.PROMISE_IN_BOUNDS if config.strict_index else GatherScatterMode.FILL_OR_DROP
    return chosen, {
        "indices_are_sorted": indices_are_sorted or chosen.single,
        "unique_indices": unique_indices or chosen.distinct,
        "mode": parsed_mode,
    }


def _fit(values: Array, chosen: Selection, api: str) -> Array:
    """Values in the shape of the updates of a scatter."""
    shape = chosen.full_shape
    given = values.aval.shape
    if given != shape:
        if len(given) > len(shape) or any(n not in (1, m) for n, m in zip(given[::-1], shape[::-1], strict=False)):
            raise IncompatibleShapesError(
                f"{api}: values of shape {given} do not broadcast to the shape {shape} of the selected elements"
            )
        values = broadcast_to(values, shape)
    return reshape(values, chosen.shape) if chosen.new else values


def _static_box(chosen: Selection) -> Shape | None:
    """First position of the single window that was selected, if it is inside; None if there are several windows."""
    if chosen.indices.ndim != 1:
        return None
    start = [0] * len(chosen.operand)
    for axis, position in zip(chosen.numbers.start_index_map, chosen.indices.tolist(), strict=True):
        room = chosen.operand[axis] - chosen.sizes[axis]
        if not 0 <= position <= least_value(room):
            return None
        start[axis] = position
    return tuple(start)


def _replace_box(x: Array, chosen: Selection, values: Array, start: Shape) -> Array:
    values = reshape(values, chosen.sizes)
    if chosen.sizes == x.aval.shape:
        return values
    return dynamic_update_slice_p.bind(x, values, *_numbers(start))


def _numbers(positions: Sequence[int]) -> list[Array]:
    dtype = np.dtype(np.int32 if all(-(2**31) <= s < 2**31 for s in positions) else np.int64)
    return [wrap_unchecked(np.asarray(s, dtype), ShapedArray((), dtype)) for s in positions]


# -- x.at --------------------------------------------------------------------------------------------------------------


_UPDATE_ARGS = """

    Args:
      {values}
      indices_are_sorted: a promise that positions come in increasing order.
      unique_indices: a promise that no position comes twice.
      mode: what happens to positions out of range: ``"drop"`` (default) ignores them, ``"clip"`` moves them inside. A
        static integer out of range is an error unless a mode is given.
      wrap_negative_indices: whether negative positions count from the end.

    Returns:
      An array of the shape and dtype of ``x``{dtype}.
"""


def _update_method(name: str, scatter_function: Callable[..., Array], text: str) -> Callable[..., Array]:
    """A method of ``IndexUpdateRef`` that scatters."""
    api = f"fungrad.Array.at[...].{name}"

    def method(
        self: IndexUpdateRef, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False,
        mode: str | GatherScatterMode | None = None, out_sharding: Any = None, wrap_negative_indices: bool = True,
    ) -> Array:  # fmt: skip
        if out_sharding is not None:
            return at_sharding(
                lambda x, values: getattr(IndexUpdateRef(x, self.index), name)(
                    values, indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
                    wrap_negative_indices=wrap_negative_indices,
                ),
                out_sharding, api, self.array, values,
            )  # fmt: skip
        return index_update(
            self.array, self.index, values, scatter_function, indices_are_sorted=indices_are_sorted,
            unique_indices=unique_indices, mode=mode, wrap_negative_indices=wrap_negative_indices, api=api,
        )  # fmt: skip

    return _named(method, name, text)


def _factor_method(name: str, function: Callable[[Any, Any], Array], text: str) -> Callable[..., Array]:
    """A method of ``IndexUpdateRef`` that combines ``x`` with an array that is 1 outside the selected elements."""

    def method(self: IndexUpdateRef, values: Any, **options: Any) -> Array:
        one = ones_like(self.array)
        factor = IndexUpdateRef(one, self.index).multiply(values, **options)
        return function(self.array, factor)

    return _named(method, name, text)


def _named(method: Callable[..., Array], name: str, text: str) -> Callable[..., Array]:
    method.__name__, method.__qualname__ = name, f"IndexUpdateRef.{name}"
    values = "values: array or scalar that broadcasts to the shape of ``x[idx]``, converted to the dtype of ``x``."
    dtype = " (of their common dtype with the values)" if name in ("divide", "power") else ""
    method.__doc__ = text + _UPDATE_ARGS.format(values=values, dtype=dtype)
    return method


class IndexUpdateRef:
    """``x.at[idx]``: the elements of ``x`` to read or to change in a copy.

    ======================================  ==================================================
    expression                              result
    ======================================  ==================================================
    ``x.at[idx].set(y)``                    ``x`` with ``x[idx] = y``
    ``x.at[idx].add(y)``                    ``x`` with ``np.add.at(x, idx, y)``; repeated positions add up
    ``x.at[idx].subtract(y)``               the same with subtraction
    ``x.at[idx].multiply(y)``, ``mul``      the same with multiplication
    ``x.at[idx].divide(y)``                 the same with division
    ``x.at[idx].power(y)``                  the same with powers
    ``x.at[idx].min(y)``, ``max(y)``        the same with minimum and maximum
    ``x.at[idx].apply(f)``                  ``x`` with ``x[idx] = f(x[idx])``, once for every time a position comes
    ``x.at[idx].get()``                     ``x[idx]``, with a choice of modes
    ======================================  ==================================================

    Attributes:
      array: ``x``.
      index: ``idx``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.zeros(4)
      >>> x.at[jnp.array([0, 2, 2])].add(1.0)
      Array([1., 0., 2., 0.], dtype=float32)
      >>> x.at[7].get(mode="fill", fill_value=5.0)
      Array(5., dtype=float32)
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Array, index: Any):
        self.array = array
        self.index = index

    def __repr__(self) -> str:
        return f"IndexUpdateRef({self.array!r}, {self.index!r})"

    def get(
        self, *, indices_are_sorted: bool = False, unique_indices: bool = False,
        mode: str | GatherScatterMode | None = None, fill_value: Any = None, out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:  # fmt: skip
        """``x[idx]`` with a choice of what happens to positions out of range.

        Args:
          indices_are_sorted: a promise that positions come in increasing order.
          unique_indices: a promise that no position comes twice.
          mode: ``"clip"`` moves positions inside (default for index arrays), ``"fill"`` gives ``fill_value`` for them.
            A static integer out of range is an error unless a mode is given.
          fill_value: default NaN for floating and complex dtypes, the smallest number for signed and the largest for
            unsigned integers, True for booleans.
          out_sharding: how the result is divided; see :func:`fungrad.reshard`.
          wrap_negative_indices: whether negative positions count from the end.
        """
        if out_sharding is not None:
            return at_sharding(
                lambda x, index: IndexUpdateRef(x, index).get(
                    indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
                    fill_value=fill_value, wrap_negative_indices=wrap_negative_indices,
                ),
                out_sharding, "fungrad.Array.at[...].get", self.array, self.index,
            )  # fmt: skip
        return rewriting_take(
            operand(self.array, "Array.at", "x"), self.index,
            indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode, fill_value=fill_value,
            wrap_negative_indices=wrap_negative_indices, api="fungrad.Array.at[...].get",
        )  # fmt: skip

    def apply(
        self, func: Callable[[Array], Array], *, indices_are_sorted: bool = False, unique_indices: bool = False,
        mode: str | GatherScatterMode | None = None, wrap_negative_indices: bool = True,
    ) -> Array:  # fmt: skip
        """``x`` with an elementwise function applied to the elements at ``idx``, once for every time a position comes.

        Where positions are traced, a loop finds out how often they come, unless ``unique_indices`` promises that none
        repeats; reverse mode then keeps one value for each step there could be, as many as there are positions.

        Args:
          func: elementwise function of an array, which returns one of the same shape.
          indices_are_sorted, unique_indices, mode, wrap_negative_indices: as in ``set``.

        Raises:
          TypeError: ``func`` returns another shape.
        """
        from fungrad.control.scatter_apply import scatter_apply

        api = "fungrad.Array.at[...].apply"
        x = operand(self.array, "Array.at", "x")
        chosen, options = _select(
            x.aval.shape, self.index, mode, wrap_negative_indices, indices_are_sorted, unique_indices, api
        )
        if not x.size:
            return x
        whole = reshape(x, chosen.operand)
        numbers, shape = chosen.scatter_numbers, chosen.shape
        out = scatter_apply(whole, chosen.indices, func, numbers, update_shape=shape, **options)
        return reshape(out, x.aval.shape)

    set = _update_method(
        "set", scatter, "``x`` with the elements at ``idx`` replaced by values; the last of several updates stays."
    )
    add = _update_method(
        "add", scatter_add, "``x`` with values added to the elements at ``idx``; updates of one position add up."
    )
    subtract = _update_method(
        "subtract", scatter_sub, "``x`` with values subtracted from the elements at ``idx``, all of them."
    )
    multiply = _update_method(
        "multiply", scatter_mul, "``x`` with the elements at ``idx`` multiplied by values, all of them."
    )
    min = _update_method(
        "min", scatter_min, "``x`` with the elements at ``idx`` replaced by the minimum of them and values."
    )
    max = _update_method(
        "max", scatter_max, "``x`` with the elements at ``idx`` replaced by the maximum of them and values."
    )
    divide = _factor_method(
        "divide", ufuncs.true_divide, "``x`` with the elements at ``idx`` divided by values, all of them."
    )
    power = _factor_method(
        "power", ufuncs.power, "``x`` with the elements at ``idx`` raised to the power of values."
    )
    mul = multiply


for _name in ("get", "apply", "set", "add", "subtract", "multiply", "min", "max", "divide", "power", "mul"):
    _method = getattr(IndexUpdateRef, _name)
    setattr(IndexUpdateRef, _name, guarded(f"fungrad.Array.at[...].{_method.__name__}", _method))


class IndexUpdateHelper:
    """``x.at``: index it to say which elements of a copy of ``x`` change, as in ``x.at[2:].set(0)``."""

    __slots__ = ("array",)

    def __init__(self, array: Array):
        self.array = array

    def __getitem__(self, index: Any) -> IndexUpdateRef:
        return IndexUpdateRef(self.array, index)

    def __repr__(self) -> str:
        return f"IndexUpdateHelper({self.array!r})"


# -- functions ---------------------------------------------------------------------------------------------------------


def put_along_axis(
    arr: Any, indices: Any, values: Any, axis: int | None, inplace: bool = True, *, mode: str | None = None
) -> Array:
    """A copy of ``arr`` with the elements at positions along one axis replaced, the counterpart of ``take_along_axis``.

    Arrays are immutable, so that ``inplace=False`` must be given.

    Args:
      arr: array.
      indices: integers, of the rank of ``arr``; dimensions other than ``axis`` broadcast.
      values: array or scalar that broadcasts to ``indices``.
      axis: along which they count; None means in the flattened array.
      inplace: must be False.
      mode: what happens to positions out of range: ``"drop"`` (default) ignores them, ``"clip"`` moves them inside.

    Raises:
      ValueError: ``inplace`` is true, ranks differ or dimensions do not broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.put_along_axis(jnp.zeros((2, 3)), jnp.array([[1], [2]]), 7.0, 1, inplace=False)
      Array([[0., 7., 0.],
             [0., 0., 7.]], dtype=float32)
    """
    require_copy("put_along_axis", inplace)
    original = operand(arr, "put_along_axis", "arr").aval.shape
    arr, indices, axis = along(arr, indices, axis, "put_along_axis")
    others = [d for d in range(arr.aval.ndim) if d != axis]
    shape = arr.aval.shape
    wanted = tuple([indices.aval.shape[axis] if d == axis else n for d, n in enumerate(shape)])
    if any(indices.aval.shape[d] not in (1, shape[d]) for d in others):
        raise ValueError(
            f"fungrad.numpy.put_along_axis: indices must broadcast with the array outside of axis {axis}, got "
            f"{indices.aval.str_short()} for {arr.aval.str_short()}"
        )
    idx: list[Any] = list(np.indices(shape, sparse=True))
    idx[axis] = broadcast_to(indices, wanted)
    out = index_update(
        arr, tuple(idx), values, scatter, mode=mode or "drop", api="fungrad.numpy.put_along_axis"
    )
    return reshape(out, original)


def require_copy(api: str, inplace: bool) -> None:
    """Raises unless ``inplace`` is false: arrays do not change."""
    if inplace:
        raise ValueError(
            f"fungrad.numpy.{api}: arrays are immutable, so that the result is always a copy; pass inplace=False to "
            "say that this is expected"
        )
