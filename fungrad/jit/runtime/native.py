"""From LLVM text to machine code in this process.

One target machine for the host processor and one linking layer serve all programs. The optimiser of
LLVM is not run: the emitter writes vectors, partial sums and SSA form itself, and instruction
selection (with its own loop optimisations) does the rest; a small program takes a few milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeVar

from fungrad import locks
from fungrad.core import timeline
from fungrad.core.frozen import frozen
from fungrad.jit.ir import tuning
from fungrad.jit.runtime import pieces

_T = TypeVar("_T")

# Codegen does not scale with the optimisation level for straight-line vector code; 2 has everything
# needed.
_LEVEL = 2


@frozen
class Host:
    """The processor that code is compiled for."""

    triple: str
    cpu: str
    features: str

    @property
    def vector_bytes(self) -> int:
        """Width of a vector register."""
        if self.avx512:
            return 64
        return 32 if "+avx2" in self.features.split(",") else 16

    @property
    def avx512(self) -> bool:
        """Whether there are the instructions of AVX-512, for all widths."""
        names = self.features.split(",")
        return "+avx512f" in names and "+avx512vl" in names

    @property
    def arm(self) -> bool:
        """Whether it is an AArch64 processor."""
        return self.triple.startswith(("aarch64", "arm64"))

    @property
    def soft_half(self) -> bool:
        """Whether there are no instructions for half precision."""
        return self.triple.startswith(("x86_64", "i686")) and "+f16c" not in self.features.split(",")


class Session:
    """The compiler of this process. Use `session()`.

    Text is parsed in a context of its own each time: LLVM's global one keeps the types and constants of every module.
    """

    def __init__(self, host: Host | None = None) -> None:
        # 30 ms that `import fungrad` need not spend
        with locks.imports:
            import llvmlite.binding as llvm

        self._llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.host = host or Host(
            llvm.get_process_triple(),
            llvm.get_host_cpu_name(),
            llvm.get_host_cpu_features().flatten(),
        )
        self._target = llvm.Target.from_triple(self.host.triple)
        self._machine = self._new_machine()
        # Machines that no thread uses, each with a lock that a fork waits for while one does.
        self._idle: list[tuple[Any, Any]] = []
        self._quick: Any = None
        self._layer = _Layer(self._new_linker())
        self._lock = locks.lock()
        locks.include(llvm.ffi.lib._lock)

    def _new_machine(self, level: int = _LEVEL) -> Any:
        return self._target.create_target_machine(
            cpu=self.host.cpu,
            features=self.host.features,
            opt=level,
            reloc="pic",
            codemodel="default",
        )

    def _new_linker(self) -> Any:
        return self._llvm.create_lljit_compiler(self._new_machine(), use_jit_link=True)

    def _parsed(self, text: str, context: Any = None) -> Any:
        return self._llvm.parse_assembly(text, context or self._llvm.create_context())

    def optimised(self, text: str, entry: str) -> str:
        """A module after LLVM's own optimiser, in which only the function `entry` can be seen from outside."""
        llvm = self._llvm
        with self._lock:
            module = self._parsed(text)
            machine = self._new_machine()
            module.triple, module.data_layout = self.host.triple, str(machine.target_data)
            for value in (*module.functions, *module.global_variables):
                if not value.is_declaration and value.name != entry:
                    value.linkage = "internal"
            options = llvm.create_pipeline_tuning_options(speed_level=3)
            options.loop_vectorization = options.slp_vectorization = True
            builder = llvm.create_pass_builder(machine, options)
            builder.getModulePassManager().run(module, builder)
            lines = str(module).splitlines()
        # The program that it goes into says what it is compiled for.
        return "\n".join(x for x in lines if not x.startswith(("target ", "source_filename", "; ModuleID"))) + "\n"

    def address_of(self, symbol: str) -> int | None:
        """Address of a function of this process, None if there is none of that name."""
        return self._llvm.address_of_symbol(symbol)  # type: ignore[no-any-return]

    def compile(self, text: str, timings: dict[str, float] | None = None, parts: Sequence[str] = ()) -> bytes:
        """Object code of a module, with other modules linked into it.

        A large module is cut into several, and threads compile them at the same time. Ctrl-C stops waiting for a long
        one at once; what LLVM has begun it finishes on threads of its own.
        """
        start = time.perf_counter()
        modules = [text] if parts else pieces.cut(text)
        works = [partial(self._compiled, module, parts) for module in modules]
        if len(works) > 1 or (len(text) > tuning.LONG_TEXT and threading.current_thread() is threading.main_thread()):
            found = _on_threads(works)
        else:
            found = [work() for work in works]
        if timings is not None:
            timings["parse"] = max(seconds for _, seconds in found)
            timings["codegen"] = time.perf_counter() - start - timings["parse"]
            timeline.add_last("codegen", "compile", timings["codegen"])
        return pieces.joined([code for code, _ in found])

    def _compiled(self, text: str, parts: Sequence[str]) -> tuple[bytes, float]:
        """Object code of one module, and the seconds that parsing took."""
        with self._own_machine() as machine:
            start = time.perf_counter()
            context = self._llvm.create_context()
            module = self._parsed(text, context)
            for part in parts:
                module.link_in(self._parsed(part, context))
            parsed = time.perf_counter() - start
            code = self._emitted(machine, module)
            module.close()
            return code, parsed

    @contextlib.contextmanager
    def _own_machine(self) -> Iterator[Any]:
        """A target machine that no other thread uses meanwhile, so that threads can compile at the same time."""
        with self._lock:
            guard, machine = self._idle.pop() if self._idle else (locks.lock(), self._new_machine())
        try:
            with guard:
                yield machine
        finally:
            with self._lock:
                self._idle.append((guard, machine))

    def _emitted(self, machine: Any, module: Any) -> bytes:
        """Object code of a module in a context of its own.

        llvmlite lets one thread at a time into LLVM, which needs that only for objects that threads share. What takes
        long is therefore called beside its lock.
        """
        lib = self._llvm.ffi.lib
        emit = lib.LLVMPY_TargetMachineEmitToMemory
        with self._llvm.ffi.OutputString() as error:
            buffer = getattr(emit, "_cfn", emit)(machine, module, 1, error)
            if not buffer:
                raise RuntimeError(f"LLVM could not write machine code: {error}")
        try:
            return ctypes.string_at(lib.LLVMPY_GetBufferStart(buffer), lib.LLVMPY_GetBufferSize(buffer))
        finally:
            lib.LLVMPY_DisposeMemoryBuffer(buffer)

    def quickly(self, text: str) -> bytes:
        """Object code of a module whose speed does not matter: in a fifth of the time, and without optimisation."""
        with self._lock:
            if self._quick is None:
                self._quick = self._new_machine(0)
            module = self._parsed(text)
            code = self._quick.emit_object(module)
            module.close()
            return code  # type: ignore[no-any-return]

    def assembly(self, text: str) -> str:
        """Assembly text of a module."""
        with self._lock:
            return self._machine.emit_assembly(self._parsed(text))

    def link(self, code: bytes, symbols: Mapping[str, int], *exports: str) -> Loaded:
        """Load object code into the process.

        Args:
          code: from `compile` or `quickly`.
          symbols: addresses of external functions.
          *exports: names of the functions wanted.
        """
        builder = self._llvm.JITLibraryBuilder()
        for image in pieces.separate(code):
            builder.add_object_img(image)
        for name in exports:
            builder.export_symbol(name)
        for name, address in symbols.items():
            builder.import_symbol(name, address)
        builder.add_current_process()
        with self._lock:
            if self._layer.full:
                self._layer = _Layer(self._new_linker())
            tracker = self._layer.link(builder)
        return Loaded(tracker, self._layer, {name: tracker[name] for name in exports})


