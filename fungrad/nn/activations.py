"""Activation functions: elementwise nonlinearities of neural networks, and ``glu`` and ``one_hot``.

Where a function has a kink, its derivative there is that of JAX: 0 for ``relu`` at 0, and so on.  Branches that a
``where`` does not choose get harmless arguments, so that their derivatives cannot become NaN.

May import ``core``, ``ops`` and ``numpy``.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.core.context import Tracer
from fungrad.core.dimensions import as_size, index_bound
from fungrad.errors import ConcretizationTypeError
from fungrad.numpy._promotion import cast, inexact, operand
from fungrad.ops.shape import broadcasted_iota, canonical_axis, expand_dims
from fungrad.ops.special import erfc
from fungrad.ops.transcendental import logistic


def _array(x: Any, name: str) -> Array:
    """The argument of an activation function."""
    return operand(x, f"nn.{name}", "x") if not isinstance(x, Array) else x


def _inexact(x: Any, name: str) -> Array:
    """The argument of an activation function that computes with floating (or complex) numbers."""
    return inexact(_array(x, name), f"nn.{name}")


def _beside_floats(x: Any, name: str) -> Array:
    """The argument of a formula with floating constants: integers take their dtype, and are weak as they are."""
    x = _array(x, name)
    if x.aval.inexact:
        return x
    return cast(x, *dtypes.lattice_result_type((x.aval.dtype, x.aval.weak_type), (dtypes.default_float(), True)))


# -- rectifiers
# --------------------------------------------------------------------------------------------------------


def identity(x: Any) -> Array:
    """The argument itself, as an array.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.identity(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.,  0.,  2.], dtype=float32)
    """
    return _array(x, "identity")


def relu(x: Any) -> Array:
    """Rectified linear unit ``max(x, 0)``; its derivative at 0 is 0.

    Args:
      x: array of a real dtype.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.relu(jnp.array([-1., 0., 2.]))
      Array([0., 0., 2.], dtype=float32)
    """
    x = _array(x, "relu")
    return jnp.where(x <= 0, 0, x)


def relu6(x: Any) -> Array:
    """Rectified linear unit that saturates: ``min(max(x, 0), 6)``; its derivative at 0 and 6 is 0.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.relu6(jnp.array([-1., 5., 7.]))
      Array([0., 5., 6.], dtype=float32)
    """
    x = _array(x, "relu6")
    return jnp.where(x <= 0, 0.0, jnp.where(x >= 6, 6.0, x))


def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Array:
    """``x`` for ``x >= 0`` and ``negative_slope * x`` below.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.leaky_relu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.01,  0.  ,  2.  ], dtype=float32)
    """
    x = _array(x, "leaky_relu")
    return jnp.where(x >= 0, x, negative_slope * x)


def elu(x: Any, alpha: Any = 1.0) -> Array:
    """Exponential linear unit: ``x`` for ``x > 0`` and ``alpha * (exp(x) - 1)`` below.

    Reference: Clevert et al., https://arxiv.org/abs/1511.07289.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.elu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """
    x = _beside_floats(x, "elu")
    positive = x > 0
    return jnp.where(positive, x, alpha * jnp.expm1(jnp.where(positive, 0, x)))


def celu(x: Any, alpha: Any = 1.0) -> Array:
    """Continuously differentiable exponential linear unit: ``max(x, 0) + alpha * expm1(min(x, 0) / alpha)``.

    Reference: Barron, https://arxiv.org/abs/1704.07483.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.celu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.63212055,  0.        ,  2.        ], dtype=float32)
    """
    x = _beside_floats(x, "celu")
    return jnp.maximum(x, 0) + alpha * jnp.expm1(jnp.minimum(x, 0) / alpha)


