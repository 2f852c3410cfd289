"""How compiled code finds the data of array objects."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

# Offset of `char *data` in an array object: it follows the reference count and the type.
DATA_OFFSET = 16
# The flags of an array, likewise, and those that compiled code relies on: C-contiguous and aligned.
FLAGS_OFFSET = 64
SUITED = 0x101
# Status of a call whose inputs must be copied first.
UNSUITED = 2


@cache
def check_array_layout() -> None:
    """Compiled code finds the data of an array at a fixed offset in the object: make sure it
    does."""
    probe, uneven = np.arange(7.0), np.arange(7.0)[::2]
    found = ctypes.c_void_p.from_address(id(probe) + DATA_OFFSET).value
    flags = [ctypes.c_int.from_address(id(x) + FLAGS_OFFSET).value & SUITED == SUITED for x in (probe, uneven)]
    if found != probe.ctypes.data or flags != [True, False]:
        raise RuntimeError(
            "fungrad.jit: this Python lays out array objects in an unknown way; compiled functions "
            "cannot be used here (set FUNGRAD_DISABLE_JIT=1)"
        )
