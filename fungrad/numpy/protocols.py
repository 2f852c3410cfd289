"""NumPy's functions applied to fungrad arrays: they come back to the functions of fungrad that have their place.

NumPy asks ``__array_ufunc__`` and ``__array_function__`` of its operands before it computes, so that ``np.sin(x)``,
``np.concatenate([x, y])`` and ``scipy.special.gammaln(x)`` work inside transformed functions.  NumPy converts lists,
and so do its functions here; those of fungrad, called by their own name, stay strict.

What fungrad does not have, and arguments that it does not know, are computed by NumPy on the values, which gives an
ndarray.  Traced arrays have no value to give, or one whose derivative would be lost: they refuse, and say which
function asked.

May import ``core`` and the modules of ``numpy``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fungrad.config import config, watch
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.context import Tracer
from fungrad.core.transfers import unseen
from fungrad.numpy import creation, manipulation

# Methods of ufuncs, by the ufunc: np.add.reduce(x) is a sum.
_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}
_ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}

# Functions called for memory of NumPy's, to write to or to hand to C code. Of concrete arrays they give ndarrays.
_FOR_MEMORY = frozenset(
    "atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to copy empty_like full_like ones_like "
    "zeros_like".split()
)
# Functions that call a function, which was written for ndarrays.
_WITH_CALLBACKS = frozenset({"apply_along_axis", "apply_over_axes", "piecewise"})
# Functions that raise for positions out of range, where ours, which may be traced, clamp or fill: NumPy looks at what
# is known.
_CHECKING = frozenset({"take", "take_along_axis", "unravel_index", "bincount"})
# Functions that write to their first argument.
_WRITERS = frozenset({"copyto", "put", "put_along_axis", "place", "putmask", "fill_diagonal"})

# Ufuncs that operators of ndarrays call.
_OPERATORS = frozenset(
    "add bitwise_and bitwise_or bitwise_xor divide divmod equal floor_divide greater greater_equal left_shift less "
    "less_equal matmul multiply not_equal power remainder right_shift subtract".split()
)

# Parameters of our functions in which a list or tuple is not an array: axes, shapes, cuts, places.
_STRUCTURE = frozenset(
    "axes axis axisa axisb axisc arrays_and_dtypes constant_values decimals destination dims dtype from_ func func1d "
    "funclist indices_or_sections k kth kw kwargs new_shape obj optimize pad_width range repeats reps shape shift size "
    "source subscripts to".split()
)
# Parameters that are a sequence of arrays.
_SEQUENCES = frozenset({"arrays", "tup", "condlist", "choicelist", "choices", "keys", "multi_index", "sample"})
# Functions whose further arguments by position are arrays.
_OPERANDS = frozenset({"atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "gradient", "ix_", "meshgrid"})

# Keywords that only steer how NumPy computes, with the values that are so harmless (None: all).
_HINTS: dict[str, tuple | None] = {
    "casting": ("same_kind", "unsafe"),
    "copy": (None, True),
    "kind": None,
    "like": (None,),
    "order": None,
    "out": (None,),
    "overwrite_input": None,
    "subok": None,
    "where": (True,),
}


# -- which function ----------------------------------------------------------------------------------------------------


def _attribute(module: str, name: str) -> Any:
    """A function of a module of fungrad, None if there is none."""
    found: Any = getattr(sys.modules.get(module), name, None)
    return found if callable(found) and not isinstance(found, type) else None


def _is_called(func: Any, module: str) -> bool:
    """Whether a module has a function under its own name; others may have that name by chance."""
    found: Any = getattr(sys.modules.get(module), func.__name__, None)
    return found is func


_found_ufuncs: dict[np.ufunc, Callable[..., Any]] = {}


def _ufunc_counterpart(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """Our function for a ufunc of NumPy or ``scipy.special``."""
    found = _found_ufuncs.get(ufunc)
    if found is None:
        found = _look_up(ufunc)
        if found is not None:
            _found_ufuncs[ufunc] = found
    return found


def _look_up(ufunc: np.ufunc) -> Callable[..., Any] | None:
    if _is_called(ufunc, "numpy"):
        return _attribute("fungrad.numpy", ufunc.__name__)
    theirs = sys.modules.get("scipy.special")
    if not _is_called(ufunc, "scipy.special"):
        return None
    # Above us: known by name, and loaded when it is asked for.
    ours = importlib.import_module("fungrad.scipy.special")
    for name in ours.__all__:
        if getattr(theirs, name, None) is ufunc:
            return getattr(ours, name)
    return None


def _counterpart(func: Any) -> Callable[..., Any] | None:
    """Our function for a function of NumPy."""
    module = {"numpy": "", "numpy.linalg": ".linalg", "numpy.fft": ".fft"}.get(func.__module__)
    if module is None or not _is_called(func, func.__module__):
        return None
    found = _attribute(f"fungrad.numpy{module}", func.__name__)
    return None if found is func else found  # printing functions are NumPy's own


def _full_name(func: Any) -> str:
    """``numpy.linalg.inv``, ``scipy.special.gammaln``, for messages."""
    if not isinstance(func, np.ufunc):
        return f"{func.__module__}.{func.__name__}"
    for module in ("numpy", "scipy.special"):
        if _is_called(func, module):
            return f"{module}.{func.__name__}"
    return f"the ufunc {func.__name__}"


# -- arguments ---------------------------------------------------------------------------------------------------------


def _values(x: Any, what: str) -> Any:
    """Arguments of a NumPy function with arrays replaced by their values; ``what`` asks for them."""
    if isinstance(x, Tracer):
        x._concrete(what)
    if isinstance(x, Array):
        return np.asarray(x)
    if isinstance(x, (list, tuple)):
        items = [_values(v, what) for v in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, dict):
        return {k: _values(v, what) for k, v in x.items()}
    return x


def _is_traced(x: Any) -> bool:
    """Whether a traced array is among (nested) arguments."""
    if isinstance(x, (list, tuple)):
        return any(map(_is_traced, x))
    if isinstance(x, dict):
        return any(map(_is_traced, x.values()))
    return isinstance(x, Tracer)


def _converted(x: Any) -> Any:
    """A list or tuple as an array."""
    return creation.asarray(x) if isinstance(x, (list, tuple)) else x


def _each_converted(x: Any) -> Any:
    """The elements of a list or tuple as arrays."""
    return type(x)(map(_converted, x)) if type(x) in (list, tuple) else x


@functools.cache
def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # a function of C has none
        return None


class _Accepts(NamedTuple):
    """What a function of ours takes: how many arguments by position, which by name, whether first a sequence."""

    least: int
    most: int
    names: frozenset[str]
    sequence: bool


@functools.cache
def _accepts(function: Callable[..., Any]) -> _Accepts:
    parameters = list(_signature(function).parameters.values())  # type: ignore[union-attr]
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in places if p.default is p.empty]
    names = frozenset(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
    return _Accepts(len(needed), len(places), names, bool(places) and places[0].name in _SEQUENCES)


_NOT_PLAIN = (list, tuple, type(np._NoValue))


def _is_plain(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a call needs none of the conversions of ``_bound``, which take longer than small arrays."""
    accepts = _accepts(function)
    if not accepts.least <= len(args) <= accepts.most:
        return False
    if accepts.sequence and type(args[0]) in (list, tuple):
        if not all(isinstance(x, (Array, np.ndarray)) for x in args[0]):
            return False
        args = args[1:]
    if any(type(x) in _NOT_PLAIN for x in args):
        return False
    return not kwargs or all(
        k in accepts.names and k not in _HINTS and type(v) not in _NOT_PLAIN for k, v in kwargs.items()
    )


