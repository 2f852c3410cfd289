"""``torch.autograd``: gradients without ``.grad``, functions with a backward pass of one's own, and what a graph costs.

May import ``styles.eager.tensor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.styles._graph import Box, Node, box, boxes_in
from fungrad.styles.eager.tensor import Tensor, no_grad, run_backward


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of ``outputs`` by ``inputs``, as results; no ``.grad`` changes.

    Args:
      outputs: a tensor or several.
      inputs: a tensor or several, leaves or intermediate results.
      grad_outputs: cotangents of the outputs; may be left out where they have one element.
      retain_graph: keep what the way back needs.
      create_graph: record the way back, for derivatives of higher order.
      allow_unused: give None for inputs that the outputs do not depend on, instead of raising.

    Raises:
      RuntimeError: an input was not used, or has no gradient.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> x = torch.tensor(2.0, requires_grad=True)
      >>> (first,) = torch.autograd.grad(x ** 3, x, create_graph=True)
      >>> torch.autograd.grad(first, x)
      (tensor(12.),)
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given = [None] * len(outputs) if grad_outputs is None else grad_outputs
    given = [given] if isinstance(given, Tensor) else list(given)
    for x in inputs:
        if not x.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    reached = run_backward(outputs, given, retain_graph, create_graph)
    found = [reached[id(x)][1] if id(x) in reached else None for x in inputs]
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if "
            "this is the desired behavior."
        )
    return tuple(g if g is None or isinstance(g, Box) else box(g, Tensor) for g in found)


class Context:
    """What ``forward`` leaves for ``backward``: ``save_for_backward``, ``saved_tensors``, and any attribute."""

    saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps tensors for the way back."""
        self.saved_tensors = tensors


class Function:
    """An operation with a backward pass of its own: a class with the static methods ``forward`` and ``backward``.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> class Clipped(torch.autograd.Function):
      ...   @staticmethod
      ...   def forward(ctx, x):
      ...     return x.clamp(-1.0, 1.0)
      ...   @staticmethod
      ...   def backward(ctx, grad_output):
      ...     return grad_output                     # passes on what clamp would stop
      >>> x = torch.tensor(3.0, requires_grad=True)
      >>> Clipped.apply(x).backward()
      >>> x.grad
      tensor(1.)
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Any:
        """Computes the result; nothing in it is recorded."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Context, *grad_outputs: Any) -> Any:
        """From cotangents of the results to those of all arguments; None where there is none."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs ``forward`` and records that ``backward`` goes back."""
        ctx = Context()
        with no_grad():
            out = cls.forward(ctx, *args)
        outs = list(out) if isinstance(out, tuple) else [out]
        inputs = Tensor._tracked([b for b in boxes_in(list(args)) if jnp.issubdtype(b.dtype, jnp.inexact)])
        if not inputs:
            return out
        places = [next(i for i, a in enumerate(args) if a is b) for b in inputs]

        def pull(cts: Sequence[Any]) -> list[Any]:
            back = cls.backward(ctx, *[box(jnp.asarray(ct), Tensor) for ct in cts])
            back = list(back) if isinstance(back, tuple) else [back]
            if len(back) != len(args):
                raise RuntimeError(
                    f"function {cls.__name__} returned an incorrect number of gradients (expected {len(args)}, got "
                    f"{len(back)})"
                )
            wanted = [back[i] for i in places]
            for b, ct in zip(inputs, wanted, strict=True):
                if ct is not None and ct.shape != b.shape:
                    raise RuntimeError(
                        f"function {cls.__name__} returned an invalid gradient: got {ct.shape} but expected shape "
                        f"compatible with {b.shape}"
                    )
            return [None if ct is None else ct._value for ct in wanted]

        def forward_again(*values: Any) -> Any:
            raise RuntimeError(
                f"the backward of {cls.__name__} cannot be differentiated: it works on numbers. Write it with tensor "
                "operations that are recorded, without autograd.Function"
            )

        results: list[Box] = [box(o._value, Tensor) for o in outs]
        Tensor._remember(Node(cls.__name__, forward_again, inputs, pull, [o._value.aval for o in outs]), results)
        return tuple(results) if isinstance(out, tuple) else results[0]


class GraphSize(NamedTuple):
    """What hangs behind a tensor: recorded operations, and bytes of the arrays that they keep."""

    operations: int
    bytes: int


def graph_size(*tensors: Any) -> GraphSize:
    """How many operations tensors keep alive, and how much memory these hold.

    Args:
      *tensors: tensors; others count nothing.

    Example:
      >>> from fungrad.styles import eager as torch
      >>> w = torch.tensor(1.0, requires_grad=True)
      >>> total = 0.0
      >>> for _ in range(3):
      ...   total = total + (2.0 * w) ** 2              # keeps the graph of every step
      >>> torch.autograd.graph_size(total).operations
      9
      >>> torch.autograd.graph_size(float(total)).operations
      0
    """
    seen: dict[int, Node] = {}
    arrays: dict[int, int] = {}
    waiting = [b._made_by[0] for b in tensors if isinstance(b, Tensor) and b._made_by is not None]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        for value in node.values if node.pull is not None else ():
            arrays[id(value)] = np.asarray(value).nbytes
        waiting += [made[0] for made in node.sources if made is not None]
    return GraphSize(len(seen), sum(arrays.values()))
