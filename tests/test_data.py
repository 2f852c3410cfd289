"""Batches, parts, augmentations and data sets."""

import gzip
import threading
import time

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import data, nn, random

KEY = random.key(0)
X = np.arange(20.0, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)


def labels(batches):
    return [np.asarray(b["y"]).tolist() for b in batches]


def test_every_epoch_has_every_example_once_in_another_order():
    made = data.batches(KEY, {"x": X, "y": Y}, 5, epochs=3)
    seen = labels(made)
    assert len(made) == len(seen) == 6 and made.per_epoch == 2
    epochs = [seen[n] + seen[n + 1] for n in (0, 2, 4)]
    assert all(sorted(e) == list(range(10)) for e in epochs) and len({tuple(e) for e in epochs}) == 3
    assert labels(made) == seen
    assert labels(data.batches(random.key(1), {"x": X, "y": Y}, 5, epochs=3)) != seen
    for batch in made:
        assert isinstance(batch["x"], fungrad.Array)
        np.testing.assert_array_equal(batch["x"], X[np.asarray(batch["y"])])
    assert labels(data.batches(None, {"y": Y}, 4, last="keep")) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_last_batch():
    count = {last: len(data.batches(KEY, Y, 4, last=last)) for last in ("drop", "keep", "pad")}
    assert count == {"drop": 2, "keep": 3, "pad": 3}
    assert [len(b) for b in data.batches(KEY, Y, 4, last="keep")] == [4, 4, 2]
    padded = list(data.batches(KEY, Y, 4, last="pad"))
    assert all(batch.shape == mask.shape == (4,) for batch, mask in padded)
    kept = np.concatenate([np.asarray(b)[np.asarray(m)] for b, m in padded])
    assert sorted(kept) == list(range(10))
    assert len(list(data.batches(KEY, Y, 40, last="pad"))) == 1
    assert list(data.batches(KEY, Y, 4, epochs=0)) == []


def test_going_on_after_some_batches():
    made = data.batches(KEY, {"y": Y}, 3, epochs=4, last="keep")
    whole = labels(made)
    for step in range(len(made) + 2):
        assert labels(made.start(step)) == whole[step:]
    endless = data.batches(KEY, {"y": Y}, 3, epochs=None)
    stream = endless.start(3 * 1000)
    assert len(next(stream)["y"]) == 3
    with pytest.raises(TypeError, match="no length"):
        len(endless)


@pytest.mark.parametrize("prefetch", [1, 3])
def test_a_thread_makes_the_same_batches(prefetch):
    one = data.batches(KEY, {"y": Y}, 3, epochs=3, last="keep")
    other = data.batches(KEY, {"y": Y}, 3, epochs=3, last="keep", prefetch=prefetch)
    assert labels(one) == labels(other)
    before = threading.active_count()
    stream = iter(data.batches(KEY, {"y": Y}, 3, epochs=None, prefetch=prefetch))
    next(stream)
    stream.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_an_error_in_the_thread_is_raised_where_the_batch_is_asked_for():
    def failing(key, batch):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(data.batches(KEY, Y, 3, transform=failing, prefetch=2))


def test_transforms_get_a_key_for_each_batch():
    keys = []

    def record(key, batch):
        keys.append(tuple(random.key_data(key).tolist()))
        return batch + random.uniform(key, batch.shape)

    made = data.batches(KEY, X[:, 0], 5, epochs=3, transform=record)
    first = [np.asarray(b) for b in made]
    assert len(set(keys)) == 6
    for a, b in zip(first, made, strict=True):
        np.testing.assert_array_equal(a, b)


def test_keys_and_half_precision_are_data_too():
    tree = {"k": random.split(KEY, 6), "h": jnp.ones((6, 2), "bfloat16")}
    for batch in data.batches(KEY, tree, 3):
        assert batch["k"].shape == (3,) and batch["k"].dtype == random.key_dtype()
        assert batch["h"].dtype == jnp.bfloat16
    # A batch may be given away.
    batch = next(iter(data.batches(None, X, 5)))
    fungrad.jit(lambda b: b + 1, donate_argnums=0)(batch)
    np.testing.assert_array_equal(X[:5], np.arange(10).reshape(5, 2))


def test_parts():
    train, rest = data.split(KEY, (X, Y), (0.7, 0.3))
    assert train[0].shape == (7, 2) and rest[1].shape == (3,)
    assert sorted([*train[1].tolist(), *rest[1].tolist()]) == list(range(10))
    np.testing.assert_array_equal(train[0][:, 0], 2.0 * train[1])
    assert [len(p) for p in data.split(None, Y, [2, 3])] == [2, 3]
    assert data.split(None, Y, [2, 3])[1].tolist() == [2, 3, 4]
    assert [len(p) for p in data.split(KEY, np.arange(7), (1 / 3, 1 / 3, 1 / 3))] == [2, 3, 2]


def test_stratified_parts_have_their_share_of_each_label():
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    parts = data.split(KEY, classes, (0.5, 0.3, 0.2), stratify=classes)
    for part, share in zip(parts, (0.5, 0.3, 0.2), strict=True):
        counts = np.bincount(np.asarray(part), minlength=3)
        np.testing.assert_allclose(counts, np.array([60, 30, 10]) * share, atol=1)


# -- augmentations ----------------------------------------------------------------------------------------------------

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(64, 6, 5, 2)).astype(np.float32))


