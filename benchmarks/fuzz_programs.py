"""Programs for `benchmarks.fuzz`: what users write, in sizes drawn at random, and random sequences of operations.

A *kind* is a function of a random generator that draws sizes and returns a `Draft`: what arrays the program wants, and
the program itself, a function of the library and the arrays. fungrad and JAX share it. ``find("softmax/17")`` is the
program of kind ``softmax`` drawn from seed 17. A new kind is a function under `@kind`; add one whenever a program turns
out slow, so that its whole family is measured from then on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.registry import Row

Rng = np.random.Generator


@dataclasses.dataclass(frozen=True)
class Draft:
    """A program before it is given to a library.

    Attributes:
      inputs: shapes and dtypes of the arrays.
      run: the program, of the library and the arrays.
      words: the sizes that were drawn, for the report.
      tolerance: relative, between answers.
    """

    inputs: Sequence[tuple[tuple[int, ...], str]]
    run: Callable[..., Any]
    words: str = ""
    tolerance: float = 1e-3


KINDS: dict[str, Callable[[Rng], Draft]] = {}


def kind(make: Callable[[Rng], Draft]) -> Callable[[Rng], Draft]:
    """Registers a kind under the name of its function."""
    KINDS[make.__name__] = make
    return make


def find(name: str) -> Row:
    """The program ``KIND/SEED`` as a row of the benchmark."""
    what, seed = name.split("/")
    draft = KINDS[what](np.random.default_rng([int(seed), *what.encode()]))

    def make(lib: Any) -> Callable[[], Any]:
        compiled = lib.jit(lambda *arrays: draft.run(lib, *arrays))
        arrays = [lib.asarray(contents(shape, dtype, n)) for n, (shape, dtype) in enumerate(draft.inputs)]
        return lambda: lib.done(compiled(*arrays))

    wide = any(dtype in ("float64", "int64", "complex128") for _, dtype in draft.inputs)
    dtype = "float64" if wide else "float32"
    return Row(f"{name} {draft.words}".strip(), make, tolerance=draft.tolerance, dtype=dtype)


def contents(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """The same numbers for every library: normally distributed, or small integers."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.issubdtype(np.dtype(dtype), np.integer):
        return rng.integers(0, 100, shape).astype(dtype)
    if dtype.startswith("complex"):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def size(rng: Rng, least: int, most: int) -> int:
    """A size, drawn evenly on a logarithmic scale."""
    return int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))


def one_of(rng: Rng, *choices: Any) -> Any:
    """One of them."""
    return choices[rng.integers(len(choices))]


# -- sums, maxima, and pieces ----------------------------------------------------------------------------------------


@kind
def stack_reduced(rng: Rng) -> Draft:
    n, m = size(rng, 2, 50), size(rng, 1000, 100_000)
    how, join = one_of(rng, "sum", "max", "mean"), one_of(rng, "stack", "concatenate")

    def run(lib, *xs):
        pieces = [x[None] * (0.5 + i) for i, x in enumerate(xs)] if join == "concatenate" else list(xs)
        return getattr(lib.np, how)(getattr(lib.np, join)(pieces), axis=0)

    return Draft([((m,), "float32")] * n, run, f"{join} {n} x {m} {how}")


@kind
def delays_reduced(rng: Rng) -> Draft:
    n, m = size(rng, 4, 40), size(rng, 10_000, 200_000)
    return Draft(
        [((m + n,), "float32")],
        lambda lib, x: lib.np.max(lib.np.stack([x[i : i + m] for i in range(n)]), axis=0),
        f"{n} of {m}",
    )


@kind
def convolution(rng: Rng) -> Draft:
    n, taps, mode = size(rng, 1000, 150_000), size(rng, 3, 64), one_of(rng, "same", "valid", "full")
    return Draft(
        [((n,), "float32"), ((taps,), "float32")],
        lambda lib, x, h: lib.np.convolve(x, h, mode=mode),
        f"{n} * {taps} {mode}",
    )


