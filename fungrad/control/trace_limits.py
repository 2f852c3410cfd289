"""``debug.assert_max_traces``: an error where something is traced more often than it should be.

May import ``core``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fungrad.core import tree
from fungrad.core.arguments import index, shown
from fungrad.core.context import Tracer
from fungrad.core.source import current_source, function_name
from fungrad.jit.front.api import JitFunction
from fungrad.jit.front.cache_info import traces_so_far


class assert_max_traces:  # noqa: N801 - a decorator and context manager reads best in lower case
    """Raises where a function is traced more than ``n`` times, or ``jit`` traces so often inside a ``with`` block.

    As a decorator it stands on either side of ``jit``. On a jitted function it counts its traces, and says why it was
    traced again; on one that is yet to be jitted, mapped or differentiated it counts the calls with tracers. As a
    context manager it counts the traces of all jitted functions of the process.

    Args:
      n: how often is allowed.

    Raises:
      AssertionError: it was traced more often.
      TypeError: ``n`` is no integer, or what is decorated is no function.
      ValueError: ``n`` is negative.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import debug
      >>> @debug.assert_max_traces(1)
      ... @fungrad.jit
      ... def f(x):
      ...     return x + 1
      >>> print(f(jnp.ones(2)), f(jnp.ones(2)))
      [2. 2.] [2. 2.]
      >>> f(jnp.ones(3))
      Traceback (most recent call last):
      AssertionError: fungrad.debug.assert_max_traces: f was traced 2 times, at most 1 expected...
    """

    def __init__(self, n: int):
        self.n = index("fungrad.debug.assert_max_traces", "n", n, least=0)
        self._before: list[int] = []

    def __call__(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(fun, JitFunction):
            return self._around(fun)
        if not callable(fun):
            raise TypeError(
                f"fungrad.debug.assert_max_traces: expected a function to decorate, got {shown(fun)}"
            )
        count = 0
        name = function_name(fun)

        @functools.wraps(fun)
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            if any(isinstance(x, Tracer) for x in tree.leaves((args, kwargs))):
                count += 1
                self._check(count, name, "")
            return fun(*args, **kwargs)

        return counted

    def _around(self, fun: JitFunction) -> Callable[..., Any]:
        start = fun.cache_info().traces

        @functools.wraps(fun)
        def checked(*args: Any, **kwargs: Any) -> Any:
            out = fun(*args, **kwargs)
            traced = fun._versions.traces - start
            if traced > self.n:
                versions = fun.cache_info().versions
                why = f": {versions[-1].reason}" if versions else ""
                self._check(traced, fun._name, why)
            return out

        return checked

    def _check(self, count: int, name: str, why: str) -> None:
        if count <= self.n:
            return
        where = current_source()
        raise AssertionError(
            f"fungrad.debug.assert_max_traces: {name} was traced {count} time{'s' * (count != 1)}, at most {self.n} "
            f"expected{why}" + (f" (at {where})" if where is not None else "") + "; give it arguments of the same "
            "types and trees, and equal static values, or jit it once outside of the loop"
        )

    def __enter__(self) -> assert_max_traces:
        self._before.append(traces_so_far())
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        traced = traces_so_far() - self._before.pop()
        if kind is None:
            self._check(traced, "jit in this block", "")
