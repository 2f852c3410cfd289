"""Layers as pairs of functions (``jax.example_libraries.stax``); `fungrad.nn` has more.

A layer is a pair ``(init_fun, apply_fun)``: ``init_fun(key, input_shape)`` returns the shape of the result and
parameters, ``apply_fun(params, inputs, **kwargs)`` the result; ``rng=`` is a key for layers that are random.

Example:
  >>> import fungrad
  >>> from fungrad.example_libraries import stax
  >>> init, apply = stax.serial(stax.Dense(8), stax.Relu, stax.Dense(2), stax.LogSoftmax)
  >>> shape, params = init(fungrad.random.key(0), (-1, 3))
  >>> shape, apply(params, fungrad.numpy.ones((4, 3))).shape
  ((-1, 2), (4, 2))
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad import lax, nn, numpy as jnp, random
from fungrad.core.public_names import publish
from fungrad.nn.initializers import glorot_normal, normal, ones, zeros

__all__ = [
    "AvgPool",
    "BatchNorm",
    "Conv",
    "Conv1DTranspose",
    "ConvTranspose",
    "Dense",
    "Dropout",
    "Elu",
    "Exp",
    "FanInConcat",
    "FanInSum",
    "FanOut",
    "Flatten",
    "Gelu",
    "GeneralConv",
    "GeneralConvTranspose",
    "Identity",
    "LeakyRelu",
    "LogSoftmax",
    "MaxPool",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SumPool",
    "Tanh",
    "elementwise",
    "parallel",
    "serial",
    "shape_dependent",
    "glorot",
    "randn",
]

glorot = glorot_normal
randn = normal

Layer = tuple[Callable[..., Any], Callable[..., Any]]


def _without_parameters(shape_of: Callable[[Any], Any], apply: Callable[[Any], Any]) -> Layer:
    return (lambda rng, input_shape: (shape_of(input_shape), ())), (lambda params, inputs, **kwargs: apply(inputs))


def _same(shape: Any) -> Any:
    return shape


def Dense(out_dim: int, W_init: Callable = glorot_normal(), b_init: Callable = normal()) -> Layer:  # noqa: N802, B008
    """``x @ W + b``."""

    def init_fun(rng: Any, input_shape: Any) -> tuple:
        k1, k2 = random.split(rng)
        return (*input_shape[:-1], out_dim), (W_init(k1, (input_shape[-1], out_dim)), b_init(k2, (out_dim,)))

    return init_fun, lambda params, inputs, **kwargs: jnp.dot(inputs, params[0]) + params[1]


def _convolution(shape_of: Callable, convolve: Callable) -> Callable[..., Layer]:
    def layer(
        dimension_numbers: Sequence[str], out_chan: int, filter_shape: Sequence[int], strides: Any = None,
        padding: Any = "VALID", W_init: Any = None, b_init: Callable = normal(1e-6),  # noqa: B008
    ) -> Layer:  # fmt: skip
        """A convolution with a bias; the kernel has the sizes ``filter_shape``."""
        lhs, rhs, out = dimension_numbers
        steps = tuple(strides or (1,) * len(filter_shape))
        make = W_init or glorot_normal(rhs.index("I"), rhs.index("O"))

        def init_fun(rng: Any, input_shape: Any) -> tuple:
            sizes = iter(filter_shape)
            known = {"O": out_chan, "I": input_shape[lhs.index("C")]}
            kernel = tuple([known[c] if c in known else next(sizes) for c in rhs])
            k1, k2 = random.split(rng)
            bias = b_init(k2, tuple([out_chan if c == "C" else 1 for c in out]))
            return shape_of(input_shape, kernel, steps, padding, dimension_numbers), (make(k1, kernel), bias)

        def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
            return convolve(inputs, params[0], steps, padding, dimension_numbers=dimension_numbers) + params[1]

        return init_fun, apply_fun

    return layer


GeneralConv = _convolution(lax.conv_general_shape_tuple, lax.conv_general_dilated)
GeneralConvTranspose = _convolution(lax.conv_transpose_shape_tuple, lax.conv_transpose)
Conv = functools.partial(GeneralConv, ("NHWC", "HWIO", "NHWC"))
Conv1DTranspose = functools.partial(GeneralConvTranspose, ("NHC", "HIO", "NHC"))
ConvTranspose = functools.partial(GeneralConvTranspose, ("NHWC", "HWIO", "NHWC"))


def BatchNorm(  # noqa: N802
    axis: Any = (0, 1, 2), epsilon: float = 1e-5, center: bool = True, scale: bool = True,
    beta_init: Callable = zeros, gamma_init: Callable = ones,
) -> Layer:  # fmt: skip
    """Normalisation by mean and variance over the dimensions ``axis``, then scale and shift."""
    axes = (axis,) if np.ndim(axis) == 0 else tuple(axis)

    def init_fun(rng: Any, input_shape: Any) -> tuple:
        shape = tuple([d for i, d in enumerate(input_shape) if i not in axes])
        k1, k2 = random.split(rng)
        return input_shape, (beta_init(k1, shape) if center else (), gamma_init(k2, shape) if scale else ())

    def apply_fun(params: Any, x: Any, **kwargs: Any) -> Any:
        beta, gamma = params
        spread = tuple([None if i in axes else slice(None) for i in range(jnp.ndim(x))])
        z = nn.standardize(x, axes, epsilon=epsilon)
        z = gamma[spread] * z if scale else z
        return z + beta[spread] if center else z

    return init_fun, apply_fun


def elementwise(fun: Callable, **fun_kwargs: Any) -> Layer:
    """A layer that applies a function of arrays."""
    return _without_parameters(_same, lambda x: fun(x, **fun_kwargs))


Tanh = elementwise(jnp.tanh)
Relu = elementwise(nn.relu)
Exp = elementwise(jnp.exp)
LogSoftmax = elementwise(nn.log_softmax, axis=-1)
Softmax = elementwise(nn.softmax, axis=-1)
Softplus = elementwise(nn.softplus)
Sigmoid = elementwise(nn.sigmoid)
Elu = elementwise(nn.elu)
LeakyRelu = elementwise(nn.leaky_relu)
Selu = elementwise(nn.selu)
Gelu = elementwise(nn.gelu)


def _pooling(name: str, reducer: Callable, start: float, mean: bool = False) -> Callable[..., Layer]:
    def layer(
        window_shape: Sequence[int], strides: Any = None, padding: Any = "VALID", spec: str | None = None
    ) -> Layer:
        n = len(window_shape)
        fixed = (0, n + 1) if spec is None else (spec.index("N"), spec.index("C"))
        sizes, steps = iter(window_shape), iter(strides or (1,) * n)
        window = tuple([1 if i in fixed else next(sizes) for i in range(n + 2)])
        moves = tuple([1 if i in fixed else next(steps) for i in range(n + 2)])

        def pool(x: Any) -> Any:
            out = lax.reduce_window(x, start, reducer, window, moves, padding)
            if not mean:
                return out
            # At the border a window has fewer elements.
            each = jnp.ones([1 if i in fixed else d for i, d in enumerate(x.shape)], x.dtype)
            return out / lax.reduce_window(each, 0.0, lax.add, window, moves, padding)

        def shape_of(shape: Any) -> tuple[int, ...]:
            pads = lax.padtype_to_pads(shape, window, moves, padding) if isinstance(padding, str) else padding
            lengths = zip(shape, pads, window, moves, strict=True)
            return tuple([(d + low + high - w) // s + 1 for d, (low, high), w, s in lengths])

        return _without_parameters(shape_of, pool)

    layer.__name__ = layer.__qualname__ = name
    layer.__doc__ = f"Reduction over windows of the spatial dimensions: {name}."
    return layer


MaxPool = _pooling("MaxPool", lax.max, -jnp.inf)
SumPool = _pooling("SumPool", lax.add, 0.0)
AvgPool = _pooling("AvgPool", lax.add, 0.0, mean=True)

Flatten = _without_parameters(
    lambda shape: (shape[0], math.prod(shape[1:])), lambda x: jnp.reshape(x, (x.shape[0], -1))
)
Identity = _without_parameters(_same, lambda x: x)
FanInSum = _without_parameters(lambda shapes: shapes[0], sum)


def FanOut(num: int) -> Layer:  # noqa: N802
    """``num`` copies of the input."""
    return _without_parameters(lambda shape: [shape] * num, lambda x: [x] * num)


def FanInConcat(axis: int = -1) -> Layer:  # noqa: N802
    """The inputs concatenated along ``axis``."""

    def shape_of(shapes: Any) -> tuple[int, ...]:
        at = axis % len(shapes[0])
        return (*shapes[0][:at], sum(s[at] for s in shapes), *shapes[0][at + 1 :])

    return _without_parameters(shape_of, lambda xs: jnp.concatenate(xs, axis))


def Dropout(rate: float, mode: str = "train") -> Layer:  # noqa: N802
    """Keeps each element with probability ``rate`` and divides it by that, in the mode ``train``.

    Raises:
      ValueError: when applied without a key (``rng=``).
    """

    def apply_fun(params: Any, inputs: Any, *, rng: Any = None, **kwargs: Any) -> Any:
        if rng is None:
            raise ValueError(
                "fungrad.example_libraries.stax.Dropout: apply_fun needs a random key: "
                "apply_fun(params, inputs, rng=key)"
            )
        return jnp.where(random.bernoulli(rng, rate, inputs.shape), inputs / rate, 0) if mode == "train" else inputs

    return (lambda rng, input_shape: (input_shape, ())), apply_fun


def _keys(rng: Any, count: int) -> Any:
    return (None,) * count if rng is None else random.split(rng, count)


def serial(*layers: Layer) -> Layer:
    """One layer after the other."""

    def init_fun(rng: Any, input_shape: Any) -> tuple:
        params = []
        for init, _ in layers:
            rng, key = random.split(rng)
            input_shape, made = init(key, input_shape)
            params.append(made)
        return input_shape, params

    def apply_fun(params: Any, inputs: Any, *, rng: Any = None, **kwargs: Any) -> Any:
        for (_, apply), p, key in zip(layers, params, _keys(rng, len(layers)), strict=True):
            inputs = apply(p, inputs, rng=key, **kwargs)
        return inputs

    return init_fun, apply_fun


def parallel(*layers: Layer) -> Layer:
    """Each layer on an input of its own; see `FanOut` and `FanInSum`."""

    def init_fun(rng: Any, input_shape: Any) -> tuple:
        keys = random.split(rng, len(layers))
        made = [init(key, shape) for (init, _), key, shape in zip(layers, keys, input_shape, strict=True)]
        return tuple([s for s, _ in made]), tuple([p for _, p in made])

    def apply_fun(params: Any, inputs: Any, *, rng: Any = None, **kwargs: Any) -> list[Any]:
        rows = zip(layers, params, inputs, _keys(rng, len(layers)), strict=True)
        return [apply(p, x, rng=key, **kwargs) for (_, apply), p, x, key in rows]

    return init_fun, apply_fun


def shape_dependent(make_layer: Callable[[Any], Layer]) -> Layer:
    """The layer ``make_layer(input_shape)``, made when the shape is known."""
    return (
        lambda rng, input_shape: make_layer(input_shape)[0](rng, input_shape),
        lambda params, inputs, **kwargs: make_layer(inputs.shape)[1](params, inputs, **kwargs),
    )


publish(globals(), __name__, __all__)
