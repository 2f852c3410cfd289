"""Scaled dot product attention.

May import ``core``, ``numpy`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

import math
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.nn.normalization import logsumexp, softmax
from fungrad.numpy._promotion import operand

_API = "fungrad.nn.dot_product_attention"


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
    return_residual: bool = False,
) -> Any:
    """Attention: for every query the values, averaged with weights ``softmax(scale * query @ key.T + bias)``.

    Shapes are given in the sizes B (batch), T (queries), S (keys and values), N (heads of queries), K (heads of
    keys and
    values, a divisor of N: each serves N / K heads of queries) and H (features of a head).  B may be left out
    everywhere.

    Reference: Vaswani et al., https://arxiv.org/abs/1706.03762; for K < N Ainslie et al.,
    https://arxiv.org/abs/2305.13245.

    Args:
      query: floating array of shape (B, T, N, H).
      key: array of shape (B, S, K, H).
      value: array of shape (B, S, K, H).
      bias: added to the scaled products; broadcasts to (B, N, T, S).
      mask: booleans that broadcast to (B, N, T, S): which keys a query attends to.
      scale: factor of the products; default ``1 / sqrt(H)``.
      is_causal: attend only to keys at the position of the query and before.
      query_seq_lengths: integers of shape (B,): queries from this position on give 0.
      key_value_seq_lengths: integers of shape (B,): keys from this position on are not attended to.
      local_window_size: attend only to keys at most this far before and behind the query; a pair for different
        distances.
      implementation: None or ``"xla"``, for compatibility.
      return_residual: return the logarithms of the sums of exponentials as well, of shape (B, T, N).

    Returns:
      An array like ``query``; with ``return_residual`` a pair.

    Raises:
      ValueError: shapes or dtypes do not fit, or the implementation is unknown.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> q = jnp.zeros((1, 2, 1, 4))
      >>> v = jnp.arange(12.0).reshape(1, 3, 1, 4)
      >>> fungrad.nn.dot_product_attention(q, v, v, is_causal=True)[0, :, 0]
      Array([[0., 1., 2., 3.],
             [2., 3., 4., 5.]], dtype=float32)
    """
    if implementation not in (None, "xla"):
        raise ValueError(f"{_API}: implementation must be None or 'xla', got {implementation!r}")
    q, k, v = (operand(x, "nn.dot_product_attention", n) for n, x in (("query", query), ("key", key), ("value", value)))
    unbatched = q.ndim == 3
    if unbatched:
        q, k, v = (x[None] if x.ndim == 3 else x for x in (q, k, v))
    _check(q, k, v)
    heads, groups = q.shape[2], k.shape[2]
    shape = (q.shape[0], heads, q.shape[1], k.shape[1])
    # Head n of the queries uses head n // (N / K) of the keys: its number is the pair (that, rest).
    grouped = q.reshape(*q.shape[:2], groups, heads // groups, q.shape[3])
    precise = jnp.promote_types(q.dtype, jnp.float32)
    logits = jnp.einsum("btkgh,bskh->bkgts", grouped, k, preferred_element_type=precise)
    logits = logits.reshape(shape) * (1 / math.sqrt(q.shape[3]) if scale is None else scale)
    if bias is not None:
        logits = (logits + _broadcast(bias, shape, "bias")).astype(logits.dtype)
    allowed = _allowed(shape, mask, is_causal, query_seq_lengths, key_value_seq_lengths, local_window_size)
    if allowed is not None:
        # Large and finite: a query that may attend to nothing gets equal weights, not NaN.
        logits = jnp.where(allowed, logits, -0.7 * float(dtypes.finfo(logits.dtype).max))
    weights = softmax(logits).astype(k.dtype).reshape(shape[0], groups, heads // groups, *shape[2:])
    out = jnp.einsum("bkgts,bskh->btkgh", weights, v).reshape(q.shape)
    if query_seq_lengths is not None:
        out = jnp.where(_before(q.shape[1], query_seq_lengths)[:, :, None, None], out, 0)
    out = out.astype(q.dtype)
    if not return_residual:
        return out[0] if unbatched else out
    residual = jnp.swapaxes(logsumexp(logits, -1), 1, 2).astype(k.dtype)
    return (out[0], residual[0]) if unbatched else (out, residual)


def _check(q: Array, k: Array, v: Array) -> None:
    if q.ndim != 4 or k.ndim != 4 or k.shape != v.shape:
        raise ValueError(
            f"{_API}: expected query of shape [B, T, N, H] and key and value of one shape [B, S, K, H], B optional, "
            f"got {q.shape}, {k.shape} and {v.shape}"
        )
    if q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3] or not k.shape[2] or q.shape[2] % k.shape[2]:
        raise ValueError(
            f"{_API}: query of shape {q.shape} and key of shape {k.shape} must have equal batches and features, and "
            "the heads of the query be a multiple of those of the key"
        )
    if not q.dtype == k.dtype == v.dtype or not dtypes.is_float(q.dtype):
        types = ", ".join(x.dtype.name for x in (q, k, v))
        raise ValueError(f"{_API}: query, key and value must have one floating dtype, got {types}")


def _broadcast(x: Any, shape: tuple[int, ...], name: str) -> Array:
    x = operand(x, "nn.dot_product_attention", name)
    if x.ndim > 4 or any(n not in (1, m) for n, m in zip(x.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(
            f"{_API}: {name} must have at most 4 dimensions and broadcast to [B, N, T, S] = {shape}, got {x.shape}"
        )
    return x


def _allowed(
    shape: tuple[int, ...], mask: Any, is_causal: bool, query_lengths: Any, key_lengths: Any, window: Any
) -> Array | None:
    """Which keys every query attends to; None if all."""
    conditions = []
    if mask is not None:
        mask = _broadcast(mask, shape, "mask")
        if mask.dtype != jnp.bool_:
            raise ValueError(f"{_API}: mask must be boolean, got {mask.dtype.name}; pass numbers to add as bias")
        conditions.append(mask)
    rows, columns = jnp.arange(shape[2])[:, None], jnp.arange(shape[3])[None, :]
    if is_causal:
        conditions.append(rows >= columns)
    if window is not None:
        left, right = (window, window) if isinstance(window, int) else window
        conditions.append((columns >= rows - left) & (columns <= rows + right))
    if query_lengths is not None:
        conditions.append(_before(shape[2], query_lengths)[:, None, :, None])
    if key_lengths is not None:
        conditions.append(_before(shape[3], key_lengths)[:, None, None, :])
    if not conditions:
        return None
    allowed = conditions[0]
    for condition in conditions[1:]:
        allowed = allowed & condition
    return allowed


def _before(size: int, lengths: Any) -> Array:
    """Booleans of shape (B, size): which positions are within each length."""
    return jnp.arange(size)[None, :] < jnp.asarray(lengths)[:, None]
