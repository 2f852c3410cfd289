"""Calls back to Python from traced and compiled functions, and ``optimization_barrier``.

``pure_callback`` computes results with a Python function that has no side effects; ``io_callback``
is for functions that have some; ``debug_callback`` and ``debug_print`` look at values and return
nothing. Compiled programs run them as host steps. Mapped over a batch they loop over its examples,
in order, within one step.

May import ``core``, ``ops`` and ``transforms``.
"""

from __future__ import annotations

import logging
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array, is_array_like, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import EVAL, AxisData, running
from fungrad.core.key_values import keys_of_words, words_of
from fungrad.core.nonfinite import replay
from fungrad.core.primitive import Primitive
from fungrad.core.shardings import Sharding
from fungrad.core.source import api_boundary, function_name
from fungrad.core.treedef import structure_text
from fungrad.ops.foundation import broadcast_in_dim, instantiate, move_dim
from fungrad.transforms.api import abstract_argument, check_callable

VMAP_METHODS = (
    "sequential",
    "sequential_unrolled",
    "expand_dims",
    "broadcast_all",
    "legacy_vectorized",
)

# -- functions of leaves -------------------------------------------------------------------------


class FlatCallback:
    """A Python function of trees as one of arrays: from ndarrays to ndarrays.

    Arguments that are no arrays, such as strings, are kept here and do not become operands.
    """

    def __init__(self, api: str, fun: Callable[..., Any], in_tree: Any, static: dict[int, Any]):
        self.api, self.fun, self.in_tree, self.static = api, fun, in_tree, static
        self.__name__ = function_name(fun)

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *arrays: np.ndarray) -> Any:
        given = iter(arrays)
        leaves = []
        for i in range(self.in_tree.num_leaves):
            if i in self.static:
                leaves.append(self.static[i])
            else:
                x = next(given)
                leaves.append(wrap_unchecked(x, ShapedArray(x.shape, x.dtype)))
        args, kwargs = tree.unflatten(self.in_tree, leaves)
        with running(EVAL):
            return self.fun(*args, **kwargs)


class Returning:
    """A callback whose results are checked against what was announced."""

    def __init__(self, callback: FlatCallback, out_tree: Any, avals: tuple[ShapedArray, ...]):
        self.callback, self.out_tree, self.avals = callback, out_tree, avals
        self.__name__ = callback.__name__

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.checked(self.callback(*arrays), self.avals)

    def checked(self, result: Any, avals: Sequence[ShapedArray]) -> list[np.ndarray]:
        """The result as ndarrays of types ``avals``."""
        leaves, structure = tree.flatten(result)
        api, name = self.callback.api, self.__name__
        if structure != self.out_tree:
            raise TypeError(
                f"fungrad.{api}: {name} must return a tree with the structure of "
                "result_shape_dtypes, "
                f"{structure_text(self.out_tree)}, got {structure_text(structure)}"
            )
        out = []
        for i, (x, aval) in enumerate(zip(leaves, avals, strict=True)):
            data = self._data(x, aval)
            if data is None or data.shape != aval.shape:
                got = type(x).__name__ if not is_array_like(x) else _type_text(x)
                raise TypeError(
                    f"fungrad.{api}: the result{tree.leaf_paths(result)[i]} of {name} must have "
                    "the type "
                    f"announced in result_shape_dtypes, {aval.str_short()}, got {got}"
                )
            out.append(data)
        return out

    def _data(self, x: Any, aval: ShapedArray) -> np.ndarray | None:
        if not is_array_like(x) and not hasattr(x, "__array__"):
            return None
        data = np.asarray(x)
        scalar = isinstance(x, (bool, int, float, complex))
        narrowed = not config.enable_x64 and dtypes.default_width(data.dtype) == aval.dtype
        if (
            data.dtype == aval.dtype
            or narrowed
            or (scalar and np.can_cast(data.dtype, aval.dtype, "same_kind"))
        ):
            return np.array(data, aval.dtype)
        return None


def _type_text(x: Any) -> str:
    data = np.asarray(x)
    return f"{dtypes.short_name(data.dtype)}[{','.join(map(str, data.shape))}]"