@kind
def leading_reduced(rng: Rng) -> Draft:
    n, m = size(rng, 2, 60), size(rng, 1000, 60_000)
    dtype, how = one_of(rng, "float32", "int32", "int8", "float64"), one_of(rng, "sum", "max", "min", "prod")
    return Draft([((n, m), dtype)], lambda lib, x: getattr(lib.np, how)(x, axis=0), f"{dtype} {n} x {m} {how}")


@kind
def narrow_leading(rng: Rng) -> Draft:
    n, m = size(rng, 1000, 100_000), size(rng, 1, 20)
    dtype, how = one_of(rng, "float32", "int32", "float64"), one_of(rng, "sum", "max", "mean", "var")
    return Draft([((n, m), dtype)], lambda lib, x: getattr(lib.np, how)(x, axis=0), f"{dtype} {n} x {m} {how}")


@kind
def short_trailing(rng: Rng) -> Draft:
    n, m = size(rng, 1000, 200_000), size(rng, 2, 16)
    dtype, how = one_of(rng, "float32", "int32", "uint8", "int8", "bool"), one_of(rng, "sum", "max", "any")
    return Draft(
        [((n * m,), dtype)],
        lambda lib, x: getattr(lib.np, how)(x.reshape(-1, m), axis=1),
        f"{dtype} {n} x {m} {how}",
    )


