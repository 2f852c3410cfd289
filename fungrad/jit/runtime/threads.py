"""The threads that share the parallel loops of compiled programs.

The pool is a small native module of its own: POSIX threads that take pieces of a loop from a common
counter. A parallel loop costs a few microseconds when the workers are awake; they stay so for a
moment after a loop and then sleep. Which thread runs which piece does not influence results.

It never blocks a caller: a program that finds the pool busy with another thread's loop runs its own
loop alone. After a `fork` the child starts its own workers when it first needs them.

How many threads: `fungrad.config.threads`, else all processors that the process may run on, or
`NUMBA_NUM_THREADS` if that is less.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

from fungrad import locks
from fungrad.config import config
from fungrad.jit.runtime import blas, cache, native

# Rounds of the waiting loop before a worker goes to sleep: some 30 microseconds, time to return to Python and back.
_SPINS = 1500

SYMBOLS = ("fg_parallel", "fg_parallel_polling", "fg_blas_enter", "fg_blas_leave")
"""What programs may call:

* `void fg_parallel(void (*fn)(void *ctx, i64 begin, i64 end), void *ctx, i64 n, i64 pieces_per_thread)`
* `void fg_parallel_polling(..., bool (*poll)(void *ctx))`: the same for long work; the caller asks `poll` now and then
  while it waits.
* `void fg_blas_enter(void)`, `void fg_blas_leave(void)`: in between, the BLAS uses no threads of its own.
"""

_TEXT = """
@mutex = internal global [128 x i8] zeroinitializer, align 64
@cond = internal global [128 x i8] zeroinitializer, align 64
@busy = internal global i32 0, align 64
@started = internal global i32 0, align 4
@workers = internal global i32 0, align 4
@limit = internal global i32 0, align 4
@open = internal global i32 0, align 64
@generation = internal global i64 0, align 8
@sleepers = internal global i32 0, align 4
@active = internal global i32 0, align 64
@next = internal global i64 0, align 64
@fn = internal global ptr null, align 64
@ctx = internal global ptr null, align 8
@n = internal global i64 0, align 8
@grain = internal global i64 1, align 8
@blas_get = internal global ptr null, align 8
@blas_set = internal global ptr null, align 8
@blas_depth = internal global i32 0, align 4
@blas_saved = internal global i32 0, align 4

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @sched_yield()
PAUSE_DECLARATION
FLOAT_MODE_DECLARATION

; take pieces of the current loop until none is left
define internal void @drain() #0 {
entry:
  %fn = load ptr, ptr @fn, align 8
  %ctx = load ptr, ptr @ctx, align 8
  %n = load i64, ptr @n, align 8
  %grain = load i64, ptr @grain, align 8
  br label %loop
loop:
  %first = atomicrmw add ptr @next, i64 %grain monotonic
  %some = icmp ult i64 %first, %n
  br i1 %some, label %work, label %done
work:
  %end = add i64 %first, %grain
  %last = call i64 @llvm.umin.i64(i64 %end, i64 %n)
  call void %fn(ptr %ctx, i64 %first, i64 %last)
  br label %loop
done:
  ret void
}
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)

; wait for a new generation, join it if its loop is still open, help, repeat
define internal ptr @worker(ptr %unused) #0 {
entry:
  ; a new thread inherits the treatment of subnormal numbers from the one that starts it
DEFAULT_FLOAT_MODE
  br label %outer
outer:
  %seen = phi i64 [ 0, %entry ], [ %now, %leave ]
  br label %spin
spin:
  %k = phi i32 [ 0, %outer ], [ %k1, %more ]
  %g = load atomic i64, ptr @generation seq_cst, align 8
  %new = icmp ne i64 %g, %seen
  br i1 %new, label %join, label %more
more:
  PAUSE
  %k1 = add i32 %k, 1
  %again = icmp ult i32 %k1, SPINS
  br i1 %again, label %spin, label %sleep
sleep:
  call i32 @pthread_mutex_lock(ptr @mutex)
  atomicrmw add ptr @sleepers, i32 1 seq_cst
  br label %check
check:
  %g2 = load atomic i64, ptr @generation seq_cst, align 8
  %new2 = icmp ne i64 %g2, %seen
  br i1 %new2, label %awake, label %wait
wait:
  call i32 @pthread_cond_wait(ptr @cond, ptr @mutex)
  br label %check
awake:
  atomicrmw sub ptr @sleepers, i32 1 seq_cst
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %join
join:
  %now = load atomic i64, ptr @generation seq_cst, align 8
  %others = atomicrmw add ptr @active, i32 1 seq_cst
  %open = load atomic i32, ptr @open seq_cst, align 4
  %limit = load atomic i32, ptr @limit monotonic, align 4
  %is_open = icmp ne i32 %open, 0
  %wanted = icmp ult i32 %others, %limit
  %help = and i1 %is_open, %wanted
  br i1 %help, label %work, label %leave