class OfExamples:
    """A callback that runs another one for every example of a batch, in order.

    ``batched`` says which operands have the batch in dimension 0.
    """

    def __init__(self, callback: Callable[..., Any], batched: Sequence[bool], size: int):
        self.callback, self.batched, self.size = callback, tuple(batched), size
        self.__name__ = getattr(callback, "__name__", "callback")

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *arrays: np.ndarray) -> Any:
        results = []
        for i in range(self.size):
            results.append(
                self.callback(
                    *[x[i, ...] if on else x for x, on in zip(arrays, self.batched, strict=True)]
                )
            )
        if not results or results[0] is None:
            return []
        return [np.stack(column) for column in zip(*results, strict=True)]


class When:
    """A callback that happens only if its first operand is true; else its results, which nobody uses, are zeros."""

    def __init__(self, callback: Callable[..., Any], result_avals: Sequence[ShapedArray]):
        self.callback, self.result_avals = callback, tuple(result_avals)
        self.__name__ = getattr(callback, "__name__", "callback")

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, condition: np.ndarray, *arrays: np.ndarray) -> Any:
        if condition:
            return self.callback(*arrays)
        return [np.zeros(a.shape, a.dtype) for a in self.result_avals] or None


class OfKeys:
    """A callback some of whose operands and results are random keys, for the words of these: as eagerly, it gets keys.

    ``avals`` are the types of its operands.
    """

    def __init__(self, callback: Callable[..., Any], avals: Sequence[ShapedArray]):
        self.callback, self.avals = callback, tuple(avals)
        self.__name__ = getattr(callback, "__name__", "callback")

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *arrays: np.ndarray) -> Any:
        return self.callback(
            *[keys_of_words(x, aval) if aval.compound else x for x, aval in zip(arrays, self.avals, strict=True)]
        )


# -- primitives ----------------------------------------------------------------------------------


