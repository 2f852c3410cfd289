"""TensorFlow's functions of tensors, under its names and in its places (``tf.math``, ``tf.nn``, ``tf.random``).

May import ``styles.tape.tensors``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import fungrad.numpy as jnp
from fungrad import custom_vjp, nn as _nn, optim, random as _random
from fungrad.styles._graph import apply, box, lift
from fungrad.styles._losses import LOSSES
from fungrad.styles.tape.tensors import Tensor, to_array


def convert_to_tensor(value: Any, dtype: Any = None) -> Tensor:
    """A tensor of numbers, lists or arrays.

    Example:
      >>> from fungrad.styles import tape as tf
      >>> tf.convert_to_tensor([1.0, 2.0])
      <Tensor: shape=(2,), dtype=float32, numpy=[1., 2.]>
    """
    return value if type(value) is Tensor and dtype is None else Tensor(value, dtype)


constant = convert_to_tensor


def _named(table: dict[str, Callable]) -> dict[str, Callable]:
    out = {}
    for name, fun in table.items():
        out[name] = lift(fun, Tensor, name)
        out[name].__doc__ = f"``tf.{name}`` of tensors and variables."
        out[name].__module__ = __name__
    return out


def _reduction(fun: Callable) -> Callable:
    return lambda x, axis=None, keepdims=False: fun(x, axis=axis, keepdims=keepdims)


MATH = _named({
    "abs": jnp.abs, "add": jnp.add, "ceil": jnp.ceil, "cos": jnp.cos, "divide": jnp.true_divide, "equal": jnp.equal,
    "exp": jnp.exp, "expm1": jnp.expm1, "floor": jnp.floor, "greater": jnp.greater, "less": jnp.less, "log": jnp.log,
    "log1p": jnp.log1p, "maximum": jnp.maximum, "minimum": jnp.minimum, "multiply": jnp.multiply,
    "negative": jnp.negative, "pow": jnp.power, "round": jnp.round, "sigmoid": _nn.sigmoid, "sign": jnp.sign,
    "sin": jnp.sin, "softplus": _nn.softplus, "sqrt": jnp.sqrt, "square": jnp.square, "subtract": jnp.subtract,
    "tan": jnp.tan, "tanh": jnp.tanh, "argmax": lambda x, axis=0: jnp.argmax(x, axis),
    "argmin": lambda x, axis=0: jnp.argmin(x, axis), "cumsum": lambda x, axis=0: jnp.cumsum(x, axis),
    "reduce_sum": _reduction(jnp.sum), "reduce_mean": _reduction(jnp.mean), "reduce_max": _reduction(jnp.max),
    "reduce_min": _reduction(jnp.min), "reduce_prod": _reduction(jnp.prod), "reduce_std": _reduction(jnp.std),
    "reduce_variance": _reduction(jnp.var), "reduce_logsumexp": _reduction(_nn.logsumexp),
})  # fmt: skip
SHAPES = _named({
    "matmul": lambda a, b, transpose_a=False, transpose_b=False: jnp.matmul(
        jnp.swapaxes(a, -1, -2) if transpose_a else a, jnp.swapaxes(b, -1, -2) if transpose_b else b
    ),
    "cast": lambda x, dtype: x.astype(dtype), "concat": lambda values, axis: jnp.concatenate(values, axis),
    "stack": lambda values, axis=0: jnp.stack(values, axis), "reshape": jnp.reshape,
    "transpose": lambda x, perm=None: jnp.transpose(x, perm), "squeeze": lambda x, axis=None: jnp.squeeze(x, axis),
    "expand_dims": jnp.expand_dims, "gather": lambda x, indices, axis=0: jnp.take(x, indices, axis),
    "where": jnp.where, "identity": jnp.copy, "norm": jnp.linalg.norm, "zeros_like": jnp.zeros_like,
    "ones_like": jnp.ones_like, "clip_by_value": jnp.clip, "one_hot": lambda x, depth: _nn.one_hot(x, depth),
})  # fmt: skip
_NN = _named({
    "relu": _nn.relu, "sigmoid": _nn.sigmoid, "softmax": _nn.softmax, "log_softmax": _nn.log_softmax,
    "softplus": _nn.softplus, "tanh": jnp.tanh, "leaky_relu": lambda x, alpha=0.2: _nn.leaky_relu(x, alpha),
    "elu": _nn.elu, "selu": _nn.selu, "gelu": lambda x, approximate=False: _nn.gelu(x, approximate),
    "softmax_cross_entropy_with_logits": lambda labels, logits: optim.softmax_cross_entropy(logits, labels),
    "sparse_softmax_cross_entropy_with_logits":
        lambda labels, logits: optim.softmax_cross_entropy_with_integer_labels(logits, labels),
    "sigmoid_cross_entropy_with_logits": lambda labels, logits: optim.sigmoid_binary_cross_entropy(logits, labels),
})  # fmt: skip
math = SimpleNamespace(**MATH)
nn = SimpleNamespace(**_NN)
_TOP = """abs add argmax argmin cos cumsum divide equal exp floor greater less maximum minimum multiply negative pow
    reduce_max reduce_mean reduce_min reduce_prod reduce_sum round sigmoid sign sin sqrt square subtract tan
    tanh""".split()
globals().update({name: MATH[name] for name in _TOP} | SHAPES)


def zeros(shape: Sequence[int], dtype: Any = jnp.float32) -> Tensor:
    """A tensor of zeros."""
    return box(jnp.zeros(tuple(shape), dtype), Tensor)  # type: ignore[return-value]


def ones(shape: Sequence[int], dtype: Any = jnp.float32) -> Tensor:
    """A tensor of ones."""
    return box(jnp.ones(tuple(shape), dtype), Tensor)  # type: ignore[return-value]


def stop_gradient(x: Any) -> Tensor:
    """The same numbers, which no tape follows back."""
    return box(to_array(x), Tensor)  # type: ignore[return-value]


def custom_gradient(f: Callable) -> Callable:
    """A function with a gradient of its own: ``f`` returns the result and the function from cotangent to cotangents.

    Example:
      >>> from fungrad.styles import tape as tf
      >>> @tf.custom_gradient
      ... def passes(x):
      ...   return tf.round(x), lambda upstream: upstream
      >>> x = tf.Variable(1.7)
      >>> with tf.GradientTape() as t:
      ...   y = passes(x)
      >>> float(y), float(t.gradient(y, x))
      (2.0, 1.0)
    """

    def boxed(value: Any) -> Tensor:
        return box(value, Tensor)  # type: ignore[return-value]

    @custom_vjp
    def on_arrays(*args: Any) -> Any:
        return to_array(f(*map(boxed, args))[0])

    def forward(*args: Any) -> Any:
        return on_arrays(*args), args

    def backward(args: Any, ct: Any) -> Any:
        back = f(*map(boxed, args))[1](boxed(ct))
        return tuple(to_array(b) for b in (back if isinstance(back, (tuple, list)) else [back]))

    on_arrays.defvjp(forward, backward)
    return lambda *args: apply(on_arrays, args, name=getattr(f, "__name__", "custom"))


class _Generator(threading.local):
    key: Any = None


_generator = _Generator()


def next_key() -> Any:
    """A fresh key from the hidden generator of this style."""
    if _generator.key is None:
        _generator.key = _random.key(0)
    _generator.key, out = _random.split(_generator.key)
    return out


def _set_seed(seed: int) -> None:
    """Starts the generator anew."""
    _generator.key = _random.key(seed)


def _drawn(value: Any) -> Tensor:
    return box(value, Tensor)  # type: ignore[return-value]


random = SimpleNamespace(
    set_seed=_set_seed,
    uniform=lambda shape, minval=0.0, maxval=1.0: _drawn(
        _random.uniform(next_key(), tuple(shape), minval=minval, maxval=maxval)
    ),
    normal=lambda shape, mean=0.0, stddev=1.0: _drawn(mean + stddev * _random.normal(next_key(), tuple(shape))),
    shuffle=lambda x: _drawn(_random.permutation(next_key(), to_array(x))),
)


# -- losses: of each example, as there --------------------------------------------------------------------------------


class Loss:
    """A loss as an object: the mean over all examples.

    Args:
      from_logits: whether predictions are logits, for cross-entropies.
    """

    def __init__(self, function: Callable, **options: Any):
        self._function, self._options = function, options

    def __call__(self, y_true: Any, y_pred: Any) -> Tensor:
        mean = lambda y_true, y_pred: jnp.mean(self._function(y_true, y_pred, **self._options))  # noqa: E731
        return apply(mean, (to_array(y_true) if not isinstance(y_true, Tensor) else y_true, y_pred), name="loss")


def _loss_class(name: str) -> Callable:
    def make(**options: Any) -> Loss:
        return Loss(LOSSES[name], **options)

    make.__doc__ = f"``{name}`` as an object: the mean over all examples."
    return make


_FUNCTIONS = _named(LOSSES)
losses = SimpleNamespace(
    **_FUNCTIONS,
    MSE=_FUNCTIONS["mean_squared_error"],
    mse=_FUNCTIONS["mean_squared_error"],
    MAE=_FUNCTIONS["mean_absolute_error"],
    mae=_FUNCTIONS["mean_absolute_error"],
    MeanSquaredError=_loss_class("mean_squared_error"),
    MeanAbsoluteError=_loss_class("mean_absolute_error"),
    CategoricalCrossentropy=_loss_class("categorical_crossentropy"),
    SparseCategoricalCrossentropy=_loss_class("sparse_categorical_crossentropy"),
    BinaryCrossentropy=_loss_class("binary_crossentropy"),
)

__all__ = [
    *_TOP, *SHAPES, "constant", "convert_to_tensor", "custom_gradient", "losses", "math", "nn", "ones", "random",
    "stop_gradient", "zeros",
]  # fmt: skip
