"""``debug.check`` and ``checkify``: errors that depend on values, raised from compiled code or returned as values.

May import ``core``, ``ops``, ``transforms`` and ``control.automatic_checks``.
"""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.control.automatic_checks import register_automatic_checks
from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import as_array, is_array_like
from fungrad.core.context import AnonymousAxis, AxisData, Tracer
from fungrad.core.source import api_boundary, boundary_of, current_source, function_name
from fungrad.core.staging import DebugInfo, check_results, trace_flat
from fungrad.core.tree_registration import register_pytree_node
from fungrad.errors import (
    DivisionByZeroError,
    FailedCheckError,
    NaNError,
    OOBError,
    RuntimeCheckError,
)
from fungrad.ops.cast import convert_element_type
from fungrad.ops.integer import bitwise_not
from fungrad.transforms.api import check_callable
from fungrad.transforms.batching import batch_flat
from fungrad.transforms.runtime_checks import (
    Check,
    Errors,
    Kinds,
    Site,
    check_p,
    debug_check_p,
    eval_checked,
    failure,
)

user_checks: Kinds = frozenset({FailedCheckError})
nan_checks: Kinds = frozenset({NaNError})
index_checks: Kinds = frozenset({OOBError})
div_checks: Kinds = frozenset({DivisionByZeroError})
float_checks: Kinds = nan_checks | div_checks
automatic_checks: Kinds = float_checks | index_checks
all_checks: Kinds = automatic_checks | user_checks

register_automatic_checks()


@api_boundary
def debug_check(pred: Any, message: str, *args: Any, **values: Any) -> None:
    """Raises an error unless a condition holds, wherever the function runs.

    In compiled code too: the condition and the values are computed with everything else, without leaving
    the program, and the call raises when the program has ended (a ``while_loop`` ends at once). Of
    several failures the first counts. Nothing removes a check, even if no result depends on it.

    Args:
      pred: boolean scalar that must hold.
      message: the text of the error, a format as for ``str.format``. Iterations and lanes are added:
        under ``vmap`` the first example that fails is named.
      *args: what its positional placeholders stand for: trees of arrays, or other values.
      **values: what its named placeholders stand for.

    Raises:
      FailedCheckError: the condition does not hold. It is a ValueError.
      TypeError: ``pred`` is not a boolean scalar.
      ValueError: the message has a placeholder for which no value is given.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> @fungrad.jit
      ... def f(x):
      ...   fungrad.debug.check(jnp.all(x > 0), "x must be positive, the least is {low:.1f}", low=x.min())
      ...   return jnp.log(x)
      >>> try:
      ...   f(jnp.array([1.0, -2.0]))
      ... except ValueError as error:
      ...   print(error)
      x must be positive, the least is -2.0
    """
    _check("debug.check", pred, message, args, values)


@api_boundary
def check(pred: Any, msg: str, *fmt_args: Any, debug: bool = False, **fmt_kwargs: Any) -> None:
    """``debug.check`` under JAX's name, whose message says that a check has failed.

    JAX refuses to compile it unless ``checkify`` has turned it into a value; here it raises. Inside of ``checkify``
    that looks for other errors it does nothing.

    Args:
      pred: boolean scalar that must hold.
      msg: the text of the error, a format.
      *fmt_args: what its positional placeholders stand for.
      debug: whether the check is made only under ``checkify``, as ``checkify.debug_check`` is.
      **fmt_kwargs: what its named placeholders stand for.

    Raises:
      FailedCheckError: the condition does not hold. It is a ValueError.
      TypeError: ``pred`` is not a boolean scalar.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental import checkify
      >>> def f(x):
      ...   checkify.check(x > 0, "{x} needs to be positive!", x=x)
      ...   return 1 / x
      >>> error, _ = fungrad.jit(checkify.checkify(f))(-3.0)
      >>> print(error.get())
      -3.0 needs to be positive! (`check` failed)
    """
    primitive = debug_check_p if debug else check_p
    if config.leaves_out_checks:
        return
    _check("experimental.checkify.check", pred, msg, fmt_args, fmt_kwargs, primitive, _FAILED)


