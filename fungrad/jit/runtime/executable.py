"""Runs programs: machine code, made from LLVM text or found in the cache.

`Executable.run(arrays)` calls a program. A call
costs about a microsecond: the native entry point is a C function of Python's fast calling
convention that reads addresses straight from the array objects.

Temporaries live in one arena per program, kept between calls; a second thread that calls the same
program meanwhile takes a spare one. Large results come from a pool of memory that was already
mapped.
"""

from __future__ import annotations

import ctypes
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fungrad.config import config
from fungrad.jit.ir.loop_text import program_text
from fungrad.jit.ir.loops import Host, Program, View
from fungrad.jit.runtime import cache, native, pool, threads
from fungrad.jit.runtime.layout import UNSUITED

_METH_FASTCALL = 0x0080
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
    """A Python callable for a C function of the fast calling convention, and what must outlive
    it."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    definition = _MethodDef(b"entry", address, _METH_FASTCALL, None)
    return new(ctypes.addressof(definition), None, None), definition


@dataclass(frozen=True)
class Code:
    """A program as LLVM text, with what it needs to run.

    Attributes:
      text: the module.
      parts: modules to be linked in.
      lasting: whether the code is good for other processes, too.
      arguments: names of the buffers that the entry is given after the arena, in order.
      slots: places of buffers and counters in the table of a call.
      hosts: the host steps in the order of their numbers.
      symbols: addresses of external functions.
      calls_back: whether the module calls host steps.
      seconds: that it took to write.
    """

    text: str
    parts: list[str]
    lasting: bool
    arguments: list[str]
    slots: dict[str, int]
    hosts: list[Host]
    symbols: dict[str, int]
    calls_back: bool
    seconds: float


class Executable:
    """A program as machine code.

    Attributes:
      program: what was compiled, after all rewrites.
      timings: seconds by stage: `rewrite`, `emit`, then `parse` and `codegen` or `cache`, then `link`.
      arena_bytes: size of the temporaries.
      cached: whether the code came from the disk cache.
    """

    def __init__(self, program: Program, written: Code):
        self.timings: dict[str, float] = {}
        self._failures: dict[int, BaseException] = {}
        self.program = program
        self.arena_bytes = program.arena_bytes
        self._compressed = zlib.compress(written.text.encode(), 1)
        # Modules of numba kernels, to be linked in.
        self._parts = written.parts
        self.timings["emit"] = written.seconds
        session = native.session()
        code = self._code(session, written)
        start = time.perf_counter()
        symbols = dict(written.symbols)
        if written.calls_back:
            self._callback = _HOST_CALLBACK(self._run_host)
            symbols["fg_host"] = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        self._loaded = session.link(code, symbols, "entry")
        self.timings["link"] = time.perf_counter() - start
        self._entry, self._definition = _builtin(self._loaded.addresses["entry"])
        declared = program.buffers
        names = written.arguments
        self._inputs = [k for k, n in enumerate(names) if declared[n].kind == "input"]
        self._input_places = [program.inputs.index(names[k]) for k in self._inputs]
        self._hosts = written.hosts
        self._names = names
        self._slots = written.slots
        self._consts = {
            n: np.ascontiguousarray(declared[n].value).reshape(declared[n].shape)
            for n in names
            if declared[n].kind == "const"
        }
        self._arenas = [pool.aligned(self.arena_bytes)]
        self._new_outputs = [
            pool.allocator(declared[n].shape, declared[n].dtype) for n in names if declared[n].kind == "output"
        ]
        self._prepare_call()

    def _code(self, session: native.Session, written: Code) -> bytes:
        start = time.perf_counter()
        key = cache.key("\n".join([written.text, *self._parts]), session.host)
        code = cache.read(key) if written.lasting else None
        self.cached = code is not None
        if code is None:
            code = session.compile(written.text, self.timings, self._parts)
            if written.lasting:
                cache.write(key, code)
        else:
            self.timings["cache"] = time.perf_counter() - start
        return code

    # -- calls -------------------------------------------------------------------------------------

    def _prepare_call(self) -> None:
        """Fix the order of arguments and results."""
        program = self.program
        kinds = [program.buffers[n].kind for n in self._names]
        # the usual order: inputs, outputs, constants
        order = {"input": 0, "output": 1, "const": 2}
        assert kinds == sorted(kinds, key=order.__getitem__), "buffers are declared by kind"
        self._const_arguments = tuple(self._consts.values())
        outputs = [n for n in self._names if program.buffers[n].kind == "output"]
        # where each result comes from: a new array, or an input whose memory it took over
        self._results: list[tuple[bool, int]] = []
        for name in program.outputs:
            root = program.root(name)
            if root.kind == "output":
                self._results.append((True, outputs.index(root.name)))
            else:
                self._results.append((False, program.inputs.index(root.name)))
        self._plain = self._results == [(True, k) for k in range(len(outputs))]
        self._in_order = self._input_places == list(range(len(program.inputs)))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Call the program.

        Args:
          inputs: arrays of exactly the declared shapes and dtypes, in the order of `program.inputs`; those that are
            not C-contiguous and aligned are copied. An input that an output aliases is overwritten.

        Returns:
          New arrays, in the order of `program.outputs`.
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
        return [
            outputs[k] if new else self._renamed(name, inputs[k])
            for name, (new, k) in zip(self.program.outputs, self._results, strict=True)
        ]

    def _renamed(self, name: str, array: np.ndarray) -> np.ndarray:
        buffer = self.program.buffers[name]
        if array.dtype == buffer.dtype and array.shape == buffer.shape:
            return array
        return array.view(buffer.dtype).reshape(buffer.shape)

    def _raise(self) -> None:
        raise self._failures.pop(threading.get_ident())

    def _run_host(self, number: int, table: int) -> int:
        """Called by native code for a host step."""
        host = self._hosts[number]
        try:
            results = host.fn(*(self._view(table, v, writeable=False) for v in host.inputs))
            outputs = [self._view(table, v, writeable=True) for v in host.outputs]
            if len(outputs) == 1 and not isinstance(results, (list, tuple)):
                results = (results,)
            for target, result in zip(outputs, results, strict=True):
                if target.dtype != np.asarray(result).dtype or target.shape != np.shape(result):
                    raise TypeError(
                        f"fungrad.jit: host step {host.name} gave "
                        f"{np.asarray(result).dtype}{list(np.shape(result))} for "
                        f"{target.dtype}{list(target.shape)}"
                    )
                target[...] = result
        except BaseException as failure:  # noqa: BLE001 - must not cross native frames; `run` raises it
            self._failures[threading.get_ident()] = failure
            return 1
        return 0

    def _view(self, table: int, view: View, writeable: bool) -> np.ndarray:
        """The array that an operand of a host step denotes."""
        program, slots = self.program, self._slots
        buffer = program.buffers[view.buffer]
        root = program.root(view.buffer)
        slot = slots.get(root.name, 0)
        address = ctypes.c_void_p.from_address(table + 8 * slot).value or 0
        if slot == 0:
            address += root.offset or 0
        offset = view.offset.const
        for symbol, c in view.offset.terms:
            offset += c * ctypes.c_int64.from_address(table + 8 * slots[f"%{symbol}"]).value
        size = buffer.dtype.itemsize
        if 0 in view.shape:
            return np.empty(view.shape, buffer.dtype)
        strides = [s * size for s in view.dense_strides]
        extent = sum((n - 1) * s for n, s in zip(view.shape, strides, strict=True)) + size
        memory = (ctypes.c_char * extent).from_address(address + offset * size)
        array = np.ndarray(view.shape, buffer.dtype, memory, 0, strides)
        array.flags.writeable = writeable
        return array

    # -- looking inside ----------------------------------------------------------------------------

    def text(self, form: str = "steps") -> str:
        """Listing of the program.

        Args:
          form: `steps` (loop IR), `llvm` or `asm`.
        """
        if form == "steps":
            return program_text(self.program)
        if form in ("llvm", "asm"):
            llvm = zlib.decompress(self._compressed).decode()
            return llvm if form == "llvm" else native.session().assembly(llvm)
        raise ValueError(f"Executable.text: form must be steps, llvm or asm, got {form!r}")


