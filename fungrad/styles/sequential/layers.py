"""``keras.layers``: what a ``Sequential`` is made of.

A layer here is a description: ``build`` makes a dict of parameters and a dict of state for the shape of an input, and
``call`` is a pure function of them.  The model holds the numbers.

May import ``fungrad``'s public modules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import fungrad.numpy as jnp
from fungrad import lax, nn, random
from fungrad.nn import initializers

INITIALIZERS: dict[str, Callable] = {
    "zeros": lambda: initializers.zeros,
    "ones": lambda: initializers.ones,
    "glorot_uniform": initializers.glorot_uniform,
    "glorot_normal": initializers.glorot_normal,
    "he_uniform": initializers.he_uniform,
    "he_normal": initializers.he_normal,
    "lecun_uniform": initializers.lecun_uniform,
    "lecun_normal": initializers.lecun_normal,
    "random_normal": lambda: initializers.normal(0.05),
    "random_uniform": lambda: lambda key, shape, dtype=None: random.uniform(key, shape, minval=-0.05, maxval=0.05),
}
ACTIVATIONS: dict[str, Callable] = {
    "linear": lambda x: x,
    "relu": nn.relu,
    "sigmoid": nn.sigmoid,
    "tanh": jnp.tanh,
    "softmax": nn.softmax,
    "softplus": nn.softplus,
    "elu": nn.elu,
    "selu": nn.selu,
    "gelu": lambda x: nn.gelu(x, approximate=False),
    "swish": nn.swish,
    "leaky_relu": lambda x: nn.leaky_relu(x, 0.2),
    "exponential": jnp.exp,
}


def chosen(what: str, name: Any, table: dict[str, Callable]) -> Any:
    """The entry of a table, or the function that was given instead of a name."""
    if name is None or callable(name):
        return name
    if name not in table:
        raise ValueError(f"Unknown {what}: {name!r}; choose {', '.join(table)}, or give a function")
    return table[name]


def _initializer(name: Any) -> Any:
    if callable(name):
        return name
    return chosen("initializer", name, INITIALIZERS)()


class Regularizer:
    """A penalty on weights: ``l1 * sum(abs(w)) + l2 * sum(w ** 2)``."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = l1, l2

    def __call__(self, w: Any) -> Any:
        return self.l1 * jnp.sum(jnp.abs(w)) + self.l2 * jnp.sum(jnp.square(w))


class MaxNorm:
    """A constraint: columns of weights are scaled down to at most this length."""

    def __init__(self, max_value: float = 2.0, axis: int = 0):
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norms = jnp.sqrt(jnp.sum(jnp.square(w), axis=self.axis, keepdims=True))
        return w * (jnp.clip(norms, 0, self.max_value) / (1e-7 + norms))


def _regularizer(value: Any) -> Any:
    table = {"l1": Regularizer(0.01), "l2": Regularizer(0.0, 0.01), "l1_l2": Regularizer(0.01, 0.01)}
    return chosen("regularizer", value, table)  # type: ignore[arg-type]


