"""PyTorch's functions of tensors: those of ``fungrad.numpy``, ``fungrad.nn`` and ``fungrad.random`` under its names.

May import ``styles.eager.tensor``.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import nn, random
from fungrad.scipy import special
from fungrad.styles._graph import Box, apply, box, unbox
from fungrad.styles.eager.tensor import Tensor


def _lifted(fun: Callable, name: str, doc: str) -> Callable:
    """A function of arrays under PyTorch's name, with its ``dim`` and ``keepdim``."""

    @functools.wraps(fun)
    def lifted(*args: Any, **kwargs: Any) -> Any:
        for theirs, ours in (("dim", "axis"), ("keepdim", "keepdims")):
            if theirs in kwargs:
                kwargs[ours] = kwargs.pop(theirs)
        out = apply(fun, args, kwargs, name)
        return out if isinstance(out, Box) else box(jnp.asarray(out), Tensor)

    lifted.__name__ = lifted.__qualname__ = name
    lifted.__module__ = __name__
    lifted.__doc__ = doc
    del lifted.__wrapped__  # type: ignore[attr-defined]
    return lifted


_SAME = """abs acos arange asin atan atan2 ceil cos cosh cumprod cumsum exp expm1 eye floor isfinite isinf isnan
    linspace log log10 log1p log2 logical_and logical_not logical_or matmul maximum minimum outer prod round
    sign sin sinh sqrt square tan tanh tril triu where""".split()
_RENAMED = {
    "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "div": jnp.true_divide, "neg": jnp.negative,
    "pow": jnp.power, "mm": jnp.matmul, "bmm": jnp.matmul, "dot": jnp.dot, "eq": jnp.equal, "ne": jnp.not_equal,
    "gt": jnp.greater, "ge": jnp.greater_equal, "lt": jnp.less, "le": jnp.less_equal, "flip": jnp.flip,
    "sigmoid": nn.sigmoid, "relu": nn.relu, "softmax": nn.softmax, "log_softmax": nn.log_softmax,
    "logsumexp": nn.logsumexp, "argmax": jnp.argmax, "argmin": jnp.argmin, "sum": jnp.sum, "mean": jnp.mean,
    "amax": jnp.max, "amin": jnp.min, "all": jnp.all, "any": jnp.any, "norm": jnp.linalg.norm,
    "concatenate": jnp.concatenate, "diag": jnp.diag, "erf": None,
}  # fmt: skip


def _make() -> dict[str, Callable]:
    table = {name: getattr(jnp, name) for name in _SAME} | _RENAMED | {"erf": special.erf}
    return {
        name: _lifted(
            fun, name, f"``torch.{name}``: ``{fun.__module__.partition('._')[0]}.{fun.__name__}`` of tensors."
        )
        for name, fun in table.items()
    }


FUNCTIONS = _make()
globals().update(FUNCTIONS)


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of numbers, lists or arrays, copied.

    Args:
      data: what it holds; Python floats become float32.
      dtype: type of the elements.
      requires_grad: whether gradients are collected in ``.grad``.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=0)
      tensor([2., 3.])
    """
    return Tensor(data, requires_grad, dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor of a NumPy array, which is copied: tensors share no memory with what others may write to."""
    return Tensor(np.asarray(array))


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """The tensor itself, or a tensor of the data."""
    return data if isinstance(data, Tensor) and dtype in (None, data.dtype) else Tensor(data, dtype=dtype)


