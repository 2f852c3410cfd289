"""Ctrl-C stops long compiled loops, wherever they are, and the process goes on unharmed."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="sends signals")

PRELUDE = """
import os, signal, threading, time
import fungrad, fungrad.numpy as jnp
from fungrad import lax

signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been started with the signal ignored

def stopped(f, x):
    program = fungrad.jit(f).lower(x).compile()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.perf_counter()
    try:
        program(x)
    except KeyboardInterrupt:
        return time.perf_counter() - start
    raise SystemExit("not stopped")

once = lambda f: lambda x: lax.while_loop(lambda c: jnp.sum(c) < 1e30, lambda c: f(c), x)
mapped = lambda p: lambda x: lax.while_loop(lambda c: c < 1e30, lambda c: jnp.where(p(x), c * 2, c + 0 * jnp.sin(c)), x)
"""

# Loops that do not end, or not within minutes: in registers, over arrays, with library calls, on threads of the pool.
LOOPS = {
    "while in registers": "once(lambda c: c + 0 * jnp.sin(c)), jnp.ones(())",
    "for in registers": "lambda x: lax.fori_loop(0, 2**31 - 1, lambda i, c: c * 0.9 + jnp.sin(c), x), jnp.ones(())",
    "while over arrays": "once(lambda c: c * 0.5 + jnp.sin(c @ c)), jnp.ones((50, 50))",
    "for over arrays": "lambda x: lax.fori_loop(0, 2**31 - 1, lambda i, c: jnp.sin(c @ c), x), jnp.ones((50, 50))",
    "scan": "lambda x: lax.scan(lambda c, _: (jnp.sin(c) + c.sum(), None), x, None, length=10**9)[0], jnp.ones(1000)",
    "sorting": "lambda x: lax.fori_loop(0, 10**8, lambda i, c: jnp.sort(c + i), x), jnp.ones(10000)",
    "mapped": "fungrad.vmap(mapped(lambda x: x < 0)), jnp.ones(1000)",
    "mapped, the last example": "fungrad.vmap(mapped(lambda x: x > 0)), jnp.ones(10000).at[-1].set(-1)",
    "mapped, the first example": "fungrad.vmap(mapped(lambda x: x > 0)), jnp.ones(10000).at[0].set(-1)",
    "nested": "once(lambda c: lax.fori_loop(0, 10, lambda i, c: 0.5 * c + jnp.cos(c), c)), jnp.ones(3)",
}


def run(program):
    text = PRELUDE + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "FUNGRAD_CACHE_DIR": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("name", LOOPS)
def test_a_signal_stops_a_loop(name):
    run(f"""
        for threads in (0, 1):
            with fungrad.threads(threads):
                stopped({LOOPS[name]})
        assert fungrad.jit(lambda x: lax.fori_loop(0, 1000, lambda i, c: c + 1, x))(0.0) == 1000
    """)


def test_a_handler_that_returns_does_not_stop_the_loop():
    run("""
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(time.perf_counter()))
        f = fungrad.jit(lambda x: lax.fori_loop(0, 10**8, lambda i, c: c * 0.5 + 1, x))
        program = f.lower(0.0).compile()
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert program(0.0) == 2
        end = time.perf_counter()
        assert len(seen) == 1 and seen[0] < end
    """)


def test_donated_arguments_of_a_stopped_call_are_gone():
    run("""
        f = fungrad.jit(once(lambda c: c * 0.5 + jnp.sin(c @ c)), donate_argnums=0)
        x = jnp.ones((50, 50))
        f.lower(x).compile()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            f(x)
        except KeyboardInterrupt:
            pass
        assert x.is_deleted()
    """)


def test_other_threads_of_python_go_on_meanwhile():
    run("""
        program = fungrad.jit(lambda x: lax.fori_loop(0, 3 * 10**8, lambda i, c: c * 0.5 + 1, x)).lower(0.0).compile()
        ticks = []
        def tick():
            while not ticks or ticks[-1] < 1e9:
                ticks.append(time.perf_counter())
                time.sleep(0.005)
        threading.Thread(target=tick, daemon=True).start()
        start = time.perf_counter()
        program(0.0)
        end = time.perf_counter()
        inside = sum(start < t < end for t in ticks)
        assert inside >= 2, (inside, end - start)
    """)


def test_a_signal_stops_a_long_compilation():
    run("""
        def f(x):
            h = x
            for k in range(40):
                h = jnp.tanh(h @ x * float(k)) + jnp.sin(h) * x.sum(0)
            return h.sum()
        x = jnp.ones((6, 6))
        for after in (0.1, 0.4, 0.8):
            threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                while True:
                    fungrad.jit(fungrad.grad(lambda x: f(x) * after))(x)
                    fungrad.clear_caches()
            except KeyboardInterrupt:
                pass
        assert fungrad.jit(lambda x: x + 1)(1.0) == 2
    """)


def test_a_signal_at_the_edge_of_a_callback_is_a_failure_of_the_call():
    # What a handler raises before or after the body of a function that native code calls, ctypes only prints.
    run("""
        import numpy as np
        from fungrad.jit.runtime.executable import Executable
        inner = Executable._run_host
        def outer(self, number, table):
            inner(self, number, table)
            raise KeyboardInterrupt
        Executable._run_host = outer
        f = fungrad.jit(lambda x: fungrad.pure_callback(np.negative, x, x) + 1)
        try:
            f(jnp.ones(3))
        except KeyboardInterrupt:
            raise SystemExit(0)
        raise SystemExit("not stopped")
    """)
