"""Programs that Python writes out are compiled in time that grows with their length, no faster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Counts calls of Python functions up to the LLVM text: the same on every machine, however busy.
_SCRIPT = """
import sys
import numpy as np
import fungrad, fungrad.numpy as jnp
from fungrad.core.digest import digest
from fungrad.jit.front.compile import Compilation
from fungrad.jit.front.link import machine

def updates(h, x, steps):
    for k in range(steps):
        h = jnp.tanh(h @ x * (0.1 + k / steps)) + jnp.sin(h) * x.sum(0)
    return jnp.sum(h * h)

def elements(h, x, steps):
    table, force = jnp.zeros((steps, 4)), h[0]
    for k in range(steps):
        force = x.T @ force * 0.5
        table = table.at[k, k % 4].set(force[k % 6]).at[k, (k + 1) % 4].add(force[0])
    return table

def count(fun, steps):
    x = np.ones((6, 6), "f4")
    jaxpr = fungrad.make_jaxpr(lambda h, x: fun(h, x, steps))(x, x).with_consts_as_inputs()
    found = [0]
    def one(frame, event, argument):
        found[0] += event == "call"
    sys.setprofile(one)
    try:
        assert digest(jaxpr)
        Compilation(jaxpr, "program", (), machine()).written
    finally:
        sys.setprofile(None)
    return found[0]

def gradient(h, x, steps):
    return fungrad.grad(lambda h, x: updates(h, x, steps))(h, x)

fun = {"updates": updates, "gradient": gradient, "elements": elements}[sys.argv[1]]
count(fun, 2)
print(*[count(fun, n) for n in (16, 32, 64)])
"""


@pytest.mark.parametrize("name", ["updates", "gradient", "elements"])
def test_time_grows_with_the_number_of_equations(name):
    env = {**os.environ, "FUNGRAD_CHECK": "0", "PYTHONPATH": str(Path(__file__).parent.parent)}
    out = subprocess.run([sys.executable, "-c", _SCRIPT, name], env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    short, middle, long = map(int, out.stdout.split())
    # Twice as much would be growth with the length; four times with its square.
    assert middle < 2.3 * short and long < 2.3 * middle, (short, middle, long)
