"""``fungrad.nn.lstm``: long short-term memory.

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
    forget_bias: Any = 1.0,
    kernel_init: Callable[..., Any] = initializers.lecun_normal(),  # noqa: B008 (it has no state)
    recurrent_init: Callable[..., Any] = initializers.glorot_uniform(),  # noqa: B008
    dtype: Any = None,
) -> dict[str, Array]:
    """The parameters of a layer of cells.

    Args:
      key: a random key.
      in_features: size of the last axis of what goes in.
      features: number of cells.
      forget_bias: bias of the forget gates; with 1, cells remember at first.
      kernel_init: initializer of the weights of what goes in.
      recurrent_init: initializer of the weights from cell to cell. For orthogonal matrices, one
        for each gate, ``initializers.blockwise(initializers.orthogonal(), 4)``.
      dtype: of the parameters; the default floating dtype if None.

    Returns:
      ``{"kernel": [in_features, 4 * features], "recurrent_kernel": [features, 4 * features], "bias": [4 * features]}``.
      The columns are the input gates, forget gates, candidates and output gates, as in PyTorch.

    Raises:
      TypeError: a size is no integer, or the key no random key.

    Example:
      >>> from fungrad import nn, random, tree
      >>> tree.map(lambda p: p.shape, nn.lstm.init(random.key(0), 3, 5))
      {'bias': (20,), 'kernel': (3, 20), 'recurrent_kernel': (5, 20)}
    """
    n_in = index("fungrad.nn.lstm.init", "in_features", in_features, 0)
    n = index("fungrad.nn.lstm.init", "features", features, 0)
    first, second = random.split(key)
    bias = initializers.zeros(None, (4 * n,), dtype)
    return {
        "kernel": kernel_init(first, (n_in, 4 * n), dtype),
        "recurrent_kernel": recurrent_init(second, (n, 4 * n), dtype),
        "bias": bias.at[n : 2 * n].set(forget_bias),
    }


def step(params: Any, carry: Any, x: Any) -> tuple[tuple[Array, Array], Array]:
    """One step of time.

    Args:
      params: what ``init`` has made.
      carry: a pair ``(c, h)`` of arrays ``[..., features]``: the memory and the last output.
      x: array of shape ``[..., in_features]``.

    Returns:
      The new carry and the output ``h``.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, random
      >>> params = nn.lstm.init(random.key(0), 3, 5)
      >>> carry, y = nn.lstm.step(params, (jnp.zeros(5), jnp.zeros(5)), jnp.ones(3))
      >>> y.shape
      (5,)
    """
    kernel, recurrent, bias, features = _parameters("lstm.step", params)
    x = operand("lstm.step", x, kernel.shape[0])
    c, h = _carry("lstm.step", carry, (*x.shape[:-1], features))
    return _step(x @ kernel + bias, recurrent, features, c, h)


def _parameters(api: str, params: Any) -> tuple[Array, Array, Array, int]:
    kernel, recurrent, bias = (
        jnp.asarray(parameter(api, params, name)) for name in ("kernel", "recurrent_kernel", "bias")
    )
    return kernel, recurrent, bias, recurrent.shape[0]


def _carry(api: str, carry: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    if not isinstance(carry, (tuple, list)) or len(carry) != 2:
        raise TypeError(f"fungrad.nn.{api}: carry must be a pair (c, h) of arrays, got {type(carry).__name__}")
    return check_carry(api, carry[0], shape, "carry[0]"), check_carry(api, carry[1], shape, "carry[1]")


def _step(projected: Array, recurrent: Array, n: int, c: Array, h: Array) -> tuple[tuple[Array, Array], Array]:
    gates = projected + h @ recurrent
    take, forget, candidate, give = (gates[..., k * n : (k + 1) * n] for k in range(4))
    c = sigmoid(forget) * c + sigmoid(take) * jnp.tanh(candidate)
    h = sigmoid(give) * jnp.tanh(c)
    return (c, h), h


def apply(params: Any, x: Any, carry: Any = None, *, reverse: bool = False) -> tuple[Array, tuple[Array, Array]]:
    """Runs the cells over time.

    Reference: Hochreiter and Schmidhuber, https://doi.org/10.1162/neco.1997.9.8.1735.

    Args:
      params: what ``init`` has made.
      x: array of shape ``[..., time, in_features]``.
      carry: a pair ``(c, h)`` of arrays ``[..., features]`` to start from; None for zeros.
      reverse: go backwards in time.

    Returns:
      The outputs ``[..., time, features]`` and the last carry.

    Raises:
      ValueError: the sizes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import nn, random
      >>> y, (c, h) = nn.lstm.apply(nn.lstm.init(random.key(0), 3, 5), jnp.ones((2, 7, 3)))
      >>> y.shape, c.shape
      ((2, 7, 5), (2, 5))
    """
    kernel, recurrent, bias, n = _parameters("lstm.apply", params)
    x = operand("lstm.apply", x, kernel.shape[0])
    check_time("lstm.apply", x)
    projected = x @ kernel + bias
    shape = (*x.shape[:-2], n)
    if carry is None:
        zeros = jnp.zeros(shape, projected.dtype)
        carry = zeros, zeros
    c, h = _carry("lstm.apply", carry, shape)
    return over_time(lambda s, p: _step(p, recurrent, n, *s), (c, h), projected, reverse)


publish(globals(), __name__, __all__)
