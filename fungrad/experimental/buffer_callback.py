"""Callbacks that write their results into memory that is given to them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from fungrad.control.callbacks import io_callback, pure_callback
from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.public_names import publish
from fungrad.errors import JaxRuntimeError

_API = "fungrad.experimental.buffer_callback"


class ExecutionStage(enum.Enum):
    """Why a callback is called: always to compute."""

    INSTANTIATE = 0
    PREPARE = 1
    INITIALIZE = 2
    EXECUTE = 3


class ExecutionContext:
    """What a callback is told about the call.

    Attributes:
      stage: always `ExecutionStage.EXECUTE`.
    """

    __slots__ = ()
    stage = ExecutionStage.EXECUTE

    @property
    def stream(self) -> NoReturn:
        """The queue of a GPU.

        Raises:
          JaxRuntimeError: always, on a CPU.
        """
        raise JaxRuntimeError(f"{_API}: XLA FFI GPU context is not available: this is a CPU")


class Buffer:
    """The memory of an array, as a callback sees it: ``numpy.asarray`` gives a view, of results one to be written to.

    Attributes:
      shape: as of the array.
      dtype: likewise.
      ndim: likewise.
      writeable: whether it is a result.
    """

    __slots__ = ("_data",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: np.ndarray):
        self._data = data

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def writeable(self) -> bool:
        return self._data.flags.writeable

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if dtype is not None and np.dtype(dtype) != self.dtype or copy:
            return np.array(self._data, dtype)
        return self._data

    def __dlpack__(self, **options: Any) -> Any:
        return self._data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __repr__(self) -> str:
        return f"Buffer({self.dtype.name}{list(self.shape)})"


def _checked_aliases(aliases: Mapping[int, int] | None, args: list[Any], results: list[Any]) -> dict[int, int]:
    """For each result whose memory begins as that of an argument, the position of the argument."""
    out: dict[int, int] = {}
    for i, o in (aliases or {}).items():
        for kind, position, count in (("input", i, len(args)), ("output", o, len(results))):
            if not 0 <= position < count:
                raise ValueError(
                    f"{_API}: input_output_aliases contains the mapping '{i}:{o}' with {kind} index {position} outside "
                    f"the range [0, {count})."
                )
        x, y = args[i].aval, results[o]
        if x.shape != tuple(y.shape) or x.dtype != np.dtype(y.dtype):
            raise ValueError(
                f"{_API}: input_output_aliases contains the mapping '{i}:{o}' referring to an input with abstract "
                f"value {x.str_short()} and an output with a different abstract value {y}"
            )
        out[o] = i
    return out


def buffer_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *,
    has_side_effect: bool = False,
    vmap_method: str | None = None,
    input_output_aliases: Mapping[int, int] | None = None,
    command_buffer_compatible: bool = False,
) -> Callable[..., Any]:
    """A function of arrays that is computed by a Python function which writes into the memory of the results.

    It has no derivative of its own: wrap it in ``custom_jvp`` or ``custom_vjp`` to give it one.

    Args:
      callback: called with an `ExecutionContext`, a tree of `Buffer` for the results, and one for each argument. It
        writes the results and returns nothing.
      result_shape_dtypes: tree of ``ShapeDtypeStruct`` (or arrays) that tells the types of the results.
      has_side_effect: whether it is called although nobody uses its results.
      vmap_method: what ``vmap`` does, as of ``pure_callback``.
      input_output_aliases: which arguments (positions of leaves) lie where which results are to be put: these begin
        with the values of the arguments, which are copied there.
      command_buffer_compatible: has no effect: it is about GPUs.

    Returns:
      The function.

    Raises:
      ValueError: when called, if the aliases do not fit, or the callback returns something.

    Example:
      >>> import fungrad, numpy as np, fungrad.numpy as jnp
      >>> from fungrad.experimental.buffer_callback import buffer_callback
      >>> def add_one(ctx, out, x):
      ...   np.asarray(out)[...] = np.asarray(x) + 1
      >>> f = buffer_callback(add_one, fungrad.ShapeDtypeStruct((2,), np.float32))
      >>> fungrad.jit(f)(jnp.array([1., 2.]))
      Array([2., 3.], dtype=float32)
    """
    results, out_tree = tree.flatten(result_shape_dtypes)

    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, in_tree = tree.flatten((args, kwargs))
        arrays = [as_array(x, f"{_API}: an argument of the function") for x in leaves]
        aliases = _checked_aliases(input_output_aliases, arrays, results)
        ranks = [x.aval.ndim for x in arrays]

        def write(*given: Any) -> Any:
            views = [np.asarray(x) for x in given]
            # Under vmap arguments have more leading dimensions than when the function was called.
            batch = np.broadcast_shapes(*[x.shape[: x.ndim - n] for x, n in zip(views, ranks, strict=True)])
            outs = []
            for o, result in enumerate(results):
                out = np.zeros((*batch, *result.shape), result.dtype)
                if o in aliases:
                    out[...] = views[aliases[o]]
                    views[aliases[o]] = out
                outs.append(out)
            buffers, names = tree.unflatten(in_tree, [Buffer(x) for x in views])
            written = tree.unflatten(out_tree, [Buffer(x) for x in outs])
            returned = callback(ExecutionContext(), written, *buffers, **names)
            if returned is not None:
                raise ValueError(f"{_API}: the callback must not return any values, got {returned!r}")
            return tree.unflatten(out_tree, outs)

        write.__name__ = getattr(callback, "__name__", "callback")
        if has_side_effect:
            return io_callback(write, result_shape_dtypes, *arrays)
        return pure_callback(write, result_shape_dtypes, *arrays, vmap_method=vmap_method)

    return call


__all__ = ["Buffer", "ExecutionContext", "ExecutionStage", "buffer_callback"]

publish(globals(), __name__, __all__)
