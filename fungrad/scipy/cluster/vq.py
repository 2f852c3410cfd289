"""Vector quantisation, under the names of ``jax.scipy.cluster.vq``.

May import ``core``, ``fungrad.numpy`` and ``scipy._operands``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.scipy._operands import alike


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The code of each observation: which entry of a code book is nearest to it.

    Args:
      obs: observations, shape ``(m, n)``, or ``(m,)`` for numbers.
      code_book: entries, shape ``(k, n)`` or ``(k,)``.
      check_finite: ignored.

    Returns:
      The position of the nearest entry, and the distance from it, both of shape ``(m,)``.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.cluster.vq import vq
      >>> codes, distances = vq(jnp.array([0.0, 0.9, 2.5]), jnp.array([0.0, 1.0, 2.0]))
      >>> print(codes, distances.round(3))
      [0 1 2] [0.  0.1 0.5]
    """
    api = "fungrad.scipy.cluster.vq.vq"
    x, book = alike("cluster.vq.vq", obs=obs, code_book=code_book)
    if x.ndim != book.ndim or x.ndim not in (1, 2):
        raise ValueError(f"{api}: obs and code_book must both have one or two dimensions, got {x.shape}, {book.shape}")
    if x.ndim == 1:
        x, book = x[:, None], book[:, None]
    if x.shape[1] != book.shape[1]:
        raise ValueError(f"{api}: obs and code_book must have rows of one length, got shapes {x.shape}, {book.shape}")
    if book.shape[0] == 0:
        raise ValueError(f"{api}: code_book must have at least one entry, got shape {book.shape}")
    distances = jnp.linalg.norm(x[:, None, :] - book[None], axis=-1)
    codes = jnp.argmin(distances, axis=-1)
    return codes, jnp.take_along_axis(distances, codes[:, None], axis=-1)[:, 0]


__all__ = ["vq"]

publish(globals(), __name__, __all__)
