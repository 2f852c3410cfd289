"""``fungrad.explain``: one object for everything that is known of a computation.

May import what is below in ``explaining``, ``jit``, ``drawing``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core import tree
from fungrad.core.arguments import shown
from fungrad.core.context import Tracer
from fungrad.core.ir import Jaxpr
from fungrad.core.source import api_boundary
from fungrad.drawing import Drawing, draw_jaxpr
from fungrad.explaining import page, terminal
from fungrad.explaining.chain_rule import ChainRule, chain_rule
from fungrad.explaining.derivatives import Residual, derivative_jaxpr, residuals, why_not
from fungrad.explaining.listings import Line
from fungrad.explaining.places import Excerpt, all_sources, excerpts
from fungrad.explaining.programs import CompiledView
from fungrad.explaining.rates import Rates, rates
from fungrad.jit.front.api import JitFunction, jit
from fungrad.jit.front.cache_info import CacheInfo

# Equations up to which a graph is drawn.
_DRAWN = 120


class Explanation:
    """Everything that is known of a computation. Made by ``fungrad.explain``.

    It prints itself in a terminal, shows itself in a notebook, and ``save`` writes a page that browsers open.

    Attributes:
      name: of the function.
      jaxpr: the function as traced.
      sources: the user's functions that it comes from.
      function: its compiled program (``CompiledView``): steps, loops, assembly, passes, copies, host steps.
      derivative: the same for value and gradient; None if there is none.
      no_derivative: why not; empty if there is one.
      chain_rule: the chain rule written out; None if the function is too large, or has loops or branches.
      residuals: what the forward pass keeps for the backward pass, and why.
      cache: what the function was traced for, and why again.
      rates: what this machine can do; None if no roofline was asked for.
    """

    def __init__(
        self,
        name: str,
        jaxpr: Jaxpr,
        donated: tuple[bool, ...],
        cache: CacheInfo | None,
        derivative: bool | None,
        known: Rates | None,
        wanted: Sequence[bool] | None = None,
    ):
        start = time.perf_counter()
        self.name = name
        self.jaxpr = jaxpr
        self.cache = cache
        self.rates = known
        self.sources: list[Excerpt] = excerpts(all_sources(jaxpr))
        self.function = CompiledView(jaxpr, name, donated, known)
        self.derivative: CompiledView | None = None
        self.residuals: list[Residual] = []
        self.chain_rule: ChainRule | None = None
        self.no_derivative = why_not(jaxpr)
        if derivative is False:
            self.no_derivative = "not asked for"
        elif derivative or not self.no_derivative:
            try:
                both = derivative_jaxpr(jaxpr, wanted)
            except (TypeError, ValueError, NotImplementedError) as error:
                # A function that has no derivative can be explained as well; who asks for one is told.
                if derivative:
                    raise
                self.no_derivative = f"it cannot be differentiated ({str(error).splitlines()[0]})"
            else:
                self.no_derivative = ""
                self.derivative = CompiledView(both, f"value and gradient of {name}", (), known)
                self.residuals = residuals(jaxpr, wanted)
                self.chain_rule = chain_rule(jaxpr, wanted)
        self.seconds = time.perf_counter() - start

    @property
    def programs(self) -> list[tuple[str, CompiledView]]:
        """The compiled programs with their titles."""
        found = [("function", self.function)]
        return found + ([("derivative", self.derivative)] if self.derivative is not None else [])

    @property
    def drawing(self) -> Drawing | None:
        """The graph, without numbers; None if it is large."""
        return draw_jaxpr(self.jaxpr) if len(self.jaxpr.eqns) <= _DRAWN else None

    @property
    def gradient(self) -> list[Line]:
        """The jaxpr of value and gradient."""
        return self.derivative.traced if self.derivative is not None else []

    def as_text(self, *, assembly: bool = False, passes: bool = True) -> str:
        """The explanation as plain text.

        Args:
          assembly: whether to print the machine code as well.
          passes: whether to print the program after every pass that changed it.
        """
        return terminal.plain_text(self, assembly=assembly, passes=passes)

    def print(self, *, assembly: bool = False, passes: bool = False) -> None:
        """Prints the explanation to the terminal, with colours where ``rich`` is installed.

        Args:
          assembly: whether to print the machine code as well.
          passes: whether to print the program after every pass that changed it.
        """
        terminal.show(self, assembly=assembly, passes=passes)

    def save(self, path: Any) -> None:
        """Writes one self-contained HTML page: source, jaxpr, gradient, loops and assembly side by side.

        Args:
          path: name of the file.
        """
        with open(os.fspath(path), "w", encoding="utf-8") as file:
            file.write(page.html_page(self))

    def _repr_html_(self) -> str:
        return page.html_fragment(self)

    def __str__(self) -> str:
        return self.as_text(passes=False)

    def __repr__(self) -> str:
        steps = len(self.function.steps)
        return f"<Explanation of {self.name}: {steps} step{'s' * (steps != 1)}; print it, or .save('page.html')>"


@api_boundary
def explain(
    fun: Callable[..., Any],
    *args: Any,
    derivative: bool | None = None,
    argnums: int | Sequence[int] | None = None,
    roofline: bool = True,
    **kwargs: Any,
) -> Explanation:
    """Explains what becomes of a function: everything between its source and its machine code.

    Nothing is computed with the arguments; only their types matter. The function is traced and compiled (without using
    what is kept on disk), and so is its derivative.

    Args:
      fun: function of arrays and trees of arrays, jitted or not. One with static arguments must be jitted.
      *args: its arguments; ``ShapeDtypeStruct`` may take the place of arrays.
      derivative: whether to explain the derivative as well: None for if the result is one real number. With True,
        cotangents of the results are further inputs of functions with other results.
      argnums: by which arguments to differentiate, counted without static ones; None for all of floating dtypes.
      roofline: whether to measure what the machine can do (half a second, once per process), and to estimate the least
        time of every step from that.
      **kwargs: its keyword arguments.

    Returns:
      An ``Explanation``. ``print`` shows it; its ``save`` writes a page for a browser.

    Raises:
      ValueError: there is no argument of a number in ``argnums``.
      TypeError: ``fun`` is no function, or an argument is no array, or one of a transformation that is under way.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> found = fungrad.explain(lambda a, b: (a + b) * (b + 1), 2.0, 1.0, roofline=False)
      >>> print(found.chain_rule)
      c = a + b      \N{PARTIAL DIFFERENTIAL}e = 1
      d = b + 1      \N{PARTIAL DIFFERENTIAL}d = c \N{MIDDLE DOT} \N{PARTIAL DIFFERENTIAL}e
      e = c \N{MIDDLE DOT} d      \N{PARTIAL DIFFERENTIAL}c = \N{PARTIAL DIFFERENTIAL}e \N{MIDDLE DOT} d
                     \N{PARTIAL DIFFERENTIAL}a = \N{PARTIAL DIFFERENTIAL}c
                     \N{PARTIAL DIFFERENTIAL}b = \N{PARTIAL DIFFERENTIAL}d + \N{PARTIAL DIFFERENTIAL}c
    """
    jitted = as_jitted(fun, "explain")
    check_values(args, kwargs, "explain")
    traced = jitted.trace(*args, **kwargs)
    entry: Any = traced._entry
    donated = entry.donated[len(entry.jaxpr.consts) :] if entry.donated else ()
    if derivative and not any(d.kind in "fc" for d in (v.aval.dtype for v in entry.jaxpr.invars)):
        raise TypeError(f"fungrad.explain: derivative=True, but {traced.fun_name} has no argument of a floating dtype")
    cache = fun.cache_info() if isinstance(fun, JitFunction) else None
    if any(donated):
        donated = (False,) * len(entry.jaxpr.consts) + tuple(donated)
    wanted = None if argnums is None else _wanted(traced, argnums)
    known = rates() if roofline else None
    return Explanation(traced.fun_name, entry.jaxpr, donated, cache, derivative, known, wanted)


def _wanted(traced: Any, argnums: Any) -> list[bool]:
    """For every leaf of the arguments, whether it belongs to those that were named."""
    positional, keywords = traced.in_avals
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    for k in numbers:
        if not isinstance(k, int) or not -len(positional) <= k < len(positional):
            raise ValueError(
                f"fungrad.explain: argnums names argument {k!r}, but {traced.fun_name} was given {len(positional)} "
                f"positional argument{'s' * (len(positional) != 1)}"
            )
    chosen = {k % len(positional) for k in numbers}
    flags = [k in chosen for k, arg in enumerate(positional) for _ in tree.leaves(arg)]
    return flags + [False] * len(tree.leaves(keywords))


def as_jitted(fun: Any, api: str) -> Any:
    """A function as a jitted one."""
    if isinstance(fun, JitFunction):
        return fun
    if not callable(fun):
        raise TypeError(f"fungrad.{api}: fun must be a function, got {shown(fun)}")
    return jit(fun)


def check_values(args: Any, kwargs: Any, api: str) -> None:
    """Refuses the values of a transformation that is under way."""
    for x in tree.leaves((args, kwargs)):
        if isinstance(x, Tracer):
            raise TypeError(
                f"fungrad.{api}: an argument is a {type(x).__name__}, of a transformation that is under way; call "
                f"{api} outside of transformed functions, or pass a ShapeDtypeStruct"
            )


__all__ = ["Explanation", "explain"]
