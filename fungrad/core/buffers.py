"""The buffer protocol on Python 3.11: ``memoryview(x)``, ``np.frombuffer(x)``.

From Python 3.12 on a class has the protocol if it has ``__buffer__``.  Before, only classes written in C had it: their
type has a pointer to a function that fills in a ``Py_buffer``.  A class made in Python has the place for it, and here
it gets a function that hands the request on to the ndarray.

May import nothing of the library.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

# Where a type object of CPython 3.11 has its name and its buffer functions, counted in pointers.
_NAME, _AS_BUFFER = 3, 20

_GetBuffer = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
# Functions that types point to, which must not be collected.
_kept: list[Any] = []


def needed() -> bool:
    """Whether this Python is one for which ``install`` is made, and needed."""
    return sys.version_info[:2] == (3, 11) and sys.implementation.name == "cpython"


def install(cls: type, export: Callable[[Any], Any]) -> None:
    """Gives a class the buffer protocol; does nothing where Python has ``__buffer__``.

    A request for memory to write to fails, as ndarrays that are read-only refuse it.

    Args:
      cls: the class.
      export: what of an object has the buffer.
    """
    if not needed():
        return
    slots = ctypes.cast(id(cls), ctypes.POINTER(ctypes.c_void_p))
    name = ctypes.cast(slots[_NAME], ctypes.c_char_p).value
    functions = slots[_AS_BUFFER]
    if name != cls.__name__.encode() or not functions:
        return  # a Python that is laid out in another way

    get = ctypes.pythonapi.PyObject_GetBuffer
    get.argtypes, get.restype = (ctypes.py_object, ctypes.c_void_p, ctypes.c_int), ctypes.c_int

    def get_buffer(x: Any, view: int, flags: int) -> int:
        try:
            return get(export(x), view, flags)  # type: ignore[no-any-return]
        except BaseException:  # noqa: BLE001 - an error cannot leave a function that C calls
            # What asked must not take the view for filled in.
            ctypes.c_void_p.from_address(view + ctypes.sizeof(ctypes.c_void_p)).value = None
            return -1

    function = _GetBuffer(get_buffer)
    _kept.append(function)
    place = ctypes.cast(functions, ctypes.POINTER(ctypes.c_void_p))
    place[0] = ctypes.cast(function, ctypes.c_void_p).value


__all__ = ["install", "needed"]
