"""Functions compiled by numba, for use in compiled programs: what ``fungrad.extend.numba_kernel`` makes.

A `ScalarKernel` is a scalar function, used inside of loops as the native code of an elementwise primitive; an
`ArrayKernel` fills arrays and is a step of its own. numba is imported when a program with one is compiled (or an eager
call needs it), and gives LLVM code, which `linking` puts into the program.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.array import is_array_like
from fungrad.errors import KernelError

# Options of numba that make no sense for code inside of a program.
_IGNORED_OPTIONS = ("nopython", "forceobj", "parallel", "cache", "nogil", "inline", "error_model", "boundscheck")


class Kernel:
    """A Python function that numba compiles.

    Attributes:
      fn: the function.
      name: for messages and printed programs.
      primitive: name of the primitive whose native code it is, once it belongs to one.
      options: those of `@njit`, such as `fastmath`, that the function was decorated with.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None):
        self.options: dict[str, Any] = {}
        if hasattr(fn, "py_func"):
            options = getattr(fn, "targetoptions", {})
            self.options = {k: v for k, v in options.items() if k not in _IGNORED_OPTIONS}
            fn = fn.py_func
        if not inspect.isfunction(fn):
            raise TypeError(
                "fungrad.extend.numba_kernel: expected a Python function or one decorated with numba.njit, got "
                f"{type(fn).__name__}"
            )
        self.fn = fn
        self.name = name or fn.__name__
        self.primitive: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def compiled(self, types: Sequence[Any], extra: Sequence[Any] = ()) -> tuple[str, str, Any]:
        """The LLVM module that numba makes for argument types, the name of the function in it, and its result type.

        Args:
          types: numba's types of the arguments.
          extra: constants that are passed after them.

        Raises:
          KernelError: numba cannot compile the function.
        """
        from numba.core.errors import NumbaError

        dispatcher = self._compiler(len(types), extra)
        # Nobody calls it from Python or C, so there is no need for the code that would take arguments apart.
        dispatcher.targetoptions.update(no_cpython_wrapper=True, no_cfunc_wrapper=True)
        signature = tuple(types)
        try:
            dispatcher.compile(signature)
        except NumbaError as error:
            raise KernelError(self._cannot(signature, error)) from None
        result: Any = dispatcher.overloads[signature]
        return result.library.get_llvm_str(), result.fndesc.llvm_func_name, result.signature.return_type

    def _compiler(self, operands: int, extra: Sequence[Any] = ()) -> Any:
        """numba's dispatcher for the function, with its last arguments fixed."""
        import numba

        dispatcher = numba.njit(self.fn, error_model="numpy", **self.options)
        if not extra:
            return dispatcher
        # Globals are constants for numba.
        names = ", ".join(f"x{k}" for k in range(operands))
        fixed = {f"p{k}": value for k, value in enumerate(extra)}
        scope: dict[str, Any] = {"fn": dispatcher, **fixed}
        exec(f"def fixed({names}):\n    return fn({', '.join([names, *fixed])})\n", scope)
        return numba.njit(scope["fixed"], error_model="numpy", **self.options)

    def _cannot(self, types: Sequence[Any], error: Exception) -> str:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reasons = [line for line in lines if not line.startswith(("Failed in nopython", "During: ", "File "))]
        return (
            f"{self.describe()}: numba cannot compile it for ({', '.join(map(str, types))}): "
            f"{' '.join(reasons[:3])}. Use only what numba compiles in nopython mode, and try the function under "
            "numba.njit on NumPy values of these types"
        )

    def describe(self) -> str:
        """Which kernel of which primitive, and where it is defined."""
        code = self.fn.__code__
        owner = f"primitive {self.primitive!r}: " if self.primitive else ""
        return f"{owner}numba kernel {self.name!r} ({code.co_filename}:{code.co_firstlineno})"


