"""Checking derivatives numerically: ``check_grads`` and friends, public.

May import every layer below ``fungrad``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.array import as_array, wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.public_names import publish
from fungrad.core.source import function_name
from fungrad.transforms.api import jvp, linearize, vjp

Tolerance = float | Mapping[Any, float] | None

_EPS = {2: 1e-1, 4: 1e-2, 8: 1e-4}
_TOLERANCE = {2: 3e-1, 4: 2e-2, 8: 1e-5}


def _is_float0(x: Any) -> bool:
    return getattr(x, "dtype", None) == dtypes.float0


def _numpy(x: Any) -> np.ndarray:
    """A leaf as a NumPy array in double precision."""
    x = np.asarray(x)
    if _is_float0(x):
        return x
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def _narrowest(values: Any) -> int:
    """Bytes of the real part of the narrowest inexact leaf."""
    sizes = [
        dtypes.to_real_dtype(as_array(x).dtype).itemsize
        for x in tree.leaves(values)
        if not _is_float0(x) and dtypes.is_inexact(as_array(x).dtype)
    ]
    return min(sizes, default=8)


def _tolerance(given: Tolerance, args: Any) -> float:
    """The tolerance for the dtypes of arguments: that given, or the largest of those given for them."""
    if isinstance(given, Mapping):
        by_dtype = {np.dtype(dtype): value for dtype, value in given.items()}
        leaves = [as_array(x) for x in tree.leaves(args) if not _is_float0(x)]
        given = max([by_dtype[x.dtype] for x in leaves if x.dtype in by_dtype], default=None)
    return _TOLERANCE[_narrowest(args)] if given is None else given


def _direction(rng: np.random.Generator, x: Any) -> Any:
    """A random tangent of a leaf."""
    aval = as_array(x).aval
    if not dtypes.is_inexact(aval.dtype):
        return np.zeros(aval.shape, dtypes.float0)
    value = rng.standard_normal(aval.shape)
    if dtypes.is_complex(aval.dtype):
        value = value + 1j * rng.standard_normal(aval.shape)
    return _array(value, aval.dtype)


def _array(value: Any, dtype: np.dtype) -> Any:
    """A concrete array of exactly ``dtype``, whatever the default width."""
    data = np.asarray(value).astype(dtype)
    return wrap(data, ShapedArray(data.shape, data.dtype))


def _move(x: Any, direction: Any, step: float) -> Any:
    """``x + step * direction``, leaf by leaf, in the dtype of ``x``."""

    def leaf(p: Any, t: Any) -> Any:
        if _is_float0(t):
            return p
        return _array(_numpy(p) + step * _numpy(t), as_array(p).dtype)

    return tree.map(leaf, x, direction)


def _inner(xs: Any, ys: Any) -> Any:
    """Bilinear product of two trees (no conjugation)."""
    total: Any = 0.0
    for x, y in zip(tree.leaves(xs), tree.leaves(ys), strict=True):
        if not _is_float0(x) and not _is_float0(y):
            total = total + np.sum(_numpy(x) * _numpy(y))
    return total


def numerical_jvp(f: Callable[..., Any], primals: tuple, tangents: tuple, eps: float | None = None) -> Any:
    """Directional derivative by central differences.

    Args:
      f: function of arrays and trees of arrays.
      primals: tuple of arguments.
      tangents: tuple like ``primals``: the direction.
      eps: step; default by dtype.

    Returns:
      A tree of NumPy arrays like the output.
    """
    step = _EPS[_narrowest(primals)] if eps is None else eps
    above, below = f(*_move(primals, tangents, step)), f(*_move(primals, tangents, -step))
    return tree.map(lambda a, b: (_numpy(a) - _numpy(b)) / (2 * step), above, below)


# How much shorter the second step is, which is tried where a function has kinks or bends within the first.
_SHORTER = {2: 1e-1, 4: 1e-2, 8: 1e-2}


def _compare(
    f: Callable[..., Any], args: tuple, tangents: tuple, eps: float | None, check: Callable[..., None]
) -> None:
    """Calls ``check`` with central differences, by default with those of a shorter step too if the first differ."""
    try:
        check(numerical_jvp(f, args, tangents, eps))
    except AssertionError as error:
        if eps is not None:
            raise
        narrowest = _narrowest(args)
        try:
            check(numerical_jvp(f, args, tangents, _EPS[narrowest] * _SHORTER[narrowest]))
        except AssertionError:
            raise error from None


def _assert_close(got: Any, wanted: Any, atol: float, rtol: float, what: str) -> None:
    paths = tree.leaf_paths(wanted)
    for path, g, w in zip(paths, tree.leaves(got), tree.leaves(wanted), strict=True):
        if _is_float0(g):
            continue
        np.testing.assert_allclose(_numpy(g), _numpy(w), atol=atol, rtol=rtol, err_msg=f"{what}, leaf{path}")


def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any],
    args: tuple,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Compares a JVP with central differences in one random direction.

    Args:
      f: function of arrays and trees of arrays.
      f_jvp: ``f_jvp(primals, tangents)`` returns the output and its tangent, as ``fungrad.jvp`` does.
      args: tuple of arguments.
      atol, rtol: tolerances, or dicts of them by dtype; default by dtype.
      eps: step of the differences; default by dtype.
      err_msg: added to failures.

    Raises:
      AssertionError: they differ.
    """
    atol, rtol = _tolerance(atol, args), _tolerance(rtol, args)
    rng = np.random.default_rng(0)
    tangents = tree.map(functools.partial(_direction, rng), args)
    value, tangent = f_jvp(args, tangents)
    _assert_close(value, f(*args), atol, rtol, f"{err_msg}: the value of the JVP")
    check = functools.partial(_assert_close, tangent, atol=atol, rtol=rtol, what=f"{err_msg}: the JVP")
    _compare(f, args, tangents, eps, check)


