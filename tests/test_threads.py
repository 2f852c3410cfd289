"""The pool of threads, and how many it has."""

import ctypes
import os
import random
import subprocess
import sys
import threading
import time

import llvmlite.binding as llvm
import pytest

from fungrad.jit.runtime import system, threads

PIECE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
POLL = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)

needs_threads = pytest.mark.skipif(not threads.available(), reason="there is one processor")


def parallel(piece, n, each, poll=None):
    """Runs `piece(begin, end)` over parts of `range(n)`."""
    function = PIECE(lambda _, begin, end: piece(begin, end))
    prototype = ctypes.CFUNCTYPE(None, PIECE, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, POLL)
    run = prototype(threads.address("fg_parallel_polling"))
    threads.follow(0)
    run(function, None, n, each, POLL() if poll is None else POLL(lambda _: poll()))


@needs_threads
def test_every_element_once():
    rng = random.Random(0)
    for _ in range(300):
        n, each = rng.choice([1, 2, 3, 7, 100, 1001]), rng.choice([1, 2, 4, 50])
        seen = []
        parallel(lambda begin, end, seen=seen: seen.append((begin, end)), n, each)
        assert [i for begin, end in sorted(seen) for i in range(begin, end)] == list(range(n))
        if rng.random() < 0.1:
            time.sleep(0.001)  # workers go to sleep


@needs_threads
def test_several_callers():
    """One has the workers, the others run their loops by themselves."""
    wrong = []

    def call(seed):
        rng = random.Random(seed)
        for _ in range(100):
            n, seen = rng.choice([1, 5, 64]), []
            parallel(lambda begin, end, seen=seen: seen.extend(range(begin, end)), n, 4)
            if sorted(seen) != list(range(n)):
                wrong.append((n, seen))

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for t in callers:
        t.start()
    for t in callers:
        t.join()
    assert not wrong


@needs_threads
@pytest.mark.parametrize("polls", [False, True])
def test_the_caller_sleeps_while_a_worker_is_late(polls):
    """A worker that has a piece but no processor must not be waited for by a thread that uses up another one."""
    caller, late = threading.get_ident(), []

    def piece(begin, end):
        if threading.get_ident() == caller and not late:
            time.sleep(0.002)  # until the worker has taken a piece
        if threading.get_ident() != caller and not late:
            late.append(begin)
            time.sleep(0.3)

    for _ in range(50):
        time.sleep(0.005)  # past the time in which nobody is woken
        before, start, asked = time.thread_time(), time.perf_counter(), []
        parallel(piece, 64, 16, (lambda asked=asked: bool(asked.append(1))) if polls else None)
        if late:
            assert time.perf_counter() - start > 0.29
            assert time.thread_time() - before < 0.1
            assert bool(asked) == polls
            return
    pytest.skip("no worker came to run in 50 loops")


@needs_threads
def test_a_sleeping_worker_costs_one_piece():
    """While a worker holds one piece the caller does all others."""
    caller, done = threading.get_ident(), {True: 0, False: 0}

    def piece(begin, end):
        mine = threading.get_ident() == caller
        if mine and not done[False]:
            time.sleep(0.002)
        done[mine] += 1
        if not mine:
            time.sleep(0.2)

    for _ in range(50):
        time.sleep(0.005)
        done[True] = done[False] = 0
        parallel(piece, 64, 16)
        if done[False]:
            workers = threads.processors() - 1
            assert done[False] <= workers and done[True] >= 32 - workers
            return
    pytest.skip("no worker came to run in 50 loops")


@needs_threads
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_workers_of_its_own():
    parallel(lambda begin, end: None, 64, 4)
    child = os.fork()
    if child == 0:
        ok = False
        try:
            seen = []
            for _ in range(20):
                parallel(lambda begin, end: seen.extend(range(begin, end)), 8, 4)
            ok = sorted(seen) == sorted([*range(8)] * 20)
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- how many ------------------------------------------------------------------------------------