@api_boundary
def jax_debug_check(pred: Any, msg: str, *fmt_args: Any, **fmt_kwargs: Any) -> None:
    """A check that ``checkify`` makes, and nothing elsewhere.

    Not to be confused with ``fungrad.debug.check``, which raises wherever the program runs.

    Args:
      pred: boolean scalar that must hold.
      msg: the text of the error, a format.
      *fmt_args: what its positional placeholders stand for.
      **fmt_kwargs: what its named placeholders stand for.

    Raises:
      TypeError: ``pred`` is not a boolean scalar.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental import checkify
      >>> def f(x):
      ...   checkify.debug_check(x != 0, "cannot be zero!")
      ...   return x
      >>> f(0)
      0
      >>> error, _ = fungrad.jit(checkify.checkify(f))(0)
      >>> print(error.get())
      cannot be zero! (`check` failed)
    """
    _check("experimental.checkify.debug_check", pred, msg, fmt_args, fmt_kwargs, debug_check_p, _FAILED)


_FAILED = " (`check` failed)"


def _check(
    api: str, pred: Any, message: str, args: tuple, kwargs: dict[str, Any], primitive: Check = check_p, suffix: str = ""
) -> None:
    if not isinstance(message, str):
        raise TypeError(
            f"fungrad.{api}: the message must be a string, got {shown(message)}"
        )
    if is_array_like(pred):
        pred = as_array(pred)
    if not is_array_like(pred) or pred.aval.shape or not dtypes.is_bool(pred.aval.dtype):
        got = pred.aval.str_short() if is_array_like(pred) else f"{shown(pred)}"
        raise TypeError(
            f"fungrad.{api}: pred must be a boolean scalar, got {got}; reduce an array with fungrad.numpy.all"
        )
    _check_placeholders(api, message, args, kwargs)
    leaves, structure = tree.flatten((args, kwargs))
    static = tuple((i, x) for i, x in enumerate(leaves) if not is_array_like(x))
    arrays = [as_array(x) for x in leaves if is_array_like(x)]
    site = Site(FailedCheckError, message + suffix, structure, static, current_source())
    code = convert_element_type(bitwise_not(pred), np.int32)
    primitive.bind(code, *arrays, sites=(site,))


def _check_placeholders(api: str, message: str, args: tuple, kwargs: dict[str, Any]) -> None:
    """Raises ValueError if a placeholder has no value: better now than when the check fails."""
    automatic = 0
    for _, field, _, _ in string.Formatter().parse(message):
        if field is None:
            continue
        name = field.split(".")[0].split("[")[0]
        if not name:
            name, automatic = str(automatic), automatic + 1
        if name not in kwargs and not (name.isdecimal() and int(name) < len(args)):
            given = [*map(str, range(len(args))), *kwargs]
            raise ValueError(
                f"fungrad.{api}: the message has a placeholder {{{field}}} for which no value is given; "
                f"values given: {', '.join(given) or 'none'}"
            )


# -- errors as values ------------------------------------------------------------------------------


class Error:
    """What may have failed in a function given to ``checkify``. A pytree.

    Mapped by ``vmap`` it holds the errors of all examples.
    """

    def __init__(self, code: Any, payload: Sequence[Any], sites: Sequence[Site]):
        self._code, self._payload, self._sites = code, tuple(payload), tuple(sites)

    def get(self) -> str | None:
        """The message of the first error, with one line per failed example where it is mapped; or None."""
        error = self.get_exception()
        return None if error is None else str(error)

    def get_exception(self) -> RuntimeCheckError | None:
        """The error as an exception, or None if there is none."""
        code = np.asarray(self._code)
        payload = [np.asarray(x) for x in self._payload]
        if not code.shape:
            return failure(int(code), payload, self._sites) if code else None
        failed = [index for index in np.ndindex(code.shape) if code[index]]
        if not failed:
            return None
        each = {i: failure(int(code[i]), [x[i] for x in payload], self._sites) for i in failed}
        lines = [f"at mapped index {', '.join(map(str, i))}: {error}" for i, error in each.items()]
        return type(each[failed[0]])("\n".join(lines))

    def throw(self) -> None:
        """Raises the error if there is one, also from compiled code: the inverse of ``checkify``."""
        check_error(self)

    def __repr__(self) -> str:
        return f"Error({self._code!r})" if isinstance(self._code, Tracer) else f"Error({self.get()})"

    __str__ = __repr__


register_pytree_node(
    Error,
    lambda e: ((e._code, e._payload), e._sites),
    lambda sites, children: Error(children[0], children[1], sites),
)

