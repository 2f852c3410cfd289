"""Tokens: values without contents that order operations in JAX's programs.

Effects happen in the order of the program here, so a token orders nothing: it is an array without elements.

May import ``core``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.arguments import shown
from fungrad.core.array import as_array, is_array_like
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive

TOKEN = ShapedArray((0,), np.dtype(np.bool_))


class _TokenMaker(Primitive):
    """Makes a token, from tokens or from nothing."""

    def abstract_eval(self, *avals: ShapedArray) -> ShapedArray:
        if any(aval is not TOKEN for aval in avals):
            raise TypeError(f"{self.name}: expected tokens, got {avals}")
        return TOKEN

    def impl(self, *args: np.ndarray) -> np.ndarray:
        return np.zeros(TOKEN.shape, TOKEN.dtype)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*primals), Zero(TOKEN.tangent())

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None]) -> tuple[Any, Any]:
        # Tokens of all examples are one.
        return self.bind(), None

    def lower(self, ctx: Any, *args: Any) -> Any:
        return ctx.constant(False, TOKEN.dtype, TOKEN.shape)


create_token_p = _TokenMaker("create_token")
after_all_p = _TokenMaker("after_all")


def create_token(_: Any = None) -> Any:
    """A token, which stands for what has happened so far.

    Example:
      >>> from fungrad import lax
      >>> lax.create_token().shape
      (0,)
    """
    return create_token_p.bind()


def after_all(*tokens: Any) -> Any:
    """The token of everything that some tokens stand for.

    Args:
      *tokens: the tokens.

    Raises:
      TypeError: one is no token.

    Example:
      >>> from fungrad import lax
      >>> lax.after_all(lax.create_token(), lax.create_token()).shape
      (0,)
    """
    for x in tokens:
        if not is_array_like(x) or as_array(x).aval is not TOKEN:
            got = as_array(x).aval.short() if is_array_like(x) else f"{shown(x)}"
            raise TypeError(f"fungrad.lax.after_all: Arguments to after_all must be tokens, got {got}")
    return after_all_p.bind(*tokens)
