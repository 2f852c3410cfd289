"""NumPy's functions applied to fungrad arrays: they come back to the functions of ``fungrad.numpy`` of the same name.

NumPy asks ``__array_ufunc__`` and ``__array_function__`` of its operands before it computes, so that ``np.sin(x)`` and
``np.concatenate([x, y])`` work inside transformed functions.  Functions that fungrad does not have are computed by
NumPy on the values, which tracers refuse with an explanation.

May import ``core`` and the modules of ``numpy``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from fungrad.core.array import Array

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


def _namespace(module: str | None) -> Any:
    """The fungrad module that stands for a NumPy module."""
    name = {"numpy.linalg": "fungrad.numpy.linalg", "numpy.fft": "fungrad.numpy.fft"}.get(module or "", "fungrad.numpy")
    return sys.modules.get(name)


def _find(name: str, module: str | None = None) -> Any:
    """The function of fungrad called ``name``, None if there is none."""
    namespace = _namespace(module)
    found = getattr(namespace, name, None)
    return found if callable(found) and not isinstance(found, type) else None


def _values(x: Any) -> Any:
    """Arguments of a NumPy function with arrays replaced by their values."""
    if isinstance(x, Array):
        return np.asarray(x)
    if isinstance(x, (list, tuple)):
        return type(x)(map(_values, x)) if not hasattr(x, "_fields") else type(x)(*map(_values, x))
    if isinstance(x, dict):
        return {k: _values(v) for k, v in x.items()}
    return x


def array_ufunc(self: Array, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answers NumPy ufuncs: calls the function of the same name, or a reduction."""
    out = kwargs.get("out")
    if out is not None and any(isinstance(o, Array) for o in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"numpy.{ufunc.__name__}: a fungrad array cannot be written to with out=; use the result")
    plain = out is None and kwargs.get("where", True) is True
    if plain:
        name = {"__call__": ufunc.__name__, "reduce": _REDUCTIONS.get(ufunc.__name__, "")}.get(method, "")
        if method == "accumulate":
            name = _ACCUMULATIONS.get(ufunc.__name__, "")
        if method == "outer":
            return _outer(ufunc, inputs, kwargs)
        function = _find(name) if name else None
        options = {k: v for k, v in kwargs.items() if k not in ("out", "where")}
        if function is not None and method == "__call__" and not set(options) - {"dtype"}:
            result = function(*inputs)
            dtype = options.get("dtype")
            return result if dtype is None else result.astype(dtype)
        if function is not None and method in ("reduce", "accumulate"):
            # The default axis of ufunc methods is 0, that of functions all axes.
            axis = inputs[1] if len(inputs) > 1 else options.pop("axis", 0)
            return function(inputs[0], axis=axis, **options)
    return getattr(ufunc, method)(*_values(inputs), **_values(kwargs))


def _outer(ufunc: np.ufunc, inputs: Any, kwargs: dict[str, Any]) -> Any:
    function = _find(ufunc.__name__)
    if function is None or kwargs:
        return ufunc.outer(*_values(inputs), **_values(kwargs))
    namespace = _namespace(None)
    x, y = map(namespace.asarray, inputs)
    return function(namespace.expand_dims(x, tuple(range(x.ndim, x.ndim + y.ndim))), y)


def array_function(self: Array, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answers NumPy functions: calls the function of the same name."""
    function = _find(func.__name__, func.__module__)
    # Printing functions are NumPy's own.
    if function is not None and function is not func:
        return function(*args, **kwargs)
    return func(*_values(args), **_values(kwargs))


Array._bind_operators({"__array_ufunc__": array_ufunc, "__array_function__": array_function})
