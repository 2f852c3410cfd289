"""Checks each kind of compiled kernel against NumPy in a few seconds, on processors that the tests do not reach.

Run it on the machine in question, or through an emulator with ``tools/emulate.py``. Prints the processor as LLVM sees
it, one line for each kind, and exits with status 1 if a value is wrong.
"""

from __future__ import annotations

import numpy as np

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.programs import finish
from fungrad.jit.runtime import native

rng = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float32") -> np.ndarray:
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def double(*shape: int) -> np.ndarray:
    return normal(*shape, dtype="float64")


def complexes(*shape: int) -> np.ndarray:
    return normal(*shape, dtype="complex64")


def half(x: np.ndarray) -> np.ndarray:
    return x.astype("float16")


def mapped_loop(x: jnp.ndarray) -> jnp.ndarray:
    return fungrad.vmap(lambda v: lax.while_loop(lambda c: c < 100, lambda c: c * 1.5 + 1, v))(x)


def loop_of(x: np.ndarray) -> np.ndarray:
    out = x.copy()
    for k in range(out.size):
        while out[k] < 100:
            out[k] = np.float32(out[k] * np.float32(1.5) + np.float32(1))
    return out


def scan(x: jnp.ndarray) -> jnp.ndarray:
    return lax.scan(lambda c, v: (0.5 * c + v, c), jnp.zeros_like(x[0]), x)[1]


def scan_of(x: np.ndarray) -> np.ndarray:
    out, c = np.zeros_like(x), np.zeros_like(x[0])
    for k in range(len(x)):
        out[k], c = c, np.float32(0.5) * c + x[k]
    return out


def gradient(w: jnp.ndarray, x: jnp.ndarray) -> jnp.ndarray:
    return fungrad.grad(lambda w: jnp.sum(jnp.tanh(x @ w) ** 2))(w)


def gradient_of(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    t = np.tanh(x @ w)
    return x.T @ (2 * t * (1 - t * t))


def convolution(x: jnp.ndarray, w: jnp.ndarray, groups: int = 1) -> jnp.ndarray:
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout, feature_group_count=groups)


def windows(x: np.ndarray, *shape: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, shape, (1, 2))


