"""``ufunc``: elementwise functions with NumPy's methods ``reduce``, ``accumulate``, ``reduceat``, ``outer``, ``at``.

A ufunc is called like the function that it is made of, without a Python frame in between, which is why its class
derives from ``functools.partial``.  Where a method has a function of its own (``add.reduce`` is ``sum``) that computes;
else the elements are combined one after the other, in order, by a loop.

May import ``core``, ``ops``, ``transforms``, ``control`` and the modules of ``numpy``.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import brief, guarded, shown
from fungrad.core.array import Array, ArrayImpl, typeof
from fungrad.core.source import function_name
from fungrad.numpy import creation, manipulation, reductions, updating
from fungrad.numpy._promotion import cast, converted, operand, requested_dtype
from fungrad.numpy.creation import broadcast_to
from fungrad.numpy.functional import vectorize
from fungrad.numpy.indexing import getitem, take
from fungrad.numpy.selection import where as choose
from fungrad.numpy.ufuncs import refuse_out
from fungrad.ops import foundation, joining, segments, shape as shape_ops
from fungrad.ops.shape import canonical_axis
from fungrad.transforms.inspection import eval_shape

Axis = int | Sequence[int] | None
Method = Callable[..., Any] | None


class ufunc(functools.partial[Any]):  # noqa: N801 - NumPy's name
    """A function that works element by element on arrays which it broadcasts, with the methods of NumPy's ufuncs.

    Args:
      func: function of scalars.
      nin: number of arguments.
      nout: number of results; more than one come as a tuple.
      name: its name, by default that of ``func``.
      nargs: ignored; ``nin`` is used if it is not given.
      identity: the value that changes nothing, with which reductions of no elements begin.
      call: the function of whole arrays, if there is one; else ``func`` is mapped over all elements.
      reduce: the function behind ``reduce``, called with the keywords ``axis``, ``dtype``, ``keepdims``, ``initial``
        and ``where``.
      accumulate: the function behind ``accumulate``, called with the keywords ``axis`` and ``dtype``.
      at: the function behind ``at``.
      reduceat: the function behind ``reduceat``, called with the keywords ``axis`` and ``dtype``.

    Attributes:
      nin: number of arguments.
      nout: number of results.
      nargs: number of arguments.
      identity: the value that changes nothing, or None.

    Example:
      >>> import fungrad.numpy as jnp
      >>> isinstance(jnp.add, jnp.ufunc), jnp.add.nin, jnp.add.identity
      (True, 2, 0)
      >>> jnp.maximum.accumulate(jnp.array([2, 1, 3]))
      Array([2, 2, 3], dtype=int32)
    """

    __name__: str
    __qualname__: str
    nin: int
    nout: int
    nargs: int
    identity: Any
    _scalar: Callable[..., Any]
    _methods: dict[str, Method]

    def __new__(
        cls, func: Callable[..., Any], /, nin: int, nout: int, *, name: str | None = None, nargs: int | None = None,
        identity: Any = None, call: Method = None, reduce: Method = None, accumulate: Method = None, at: Method = None,
        reduceat: Method = None,
    ) -> ufunc:  # fmt: skip
        if not callable(func):
            raise TypeError(f"fungrad.numpy.ufunc: func must be a function, got {shown(func)}")
        counts = {}
        for what, n in (("nin", nin), ("nout", nout), ("nargs", nin if nargs is None else nargs)):
            try:
                counts[what] = operator.index(n)
            except TypeError:
                raise TypeError(f"fungrad.numpy.ufunc: {what} must be an integer, got {brief(n)}") from None
            if counts[what] < 0:
                raise ValueError(f"fungrad.numpy.ufunc: {what} must not be negative, got {n}")
        title = name or function_name(func)
        self = super().__new__(cls, call or _of_elements(func, counts["nin"], counts["nout"], title))
        self.__name__ = self.__qualname__ = title
        self.__module__ = "fungrad.numpy"
        self.__doc__ = func.__doc__
        self.nin, self.nout, self.nargs = counts["nin"], counts["nout"], counts["nargs"]
        self.identity = identity
        self._scalar = func
        self._methods = {"reduce": reduce, "accumulate": accumulate, "at": at, "reduceat": reduceat}
        return self

    def __repr__(self) -> str:
        return f"<fungrad.numpy.ufunc '{self.__name__}'>"

    def __eq__(self, other: object) -> bool:
        return self is other or isinstance(other, ufunc) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._scalar)

    def _key(self) -> tuple:
        return (self._scalar, self.__name__, self.nin, self.nout, self.nargs, self.identity)

    def __reduce__(self) -> Any:
        if getattr(sys.modules["fungrad.numpy"], self.__name__, None) is self:
            return self.__name__
        return (_rebuilt, (self._scalar, self.nin, self.nout, self.__name__, self.nargs, self.identity))

    def _api(self, method: str) -> str:
        return f"{self.__name__}.{method}"

    def _check_pairs(self, method: str) -> None:
        if self.nin != 2 or self.nout != 1:
            raise ValueError(
                f"fungrad.numpy.{self._api(method)}: only functions of two arguments and one result have this method, "
                f"this one has {self.nin} and {self.nout}"
            )

    def _fixed(self, dtype: np.dtype) -> np.dtype:
        """The dtype of results that are arguments again, for arguments of ``dtype``."""
        for _ in range(4):
            like = creation.zeros((), dtype)
            found = eval_shape(self, like, like).dtype
            if found == dtype:
                break
            dtype = found
        return dtype

    def _operand(self, a: Any, dtype: Any, api: str) -> Array:
        a = operand(a, api, "a")
        found = requested_dtype(dtype, api)
        return cast(a, self._fixed(a.aval.dtype if found is None else found))

    # -- methods -----------------------------------------------------------------------------------------------------

    def reduce(
        self, a: Any, axis: Axis = 0, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
        where: Any = None,
    ) -> Array:  # fmt: skip
        """The elements along an axis combined into one.

        Args:
          a: array.
          axis: axis or axes; None means all.
          dtype: dtype of the computation and result.
          out: must be None.
          keepdims: keep the axes with size 1.
          initial: what the elements are combined with first; by default the identity where there are no elements.
          where: mask of the elements that take part.

        Raises:
          ValueError: the function has not two arguments, or there is nothing to begin with.

        Example:
          >>> import fungrad.numpy as jnp
          >>> jnp.add.reduce(jnp.array([[1, 2], [3, 4]]))
          Array([4, 6], dtype=int32)
          >>> jnp.bitwise_or.reduce(jnp.array([1, 4]))
          Array(5, dtype=int32)
        """
        from fungrad.control.scan import scan

        api = self._api("reduce")
        self._check_pairs("reduce")
        manipulation.no_out(api, out)
        if where is not None:
            if typeof(operand(where, api, "where")).dtype != dtypes.bool_:
                raise ValueError(f"fungrad.numpy.{api}: where must be a boolean mask, got {where!r}")
            if initial is None and self.identity is None:
                raise ValueError(f"fungrad.numpy.{api}: there is no identity, so that where= needs initial=")
        own = self._methods["reduce"]
        if own is not None:
            found = own(a, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)
            return found  # type: ignore[no-any-return]
        x = self._operand(a, dtype, api)
        axes = reductions.reduction_axes(api, axis, x.aval.ndim)
        rows, mask = _rows(x, axes), None if where is None else _rows(broadcast_to(where, x.aval.shape, api), axes)
        start = self.identity if initial is None and (mask is not None or not rows.aval.shape[0]) else initial
        if start is None:
            if not rows.aval.shape[0]:
                raise ValueError(f"fungrad.numpy.{api}: there are no elements along axes {axes}, and no identity")
            first, rows = shape_ops.index_in_dim(rows, 0, 0, False), shape_ops.slice_in_dim(rows, 1, None)
        else:
            first = broadcast_to(converted(start, x.aval.dtype, api, "initial"), rows.aval.shape[1:], api)

        def step(total: Any, given: Any) -> tuple[Any, None]:
            element, kept = given
            new = cast(self(total, element), x.aval.dtype)
            return (new if kept is None else choose(kept, new, total)), None

        result = scan(step, first, (rows, mask))[0]
        return reductions.restore_dims(result, axes) if keepdims else result

    def accumulate(self, a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """The elements along an axis combined with all before them.

        Args:
          a: array of at least one dimension.
          axis: the axis.
          dtype: dtype of the computation and result.
          out: must be None.

        Raises:
          ValueError: the function has not two arguments.

        Example:
          >>> import fungrad.numpy as jnp
          >>> jnp.multiply.accumulate(jnp.array([1, 2, 3]))
          Array([1, 2, 6], dtype=int32)
        """
        from fungrad.control.scan import scan

        api = self._api("accumulate")
        self._check_pairs("accumulate")
        manipulation.no_out(api, out)
        axis = _one_axis(api, axis)
        own = self._methods["accumulate"]
        if own is not None:
            return own(a, axis=axis, dtype=dtype)  # type: ignore[no-any-return]
        x = self._operand(a, dtype, api)
        axis = canonical_axis(f"fungrad.numpy.{api}", axis, x.aval.ndim)
        rows = foundation.move_dim(x, axis, 0)
        if rows.aval.shape[0] < 2:
            return x

        def step(total: Any, element: Any) -> tuple[Any, Any]:
            new = cast(self(total, element), x.aval.dtype)
            return new, new

        first = shape_ops.slice_in_dim(rows, 0, 1)
        rest = scan(step, shape_ops.squeeze(first, (0,)), shape_ops.slice_in_dim(rows, 1, None))[1]
        return foundation.move_dim(joining.concatenate([first, rest], 0), 0, axis)

    def reduceat(self, a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """The elements between neighbouring positions combined.

        For each ``i``, the elements from ``indices[i]`` to before ``indices[i + 1]`` (for the last one: to the end)
        along the axis; the element at ``indices[i]`` alone where the next position is not greater.

        Args:
          a: array of at least one dimension.
          indices: vector of positions.
          axis: the axis.
          dtype: dtype of the computation and result.
          out: must be None.

        Raises:
          ValueError: the function has not two arguments, or ``indices`` is no vector.
          IndexError: a known position is out of range.

        Example:
          >>> import fungrad.numpy as jnp
          >>> jnp.add.reduceat(jnp.arange(6), jnp.array([0, 2, 5]))
          Array([1, 9, 5], dtype=int32)
        """
        from fungrad.control.scan import scan

        api = self._api("reduceat")
        self._check_pairs("reduceat")
        manipulation.no_out(api, out)
        axis = _one_axis(api, axis)
        own = self._methods["reduceat"]
        if own is not None and not isinstance(own, str):
            return own(a, indices, axis=axis, dtype=dtype)  # type: ignore[no-any-return]
        x = operand(a, api, "a")
        if dtype is None and self._methods["reduce"] is not None:
            dtype = eval_shape(lambda v: self.reduce(v, axis=None), x).dtype
        x = self._operand(x, dtype, api)
        axis = canonical_axis(f"fungrad.numpy.{api}", axis, x.aval.ndim)
        places = operand(indices, api, "indices")
        if places.aval.ndim != 1 or not dtypes.is_integer(places.aval.dtype):
            raise ValueError(
                f"fungrad.numpy.{api}: indices must be a vector of integers, got {places.aval.str_short()}"
            )
        rows = foundation.move_dim(x, axis, 0)
        n, count = rows.aval.shape[0], places.aval.shape[0]
        known = np.asarray(places) if type(places) is ArrayImpl else None
        if known is not None and known.size and not (known.min() >= 0 and known.max() < n):
            raise IndexError(f"fungrad.numpy.{api}: indices must be from 0 to {n - 1}, got {known.tolist()}")
        if not count:
            return foundation.move_dim(shape_ops.slice_in_dim(rows, 0, 0), 0, axis)
        if own is not None and known is not None and np.all(np.diff(known) > 0):
            owner = np.repeat(np.arange(count), np.diff(known, append=n))
            found = _SEGMENTS[own](shape_ops.slice_in_dim(rows, int(known[0]), None), owner, count, True)
            return foundation.move_dim(cast(found, x.aval.dtype), 0, axis)
        starts = cast(places, dtypes.position_dtype(n))
        ends = joining.concatenate([shape_ops.slice_in_dim(starts, 1, None), creation.full(1, n, starts.aval.dtype)], 0)
        column = (count,) + (1,) * (rows.aval.ndim - 1)
        starts, ends = foundation.reshape(starts, column), foundation.reshape(ends, column)

        def step(total: Any, given: Any) -> tuple[Any, None]:
            position, row = given
            inside = (position > starts) & (position < ends)
            return choose(inside, cast(self(total, row), x.aval.dtype), total), None

        positions = shape_ops.iota(starts.aval.dtype, n)
        found = scan(step, take(rows, places, 0), (positions, shape_ops.expand_dims(rows, (1,))))[0]
        return foundation.move_dim(found, 0, axis)

    def outer(self, A: Any, B: Any, /) -> Any:
        """The function of all pairs of elements.

        Args:
          A: array.
          B: array.

        Returns:
          Array of shape ``(*A.shape, *B.shape)``.

        Raises:
          ValueError: the function has not two arguments.

        Example:
          >>> import fungrad.numpy as jnp
          >>> jnp.add.outer(jnp.arange(2), jnp.arange(3))
          Array([[0, 1, 2],
                 [1, 2, 3]], dtype=int32)
        """
        api = self._api("outer")
        if self.nin != 2:
            raise ValueError(f"fungrad.numpy.{api}: only functions of two arguments have this method")
        x, y = operand(A, api, "A"), operand(B, api, "B")
        return self(manipulation.expand_dims(x, tuple(range(x.aval.ndim, x.aval.ndim + y.aval.ndim))), y)

    def at(self, a: Any, indices: Any, b: Any = None, /, *, inplace: bool = True) -> Array:
        """A copy of an array in which the function was applied to some elements, to repeated ones repeatedly.

        Args:
          a: array.
          indices: index expression, as in ``a[indices]``.
          b: second arguments, which broadcast to ``a[indices]``.
          inplace: must be False: arrays are immutable.

        Raises:
          NotImplementedError: ``inplace=False`` is not given.
          TypeError: the number of arguments does not fit the function.

        Example:
          >>> import fungrad.numpy as jnp
          >>> jnp.add.at(jnp.zeros(3), jnp.array([0, 2, 2]), 1.0, inplace=False)
          Array([1., 0., 2.], dtype=float32)
        """
        from fungrad.control.while_loop import fori_loop

        api = self._api("at")
        if inplace:
            raise NotImplementedError(
                f"fungrad.numpy.{api}: arrays are immutable; pass inplace=False and use the result"
            )
        given = [] if b is None else [b]
        if self.nin != 1 + len(given) or self.nout != 1:
            raise TypeError(
                f"fungrad.numpy.{api}: expected a function of {1 + len(given)} arguments and one result, this one has "
                f"{self.nin} and {self.nout}"
            )
        own = self._methods["at"]
        if own is not None:
            return own(a, indices, *given)  # type: ignore[no-any-return]
        x = operand(a, api, "a")
        others = [operand(v, api, "b") for v in given]
        dtype = eval_shape(self, *[creation.zeros((), v.aval.dtype) for v in (x, *others)]).dtype
        x = cast(x, dtype)
        # The number of each element that is updated, in the order of the updates; those outside are dropped.
        numbers = foundation.reshape(shape_ops.iota(dtypes.position_dtype(x.aval.size), x.aval.size), x.aval.shape)
        chosen = updating.IndexUpdateHelper(numbers)[indices].get(mode="fill", fill_value=x.aval.size)
        places = manipulation.ravel(chosen)
        seconds = [manipulation.ravel(broadcast_to(v, chosen.aval.shape, api)) for v in others]
        flat = manipulation.ravel(x)

        def step(i: Any, values: Any) -> Any:
            place = getitem(places, i)
            old = updating.IndexUpdateHelper(values)[place].get(mode="clip")
            new = cast(self(old, *[getitem(v, i) for v in seconds]), dtype)
            return updating.IndexUpdateHelper(values)[place].set(new, mode="drop")

        return foundation.reshape(fori_loop(0, places.aval.size, step, flat), x.aval.shape)


_SEGMENTS: dict[Any, Callable[..., Any]] = {
    "sum": segments.segment_sum,
    "prod": segments.segment_prod,
    "max": segments.segment_max,
    "min": segments.segment_min,
}


def _rebuilt(func: Any, nin: int, nout: int, name: str, nargs: int, identity: Any) -> ufunc:
    return ufunc(func, nin, nout, name=name, nargs=nargs, identity=identity)


def _rows(x: Array, axes: Sequence[int]) -> Array:
    """``x`` with the given axes made one, which comes first."""
    kept = [d for d in range(x.aval.ndim) if d not in axes]
    x = foundation.transpose(x, (*axes, *kept)) if (*axes, *kept) != tuple(range(x.aval.ndim)) else x
    n = 1
    for size in x.aval.shape[: len(axes)]:
        n *= size
    return foundation.reshape(x, (n, *x.aval.shape[len(axes) :]))


def _one_axis(api: str, axis: Any) -> int:
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"fungrad.numpy.{api}: axis must be one integer, got {axis!r}") from None


def _of_elements(func: Callable[..., Any], nin: int, nout: int, name: str) -> Callable[..., Any]:
    """``func`` mapped over all elements of arrays that broadcast."""
    mapped = vectorize(func)

    def call(*args: Any, out: None = None, where: None = None) -> Any:
        refuse_out(name, out, where)
        if len(args) != nin:
            raise TypeError(f"fungrad.numpy.{name}: expected {nin} arguments, got {len(args)}")
        result = mapped(*[operand(x, name, f"argument {i}") for i, x in enumerate(args)])
        if nout != (len(result) if isinstance(result, (tuple, list)) else 1):
            raise TypeError(f"fungrad.numpy.{name}: the function has not the {nout} results that were announced")
        return result

    return guarded(f"fungrad.numpy.{name}", functools.wraps(func, ("__name__", "__doc__"), ())(call))


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> ufunc:
    """A ufunc made of a function of scalars.

    Args:
      func: function of ``nin`` scalars, which can be traced.
      nin: number of arguments.
      nout: number of results.
      identity: the value that changes nothing, with which reductions begin.

    Returns:
      A ``fungrad.numpy.ufunc``.

    Raises:
      TypeError: ``func`` is no function, or a number is no integer.

    Example:
      >>> import fungrad.numpy as jnp
      >>> larger = jnp.frompyfunc(lambda x, y: jnp.where(x > y, x, y), 2, 1)
      >>> larger.outer(jnp.arange(2), jnp.arange(3))
      Array([[0, 1, 2],
             [1, 1, 2]], dtype=int32)
      >>> larger.reduce(jnp.array([3, 1, 4]))
      Array(4, dtype=int32)
    """
    return ufunc(func, nin, nout, identity=identity)


__all__ = ["frompyfunc", "ufunc"]
