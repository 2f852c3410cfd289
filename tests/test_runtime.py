"""Calling compiled programs: results and memory, threads, several callers at once, fork."""

import gc
import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fungrad
from fungrad.jit.front import load as runtime
from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Buffer,
    Const,
    Host,
    Let,
    Load,
    Loop,
    Nest,
    Program,
    Store,
    Update,
    View,
)
from fungrad.jit.ir.machine import Machine
from fungrad.jit.llvm.program import ProgramEmitter
from fungrad.jit.rewrites import pipeline
from fungrad.jit.runtime import pool, threads

i, j = Affine.var("i"), Affine.var("j")


def adder(n, amount=1.0):
    """y = x + amount"""
    body = [
        Load("a", "x", i),
        Let("b", "add", ("a", Const(amount, "f32")), "f32"),
        Store("y", i, "b"),
    ]
    buffers = [Buffer("x", "f4", (n,), "input"), Buffer("y", "f4", (n,), "output")]
    return Program("adder", buffers, [Nest([Loop("i", n, body)])], ["x"], ["y"])


def through_temporaries(n):
    """y = x + 3 by way of two temporaries."""
    names = ["x", "t", "u", "y"]
    kinds = ["input", "temp", "temp", "output"]
    buffers = [Buffer(b, "f4", (n,), kind) for b, kind in zip(names, kinds, strict=True)]
    nests = [
        Nest(
            [
                Loop(
                    "i",
                    n,
                    [
                        Load("a", s, i),
                        Let("b", "add", ("a", Const(1.0, "f32")), "f32"),
                        Store(t, i, "b"),
                    ],
                )
            ]
        )
        for s, t in zip(names, names[1:], strict=False)
    ]
    return Program("temporaries", buffers, nests, ["x"], ["y"])


def row_sums(rows, columns):
    body = [
        Acc("s", "add", "f32"),
        Loop("j", columns, [Load("a", "x", i * columns + j), Update("s", "a")]),
        Store("y", i, "s"),
    ]
    buffers = [Buffer("x", "f4", (rows, columns), "input"), Buffer("y", "f4", (rows,), "output")]
    return Program("row_sums", buffers, [Nest([Loop("i", rows, body)])], ["x"], ["y"])


def test_results_are_new_arrays_and_do_not_change_later():
    executable = runtime.load(adder(1000))
    x = np.zeros(1000, "f4")
    (first,) = executable.run([x])
    (second,) = executable.run([x + 5])
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, 1)
    np.testing.assert_array_equal(second, 6)


def test_large_results_reuse_memory_only_when_nothing_refers_to_it():
    n = tuning.LARGE_RESULT
    executable = runtime.load(adder(n))
    x = np.zeros(n, "f4")
    (y,) = executable.run([x])
    where = y.ctypes.data
    view = y[5:10].reshape(5, 1)
    exported = memoryview(y[20:30])
    del y
    gc.collect()
    (z,) = executable.run([x + 1])
    assert z.ctypes.data != where
    np.testing.assert_array_equal(view, 1)
    del view
    (w,) = executable.run([x + 2])
    assert w.ctypes.data != where
    assert exported[0] == 1
    del exported
    gc.collect()
    (v,) = executable.run([x + 3])
    assert v.ctypes.data == where
    np.testing.assert_array_equal(v, 4)


def test_pool_gives_memory_back_above_its_limit(monkeypatch):
    monkeypatch.setattr(tuning, "KEPT_BYTES", 1 << 20)
    p = pool.Pool()
    arrays = [p.array((1 << 18,), np.dtype("u1"), 1 << 18) for _ in range(8)]
    assert p.waiting == 0
    del arrays
    p.array((1,), np.dtype("u1"), 1 << 18)
    assert p.waiting <= 1 << 20
    p.clear()
    assert p.waiting == 0


@pytest.mark.parametrize("nbytes", [1, 63, 1000, 1 << 20, (1 << 20) + 1, 123456789])
def test_block_sizes(nbytes):
    size = pool.block_size(nbytes)
    assert nbytes <= size <= max(nbytes * 1.125, nbytes + 1)


def test_temporaries_have_their_own_aligned_places():
    p = through_temporaries(100)
    executable = runtime.load(p)
    offsets = [p.buffers[b].offset for b in "tu"]
    assert all(o % 64 == 0 for o in offsets) and abs(offsets[0] - offsets[1]) >= 400
    assert executable.arena_bytes >= 800
    np.testing.assert_array_equal(executable.run([np.ones(100, "f4")])[0], 4)