# Kind: (function of fungrad, the same in NumPy, arguments, relative tolerance).
CASES = {
    "elementwise float32": (lambda x: jnp.exp(x) * jnp.sin(x) + jnp.log1p(x * x), None, [normal(37, 11)], 1e-5),
    "elementwise float64": (lambda x: jnp.tanh(x) / (1 + x**4), None, [double(1003)], 1e-12),
    "masked": (jnp.exp, np.exp, [np.array([-np.inf, -1e30, -90, 0, 3, -100] * 7, "float32")], 1e-5),
    "integers": (lambda x: (x * 7 + 3) // 5 - (x >> 2), None, [np.arange(-500, 500, dtype="int32")], 0),
    "narrow integers": (lambda x: x * x + x, None, [np.arange(-100, 100, dtype="int8")], 0),
    "16 bit": (lambda x: x * x + x, lambda x: half(x * x) + x, [normal(301, dtype="float16")], 2e-3),
    "complex": (lambda x: x * x.conj() + jnp.exp(x), None, [complexes(65)], 1e-4),
    "sums": (lambda x: x.sum(1) + x.mean(1) - x.max(1), None, [normal(33, 1000)], 1e-4),
    "column sums": (lambda x: x.sum(0), None, [normal(1000, 33)], 1e-4),
    "running sums": (lambda x: jnp.cumsum(x, 1), lambda x: np.cumsum(x, 1), [double(9, 257)], 1e-11),
    "positions": (lambda x: jnp.argmax(x, 1), lambda x: np.argmax(x, 1), [normal(33, 100)], 0),
    "product": (lambda x, y: x @ y, None, [normal(67, 129), normal(129, 45)], 1e-4),
    "product, few rows": (lambda x, y: x.T @ y, None, [normal(8, 5), normal(8, 300)], 1e-4),
    "product float64": (lambda x, y: x @ y, None, [double(31, 64), double(64, 9)], 1e-11),
    "product complex": (lambda x, y: x @ y, None, [complexes(9, 8), complexes(8, 7)], 1e-4),
    "convolution": (
        convolution,
        lambda x, w: np.einsum("nhwcij,ijco->nhwo", windows(x, 3, 3), w),
        [normal(2, 9, 20, 5), normal(3, 3, 5, 37)],
        1e-4,
    ),
    "convolution, gradient": (
        lambda x, w, y: fungrad.grad(lambda w: jnp.sum(convolution(x, w) * y))(w),
        lambda x, w, y: np.einsum("nhwcij,nhwo->ijco", windows(x, 3, 3), y),
        [normal(2, 9, 20, 5), normal(3, 3, 5, 37), normal(2, 7, 18, 37)],
        1e-4,
    ),
    "convolution, single features": (
        lambda x, w: convolution(x, w, 21),
        lambda x, w: np.einsum("nhwcij,ijc->nhwc", windows(x, 7, 7), w[:, :, 0]),
        [normal(2, 9, 20, 21), normal(7, 7, 1, 21)],
        1e-4,
    ),
    "sorted rows": (lambda x: jnp.sort(x, 1), lambda x: np.sort(x, 1), [normal(40, 100)], 0),
    "greatest": (lambda x: lax.top_k(x, 5)[0], lambda x: -np.sort(-x)[:5], [normal(1000)], 0),
    "reads by index": (lambda x, i: x[i], None, [normal(50, 3), rng.integers(0, 50, 77)], 0),
    "updates by index": (
        lambda x, i: jnp.zeros(50).at[i].add(x),
        lambda x, i: np.bincount(i, x, 50),
        [normal(77), rng.integers(0, 50, 77)],
        1e-4,
    ),
    "transposed": (lambda x: x.T + 1, None, [normal(65, 130)], 0),
    "scan": (scan, scan_of, [normal(100, 5)], 1e-5),
    "mapped while": (mapped_loop, loop_of, [np.abs(normal(100))], 1e-5),
    "gradient": (gradient, gradient_of, [normal(20, 30), normal(16, 20)], 1e-4),
    "systems in lanes": (
        lambda a, b: jnp.linalg.solve(a, b),
        lambda a, b: np.linalg.solve(a, b),
        [normal(17, 16, 16) + 8 * np.eye(16, dtype="float32"), normal(17, 16, 3)],
        1e-4,
    ),
    "factors in lanes": (
        lambda a: jnp.linalg.cholesky(jnp.einsum("bij,bkj->bik", a, a) + 16 * jnp.eye(16)),
        lambda a: np.linalg.cholesky(a @ a.swapaxes(1, 2) + 16 * np.eye(16)),
        [normal(9, 16, 16)],
        1e-4,
    ),
    "factor in blocks": (
        lambda a: jnp.linalg.cholesky(a @ a.T + 70 * jnp.eye(70)),
        lambda a: np.linalg.cholesky(a @ a.T + 70 * np.eye(70)),
        [normal(70, 70)],
        1e-4,
    ),
    "system in blocks": (
        lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True, lower=True),
        lambda a, b: np.linalg.solve(np.tril(a), b),
        [normal(70, 70) / 70 + np.eye(70, dtype="float32"), normal(70, 100)],
        1e-4,
    ),
    "inverse of the error function": (
        lambda x: lax.erf(lax.erf_inv(x)),
        lambda x: x,
        [np.linspace(-0.99999, 0.99999, 999, dtype="float32")],
        1e-5,
    ),
    "softmax": (
        lambda x: fungrad.nn.softmax(x, axis=1),
        lambda x: np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True),
        [normal(20, 130)],
        1e-5,
    ),
}

# jax.random.bits(jax.random.key(1), (4,)), which is the same on every machine.
BITS = np.array([1883912375, 2292451390, 1915204986, 1882898417], "uint32")


def main() -> int:
    fungrad.config.update("jax_enable_x64", True)
    host = native.session().host
    print(f"{host.triple}, {host.cpu}, vectors of {host.vector_bytes} bytes")
    failures = 0
    for name, (ours, numpys, arguments, tolerance) in CASES.items():
        numpys = numpys or with_numpy(ours)
        with np.errstate(all="ignore"):
            wanted = np.asarray(numpys(*arguments))
        wrong = []
        for threads in (1, 0):
            with fungrad.threads(threads):
                got = np.asarray(fungrad.jit(ours)(*arguments))
            scale = max(1.0, float(np.abs(wanted.astype("complex128")).max()))
            if got.shape != wanted.shape or not np.allclose(got, wanted, rtol=tolerance, atol=tolerance * scale):
                wrong.append(threads)
        failures += bool(wrong)
        print(f"{'WRONG' if wrong else 'right'}  {name}")
    drawn = np.asarray(fungrad.jit(lambda: fungrad.random.bits(fungrad.random.key(1), (4,), "uint32"))())
    failures += not np.array_equal(drawn, BITS)
    print(f"{'right' if np.array_equal(drawn, BITS) else 'WRONG'}  random bits")
    return int(failures > 0)


def with_numpy(function):
    """The function with NumPy's names in place of ours."""
    code = function.__code__
    scope = {"jnp": np}
    return type(function)(code, {**function.__globals__, **scope})


if __name__ == "__main__":
    finish(main)
