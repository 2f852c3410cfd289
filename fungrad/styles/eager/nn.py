"""``torch.nn``: modules that own their parameters, layers, losses, and ``functional``.

May import ``styles.eager.tensor`` and ``functions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random
from fungrad.styles._graph import apply, box
from fungrad.styles.eager.functions import FUNCTIONS, next_key
from fungrad.styles.eager.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module counts among its parameters; it requires a gradient.

    Args:
      data: a tensor, an array or numbers.
      requires_grad: false freezes it.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True):
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """A function with parameters: a class with a ``forward``.

    Parameters and modules that are assigned to attributes in ``__init__`` are found by ``parameters()``.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> class Net(torch.nn.Module):
      ...   def __init__(self):
      ...     super().__init__()
      ...     self.hidden = torch.nn.Linear(2, 3)
      ...     self.out = torch.nn.Linear(3, 1)
      ...   def forward(self, x):
      ...     return self.out(torch.tanh(self.hidden(x)))
      >>> net = Net()
      >>> [(name, p.shape) for name, p in net.named_parameters()]
      [('hidden.weight', (3, 2)), ('hidden.bias', (3,)), ('out.weight', (1, 3)), ('out.bias', (1,))]
      >>> net(torch.ones(4, 2)).shape
      (4, 1)
    """

    training: bool
    _parameters: dict[str, Parameter]
    _modules: dict[str, Module]
    _buffers: dict[str, Tensor]

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _modules={}, _buffers={}, training=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Parameter, Module)) and "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameters before Module.__init__() call")
        for store in ("_parameters", "_modules", "_buffers"):
            self.__dict__.get(store, {}).pop(name, None)
        if isinstance(value, Parameter):
            self._parameters[name] = value
        elif isinstance(value, Module):
            self._modules[name] = value
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, tensor: Tensor) -> None:
        """Keeps a tensor that belongs to the state but is not trained, such as a running mean."""
        setattr(self, name, tensor)
        self._buffers[name] = tensor

    def forward(self, *args: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """The parameters with their names, those of the modules inside included."""
        for name, p in self._parameters.items():
            yield prefix + name, p
        for name, module in self._modules.items():
            yield from module.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Parameter]:
        """The parameters, those of the modules inside included."""
        return (p for _, p in self.named_parameters())

    def modules(self) -> Iterator[Module]:
        """The module itself, and all inside of it."""
        yield self
        for module in self._modules.values():
            yield from module.modules()

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return iter(self._modules.values())

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """The numbers of all parameters and buffers, by name."""
        out = {prefix + name: t.detach() for name, t in (*self._parameters.items(), *self._buffers.items())}
        for name, module in self._modules.items():
            out |= module.state_dict(f"{prefix}{name}.")
        return out

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the numbers of another module's ``state_dict``.

        Raises:
          RuntimeError: names are missing or too many, or a shape is another.
        """
        own = dict(self.named_parameters())
        buffers: dict[str, Tensor] = {}
        for module_name, module in _named_modules(self):
            buffers |= {f"{module_name}{name}": t for name, t in module._buffers.items()}
        missing, unexpected = [k for k in own | buffers if k not in state], [k for k in state if k not in own | buffers]
        if missing or unexpected:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}: missing {missing}, unexpected {unexpected}"
            )
        for name, t in (own | buffers).items():
            value = jnp.asarray(np.asarray(getattr(state[name], "_value", state[name])))
            if value.shape != t.shape:
                raise RuntimeError(f"size mismatch for {name}: got the shape {value.shape}, the module has {t.shape}")
            t._value = value.astype(t.dtype)

    def train(self, mode: bool = True) -> Module:
        """Switches dropout and batch normalisation to what they do in training."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switches to what is done after training."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forgets the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Trains the parameters, or freezes them."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def __repr__(self) -> str:
        inside = [f"  ({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        return (
            f"{type(self).__name__}({self.extra_repr()}" + (("\n" + "\n".join(inside) + "\n") if inside else "") + ")"
        )

    def extra_repr(self) -> str:
        """What is printed between the brackets."""
        return ""


def _named_modules(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    yield prefix, module
    for name, inner in module._modules.items():
        yield from _named_modules(inner, f"{prefix}{name}.")


def _uniform(shape: tuple[int, ...], fan_in: int) -> Parameter:
    bound = 1 / np.sqrt(fan_in)
    return Parameter(random.uniform(next_key(), shape, minval=-bound, maxval=bound))


class Linear(Module):
    """``x @ weight.T + bias``.

    Args:
      in_features: size of the last axis of the input.
      out_features: that of the result.
      bias: whether something is added.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = _uniform((out_features, in_features), in_features)
        self.bias = _uniform((out_features,), in_features) if bias else None

    def forward(self, x: Any) -> Tensor:
        out = x @ self.weight.t()
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """Rows of a table, by number."""

    def __init__(self, num_embeddings: int, embedding_dim: int):
        super().__init__()
        self.weight = Parameter(random.normal(next_key(), (num_embeddings, embedding_dim)))

    def forward(self, x: Any) -> Tensor:
        return self.weight[x]