class _Layer:
    """A linking layer of LLVM for the next few libraries."""

    def __init__(self, linker: Any):
        self._linker = [linker]
        # Objects of loaded code refer to it; it must outlive them also when the interpreter shuts down.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(linker))
        self._names = count()
        self._loaded: set[str] = set()
        self.full = False

    def link(self, builder: Any) -> Any:
        """Loads a library; called with the lock of the session."""
        number = next(self._names)
        tracker = builder.link(self._linker[0], f"fungrad{number}")
        self._loaded.add(tracker.name)
        self.full = number + 1 >= tuning.SHARED_LAYER
        return tracker

    def unload(self, tracker: Any) -> None:
        """Frees a library, at any moment and on any thread: so without a lock."""
        tracker.close()
        self._loaded.discard(tracker.name)
        if self.full and not self._loaded:
            with contextlib.suppress(IndexError):  # another thread was first
                linker = self._linker.pop()
                linker.close()
                _trim()
                ctypes.pythonapi.Py_DecRef(ctypes.py_object(linker))


def _on_threads(works: Sequence[Callable[[], _T]]) -> list[_T]:
    """The results of functions that run at the same time; the caller waits in such a way that a signal can end that.

    Python handles no signal while LLVM runs, and one that comes while an object of LLVM is deleted it forgets.
    """
    outcomes: list[Any] = [None] * len(works)
    finished = [threading.Event() for _ in works]

    def run(n: int) -> None:
        try:
            outcomes[n] = works[n]()
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            outcomes[n] = error
        finished[n].set()

    for n in range(len(works)):
        try:
            threading.Thread(target=run, args=(n,), name="fungrad compiler").start()
        except RuntimeError:  # the process may have no more threads, or is about to end
            run(n)
    for event in finished:
        event.wait()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes


def _trim() -> None:
    """Gives free memory back to the system: the C library keeps the pages that compilations leave full of holes."""
    trim = getattr(ctypes.pythonapi, "malloc_trim", None)  # only glibc has it
    if trim is not None:
        trim(0)


class Loaded:
    """Machine code in the process; freed with this object.

    Attributes:
      addresses: of the exported functions.
    """

    def __init__(self, tracker: Any, layer: _Layer, addresses: dict[str, int]):
        self.addresses = addresses
        # The tracker must be closed before its layer, in whatever order the garbage collector finds them.
        self._unload = weakref.finalize(self, layer.unload, tracker)
        self._unload.atexit = False

    def keep(self) -> None:
        """Never free the code, not even when the interpreter shuts down."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._unload.detach()))


_session: Session | None = None
_session_lock = locks.lock()


def session() -> Session:
    """The compiler of this process, made at the first use."""
    global _session
    if _session is None:
        with _session_lock:
            if _session is None:
                _session = Session()
    return _session
