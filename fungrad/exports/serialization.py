"""The bytes of exported functions.

An exported function is kept as::

    magic      8 bytes   89 46 47 58 0d 0a 1a 0a  ("FGX" between bytes that copying as text would change)
    format     4 bytes   the version of the format, little-endian, as all numbers
    length     8 bytes   of the header
    header               JSON in UTF-8
    arrays               the constants of the programs, each in C order at a multiple of 64 bytes from the first
    checksum  32 bytes   SHA-256 of everything before

The header is an object with the version of the library, ``"fungrad"``, and a list ``"stages"``: the function, its
backward pass, the backward pass of that, and so on. A stage has the fields of ``Exported``; its program is the exact
text of a jaxpr (``core.parsing`` reads it), the list of its constants, as dtype, shape, weak type and offset, and the
modules of the library that define its primitives. Where shapes are symbolic, it has the constraints of their scope.

Nothing of this is code: reading builds jaxprs of primitives that the library has, which are verified before they are
returned.

May import ``core`` and ``exports``: ``programs``, ``instances``, ``scopes`` and ``dimension_text``.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import Jaxpr
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.printing import jaxpr_text
from fungrad.core.version import VERSION
from fungrad.errors import JaxprTypeError
from fungrad.exports.dimension_text import parse_dimension
from fungrad.exports.instances import expressions
from fungrad.exports.programs import homes, load_homes
from fungrad.exports.scopes import SymbolicScope

FORMAT = 1
MAGIC = b"\x89FGX\r\n\x1a\n"

_PREFIX = struct.Struct("<8sIQ")
_ALIGNMENT = 64
_CHECKSUM = hashlib.sha256().digest_size
_DTYPES = {dtypes.display_name(d): d for d in dtypes.all_dtypes}
_API = "fungrad.export.deserialize"


def write(stages: Sequence[dict[str, Any]]) -> bytearray:
    """The bytes of some stages, whose ``program`` is a jaxpr without opaque parameters."""
    arrays = bytearray()
    written = []
    for stage in stages:
        jaxpr = stage["program"]
        constants = []
        for x in jaxpr.consts:
            arrays.extend(bytes(-len(arrays) % _ALIGNMENT))
            aval, data = x.aval, np.ascontiguousarray(x._data)
            name = dtypes.display_name(aval.dtype)
            constants.append([name, list(aval.shape), aval.weak_type, len(arrays)])
            arrays.extend(data.tobytes())
        text, modules = jaxpr_text(jaxpr, weak=True), sorted(homes(jaxpr))
        written.append({**stage, "program": text, "constants": constants, "modules": modules})
        scope = next((d.scope for d in expressions(jaxpr)), None)
        if scope is not None:
            written[-1]["scope"] = list(scope.given)
    header = json.dumps({"fungrad": VERSION, "stages": written}, separators=(",", ":")).encode()
    out = bytearray(_PREFIX.pack(MAGIC, FORMAT, len(header)))
    out += header
    out += arrays
    out += hashlib.sha256(out).digest()
    return out


def read(blob: Any) -> list[dict[str, Any]]:
    """The stages among the bytes; ``program`` is the verified jaxpr, constants attached.

    Raises:
      TypeError: not bytes.
      ValueError: the bytes are damaged, foreign, or of another version.
    """
    if not isinstance(blob, (bytes, bytearray, memoryview)):
        raise TypeError(f"{_API}: expected bytes, got {blob!r:.60} of type {type(blob).__name__}")
    data = bytes(blob)
    if not data.startswith(MAGIC):
        start = data[: len(MAGIC)]
        if len(start) < len(MAGIC) and MAGIC.startswith(start):
            raise ValueError(f"{_API}: the data are damaged: they end after {len(data)} bytes")
        raise ValueError(
            f"{_API}: the data are no function exported by fungrad: they start with {start!r} instead of {MAGIC!r}; "
            "pass what Exported.serialize returned (functions that JAX has exported are programs of XLA)"
        )
    if len(data) < _PREFIX.size + _CHECKSUM:
        raise ValueError(f"{_API}: the data are damaged: they end after {len(data)} bytes")
    _, version, length = _PREFIX.unpack_from(data)
    if hashlib.sha256(data[:-_CHECKSUM]).digest() != data[-_CHECKSUM:]:
        raise ValueError(
            f"{_API}: the data are damaged: their checksum is wrong, so bytes are missing or have changed since they "
            "were written"
        )
    if version != FORMAT:
        raise ValueError(
            f"{_API}: the data have version {version} of the format, this version of fungrad reads version {FORMAT}; "
            "export the function anew, or read it with the version of fungrad that wrote it"
        )
    header = json.loads(data[_PREFIX.size : _PREFIX.size + length])
    arrays = memoryview(data)[_PREFIX.size + length : -_CHECKSUM]
    scopes: dict[tuple[str, ...], SymbolicScope] = {}
    for stage in header["stages"]:
        given = tuple(stage.get("scope", ()))
        # A function and its derivatives have one scope.
        scope = scopes[given] = scopes.get(given) or SymbolicScope(given)
        stage["program"] = _program(stage, arrays, header["fungrad"], scope)
    return header["stages"]  # type: ignore[no-any-return]


def _program(stage: dict[str, Any], arrays: memoryview, version: str, scope: SymbolicScope) -> Jaxpr:
    consts = [_constant(arrays, *c) for c in stage["constants"]]
    load_homes(stage["modules"])
    try:
        dimension = partial(parse_dimension, scope=scope) if "scope" in stage else None
        jaxpr = parse_jaxpr(stage["program"], consts=consts, dimension=dimension)
        check_jaxpr(jaxpr, _API)
    except (ValueError, TypeError, JaxprTypeError) as error:
        raise ValueError(
            f"{_API}: {stage['fun_name']} was exported by fungrad {version} and cannot be read by this version, "
            f"{VERSION}: {error}"
        ) from error
    return jaxpr


def _constant(arrays: memoryview, name: str, shape: list[int], weak_type: bool, offset: int) -> Any:
    dtype = _DTYPES[name]
    aval = ShapedArray(tuple(shape), dtype, weak_type)
    # A copy: memory of its own, aligned, which lives as long as the array.
    flat = np.frombuffer(arrays, dtype, aval.size, offset) if aval.size else np.empty(0, dtype)
    return wrap_unchecked(flat.reshape(aval.shape).copy(), aval)