class Conv2d(Module):
    """Convolution of images ``[batch, channels, height, width]``.

    Args:
      in_channels: channels of the input.
      out_channels: channels of the result.
      kernel_size: height and width of the kernel.
      stride: steps between places.
      padding: zeros around the image.
      bias: whether something is added.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ):
        super().__init__()
        fan_in = in_channels * kernel_size**2
        self.weight = _uniform((out_channels, in_channels, kernel_size, kernel_size), fan_in)
        self.bias = _uniform((out_channels,), fan_in) if bias else None
        self.stride, self.padding = stride, padding

    def forward(self, x: Any) -> Tensor:
        steps, around = (self.stride,) * 2, [(self.padding,) * 2] * 2
        out = apply(lambda x, w: lax.conv_general_dilated(x, w, steps, around), (x, self.weight), name="conv2d")
        return out if self.bias is None else out + self.bias.reshape(1, -1, 1, 1)


class MaxPool2d(Module):
    """The maxima of windows of images ``[batch, channels, height, width]``."""

    def __init__(self, kernel_size: int, stride: int | None = None):
        super().__init__()
        self.window, self.steps = (1, 1, kernel_size, kernel_size), (1, 1, *[stride or kernel_size] * 2)

    def forward(self, x: Any) -> Tensor:
        pool = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, self.window, self.steps, "VALID")  # noqa: E731
        return apply(pool, (x,), name="max_pool2d")


class LayerNorm(Module):
    """Normalises along the last axis (Ba, Kiros and Hinton, 2016)."""

    def __init__(self, normalized_shape: int, eps: float = 1e-5):
        super().__init__()
        self.weight, self.bias, self.eps = (
            Parameter(jnp.ones(normalized_shape)),
            Parameter(jnp.zeros(normalized_shape)),
            eps,
        )

    def forward(self, x: Any) -> Tensor:
        return apply(lambda x: nn.standardize(x, epsilon=self.eps), (x,), name="layer_norm") * self.weight + self.bias


class BatchNorm1d(Module):
    """Normalises along the batch (Ioffe and Szegedy, 2015); keeps running means for the time after training."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.weight, self.bias = Parameter(jnp.ones(num_features)), Parameter(jnp.zeros(num_features))
        self.eps, self.momentum = eps, momentum
        self.register_buffer("running_mean", Tensor(jnp.zeros(num_features)))
        self.register_buffer("running_var", Tensor(jnp.ones(num_features)))

    def forward(self, x: Any) -> Tensor:
        if self.training:
            mean, var = x.mean(0), x.var(0, correction=0)
            n = x.shape[0]
            for kept, new in ((self.running_mean, mean._value), (self.running_var, var._value * n / max(n - 1, 1))):
                kept._value = (1 - self.momentum) * kept._value + self.momentum * new
        else:
            mean, var = self.running_mean, self.running_var
        return (x - mean) / (var + self.eps).sqrt() * self.weight + self.bias


class Dropout(Module):
    """Sets elements to zero in training, and scales the others (Srivastava et al., 2014)."""

    def __init__(self, p: float = 0.5):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p

    def forward(self, x: Any) -> Tensor:
        return functional.dropout(x, self.p, self.training)


def _layer(name: str, fun: Callable, doc: str) -> type[Module]:
    """A layer without parameters."""
    forward = lambda self, x: fun(x)  # noqa: E731
    return type(name, (Module,), {"forward": forward, "__doc__": doc, "__module__": __name__})