class Layer:
    """The base class; a layer without parameters overrides ``call`` alone.

    Attributes:
      name: how it is called in ``summary``.
      trainable: whether its parameters change in ``fit``.
      params: its parameters, once the model is built.
    """

    def __init__(self, name: str | None = None, trainable: bool = True, input_shape: Sequence[int] | None = None):
        self.name, self.trainable = name, trainable
        self.input_shape = None if input_shape is None else tuple(input_shape)

    def build(self, key: Any, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and state for inputs of a shape (without the axis of examples)."""
        return {}, {}

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        """The result for a batch, and the new state."""
        raise NotImplementedError

    def penalty(self, params: Any) -> Any:
        """What its regularizers add to the loss."""
        return 0.0

    def constrain(self, params: Any) -> Any:
        """The parameters after a step, as its constraints want them."""
        return params


class Dense(Layer):
    """``activation(x @ kernel + bias)``.

    Args:
      units: size of the result.
      activation: a name or a function; None for none.
      use_bias: whether something is added.
      kernel_initializer: a name, or a function of key, shape and dtype.
      bias_initializer: the same for the bias.
      kernel_regularizer: ``regularizers.L2(0.01)`` or such.
      bias_regularizer: the same for the bias.
      kernel_constraint: ``constraints.MaxNorm(2.0)`` or such.
      **options: ``name``, ``trainable``, ``input_shape``.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        if not isinstance(units, int) or units <= 0:
            raise ValueError(
                f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
            )
        self.units, self.use_bias = units, use_bias
        self.activation = chosen("activation function", activation, ACTIVATIONS) or ACTIVATIONS["linear"]
        self.kernel_initializer, self.bias_initializer = (
            _initializer(kernel_initializer),
            _initializer(bias_initializer),
        )
        self.kernel_regularizer, self.bias_regularizer = (
            _regularizer(kernel_regularizer),
            _regularizer(bias_regularizer),
        )
        self.kernel_constraint = kernel_constraint

    def build(self, key: Any, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        first, second = random.split(key)
        params = {"kernel": self.kernel_initializer(first, (shape[-1], self.units), jnp.float32)}
        if self.use_bias:
            params["bias"] = self.bias_initializer(second, (self.units,), jnp.float32)
        return params, {}

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        out = x @ params["kernel"]
        return self.activation(out + params["bias"] if self.use_bias else out), state

    def penalty(self, params: Any) -> Any:
        kernel = self.kernel_regularizer(params["kernel"]) if self.kernel_regularizer else 0.0
        return kernel + (self.bias_regularizer(params["bias"]) if self.bias_regularizer else 0.0)

    def constrain(self, params: Any) -> Any:
        if self.kernel_constraint is None:
            return params
        return params | {"kernel": self.kernel_constraint(params["kernel"])}


class Conv2D(Layer):
    """Convolution of images ``[batch, height, width, channels]``.

    Args:
      filters: channels of the result.
      kernel_size: height and width of the kernel, a number if they are equal.
      strides: steps between places.
      padding: ``"valid"`` or ``"same"``.
      activation: a name or a function; None for none.
      **options: ``name``, ``trainable``, ``input_shape``.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        activation: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.filters, self.padding = filters, padding.upper()
        self.kernel_size, self.strides = _pair(kernel_size), _pair(strides)
        self.activation = chosen("activation function", activation, ACTIVATIONS) or ACTIVATIONS["linear"]

    def build(self, key: Any, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        kernel = initializers.glorot_uniform()(key, (*self.kernel_size, shape[-1], self.filters), jnp.float32)
        return {"kernel": kernel, "bias": jnp.zeros(self.filters)}, {}

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        layout = ("NHWC", "HWIO", "NHWC")
        out = lax.conv_general_dilated(x, params["kernel"], self.strides, self.padding, dimension_numbers=layout)
        return self.activation(out + params["bias"]), state


class _Pool(Layer):
    """Windows of images ``[batch, height, width, channels]``."""

    def __init__(self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", **options: Any):
        super().__init__(**options)
        self.window, self.padding = (1, *_pair(pool_size), 1), padding.upper()
        self.steps = self.window if strides is None else (1, *_pair(strides), 1)


class MaxPooling2D(_Pool):
    """The maxima of windows."""

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return lax.reduce_window(x, -jnp.inf, lax.max, self.window, self.steps, self.padding), state


class AveragePooling2D(_Pool):
    """The means of windows; at the border, of what is inside."""

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        total = lax.reduce_window(x, 0.0, lax.add, self.window, self.steps, self.padding)
        return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, self.window, self.steps, self.padding), state


class Embedding(Layer):
    """Rows of a table, by number."""

    def __init__(self, input_dim: int, output_dim: int, **options: Any):
        super().__init__(**options)
        self.input_dim, self.output_dim = input_dim, output_dim

    def build(self, key: Any, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        table = random.uniform(key, (self.input_dim, self.output_dim), minval=-0.05, maxval=0.05)
        return {"embeddings": table}, {}

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return params["embeddings"][x.astype(jnp.int32)], state


class BatchNormalization(Layer):
    """Normalises along the batch in training, and with running means afterwards (Ioffe and Szegedy, 2015)."""

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-3, **options: Any):
        super().__init__(**options)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, key: Any, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        return nn.batch_norm.init(None, shape[-1])

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return nn.batch_norm.apply(params, state, x, training=training, momentum=self.momentum, epsilon=self.epsilon)


class LayerNormalization(Layer):
    """Normalises along the last axis (Ba, Kiros and Hinton, 2016)."""

    def __init__(self, epsilon: float = 1e-3, **options: Any):
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, key: Any, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"gamma": jnp.ones(shape[-1]), "beta": jnp.zeros(shape[-1])}, {}

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return nn.standardize(x, epsilon=self.epsilon) * params["gamma"] + params["beta"], state


class Dropout(Layer):
    """Sets elements to zero in training, and scales the others (Srivastava et al., 2014)."""

    def __init__(self, rate: float, **options: Any):
        super().__init__(**options)
        if not 0 <= rate <= 1:
            raise ValueError(
                f"Invalid value received for argument `rate`. Expected a float between 0 and 1. Received: rate={rate}"
            )
        self.rate = rate

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return (nn.dropout(key, x, self.rate) if training and self.rate else x), state


class GaussianNoise(Layer):
    """Adds normal noise in training."""

    def __init__(self, stddev: float, **options: Any):
        super().__init__(**options)
        self.stddev = stddev

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return (x + self.stddev * random.normal(key, x.shape, x.dtype) if training else x), state


class Activation(Layer):
    """A function of each element."""

    def __init__(self, activation: Any, **options: Any):
        super().__init__(**options)
        self.activation = chosen("activation function", activation, ACTIVATIONS)

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return self.activation(x), state


class ReLU(Activation):
    """``max(x, 0)``."""

    def __init__(self, **options: Any):
        super().__init__("relu", **options)


class Softmax(Activation):
    """Exponentials that sum to one."""

    def __init__(self, **options: Any):
        super().__init__("softmax", **options)


class Flatten(Layer):
    """All axes but that of the examples in one."""

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), state


class Reshape(Layer):
    """Another shape for each example."""

    def __init__(self, target_shape: Sequence[int], **options: Any):
        super().__init__(**options)
        self.target_shape = tuple(target_shape)

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return x.reshape(x.shape[0], *self.target_shape), state


class GlobalAveragePooling2D(Layer):
    """The mean over height and width."""

    def call(self, params: Any, state: Any, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        return jnp.mean(x, axis=(1, 2)), state


def Input(shape: Sequence[int]) -> Layer:  # noqa: N802 - a class there
    """Says the shape of an example, so that the model is built at once."""
    layer = Activation("linear", name="input", input_shape=shape)
    layer.is_input = True  # type: ignore[attr-defined]
    return layer


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