def _shape(sizes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else tuple(sizes)


def _made(value: Any, requires_grad: bool) -> Tensor:
    out = box(value, Tensor)
    assert isinstance(out, Tensor)
    return out.requires_grad_(requires_grad)


def zeros(*size: Any, dtype: Any = jnp.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros."""
    return _made(jnp.zeros(_shape(size), dtype), requires_grad)


def ones(*size: Any, dtype: Any = jnp.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return _made(jnp.ones(_shape(size), dtype), requires_grad)


def full(size: Sequence[int], fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value."""
    return _made(jnp.full(tuple(size), fill_value, dtype), requires_grad)


def zeros_like(x: Tensor) -> Tensor:
    """Zeros in the shape of another tensor."""
    return _made(jnp.zeros_like(x._value), False)


def ones_like(x: Tensor) -> Tensor:
    """Ones in the shape of another tensor."""
    return _made(jnp.ones_like(x._value), False)


class _Generator(threading.local):
    """The hidden state of this style: a key that every draw replaces."""

    key: Any = None


_generator = _Generator()


def manual_seed(seed: int) -> None:
    """Starts the generator anew."""
    _generator.key = random.key(seed)


def next_key() -> Any:
    """A fresh key from the generator."""
    if _generator.key is None:
        manual_seed(0)
    _generator.key, out = random.split(_generator.key)
    return out


def rand(*size: Any, requires_grad: bool = False) -> Tensor:
    """Uniform numbers from 0 to 1, from the generator.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> torch.manual_seed(0)
      >>> torch.rand(2, 3).shape
      (2, 3)
    """
    return _made(random.uniform(next_key(), _shape(size)), requires_grad)


def randn(*size: Any, requires_grad: bool = False) -> Tensor:
    """Normal numbers, from the generator."""
    return _made(random.normal(next_key(), _shape(size)), requires_grad)


def randint(low: int, high: int, size: Sequence[int]) -> Tensor:
    """Integers from ``low`` up to, but not including, ``high``."""
    return _made(random.randint(next_key(), tuple(size), low, high), False)


def randperm(n: int) -> Tensor:
    """The numbers below ``n`` in random order."""
    return _made(random.permutation(next_key(), n), False)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Joins tensors along an axis."""
    return apply(lambda xs: jnp.concatenate(xs, axis=dim), (list(tensors),), name="cat")


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Joins tensors along a new axis."""
    return apply(lambda xs: jnp.stack(xs, axis=dim), (list(tensors),), name="stack")


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchanges two axes."""
    return apply(lambda x: jnp.swapaxes(x, dim0, dim1), (x,), name="transpose")


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limits the numbers."""
    return apply(lambda x, low, high: jnp.clip(x, low, high), (x, min, max), name="clamp")


def einsum(equation: str, *tensors: Tensor) -> Tensor:
    """Products and sums in the notation of Einstein."""
    return apply(lambda *xs: jnp.einsum(equation, *xs), tensors, name="einsum")


def _extreme(x: Tensor, dim: int | None, keepdim: bool, best: Callable, where: Callable, name: str) -> Any:
    if dim is None:
        return apply(best, (x,), name=name)
    values = apply(lambda x: best(x, axis=dim, keepdims=keepdim), (x,), name=name)
    return values, _made(where(x._value, axis=dim, keepdims=keepdim), False)


def max(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The greatest element; along an axis, the greatest ones and their places."""
    return _extreme(x, dim, keepdim, jnp.max, jnp.argmax, "max")


def min(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The least element; along an axis, the least ones and their places."""
    return _extreme(x, dim, keepdim, jnp.min, jnp.argmin, "min")


def var(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The variance, by ``n - 1`` as is PyTorch's way."""
    return apply(lambda x: jnp.var(x, axis=dim, ddof=correction, keepdims=keepdim), (x,), name="var")


def std(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The standard deviation, by ``n - 1`` as is PyTorch's way."""
    return apply(lambda x: jnp.std(x, axis=dim, ddof=correction, keepdims=keepdim), (x,), name="std")


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether two tensors are nearly equal."""
    first, second = unbox((x, y))
    return bool(jnp.allclose(first, second, rtol=rtol, atol=atol))


def equal(x: Any, y: Any) -> bool:
    """Whether two tensors have the same shape and numbers."""
    return bool(jnp.array_equal(*unbox((x, y))))


def _methods() -> None:
    """Gives tensors their methods."""
    for name in """abs all amax amin any argmax argmin ceil cos cumsum cumprod dot exp floor log log_softmax logsumexp
        matmul mean mm norm pow prod relu round sigmoid sin softmax sqrt square sum tan tanh""".split():
        setattr(Tensor, name, _method(FUNCTIONS[name]))
    for fun in (clamp, max, min, transpose, var, std):
        setattr(Tensor, fun.__name__, _method(fun))
    shaping: dict[str, Callable] = {
        "reshape": lambda x, *shape: jnp.reshape(x, _shape(shape)),
        "view": lambda x, *shape: jnp.reshape(x, _shape(shape)),
        "flatten": lambda x, start_dim=0: jnp.reshape(x, (*x.shape[:start_dim], -1)),
        "squeeze": lambda x, dim=None: jnp.squeeze(x, dim) if dim is None or x.shape[dim] == 1 else x,
        "unsqueeze": jnp.expand_dims,
        "permute": lambda x, *dims: jnp.transpose(x, _shape(dims)),
        "expand": lambda x, *shape: jnp.broadcast_to(
            x, tuple(x.shape[i - len(_shape(shape))] if n == -1 else n for i, n in enumerate(_shape(shape)))
        ),
        "t": jnp.transpose,
        "float": lambda x: x.astype(jnp.float32),
        "double": lambda x: x.astype(jnp.float64),
        "long": lambda x: x.astype(jnp.int64),
        "int": lambda x: x.astype(jnp.int32),
        "bool": lambda x: x.astype(bool),
        "to": lambda x, dtype: x if isinstance(dtype, str) else x.astype(dtype),
    }
    for name, fun in shaping.items():
        setattr(Tensor, name, _method(_lifted(fun, name, f"``Tensor.{name}`` of PyTorch.")))


def _method(fun: Callable) -> Callable:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and fun.__name__ in (
            "sum",
            "mean",
            "prod",
            "softmax",
            "log_softmax",
            "argmax",
            "argmin",
            "cumsum",
        ):
            kwargs["dim"], args = args[0], ()
        return fun(self, *args, **kwargs)

    method.__name__, method.__doc__ = fun.__name__, fun.__doc__
    return method


_methods()

_CREATING = """allclose as_tensor cat clamp einsum equal from_numpy full manual_seed max min ones ones_like rand
    randint randn randperm stack std tensor transpose var zeros zeros_like""".split()
__all__ = [*FUNCTIONS, *_CREATING]
