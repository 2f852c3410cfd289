"""Loops: simulations, solvers, recurrent networks and samplers inside ``jit``, and their gradients."""

import numpy as np

from benchmarks.registry import data, row


@row("loop/scan_logistic_1e5", bytes=4e5, flops=3e5)
def logistic(lib):
    # A stable parameter: with a chaotic one the answers of two libraries part after a few dozen steps.
    f = lib.jit(lambda r, x: lib.lax.scan(lambda x, _: (r * x * (1.0 - x),) * 2, x, None, length=100_000))
    r, x = lib.asarray(np.float32(2.8)), lib.asarray(np.float32(0.3))
    return lambda: lib.done(f(r, x))


@row("loop/fori_add_1e6", flops=1e6)
def fori_add(lib):
    f = lib.jit(lambda x, d: lib.lax.fori_loop(0, 1_000_000, lambda i, total: total + d, x))
    x, d = lib.asarray(np.float32(0.0)), lib.asarray(np.float32(0.5))
    return lambda: lib.done(f(x, d))


@row("loop/newton_while_1000", flops=3e3)
def newton(lib):
    """A square root by Newton's method, for 1000 iterations."""

    def step(state):
        i, x, a = state
        x = 0.5 * (x + a / x)
        return i + 1, x, a

    f = lib.jit(lambda x, a: lib.lax.while_loop(lambda s: (s[0] < 1000) & (s[1] > 0.0), step, (0, x, a))[1])
    x, a = lib.asarray(np.float32(1.0)), lib.asarray(np.float32(612.0))
    return lambda: lib.done(f(x, a))


# -- Lorenz' equations by the method of Runge and Kutta ----------------------------------------------------------------


def lorenz(lib, steps):
    np_ = lib.np

    def rate(s, p):
        x, y, z = s
        return np_.stack([p[0] * (y - x), x * (p[1] - z) - y, x * y - p[2] * z])

    def solve(p, s):
        h = 0.001

        def step(s, _):
            k1 = rate(s, p)
            k2 = rate(s + h / 2 * k1, p)
            k3 = rate(s + h / 2 * k2, p)
            k4 = rate(s + h * k3, p)
            s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            return s, s

        return lib.lax.scan(step, s, None, length=steps)

    return solve


def lorenz_arguments(lib):
    # The fixed points are stable for these parameters: the answers of two libraries stay together.
    return lib.asarray(np.array([10.0, 14.0, 8 / 3], np.float32)), lib.asarray(np.ones(3, np.float32))


@row("loop/lorenz_rk4_1e4", tolerance=1e-3, bytes=1.2e5, flops=7e5)
def lorenz_forward(lib):
    f = lib.jit(lorenz(lib, 10_000))
    p, s = lorenz_arguments(lib)
    return lambda: lib.done(f(p, s))


@row("loop/lorenz_rk4_1e4_grad", tolerance=1e-2, bytes=2.4e5, flops=2e6)
def lorenz_gradient(lib):
    solve = lorenz(lib, 10_000)
    f = lib.jit(lib.grad(lambda p, s: lib.np.mean(solve(p, s)[1] ** 2)))
    p, s = lorenz_arguments(lib)
    return lambda: lib.done(f(p, s))


# -- many loops at once ------------------------------------------------------------------------------------------------


@row("loop/vmap_while_1e4", bytes=1.2e5)
def vmapped_while(lib):
    """Decay to a threshold: lanes need from none to some hundred steps."""

    def one(x):
        def step(s):
            n, x = s
            return n + 1, x * 0.99 + 0.001

        return lib.lax.while_loop(lambda s: s[1] > 0.5, step, (0, x))

    f = lib.jit(lib.vmap(one))
    x = lib.asarray(np.exp(data((10_000,), seed=3)).astype(np.float32))
    return lambda: lib.done(f(x))


@row("loop/mandelbrot_512x512x100", tolerance=1e-2, flops=8.0 * 512 * 512 * 30)
def mandelbrot(lib):
    np_, lax = lib.np, lib.lax

    def escape(cx, cy):
        def step(s):
            n, x, y = s
            return n + 1, x * x - y * y + cx, 2.0 * x * y + cy

        def inside(s):
            n, x, y = s
            return (n < 100) & (x * x + y * y <= 4.0)

        return lax.while_loop(inside, step, (0, 0.0 * cx, 0.0 * cy))[0]

    f = lib.jit(lib.vmap(lib.vmap(escape, (0, None)), (None, 0)))
    x = lib.asarray(np.linspace(-2.0, 0.6, 512, dtype=np.float32))
    y = lib.asarray(np.linspace(-1.3, 1.3, 512, dtype=np.float32))
    return lambda: lib.done(np_.sum(f(x, y), axis=1))


# -- recurrent networks ------------------------------------------------------------------------------------------------

STEPS, HIDDEN, BATCH = 200, 128, 32


