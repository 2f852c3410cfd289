"""Memory of a process that makes many programs, runs long, or forks while it compiles: measured in fresh processes."""

import os
import subprocess
import sys
import textwrap

import pytest

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

PRELUDE = """
import gc, os
import fungrad, fungrad.numpy as jnp

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

def program(k):
    def loss(ws, x):
        for w in ws:
            x = jnp.tanh(x @ w * float(k))
        return x.sum()
    step = fungrad.jit(fungrad.value_and_grad(loss))
    step([jnp.ones((8, 8))] * 3, jnp.ones((4, 8)))
"""


def run(program, **environment):
    text = PRELUDE + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.split()[-1])


def left_by(programs, directory):
    """Megabytes that so many different programs leave, used once and dropped."""
    return run(
        f"""
        for k in range(120):  # until the heap has its holes, and the programs kept for the next time are full
            program(k)
        before = resident()
        for k in range(1000, 1000 + {programs}):
            program(k)
        print(resident() - before)
        """,
        FUNGRAD_CACHE_DIR=str(directory),
    )


@linux
def test_dropped_programs_leave_nothing(tmp_path):
    assert left_by(60, tmp_path) < 3


@linux
@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True])
def test_many_dropped_programs_leave_nothing(tmp_path, cached):
    if cached:
        left_by(300, tmp_path)
    assert left_by(300, tmp_path if cached else "") < 5


@linux
def test_steps_leave_nothing():
    grown = run(
        """
        step = fungrad.jit(lambda p, x: (p - 0.01 * fungrad.grad(lambda p: jnp.sum((x @ p) ** 2))(p), jnp.sum(p)))
        p, x = jnp.ones((16, 16)), jnp.ones((4, 16))
        for k in range(2000):
            p, _ = step(p, x)
        before = resident()
        for k in range(20_000):
            p, _ = step(p, x)
        print(resident() - before)
        """
    )
    assert grown < 1


@linux
def test_functions_made_anew_leave_nothing():
    grown = run(
        """
        def sweep(n):
            for k in range(n):
                fungrad.jit(lambda x: jnp.sin(x) * 2)(jnp.ones(3))
                fungrad.lax.scan(lambda c, x: (c + x, None), 0.0, jnp.ones(3))
        sweep(200)
        before = resident()
        sweep(2000)
        print(resident() - before)
        """
    )
    assert grown < 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_another_thread_compiles():
    """The child finds every lock free: it compiles and runs its own programs."""
    failed = run(
        """
        import signal, threading, time
        stop = False
        def work():
            k = 0
            while not stop:
                k += 1
                fungrad.jit(lambda x: jnp.sin(x * k) + jnp.tanh(x @ x.T * k).sum())(jnp.ones((5, 5)))
        thread = threading.Thread(target=work)
        thread.start()
        failed = 0
        for trial in range(6):
            time.sleep(0.05 + 0.023 * trial)
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                value = fungrad.jit(lambda x: (x @ x) * 3 + trial)(jnp.ones((70, 70)))
                os._exit(0 if abs(float(value[0, 0]) - 210 - trial) < 1e-3 else 1)
            failed += os.waitpid(child, 0)[1] != 0
        stop = True
        thread.join()
        print(failed)
        """,
        FUNGRAD_CACHE_DIR="",
    )
    assert failed == 0