def selu(x: Any) -> Array:
    """Self-normalising exponential linear unit, a scaled ``elu``.

    Reference: Klambauer et al., https://arxiv.org/abs/1706.02515.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.selu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.1113307,  0.       ,  2.101402 ], dtype=float32)
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def gelu(x: Any, approximate: bool = True) -> Array:
    """Gaussian error linear unit: ``x`` times the normal distribution function at ``x``.

    Reference: Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415.

    Args:
      x: array.
      approximate: use an approximation of the distribution function by ``tanh``, accurate to about 5e-4.

    Example:
      >>> import fungrad
      >>> fungrad.nn.gelu(1.0, approximate=False)
      Array(0.8413447, dtype=float32)
    """
    x = _inexact(x, "gelu")
    x = cast(x, x.aval.dtype)
    if approximate:
        # (1 + tanh(z)) / 2 is the logistic function of 2 z, which keeps its accuracy where it is small
        scale = 2 * math.sqrt(2 / math.pi)
        return x * logistic(x * (scale + 0.044715 * scale * x**2))
    return 0.5 * x * erfc(-x * math.sqrt(0.5))


# -- sigmoids
# ----------------------------------------------------------------------------------------------------------


def sigmoid(x: Any) -> Array:
    """Logistic function ``1 / (1 + exp(-x))``.

    Example:
      >>> import fungrad
      >>> fungrad.nn.sigmoid(0.0)
      Array(0.5, dtype=float32, weak_type=True)
    """
    return logistic(_inexact(x, "sigmoid"))


def silu(x: Any) -> Array:
    """Sigmoid-weighted linear unit ``x * sigmoid(x)``, also called swish.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.silu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.2689414,  0.       ,  1.761594 ], dtype=float32)
    """
    x = _inexact(x, "silu")
    return x * logistic(x)


swish = silu


def softplus(x: Any) -> Array:
    """``log(1 + exp(x))``, accurate for all ``x``; the derivative is ``sigmoid(x)``.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.softplus(jnp.array([-30., 0., 100.]))
      Array([9.357623e-14, 6.931472e-01, 1.000000e+02], dtype=float32)
    """
    x = _array(x, "softplus")
    x = _beside_floats(x, "softplus") if dtypes.is_bool(x.aval.dtype) else _inexact(x, "softplus")
    # log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)). Both parts have a kink at 0 unless derivatives see a choice of
    # formulas instead of max and abs: then they are right to all orders.
    positive = x > 0
    return jnp.where(positive, x, 0) + jnp.log1p(jnp.exp(jnp.where(positive, -x, x)))


def mish(x: Any) -> Array:
    """``x * tanh(softplus(x))``.

    Reference: Misra, https://arxiv.org/abs/1908.08681.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.mish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.3034014,  0.       ,  1.9439589], dtype=float32)
    """
    x = _array(x, "mish")
    return x * jnp.tanh(softplus(x))


def log_sigmoid(x: Any) -> Array:
    """``log(sigmoid(x))``, accurate for all ``x``.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.log_sigmoid(jnp.array([-100.0, 0.0]))
      Array([-100.       ,   -0.6931472], dtype=float32)
    """
    return -softplus(-_inexact(x, "log_sigmoid"))


def log1mexp(x: Any) -> Array:
    """``log(1 - exp(-x))`` for ``x >= 0``, accurate for small and large ``x``.

    Reference: Mächler, "Accurately Computing ``log(1 - exp(-|a|))``", 2012.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.log1mexp(jnp.array([1.0, 50.0]))
      Array([-4.5867509e-01, -1.9287499e-22], dtype=float32)
    """
    x = _inexact(x, "log1mexp")
    switch = math.log(2)
    small = x < switch
    near = jnp.log(-jnp.expm1(-jnp.where(small, x, switch)))
    far = jnp.log1p(-jnp.exp(-jnp.where(small, switch, x)))
    return jnp.where(small, near, far)


def soft_sign(x: Any) -> Array:
    """``x / (|x| + 1)``.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.soft_sign(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.5      ,  0.       ,  0.6666667], dtype=float32)
    """
    x = _array(x, "soft_sign")
    return x / (jnp.abs(x) + 1)


def squareplus(x: Any, b: Any = 4) -> Array:
    """``(x + sqrt(x**2 + b)) / 2``, a smooth rectifier without exponentials.

    Reference: Barron, https://arxiv.org/abs/2112.11687.

    Args:
      x: array.
      b: smoothness; 0 gives ``relu``.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.squareplus(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.618034 , 1.       , 2.4142137], dtype=float32)
    """
    x = _array(x, "squareplus")
    return (x + jnp.sqrt(jnp.square(x) + b)) / 2


def sparse_plus(x: Any) -> Array:
    """0 up to -1, ``x`` from 1 on, and ``(x + 1)**2 / 4`` between; the derivative is ``sparse_sigmoid(x)``.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.sparse_plus(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.  , 0.25, 2.  ], dtype=float32)
    """
    x = _array(x, "sparse_plus")
    return jnp.where(x <= -1.0, 0.0, jnp.where(x >= 1, x, (x + 1.0) ** 2 / 4))


def sparse_sigmoid(x: Any) -> Array:
    """0 up to -1, 1 from 1 on, and linear between.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.sparse_sigmoid(jnp.array([-1.0, 0.0, 2.0]))
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    return 0.5 * jnp.clip(_array(x, "sparse_sigmoid") + 1.0, 0.0, 2.0)