work:
  call void @drain()
  br label %leave
leave:
  atomicrmw sub ptr @active, i32 1 seq_cst
  br label %outer
}

; fn(ctx, begin, end) over ranges that make up 0 .. n, about %each of them per thread
define void @fg_parallel(ptr %fn, ptr %ctx, i64 %n, i64 %each) #0 {
  call void @fg_parallel_polling(ptr %fn, ptr %ctx, i64 %n, i64 %each, ptr null)
  ret void
}

; the same; while the caller waits it calls poll(ctx) now and then, if that is not null
define void @fg_parallel_polling(ptr %fn, ptr %ctx, i64 %n, i64 %each, ptr %poll) #0 {
entry:
  %thread = alloca [8 x i8], align 8
  %limit = load atomic i32, ptr @limit monotonic, align 4
  %none = icmp eq i32 %limit, 0
  br i1 %none, label %alone, label %take
alone:
  call void %fn(ptr %ctx, i64 0, i64 %n)
  ret void
take:
  %taken = atomicrmw xchg ptr @busy, i32 1 seq_cst
  %free = icmp eq i32 %taken, 0
  br i1 %free, label %have, label %alone
have:
  %started = load i32, ptr @started, align 4
  %workers = load i32, ptr @workers, align 4
  %enough = icmp uge i32 %started, %workers
  br i1 %enough, label %ready, label %check
check:
  %count = phi i32 [ %started, %have ], [ %count1, %created ]
  %status = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr null)
  %fine = icmp eq i32 %status, 0
  br i1 %fine, label %created, label %ready
created:
  %id = load ptr, ptr %thread, align 8
  call i32 @pthread_detach(ptr %id)
  %count1 = add i32 %count, 1
  store i32 %count1, ptr @started, align 4
  %missing = icmp ult i32 %count1, %workers
  br i1 %missing, label %check, label %ready
ready:
  store ptr %fn, ptr @fn, align 8
  store ptr %ctx, ptr @ctx, align 8
  store i64 %n, ptr @n, align 8
  %threads = add i32 %limit, 1
  %threads64 = zext i32 %threads to i64
  %pieces = mul i64 %threads64, %each
  %more_than_n = add i64 %n, %pieces
  %rounded = sub i64 %more_than_n, 1
  %share = udiv i64 %rounded, %pieces
  %grain = call i64 @llvm.umax.i64(i64 %share, i64 1)
  store i64 %grain, ptr @grain, align 8
  store atomic i64 0, ptr @next seq_cst, align 8
  store atomic i32 1, ptr @open seq_cst, align 4
  atomicrmw add ptr @generation, i64 1 seq_cst
  %sleepers = load atomic i32, ptr @sleepers seq_cst, align 4
  %all_awake = icmp eq i32 %sleepers, 0
  br i1 %all_awake, label %go, label %wake
wake:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @cond)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %go
go:
  call void @drain()
  atomicrmw xchg ptr @open, i32 0 seq_cst
  br label %finish
finish:
  %k = phi i32 [ 0, %go ], [ %k1, %again ]
  %active = load atomic i32, ptr @active seq_cst, align 4
  %idle = icmp eq i32 %active, 0
  br i1 %idle, label %done, label %pause
pause:
  PAUSE
  %k1 = add i32 %k, 1
  %long = icmp ugt i32 %k1, 2000
  br i1 %long, label %yield, label %again
yield:
  call i32 @sched_yield()
  %yields = and i32 %k1, 31
  %due = icmp eq i32 %yields, 0
  %polls = icmp ne ptr %poll, null
  %look = and i1 %due, %polls
  br i1 %look, label %ask, label %again
ask:
  call i1 %poll(ptr %ctx)
  br label %again
again:
  br label %finish
done:
  store atomic i32 0, ptr @busy seq_cst, align 4
  ret void
}

; how many workers there may be, and how many of them may help
define void @fg_configure(i32 %workers, i32 %limit) #0 {
  store i32 %workers, ptr @workers, align 4
  store atomic i32 %limit, ptr @limit seq_cst, align 4
  ret void
}

; from here to fg_blas_leave the BLAS runs on the threads that call it
define void @fg_blas_enter() #0 {
entry:
  %set = load ptr, ptr @blas_set, align 8
  %none = icmp eq ptr %set, null
  br i1 %none, label %done, label %count
count:
  %depth = atomicrmw add ptr @blas_depth, i32 1 seq_cst
  %first = icmp eq i32 %depth, 0
  br i1 %first, label %look, label %done
