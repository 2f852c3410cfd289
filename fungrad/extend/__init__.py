"""For libraries on top of fungrad: jaxprs, primitives and what interprets them, under JAX's names (``jax.extend``), and
what it takes to define a primitive of one's own.

An elementwise primitive is one call of `Elementwise`; other primitives are subclasses of ``core.Primitive``, whose
methods are the rules. Native code of either may be a function that numba compiles: `numba_kernel` for single numbers,
inside of fused loops, and `numba_array_kernel` for whole arrays. ``examples/own_primitive.py`` shows both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fungrad.core.avals import ShapedArray
from fungrad.core.public_names import publish
from fungrad.extend import core, linear_util, random
from fungrad.jit.llvm.foreign import ArrayKernel, ScalarKernel
from fungrad.ops._families import Elementwise, LinearElementwise

__all__ = [
    "ArrayKernel",
    "Elementwise",
    "LinearElementwise",
    "ScalarKernel",
    "ShapedArray",
    "core",
    "linear_util",
    "numba_array_kernel",
    "numba_kernel",
    "random",
]


def numba_kernel(fn: Callable[..., Any], *, result: Any = None, name: str | None = None) -> ScalarKernel:
    """A function of numbers, compiled by numba, as native code of an elementwise primitive.

    The code is linked into compiled programs: it runs inside of their loops, fused with what stands around it, and as
    vectors where LLVM can make them. Mathematical functions in it (``np.exp``, ``math.sin`` ...) are those of fungrad.

    Args:
      fn: a Python function of numbers that returns a number, or one decorated with ``numba.njit``. Static parameters of
        the primitive follow the operands under their names. It must not raise exceptions.
      result: dtype of the result, or a function from the dtypes of the operands to it; default that of the first
        operand.
      name: for messages.

    Returns:
      A kernel: pass it as ``scalar=`` of `Elementwise`, and its ``impl`` for eager evaluation.

    Raises:
      TypeError: ``fn`` is not a Python function.
      fungrad.errors.KernelError: at compilation, if numba cannot compile ``fn`` for the dtypes of the operands.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.extend import Elementwise, numba_kernel
      >>> def clipped(x, y):
      ...     return x if abs(x) < y else y
      >>> kernel = numba_kernel(clipped)
      >>> clipped_p = Elementwise("doc_clipped", kernel.impl, "f", scalar=kernel, arity=2)
      >>> fungrad.jit(lambda x: clipped_p.bind(x, jnp.float32(1.0)) * 2)(jnp.float32([0.5, 3.0]))
      Array([1., 2.], dtype=float32)
    """
    return ScalarKernel(fn, result, name)


def numba_array_kernel(fn: Callable[..., Any], *, name: str | None = None) -> ArrayKernel:
    """A function of arrays, compiled by numba, as a native step of compiled programs.

    Args:
      fn: ``fn(*inputs, *outputs)`` fills the outputs, C-contiguous arrays like the inputs, which are read-only.
      name: for messages and printed programs.

    Returns:
      A kernel for ``ctx.kernel`` in the ``lower`` rule of a primitive; its ``impl`` evaluates it eagerly.

    Example:
      >>> import numpy as np, fungrad, fungrad.numpy as jnp
      >>> from fungrad.extend import core, numba_array_kernel
      >>> def smooth(x, out):
      ...     out[0] = x[0]
      ...     for i in range(1, x.shape[0]):
      ...         out[i] = 0.5 * (x[i] + out[i - 1])
      >>> kernel = numba_array_kernel(smooth)
      >>> class Smooth(core.Primitive):
      ...     def abstract_eval(self, x):
      ...         return x
      ...     def impl(self, x):
      ...         return kernel.impl([x], [x])[0]
      ...     def lower(self, ctx, x):
      ...         return ctx.kernel(kernel, [x])[0]
      >>> smooth_p = Smooth("doc_smooth")
      >>> fungrad.jit(smooth_p.bind)(jnp.float32([2.0, 4.0, 0.0]))
      Array([2. , 3. , 1.5], dtype=float32)
    """
    return ArrayKernel(fn, name)


publish(globals(), __name__, __all__, early=("numba_array_kernel", "numba_kernel"))