init_error = Error(np.int32(0), (), ())


@api_boundary
def check_error(error: Error) -> None:
    """Raises an error that ``checkify`` returned, if there is one.

    It is a check like any other: it can be compiled, and given to ``checkify`` again.

    Args:
      error: the error; of mapped ones the first that failed counts.

    Raises:
      RuntimeCheckError: there is an error.

    Example:
      >>> import fungrad
      >>> from fungrad.experimental import checkify
      >>> def f(x):
      ...   checkify.check(x > 0, "must be positive")
      ...   return x
      >>> error, _ = checkify.checkify(f)(-1)
      >>> try:
      ...   fungrad.jit(checkify.check_error)(error)
      ... except ValueError as raised:
      ...   print(raised)
      must be positive (`check` failed)
    """
    if not isinstance(error, Error):
        raise TypeError(
            f"fungrad.experimental.checkify.check_error: expected an Error, got one of type {type(error).__name__}"
        )
    if error._sites:
        _raise([as_array(error._code), *map(as_array, error._payload)], error._sites)


def _raise(args: Sequence[Any], sites: tuple[Site, ...]) -> list[Any]:
    """Raises the error of a code and values; where they are batches, as a mapped check would."""
    shape = args[0].aval.shape
    if not shape:
        return check_p.bind(*args, sites=sites)
    axis = AxisData(AnonymousAxis(), shape[0])
    return batch_flat(lambda *xs: _raise(xs, sites), axis, args, [0] * len(args), "check_error")[0]


def checkify(fun: Callable[..., Any], errors: Iterable[type[RuntimeCheckError]] = user_checks) -> Callable[..., Any]:
    """A function that returns what may have failed in ``fun`` instead of raising.

    It can be compiled, mapped and differentiated; checks inside loops and branches are found there, and
    the message names the iteration. Calls of ``checkify.check`` are left out where ``errors`` has no
    ``user_checks``, as in JAX; other checks that are not among ``errors`` raise as they would without.

    Args:
      fun: function with ``check`` in it, or without.
      errors: what to look for: ``user_checks``, calls of ``check``; ``nan_checks``, operations that
        produce NaN; ``div_checks``, divisions by zero; ``index_checks``, indices out of bounds; or
        ``float_checks``, ``automatic_checks``, ``all_checks``, unions of those.

    Returns:
      A function of the same arguments that returns ``(Error, result)``. ``Error.get()`` is the message
      or None, ``Error.throw()`` raises.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.experimental import checkify
      >>> f = fungrad.jit(checkify.checkify(lambda x: jnp.log(x), checkify.float_checks))
      >>> error, y = f(-1.0)
      >>> print(error.get())  # doctest: +ELLIPSIS
      nan generated by primitive: log. At ...
    """
    check_callable(fun, "experimental.checkify.checkify")
    if not isinstance(errors, Iterable):
        raise TypeError(
            "fungrad.experimental.checkify.checkify: errors must be a set of error classes such as "
            f"checkify.user_checks, got {shown(errors)}"
        )
    kinds = frozenset(errors)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, RuntimeCheckError)):
            raise TypeError(
                "fungrad.experimental.checkify.checkify: errors must be a set of error classes such as "
                f"checkify.user_checks, got {kind!r} in it"
            )

    @boundary_of("fungrad.experimental.checkify.checkify")
    def checked(*args: Any, **kwargs: Any) -> tuple[Error, Any]:
        structure: Any = None

        def flat() -> list[Any]:
            nonlocal structure
            result = fun(*args, **kwargs)
            leaves, structure = tree.flatten(result)
            return check_results(leaves, result, debug)

        debug = DebugInfo(function_name(fun), (), "checkify")
        with contextlib.ExitStack() as stack:
            if OOBError in kinds:
                stack.enter_context(config.collecting_index_errors())
            if not any(issubclass(FailedCheckError, kind) for kind in kinds):
                stack.enter_context(config.leaving_out_checks())
            jaxpr = trace_flat(flat, (), debug)
        found = Errors(kinds)
        outs = eval_checked(jaxpr, found, jaxpr.consts)
        error = Error(found.code, found.payload, found.sites) if found.sites else init_error
        return error, tree.unflatten(structure, outs)

    checked.__name__ = f"checkify_{function_name(fun)}"
    return checked
