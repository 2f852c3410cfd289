"""Runs programs: object code, and where arguments, results and temporaries are.

An `Image` knows nothing of the program that it was compiled from, so one that comes from the disk runs without the
compiler. An `Executable` is an image in this process; `Executable.run(arrays)` calls it. A call costs about a
microsecond: the native entry point is a C function of Python's fast calling convention that reads addresses straight
from the array objects.

Temporaries live in one arena per program, kept between calls; a second thread that calls the same program meanwhile
takes a spare one. Large results come from a pool of memory that was already mapped.
"""

from __future__ import annotations

import ctypes
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core.array import narrowed
from fungrad.core.frozen import frozen
from fungrad.jit.runtime import native, pool, threads
from fungrad.jit.runtime.layout import UNSUITED

_METH_FASTCALL = 0x0080
# The function that calls host steps.
HOST = "fg_host"
_HOST_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p)


class _MethodDef(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def _builtin(address: int) -> tuple[Callable[..., int], _MethodDef]:
    """A Python callable for a C function of the fast calling convention, and what must outlive it."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    definition = _MethodDef(b"entry", address, _METH_FASTCALL, None)
    return new(ctypes.addressof(definition), None, None), definition


@frozen
class Piece:
    """Memory that a host step reads or writes.

    Attributes:
      slot: of the table of pointers.
      start: bytes from that pointer.
      steps: pairs of the slot of a counter and bytes per step of it.
      shape: of the array.
      strides: in bytes.
      dtype: of the elements.
    """

    slot: int
    start: int
    steps: tuple[tuple[int, int], ...]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype

    def array(self, table: int, writeable: bool) -> np.ndarray:
        """The array, for the table at an address."""
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        address = (ctypes.c_void_p.from_address(table + 8 * self.slot).value or 0) + self.start
        for counter, size in self.steps:
            address += size * ctypes.c_int64.from_address(table + 8 * counter).value
        extent = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)) + self.dtype.itemsize
        memory: Any = (ctypes.c_char * extent).from_address(address)
        array = np.ndarray(self.shape, self.dtype, memory, 0, self.strides)
        array.flags.writeable = writeable
        return array


@frozen
class HostCall:
    """A step that Python runs.

    Attributes:
      name: for messages.
      inputs, outputs: what it reads and writes.
    """

    name: str
    inputs: tuple[Piece, ...]
    outputs: tuple[Piece, ...]


@frozen
class Result:
    """Where a result is after a call.

    Attributes:
      new: whether it is one of the new arrays, or else an input whose memory it has taken over.
      number: of the new array or of the input.
      shape: of the result, which that input need not have.
      dtype: likewise.
    """

    new: bool
    number: int
    shape: tuple[int, ...]
    dtype: np.dtype


@frozen
class Image:
    """A program without its object code.

    Attributes:
      inputs: how many arrays a call gets.
      places: the inputs that the entry wants, in its order; new arrays and constants follow.
      outputs: shape and dtype of the new arrays.
      consts: arrays.
      results: of a call.
      arena_bytes: size of the temporaries.
      symbols: functions outside that the code calls.
      hosts: what Python runs, by number.
    """

    inputs: int
    places: tuple[int, ...]
    outputs: tuple[tuple[tuple[int, ...], np.dtype], ...]
    consts: tuple[np.ndarray, ...]
    results: tuple[Result, ...]
    arena_bytes: int
    symbols: tuple[str, ...]
    hosts: tuple[HostCall, ...] = ()


class Executable:
    """A program as machine code in this process.

    Args:
      image: the program.
      code: its object code.
      symbols: addresses of its `symbols`, but for the one that calls host steps.
      functions: those of the host steps, from ndarrays to an ndarray or several.

    Attributes:
      timings: seconds by stage.
      arena_bytes: size of the temporaries.
    """

    def __init__(
        self, image: Image, code: bytes, symbols: Mapping[str, int], functions: Sequence[Callable[..., Any]] = ()
    ):
        self.timings: dict[str, float] = {}
        self.image = image
        self.arena_bytes = image.arena_bytes
        self._failures: dict[int, BaseException] = {}
        self._functions = tuple(functions)
        start = time.perf_counter()
        symbols = dict(symbols)
        if HOST in image.symbols:
            self._callback = _HOST_CALLBACK(self._run_host)
            symbols[HOST] = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        self._loaded = native.session().link(code, symbols, "entry")
        self.timings["link"] = time.perf_counter() - start
        self._entry, self._definition = _builtin(self._loaded.addresses["entry"])
        self._arenas = [pool.aligned(self.arena_bytes)]
        self._new_outputs = [pool.allocator(shape, dtype) for shape, dtype in image.outputs]
        self._const_arguments = image.consts
        self._input_places = image.places
        self._results = image.results
        self._plain = [(r.new, r.number) for r in image.results] == [(True, k) for k in range(len(image.outputs))]
        # Where results are in the list of new arrays and inputs, and which of them need another shape or dtype (known
        # from the first call on).
        self._at = [r.number if r.new else len(image.outputs) + r.number for r in image.results]
        self._changed: list[tuple[int, Result]] | None = None
        self._in_order = image.places == tuple(range(image.inputs))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Call the program.

        Args:
          inputs: arrays of exactly the declared shapes and dtypes, in the order of the inputs of the program; those
            that are not C-contiguous and aligned are copied. An input that an output aliases is overwritten.

        Returns:
          New arrays, in the order of the outputs of the program.
        """
        if config.threads != threads.current:
            threads.follow(config.threads)
        outputs = [new() for new in self._new_outputs]
        arguments = inputs if self._in_order else [inputs[k] for k in self._input_places]
        try:
            arena = self._arenas.pop()
        except IndexError:
            arena = pool.aligned(self.arena_bytes)
        status = self._entry(arena, *arguments, *outputs, *self._const_arguments)
        self._arenas.append(arena)
        if status:
            if status == UNSUITED:
                return self.run([np.array(x, order="C").reshape(x.shape) for x in inputs])
            self._raise()
        if self._plain:
            return outputs
        arrays = [*outputs, *inputs]
        results = [arrays[k] for k in self._at]
        if self._changed is None:
            pairs = enumerate(zip(self._results, results, strict=True))
            self._changed = [(i, r) for i, (r, x) in pairs if x.dtype != r.dtype or x.shape != r.shape]
        for i, r in self._changed:
            results[i] = results[i].view(r.dtype).reshape(r.shape)
        return results

    def _raise(self) -> None:
        # None is noted where Ctrl-C came just before or after the host step, where nobody could catch it.
        raise self._failures.pop(threading.get_ident(), None) or KeyboardInterrupt

    def _run_host(self, number: int, table: int) -> int:
        """Called by native code for a host step; 1 if that is done.

        What a signal handler raises outside of the `try` is printed by ctypes, which returns 0.
        """
        try:
            host = self.image.hosts[number]
            results = self._functions[number](*(piece.array(table, writeable=False) for piece in host.inputs))
            outputs = [piece.array(table, writeable=True) for piece in host.outputs]
            if len(outputs) == 1 and not isinstance(results, (list, tuple)):
                results = (results,)
            for target, result in zip(outputs, results, strict=True):
                result = narrowed(result, target.dtype)
                if target.dtype != result.dtype or target.shape != result.shape:
                    raise TypeError(
                        f"fungrad.jit: host step {host.name} gave "
                        f"{result.dtype}{list(result.shape)} for "
                        f"{target.dtype}{list(target.shape)}"
                    )
                target[...] = result
        except BaseException as failure:  # noqa: BLE001 - must not cross native frames; `run` raises it
            self._failures[threading.get_ident()] = failure
            return 0
        return 1


# -- as bytes ----------------------------------------------------------------------------------------------------------


def encoded(image: Image, extra: Any) -> bytes | None:
    """An image and a value of JSON as bytes; None if a dtype has no name by which another process finds it."""
    try:
        head = {
            "inputs": image.inputs,
            "places": image.places,
            "outputs": [(shape, _name(dtype)) for shape, dtype in image.outputs],
            "consts": [(c.shape, _name(c.dtype)) for c in image.consts],
            "results": [(r.new, r.number, r.shape, _name(r.dtype)) for r in image.results],
            "arena": image.arena_bytes,
            "symbols": image.symbols,
            "hosts": [(h.name, list(map(_plain, h.inputs)), list(map(_plain, h.outputs))) for h in image.hosts],
            "extra": extra,
        }
    except _NamelessError:
        return None
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(8, "little"), text, *(np.ascontiguousarray(c).tobytes() for c in image.consts)])