def _by_place(func: Any, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Arguments for ``function`` with the keywords of NumPy's ``func``, whose parameters may have other names."""
    theirs, ours = _signature(func), _signature(function)
    if theirs is None or ours is None:
        return args, kwargs
    places = [p.name for p in ours.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    given = dict(kwargs)
    args = list(args)
    for i, name in enumerate(theirs.parameters):
        # Only a run of arguments without a gap can be given by position.
        if i == len(args) and i < len(places) and name in given and name not in ours.parameters:
            args.append(given.pop(name))
    return tuple(args), given


def _bound(func: Any, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
    """The arguments of a call of NumPy's ``func`` as arguments of ours; None if it does not know one of them."""
    signature = _signature(function)
    if signature is None:
        return None
    known = signature.parameters
    kwargs = {
        k: v
        for k, v in kwargs.items()
        if v is not np._NoValue
        and not (_is_hint(k, v) and (k not in known or k in ("kind", "out", "overwrite_input", "where")))
    }
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        try:
            args, kwargs = _by_place(func, function, args, kwargs)
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return None
    interleaved = func.__name__ == "einsum" and not isinstance(args[0], str)
    given = bound.arguments
    for name, value in given.items():
        if known[name].kind is inspect.Parameter.VAR_POSITIONAL:
            if func.__name__ in _OPERANDS or func.__name__ == "einsum" and not interleaved:
                given[name] = _each_converted(value)
        elif name in _SEQUENCES or (name == "bins" and func.__name__ in ("histogram2d", "histogramdd")):
            given[name] = value if func.__name__ == "block" else _each_converted(value)
        elif name not in _STRUCTURE and not interleaved:
            given[name] = _converted(value)
    return bound.args, bound.kwargs


def _is_hint(name: str, value: Any) -> bool:
    """Whether a keyword changes nothing about the result."""
    allowed = _HINTS.get(name, ())
    if name == "out" and isinstance(value, tuple):
        return all(o is None for o in value)
    return allowed is None or any(value is a or isinstance(value, str) and value == a for a in allowed)


def _promoting(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """A call of ours for one of NumPy's functions: it promotes dtypes and ranks as NumPy does, and its operands are on
    the host, as far as NumPy knows."""
    if watch.transfers:
        with unseen():
            return _with_numpys_promotion(function, args, kwargs)
    return _with_numpys_promotion(function, args, kwargs)


def _with_numpys_promotion(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    if config.numpy_dtype_promotion == "standard" and config.numpy_rank_promotion == "allow":
        return function(*args, **kwargs)
    with config.override("numpy_dtype_promotion", "standard"), config.override("numpy_rank_promotion", "allow"):
        return function(*args, **kwargs)


# -- the protocols -----------------------------------------------------------------------------------------------------


def array_ufunc(self: Array, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answers NumPy ufuncs: calls our function, or NumPy's on the values."""
    name = _full_name(ufunc) + ("" if method == "__call__" else f".{method}")
    out = kwargs.get("out")
    if out is not None and any(isinstance(o, Array) for o in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"{name}: a fungrad array cannot be written to with out=; use the result")
    options = {
        k: v
        for k, v in kwargs.items()
        if v is not np._NoValue and not _is_hint(k, v) and not (k == "dtype" and v is None)
    }
    answer = _ANSWERS.get(method)
    if answer is None:
        result = NotImplemented
    elif method == "__call__" and isinstance(inputs[0], np.ndarray) and ufunc.__name__ in _OPERATORS:
        result = answer(ufunc, inputs, options)  # may be `ndarray + array`, an operator, which obeys the options
    else:
        result = _promoting(answer, (ufunc, inputs, options), {})
    if result is not NotImplemented:
        return result
    what = f"{name} with {', '.join(f'{k}=' for k in options)}" if options else name
    if _ufunc_counterpart(ufunc) is None:
        what += ", which fungrad does not have,"
    if method == "at" and isinstance(inputs[0], Array):
        raise TypeError(f"{name}: fungrad arrays are immutable; use x = x.at[indices].{ufunc.__name__}(values)")
    if out is not None and (_is_traced(inputs) or _is_traced(kwargs)):
        what += ", as in `a += x` with an ndarray `a` (write a = a + x)," if inputs and inputs[0] is _only(out) else ""
    return getattr(ufunc, method)(*_values(inputs, what), **_values(kwargs, what))


def _only(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) and len(out) == 1 else out


def _answer_call(ufunc: np.ufunc, inputs: Any, options: dict[str, Any]) -> Any:
    function = _ufunc_counterpart(ufunc)
    if function is None or options.keys() - {"dtype"}:
        return NotImplemented
    inputs = tuple(map(_converted, inputs))
    if not options:
        return function(*inputs)
    # The dtype is the one that is computed in, not only that of the result.
    wanted = dtypes.canonicalize_dtype(options["dtype"], _full_name(ufunc))
    arrays = [x if isinstance(x, Array) else creation.asarray(x) for x in inputs]
    try:
        found = ufunc.resolve_dtypes(
            (*[x.aval.dtype for x in arrays], *[None] * ufunc.nout),
            signature=(*[None] * ufunc.nin, *[wanted] * ufunc.nout),
            casting="unsafe",
        )
    except TypeError:
        return NotImplemented
    result = function(*[creation.astype(x, d) for x, d in zip(arrays, found, strict=False)])
    return tuple([r.astype(wanted) for r in result]) if isinstance(result, (list, tuple)) else result.astype(wanted)


def _answer_reduction(names: dict[str, str]) -> Callable[..., Any]:
    def answer(ufunc: np.ufunc, inputs: Any, options: dict[str, Any]) -> Any:
        function = _ufunc_counterpart(ufunc) and _attribute("fungrad.numpy", names.get(ufunc.__name__, ""))
        if not function or "out" in options:
            return NotImplemented
        # The default axis of ufunc methods is 0, that of functions all axes. Positions: array, axis, dtype.
        options = dict(zip(("axis", "dtype"), inputs[1:3], strict=False)) | options
        if len(inputs) > 3 or options.keys() - _signature(function).parameters.keys():  # type: ignore[union-attr]
            return NotImplemented
        return function(_converted(inputs[0]), **({"axis": 0} | options))

    return answer


def _answer_outer(ufunc: np.ufunc, inputs: Any, options: dict[str, Any]) -> Any:
    function = _ufunc_counterpart(ufunc)
    if function is None or options:
        return NotImplemented
    x, y = map(creation.asarray, inputs)
    return function(manipulation.expand_dims(x, tuple(range(x.ndim, x.ndim + y.ndim))), y)


_ANSWERS: dict[str, Callable[..., Any]] = {
    "__call__": _answer_call,
    "reduce": _answer_reduction(_REDUCTIONS),
    "accumulate": _answer_reduction(_ACCUMULATIONS),
    "outer": _answer_outer,
}


def array_function(self: Array, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answers NumPy functions: calls our function, or NumPy's on the values."""
    name = func.__name__
    what = _full_name(func)
    if _writes_to(kwargs.get("out")) or name in _WRITERS and args and isinstance(args[0], Array):
        raise TypeError(
            f"{what}: fungrad arrays are immutable and cannot be written to; use the result, or x = x.at[index].set(v)"
        )
    theirs = name in _WRITERS
    if name in _FOR_MEMORY or name in _WITH_CALLBACKS or name in _CHECKING:
        theirs = not (_is_traced(args) or _is_traced(kwargs))
    if theirs and name in _CHECKING and kwargs.get("out") is None:
        if args and isinstance(args[0], Array) and dtypes.is_key(args[0].aval.dtype):
            # Keys are no ndarray; their numbers are.
            keys = args[0]
            numbers = np.arange(keys.aval.size).reshape(keys.aval.shape)
            return manipulation.ravel(keys)[func(numbers, *_values(args[1:], what), **_values(kwargs, what))]
        found = func(*_values(args, what), **_values(kwargs, what))
        return tuple(map(creation.asarray, found)) if isinstance(found, tuple) else creation.asarray(found)
    function = None if theirs else _counterpart(func)
    if function is None and not theirs:
        what += ", which fungrad does not have,"
    if function is not None:
        call = (args, kwargs) if _is_plain(function, args, kwargs) else _bound(func, function, args, kwargs)
        if call is None:
            what += f" with {', '.join(f'{k}=' for k in kwargs)}" if kwargs else " with these arguments"
        else:
            try:
                return _promoting(function, *call)
            except (NotImplementedError, TypeError, ValueError) as refusal:
                # What is a wrong call of NumPy's function, NumPy says; its messages do not know our arrays.
                if _is_traced(args) or _is_traced(kwargs):
                    raise
                try:
                    return func(*_values(args, what), **_values(kwargs, what))
                except Exception:  # noqa: BLE001 - both refuse
                    raise refusal from None
    return func(*_values(args, what), **_values(kwargs, what))


def _writes_to(out: Any) -> bool:
    return any(isinstance(o, Array) for o in (out if isinstance(out, tuple) else (out,)))


Array._bind_operators({"__array_ufunc__": array_ufunc, "__array_function__": array_function})