def groups(tmp_path, lines, mounts, files):
    """Files as the system would show them; the quota that is found there."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "cgroup").write_text(lines)
    table = "".join(
        f"30 24 0:26 {root} {tmp_path / place} rw - {kind} {kind} {options}\n" for root, place, kind, options in mounts
    )
    (tmp_path / "mountinfo").write_text(table)
    return system.quota(tmp_path / "cgroup", tmp_path / "mountinfo")


V2 = [("/", "fs", "cgroup2", "rw,nsdelegate")]
V1 = [("/", "fs/cpu", "cgroup", "rw,cpu,cpuacct"), ("/", "fs/memory", "cgroup", "rw,memory")]


@pytest.mark.parametrize(
    ("lines", "mounts", "files", "expected"),
    [
        ("0::/\n", V2, {"fs/cgroup.procs": ""}, None),
        ("0::/a\n", V2, {"fs/a/cpu.max": "max 100000\n"}, None),
        ("0::/a\n", V2, {"fs/a/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", V2, {"fs/a/b/cpu.max": "max 100000\n", "fs/a/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/a/b\n", V2, {"fs/a/b/cpu.max": "400000 100000\n", "fs/a/cpu.max": "200000 100000\n"}, 2.0),
        # in a container: the group of the host is not to be seen
        ("0::/host/slice\n", V2, {"fs/cpu.max": "100000 100000\n"}, 1.0),
        (
            "3:cpu,cpuacct:/x\n0::/\n",
            V1,
            {"fs/cpu/x/cpu.cfs_quota_us": "250000", "fs/cpu/x/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        ("3:cpu,cpuacct:/x\n", V1, {"fs/cpu/x/cpu.cfs_quota_us": "-1", "fs/cpu/x/cpu.cfs_period_us": "100000"}, None),
        (
            "3:cpu:/docker/1\n",
            [("/docker/1", "fs/cpu", "cgroup", "rw,cpu")],
            {"fs/cpu/cpu.cfs_quota_us": "50000", "fs/cpu/cpu.cfs_period_us": "100000"},
            0.5,
        ),
        ("4:memory:/x\n", V1, {"fs/memory/x/limit": "1"}, None),
    ],
)
def test_quota_of_control_groups(lines, mounts, files, expected, tmp_path):
    assert groups(tmp_path, lines, mounts, files) == expected


def test_quota_where_there_are_no_control_groups(tmp_path):
    assert system.quota(tmp_path / "missing", tmp_path / "missing") is None
    found = system.quota()
    assert found is None or found > 0


@pytest.mark.parametrize(("share", "expected"), [(None, 4), (0.3, 1), (1.0, 1), (1.5, 2), (2.4, 2), (64.0, 4)])
def test_the_quota_counts_as_processors(share, expected, monkeypatch):
    monkeypatch.setattr(threads, "quota", lambda: share)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    assert threads.processors() == expected


# -- other processors ------------------------------------------------------------------------------


@pytest.mark.parametrize("processor", ["x86_64", "aarch64", "riscv64"])
def test_workers_begin_with_subnormals_kept(processor):
    """A thread inherits the mode of the one that starts it, which may be flushing."""
    text = threads._pool_text(processor)
    llvm.parse_assembly(text, llvm.create_context()).verify()
    beginning = text[text.index("define internal ptr @worker") :].split("outer:")[0]
    sets = {"x86_64": "@llvm.x86.sse.ldmxcsr", "aarch64": "@llvm.aarch64.set.fpcr"}
    for name, instruction in sets.items():
        assert (instruction in beginning) == (name == processor)


@needs_threads
def test_threads_that_a_flushing_program_started_keep_subnormals():
    """In a fresh process, whose first parallel loop starts the threads."""
    program = (
        "import numpy as np, fungrad\n"
        "x = np.full(2_000_000, 1e-39, np.float32)\n"
        "f = fungrad.jit(lambda x: x * 0.5)\n"
        "assert not np.any(f(x))\n"
        "with fungrad.flush_subnormals(False):\n"
        "    assert all(np.all(np.asarray(f(x)) > 0) for _ in range(20))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_waits_for_locks_that_are_made_meanwhile():
    code = """
import os, threading, time
from fungrad import locks

def work():
    while not done:
        made = locks.lock()
        with made:
            time.sleep(2e-4)
        time.sleep(2e-3)

done = []
threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
held = 0
for _ in range(200):
    child = os.fork()
    if child == 0:
        free = True
        for one in list(locks._locks):
            free = free and one.acquire(False)
        os._exit(0 if free else 1)
    held += os.waitpid(child, 0)[1] != 0
done.append(1)
for t in threads:
    t.join()
print("held:", held)
"""
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert out.stdout.strip() == "held: 0", out.stderr
