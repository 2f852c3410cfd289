"""Errors of long sums, products and running results do not grow with the number of terms."""

import itertools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

LENGTHS = [1000, 100_003, pytest.param(1_000_000, marks=pytest.mark.slow), pytest.param(10**7, marks=pytest.mark.slow)]
KINDS = {
    "tenths": lambda shape: np.full(shape, 0.1, np.float32),
    "uniform": lambda shape: np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32),
}
SUMS = {
    "all": (lambda x: jnp.sum(x), lambda x: x.sum(), lambda n: (n,)),
    "mean of squares": (lambda x: jnp.mean(x * x), lambda x: (x * x).mean(), lambda n: (n,)),
    "variance": (lambda x: jnp.var(x * jnp.arange(x.size) / x.size), None, lambda n: (n,)),
    "down 3": (lambda x: jnp.sum(x, 0), lambda x: x.sum(0), lambda n: (n // 3, 3)),
    "down 5": (lambda x: jnp.sum(x, 0), lambda x: x.sum(0), lambda n: (n // 5, 5)),
    "down 100": (lambda x: jnp.sum(x, 0), lambda x: x.sum(0), lambda n: (n // 100, 100)),
    "along": (lambda x: jnp.sum(x, 1), lambda x: x.sum(1), lambda n: (5, n // 5)),
    "middle": (lambda x: jnp.sum(x, 1), lambda x: x.sum(1), lambda n: (3, n // 21, 7)),
    "first and last": (lambda x: jnp.sum(x, (0, 2)), lambda x: x.sum((0, 2)), lambda n: (n // 35, 5, 7)),
    "turned": (lambda x: jnp.sum(x.T * 2, 1), lambda x: x.sum(0) * 2, lambda n: (n // 20, 20)),
    "running": (lambda x: jnp.cumsum(x), lambda x: x.cumsum(), lambda n: (n,)),
    "running back": (lambda x: lax.cumsum(x, 0, True), lambda x: x[::-1].cumsum()[::-1], lambda n: (n,)),
    "running down": (lambda x: jnp.cumsum(x, 0), lambda x: x.cumsum(0), lambda n: (n // 3, 3)),
    "running along": (lambda x: jnp.cumsum(x, 1), lambda x: x.cumsum(1), lambda n: (3, n // 3)),
    "running logsumexp": (lambda x: lax.cumlogsumexp(x), lambda x: np.logaddexp.accumulate(x), lambda n: (n,)),
    "running logsumexp down": (
        lambda x: lax.cumlogsumexp(x - 10_000, 0),
        lambda x: np.logaddexp.accumulate(x - 10_000, 0),
        lambda n: (n // 20, 20),
    ),
    "product": (lambda x: jnp.prod(1 + x / 8192), lambda x: np.prod(1 + x / 8192), lambda n: (min(n, 100_003),)),
    "running product": (
        lambda x: jnp.cumprod(1 + x / 8192),
        lambda x: np.cumprod(1 + x / 8192),
        lambda n: (min(n, 100_003),),
    ),
}


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SUMS)
def test_sums(name, kind, n):
    function, reference, shape = SUMS[name]
    x = KINDS[kind](shape(n))
    if "product" in name or name == "running logsumexp down":
        x = np.round(x * 16) / 16  # so that the factors are the same in all precisions
    if reference is None:
        scaled = np.float32(x) * np.arange(x.size, dtype=np.float32) / np.float32(x.size)
        expected = scaled.astype(np.float64).var()
    else:
        expected = reference(x.astype(np.float64))
    found = [np.asarray(function(jnp.asarray(x)))]
    for threads in (1, 2):
        with fungrad.threads(threads):
            found.append(np.asarray(fungrad.jit(function)(jnp.asarray(x))))
    assert found[1].tobytes() == found[2].tobytes()
    for y in found:
        np.testing.assert_allclose(y, expected, rtol=3e-6)


def test_segments_and_updates():
    n = 100_000
    ids = np.arange(n) % 5
    x = np.full(n, 0.1, np.float32)
    expected = np.bincount(ids, x.astype(np.float64))
    y = fungrad.jit(lambda x: jnp.zeros(5).at[ids].add(x))(x)
    np.testing.assert_allclose(y, expected, rtol=3e-6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_products_are_not_regrouped(axis, run):
    x = np.float32([2.0**100, 2.0**-100] * 200)
    assert float(run(jnp.prod)(x)) == 1
    both = np.stack([x, x], 1 - axis)
    np.testing.assert_array_equal(run(lambda x: jnp.prod(x, axis))(both), [1, 1])
    np.testing.assert_allclose(run(jnp.cumprod)(x), np.tile(np.float32([2.0**100, 1]), 200))


def _product(x):
    """The product of numbers of any size, of which only the result may be out of range."""
    product, exponent = 1.0, 0
    with np.errstate(invalid="ignore"):
        for v in x.astype(np.float64):
            (m, a), (product, b) = np.frexp(v), np.frexp(product)
            product, exponent = product * m, exponent + int(a) + int(b)
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(product, exponent)


SHAPES = {
    "all": lambda x: x,
    "rows": lambda x: np.stack([x] * 3),
    "columns": lambda x: np.stack([x] * 40, 1),
    "single": lambda x: x[:, None],
}


# One function for all tests, which is compiled once for each shape.
PRODUCTS = [fungrad.jit(lambda x: jnp.prod(x, 0)), fungrad.jit(lambda x: jnp.prod(x, 1))]


def _assert_product(x, shape, rtol):
    y = SHAPES[shape](x)
    axis = 1 if shape == "rows" else 0
    found, flushed = [], []
    for threads in (1, 2):
        with fungrad.threads(threads):
            for flush, results in ((False, found), (True, flushed)):
                with fungrad.flush_subnormals(flush):
                    results.append(np.asarray(PRODUCTS[axis](jnp.asarray(y, dtype=x.dtype))))
    assert found[0].tobytes() == found[1].tobytes() and flushed[0].tobytes() == flushed[1].tobytes()
    assert found[0].dtype == x.dtype
    _assert_close_product(found[0], x, rtol)
    least = np.finfo(x.dtype).smallest_normal
    normal = np.where(abs(x) < least, np.copysign(0, x), x).astype(x.dtype)
    # up to as many factors as a register has lanes may be multiplied in their own precision
    _assert_close_product(flushed[0], normal, max(rtol, 1e-6) if x.dtype == np.float32 else rtol, 2 * float(least))


def _assert_close_product(found, x, rtol, least=0.0):
    with np.errstate(over="ignore"):
        expected = np.full(found.shape, _product(x)).astype(x.dtype)
    if not expected.size or expected.flat[0] == 0:
        assert (np.signbit(found) == np.signbit(expected)).all()
    smallest = max(least, 2 * float(np.finfo(x.dtype).smallest_subnormal))
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=smallest)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype, digits", [("float16", 1e-3), ("float32", 2e-7), ("float64", 1e-14)])
def test_compiled_products_leave_the_range_only_with_their_result(dtype, digits, shape):
    rng = np.random.default_rng(0)
    bits = 8 if dtype == "float16" else 60
    for n in (0, 1, 2, 5, 6, 7, 33, 100, 1001, 4099):
        x = np.exp2(rng.uniform(-bits, bits, n)).astype(dtype) * rng.choice([-1, 1], n).astype(dtype)
        x = np.stack([x, (1 / x.astype(np.float64)).astype(dtype)], 1).reshape(-1)
        if shape != "columns":
            x = x[rng.permutation(len(x))]  # columns are multiplied in order, in memory
        _assert_product(x, shape, digits * max(1, n / 100))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_products_of_special_numbers(dtype, shape):
    tiny, huge = float(np.finfo(dtype).smallest_subnormal), float(np.finfo(dtype).max)
    small = float(np.finfo(dtype).tiny)
    cases = [
        [0.0], [-0.0], [np.inf], [-np.inf], [np.nan], [0.0, np.inf], [0.0, np.nan], [np.inf, -2.0], [huge, 2.0],
        [-huge, 2.0], [tiny], [tiny, 0.25], [-tiny, 1 / 16], [small, 0.5, 3.0], [tiny, huge], [huge, tiny, tiny],
        [tiny] * 7, [huge, small, 0.0], [huge, 0.5, 0.0],
    ]  # fmt: skip
    for case in cases:
        for ones in (0, 5, 40, 300):
            with np.errstate(all="ignore"):
                _assert_product(np.array([1.0] * ones + case + [1.0] * (ones // 2), dtype), shape, 1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_compiled_products_in_any_order(dtype):
    n = 3_000_000  # is split into pieces, which threads share
    x = np.ones(n, dtype)
    x[: n // 2 : 7] = 1e20
    x[n // 2 :: 7] = 1e-20
    x[-1] = 3
    with fungrad.threads(1):
        one = np.asarray(fungrad.jit(jnp.prod)(jnp.asarray(x, dtype=dtype)))
    with fungrad.threads(2):
        two = np.asarray(fungrad.jit(jnp.prod)(jnp.asarray(x, dtype=dtype)))
    assert one == two
    np.testing.assert_allclose(one, _fast_product(x), rtol=1e-5)


def _fast_product(x):
    (m, e) = np.frexp(x.astype(np.float64))
    return np.exp2(np.log2(m).sum() + e.sum())


def test_products_beside_sums_and_in_branches():
    x = np.float32([1e30, 1e-30, 2.0, 1e-30, 1e30, 0.5, 1e-30, 1e30] * 40)

    def f(x):
        return jnp.prod(x), jnp.sum(x), jnp.prod(jnp.where(x > 1e-20, x, 1)), jnp.max(x), jnp.prod(x * 2 - x)

    product, total, some, greatest, again = fungrad.jit(f)(x)
    np.testing.assert_allclose([product, again], 1, rtol=1e-5)
    np.testing.assert_allclose(total, x.astype(np.float64).sum(), rtol=1e-6)
    assert np.isinf(some)
    assert greatest == np.float32(1e30)


def test_updates_are_not_multiplied_with_each_other():
    i = np.array([0, 1] * 500)
    x = np.float32([1e20, 1] * 500)
    x[2::4] = 1e-20
    expected = np.float32([1, 1])
    f = lambda x: jnp.ones(2).at[i].multiply(x)  # noqa: E731
    np.testing.assert_allclose(f(jnp.asarray(x)), expected, rtol=1e-4)
    np.testing.assert_allclose(fungrad.jit(f)(jnp.asarray(x)), expected, rtol=1e-4)


CONTRACTIONS = {
    "dot": lambda x, y: jnp.dot(x, y),
    "three": lambda x, y: jnp.einsum("i,i,i->", x, y, y),
    "matrix and vector": lambda x, y: jnp.stack([x, x, x]) @ y,
    "vector and matrix": lambda x, y: y @ jnp.stack([x, x, x], 1),
    "vector and columns": lambda x, y: y @ jnp.stack([x, x, x]).T,
    "matrices": lambda x, y: jnp.stack([x] * 3) @ jnp.stack([y] * 4, 1),
    "transposed": lambda x, y: jnp.stack([x] * 3, 1).T @ jnp.stack([y] * 4, 1),
    "matrices in a batch": lambda x, y: jnp.stack([jnp.stack([x] * 3)] * 2) @ jnp.stack([jnp.stack([y] * 4, 1)] * 2),
    "large": lambda x, y: jnp.stack([x] * 300) @ jnp.stack([y] * 300, 1),
    "examples": lambda x, y: jnp.einsum("ij,ij->i", jnp.stack([x, x]), jnp.stack([y, y])),
    "columns": lambda x, y: jnp.einsum("ij,ij->j", jnp.stack([x, x], 1), jnp.stack([y, y], 1)),
    "two dimensions": lambda x, y: jnp.einsum(
        "iab,jab->ij", jnp.stack([x] * 3).reshape(3, -1, 7), jnp.stack([y] * 2).reshape(2, -1, 7)
    ),
}


@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", CONTRACTIONS)
@pytest.mark.parametrize("n", [5_005, 70_007, pytest.param(1_000_006, marks=pytest.mark.slow)])
def test_contractions(name, n, run):
    if name == "large":
        n = min(n, 70_007)
    x, y = np.full(n, 0.1, np.float32), np.ones(n, np.float32)
    found = run(CONTRACTIONS[name])(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(found, n * np.float64(np.float32(0.1)), rtol=3.5e-6)


@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_contractions_of_random_numbers(run):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 70_007)), rng.standard_normal((70_007, 5))
    for dtype in (np.float32, np.complex64, np.float64):
        x, y = (v.astype(dtype) * (1 + 1j if dtype is np.complex64 else 1) for v in (a, b))
        found = run(jnp.matmul)(jnp.asarray(x, dtype=dtype), jnp.asarray(y, dtype=dtype))
        np.testing.assert_allclose(found, x.astype(np.complex128) @ y.astype(np.complex128), atol=2e-3)


@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_sums_at_places(run):
    n = 200_000
    x = np.full(n, 0.1, np.float32)
    some = np.arange(n) % 3
    one = np.float64(np.float32(0.1))
    add = run(lambda x: jnp.zeros(5).at[some].add(x))(jnp.asarray(x))
    np.testing.assert_allclose(add, np.bincount(some, minlength=5) * one, rtol=3e-6)
    count = 15 if run is fungrad.jit else 50_000  # compiled, the blocks have as many updates as elements, and more
    rows = run(lambda x: jnp.zeros((count, 2)).at[some[: n // 2] * 7].add(x.reshape(-1, 2)))(jnp.asarray(x))
    expected = np.stack([np.bincount(some[: n // 2]) * one] * 2, 1)
    np.testing.assert_allclose(np.asarray(rows)[:15:7], expected, rtol=3e-6)
    assert np.count_nonzero(np.asarray(rows)) == 6
    windows = run(lambda x: lax.reduce_window(x, 0.0, lax.add, (n // 2,), (1,), "VALID"))(jnp.asarray(x))
    np.testing.assert_allclose(windows, n // 2 * one, rtol=3e-6)


@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_gradient_of_running_logsumexp(run):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(300_000).astype(np.float32) for _ in range(2))
    found = run(fungrad.grad(lambda x: jnp.sum(lax.cumlogsumexp(x) * w)))(jnp.asarray(x))
    wide = x.astype(np.float64)
    y = np.logaddexp.accumulate(wide)
    expected = np.exp(wide) * np.cumsum((w * np.exp(-y))[::-1])[::-1]
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("run", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_running_logsumexp_of_special_numbers(run, dtype):
    """All sequences of four, along both dimensions."""
    values = [np.inf, -np.inf, np.nan, 0.0, -3.0, float(np.finfo(dtype).max), float(np.finfo(dtype).min)]
    x = np.array(list(itertools.product(values, repeat=4)), dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        expected = np.logaddexp.accumulate(x.astype(np.float64), 1).astype(dtype)
    rows, columns = run(lambda x: (lax.cumlogsumexp(x, 1), lax.cumlogsumexp(x.T, 0)))(jnp.asarray(x, dtype=dtype))
    digits = {"float16": 1e-3, "float32": 2e-7, "float64": 1e-15}[dtype]
    np.testing.assert_allclose(rows, expected, rtol=digits, atol=digits)
    np.testing.assert_allclose(columns, expected.T, rtol=digits, atol=digits)


@pytest.mark.parametrize("number, rows", [(-1e4, 30_000), (0.7, 3000)])
def test_running_logsumexp_of_equal_numbers_and_of_its_own_results(number, rows):
    """What is added is less than a last bit of the result; and each number meets a result of about its size."""
    x = np.full((rows, 17), number, np.float32)
    if number == 0.7:
        x = (x * np.arange(rows)[:, None]).astype(np.float32)
        x[:, ::2] = np.logaddexp.accumulate(x[:, ::2].astype(np.float64), 0)
    found = fungrad.jit(lambda x: lax.cumlogsumexp(x, 0))(jnp.asarray(x))
    np.testing.assert_allclose(found, np.logaddexp.accumulate(x.astype(np.float64), 0), rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("flush", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(301,), (7, 43), (20, 16), (3, 130)])
def test_running_products_that_leave_the_range_on_their_way(shape, dtype, flush):
    """Whole vectors of factors whose product is out of range, between others that bring it back."""
    huge = 2.0 ** (90 if dtype is np.float32 else 900)
    rng = np.random.default_rng(0)
    factors = np.resize([huge, huge, 0.5, 1 / huge, 1 / huge, 2.0, 1 / huge, 1, 1.5, huge, 1 / 1.5], shape)
    cases = [factors, np.sort(factors), 1 / factors]
    zeros = factors.copy()
    zeros[..., shape[-1] // 2] = 0
    cases += [zeros, np.where(zeros == 0, np.inf, factors), np.where(zeros == 0, np.nan, factors)]
    cases.append(np.exp(rng.standard_normal(shape)))
    with fungrad.flush_subnormals(flush):
        running = fungrad.jit(lambda x: jnp.cumprod(x, axis=-1))
        for x in cases:
            x = x.astype(dtype)
            with np.errstate(all="ignore"):
                expected = np.cumprod(x.astype(np.float64), axis=-1).astype(dtype)
            tiny = np.finfo(dtype).tiny
            expected = np.where(abs(expected) < tiny, 0, expected)
            found = np.asarray(running(jnp.asarray(x, dtype=dtype)))
            np.testing.assert_allclose(found, expected, rtol=3e-6, atol=tiny)