def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any],
    args: tuple,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Compares a VJP with central differences: in a random direction ``t``, ``<vjp(ct), t> = <ct, jvp(t)>``.

    Args:
      f: function of arrays and trees of arrays.
      f_vjp: ``f_vjp(*args)`` returns the output and a pullback, as ``fungrad.vjp`` does.
      args, atol, rtol, eps, err_msg: as for ``check_jvp``.

    Raises:
      AssertionError: they differ.
    """
    atol, rtol = _tolerance(atol, args), _tolerance(rtol, args)
    rng = np.random.default_rng(1)
    tangents = tree.map(functools.partial(_direction, rng), args)
    value, pullback = f_vjp(*args)
    _assert_close(value, f(*args), atol, rtol, f"{err_msg}: the value of the VJP")
    cotangent = tree.map(functools.partial(_direction, rng), value)
    got = _inner(pullback(cotangent), tangents)

    def check(numerical: Any) -> None:
        # By real parts: a derivative by complex numbers is linear over the reals only, unless the function is
        # holomorphic.
        wanted = _inner(cotangent, numerical)
        message = f"{err_msg}: the VJP"
        np.testing.assert_allclose(np.real(got), np.real(wanted), atol=atol, rtol=rtol, err_msg=message)

    _compare(f, args, tangents, eps, check)


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: Tolerance = None,
    rtol: Tolerance = None,
    eps: float | None = None,
) -> None:
    """Checks derivatives of a function against central differences, in random directions.

    Args:
      f: function of arrays and trees of arrays.
      args: its arguments.
      order: highest order of derivatives to check.
      modes: ``"fwd"`` (jvp), ``"rev"`` (vjp) and ``"lin"`` (linearize); orders above one nest them in every
        combination.
      atol, rtol: tolerances, or dicts of them by dtype; default by dtype.
      eps: step of the differences; default by dtype.

    Raises:
      AssertionError: a derivative differs from the differences.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.test_util import check_grads
      >>> check_grads(jnp.sin, (0.5,), order=2)
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    for mode in modes:
        if mode not in ("fwd", "rev", "lin"):
            raise ValueError(f"fungrad.test_util.check_grads: modes are 'fwd', 'rev' and 'lin', got {mode!r}")
    _check_grads(f, tuple(args), order, modes, atol, rtol, eps, f"derivative of {function_name(f)}")


def _check_grads(
    f: Callable[..., Any], args: tuple, order: int, modes: tuple, atol: Any, rtol: Any, eps: Any, message: str
) -> None:
    # Differences of derivatives are less exact than those of values.
    for mode, derive in (("fwd", jvp), ("lin", _jvp_by_linearize)):
        if mode in modes:
            _check_pushed(f, derive, args, order, modes, atol, rtol, eps, f"{message}, {mode}")
    if "rev" in modes:
        check_vjp(f, functools.partial(vjp, f), args, atol, rtol, eps, f"{message}, rev")
        if order > 1:
            rng = np.random.default_rng(3)
            cotangent = tree.map(functools.partial(_direction, rng), f(*args))

            def pulled(*xs: Any) -> Any:
                out = vjp(f, *xs)[1](cotangent)
                return [x for x in tree.leaves(out) if not _is_float0(x)]

            _check_grads(pulled, args, order - 1, modes, atol, rtol, eps, f"{message}, rev")


def _jvp_by_linearize(f: Callable[..., Any], primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    value, pushforward = linearize(f, *primals)
    return value, pushforward(*tangents)


def _check_pushed(
    f: Callable[..., Any], derive: Callable[..., Any], args: tuple, order: int, modes: tuple, atol: Any, rtol: Any,
    eps: Any, message: str,
) -> None:  # fmt: skip
    check_jvp(f, functools.partial(derive, f), args, atol, rtol, eps, message)
    if order > 1:
        rng = np.random.default_rng(2)
        tangents = tree.map(functools.partial(_direction, rng), args)

        def pushed(*xs: Any) -> Any:
            return derive(f, xs, tangents)[1]

        _check_grads(pushed, args, order - 1, modes, atol, rtol, eps, message)


__all__ = ["check_grads", "check_jvp", "check_vjp", "numerical_jvp"]

publish(globals(), __name__, __all__, early=__all__)
