"""Code of primitives for compiled programs, as programs for JAX register it (``jax.interpreters.mlir``).

There is no MLIR here. `register_lowering` with `lower_fun` makes the function part of compiled programs; with any other
rule, which would build MLIR, the primitive is a step on the host that calls its implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from fungrad.core.primitive import Primitive
from fungrad.core.public_names import publish

__all__ = ["lower_fun", "register_lowering"]


class Expansion:
    """A lowering that is a function of arrays; see `lower_fun`."""

    def __init__(self, fun: Callable[..., Any], multiple_results: bool):
        self.fun, self.multiple_results = fun, multiple_results

    def __call__(self, *args: Any, **params: Any) -> NoReturn:
        raise NotImplementedError(
            "fungrad.interpreters.mlir.lower_fun: its result cannot be called; give it to register_lowering"
        )


def lower_fun(fun: Callable[..., Any], multiple_results: bool = True) -> Expansion:
    """A lowering rule from a function of arrays.

    Args:
      fun: ``fun(*arrays, **params)``.
      multiple_results: whether it returns a sequence.

    Returns:
      What `register_lowering` takes.
    """
    return Expansion(fun, multiple_results)


def register_lowering(
    prim: Primitive, rule: Any = None, platform: str | None = None, inline: bool = True, cacheable: bool = True
) -> Any:
    """Registers code of a primitive for compiled programs.

    Args:
      prim: of the user's own.
      rule: what `lower_fun` returns. Any other rule is ignored: programs call the implementation.
      platform: rules for other platforms than ``cpu`` are ignored.
      inline: has no meaning here.
      cacheable: has no meaning here.

    Returns:
      ``rule``; a decorator if there is none.
    """
    if rule is None:
        return lambda f: register_lowering(prim, f, platform)
    if platform in (None, "cpu") and isinstance(rule, Expansion):
        define = getattr(prim, "define_expansion", None)
        if define is None:
            raise TypeError(
                f"fungrad.interpreters.mlir.register_lowering: {prim} belongs to the library and has code of its own; "
                "define a primitive with fungrad.extend.core.Primitive"
            )
        define(rule.fun, rule.multiple_results)
    return rule


publish(globals(), __name__, __all__)