def decoded(data: bytes) -> tuple[Image, Any]:
    """What `encoded` was given."""
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    consts, at = [], 8 + size
    for dims, name in head["consts"]:
        dtype = np.dtype(name)
        count = int(np.prod(dims, dtype=np.int64))
        consts.append(np.frombuffer(data, dtype, count, at).reshape(dims).copy())
        at += count * dtype.itemsize
    return (
        Image(
            head["inputs"],
            tuple(head["places"]),
            tuple([(tuple(shape), np.dtype(name)) for shape, name in head["outputs"]]),
            tuple(consts),
            tuple([Result(new, k, tuple(shape), np.dtype(name)) for new, k, shape, name in head["results"]]),
            head["arena"],
            tuple(head["symbols"]),
            tuple([HostCall(n, tuple(map(_piece, a)), tuple(map(_piece, b))) for n, a, b in head["hosts"]]),
        ),
        head["extra"],
    )


class _NamelessError(Exception):
    """A dtype has no name."""


def _name(dtype: np.dtype) -> str:
    try:
        if np.dtype(dtype.name) == dtype:
            return dtype.name
    except TypeError:
        pass
    raise _NamelessError


def _plain(p: Piece) -> tuple:
    return p.slot, p.start, p.steps, p.shape, p.strides, _name(p.dtype)


def _piece(plain: list) -> Piece:
    slot, start, steps, shape, strides, name = plain
    return Piece(slot, start, tuple((c, s) for c, s in steps), tuple(shape), tuple(strides), np.dtype(name))
