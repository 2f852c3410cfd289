"""``fungrad.nn.gru``: gated recurrent units.

May import ``core``, ``numpy``, ``control`` and the modules of ``nn`` before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core.arguments import index
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.nn import initializers
from fungrad.nn._parameters import operand, parameter
from fungrad.nn._recurrent import check_carry, check_time, over_time
from fungrad.nn.activations import sigmoid

__all__ = ["apply", "init", "step"]


def init(
    key: Any,
    in_features: int,
    features: int,
    *,
    kernel_init: Callable[..., Any] = initializers.lecun_normal(),  # noqa: B008 (it has no state)
    recurrent_init: Callable[..., Any] = initializers.glorot_uniform(),  # noqa: B008
    dtype: Any = None,
) -> dict[str, Array]:
    """The parameters of a layer of units.

    Args:
      key: a random key.
      in_features: size of the last axis of what goes in.
      features: number of units.
      kernel_init: initializer of the weights of what goes in.
      recurrent_init: initializer of the weights from unit to unit.  For orthogonal matrices, one for each gate,
        ``initializers.blockwise(initializers.orthogonal(), 3)``.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      ``{"kernel": [in_features, 3 * features], "recurrent_kernel": [features, 3 * features], "bias": [3 * features],
      "recurrent_bias": [3 * features]}``.  The columns are the reset gates, update gates and candidates, as in
      PyTorch.

    Raises:
      TypeError: a size is no integer, or the key no random key.

    Example:
      >>> from fungrad import nn, random
      >>> nn.gru.init(random.key(0), 3, 5)["recurrent_kernel"].shape
      (5, 15)
    """
    n_in = index("fungrad.nn.gru.init", "in_features", in_features, 0)
    n = index("fungrad.nn.gru.init", "features", features, 0)
    first, second = random.split(key)
    return {
        "kernel": kernel_init(first, (n_in, 3 * n), dtype),
        "recurrent_kernel": recurrent_init(second, (n, 3 * n), dtype),
        "bias": initializers.zeros(None, (3 * n,), dtype),
        "recurrent_bias": initializers.zeros(None, (3 * n,), dtype),
    }


def _parameters(api: str, params: Any) -> tuple[Array, Array, Array, Array]:
    kernel, recurrent, bias, recurrent_bias = (
        jnp.asarray(parameter(api, params, name)) for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
    )
    return kernel, recurrent, bias, recurrent_bias


def step(params: Any, carry: Any, x: Any) -> tuple[Array, Array]:
    """One step of time.

    Args:
      params: what ``init`` has made.
      carry: array ``[..., features]``: the last output.
      x: array of shape ``[..., in_features]``.

    Returns:
      The new carry and the output, which are the same.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, random
      >>> h, y = nn.gru.step(nn.gru.init(random.key(0), 3, 5), jnp.zeros(5), jnp.ones(3))
      >>> y.shape
      (5,)
    """
    kernel, recurrent, bias, recurrent_bias = _parameters("gru.step", params)
    x = operand("gru.step", x, kernel.shape[0])
    h = check_carry("gru.step", carry, (*x.shape[:-1], recurrent.shape[0]))
    return _step(x @ kernel + bias, recurrent, recurrent_bias, h)


def _step(projected: Array, recurrent: Array, recurrent_bias: Array, h: Array) -> tuple[Array, Array]:
    n = recurrent.shape[0]
    hidden = h @ recurrent + recurrent_bias
    reset, update = (sigmoid(projected[..., k : k + n] + hidden[..., k : k + n]) for k in (0, n))
    candidate = jnp.tanh(projected[..., 2 * n :] + reset * hidden[..., 2 * n :])
    h = (1 - update) * candidate + update * h
    return h, h


def apply(params: Any, x: Any, carry: Any = None, *, reverse: bool = False) -> tuple[Array, Array]:
    """Runs the units over time.

    Reference: Cho et al., https://arxiv.org/abs/1406.1078.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., time, in_features]``.
      carry: array ``[..., features]`` to start from; None for zeros.
      reverse: go backwards in time.

    Returns:
      The outputs ``[..., time, features]`` and the last carry.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, random
      >>> y, h = nn.gru.apply(nn.gru.init(random.key(0), 3, 5), jnp.ones((2, 7, 3)))
      >>> y.shape, h.shape
      ((2, 7, 5), (2, 5))
    """
    kernel, recurrent, bias, recurrent_bias = _parameters("gru.apply", params)
    x = operand("gru.apply", x, kernel.shape[0])
    check_time("gru.apply", x)
    projected = x @ kernel + bias
    shape = (*x.shape[:-2], recurrent.shape[0])
    h = jnp.zeros(shape, projected.dtype) if carry is None else check_carry("gru.apply", carry, shape)
    return over_time(lambda s, p: _step(p, recurrent, recurrent_bias, s), h, projected, reverse)


publish(globals(), __name__, __all__)
