"""``Tensor``: an array that remembers how it was made and collects its gradient, as PyTorch's does.

May import ``styles._graph``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.styles._graph import Box, Node, apply, box, pull_arrays, pull_boxes, sweep


class _Mode(threading.local):
    recording = True


_mode = _Mode()


class Tensor(Box):
    """An array with a graph behind it.

    Args:
      data: a number, nested lists, or an array; Python floats become float32.
      requires_grad: whether gradients are collected in ``.grad``.
      dtype: type of the elements.

    Raises:
      RuntimeError: gradients are wanted of integers.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> x = torch.Tensor([1.0, 2.0], requires_grad=True)
      >>> loss = (x * x).sum()
      >>> loss.backward()
      >>> x.grad
      tensor([2., 4.])
    """

    __slots__ = ("requires_grad", "grad", "_made_by", "_version", "_hooks", "_retains")

    requires_grad: bool
    grad: Tensor | None
    _made_by: tuple[Node, int] | None

    if TYPE_CHECKING:  # the methods that `functions` adds

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None):
        self._begin(jnp.array(data._value if isinstance(data, Box) else np.asarray(data), dtype=_dtype_of(data, dtype)))
        self._want(requires_grad)

    def _begin(self, value: Any) -> None:
        self._value = value
        self.requires_grad, self.grad, self._made_by = False, None, None
        self._hooks: list[Callable] = []
        self._retains = False

    def _want(self, requires_grad: bool) -> None:
        if requires_grad and not jnp.issubdtype(self.dtype, jnp.inexact):
            raise RuntimeError(
                f"only tensors of floating point and complex dtype can require gradients, got {self.dtype}"
            )
        self.requires_grad = bool(requires_grad)

    @staticmethod
    def _tracked(inputs: Sequence[Box]) -> list[Box]:
        return [b for b in inputs if b.requires_grad] if _mode.recording else []  # type: ignore[attr-defined]

    @staticmethod
    def _remember(node: Node, results: list[Box]) -> None:
        for i, b in enumerate(results):
            assert isinstance(b, Tensor)
            if jnp.issubdtype(b.dtype, jnp.inexact):
                b.requires_grad, b._made_by = True, (node, i)

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation has made it."""
        return self._made_by is None

    @property
    def grad_fn(self) -> Any:
        """The node that has made it; None for a leaf."""
        return self._made_by and self._made_by[0]

    @property
    def data(self) -> Tensor:
        """The numbers alone; assigning to it replaces them without a record."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        self._value = value._value if isinstance(value, Box) else jnp.asarray(value, self.dtype)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The transposed matrix."""
        return self.t()

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._value), separator=", ", precision=4, prefix="tensor(")
        suffix = ""
        if self.dtype not in (np.float32, np.int64, np.int32, np.bool_):
            suffix += f", dtype={self.dtype}"
        if self._made_by is not None:
            suffix += f", grad_fn=<{self._made_by[0].name}>"
        elif self.requires_grad:
            suffix += ", requires_grad=True"
        return f"tensor({text}{suffix})"

    def numpy(self) -> np.ndarray:
        """The numbers as a NumPy array, which is read-only.

        Raises:
          RuntimeError: the tensor is part of a graph; ``detach()`` it first.
        """
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return np.asarray(self._value)

    def item(self) -> Any:
        """The number of a tensor of one element, as a Python scalar."""
        return self._value.item()

    def tolist(self) -> Any:
        """The numbers as nested lists."""
        return self._value.tolist()

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self._value.size

    # -- the graph ----------------------------------------------------------------------------------------------------

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Begins to collect gradients (or stops), in place."""
        if not requires_grad and not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf variables; use detach() instead")
        self._want(requires_grad)
        return self

    def detach(self) -> Tensor:
        """The same numbers without the graph."""
        return box(self._value, Tensor)  # type: ignore[return-value]

    def clone(self) -> Tensor:
        """A copy, through which gradients flow."""
        return apply(jnp.copy, (self,), name="clone")

    def retain_grad(self) -> None:
        """Has ``backward`` leave the gradient of this intermediate result in ``.grad`` too."""
        self._retains = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Calls ``hook`` with the gradient of this tensor when it is known; what it returns takes its place.

        Returns:
          A handle; ``remove()`` ends it.
        """
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")

        def on_arrays(ct: Any) -> Any:
            new = hook(ct if isinstance(ct, Tensor) else box(ct, Tensor))  # type: ignore[arg-type]
            if new is None:
                return ct
            return new if isinstance(ct, Tensor) else new._value

        hooks = self._hooks if self._made_by is None else self._made_by[0].hooks.setdefault(self._made_by[1], [])
        hooks.append(on_arrays)
        return _Handle(hooks, on_arrays)

    def backward(self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Adds the gradients of this tensor to the ``.grad`` of all leaves that want them.

        Args:
          gradient: cotangent; may be left out for a tensor of one element.
          retain_graph: keep what the way back needs, to go it again.
          create_graph: record the way back, for derivatives of higher order.

        Raises:
          RuntimeError: the tensor does not require a gradient, has several elements and no ``gradient``, or its graph
            has been freed.

        Example:
          >>> from fungrad.styles import eager as torch
          >>> x = torch.Tensor(3.0, requires_grad=True)
          >>> (x ** 3).backward(create_graph=True)
          >>> x.grad
          tensor(27., grad_fn=<backward of power>)
        """
        reached = run_backward([self], [gradient], retain_graph, create_graph)
        for b, ct in reached.values():
            assert isinstance(b, Tensor)
            if (b.is_leaf and b.requires_grad) or b._retains:
                new = ct if isinstance(ct, Tensor) else box(ct, Tensor)
                b.grad = new if b.grad is None else apply(jnp.add, (b.grad, new), name="accumulate")  # type: ignore[assignment]

    # -- changes in place ---------------------------------------------------------------------------------------------

    def _replace(self, new: Any) -> Tensor:
        """Becomes another value, which is an operation of the graph."""
        if _mode.recording and self.requires_grad and self.is_leaf:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        self._value = new._value
        if _mode.recording:
            self._made_by, self.requires_grad = new._made_by, new.requires_grad
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        before = self._alias()
        plain = tuple(i._value if isinstance(i, Box) else i for i in (index if isinstance(index, tuple) else (index,)))
        self._replace(apply(lambda x, v: x.at[plain].set(v), (before, value), name="setitem"))

    def _alias(self) -> Tensor:
        """The tensor as it is now, for operations that replace it."""
        out = box(self._value, Tensor)
        assert isinstance(out, Tensor)
        out.requires_grad, out._made_by = self.requires_grad, self._made_by
        return out

    def __iadd__(self, other: Any) -> Tensor:
        return self._replace(apply(jnp.add, (self._alias(), other)))

    def __isub__(self, other: Any) -> Tensor:
        return self._replace(apply(jnp.subtract, (self._alias(), other)))

    def __imul__(self, other: Any) -> Tensor:
        return self._replace(apply(jnp.multiply, (self._alias(), other)))

    def __itruediv__(self, other: Any) -> Tensor:
        return self._replace(apply(jnp.true_divide, (self._alias(), other)))

    add_, sub_, mul_, div_ = __iadd__, __isub__, __imul__, __itruediv__

    def copy_(self, other: Any) -> Tensor:
        """Takes the numbers of another tensor, in place."""
        return self._replace(apply(lambda x, y: jnp.broadcast_to(y, x.shape).astype(x.dtype), (self._alias(), other)))

    def zero_(self) -> Tensor:
        """Becomes zero, in place."""
        return self._replace(apply(jnp.zeros_like, (self._alias(),)))

    def fill_(self, value: Any) -> Tensor:
        """Becomes ``value`` everywhere, in place."""
        return self._replace(apply(lambda x: jnp.full_like(x, value), (self._alias(),)))


Tensor._result = Tensor


class _Handle:
    """What ``register_hook`` returns."""

    def __init__(self, hooks: list[Callable], hook: Callable):
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Ends the hook."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


def _dtype_of(data: Any, dtype: Any) -> Any:
    """Python's numbers are single precision, arrays keep their type."""
    if dtype is not None or isinstance(data, (np.ndarray, np.generic, Box)) or hasattr(data, "aval"):
        return dtype
    return {"f": jnp.float32, "c": jnp.complex64}.get(np.asarray(data).dtype.kind)


def run_backward(
    outputs: Sequence[Tensor], gradients: Sequence[Any], retain_graph: bool | None, create_graph: bool
) -> dict[int, tuple[Box, Any]]:
    """Goes back from ``outputs``; what reaches each tensor, by its identity."""
    seeds = []
    for output, gradient in zip(outputs, gradients, strict=True):
        if not output.requires_grad:
            raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
        if gradient is None:
            if output.numel() != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs, got the shape {output.shape}; "
                    "give the gradient, or reduce the tensor"
                )
            gradient = jnp.ones(output.shape, output.dtype)
        if not create_graph:
            seeds.append((output, gradient._value if isinstance(gradient, Box) else jnp.asarray(gradient)))
        else:
            seeds.append((output, gradient if isinstance(gradient, Box) else box(gradient, Tensor)))
    visited: list[Node] = []

    def pull(node: Node, cts: Sequence[Any]) -> list[Any]:
        if node.pull is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time: what it needs was freed by the first. Specify "
                "retain_graph=True if you need to backward through the graph a second time."
            )
        visited.append(node)
        return (pull_boxes if create_graph else pull_arrays)(node, cts)

    def creator(b: Box) -> tuple[Node, int] | None:
        return b._made_by  # type: ignore[attr-defined]

    def add(x: Any, y: Any) -> Any:
        return apply(jnp.add, (x, y), name="accumulate") if create_graph else jnp.add(x, y)

    reached = sweep(seeds, creator, lambda node: node.sources, pull, add)
    for key, (b, ct) in reached.items():
        for hook in b._hooks:  # type: ignore[attr-defined]
            ct = hook(ct)
        reached[key] = (b, ct)
    if not (create_graph if retain_graph is None else retain_graph):
        for node in visited:
            node.free()
    return reached


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Records nothing inside of the block.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> x = torch.Tensor(1.0, requires_grad=True)
      >>> with torch.no_grad():
      ...   x -= 0.5
      >>> x
      tensor(0.5, requires_grad=True)
    """
    with set_grad_enabled(False):
        yield


@contextlib.contextmanager
def enable_grad() -> Iterator[None]:
    """Records inside of the block, also within ``no_grad``."""
    with set_grad_enabled(True):
        yield


@contextlib.contextmanager
def set_grad_enabled(mode: bool) -> Iterator[None]:
    """Records inside of the block, or not."""
    before, _mode.recording = _mode.recording, bool(mode)
    try:
        yield
    finally:
        _mode.recording = before


def is_grad_enabled() -> bool:
    """Whether operations are recorded now."""
    return _mode.recording