ReLU = _layer("ReLU", FUNCTIONS["relu"], "``max(x, 0)``.")
Sigmoid = _layer("Sigmoid", FUNCTIONS["sigmoid"], "``1 / (1 + exp(-x))``.")
Tanh = _layer("Tanh", FUNCTIONS["tanh"], "The hyperbolic tangent.")
Identity = _layer("Identity", lambda x: x, "Nothing.")
Flatten = _layer("Flatten", lambda x: x.reshape(x.shape[0], -1), "All axes but the first in one.")
GELU = _layer(
    "GELU",
    lambda x: apply(lambda x: nn.gelu(x, approximate=False), (x,), name="gelu"),
    "``x`` times the normal distribution function.",
)


class Softmax(Module):
    """Exponentials that sum to one along an axis."""

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return x.softmax(self.dim)


class Sequential(Module):
    """Modules one after the other.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))(torch.ones(5, 2)).shape
      (5, 1)
    """

    def __init__(self, *modules: Module):
        super().__init__()
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def forward(self, x: Any) -> Any:
        for module in self._modules.values():
            x = module(x)
        return x

    def __getitem__(self, i: int) -> Module:
        return list(self._modules.values())[i]

    def __len__(self) -> int:
        return len(self._modules)


# -- losses -----------------------------------------------------------------------------------------------------------


def _reduced(loss: Callable, name: str) -> Callable:
    """A loss with PyTorch's ``reduction``."""

    def function(input: Any, target: Any, reduction: str = "mean") -> Tensor:
        each = apply(loss, (input, target), name=name)
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"{reduction} is not a valid value for reduction")
        return each.mean() if reduction == "mean" else each.sum() if reduction == "sum" else each

    function.__name__, function.__doc__ = name, f"``torch.nn.functional.{name}``."
    return function


def _cross_entropy(logits: Any, target: Any) -> Any:
    if jnp.issubdtype(target.dtype, jnp.integer):
        return optim.softmax_cross_entropy_with_integer_labels(logits, target)
    return optim.softmax_cross_entropy(logits, target)


def _binary(p: Any, target: Any) -> Any:
    # As there, logarithms end at -100, so that a certain wrong answer has a finite loss.
    floor = lambda p: jnp.maximum(jnp.log(jnp.where(p > 0, p, 1.0)) + jnp.where(p > 0, 0.0, -100.0), -100.0)  # noqa: E731
    return -(target * floor(p) + (1 - target) * floor(1 - p))


def _dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    return apply(lambda x: nn.dropout(next_key(), x, p), (x,), name="dropout") if training and p else x


functional = SimpleNamespace(
    **{name: FUNCTIONS[name] for name in ("relu", "sigmoid", "tanh", "softmax", "log_softmax")},
    mse_loss=_reduced(lambda x, y: (x - y) ** 2, "mse_loss"),
    l1_loss=_reduced(lambda x, y: jnp.abs(x - y), "l1_loss"),
    cross_entropy=_reduced(_cross_entropy, "cross_entropy"),
    nll_loss=_reduced(lambda x, y: -jnp.take_along_axis(x, y[:, None], 1)[:, 0], "nll_loss"),
    binary_cross_entropy=_reduced(_binary, "binary_cross_entropy"),
    binary_cross_entropy_with_logits=_reduced(optim.sigmoid_binary_cross_entropy, "binary_cross_entropy_with_logits"),
    dropout=_dropout,
    one_hot=lambda x, num_classes: box(nn.one_hot(x._value, num_classes, dtype=jnp.int32), Tensor),
)


class _Loss(Module):
    """A loss as a module."""

    _function: str

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Tensor:
        return getattr(functional, self._function)(input, target, self.reduction)


def _loss(name: str, function: str, doc: str) -> type[_Loss]:
    return type(name, (_Loss,), {"_function": function, "__doc__": doc, "__module__": __name__})


MSELoss = _loss("MSELoss", "mse_loss", "The mean squared error.")
L1Loss = _loss("L1Loss", "l1_loss", "The mean absolute error.")
CrossEntropyLoss = _loss("CrossEntropyLoss", "cross_entropy", "Cross-entropy of logits and classes (or probabilities).")
NLLLoss = _loss("NLLLoss", "nll_loss", "Minus the log-probability of the class.")
BCELoss = _loss("BCELoss", "binary_cross_entropy", "Cross-entropy of probabilities and 0 or 1.")
BCEWithLogitsLoss = _loss(
    "BCEWithLogitsLoss", "binary_cross_entropy_with_logits", "Cross-entropy of logits and 0 or 1."
)