def test_zero_sized_and_zero_dimensional():
    assert runtime.load(adder(0)).run([np.zeros(0, "f4")])[0].shape == (0,)
    body = [Load("a", "x", 0), Let("b", "add", ("a", "a"), "f32"), Store("y", 0, "b")]
    buffers = [Buffer("x", "f4", (), "input"), Buffer("y", "f4", (), "output")]
    scalar = runtime.load(Program("scalar", buffers, [Nest(body)], ["x"], ["y"]))
    (y,) = scalar.run([np.array(2.5, "f4")])
    assert y.shape == () and y == 5


def test_texts_and_timings():
    executable = runtime.load(adder(64))
    assert "store y[i] = b" in executable.text()
    assert "define ptr @entry" in executable.text("llvm")
    assert "entry:" in executable.text("asm")
    assert {"emit", "link"} <= set(executable.timings)
    with pytest.raises(ValueError, match="steps, llvm or asm"):
        executable.text("pdf")


def test_steps_in_python_are_listed():
    buffers = [Buffer("x", "f4", (4,), "input"), Buffer("y", "f4", (4,), "output")]
    step = Host("negate", np.negative, [View("x", (4,))], [View("y", (4,))])
    program = Program("p", buffers, [step], ["x"], ["y"])
    assert [s.name for s in program.steps] == ["negate"]
    assert "y = host negate x" in runtime.load(program).text()


def test_host_step_of_wrong_type_is_an_error():
    buffers = [Buffer("x", "f4", (4,), "input"), Buffer("y", "f4", (4,), "output")]
    step = Host("widen", lambda x: x.astype("f8"), [View("x", (4,))], [View("y", (4,))])
    with pytest.raises(TypeError, match="host step widen gave float64"):
        runtime.load(Program("p", buffers, [step], ["x"], ["y"])).run([np.zeros(4, "f4")])


needs_threads = pytest.mark.skipif(not threads.available(), reason="one processor")


@needs_threads
@pytest.mark.parametrize("n", [1_000_000, 1_000_003, 999_999])
def test_parallel_loops_cover_everything_once(n):
    executable = runtime.load(adder(n))
    assert "@fg_parallel" in executable.text("llvm")
    x = np.arange(n, dtype="f4")
    for _ in range(20):
        np.testing.assert_array_equal(executable.run([x])[0], x + 1)


@needs_threads
def test_number_of_threads_does_not_change_results():
    executable = runtime.load(row_sums(3000, 777))
    assert "@fg_parallel" in executable.text("llvm")
    x = np.random.default_rng(0).normal(size=(3000, 777)).astype("f4")
    (expected,) = executable.run([x])
    for n in (1, 2, 3, 0):
        with fungrad.config.override("threads", n):
            (y,) = executable.run([x])
        np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(expected, x.sum(1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [500, 300_000])
def test_callers_on_several_threads(n):
    executable = runtime.load(through_temporaries(n))
    failures = []

    def work(seed):
        for k in range(40):
            x = np.full(n, seed * 100 + k, "f4")
            (y,) = executable.run([x])
            if not (y == x + 3).all():
                failures.append((seed, k))

    workers = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(60)
        assert not w.is_alive()
    assert not failures


def _in_child(n, results):
    (y,) = runtime.load(adder(n)).run([np.zeros(n, "f4")])
    results.put(float(y.sum()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_parallel_loops_after_fork():
    n = 1_000_000
    _check_sum(n)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(n, results))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert results.get() == n
    _check_sum(n)


def _check_sum(n):
    (y,) = runtime.load(adder(n)).run([np.zeros(n, "f4")])
    assert y.sum() == n


def test_process_with_workers_ends_cleanly():
    code = "import sys; sys.path.insert(0, 'tests')\nfrom test_runtime import _check_sum\n_check_sum(1_000_000)\n"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_environment_limits_threads(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert threads.processors() == 1 and not threads.available()


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_vector_width_is_a_parameter_of_the_emitter(vector_bytes):
    p = pipeline.run(adder(1000).aimed_at(Machine(vector_bytes)))
    text = ProgramEmitter(p).emit()
    assert f"<{2 * vector_bytes // 4} x float>" in text
