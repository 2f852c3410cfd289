"""The BLAS library of this process: the one that NumPy has already loaded.

Its C interface is found by name among the symbols that NumPy's extension module can see; builds
differ in prefix, suffix and the width of integers. Where none is found, SciPy's copy is tried.
"""

from __future__ import annotations

import ctypes
from functools import cache

from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

from fungrad.core.frozen import frozen

# (pattern of the C interface, LLVM type of its integers)
_SPELLINGS = (
    ("scipy_cblas_{}64_", "i64"),
    ("cblas_{}64_", "i64"),
    ("scipy_cblas_{}", "i32"),
    ("cblas_{}", "i32"),
)


@frozen
class Blas:
    """A library with the C interface of the BLAS.

    Attributes:
      handle: the loaded library.
      pattern: name of a routine, `{}` for its BLAS name.
      integer: LLVM type of integer arguments.
    """

    handle: ctypes.CDLL
    pattern: str
    integer: str

    def address(self, name: str) -> int:
        """Address of a routine such as `sgemm`."""
        function = getattr(self.handle, self.pattern.format(name))
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def control(self) -> tuple[int, int] | None:
        """Addresses of functions that read and set the number of threads of the library; None if it is
        not an OpenBLAS with threads of its own."""
        prefix, suffix = self.pattern.split("cblas_{}")
        names = [f"{prefix}openblas_{verb}{suffix}" for verb in ("get_num_threads", "set_num_threads", "get_parallel")]
        if not all(hasattr(self.handle, n) for n in names):
            return None
        get, put, parallel = (getattr(self.handle, n) for n in names)
        if parallel() != 1:
            return None
        return tuple(ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (get, put))  # type: ignore[return-value]


@cache
def library() -> Blas:
    """The library to use.

    Raises:
      RuntimeError: there is none.
    """
    handle = ctypes.CDLL(_multiarray_umath.__file__)
    found = _spelled(handle)
    if found is None:
        from scipy.linalg import _fblas

        found = _spelled(ctypes.CDLL(_fblas.__file__))
    if found is None:
        raise RuntimeError("fungrad.jit: neither NumPy nor SciPy brings a BLAS with a C interface")
    return found


def _spelled(handle: ctypes.CDLL) -> Blas | None:
    for pattern, integer in _SPELLINGS:
        if hasattr(handle, pattern.format("sgemm")):
            return Blas(handle, pattern, integer)
    return None
