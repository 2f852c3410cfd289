"""The threads that share the parallel loops of compiled programs.

The pool is a small native module of its own: POSIX threads that take pieces of a loop from a common
counter. A parallel loop costs a few microseconds when the workers are awake; they stay so for a
moment after a loop and then sleep. Which thread runs which piece does not influence results.

It never blocks a caller: a program that finds the pool busy with another thread's loop runs its own
loop alone. After a `fork` the child starts its own workers when it first needs them.

On a busy machine a worker may get no processor. The caller waits for none that has not begun: it does
itself what nobody took. Waking workers in vain is not repeated before some time has passed, twice as
long after every failure. A worker that finds itself on the processor of the caller goes back to sleep,
for there it only takes time away. And a caller whose last pieces are with workers spins for a moment
and then sleeps, so that its processor is free for them.

How many threads: `fungrad.config.threads`, else all processors that the process may use (its affinity
and the quota of its control group), or `NUMBA_NUM_THREADS` if that is less.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import time

from fungrad import locks
from fungrad.config import config
from fungrad.core import blas
from fungrad.jit.ir import tuning
from fungrad.jit.runtime import cache, native
from fungrad.jit.runtime.system import quota

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
@finished = internal global [128 x i8] zeroinitializer, align 64
@busy = internal global i32 0, align 64
@started = internal global i32 0, align 4
@workers = internal global i32 0, align 4
@limit = internal global i32 0, align 4
@open = internal global i32 0, align 64
@generation = internal global i64 0, align 8
@sleepers = internal global i32 0, align 4
@active = internal global i32 0, align 64
@waiting = internal global i32 0, align 4
@processor = internal global i32 -1, align 64
@pause = internal global i64 0, align 8
@resume_at = internal global i64 0, align 8
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
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_cond_timedwait(ptr, ptr, ptr)
declare i32 @clock_gettime(i32, ptr)
PAUSE_DECLARATION
PROCESSOR_DECLARATION
FLOAT_MODE_DECLARATION

; nanoseconds of a clock
define internal i64 @time(i32 %clock) #0 {
  %now = alloca [2 x i64], align 8
  call i32 @clock_gettime(i32 %clock, ptr %now)
  %seconds = load i64, ptr %now, align 8
  %rest_at = getelementptr inbounds i64, ptr %now, i64 1
  %rest = load i64, ptr %rest_at, align 8
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}

; whether this thread runs on the processor of the caller
define internal i1 @beside_caller() #0 {
  %mine = call i32 @processor_now()
  %its = load atomic i32, ptr @processor monotonic, align 4
  %same = icmp eq i32 %mine, %its
  %known = icmp sge i32 %mine, 0
  %both = and i1 %same, %known
  ret i1 %both
}

define internal i32 @processor_now() #0 {
PROCESSOR
}

; take pieces of the current loop until none is left; how many elements they had
define internal i64 @drain() #0 {
entry:
  %fn = load ptr, ptr @fn, align 8
  %ctx = load ptr, ptr @ctx, align 8
  %n = load i64, ptr @n, align 8
  %grain = load i64, ptr @grain, align 8
  br label %loop
loop:
  %total = phi i64 [ 0, %entry ], [ %more, %work ]
  %first = atomicrmw add ptr @next, i64 %grain monotonic
  %some = icmp ult i64 %first, %n
  br i1 %some, label %work, label %done
work:
  %end = add i64 %first, %grain
  %last = call i64 @llvm.umin.i64(i64 %end, i64 %n)
  call void %fn(ptr %ctx, i64 %first, i64 %last)
  %count = sub i64 %last, %first
  %more = add i64 %total, %count
  br label %loop
done:
  ret i64 %total
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
  %seen = phi i64 [ 0, %entry ], [ %now, %leave ], [ %now, %signal ]
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
  %beside = call i1 @beside_caller()
  %apart = xor i1 %beside, true
  %goes_on = and i1 %again, %apart
  br i1 %goes_on, label %spin, label %sleep
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
  %beside_it = call i1 @beside_caller()
  %elsewhere = xor i1 %beside_it, true
  %asked = and i1 %is_open, %wanted
  %help = and i1 %asked, %elsewhere
  br i1 %help, label %work, label %leave
work:
  call i64 @drain()
  br label %leave
leave:
  %before = atomicrmw sub ptr @active, i32 1 seq_cst
  %is_last = icmp eq i32 %before, 1
  %waiting = load atomic i32, ptr @waiting seq_cst, align 4
  %sleeps = icmp ne i32 %waiting, 0
  %tell = and i1 %is_last, %sleeps
  br i1 %tell, label %signal, label %outer
signal:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_signal(ptr @finished)
  call i32 @pthread_mutex_unlock(ptr @mutex)
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
  %until_at = alloca [2 x i64], align 8
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
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  %none_asleep = icmp eq i32 %asleep, 0
  br i1 %none_asleep, label %post, label %consider
consider:
  %time = call i64 @time(i32 MONOTONIC)
  %resume_at = load i64, ptr @resume_at, align 8
  %wakes = icmp sge i64 %time, %resume_at
  %now_started = load i32, ptr @started, align 4
  %all_asleep = icmp uge i32 %asleep, %now_started
  %not_now = xor i1 %wakes, true
  %no_help = and i1 %all_asleep, %not_now
  br i1 %no_help, label %by_itself, label %post
by_itself:
  store atomic i32 0, ptr @busy seq_cst, align 4
  br label %alone
post:
  %may_wake = phi i1 [ true, %ready ], [ %wakes, %consider ]
  %processor = call i32 @processor_now()
  store atomic i32 %processor, ptr @processor monotonic, align 4
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
  %some_asleep = icmp ne i32 %sleepers, 0
  %wake_them = and i1 %some_asleep, %may_wake
  br i1 %wake_them, label %wake, label %go
wake:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @cond)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %go
go:
  %own = call i64 @drain()
  atomicrmw xchg ptr @open, i32 0 seq_cst
  br i1 %wake_them, label %judge, label %finish
judge:
  %helped = icmp slt i64 %own, %n
  br i1 %helped, label %worth_it, label %in_vain
worth_it:
  store i64 0, ptr @pause, align 8
  br label %finish
in_vain:
  %last_pause = load i64, ptr @pause, align 8
  %twice = mul i64 %last_pause, 2
  %longer = call i64 @llvm.umax.i64(i64 %twice, i64 FIRST_PAUSE)
  %bounded = call i64 @llvm.umin.i64(i64 %longer, i64 LONGEST_PAUSE)
  store i64 %bounded, ptr @pause, align 8
  %over = call i64 @time(i32 MONOTONIC)
  %until = add i64 %over, %bounded
  store i64 %until, ptr @resume_at, align 8
  br label %finish
finish:
  %k = phi i32 [ 0, %go ], [ 0, %worth_it ], [ 0, %in_vain ], [ %k1, %more ]
  %active = load atomic i32, ptr @active seq_cst, align 4
  %idle = icmp eq i32 %active, 0
  br i1 %idle, label %done, label %more
more:
  PAUSE
  %k1 = add i32 %k, 1
  %long = icmp ugt i32 %k1, WAITS
  br i1 %long, label %sleep, label %finish
sleep:
  call i32 @pthread_mutex_lock(ptr @mutex)
  store atomic i32 1, ptr @waiting seq_cst, align 4
  br label %test
test:
  %left = load atomic i32, ptr @active seq_cst, align 4
  %all_left = icmp eq i32 %left, 0
  br i1 %all_left, label %awake, label %wait
wait:
  %polls = icmp ne ptr %poll, null
  br i1 %polls, label %wait_some, label %wait_long
wait_long:
  call i32 @pthread_cond_wait(ptr @finished, ptr @mutex)
  br label %test
wait_some:
  %today = call i64 @time(i32 0)
  %later = add i64 %today, POLLING
  %seconds = udiv i64 %later, 1000000000
  %rest = urem i64 %later, 1000000000
  store i64 %seconds, ptr %until_at, align 8
  %rest_at = getelementptr inbounds i64, ptr %until_at, i64 1
  store i64 %rest, ptr %rest_at, align 8
  call i32 @pthread_cond_timedwait(ptr @finished, ptr @mutex, ptr %until_at)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  call i1 %poll(ptr %ctx)
  call i32 @pthread_mutex_lock(ptr @mutex)
  br label %test
awake:
  store atomic i32 0, ptr @waiting seq_cst, align 4
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %done
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
  call i32 @pthread_cond_init(ptr @finished, ptr null)
  store atomic i32 0, ptr @waiting seq_cst, align 4
  store i64 0, ptr @pause, align 8
  store i64 0, ptr @resume_at, align 8
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
_X86_DECLARATION = "declare void @llvm.x86.sse.ldmxcsr(ptr)"
_X86_FLOAT_MODE = """  %mode = alloca i32, align 4
  store i32 8064, ptr %mode, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %mode)"""
# Subnormal numbers kept (bit 24).
_ARM_FLOAT_MODE = """  %mode = call i64 @llvm.aarch64.get.fpcr()
  %kept = and i64 %mode, -16777217
  call void @llvm.aarch64.set.fpcr(i64 %kept)"""
_ARM_DECLARATIONS = """declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)"""

# Where the system can say on which processor a thread runs.
_PROCESSOR = "  %now = call i32 @sched_getcpu()\n  ret i32 %now"


def _pool_text(processor: str) -> str:
    x86, arm = processor in ("x86_64", "amd64"), processor in ("aarch64", "arm64")
    linux = sys.platform == "linux"
    words = {
        "PAUSE_DECLARATION": "declare void @llvm.x86.sse2.pause()" if x86 else "",
        "DEFAULT_FLOAT_MODE": _X86_FLOAT_MODE if x86 else _ARM_FLOAT_MODE if arm else "",
        "FLOAT_MODE_DECLARATION": _X86_DECLARATION if x86 else _ARM_DECLARATIONS if arm else "",
        "PROCESSOR_DECLARATION": "declare i32 @sched_getcpu()" if linux else "",
        "PROCESSOR": _PROCESSOR if linux else "  ret i32 -1",
        "MONOTONIC": str(time.CLOCK_MONOTONIC),
        "FIRST_PAUSE": str(tuning.PAUSE_AFTER_FAILURE),
        "LONGEST_PAUSE": str(tuning.LONGEST_PAUSE),
        "POLLING": str(tuning.POLLING_PAUSE),
        "PAUSE": "call void @llvm.x86.sse2.pause()" if x86 else "",
        "SPINS": str(tuning.WORKER_SPINS),
        "WAITS": str(tuning.CALLER_SPINS),
    }
    return re.sub("|".join(words), lambda found: words[found.group()], _TEXT)


def processors() -> int:
    """Processors that this process may use: its affinity, the quota of its control group, `NUMBA_NUM_THREADS`."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    share = quota()
    if share is not None:
        # Half a processor is worth a thread: what two threads do in three quarters of the time is within the quota.
        count = min(count, int(share + 0.5))
    wished = os.environ.get("NUMBA_NUM_THREADS")
    return max(1, min(count, int(wished)) if wished else count)


def available() -> bool:
    """Whether parallel loops can be shared at all on this platform."""
    return sys.platform != "win32" and processors() > 1


class _Pool:
    def __init__(self) -> None:
        session = native.session()
        text = _pool_text(platform.machine().lower())
        # Compiling it with optimisation takes as long as a small program, and a call some ten nanoseconds less.
        key = cache.key(f"quickly\n{text}", session.host)
        code = cache.read(key)
        if code is None:
            code = session.quickly(text)
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