class Callback(Primitive):
    """Calls ``callback`` with ndarrays; the results have types ``result_avals``."""

    multiple_results = True
    api = "pure_callback"

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        # Not memoised: the memo would keep the callbacks alive.
        return tuple(params["result_avals"])

    def abstract_eval(
        self, *avals: ShapedArray, result_avals: tuple, **_: Any
    ) -> Sequence[ShapedArray]:
        return result_avals

    def impl(
        self, *args: np.ndarray, callback: Callable[..., Any], result_avals: tuple, **_: Any
    ) -> list:
        if replay.active and self.has_effects and not result_avals:
            return []
        # The callback may keep what it is given; compiled programs use their memory again.
        results = callback(*[np.array(x) for x in args])
        if not result_avals:
            return []
        looped = callback.callback if type(callback) is OfKeys else callback
        if type(looped) is OfExamples and not looped.size:
            return [np.zeros(a.shape, a.dtype) for a in result_avals]
        return results

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        raise ValueError(
            f"fungrad.{self.api} has no derivative: {params['callback']} is Python code that "
            "cannot be looked into. Give the "
            "function that calls it a derivative with fungrad.custom_jvp or custom_vjp, or apply "
            "fungrad.lax.stop_gradient "
            "to its arguments."
        )

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        return self._sequential(axis, args, dims, params)

    def on_key_words(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The call with the words of keys, which are put together for the callback (``core.key_values``)."""
        callback = OfKeys(params["callback"], [x.aval for x in args])
        return self.bind(*[words_of(x) if x.aval.compound else x for x in args], **{**params, "callback": callback})

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        callback = When(params["callback"], params["result_avals"])
        return self.bind(condition, *args, **{**params, "callback": callback})

    def _sequential(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], params: dict
    ) -> tuple[list, list]:
        batched = [d is not None for d in dims]
        args = [move_dim(x, d, 0) if d is not None else x for x, d in zip(args, dims, strict=True)]
        params = {
            **params,
            "callback": OfExamples(params["callback"], batched, axis.size),
            "result_avals": _with_axis(params["result_avals"], axis.size),
        }
        return self.bind(*args, **params), [0] * len(params["result_avals"])


def _with_axis(avals: Sequence[ShapedArray], size: int) -> tuple[ShapedArray, ...]:
    return tuple([a.update(shape=(size, *a.shape)) for a in avals])


class Vectorized:
    """A callback that is given the whole batch at once."""

    def __init__(self, callback: Any, result_avals: tuple[ShapedArray, ...]):
        self.callback, self.result_avals = callback, result_avals
        self.__name__ = callback.__name__

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        inner = self.callback
        while not isinstance(inner, Returning):
            inner = inner.callback
        return inner.checked(inner.callback(*arrays), self.result_avals)


class PureCallback(Callback):
    """A callback without side effects: may be run any number of times, or not at all."""

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, vmap_method: str | None, **params: Any
    ) -> tuple[Any, Any]:
        params["vmap_method"] = vmap_method
        if axis.of_mesh:  # each device calls with its own shard
            return self._sequential(axis, args, dims, params)
        if vmap_method is None:
            raise NotImplementedError(
                "fungrad.pure_callback: vmap needs to know how to treat the batch: pass "
                "vmap_method, one of "
                f"{', '.join(VMAP_METHODS)}"
            )
        if vmap_method.startswith("sequential"):
            return self._sequential(axis, args, dims, params)
        size = 1 if vmap_method == "expand_dims" else axis.size
        operands = []
        for x, d in zip(args, dims, strict=True):
            if d is not None:
                x = move_dim(x, d, 0)
            elif vmap_method != "legacy_vectorized":
                x = broadcast_in_dim(x, (size, *x.aval.shape), tuple(range(1, x.aval.ndim + 1)))
            operands.append(x)
        avals = _with_axis(params["result_avals"], axis.size)
        params |= {"callback": Vectorized(params["callback"], avals), "result_avals": avals}
        return self.bind(*operands, **params), [0] * len(avals)


class IOCallback(Callback):
    """A callback with side effects: runs exactly once per evaluation."""

    api = "experimental.io_callback"
    has_effects = True

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any
    ) -> tuple[Any, Any]:
        if params["ordered"] and not axis.of_mesh:
            raise ValueError(
                "fungrad.experimental.io_callback: an ordered callback cannot be mapped by vmap, "
                "since examples have no order; "
                "loop over them with fungrad.lax.map, or pass ordered=False"
            )
        return self._sequential(axis, args, dims, params)


class DebugCallback(Callback):
    """A callback that only looks at values: derivatives run it once on the primal values, and again where a checkpoint
    computes those again."""

    api = "debug.callback"
    has_effects = observes = True

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
    ) -> tuple[Any, Any]:
        return self.bind(*primals, **params), []

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        # Values of a linear function do not exist while it is transposed: there is nothing to look
        # at.
        return [None] * len(args)


pure_callback_p = PureCallback("pure_callback")
io_callback_p = IOCallback("io_callback")
debug_callback_p = DebugCallback("debug_callback")


class OptimizationBarrier(Primitive):
    """The identity; equations on its results are not merged with those on its operands."""

    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray) -> Sequence[ShapedArray]:
        return avals

    def impl(self, *args: np.ndarray) -> list[np.ndarray]:
        return list(args)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        nonzero = iter(self.bind(*[t for t in tangents if type(t) is not Zero]))
        return self.bind(*primals), [t if type(t) is Zero else next(nonzero) for t in tangents]

    def transpose(self, cts: Sequence[Any], *args: Any) -> Sequence[Any]:
        return self.bind(*[instantiate(ct) for ct in cts])

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None]
    ) -> tuple[Any, Any]:
        return self.bind(*args), list(dims)

    def lower(self, ctx: Any, *args: Any) -> Any:
        return list(args)


optimization_barrier_p = OptimizationBarrier("optimization_barrier")

# -- public functions ----------------------------------------------------------------------------


def optimization_barrier(operand: Any, /) -> Any:
    """The identity, which keeps the compiler from merging computations before it with those after
    it.

    Args:
      operand: array or tree of arrays.

    Returns:
      ``operand``.

    Example:
      >>> from fungrad import lax
      >>> lax.optimization_barrier((1.0, 2.0))
      (Array(1., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    leaves, structure = tree.flatten(operand)
    arrays = [as_array(x, "fungrad.lax.optimization_barrier: operand") for x in leaves]
    return tree.unflatten(structure, optimization_barrier_p.bind(*arrays)) if arrays else operand


def _flat(
    api: str, callback: Callable[..., Any], args: tuple, kwargs: dict, static: bool
) -> tuple[FlatCallback, list[Array]]:
    """The callback as a function of arrays, and these."""
    check_callable(callback, api)
    leaves, in_tree = tree.flatten((args, kwargs))
    others = {i: x for i, x in enumerate(leaves) if not is_array_like(x)}
    if others and not static:
        i, x = next(iter(others.items()))
        raise TypeError(
            f"fungrad.{api}: the argument{tree.leaf_paths((args, kwargs))[i]} of "
            f"{function_name(callback)} must be an array or a "
            f"scalar, got {shown(x)}; use functools.partial for other values"
        )
    arrays = [as_array(x) for i, x in enumerate(leaves) if i not in others]
    return FlatCallback(api, callback, in_tree, others), arrays


def _returning(
    callback: FlatCallback, result_shape_dtypes: Any
) -> tuple[Returning, tuple[ShapedArray, ...], Any]:
    """The callback with checked results, their types and structure."""
    leaves, out_tree = tree.flatten(result_shape_dtypes)
    api = callback.api
    avals = [
        abstract_argument(x, api, result_shape_dtypes, i).strip_weak_type()
        for i, x in enumerate(leaves)
    ]
    for aval in avals:
        if dtypes.is_key(aval.dtype):
            raise TypeError(
                f"fungrad.{api}: result_shape_dtypes must be the types of numbers, got {aval.str_short()}; return "
                "the words of keys (fungrad.random.key_data), and make keys of them with "
                "fungrad.random.wrap_key_data"
            )
    return Returning(callback, out_tree, tuple(avals)), tuple(avals), out_tree


def _check_sharding(api: str, sharding: Any) -> None:
    if sharding is not None and not isinstance(sharding, Sharding):
        raise TypeError(
            f"fungrad.{api}: sharding must be a sharding or None, got {sharding!r} of type {type(sharding).__name__}"
        )


@api_boundary
def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    vmap_method: str | None = None,
    vectorized: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Calls a Python function without side effects from a function that may be traced and compiled.

    It has no derivative of its own: wrap it in ``custom_jvp`` or ``custom_vjp`` to give it one.

    Args:
      callback: function of arrays; it may use anything, such as SciPy, but must be pure.
      result_shape_dtypes: tree of ``ShapeDtypeStruct`` (or arrays) that tells the types of its
        results.
      *args: arguments of the callback, trees of arrays.
      sharding: where the callback runs, a sharding or None. Without effect: it runs in this process.
      vmap_method: what ``vmap`` does: ``sequential`` (also ``sequential_unrolled``) calls once per
        example; ``expand_dims`` and ``broadcast_all`` call once with a leading batch dimension on
        all arguments, of size 1 or repeated for those that are not mapped; ``legacy_vectorized``
        leaves those as they are. None makes ``vmap`` an error.
      vectorized: JAX's older form: True is ``legacy_vectorized``, False ``sequential``.
      **kwargs: keyword arguments of the callback.

    Returns:
      The result of the callback as arrays.

    Raises:
      TypeError: the callback returns something else than announced.

    Example:
      >>> import fungrad, numpy as np
      >>> def f(x):
      ...   return fungrad.pure_callback(np.sort, fungrad.ShapeDtypeStruct(x.shape, x.dtype), x)
      >>> fungrad.jit(f)(np.float32([3, 1, 2]))
      Array([1., 2., 3.], dtype=float32)
    """
    _check_sharding("pure_callback", sharding)
    if vectorized is not None and vmap_method is None:
        vmap_method = "legacy_vectorized" if vectorized else "sequential"
    if vmap_method is not None and vmap_method not in VMAP_METHODS:
        raise ValueError(
            f"fungrad.pure_callback: vmap_method must be one of {VMAP_METHODS} or None, got "
            f"{vmap_method!r}"
        )
    flat, arrays = _flat("pure_callback", callback, args, kwargs, static=False)
    returning, avals, out_tree = _returning(flat, result_shape_dtypes)
    outs = pure_callback_p.bind(
        *arrays, callback=returning, result_avals=avals, vmap_method=vmap_method
    )
    return tree.unflatten(out_tree, outs)


@api_boundary
def io_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    sharding: Any = None,
    ordered: bool = False,
    **kwargs: Any,
) -> Any:
    """Calls a Python function with side effects from a function that may be traced and compiled.

    Args:
      callback: function of arrays.
      result_shape_dtypes: tree of ``ShapeDtypeStruct`` that tells the types of its results; None
        if it returns None.
      *args: arguments of the callback, trees of arrays.
      sharding: where the callback runs, a sharding or None. Without effect: it runs in this process.
      ordered: whether calls must keep their order (they always do); such a call cannot be mapped
        by ``vmap``.
      **kwargs: keyword arguments of the callback.

    Returns:
      The result of the callback as arrays.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental import io_callback
      >>> log = []
      >>> @fungrad.jit
      ... def f(x):
      ...   io_callback(lambda x: log.append(float(x)), None, x)
      ...   return x + 1.0
      >>> print(f(1.0), log)
      2.0 [1.0]
    """
    _check_sharding("experimental.io_callback", sharding)
    flat, arrays = _flat("experimental.io_callback", callback, args, kwargs, static=False)
    returning, avals, out_tree = _returning(flat, result_shape_dtypes)
    outs = io_callback_p.bind(
        *arrays, callback=returning, result_avals=avals, ordered=bool(ordered)
    )
    return tree.unflatten(out_tree, outs)


@api_boundary
def debug_callback(
    callback: Callable[..., None] | None = None,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    **kwargs: Any,
) -> Callable[..., None] | None:
    """Calls a Python function for its effect, with values of a function that may be traced and
    compiled.

    Differentiation runs it once, on the primal values; ``vmap`` once per example.

    Args:
      callback: function of arrays; its result is ignored. Without it the options alone are given, and what is returned
        takes it with its arguments.
      *args: its arguments: trees of arrays, and other values, which it gets as they are.
      ordered: whether calls must keep their order (they always do).
      partitioned: accepted for compatibility.
      **kwargs: its keyword arguments.

    Raises:
      TypeError: arguments are given without a function.

    Example:
      >>> import fungrad
      >>> f = fungrad.jit(lambda x: [fungrad.debug.callback(lambda v: print("saw", v), x), x][1])
      >>> _ = fungrad.grad(f)(2.0)
      saw 2.0
    """
    del partitioned

    def call(callback: Callable[..., None], /, *args: Any, **kwargs: Any) -> None:
        flat, arrays = _flat("debug.callback", callback, args, kwargs, static=True)
        debug_callback_p.bind(*arrays, callback=_Silent(flat), result_avals=(), ordered=bool(ordered))

    if callback is None:
        return _later(call, "callback", args, kwargs)
    call(callback, *args, **kwargs)
    return None


def _later(call: Callable[..., None], api: str, args: tuple, kwargs: dict[str, Any]) -> Callable[..., None]:
    """What a call with options alone returns."""
    if args or kwargs:
        raise TypeError(
            f"fungrad.debug.{api}: received unexpected arguments in the two-call form, where the first call has "
            f"options alone: args={args} kwargs={kwargs}; give them to what it returns"
        )
    return call


class _Silent:
    """A callback without a result."""

    def __init__(self, callback: FlatCallback):
        self.callback, self.__name__ = callback, callback.__name__

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *arrays: np.ndarray) -> None:
        self.callback(*arrays)


class _Format(string.Formatter):
    """Finds out whether all arguments of a format are used."""

    def check_unused_args(self, used_args: Any, args: Any, kwargs: Any) -> None:
        unused = [repr(x) for i, x in enumerate(args) if i not in used_args]
        if unused:
            raise ValueError(
                "fungrad.debug.print: the format uses no placeholder for the argument(s) "
                f"{', '.join(unused)}"
            )
        names = [name for name in kwargs if name not in used_args]
        if names:
            raise ValueError(
                "fungrad.debug.print: the format uses no placeholder for the keyword argument(s) "
                f"{', '.join(names)}"
            )

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""  # values may be tracers: only the names matter here


def debug_print(
    fmt: str | None = None,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    **kwargs: Any,
) -> Callable[..., None] | None:
    """Prints values of a function that may be traced and compiled, when it runs.

    Args:
      fmt: format as for ``str.format``; not an f-string, which would be made while tracing. Without it
        the options alone are given, and what is returned takes it with its arguments.
      *args: what its positional placeholders stand for.
      ordered: whether lines must keep their order (they always do).
      partitioned: accepted for compatibility.
      skip_format_check: whether not to check that ``fmt`` uses all arguments.
      **kwargs: what its named placeholders stand for.

    Raises:
      TypeError: ``fmt`` is not a string, or arguments are given without it.
      ValueError: an argument is not used by ``fmt``.
      KeyError, IndexError: ``fmt`` uses an argument that was not given.

    Example:
      >>> import fungrad
      >>> @fungrad.jit
      ... def f(x):
      ...   fungrad.debug.print("x = {x:.2f}", x=x)
      ...   return x * 2.0
      >>> _ = f(1.5)
      x = 1.50
    """

    def call(fmt: str, /, *args: Any, **kwargs: Any) -> None:
        _show(print, "print", fmt, args, kwargs, skip_format_check, ordered, partitioned)

    if fmt is None:
        return _later(call, "print", args, kwargs)
    call(fmt, *args, **kwargs)
    return None


def debug_log(
    fmt: str | None = None,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    **kwargs: Any,
) -> Callable[..., None] | None:
    """As ``debug.print``, but writes to the logger ``fungrad.debug``, at the level INFO.

    Args:
      fmt: format as for ``str.format``; may be left out as in ``debug.print``.
      *args: what its positional placeholders stand for.
      ordered: whether lines must keep their order (they always do).
      partitioned: accepted for compatibility.
      skip_format_check: whether not to check that ``fmt`` uses all arguments.
      **kwargs: what its named placeholders stand for.

    Raises:
      TypeError: ``fmt`` is not a string, or arguments are given without it.
      ValueError: an argument is not used by ``fmt``.
      KeyError, IndexError: ``fmt`` uses an argument that was not given.

    Example:
      >>> import fungrad
      >>> fungrad.jit(lambda x: fungrad.debug.log("x = {x}", x=x))(1.5)
    """

    def call(fmt: str, /, *args: Any, **kwargs: Any) -> None:
        _show(_LOGGER.info, "log", fmt, args, kwargs, skip_format_check, ordered, partitioned)

    if fmt is None:
        return _later(call, "log", args, kwargs)
    call(fmt, *args, **kwargs)
    return None


_LOGGER = logging.getLogger("fungrad.debug")


class FormatKeyError(KeyError):
    """A format has a name that is no argument."""

    __str__ = Exception.__str__  # as other errors, and not as the key that a dict lacks


def _show(
    write: Callable[[str], Any],
    api: str,
    fmt: str,
    args: tuple,
    kwargs: dict[str, Any],
    skip_format_check: bool,
    ordered: bool,
    partitioned: bool,
) -> None:
    if not isinstance(fmt, str):
        raise TypeError(
            f"fungrad.debug.{api}: the format must be a string, got {shown(fmt)}"
        )
    if not skip_format_check:
        try:
            _Format().format(fmt, *args, **kwargs)
        except (KeyError, IndexError) as error:
            what = f"the name {error.args[0]!r}" if isinstance(error, KeyError) else "one more place"
            raise (FormatKeyError if isinstance(error, KeyError) else IndexError)(
                f"fungrad.debug.{api}: fmt has {what}, which is no argument: got {fmt!r} with {len(args)} positional "
                f"arguments and the names {sorted(kwargs)}"
            ) from None

    def show(*values: Any, **named: Any) -> None:
        write(fmt.format(*values, **named))

    # By the options alone first: names in the format may be those of options.
    later: Any = debug_callback(ordered=ordered, partitioned=partitioned)
    later(show, *args, **kwargs)