def hard_sigmoid(x: Any) -> Array:
    """``relu6(x + 3) / 6``, which is piecewise linear.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.hard_sigmoid(jnp.array([-3.0, 0.0, 3.0]))
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    return relu6(_array(x, "hard_sigmoid") + 3.0) / 6.0


def hard_silu(x: Any) -> Array:
    """``x * hard_sigmoid(x)``, also called hard swish.

    Reference: Howard et al., https://arxiv.org/abs/1905.02244.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.hard_silu(jnp.array([-3.0, 0.0, 3.0]))
      Array([-0.,  0.,  3.], dtype=float32)
    """
    x = _array(x, "hard_silu")
    return x * hard_sigmoid(x)


hard_swish = hard_silu


def hard_tanh(x: Any) -> Array:
    """``x`` moved into [-1, 1]; its derivative at -1 and 1 is 1.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.hard_tanh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.,  0.,  1.], dtype=float32)
    """
    x = _array(x, "hard_tanh")
    below = x if dtypes.is_unsigned(x.aval.dtype) else jnp.where(x < -1, -1, x)
    return jnp.where(x > 1, 1, below)


# -- others
# ------------------------------------------------------------------------------------------------------------


def glu(x: Any, axis: int = -1) -> Array:
    """Gated linear unit: the first half of ``x`` along ``axis`` times the sigmoid of the second half.

    Reference: Dauphin et al., https://arxiv.org/abs/1612.08083.

    Args:
      x: array whose ``axis`` has even size.
      axis: may be negative.

    Returns:
      An array with half the size along ``axis``.

    Raises:
      ValueError: the size of the axis is odd, or there is no such axis.

    Example:
      >>> from fungrad import nn
      >>> import fungrad.numpy as jnp
      >>> nn.glu(jnp.array([1.0, 2.0, 0.0, 0.0]))
      Array([0.5, 1. ], dtype=float32)
    """
    x = _inexact(x, "glu")
    axis = canonical_axis("fungrad.nn.glu", axis, x.ndim)
    if x.shape[axis] % 2:
        raise ValueError(f"fungrad.nn.glu: the size of axis {axis} must be even, got shape {x.shape}")
    value, gate = jnp.split(x, 2, axis)
    return value * logistic(gate)


def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: int = -1) -> Array:
    """Indicator vectors of numbers: 1 at the position of each number, 0 elsewhere.

    Args:
      x: array of integers (others give a warning); those outside ``[0, num_classes)`` give vectors of zeros.
      num_classes: number of positions.
      dtype: of the result; default the default floating dtype.
      axis: position of the new dimension in the result; may be negative.

    Returns:
      An array like ``x`` with a new dimension of size ``num_classes``.

    Raises:
      TypeError: ``num_classes`` is not a known int.
      ValueError: ``axis`` is outside the result.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> fungrad.nn.one_hot(jnp.array([0, 2]), 3)
      Array([[1., 0., 0.],
             [0., 0., 1.]], dtype=float32)
    """
    api = "fungrad.nn.one_hot"
    x = jnp.asarray(x)
    try:
        size = as_size(num_classes)
    except TypeError:
        kind = ConcretizationTypeError if isinstance(num_classes, Tracer) else TypeError
        raise kind(
            f"{api}: num_classes must be an int that is known when the function is traced, got {brief(num_classes)}"
        ) from None
    if not dtypes.is_integer(x.dtype):
        warnings.warn(
            f"{api}: x should be an array of integers, got {x.aval.str_short()}; convert it with .astype(int)",
            DeprecationWarning,
            stacklevel=4,
        )
    axis = canonical_axis(api, axis, x.ndim + 1)
    found = dtypes.default_float() if dtype is None else dtypes.canonicalize_dtype(dtype, api)
    shape = [1] * (x.ndim + 1)
    shape[axis] = size
    holds = dtypes.is_integer(x.dtype) and index_bound(size) <= int(dtypes.iinfo(x.dtype).max)
    index_dtype = x.dtype if holds else jnp.int32
    return (expand_dims(x, (axis,)) == broadcasted_iota(index_dtype, shape, axis)).astype(found)
