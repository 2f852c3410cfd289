"""The LAPACK of this process: that of the library which NumPy has loaded, or the one that SciPy brings.

OpenBLAS, which NumPy's wheels contain, has all of LAPACK under Fortran's names. Where NumPy uses another library,
the addresses are those of ``scipy.linalg.cython_lapack``. Integers are 32 or 64 bits wide.

May import ``core.blas`` and ``core.library_calls``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from fungrad.core import blas
from fungrad.core.frozen import frozen
from fungrad.core.library_calls import Argument, Constant, Function, Value, Work, address as address_of, provide

# Fortran's name of a routine for each spelling of the C interface.
_SPELLINGS = {
    "scipy_cblas_{}64_": "scipy_{}_64_",
    "cblas_{}64_": "{}_64_",
    "scipy_cblas_{}": "scipy_{}_",
    "cblas_{}": "{}_",
}

# Letter of a routine by dtype.
LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}


@frozen
class Lapack:
    """A library.

    Attributes:
      find: gives the address of a routine such as ``dgetrf``; 0 if it is not there.
      integer: dtype of its integers.
    """

    find: Callable[[str], int]
    integer: np.dtype


@cache
def library() -> Lapack:
    """The library to use: NumPy's where it has LAPACK, so that all calls share one set of threads."""
    return _of_numpy() or _of_scipy()


def _of_numpy() -> Lapack | None:
    found = blas.library()
    pattern = _SPELLINGS[found.pattern]
    if not all(hasattr(found.handle, pattern.format(name)) for name in ("dgesdd", "zgees", "dormqr")):
        return None

    def find(name: str) -> int:
        function = getattr(found.handle, pattern.format(name), None)
        return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0

    return Lapack(find, np.dtype(np.int64 if found.integer == "i64" else np.int32))


def _of_scipy() -> Lapack:
    from scipy.linalg import cython_lapack

    capsules = cython_lapack.__pyx_capi__
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

    def find(name: str) -> int:
        capsule = capsules.get(name)
        return 0 if capsule is None else pointer_of(capsule, name_of(capsule)) or 0

    return Lapack(find, np.dtype(np.int32))


def width() -> str:
    """LLVM type of the integers of LAPACK, without loading it."""
    found = _of_numpy()
    return "i32" if found is None or found.integer.itemsize == 4 else "i64"


def blas_integer() -> str:
    """LLVM type of the integers of the C interface of the BLAS."""
    return blas.library().integer


provide("lapack", lambda name: library().find(name))
provide("blas", lambda name: blas.library().address(name))


def integer(value: int) -> Constant:
    """An integer argument of LAPACK."""
    return Constant(np.array(value, library().integer).tobytes())


def function(name: str, *arguments: Argument | str | int) -> Function:
    """A call of a routine of LAPACK; letters and integers are passed by reference.

    Compilers of Fortran pass the lengths of strings after all other arguments, which does no harm where they do not.
    """
    passed: list[Argument] = []
    for a in arguments:
        passed.append(Constant(a.encode()) if isinstance(a, str) else integer(a) if isinstance(a, int) else a)
    passed += [Value(1)] * sum(isinstance(a, str) for a in arguments)
    return Function(f"lapack_{name}", tuple(passed))


@lru_cache(maxsize=1024)
def best_work(
    name: str, arguments: tuple[Argument | str | int | None, ...], dtypes: tuple[Any, ...]
) -> tuple[int, ...]:
    """Sizes, in elements, of the workspaces that a routine asks for.

    Args:
      name: of the routine.
      arguments: its arguments, None where it takes the size of a workspace.
      dtypes: of the workspaces that it is asked for, the first ones.
    """
    spaces = [np.zeros(16, dtype) for dtype in dtypes]
    rest = np.zeros(64, np.complex128)
    asked = function(name, *[-1 if a is None else a for a in arguments])
    types: list[Any] = []
    given: list[Any] = []
    kept: list[Any] = []
    for a in asked.arguments:
        if isinstance(a, Value):
            types.append(ctypes.c_int64)
            given.append(a.value)
            continue
        types.append(ctypes.c_void_p)
        if isinstance(a, Constant):
            kept.append(ctypes.create_string_buffer(a.data, len(a.data)))
            given.append(ctypes.addressof(kept[-1]))
        elif isinstance(a, Work) and a.number < len(spaces):
            given.append(spaces[a.number].ctypes.data)
        else:
            given.append(rest.ctypes.data)
    ctypes.CFUNCTYPE(None, *types)(address_of(asked.symbol))(*given)
    # Sizes in single precision may be rounded down.
    return tuple([max(1, int(x[0].real * (1 + 1e-6)) + 1) for x in spaces])