class ScalarKernel(Kernel):
    """A function of single numbers: pass it as ``scalar=`` of an `Elementwise` primitive, and ``impl`` as its ``impl``.

    Args:
      fn: function of numbers, or a dispatcher of `numba.njit`.
      result: dtype of the result, or a function from the dtypes of the operands to it; default the dtype of the first
        operand (bool stays bool).
      name: for messages.
    """

    def __init__(self, fn: Callable[..., Any], result: Any = None, name: str | None = None):
        super().__init__(fn, name)
        self.result = result
        self._ufuncs: dict[tuple, Any] = {}

    def __call__(self, m: Any, *xs: Any, **params: Any) -> Any:
        """The kernel as scalar code over a builder."""
        from fungrad.jit.llvm.linking import call_scalar

        if is_array_like(m):
            raise KernelError(
                f"{self.describe()} is not called on arrays: it is the code of a primitive; give it to "
                "fungrad.extend.Elementwise, and call the primitive"
            )
        return call_scalar(self, m, xs, self.ordered(len(xs), params))

    def ordered(self, operands: int, params: dict[str, Any]) -> list[Any]:
        """The static parameters in the order in which the function takes them, after the operands."""
        if not params:
            return []
        names = list(inspect.signature(self.fn).parameters)[operands:]
        if sorted(names) != sorted(params):
            raise KernelError(
                f"{self.describe()}: its parameters after {operands} operands are {names}, but the primitive has "
                f"{sorted(params)}; give them the same names"
            )
        return [params[n] for n in names]

    def result_dtype(self, dtypes: Sequence[np.dtype]) -> np.dtype:
        """The dtype of the result for operands of some dtypes."""
        if self.result is None:
            return dtypes[0]
        return np.dtype(self.result(*dtypes) if callable(self.result) else self.result)

    def impl(self, *operands: np.ndarray, **params: Any) -> np.ndarray:
        """The kernel on ndarrays, for eager evaluation: broadcasts as NumPy's functions do."""
        import numba
        from numba.core.errors import NumbaError

        extra = tuple(self.ordered(len(operands), params))
        dtype = self.result_dtype([x.dtype for x in operands])
        # numba has no half precision.
        wide = [x.astype(np.float32) if x.dtype.kind in "fV" and x.dtype.itemsize < 4 else x for x in operands]
        key = len(operands), extra, tuple(map(type, extra))
        if key not in self._ufuncs:
            self._ufuncs[key] = numba.vectorize(nopython=True)(self._compiler(len(operands), extra).py_func)
        try:
            out = self._ufuncs[key](*wide)
        except (NumbaError, TypeError) as error:
            raise KernelError(self._cannot([x.dtype for x in operands], error)) from None
        return np.asarray(out).astype(dtype, copy=False)


class ArrayKernel(Kernel):
    """A function ``fn(*inputs, *outputs)`` that fills its outputs: use it in ``lower`` with ``ctx.kernel``.

    Inputs are read-only and all arrays are C-contiguous. The function must not keep them.
    """

    def impl(self, inputs: Sequence[np.ndarray], avals: Sequence[Any]) -> list[np.ndarray]:
        """The kernel on ndarrays, for eager evaluation; ``avals`` has shape and dtype of each output."""
        outputs = [np.empty(a.shape, a.dtype) for a in avals]
        self.fill([np.ascontiguousarray(x).reshape(x.shape) for x in inputs], outputs)
        return outputs

    def fill(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Calls the kernel on arrays."""
        from numba.core.errors import NumbaError

        if not hasattr(self, "_dispatcher"):
            self._dispatcher = self._compiler(len(inputs) + len(outputs))
        try:
            self._dispatcher(*inputs, *outputs)
        except NumbaError as error:
            raise KernelError(self._cannot([x.dtype for x in (*inputs, *outputs)], error)) from None

    def failure(self) -> KernelError:
        """The error for a kernel that raised an exception in compiled code."""
        return KernelError(
            f"{self.describe()}: it raised an exception in compiled code; call the function itself on NumPy arrays to "
            "see which"
        )