@pytest.mark.parametrize("compiled", [False, True])
def test_shifts(compiled):
    f = lambda k, x: data.shift(k, x, (2, 1), fill=9)  # noqa: E731
    out = np.asarray((fungrad.jit(f) if compiled else f)(KEY, IMAGES))
    seen = set()
    for before, after in zip(np.asarray(IMAGES), out, strict=True):
        padded = np.pad(before, ((2, 2), (1, 1), (0, 0)), constant_values=9)
        found = [(i, j) for i in range(5) for j in range(3) if np.array_equal(padded[i : i + 6, j : j + 5], after)]
        assert found
        seen.add(found[0])
    assert len(seen) > 8
    np.testing.assert_array_equal(data.shift(KEY, IMAGES, 0), IMAGES)


def test_crops():
    out = np.asarray(data.crop(KEY, IMAGES, (4, 5), padding=1))
    assert out.shape == (64, 4, 5, 2)
    seen = set()
    for before, after in zip(np.asarray(IMAGES), out, strict=True):
        padded = np.pad(before, ((1, 1), (1, 1), (0, 0)))
        found = [(i, j) for i in range(5) for j in range(3) if np.array_equal(padded[i : i + 4, j : j + 5], after)]
        assert found
        seen.add(found[0])
    assert len(seen) > 8


def test_flips_and_noise():
    out = data.flip(KEY, IMAGES)
    turned = [bool(jnp.all(a == b[:, ::-1])) for a, b in zip(out, IMAGES, strict=True)]
    assert all(t or bool(jnp.all(a == b)) for t, a, b in zip(turned, out, IMAGES, strict=True))
    assert 15 < sum(turned) < 49
    assert float(jnp.std(data.noise(KEY, jnp.zeros(10_000), 0.5))) == pytest.approx(0.5, rel=0.05)
    assert data.noise(KEY, IMAGES.astype("bfloat16")).dtype == jnp.bfloat16


@pytest.mark.parametrize("alpha", [0.1, 1.0, 3.0])
def test_shares_of_mixup_are_beta_distributed(alpha):
    stats = pytest.importorskip("scipy.stats")
    n = 4000
    rows = jnp.eye(2)[jnp.arange(n) % 2]
    mixed = data.mixup(KEY, (rows, rows), alpha)
    np.testing.assert_array_equal(*mixed)
    from fungrad.data.augmentation import _beta

    shares = np.asarray(_beta(random.key(5), alpha, n), np.float64)
    # Those near 1 are rounded to it, those near 0 are not.
    low = shares[shares < 0.5]
    assert 0.45 < len(low) / n < 0.55
    assert stats.kstest(low, lambda s: 2 * stats.beta(alpha, alpha).cdf(s)).pvalue > 1e-3
    np.testing.assert_allclose(mixed[0].sum(1), 1, rtol=1e-6)


def test_augmentations_are_mapped_and_compiled():
    keys = random.split(KEY, 3)
    many = fungrad.jit(fungrad.vmap(lambda k: data.flip(k, data.shift(k, IMAGES, 1))))(keys)
    np.testing.assert_array_equal(many[1], data.flip(keys[1], data.shift(keys[1], IMAGES, 1)))
    y = nn.one_hot(jnp.arange(64) % 3, 3)
    x, soft = fungrad.jit(data.mixup)(KEY, (IMAGES, y))
    assert x.shape == IMAGES.shape and float(jnp.max(jnp.abs(soft.sum(1) - 1))) < 1e-6


# -- sets -------------------------------------------------------------------------------------------------------------


def test_sets_of_scikit_learn():
    pytest.importorskip("sklearn")
    x, y = data.sklearn("iris")
    assert x.shape == (150, 4) and x.dtype == jnp.float32 and y.dtype == jnp.int32


def test_mnist1d():
    pytest.importorskip("mnist1d")
    before = np.random.get_state()[1].copy()
    (x, y), (x_test, y_test) = data.mnist1d(num_samples=100)
    assert x.shape == (80, 40) and x_test.shape == (20, 40) and y.dtype == y_test.dtype == jnp.int32
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(data.mnist1d(num_samples=100)[0][0], x)
    with pytest.raises(ValueError, match="there is no argument samples"):
        data.mnist1d(samples=3)


def idx_bytes(code, x):
    return bytes([0, 0, code, x.ndim]) + np.array(x.shape, ">u4").tobytes() + x.tobytes()


def test_files_of_mnist(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    names = {"train": 5, "t10k": 2}
    for prefix, n in names.items():
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(8, images[:n]))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(8, np.arange(n, dtype="u1"))))
    (x, y), (x_test, y_test) = data.mnist(tmp_path)
    np.testing.assert_allclose(x, images / 255, rtol=1e-6)
    assert x.dtype == jnp.float32 and y.tolist() == [0, 1, 2, 3, 4] and x_test.shape[0] == len(y_test) == 2
    numbers = np.array([[1.5, -2.0]], ">f8")
    (tmp_path / "x.idx").write_bytes(idx_bytes(14, numbers))
    assert data.idx(tmp_path / "x.idx").dtype == jnp.float64
    np.testing.assert_array_equal(data.idx(tmp_path / "x.idx"), numbers)


def test_damaged_files(tmp_path):
    whole = idx_bytes(8, np.arange(10, dtype="u1"))
    path = tmp_path / "x"
    packed = gzip.compress(whole)
    for damaged in (b"", whole[:3], whole[:-1], whole + b"0", b"\0\0\7\1" + whole[4:], packed[:-9], packed[:12]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="fungrad.data.idx: .* is (not whole|no file)"):
            data.idx(path)