def recurrent_data(lib, gates):
    params = {
        "wx": data((HIDDEN, gates * HIDDEN), seed=1, scale=HIDDEN**-0.5),
        "wh": data((HIDDEN, gates * HIDDEN), seed=2, scale=HIDDEN**-0.5),
        "b": np.zeros(gates * HIDDEN, np.float32),
    }
    x = data((STEPS, BATCH, HIDDEN), seed=3)
    return lib.tree.tree_map(lib.asarray, params), lib.asarray(x)


def rnn(lib):
    np_ = lib.np

    def run(p, x):
        def step(h, x):
            h = np_.tanh(x @ p["wx"] + h @ p["wh"] + p["b"])
            return h, h

        return lib.lax.scan(step, np_.zeros((BATCH, HIDDEN), np.float32), x)

    return run


def lstm(lib):
    np_ = lib.np

    def run(p, x):
        def step(carry, x):
            h, c = carry
            i, f, g, o = np_.split(x @ p["wx"] + h @ p["wh"] + p["b"], 4, axis=1)
            c = lib.nn.sigmoid(f) * c + lib.nn.sigmoid(i) * np_.tanh(g)
            h = lib.nn.sigmoid(o) * np_.tanh(c)
            return (h, c), h

        zero = np_.zeros((BATCH, HIDDEN), np.float32)
        return lib.lax.scan(step, (zero, zero), x)

    return run


def _recurrent(name, make, gates):
    flops = 4.0 * STEPS * BATCH * HIDDEN * HIDDEN * gates
    bytes = 8.0 * STEPS * BATCH * HIDDEN

    @row(f"loop/{name}_200x128x32", tolerance=1e-3, bytes=bytes, flops=flops)
    def forward(lib):
        p, x = recurrent_data(lib, gates)
        f = lib.jit(make(lib))
        return lambda: lib.done(f(p, x))

    @row(f"loop/{name}_200x128x32_grad", tolerance=1e-2, bytes=2 * bytes, flops=2.5 * flops)
    def gradient(lib):
        p, x = recurrent_data(lib, gates)
        run = make(lib)
        f = lib.jit(lib.grad(lambda p, x: lib.np.mean(run(p, x)[1] ** 2)))
        return lambda: lib.done(f(p, x))


_recurrent("rnn", rnn, 1)
_recurrent("lstm", lstm, 4)


# -- many scalars, and chains ------------------------------------------------------------------------------------------


@row("loop/carries_40x600_grad", tolerance=1e-2, flops=2.5e5)
def many_carries(lib):
    """A ring of coupled nonlinear springs, every position and velocity a scalar of its own."""
    np_ = lib.np

    def run(stiffness, positions):
        def step(state, _):
            x, v = state[:20], state[20:]
            force = [np_.sin(x[(i + 1) % 20] - x[i]) - np_.sin(x[i] - x[i - 1]) for i in range(20)]
            v = tuple(0.999 * a + 0.01 * stiffness * f for a, f in zip(v, force, strict=True))
            x = tuple(a + 0.01 * b for a, b in zip(x, v, strict=True))
            return x + v, None

        zeros = tuple(0.0 * p for p in positions)
        final, _ = lib.lax.scan(step, (*positions, *zeros), None, length=600)
        return sum(a * a for a in final)

    f = lib.jit(lib.grad(run, (0, 1)))
    positions = tuple(lib.asarray(v) for v in data((20,), seed=5))
    stiffness = lib.asarray(np.float32(2.0))
    return lambda: lib.done(f(stiffness, positions))


def log_density(np_):
    """Rosenbrock's valley in eight dimensions, softened."""

    def density(x):
        return -0.5 * np_.sum(x**2) - 0.5 * np_.sum((x[1:] - 0.3 * x[:-1] ** 2) ** 2)

    return density


# Chains part where a rounding error changes an acceptance; their statistics agree.
@row("loop/hmc_1000", tolerance=0.1, flops=1e6)
def hmc(lib):
    """A Hamiltonian Monte Carlo chain: 1000 proposals of 10 leapfrog steps."""
    np_, random, lax = lib.np, lib.random, lib.lax
    density = log_density(np_)
    slope = lib.grad(density)

    def leapfrog(x, p, step, count):
        def one(state, _):
            x, p = state
            p = p + 0.5 * step * slope(x)
            x = x + step * p
            return (x, p + 0.5 * step * slope(x)), None

        return lax.scan(one, (x, p), None, length=count)[0]

    def chain(key, x, step):
        def propose(state, _):
            key, x = state
            key, first, second = random.split(key, 3)
            p = random.normal(first, x.shape)
            new, q = leapfrog(x, p, step, 10)
            gain = density(new) - 0.5 * np_.sum(q * q) - density(x) + 0.5 * np_.sum(p * p)
            accept = np_.log(random.uniform(second)) < gain
            x = np_.where(accept, new, x)
            return (key, x), (x, accept)

        return lax.scan(propose, (key, x), None, length=1000)[1]

    def statistics(key, x, step):
        x, accept = chain(key, x, step)
        return np_.mean(accept * 1.0), np_.mean(x * x)

    f = lib.jit(statistics)
    key, x = random.PRNGKey(0), lib.asarray(data((8,), seed=6))
    step = lib.asarray(np.float32(0.1))
    return lambda: lib.done(f(key, x, step))
