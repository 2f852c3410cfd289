"""Initial values of parameters: functions ``(key, shape, dtype) -> array``, and functions that make them.

May import ``core``, ``numpy`` and ``random``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core import dtypes
from fungrad.core.arguments import guarded, index, integers, number
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import canonical_axis

Axes = int | Sequence[int]


class Initializer(Protocol):
    """What an initializer is: a function from a key, a shape and a dtype to an array."""

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array: ...


def _dtype(dtype: Any, default: Any = None) -> np.dtype:
    """The dtype asked for, or else that of the initializer, or else the default floating dtype."""
    chosen = default if dtype is None else dtype
    return dtypes.default_float() if chosen is None else dtypes.canonicalize_dtype(chosen, "fungrad.nn.initializers")


def _check_inexact(name: str, dtype: np.dtype) -> None:
    if not dtypes.is_inexact(dtype):
        raise ValueError(
            f"fungrad.nn.initializers.{name}: dtype must be floating or complex, got {dtypes.display_name(dtype)}"
        )


def _made(name: str, init: Any) -> Initializer:
    """The initializer that is ``init``, which takes a key, a shape and a dtype."""
    api = f"fungrad.nn.initializers.{name}"

    def initializer(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
        if out_sharding is not None:
            return at_sharding(init, out_sharding, api, key, shape, dtype)  # type: ignore[no-any-return]
        return init(key, shape, dtype)  # type: ignore[no-any-return]

    initializer.__name__ = initializer.__qualname__ = init.__name__
    return guarded(api, initializer)  # type: ignore[no-any-return]


# -- constants
# ---------------------------------------------------------------------------------------------------------


def zeros(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
    """Zeros; the key is not used.

    Example:
      >>> from fungrad.nn import initializers
      >>> initializers.zeros(None, (2,))
      Array([0., 0.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(zeros, out_sharding, "fungrad.nn.initializers.zeros", key, shape, dtype)
    return jnp.zeros(shape, _dtype(dtype))


def ones(key: Any, shape: Sequence[int], dtype: Any = None, out_sharding: Any = None) -> Array:
    """Ones; the key is not used.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.ones(random.key(0), (2,))
      Array([1., 1.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(ones, out_sharding, "fungrad.nn.initializers.ones", key, shape, dtype)
    return jnp.ones(shape, _dtype(dtype))


def constant(value: Any, dtype: Any = None) -> Initializer:
    """An initializer that fills arrays with ``value``.

    Args:
      value: scalar, or an array that broadcasts to the shape.
      dtype: default dtype of the initializer.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.constant(0.5)(random.key(0), (2,))
      Array([0.5, 0.5], dtype=float32)
    """
    own = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        return jnp.full(shape, value, _dtype(dtype, own))

    return _made("constant", init)


# -- random numbers
# ----------------------------------------------------------------------------------------------------


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer of uniform numbers in [0, scale).

    Args:
      scale: upper bound.
      dtype: default dtype of the initializer.

    Example:
      >>> import fungrad
      >>> init = fungrad.nn.initializers.uniform(10.0)
      >>> init(fungrad.random.key(0), (2,))
      Array([9.47667 , 9.785799], dtype=float32)
    """
    number("fungrad.nn.initializers.uniform", "scale", scale)
    own = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        found = _dtype(dtype, own)
        _check_inexact("uniform", found)
        return random.uniform(key, shape, found) * jnp.asarray(scale, found)

    return _made("uniform", init)


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer of normal numbers with mean 0.

    Args:
      stddev: standard deviation.
      dtype: default dtype of the initializer.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.normal(0.1)(random.key(0), (2, 3)).shape
      (2, 3)
    """
    number("fungrad.nn.initializers.normal", "stddev", stddev)
    own = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        found = _dtype(dtype, own)
        _check_inexact("normal", found)
        return random.normal(key, shape, found) * jnp.asarray(stddev, found)

    return _made("normal", init)


def truncated_normal(stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0) -> Initializer:
    """An initializer of normal numbers under the condition that they are between bounds.

    Args:
      stddev: factor of the truncated standard normal numbers (the standard deviation before truncation).
      dtype: default dtype of the initializer.
      lower: lower bound, in units of ``stddev``.
      upper: upper bound, likewise.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.truncated_normal(0.1)(random.key(0), (2, 3)).shape
      (2, 3)
    """
    number("fungrad.nn.initializers.truncated_normal", "stddev", stddev)
    own = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        found = _dtype(dtype, own)
        _check_inexact("truncated_normal", found)
        return random.truncated_normal(key, lower, upper, shape, found) * jnp.asarray(stddev, found)

    return _made("truncated_normal", init)


# -- variance scaling
# --------------------------------------------------------------------------------------------------

# Standard deviation of a standard normal number under the condition that it is in [-2, 2].
_TRUNCATED_DEVIATION = 0.87962566103423978


def _axes(axes: Axes) -> tuple[int, ...]:
    return integers("fungrad.nn.initializers.variance_scaling", "axes", axes)


def _fans(shape: Sequence[int], in_axis: Axes, out_axis: Axes, batch_axis: Axes) -> tuple[float, float]:
    """Numbers of inputs of an output, and of outputs of an input."""
    given = [a for axes in (in_axis, out_axis, batch_axis) for a in _axes(axes)]
    if any(not -len(shape) <= a < len(shape) for a in given):
        raise ValueError(
            f"fungrad.nn.initializers.variance_scaling: weights of shape {tuple(shape)} lack dimensions of in_axis "
            f"{in_axis}, out_axis {out_axis} or batch_axis {batch_axis}; pass the axes that they have"
        )
    inputs, outputs = (math.prod(shape[a] for a in _axes(axes)) for axes in (in_axis, out_axis))
    named = Counter(a % len(shape) for axes in (in_axis, out_axis, batch_axis) for a in _axes(axes))
    # All other dimensions are positions of a convolution's window. One that is named twice, as the rows of a table of
    # embeddings may be, divides it.
    window: float = math.prod(n for d, n in enumerate(shape) if d not in named)
    for d, times in named.items():
        window /= max(shape[d], 1) ** (times - 1)
    return inputs * window, outputs * window


def variance_scaling(
    scale: float,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """An initializer of weights whose variance is adapted to the number of inputs or outputs.

    The variance is ``scale / n`` with ``n`` the number of inputs of an output (``mode="fan_in"``), of outputs of an
    input (``"fan_out"``), or the arithmetic (``"fan_avg"``) or geometric (``"fan_geo_avg"``) mean of both.

    Args:
      scale: factor of the variance.
      mode: see above.
      distribution: ``"truncated_normal"``, ``"normal"`` or ``"uniform"``, of mean 0.
      in_axis: dimensions of the inputs.
      out_axis: dimensions of the outputs.
      batch_axis: dimensions that are neither, nor positions of a window.
      dtype: default dtype of the initializer, floating or complex.

    Raises:
      ValueError: the mode or the distribution is unknown; when called, also for shapes with less than two dimensions.

    Example:
      >>> import fungrad
      >>> init = fungrad.nn.initializers.variance_scaling(1.0, "fan_in", "normal")
      >>> init(fungrad.random.key(0), (300, 100)).shape
      (300, 100)
    """
    name, own = "variance_scaling", dtype
    if mode not in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"):
        raise ValueError(
            f"fungrad.nn.initializers.{name}: mode must be 'fan_in', 'fan_out', 'fan_avg' or 'fan_geo_avg', got "
            f"{mode!r}"
        )
    if distribution not in ("truncated_normal", "normal", "uniform"):
        raise ValueError(
            f"fungrad.nn.initializers.{name}: distribution must be 'truncated_normal', 'normal' or 'uniform', got "
            f"{distribution!r}"
        )

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        found = _dtype(dtype, own)
        _check_inexact(name, found)
        fan_in, fan_out = _fans(shape, in_axis, out_axis, batch_axis)
        means = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
            "fan_geo_avg": math.sqrt(fan_in * fan_out),
        }
        count = means[mode]
        return _scaled(key, tuple(shape), found, distribution, scale / count if count else math.inf)

    return _made("variance_scaling", init)


def _scaled(key: Any, shape: tuple[int, ...], dtype: np.dtype, distribution: str, variance: float) -> Array:
    """Numbers of mean 0 and the given variance."""
    real = dtypes.to_real_dtype(dtype)
    deviation = jnp.sqrt(jnp.asarray(variance, real)).astype(dtype)
    if distribution == "normal":
        return random.normal(key, shape, dtype) * deviation
    if dtype != real:
        return _complex_disk(key, shape, dtype, distribution) * deviation
    if distribution == "uniform":
        return random.uniform(key, shape, dtype, -1) * jnp.sqrt(jnp.asarray(3 * variance, dtype))
    deviation = deviation / jnp.asarray(_TRUNCATED_DEVIATION, dtype)
    return random.truncated_normal(key, -2, 2, shape, dtype) * deviation


# Standard deviation of complex normal numbers of variance 1 under the condition that their absolute value is at
# most 2.
_TRUNCATED_COMPLEX_DEVIATION = 0.95311164380491208


def _complex_disk(key: Any, shape: tuple[int, ...], dtype: np.dtype, distribution: str) -> Array:
    """Complex numbers of variance 1, uniform in a disk, or normal and truncated."""
    real = dtypes.to_real_dtype(dtype)
    for_radius, for_angle = random.split(key)
    u = random.uniform(for_radius, shape, real)
    angle = 2 * math.pi * random.uniform(for_angle, shape, real)
    if distribution == "uniform":
        radius = jnp.sqrt(2 * u)
    else:
        radius = jnp.sqrt(-jnp.log(1 - (1 - math.exp(-4)) * u)) / _TRUNCATED_COMPLEX_DEVIATION
    return (radius * jnp.exp(1j * angle.astype(dtype))).astype(dtype)


def glorot_uniform(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """Variance scaling by the mean of inputs and outputs, uniform (Xavier initialization).

    Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Args:
      in_axis, out_axis, batch_axis, dtype: as for ``variance_scaling``.

    Example:
      >>> import fungrad
      >>> init = fungrad.nn.initializers.glorot_uniform()
      >>> init(fungrad.random.key(0), (2, 3)).shape
      (2, 3)
    """
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """Variance scaling by the mean of inputs and outputs, truncated normal (Xavier initialization).

    Args:
      in_axis, out_axis, batch_axis, dtype: as for ``variance_scaling``.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.glorot_normal()(random.key(0), (2, 3)).shape
      (2, 3)
    """
    return variance_scaling(1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def lecun_uniform(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """Variance scaling by the inputs, uniform.

    Args:
      in_axis, out_axis, batch_axis, dtype: as for ``variance_scaling``.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.lecun_uniform()(random.key(0), (2, 3)).shape
      (2, 3)
    """
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """Variance scaling by the inputs, truncated normal.

    Args:
      in_axis, out_axis, batch_axis, dtype: as for ``variance_scaling``.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.lecun_normal()(random.key(0), (2, 3)).shape
      (2, 3)
    """
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """Variance scaling by the inputs with factor 2, uniform (Kaiming initialization, for ``relu``).

    Reference: He et al., https://arxiv.org/abs/1502.01852.

    Args:
      in_axis, out_axis, batch_axis, dtype: as for ``variance_scaling``.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.he_uniform()(random.key(0), (2, 3)).shape
      (2, 3)
    """
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """Variance scaling by the inputs with factor 2, truncated normal (Kaiming initialization, for ``relu``).

    Args:
      in_axis, out_axis, batch_axis, dtype: as for ``variance_scaling``.

    Example:
      >>> from fungrad import random
      >>> from fungrad.nn import initializers
      >>> initializers.he_normal()(random.key(0), (2, 3)).shape
      (2, 3)
    """
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


# -- orthogonal matrices -----------------------------------------------------------------------------------------------


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Uniformly distributed orthogonal matrices: orthonormal columns, or rows if there are fewer of them.

    Reference: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", 2014.

    Args:
      scale: factor of all numbers.
      column_axis: dimension of the columns; all others together are the rows.
      dtype: floating or complex dtype, unless the initializer is called with one.

    Returns:
      An initializer of arrays of at least two dimensions.

    Example:
      >>> import fungrad
      >>> import fungrad.numpy as jnp
      >>> q = fungrad.nn.initializers.orthogonal()(fungrad.random.key(0), (4, 3))
      >>> bool(jnp.allclose(q.T @ q, jnp.eye(3), atol=1e-5))
      True
    """
    own = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        return _orthogonal("orthogonal", key, tuple(shape), _dtype(dtype, own), scale, column_axis)

    return _made("orthogonal", init)


def _orthogonal(name: str, key: Any, shape: tuple[int, ...], dtype: np.dtype, scale: Any, column_axis: int) -> Array:
    _check_inexact(name, dtype)
    if len(shape) < 2:
        raise ValueError(f"fungrad.nn.initializers.{name}: shape must have at least two dimensions, got {shape}")
    axis = canonical_axis(f"fungrad.nn.initializers.{name}", column_axis, len(shape))
    if not math.prod(shape):
        return jnp.zeros(shape, dtype)
    columns = shape[axis]
    q = random.orthogonal(key, math.prod(shape) // columns, (), dtype, columns)
    q = q.reshape(*shape[:axis], *shape[axis + 1 :], columns)
    return jnp.moveaxis(q, -1, axis) * jnp.asarray(scale, dtype)


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Kernels of convolutions that are an orthogonal matrix in the middle and 0 elsewhere.

    Reference: Xiao et al., "Dynamical isometry and a mean field theory of CNNs", 2018.

    Args:
      scale: factor of all numbers.
      column_axis: dimension of the columns of the matrix.
      dtype: floating or complex dtype, unless the initializer is called with one.

    Returns:
      An initializer of arrays of shape ``[*window, inputs, outputs]`` with one to three dimensions of the window, and
      no fewer outputs than inputs.

    Example:
      >>> import fungrad
      >>> w = fungrad.nn.initializers.delta_orthogonal()(fungrad.random.key(0), (3, 3, 4, 8))
      >>> int((w != 0).any((2, 3)).sum())
      1
    """
    own = dtype

    def init(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        name, dims = "delta_orthogonal", tuple(shape)
        if len(dims) not in (3, 4, 5):
            raise ValueError(f"fungrad.nn.initializers.{name}: shape must have three to five dimensions, got {dims}")
        if dims[-1] < dims[-2]:
            raise ValueError(
                f"fungrad.nn.initializers.{name}: shape must not have fewer outputs (the last dimension) than inputs, "
                f"got {dims}"
            )
        found = _dtype(dtype, own)
        matrix = _orthogonal(name, key, dims[-2:], found, scale, column_axis)
        middle = tuple((k - 1) // 2 for k in dims[:-2])
        return jnp.zeros(dims, found).at[middle].set(matrix)

    return _made("delta_orthogonal", init)


def blockwise(init: Initializer, blocks: int, axis: int = -1) -> Initializer:
    """Several blocks side by side, each made by ``init`` on its own, as for the gates of a recurrent layer.

    Args:
      init: initializer of a block.
      blocks: number of blocks.
      axis: dimension along which they are put together; its size must be a multiple of ``blocks``.

    Returns:
      An initializer.

    Example:
      >>> from fungrad import nn, random
      >>> init = nn.initializers.blockwise(nn.initializers.orthogonal(), 4)
      >>> nn.lstm.init(random.key(0), 3, 5, recurrent_init=init)["recurrent_kernel"].shape
      (5, 20)
    """
    api = "fungrad.nn.initializers.blockwise"
    count = index(api, "blocks", blocks, 1)

    def make(key: Any, shape: Sequence[int], dtype: Any = None) -> Array:
        dims = list(shape)
        place = canonical_axis(api, axis, len(dims))
        if dims[place] % count:
            raise ValueError(f"{api}: the size {dims[place]} of axis {axis} must be a multiple of {count} blocks")
        dims[place] //= count
        return jnp.concatenate([init(k, dims, dtype) for k in random.split(key, count)], place)

    return guarded(api, make)


xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal

__all__ = [
    "Initializer",
    "blockwise",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

publish(globals(), __name__, __all__, early=[name for name in __all__ if name not in ("zeros", "ones")])
