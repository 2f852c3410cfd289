"""Profiles in the format of ``pprof``: a protocol buffer, written here by hand.

Only what a profile of memory needs: samples of a count and a size, each at one location, which is a function.

May import ``core``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from typing import Any

from fungrad.core.array import Array

# Numbers of the fields of the messages, as profile.proto of pprof gives them.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRINGS = 1, 2, 4, 5, 6


def memory_profile(arrays: Iterable[Array]) -> bytes:
    """The profile of some arrays, compressed; those of one type are one sample, and memory in common counts once."""
    sizes: dict[str, list[int]] = {}
    seen: set[int] = set()
    for x in arrays:
        memory: Any = x._data  # type: ignore[attr-defined]
        while getattr(memory, "base", None) is not None:
            memory = memory.base
        if id(memory) in seen:
            continue
        seen.add(id(memory))
        found = sizes.setdefault(x.aval.str_short(), [0, 0])
        found[0] += 1
        found[1] += int(getattr(memory, "nbytes", x.nbytes))
    strings = ["", "allocations", "count", "space", "bytes", *sizes]
    out = b"".join([_message(_SAMPLE_TYPE, _number(1, i) + _number(2, i + 1)) for i in (1, 3)])
    for k, (count, size) in enumerate(sizes.values(), 1):
        out += _message(_SAMPLE, _packed(1, [k]) + _packed(2, [count, size]))
    for k in range(1, len(sizes) + 1):
        out += _message(_LOCATION, _number(1, k) + _message(4, _number(1, k)))
        out += _message(_FUNCTION, _number(1, k) + _number(2, 4 + k) + _number(3, 4 + k))
    out += b"".join([_message(_STRINGS, s.encode()) for s in strings])
    return gzip.compress(out)


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _packed(field: int, values: Sequence[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