@kind
def packed_bits(rng: Rng) -> Draft:
    n = size(rng, 1000, 1_000_000)
    if rng.random() < 0.5:
        return Draft([((n,), "bool")], lambda lib, x: lib.np.packbits(x), f"pack {n}")
    return Draft([((n // 8,), "uint8")], lambda lib, x: lib.np.unpackbits(x), f"unpack {n}")


@kind
def statistics(rng: Rng) -> Draft:
    shape, axis = (size(rng, 10, 1000), size(rng, 10, 1000)), int(rng.integers(2))

    def run(lib, x):
        z = (x - x.mean(axis, keepdims=True)) / x.std(axis, keepdims=True)
        return z, lib.np.mean(z**3, axis), lib.np.max(lib.np.abs(z), axis)

    return Draft([(shape, "float32")], run, f"{shape} axis {axis}")


@kind
def moving_mean(rng: Rng) -> Draft:
    n, window = size(rng, 1000, 300_000), size(rng, 3, 100)

    def run(lib, x):
        total = lib.np.cumsum(x)
        return (total[window:] - total[:-window]) / window

    return Draft([((n,), "float32")], run, f"{n}, {window}", tolerance=1e-2)


# -- products --------------------------------------------------------------------------------------------------------


@kind
def small_integer_product(rng: Rng) -> Draft:
    n, k, m = (size(rng, 16, 512) for _ in range(3))
    dtype, wide = one_of(rng, "int8", "uint8", "int16", "int32"), rng.random() < 0.5

    def run(lib, a, b):
        if wide:
            return lib.lax.dot(a, b, preferred_element_type=lib.np.int32)
        return a @ b

    return Draft([((n, k), dtype), ((k, m), dtype)], run, f"{dtype} {n} x {k} x {m}{' to int32' if wide else ''}")


@kind
def logistic_regression(rng: Rng) -> Draft:
    n, m = size(rng, 500, 50_000), size(rng, 2, 200)
    gradient = rng.random() < 0.5

    def run(lib, w, x, y):
        def loss(w):
            return -lib.np.mean(lib.np.log(lib.nn.sigmoid(x @ w * y)))

        return lib.grad(loss)(w) if gradient else lib.nn.sigmoid(x @ w)

    return Draft([((m,), "float32"), ((n, m), "float32"), ((n,), "float32")], run, f"{n} x {m} grad={gradient}")


@kind
def layers(rng: Rng) -> Draft:
    batch, sizes = size(rng, 1, 256), [size(rng, 8, 512) for _ in range(rng.integers(2, 5))]
    shapes = list(zip(sizes, sizes[1:], strict=False))

    def run(lib, x, *ws):
        def loss(ws):
            h = x
            for w in ws:
                h = lib.np.tanh(h @ w * 0.1)
            return lib.np.sum(h * h)

        return lib.grad(loss)(list(ws))

    return Draft([((batch, sizes[0]), "float32"), *[(s, "float32") for s in shapes]], run, f"{batch} x {sizes}")


@kind
def attention(rng: Rng) -> Draft:
    heads, n, d = size(rng, 1, 8), size(rng, 8, 200), one_of(rng, 16, 32, 64)

    def run(lib, q, k, v):
        scores = lib.np.einsum("hqd,hkd->hqk", q, k) / d**0.5
        return lib.nn.softmax(scores, axis=-1) @ v

    return Draft([((heads, n, d), "float32")] * 3, run, f"{heads} x {n} x {d}")


@kind
def distances(rng: Rng) -> Draft:
    n, m, d = size(rng, 50, 2000), size(rng, 5, 300), size(rng, 2, 20)

    def run(lib, x, c):
        return lib.np.argmin(lib.np.sum((x[:, None] - c[None]) ** 2, -1), 1)

    return Draft([((n, d), "float32"), ((m, d), "float32")], run, f"{n} x {m} x {d}")


# -- element by element ----------------------------------------------------------------------------------------------


@kind
def repeated_costly(rng: Rng) -> Draft:
    n, times = size(rng, 100, 50_000), size(rng, 2, 20)
    f = one_of(rng, "sin", "exp", "tanh", "log1p")
    how = one_of(rng, "tile", "repeat")

    def run(lib, x):
        y = getattr(lib.np, f)(lib.np.abs(x))
        return lib.np.tile(y, times) if how == "tile" else lib.np.repeat(y, times)

    return Draft([((n,), "float32")], run, f"{how} {n} x {times} {f}")


@kind
def short_rows(rng: Rng) -> Draft:
    n, m = size(rng, 1000, 50_000), size(rng, 2, 12)
    how = one_of(rng, "softmax", "log_softmax", "logsumexp", "norm")

    def run(lib, x):
        if how == "norm":
            return x / lib.np.sqrt(lib.np.sum(x * x, 1, keepdims=True))
        return getattr(lib.nn, how)(x, 1) if how != "logsumexp" else lib.nn.logsumexp(x, 1)

    return Draft([((n, m), "float32")], run, f"{n} x {m} {how}")


@kind
def columns_gradient(rng: Rng) -> Draft:
    n, m = size(rng, 1000, 50_000), size(rng, 3, 12)
    picked = [int(i) for i in rng.choice(m, min(3, m), replace=False)]

    def run(lib, x):
        a, b, c = (x[:, i] for i in picked)
        return lib.np.sum(lib.np.sin(a) * lib.np.exp(-b * b) + lib.np.tanh(c) * a)

    return Draft([((n, m), "float32")], lambda lib, x: lib.grad(lambda y: run(lib, y))(x), f"{n} x {m} {picked}")


@kind
def chain_of_functions(rng: Rng) -> Draft:
    n, times = size(rng, 100, 300_000), size(rng, 1, 20)
    f = one_of(rng, "tanh", "sin", "exp", "log1p", "sqrt", "arctan", "cbrt")

    def run(lib, x):
        for _ in range(times):
            x = getattr(lib.np, f)(lib.np.abs(x) * 0.7) - 0.1
        return x

    return Draft([((n,), "float32")], run, f"{n} {f} x {times}")


@kind
def mapped_scalar_loop(rng: Rng) -> Draft:
    n, steps = size(rng, 100, 50_000), size(rng, 2, 50)
    f = one_of(rng, "tanh", "sin", "exp")

    def run(lib, x):
        step = lambda y: lambda _, a: getattr(lib.np, f)(-lib.np.abs(0.5 * a + y)) - 0.2  # noqa: E731
        return lib.vmap(lambda y: lib.lax.fori_loop(0, steps, step(y), y))(x)

    return Draft([((n,), "float32")], run, f"{n} {f} x {steps}")


@kind
def mapped_ode(rng: Rng) -> Draft:
    n, steps = size(rng, 10, 5000), size(rng, 20, 200)

    def run(lib, y):
        def slope(y):
            a, b, c = y
            return lib.np.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c])

        def step(y, _):
            h = 0.005
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

        return lib.vmap(lambda y: lib.lax.scan(step, y, None, length=steps)[0])(y)

    return Draft([((n, 3), "float32")], run, f"{n} x {steps}", tolerance=0.1)


@kind
def stencil(rng: Rng) -> Draft:
    n, steps = size(rng, 20, 400), size(rng, 1, 50)

    def run(lib, u):
        def step(_, u):
            inner = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
            return u.at[1:-1, 1:-1].set(inner)

        return lib.lax.fori_loop(0, steps, step, u)

    return Draft([((n, n), "float32")], run, f"{n} x {steps}")


@kind
def rolled(rng: Rng) -> Draft:
    n, steps = size(rng, 50, 100_000), size(rng, 1, 20)

    def run(lib, u):
        for _ in range(steps):
            u = u + 0.1 * (lib.np.roll(u, 1) - 2 * u + lib.np.roll(u, -1))
        return u

    return Draft([((n,), "float32")], run, f"{n} x {steps}")


@kind
def complex_reversed(rng: Rng) -> Draft:
    n, dtype = size(rng, 100, 200_000), one_of(rng, "complex64", "float32")
    return Draft([((n,), dtype)], lambda lib, x: lib.np.sum(x[::-1] * lib.np.conj(x)), f"{dtype} {n}")


@kind
def complex_signal(rng: Rng) -> Draft:
    n = size(rng, 100, 100_000)

    def run(lib, x, t):
        y = x * lib.np.exp(1j * t) + lib.np.conj(x[::-1])
        return lib.np.abs(y), lib.np.angle(y), lib.np.mean(y)

    return Draft([((n,), "complex64"), ((n,), "float32")], run, f"{n}")


@kind
def integers(rng: Rng) -> Draft:
    n, f = size(rng, 1000, 100_000), one_of(rng, "gcd", "lcm", "floor_divide", "remainder", "bitwise_xor", "power")
    dtype = one_of(rng, "int32", "int16", "uint8")

    def run(lib, a, b):
        return getattr(lib.np, f)(a, b % 3 if f == "power" else b + 1)

    return Draft([((n,), dtype)] * 2, run, f"{f} {dtype} {n}")


@kind
def nbody(rng: Rng) -> Draft:
    n, d = size(rng, 10, 500), one_of(rng, 2, 3)

    def run(lib, p, m):
        r = p[:, None] - p[None]
        inverse = (lib.np.sum(r * r, -1) + 0.01) ** -1.5
        return -lib.np.sum(r * (m[None] * inverse)[..., None], 1)

    return Draft([((n, d), "float32"), ((n,), "float32")], run, f"{n} x {d}")


# -- positions computed at run time, and order -----------------------------------------------------------------------


@kind
def segments(rng: Rng) -> Draft:
    n, groups = size(rng, 1000, 200_000), size(rng, 2, 90)
    dtype, how = one_of(rng, "float32", "float16", "int16", "bfloat16", "int32"), one_of(rng, "max", "sum", "min")

    def run(lib, x, i):
        segment = getattr(lib.ops, f"segment_{how}")
        return segment(x.astype(dtype), i % groups, num_segments=groups)

    stored = "float32" if "float" in dtype else dtype
    return Draft([((n,), stored), ((n,), "int32")], run, f"{how} {dtype} {n} -> {groups}", tolerance=0.05)


@kind
def gathered(rng: Rng) -> Draft:
    rows, columns, n = size(rng, 10, 99), size(rng, 10, 99), size(rng, 1000, 200_000)
    return Draft(
        [((rows, columns), "float32"), ((n,), "int32"), ((n,), "int32")],
        lambda lib, x, i, j: x[i % rows, j % columns] * 2,
        f"{n} of {rows} x {columns}",
    )


@kind
def embedding(rng: Rng) -> Draft:
    words, d, n = size(rng, 100, 20_000), size(rng, 4, 128), size(rng, 10, 2000)
    return Draft(
        [((words, d), "float32"), ((n,), "int32")],
        lambda lib, e, i: lib.grad(lambda e: lib.np.sum(lib.np.tanh(e[i])))(e),
        f"{words} x {d}, {n}",
    )


@kind
def histogram(rng: Rng) -> Draft:
    n, bins = size(rng, 1000, 300_000), size(rng, 4, 1000)

    def run(lib, x):
        place = lib.np.clip(((x + 4) / 8 * bins).astype(lib.np.int32), 0, bins - 1)
        return lib.np.zeros(bins, lib.np.int32).at[place].add(1)

    return Draft([((n,), "float32")], run, f"{n} -> {bins}")


@kind
def greatest(rng: Rng) -> Draft:
    n, k, rows = size(rng, 1000, 1_000_000), size(rng, 1, 100), one_of(rng, 1, 1, 20)
    shape = (rows, n // rows) if rows > 1 else (n,)
    return Draft([(shape, "float32")], lambda lib, x: lib.lax.top_k(x, min(k, n // rows)), f"{k} of {shape}")


@kind
def ordered(rng: Rng) -> Draft:
    n, f, rows = size(rng, 10, 100_000), one_of(rng, "sort", "argsort", "median"), one_of(rng, 1, 1, 50)
    shape, dtype = (rows, max(n // rows, 2)), one_of(rng, "float32", "int32")
    return Draft([(shape, dtype)], lambda lib, x: getattr(lib.np, f)(x, axis=-1), f"{f} {dtype} {shape}")


@kind
def found(rng: Rng) -> Draft:
    n, m = size(rng, 100, 100_000), size(rng, 100, 100_000)
    return Draft(
        [((n,), "float32"), ((m,), "float32")],
        lambda lib, x, y: lib.np.searchsorted(lib.np.cumsum(lib.np.abs(x)), lib.np.abs(y) * n / 3),
        f"{m} in {n}",
        tolerance=0.05,
    )


# -- loops -----------------------------------------------------------------------------------------------------------


@kind
def recurrent(rng: Rng) -> Draft:
    steps, batch, n = size(rng, 5, 100), size(rng, 1, 64), size(rng, 4, 128)
    gradient = rng.random() < 0.5

    def run(lib, xs, h, w):
        def loss(w):
            last, all_ = lib.lax.scan(lambda h, x: ((y := lib.np.tanh(x + h @ w * 0.1)), y), h, xs)
            return lib.np.sum(all_**2)

        return lib.grad(loss)(w) if gradient else loss(w)

    shapes = [(steps, batch, n), (batch, n), (n, n)]
    return Draft([(s, "float32") for s in shapes], run, f"{steps} x {batch} x {n} grad={gradient}")


@kind
def filtered(rng: Rng) -> Draft:
    steps, n = size(rng, 20, 1000), size(rng, 2, 6)

    def run(lib, zs, a, x):
        p0 = lib.np.eye(n)

        def step(state, z):
            x, p = state
            x, p = a @ x * 0.3, a @ p @ a.T * 0.1 + p0
            gain = p[:, 0] / (p[0, 0] + 1.0)
            x = x + gain * (z - x[0])
            return (x, p - lib.np.outer(gain, p[0])), x[0]

        return lib.lax.scan(step, (x, p0), zs)

    return Draft([((steps,), "float32"), ((n, n), "float32"), ((n,), "float32")], run, f"{steps} x {n}")


@kind
def newton(rng: Rng) -> Draft:
    n = size(rng, 1, 10_000)

    def run(lib, a):
        def one(a):
            go = lambda x: lib.np.abs(x * x * x - a) > 1e-3 * a  # noqa: E731
            return lib.lax.while_loop(go, lambda x: x - (x * x * x - a) / (3 * x * x), a)

        return lib.vmap(one)(lib.np.abs(a) + 0.5)

    return Draft([((n,), "float32")], run, f"{n}")


@kind
def dynamic_programming(rng: Rng) -> Draft:
    n, m = size(rng, 10, 300), size(rng, 10, 300)

    def run(lib, cost):
        def row(before, c):
            def cell(left, pair):
                new = lib.np.minimum(left, pair[0]) + pair[1]
                return new, new

            _, out = lib.lax.scan(cell, 1e3, (before, c))
            return out, None

        return lib.lax.scan(row, lib.np.zeros(m), lib.np.abs(cost))[0]

    return Draft([((n, m), "float32")], run, f"{n} x {m}")


@kind
def many_outputs(rng: Rng) -> Draft:
    n, m = size(rng, 10, 120), size(rng, 10, 2000)
    return Draft(
        [((m,), "float32")] * 3,
        lambda lib, x, y, z: [lib.np.sin(x * i) + y * (i + 1) - z for i in range(n)],
        f"{n} of {m}",
    )


# -- random sequences of operations ----------------------------------------------------------------------------------

UNARY = ("sin", "tanh", "exp2", "abs", "square", "negative", "sign", "floor")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "hypot")
REDUCERS = ("sum", "max", "mean", "min")
Step = Callable[[Any, list[Any]], Any]


@kind
def random(rng: Rng) -> Draft:
    """Some twenty operations on matrices, each of results before it; the last ones are the results."""
    n, m = size(rng, 4, 600), size(rng, 4, 600)
    steps = [_step(rng, k + 2, m) for k in range(rng.integers(5, 25))]
    gradient = rng.random() < 0.3

    def run(lib, *arrays):
        def forward(x, y):
            values = [x, y]
            for step in steps:
                values.append(step(lib, values))
            return values[-2:]

        if not gradient:
            return forward(*arrays)
        return lib.grad(lambda *a: sum(lib.np.sum(v) for v in forward(*a)), (0, 1))(*arrays)

    return Draft(
        [((n, m), "float32"), ((n, m), "float32")], run, f"{n} x {m}, {len(steps)} steps, grad={gradient}", 0.05
    )


def _step(rng: Rng, known: int, m: int) -> Step:
    """An operation on the matrices computed so far, all of one shape; the result is divided so that it stays small."""
    i, j = int(known - 1 - rng.integers(min(known, 4))), int(rng.integers(known))
    u, b, r = one_of(rng, *UNARY), one_of(rng, *BINARY), one_of(rng, *REDUCERS)
    axis, shift = int(rng.integers(2)), int(rng.integers(1, 4))
    weights = rng.standard_normal((m, m)).astype(np.float32) / m
    steps: list[Step] = [
        lambda lib, v: getattr(lib.np, u)(0.5 * v[i]),
        lambda lib, v: getattr(lib.np, b)(v[i], v[j]) * 0.5,
        lambda lib, v: v[i] - getattr(lib.np, r)(v[j], axis=axis, keepdims=True),
        lambda lib, v: lib.np.roll(v[i], shift, axis) * v[j] * 0.3,
        lambda lib, v: lib.np.flip(v[i], axis),
        lambda lib, v: lib.np.where(v[i] > 0.1, v[j], 0.5 * v[i]),
        lambda lib, v: lib.nn.softmax(v[i], axis),
        lambda lib, v: lib.np.cumsum(v[i] * 0.05, axis),
        lambda lib, v: lib.np.concatenate([v[i][shift:], v[j][:shift]]),
        lambda lib, v: v[i].at[:, :shift].set(0.0),
        lambda lib, v: lib.np.tanh(v[i] @ weights),
        lambda lib, v: v[i].T.reshape(v[i].shape),
        lambda lib, v: lib.np.stack([v[i], v[j]], 1).max(1),
    ]
    # Operations element by element are most of what programs are made of.
    return steps[int(rng.choice(len(steps), p=[0.2, 0.25, *[0.05] * 11]))]
