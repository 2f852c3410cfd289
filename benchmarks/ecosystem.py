"""Libraries written for JAX on fungrad and on JAX: ``python -m benchmarks.ecosystem [--only REGEX] [--json FILE]``.

The sources of the libraries are the same; two processes take turns in short bursts, and the least time of a call
counts. Fungrad's process finds it under the name of JAX (``fungrad.compat``). ``--jax PYTHON`` and ``--fungrad
PYTHON`` name the interpreters, where the libraries are not in one environment with JAX.

First calls are measured apart, each in a process of its own that has made nothing but what the call needs: once with
an empty cache on disk, and once more with what that process has left there (``--firsts N`` times, the least counts; 0
leaves them out). JAX keeps compiled programs on disk if it is told to, as it is here.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fungrad.core.programs import finish

# A call of what is measured; what it returns is waited for.
Thunk = Callable[[], Any]


def _data(*shape: int) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32))


def equinox_mlp() -> Thunk:
    """A step of Adam on a multilayer perceptron, by ``filter_jit``."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    model = eqx.nn.MLP(16, 8, 64, 3, key=jax.random.key(0))
    optimizer = optax.adam(1e-3)
    state = optimizer.init(eqx.filter(model, eqx.is_array))
    x, y = _data(64, 16), _data(64, 8)

    @eqx.filter_jit
    def step(model, state, x, y):
        loss, slope = eqx.filter_value_and_grad(lambda m: jnp.mean((jax.vmap(m)(x) - y) ** 2))(model)
        updates, state = optimizer.update(slope, state)
        return eqx.apply_updates(model, updates), state, loss

    return lambda: step(model, state, x, y)[2]


def optax_adam() -> Thunk:
    """A step of Adam on a multilayer perceptron, its parameters in a dict."""
    import jax
    import jax.numpy as jnp
    import optax

    sizes = (64, 128, 128, 10)
    params = {f"layer{i}": {"w": _data(m, n) / m**0.5, "b": jnp.zeros(n)} for i, (m, n) in
              enumerate(zip(sizes[:-1], sizes[1:], strict=True))}  # fmt: skip
    optimizer = optax.adam(1e-3)
    state = optimizer.init(params)
    x, labels = _data(64, 64), jnp.arange(64) % 10

    def loss(params, x, labels):
        for i in range(3):
            layer = params[f"layer{i}"]
            x = x @ layer["w"] + layer["b"]
            x = jax.nn.relu(x) if i < 2 else x
        return optax.softmax_cross_entropy_with_integer_labels(x, labels).mean()

    @jax.jit
    def step(params, state, x, labels):
        value, slope = jax.value_and_grad(loss)(params, x, labels)
        updates, state = optimizer.update(slope, state)
        return optax.apply_updates(params, updates), state, value

    return lambda: step(params, state, x, labels)[2]