look:
  %get = load ptr, ptr @blas_get, align 8
  %threads = call i32 %get()
  %several = icmp sgt i32 %threads, 1
  br i1 %several, label %change, label %done
change:
  store atomic i32 %threads, ptr @blas_saved seq_cst, align 4
  call void %set(i32 1)
  br label %done
done:
  ret void
}

; a caller that enters while another one leaves finds 1 and restores nothing: the other one does
define void @fg_blas_leave() #0 {
entry:
  %set = load ptr, ptr @blas_set, align 8
  %none = icmp eq ptr %set, null
  br i1 %none, label %done, label %count
count:
  %depth = atomicrmw sub ptr @blas_depth, i32 1 seq_cst
  %last = icmp eq i32 %depth, 1
  br i1 %last, label %look, label %done
look:
  %threads = atomicrmw xchg ptr @blas_saved, i32 0 seq_cst
  %several = icmp sgt i32 %threads, 1
  br i1 %several, label %change, label %done
change:
  call void %set(i32 %threads)
  br label %done
done:
  ret void
}

define void @fg_blas_control(ptr %get, ptr %set) #0 {
  store ptr %get, ptr @blas_get, align 8
  store ptr %set, ptr @blas_set, align 8
  ret void
}

; the state of a process without workers
define void @fg_reset() #0 {
  call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  call i32 @pthread_cond_init(ptr @cond, ptr null)
  store i32 0, ptr @started, align 4
  store atomic i32 0, ptr @open seq_cst, align 4
  store atomic i32 0, ptr @active seq_cst, align 4
  store atomic i32 0, ptr @sleepers seq_cst, align 4
  store atomic i64 0, ptr @generation seq_cst, align 8
  store atomic i32 0, ptr @busy seq_cst, align 4
  store atomic i32 0, ptr @blas_depth seq_cst, align 4
  ret void
}
attributes #0 = { nounwind }
"""


# All exceptions masked, rounding to nearest, subnormal numbers kept.
_X86_FLOAT_MODE = """  %mode = alloca i32, align 4
  store i32 8064, ptr %mode, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %mode)"""


def _pool_text() -> str:
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return (
        _TEXT.replace("PAUSE_DECLARATION", "declare void @llvm.x86.sse2.pause()" if x86 else "")
        .replace("DEFAULT_FLOAT_MODE", _X86_FLOAT_MODE if x86 else "")
        .replace("FLOAT_MODE_DECLARATION", "declare void @llvm.x86.sse.ldmxcsr(ptr)" if x86 else "")
        .replace("PAUSE", "call void @llvm.x86.sse2.pause()" if x86 else "")
        .replace("SPINS", str(_SPINS))
    )


def processors() -> int:
    """Processors that this process may use, at most `NUMBA_NUM_THREADS`."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    wished = os.environ.get("NUMBA_NUM_THREADS")
    return max(1, min(count, int(wished)) if wished else count)


def available() -> bool:
    """Whether parallel loops can be shared at all on this platform."""
    return sys.platform != "win32" and processors() > 1


class _Pool:
    def __init__(self) -> None:
        session = native.session()
        text = _pool_text()
        key = cache.key(text, session.host)
        code = cache.read(key)
        if code is None:
            code = session.compile(text)
            cache.write(key, code)
        names = (*SYMBOLS, "fg_configure", "fg_reset", "fg_blas_control")
        self.loaded = session.link(code, {}, *names)
        # Workers run this code until the process ends: it must never be unloaded.
        self.loaded.keep()
        self._configure = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_int32)(self.loaded.addresses["fg_configure"])
        self._reset = ctypes.CFUNCTYPE(None)(self.loaded.addresses["fg_reset"])
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)
        control = blas.library().control()
        if control is not None:
            self._control = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(
                self.loaded.addresses["fg_blas_control"]
            )
            self._control(*control)
        self.configure(config.threads)

    def configure(self, wished: int) -> None:
        """Let `wished` threads (0: all) share loops from now on."""
        most = processors()
        chosen = min(wished, most) if wished > 0 else most
        self._configure(most - 1, chosen - 1)


_pool: _Pool | None = None
_lock = locks.lock()
current = 0
"""The value of `config.threads` that the pool follows at present."""


def address(symbol: str) -> int:
    """Address of one of `SYMBOLS`."""
    global _pool, current
    with _lock:
        if _pool is None:
            _pool = _Pool()
            current = config.threads
        return _pool.loaded.addresses[symbol]


def follow(wished: int) -> None:
    """Use `wished` threads (0: all) from now on, in the whole process."""
    global current
    with _lock:
        if _pool is not None:
            _pool.configure(wished)
        current = wished
