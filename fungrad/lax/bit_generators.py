"""Random bits from the state of a generator, which is handed back, as XLA's operation ``RngBitGenerator`` has them.

May import ``core`` and ``ops``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.arguments import sizes
from fungrad.core.array import Array
from fungrad.ops._operands import lift
from fungrad.ops.bit_generator import RandomAlgorithm, rng_bit_generator_p, rng_uniform_p
from fungrad.ops.resharding import at_sharding


def rng_bit_generator(
    key: Any, shape: Sequence[int], dtype: Any = np.uint32, algorithm: int = RandomAlgorithm.RNG_DEFAULT, *,
    out_sharding: Any = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Random bits, and the state for the next ones.

    ``fungrad.random`` is what to draw numbers with; this is for programs that keep the state of a generator.  The bits
    are those of XLA on a CPU.

    Args:
      key: the state: uint32 of shape ``(4,)``, or uint64 of shape ``(2,)``: a key and a counter.
      shape: shape of the bits.
      dtype: uint8, uint16, uint32 or uint64.
      algorithm: a ``RandomAlgorithm``.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      The new state, like ``key``, and the bits.

    Raises:
      TypeError: the state or dtype is not one of those.
      ValueError: there is no such algorithm.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> state, bits = lax.rng_bit_generator(jnp.array([1, 2, 3, 4], jnp.uint32), (3,))
      >>> bits
      Array([ 512747620, 1298009047, 1267190206], dtype=uint32)
      >>> state
      Array([1, 2, 4, 4], dtype=uint32)
    """
    if out_sharding is not None:
        return at_sharding(
            rng_bit_generator, out_sharding, "fungrad.lax.rng_bit_generator", key, shape, dtype, algorithm
        )
    api = "fungrad.lax.rng_bit_generator"
    state = lift(key, f"{api}: key")
    wide = state.dtype == dtypes.uint64
    if state.shape != ((2,) if wide else (4,)) or not wide and state.dtype != dtypes.uint32:
        raise TypeError(
            f"{api}: key must be uint32 of shape (4,) or uint64 of shape (2,), got {state.aval.str_short()}"
        )
    kind = dtypes.canonicalize_dtype(dtype, api)
    if not dtypes.is_unsigned(kind) or dtypes.itemsize_bits(kind) < 8:
        raise TypeError(f"{api}: dtype must be uint8, uint16, uint32 or uint64, got {kind}")
    algorithm = RandomAlgorithm(algorithm)
    shape = sizes(api, "shape", shape)
    new, bits = rng_bit_generator_p.bind(state, shape=tuple(shape), dtype=kind, algorithm=algorithm)
    return new, bits


def rng_uniform(a: Any, b: Any, shape: Sequence[int]) -> Array:
    """Uniform numbers from ``a`` up to ``b``, from a generator with a hidden state: other ones at every call.

    ``fungrad.random`` is what to draw numbers with; this exists for programs that use it.

    Args:
      a: lower bound, a scalar.
      b: upper bound, a scalar of the same dtype; excluded.
      shape: shape of the result.

    Raises:
      TypeError: the bounds are not real.
      ValueError: they are not scalars, or of different dtypes.

    Example:
      >>> from fungrad import lax
      >>> x = lax.rng_uniform(1.0, 2.0, (3,))
      >>> bool((x >= 1.0).all() & (x < 2.0).all())
      True
    """
    api = "fungrad.lax.rng_uniform"
    return rng_uniform_p.bind(lift(a, f"{api}: a"), lift(b, f"{api}: b"), shape=sizes(api, "shape", shape))


__all__ = ["RandomAlgorithm", "rng_bit_generator", "rng_bit_generator_p", "rng_uniform", "rng_uniform_p"]
