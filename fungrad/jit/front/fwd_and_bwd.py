"""``fwd_and_bwd``: the two passes of a derivative as compiled functions.

May import ``jit.front.api`` and what that may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core.arguments import integers
from fungrad.core.source import function_name
from fungrad.jit.front.api import jit
from fungrad.transforms.api import check_callable, vjp


def fwd_and_bwd(
    fun: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool = False, jitted: bool = True
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The forward and the backward pass of a function as two functions, each compiled once.

    Args:
      fun: function of arrays and trees of arrays.
      argnums: position of the argument to differentiate, or a tuple of positions.
      has_aux: whether ``fun`` returns a pair of the output and auxiliary data.
      jitted: whether both are compiled.

    Returns:
      ``(fwd, bwd)``: ``fwd(*args)`` is ``(output, residuals)``, or ``(output, residuals, aux)``, and
      ``bwd(residuals, cotangent)`` the cotangent of the argument, or the tuple of those of the arguments.

    Raises:
      TypeError: a position is not that of an argument.

    Example:
      >>> import fungrad
      >>> fwd, bwd = fungrad.fwd_and_bwd(lambda x, y: x * y, argnums=(0, 1))
      >>> z, residuals = fwd(2.0, 3.0)
      >>> [float(x) for x in bwd(residuals, 1.0)]
      [3.0, 2.0]
    """
    check_callable(fun, "fwd_and_bwd")
    single = not isinstance(argnums, (tuple, list))
    numbers = integers("fungrad.fwd_and_bwd", "argnums", argnums)

    def fwd(*args: Any, **kwargs: Any) -> Any:
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise TypeError(
                    f"fungrad.fwd_and_bwd: argnums={argnums} but {function_name(fun)} was called with {len(args)} "
                    "positional argument(s)"
                )
        where = [number % len(args) for number in numbers]

        def of_selected(*selected: Any) -> Any:
            full = list(args)
            for i, x in zip(where, selected, strict=True):
                full[i] = x
            return fun(*full, **kwargs)

        return vjp(of_selected, *[args[i] for i in where], has_aux=has_aux)

    def bwd(f_vjp: Callable[..., Any], outgrad: Any) -> Any:
        cotangents = f_vjp(outgrad)
        return cotangents[0] if single else cotangents

    return (jit(fwd), jit(bwd)) if jitted else (fwd, bwd)
