"""Eager matrix products use one thread of the BLAS unless several pay."""

import threading

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.core import products


class Blas:
    """Threads of a BLAS that is not there, and a clock."""

    def __init__(self, count=4):
        self.count, self.used, self.now, self.factor = count, [], 0.0, {1: 1.0}
        self.threads = products._Threads(lambda: self.count, self.put)

    def put(self, count):
        self.count = count

    def matmul(self, x, y):
        self.used.append(self.count)
        self.now += x.size * y.shape[1] / 1e9 * self.factor.get(self.count, 1.0)
        return x


@pytest.fixture
def blas(monkeypatch):
    made = Blas()
    monkeypatch.setattr(products, "_threads", made.threads)
    monkeypatch.setattr(products, "_known", True)
    monkeypatch.setattr(products.time, "perf_counter", lambda: made.now)
    monkeypatch.setattr(products.np, "matmul", made.matmul)
    yield made
    assert made.count == 4 and made.threads.depth == 0


def matrices(rows, terms, columns, dtype=np.float32):
    return np.empty((rows, terms), dtype), np.empty((terms, columns), dtype)


def test_small_products_are_left_alone(blas):
    products.matmul(*matrices(8, 8, 8))
    products.matmul(*matrices(1, 64, 64))
    assert blas.used == [4, 4]


def test_products_of_medium_size_use_one_thread(blas):
    for sizes in ((64, 64, 65), (64, 784, 64), (1, 1000, 1000), (1000, 1000, 1)):
        products.matmul(*matrices(*sizes))
    assert blas.used == [1] * 4


def test_large_products_use_all_threads_where_that_pays(blas):
    blas.factor[4] = 0.4
    for _ in range(5):
        products.matmul(*matrices(512, 512, 512))
    assert blas.used == [1, 4, 4, 4, 4]  # the first says what one thread can do


def test_large_products_use_one_thread_on_a_busy_machine(blas):
    blas.factor[4] = 40.0
    for _ in range(1000):
        products.matmul(*matrices(512, 512, 512))
    assert blas.used[:3] == [1, 4, 1] and blas.used.count(4) < 5
    slow, blas.factor[4] = blas.now, 0.4
    while blas.now < slow + 300:
        products.matmul(*matrices(512, 512, 512))
    assert blas.used[-10:] == [4] * 10


def test_integers_are_not_multiplied_by_the_blas(blas):
    products.matmul(*matrices(64, 64, 64, np.int32))
    assert blas.used == [4]


def test_one_thread_also_after_an_error(blas, monkeypatch):
    def fail(x, y):
        assert blas.count == 1
        raise MemoryError

    monkeypatch.setattr(products.np, "matmul", fail)
    with pytest.raises(MemoryError):
        products.matmul(*matrices(64, 64, 65))


def test_products_on_several_threads_of_python(blas, monkeypatch):
    both, used = threading.Barrier(2), []

    def meet(x, y):
        both.wait(20)
        used.append(blas.count)
        return x

    monkeypatch.setattr(products.np, "matmul", meet)
    runs = [threading.Thread(target=products.matmul, args=matrices(64, 64, 65)) for _ in range(2)]
    for t in runs:
        t.start()
    for t in runs:
        t.join()
    assert used == [1, 1]


@pytest.mark.parametrize("sizes", [(64, 64, 64), (1, 300, 300), (300, 300, 1), (257, 129, 130)])
def test_results_and_the_number_of_threads_stay(sizes):
    rows, terms, columns = sizes
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, terms)), rng.normal(size=(terms, columns))
    a, b = jnp.asarray(x, dtype="float64"), jnp.asarray(y, dtype="float64")
    np.testing.assert_allclose(np.asarray(a @ b), x @ y, rtol=1e-12, atol=1e-10)
    before = products._threads and products._threads.get()
    da, db = fungrad.grad(lambda a, b: (a @ b).sum(), (0, 1))(a, b)
    np.testing.assert_allclose(np.asarray(da), np.broadcast_to(y.sum(1), x.shape), atol=1e-10)
    np.testing.assert_allclose(np.asarray(db), np.broadcast_to(x.sum(0)[:, None], y.shape), atol=1e-10)
    if before:
        assert products._threads.get() == before