def flax_layer_norm() -> Thunk:
    """A step of Adam on a perceptron of linen with LayerNorm, in a ``TrainState``."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    import optax
    from flax.training.train_state import TrainState

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            for _ in range(2):
                x = nn.gelu(nn.LayerNorm()(nn.Dense(128)(x)))
            return nn.Dense(8)(x)

    model = Network()
    x, y = _data(64, 32), _data(64, 8)
    state = TrainState.create(apply_fn=model.apply, params=model.init(jax.random.key(0), x), tx=optax.adam(1e-3))

    @jax.jit
    def step(state, x, y):
        value, slope = jax.value_and_grad(lambda p: jnp.mean((state.apply_fn(p, x) - y) ** 2))(state.params)
        return state.apply_gradients(grads=slope), value

    return lambda: step(state, x, y)[1]


def _predator_prey() -> Callable[[Any], Any]:
    import diffrax
    import jax.numpy as jnp

    def field(t, y, args):
        a, b = args
        return jnp.stack([a * y[0] - b * y[0] * y[1], b * y[0] * y[1] - y[1]])

    def solve(args):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, 4.0, 0.1, jnp.array([2.0, 1.0]), args=args,
            stepsize_controller=diffrax.PIDController(rtol=1e-5, atol=1e-6), max_steps=256,
        ).ys[-1]  # fmt: skip

    return solve


def diffrax_tsit5() -> Thunk:
    """Tsit5 with an adaptive step on two equations."""
    import jax
    import jax.numpy as jnp

    solve = jax.jit(_predator_prey())
    args = (jnp.float32(1.5), jnp.float32(0.7))
    return lambda: solve(args)


def diffrax_gradient() -> Thunk:
    """The gradient of that solve, by the default adjoint."""
    import jax
    import jax.numpy as jnp

    solve = _predator_prey()
    slope = jax.jit(jax.grad(lambda args: jnp.sum(solve(args) ** 2)))
    args = (jnp.float32(1.5), jnp.float32(0.7))
    return lambda: slope(args)


def lineax_cg() -> Thunk:
    """Conjugate gradients on a positive definite matrix of 200 rows."""
    import jax
    import jax.numpy as jnp
    import lineax as lx

    a = _data(200, 200)
    a, b = a @ a.T / 200 + jnp.eye(200), _data(200)
    solver = lx.CG(rtol=1e-5, atol=1e-5)

    @jax.jit
    def solve(a, b):
        return lx.linear_solve(lx.MatrixLinearOperator(a, lx.positive_semidefinite_tag), b, solver).value

    return lambda: solve(a, b)


def _logistic(rows: int = 100, columns: int = 4) -> tuple[Callable[[Any], Any], Any]:
    import jax
    import jax.numpy as jnp

    x = _data(rows, columns)
    y = (x @ jnp.array([1.0, -1.0, 0.5, 0.0] * (columns // 4)) > 0).astype(jnp.float32)

    def density(w):
        z = x @ w
        return jnp.sum(y * z - jax.nn.softplus(z)) - 0.5 * jnp.sum(w**2)

    return density, jnp.zeros(columns)


def _eight_schools() -> tuple[Callable[[Any], Any], Any]:
    import jax.numpy as jnp

    effects = jnp.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    errors = jnp.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

    def density(p):
        scale = jnp.exp(p["log_scale"])
        residuals = (effects - p["mean"] - scale * p["effects"]) / errors
        prior = 0.5 * jnp.sum(p["effects"] ** 2) + 0.5 * (p["mean"] / 5) ** 2 + jnp.log1p((scale / 5) ** 2)
        return p["log_scale"] - 0.5 * jnp.sum(residuals**2) - prior

    return density, {"mean": jnp.zeros(()), "log_scale": jnp.zeros(()), "effects": jnp.zeros(8)}


def _normal() -> tuple[Callable[[Any], Any], Any]:
    import jax.numpy as jnp

    a = _data(50, 50)
    precision = a @ a.T / 50 + jnp.eye(50)
    return lambda w: -0.5 * w @ precision @ w, jnp.ones(50)


def _chain(kernel: Any, density: Any, start: Any, samples: int) -> Thunk:
    import jax

    @jax.jit
    def run(key, state):
        def one(state, key):
            state, _ = kernel.step(key, state)
            return state, state.position

        return jax.lax.scan(one, state, jax.random.split(key, samples))[1]

    key, state = jax.random.key(0), kernel.init(start)
    return lambda: run(key, state)


def blackjax_hmc() -> Thunk:
    """1000 samples of Hamiltonian Monte Carlo, 10 steps each, from a logistic regression."""
    import blackjax
    import jax.numpy as jnp

    density, start = _logistic()
    return _chain(blackjax.hmc(density, 0.1, jnp.ones(4), 10), density, start, 1000)


def blackjax_nuts() -> Thunk:
    """1000 samples of NUTS from the same."""
    import blackjax
    import jax.numpy as jnp

    density, start = _logistic()
    return _chain(blackjax.nuts(density, 0.2, jnp.ones(4)), density, start, 1000)


def blackjax_hmc_wide() -> Thunk:
    """1000 samples of Hamiltonian Monte Carlo, 10 steps each, from a logistic regression of 500 rows of 20."""
    import blackjax
    import jax.numpy as jnp

    density, start = _logistic(500, 20)
    return _chain(blackjax.hmc(density, 0.02, jnp.ones(20), 10), density, start, 1000)


def blackjax_nuts_schools() -> Thunk:
    """1000 samples of NUTS from the model of eight schools."""
    import blackjax
    import jax.numpy as jnp

    density, start = _eight_schools()
    return _chain(blackjax.nuts(density, 0.3, jnp.ones(10)), density, start, 1000)


def blackjax_nuts_normal() -> Thunk:
    """500 samples of NUTS from a normal distribution of 50 dimensions."""
    import blackjax
    import jax.numpy as jnp

    density, start = _normal()
    return _chain(blackjax.nuts(density, 0.1, jnp.ones(50)), density, start, 500)


ROWS: dict[str, Callable[[], Thunk]] = {
    row.__name__: row
    for row in (
        equinox_mlp, optax_adam, flax_layer_norm, diffrax_tsit5, diffrax_gradient, lineax_cg, blackjax_hmc,
        blackjax_nuts, blackjax_hmc_wide, blackjax_nuts_schools, blackjax_nuts_normal,
    )
}  # fmt: skip


def work(library: str) -> None:
    """Serves one library, over the standard streams: see ``Worker``."""
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # libraries may print
    if library == "fungrad":
        import fungrad.compat

        fungrad.compat.install()
    jax = importlib.import_module("jax")
    call: Any = None
    while True:
        request, value = pickle.load(sys.stdin.buffer)
        if request == "quit":
            return
        if request == "prepare":
            call = ROWS[value]()
            start = time.perf_counter()
            jax.block_until_ready(call())
            first = time.perf_counter() - start
            answer: Any = first, [np.asarray(x) for x in jax.tree.leaves(call())]
        else:
            end, answer = time.perf_counter() + value, []
            while time.perf_counter() < end:
                start = time.perf_counter()
                jax.block_until_ready(call())
                answer.append(time.perf_counter() - start)
        pickle.dump(answer, answers)
        answers.flush()


class Worker:
    """A process that measures rows with one library."""

    def __init__(self, library: str, python: str, path: str, **environment: str):
        root = str(pathlib.Path(__file__).parent.parent)
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.ecosystem", "--serve", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(filter(None, [root, path])),
                **environment,
            },
        )  # fmt: skip

    def ask(self, request: str, value: Any) -> Any:
        """Sends a request and waits for its answer."""
        pickle.dump((request, value), self.process.stdin)
        self.process.stdin.flush()  # type: ignore[union-attr]
        return pickle.load(self.process.stdout)  # type: ignore[arg-type]

    def quit(self) -> None:
        """Ends the process."""
        pickle.dump(("quit", None), self.process.stdin)
        self.process.stdin.flush()  # type: ignore[union-attr]
        self.process.wait()


# What makes JAX keep every program.
_KEPT = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


def first_calls(interpreters: dict[str, tuple[str, str]], row: str, times: int) -> dict[str, dict[str, float]]:
    """Seconds of the first call of a row, by library, with an empty cache (``cold``) and from it (``cached``)."""
    least = {name: {"cold": float("inf"), "cached": float("inf")} for name in interpreters}
    for _ in range(times):
        for name, (python, path) in interpreters.items():
            with tempfile.TemporaryDirectory() as folder:
                for state in ("cold", "cached"):
                    caches = {"FUNGRAD_CACHE_DIR": folder, "JAX_COMPILATION_CACHE_DIR": folder, **_KEPT}
                    worker = Worker(name, python, path, **caches)
                    least[name][state] = min(least[name][state], worker.ask("prepare", row)[0])
                    worker.quit()
    return least


def measure(workers: dict[str, Worker], row: str, bursts: int, seconds: float) -> dict[str, Any]:
    """Least times of both, and whether their numbers agree."""
    values = {name: worker.ask("prepare", row)[1] for name, worker in workers.items()}
    least = dict.fromkeys(workers, float("inf"))
    for _ in range(bursts):
        for name, worker in workers.items():
            least[name] = min(least[name], *worker.ask("time", seconds))
    pairs = zip(*values.values(), strict=True)
    return {
        "row": row, "least": least, "ratio": least["fungrad"] / least["jax"],
        "difference": max([float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) + 1e-9)) for a, b in pairs], default=0.0),
    }  # fmt: skip


def main() -> None:
    """Measures and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="regular expression of rows")
    parser.add_argument("--bursts", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.25, help="of a burst")
    parser.add_argument("--firsts", type=int, default=2, help="how often first calls are measured")
    parser.add_argument("--jax", default=sys.executable, help="interpreter with JAX and the libraries")
    parser.add_argument("--jax-path", default="", help="its PYTHONPATH")
    parser.add_argument("--fungrad", default=sys.executable, help="interpreter with fungrad and the libraries")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        work(options.serve)
        return
    interpreters = {"jax": (options.jax, options.jax_path), "fungrad": (options.fungrad, "")}
    workers = {name: Worker(name, *where) for name, where in interpreters.items()}
    print("| program | fungrad | JAX | ratio | first call | JAX | ratio | from the cache | JAX | ratio |")
    print("|" + " --- |" * 10)
    found = []
    for row in ROWS:
        if re.search(options.only, row):
            result = measure(workers, row, options.bursts, options.seconds)
            found.append(result)
            ours, theirs = (f"{1e6 * result['least'][name]:.3g} us" for name in ("fungrad", "jax"))
            note = "" if result["difference"] < 1e-2 else f" (numbers differ: {result['difference']:.2g})"
            cells = [row, ours, theirs, f"{result['ratio']:.3f}"]
            if options.firsts:
                result["first"] = firsts = first_calls(interpreters, row, options.firsts)
                for state in ("cold", "cached"):
                    a, b = firsts["fungrad"][state], firsts["jax"][state]
                    cells += [f"{a:.2f} s", f"{b:.2f} s", f"{a / b:.2f}"]
            print(f"| {' | '.join(cells)} |{note}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    for worker in workers.values():
        worker.quit()


if __name__ == "__main__":
    finish(main)
