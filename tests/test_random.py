"""Random keys, bits, uniform numbers, integers and choices: committed values, properties, transformations, JAX."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from optable_random import threefry2x32

import fungrad
import fungrad.numpy as jnp
from fungrad import random
from fungrad.core import dtypes
from fungrad.errors import TypePromotionError
from fungrad.ops import random_bits as ops

KEY = random.key(1701)
SHAPES = [(), (1,), (5,), (0,), (3, 4), (2, 0, 3), (70, 1000), 7]


def words(keys):
    return np.asarray(random.key_data(keys))


def equal(a, b):
    """Same shape, dtype and bits."""
    a, b = np.asarray(a), np.asarray(b)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_array_equal(a, b)


# -- the generator ----------------------------------------------------------------------------------------------------

# Known answers of the authors of Random123: key, counter, hash.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize("key, counter, expected", KNOWN_ANSWERS)
def test_hash_gives_the_known_answers(key, counter, expected):
    assert ops._hash_ints(*key, *counter) == expected
    x0, x1 = (np.full(3, c, np.uint32) for c in counter)
    ops.hash_in_place(np.uint32(key[0]), np.uint32(key[1]), x0, x1)
    assert (x0.tolist(), x1.tolist()) == ([expected[0]] * 3, [expected[1]] * 3)
    assert tuple(threefry2x32(key, counter)) == expected


def test_few_and_many_hashes_agree():
    one_by_one = np.asarray(random.bits(KEY, (ops._FEW,)))
    equal(np.asarray(random.bits(KEY, (ops._FEW + 1,)))[:-1], one_by_one)
    equal(np.asarray(random.bits(KEY, (3 * ops._BLOCK + 5,)))[: ops._FEW], one_by_one)


def test_blocks_do_not_matter(monkeypatch):
    keys = random.split(KEY, 3)
    draw = [random.bits(KEY, (1000,)), ops.random_bits(keys, 32, (100,)), random.key_data(random.split(KEY, (50, 3)))]
    monkeypatch.setattr(ops, "_BLOCK", 64)
    again = [random.bits(KEY, (1000,)), ops.random_bits(keys, 32, (100,)), random.key_data(random.split(KEY, (50, 3)))]
    for a, b in zip(draw, again, strict=True):
        equal(a, b)


def test_position_of_an_element_is_all_that_counts():
    flat = np.asarray(random.bits(KEY, (60,)))
    equal(random.bits(KEY, (3, 4, 5)), flat.reshape(3, 4, 5))
    equal(random.bits(KEY, (17,)), flat[:17])


# -- committed values -------------------------------------------------------------------------------------------------

GOLDEN = [
    ("key_data(split(key, 3))", "uint32", [[741045208, 1847055613], [85238482, 2594297577], [56197195, 961309823]]),
    ("key_data(fold_in(key, 7))", "uint32", [33961628, 564353879]),
    ("bits(key, (4,), 'uint8')", "uint8", [37, 59, 52, 178]),
    ("bits(key, (4,), 'uint16')", "uint16", [42789, 29755, 60468, 48050]),
    ("bits(key, (4,))", "uint32", [1111271205, 2679469115, 974515252, 521976754]),
    ("bits(key, (3,), 'uint64')", "uint64", [3182764935064573181, 366096495144982249, 241365115613244543]),
    ("randint(key, (6,), -10, 10)", "int32", [2, 8, 7, 4, 2, 3]),
    ("randint(key, (6,), 0, 256, 'uint8')", "uint8", [244, 62, 153, 22, 168, 217]),
    (
        "randint(key, (3,), -2**62, 2**62, 'int64')",
        "int64",
        [2606485334917875310, -41402810795066526, 3115396827279905393],
    ),
    ("permutation(key, 8)", "int32", [1, 6, 5, 4, 0, 2, 7, 3]),
    ("choice(key, 10, (5,), replace=False)", "int32", [9, 1, 8, 6, 5]),
    ("bernoulli(key, 0.5, (8,))", "bool", [1, 0, 1, 1, 1, 0, 1, 1]),
    ("geometric(key, 0.3, (6,))", "int32", [4, 2, 5, 6, 2, 1]),
    ("categorical(key, logits, shape=(8,))", "int32", [2, 2, 2, 2, 1, 2, 2, 2]),
    ("uniform(key, (3,), 'float16')", "float16", [0.65234375, 0.453125, 0.921875]),
    ("uniform(key, (3,), 'bfloat16')", "bfloat16", [0.140625, 0.2265625, 0.203125]),
    (
        "uniform(key, (4,))",
        "float32",
        [float.fromhex(x) for x in ("0x1.08f298p-2", "0x1.3f6ae8p-1", "0x1.d0af60p-3", "0x1.f1cba0p-4")],
    ),
    (
        "uniform(key, (3,), 'float64')",
        "float64",
        [float.fromhex(x) for x in ("0x1.615b9ec370be8p-3", "0x1.4528b4a6a8740p-6", "0x1.acc0259ca6300p-7")],
    ),
]


@pytest.mark.parametrize("expression, dtype, expected", GOLDEN, ids=[g[0] for g in GOLDEN])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_committed_values(expression, dtype, expected, compiled):
    names = {**{n: getattr(random, n) for n in random.__all__}, "logits": np.log(np.float32([0.1, 0.2, 0.7]))}

    def draw(key):
        return eval(expression, names, {"key": key})

    got = (fungrad.jit(draw) if compiled else draw)(KEY)
    equal(got, np.array(expected, dtypes.canonicalize_dtype(dtype)))


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed, narrow, wide",
    [
        (0, (0, 0), (0, 0)),
        (-1, (0, 2**32 - 1), (2**32 - 1, 2**32 - 1)),
        (2**32 + 5, (0, 5), (1, 5)),
        (-(2**40) - 3, (0, 2**32 - 3), (2**32 - 257, 2**32 - 3)),
        (True, (0, 1), (0, 1)),
        (np.int8(-1), (0, 2**32 - 1), (0, 2**32 - 1)),
        (np.uint32(2**32 - 1), (0, 2**32 - 1), (0, 2**32 - 1)),
        (np.uint64(2**63 + 1), (0, 1), (2**31, 1)),
    ],
)
def test_seeds(seed, narrow, wide):
    assert words(random.key(seed)).tolist() == list(narrow)
    with fungrad.enable_x64():
        assert words(random.key(seed)).tolist() == list(wide)
        equal(random.PRNGKey(seed), words(random.key(seed)))


def test_seed_of_a_traced_integer():
    for seed in (jnp.int32(-3), jnp.uint32(7), jnp.int64(2**40 + 1), jnp.int8(-3)):
        equal(random.key_data(fungrad.jit(random.key)(seed)), words(random.key(seed)))
    assert words(random.key(jnp.int64(2**40 + 1))).tolist() == [256, 1]
    many = fungrad.vmap(random.key)(jnp.arange(4))
    assert many.shape == (4,)
    equal(words(many)[3], words(random.key(3)))


@pytest.mark.parametrize(
    "seed, error, message",
    [
        (1.0, TypeError, "integer scalar"),
        ([1, 2], TypeError, r"\[1, 2\]"),
        (np.arange(2), TypeError, "vmap"),
        ("a", TypeError, "'a'"),
        (2**63, OverflowError, "2\\*\\*63"),
    ],
)
def test_seed_errors(seed, error, message):
    for make in (random.key, random.PRNGKey):
        with pytest.raises(error, match=message):
            make(seed)


def test_generator_names():
    assert random.key_impl(KEY) == random.key_impl(random.PRNGKey(0)) == "threefry2x32"
    for impl in ("threefry2x32", random.key_dtype()):
        equal(words(random.key(3, impl=impl)), np.uint32([0, 3]))
    equal(words(random.key(3, dtype=random.key_dtype())), np.uint32([0, 3]))
    with pytest.raises(ValueError, match="'philox'"):
        random.key(0, impl="philox")
    with pytest.raises(ValueError, match="dtype must be one of"):
        random.key(0, dtype="float32")
    with pytest.raises(TypeError, match="key_dtype"):
        random.key(0, dtype=np.dtype("float32"))
    with pytest.raises(ValueError, match="either impl or dtype"):
        random.key(0, impl="rbg", dtype=random.key_dtype())


def test_raw_and_typed_keys_are_equivalent():
    raw, typed = random.PRNGKey(3), random.key(3)
    assert raw.dtype == np.uint32 and raw.shape == (2,)
    equal(random.key_data(raw), words(typed))
    equal(random.split(raw, 3), words(random.split(typed, 3)))
    equal(random.split(np.asarray(raw), (2, 2)), words(random.split(typed, (2, 2))))
    equal(random.fold_in(raw, 9), words(random.fold_in(typed, 9)))
    equal(random.normal(raw, (3,)), random.normal(typed, (3,)))
    equal(random.permutation(raw, 5), random.permutation(typed, 5))
    equal(random.clone(raw), raw)
    assert random.wrap_key_data(raw) == typed
    assert random.wrap_key_data(np.zeros((4, 3, 2), np.uint32)).shape == (4, 3)


@pytest.mark.parametrize("fold", [0, 2**32 - 1, np.uint64(2**40 + 9), np.int64(-1), jnp.int32(-1), jnp.float32(9.5)])
def test_fold_in_takes_32_bits(fold):
    number = int(np.asarray(fold).astype(np.int64)) % 2**32
    assert words(random.fold_in(KEY, fold)).tolist() == threefry2x32(words(KEY).tolist(), (0, number))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: random.split(3), TypeError, r"fungrad.random.split: key must be .*, got 3 .*random.key\(3\)"),
        (lambda: random.split("x"), TypeError, "got 'x'"),
        (lambda: random.split([0, 1]), TypeError, r"got \[0, 1\]"),
        (lambda: random.bits(jnp.zeros(2)), TypeError, r"uint32\[2\], got f32\[2\]"),
        (lambda: random.bits(np.zeros(3, np.uint32)), TypeError, r"got u32\[3\]"),
        (lambda: random.normal(random.split(KEY)), ValueError, r"shape \(2,\); use one of them, or fungrad.vmap"),
        (lambda: random.normal(random.key_data(random.split(KEY))), ValueError, "vmap"),
        (lambda: random.fold_in(KEY, -1), OverflowError, "got -1"),
        (lambda: random.fold_in(KEY, 2**32), OverflowError, "2\\*\\*32"),
        (lambda: random.fold_in(KEY, jnp.arange(2)), TypeError, r"i32\[2\]; use fungrad.vmap"),
        (lambda: random.fold_in(KEY, "a"), TypeError, "'a'"),
        (lambda: random.split(KEY, -1), ValueError, "negative"),
        (lambda: random.split(KEY, 1.5), TypeError, "num must be an int"),
        (lambda: random.wrap_key_data(jnp.zeros(2)), TypeError, r"uint32 array of shape \[..., 2\], got f32\[2\]"),
        (lambda: random.wrap_key_data(KEY), TypeError, "key<fry>"),
        (lambda: random.key_data(jnp.zeros(2)), TypeError, "keys must be"),
        (lambda: random.clone(3.0), TypeError, "got 3.0"),
    ],
)
def test_key_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_arrays_of_keys_are_arrays():
    keys = random.split(KEY, (2, 3))
    data = words(keys)
    assert keys.shape == (2, 3) and keys.ndim == 2 and keys.size == 6 and len(keys) == 2
    assert keys.dtype == random.key_dtype() and jnp.issubdtype(keys.dtype, dtypes.prng_key_type)
    for got, expected in [
        (keys[1, 2], data[1, 2]),
        (keys[:, -1], data[:, -1]),
        (keys[0][1:], data[0, 1:]),
        (keys[jnp.array([1, 0, 1])], data[[1, 0, 1]]),
        (keys[np.array([True, False])], data[:1]),
        (keys.reshape(6), data.reshape(6, 2)),
        (keys.T, data.transpose(1, 0, 2)),
        (jnp.stack([keys[0, 0], keys[1, 1]]), np.stack([data[0, 0], data[1, 1]])),
        (jnp.concatenate([keys, keys]), np.concatenate([data, data])),
        (jnp.broadcast_to(keys[0, 0], (2,)), np.broadcast_to(data[0, 0], (2, 2))),
        (jnp.where(np.array([[True], [False]]), keys, keys[0, 0]), np.stack([data[0], data[[0, 0, 0], 0]])),
        (keys.at[1, 1].set(keys[0, 0]), np.r_["0,3", data[:1], [[data[1, 0], data[0, 0], data[1, 2]]]]),
        (pickle.loads(pickle.dumps(keys)), data),
        (jnp.array([keys[0, 0], keys[0, 1]]), data[0, :2]),
    ]:
        equal(words(got), expected)
    assert [words(k).tolist() for row in keys for k in row] == data.reshape(6, 2).tolist()
    equal(keys == keys[0, 1], np.array([[False, True, False], [False, False, False]]))
    equal(keys != keys, np.zeros((2, 3), bool))
    text = "Array((), dtype=key<fry>) overlaying:\n[0 5]"
    assert repr(random.key(5)) == str(random.key(5)) == f"{random.key(5)}" == text


@pytest.mark.parametrize(
    "call",
    [
        lambda k: k + 1,
        lambda k: k * k,
        lambda k: -k,
        lambda k: k < k,
        lambda k: jnp.sin(k),
        lambda k: jnp.sum(k[None]),
        lambda k: jnp.zeros(3)[k],
        lambda k: jnp.zeros(()) + k,
        float,
        int,
        bool,
    ],
)
def test_keys_are_not_numbers(call):
    with pytest.raises(TypeError):
        call(KEY)
    if call not in (float, int, bool):
        with pytest.raises(TypeError):
            fungrad.jit(call)(KEY)


def test_keys_convert_to_no_number():
    for call in (lambda k: k.astype(int), lambda k: jnp.astype(k, jnp.float32)):
        for f in (call, fungrad.jit(call)):
            with pytest.raises(ValueError, match="random keys are not numbers"):
                f(KEY)


def test_promotion_error_is_a_type_error():
    with pytest.raises(TypePromotionError, match="random key"):
        KEY + 1


# -- bits, uniform numbers, integers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape):
    expected = (shape,) if isinstance(shape, int) else shape
    for draw in (random.bits, random.uniform, random.normal, random.gumbel):
        assert draw(KEY, shape).shape == expected
    assert random.randint(KEY, shape, 0, 3).shape == expected
    assert random.split(KEY, shape).shape == expected
    if not isinstance(shape, int):
        assert random.uniform(KEY, list(shape)).shape == random.uniform(KEY, np.array(shape, int)).shape == shape


def test_bits_are_random():
    from scipy import stats

    x = np.asarray(random.bits(KEY, (200_000,), "uint64"))
    fractions = np.unpackbits(x.view(np.uint8)).reshape(-1, 64).mean(0)
    assert np.abs(fractions - 0.5).max() < 5 * 0.5 / np.sqrt(len(x))
    counts = np.bincount(np.asarray(random.bits(KEY, (200_000,), "uint8")), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4
    other = np.asarray(random.bits(random.fold_in(KEY, 1), (200_000,), "uint64"))
    assert not np.intersect1d(x, other).size


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "float8_e4m3fn"])
def test_uniform_numbers_are_below_one(dtype):
    x = np.asarray(random.uniform(KEY, (100_000,), dtype)).astype(float)
    steps = 2.0 ** int(dtypes.finfo(dtype).nmant)
    assert 0 <= x.min() and x.max() <= 1 - 1 / steps
    np.testing.assert_array_equal(x * steps, np.round(x * steps))
    assert abs(x.mean() - (0.5 - 0.5 / steps)) < 5 * np.sqrt(1 / 12 / len(x))


def test_uniform_between_bounds():
    low, high = np.float32([[0.0], [-3.0]]), np.float32([1.0, 5.0, 0.0])
    x = np.asarray(random.uniform(KEY, (500, 2, 3), minval=low, maxval=high))
    assert np.all(x >= np.minimum(low, high)) and np.all(x <= np.maximum(low, high))
    np.testing.assert_allclose(x.mean(0), (low + high) / 2, atol=0.5)
    u = np.asarray(random.uniform(KEY, (4,)))
    np.testing.assert_allclose(random.uniform(KEY, (4,), minval=2, maxval=6), 2 + 4 * u, rtol=1e-6)
    assert random.uniform(KEY, (3,), "float16", -1, jnp.float32(2)).dtype == np.float16
    assert np.all(np.asarray(random.uniform(KEY, (1000,), minval=1.0, maxval=1.0 + 2e-7)) >= 1.0)


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_cover_their_range(dtype):
    x = np.asarray(random.randint(KEY, (4000,), 3, 8, dtype))
    assert x.dtype == dtype and set(x.tolist()) == {3, 4, 5, 6, 7}
    info = np.iinfo(dtype)
    full = np.asarray(random.randint(KEY, (4000,), info.min, info.max + 1, dtype)).astype(float)
    span = float(info.max) - info.min
    assert full.min() < info.min + 0.01 * span and full.max() > info.max - 0.01 * span
    assert abs(full.mean() - (info.min + span / 2)) < 5 * span / np.sqrt(12 * 4000)
    # Bounds outside the range count as its ends; an empty range gives the lower bound.
    equal(random.randint(KEY, (50,), -(2**70), 2**70, dtype), random.randint(KEY, (50,), info.min, info.max + 1, dtype))
    equal(random.randint(KEY, (2,), 7, 7, dtype), np.array([7, 7], dtype))
    equal(random.randint(KEY, (2,), 9, 2, dtype), np.array([9, 9], dtype))


def test_integers_between_arrays():
    low, high = np.int32([0, 10, 100]), np.int32([[1], [20]])
    x = np.asarray(random.randint(KEY, None, low, high))
    assert x.shape == (2, 3)
    assert np.all((x >= low) & (x < np.maximum(high, low + 1)))
    y = np.asarray(random.randint(KEY, (9, 2, 3), low, high, "int64"))
    assert y.dtype == np.int64 and np.all((y >= low) & (y < np.maximum(high, low + 1)))
    equal(random.randint(KEY, (4,), jnp.uint8(3), jnp.int8(9)), random.randint(KEY, (4,), 3, 9))
    beyond = random.randint(KEY, (4,), jnp.int32(-500), jnp.int32(500), "int8")
    equal(beyond, random.randint(KEY, (4,), -128, 128, "int8"))
    # An upper bound above all numbers of the type, in an array of a wider one.
    equal(random.randint(KEY, (9,), 0, jnp.int64(2**40), "int32"), random.randint(KEY, (9,), 0, 2**31, "int32"))
    equal(random.randint(KEY, (4,), 0.0, jnp.float32(9.7)), random.randint(KEY, (4,), 0, 9))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: random.bits(KEY, (2,), "int32"), ValueError, "fungrad.random.bits: dtype .*unsigned.*got int32"),
        (lambda: random.bits(KEY, (2,), "uint4"), ValueError, "at least 8 bits"),
        (lambda: random.bits(KEY, (-1,)), ValueError, "negative"),
        (lambda: random.bits(KEY, (2.0,)), TypeError, r"shape must be an int or a sequence of ints, got \(2.0,\)"),
        (lambda: random.uniform(KEY, (2,), int), ValueError, "must be a floating dtype, got int32"),
        (lambda: random.uniform(KEY, (2,), "complex64"), ValueError, "got complex64"),
        (lambda: random.uniform(KEY, (2,), minval=1j), TypeError, "minval must be real"),
        (lambda: random.uniform(KEY, (2,), minval=jnp.zeros(3)), ValueError, r"shape \(2,\).*minval: \(3,\)"),
        (lambda: random.uniform(KEY, (), maxval=jnp.ones(3)), ValueError, "leading dimensions"),
        (lambda: random.randint(KEY, (2,), 0, 5, float), TypeError, "integer dtype, got float32; for floating"),
        (lambda: random.randint(KEY, (2,), 0, 5, bool), TypeError, "bernoulli"),
        (lambda: random.randint(KEY, (2,), 0, 5j), TypeError, "maxval must be an integer"),
        (lambda: random.randint(KEY, (2,), jnp.zeros(3, int), 4), ValueError, r"minval: \(3,\)"),
        (lambda: random.randint(KEY, None, jnp.zeros(3, int), jnp.zeros(2, int)), ValueError, "do not broadcast"),
        (lambda: fungrad.jit(lambda n: random.bits(KEY, (n,)))(3), TypeError, "when the function is traced"),
    ],
)
def test_draw_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- choices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 9, 1625, 1626, 5000])
def test_permutation_of_numbers(n):
    order = np.asarray(random.permutation(KEY, n))
    assert order.dtype == np.int32
    equal(np.sort(order), np.arange(n, dtype=np.int32))


def test_permutations_are_equally_likely():
    from scipy import stats

    orders = np.asarray(fungrad.vmap(lambda k: random.permutation(k, 4))(random.split(KEY, 6000)))
    _, counts = np.unique(orders @ [64, 16, 4, 1], return_counts=True)
    assert len(counts) == 24 and stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_permutation_of_arrays(axis):
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    rows = np.asarray(random.permutation(KEY, x, axis))
    order = np.asarray(random.permutation(KEY, x.shape[axis]))
    equal(rows, np.take(x, order, axis))
    lines = np.asarray(random.permutation(KEY, x, axis, independent=True))
    equal(np.sort(lines, axis), x)
    assert not np.array_equal(lines, np.take(x, order, axis))


def test_permutation_of_keys_and_booleans():
    keys = random.split(KEY, 5)
    equal(words(random.permutation(KEY, keys)), words(keys)[np.asarray(random.permutation(KEY, 5))])
    mask = random.permutation(KEY, np.array([True, False, False]))
    assert mask.dtype == bool and int(mask.sum()) == 1


def test_choice():
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    for axis in (0, 1, -1):
        n = x.shape[axis]
        picked = np.asarray(random.choice(KEY, x, (2, 3), axis=axis))
        positions = np.asarray(random.randint(KEY, (2, 3), 0, n))
        equal(picked, np.take(x, positions, axis))
        some = np.asarray(random.choice(KEY, x, (n,), replace=False, axis=axis))
        equal(np.sort(some, axis), x)
    assert random.choice(KEY, 5).shape == () and random.choice(KEY, 5, (0,)).shape == (0,)
    assert random.choice(KEY, np.zeros((0, 3)), (0,)).shape == (0, 3)
    assert set(np.asarray(random.choice(KEY, 3, (100,))).tolist()) == {0, 1, 2}


def test_choice_by_probability():
    from scipy import stats

    p = np.float32([0.1, 0.0, 0.5, 0.4])
    drawn = np.bincount(np.asarray(random.choice(KEY, 4, (20_000,), p=p)), minlength=4)
    assert drawn[1] == 0
    assert stats.chisquare(drawn[[0, 2, 3]], 20_000 * p[[0, 2, 3]].astype(float)).pvalue > 1e-4
    pairs = fungrad.vmap(lambda k: random.choice(k, 4, (2,), replace=False, p=p))(random.split(KEY, 20_000))
    pairs = np.asarray(pairs)
    assert np.all(pairs[:, 0] != pairs[:, 1]) and not np.any(pairs == 1)
    first = np.bincount(pairs[:, 0], minlength=4)
    assert stats.chisquare(first[[0, 2, 3]], 20_000 * p[[0, 2, 3]].astype(float)).pvalue > 1e-4
    # Weights need not be floating or add up to 1.
    integers, floats = np.int32([1, 0, 5, 4]), np.float32([1, 0, 5, 4])
    equal(random.choice(KEY, 4, (9,), p=integers), random.choice(KEY, 4, (9,), p=floats))


def test_categories():
    from scipy import stats

    p = np.array([[0.2, 0.3, 0.5], [0.7, 0.0, 0.3]])
    with np.errstate(divide="ignore"):
        logits = np.log(p).astype(np.float32) + np.float32([[5], [-70]])
    drawn = np.asarray(random.categorical(KEY, logits, shape=(20_000, 2)))
    for row, expected in zip(drawn.T, p, strict=True):
        counts = np.bincount(row, minlength=3)
        assert np.all(counts[expected == 0] == 0)
        assert stats.chisquare(counts[expected > 0], 20_000 * expected[expected > 0]).pvalue > 1e-4
    assert random.categorical(KEY, logits).shape == (2,)
    assert random.categorical(KEY, logits, axis=0).shape == (3,)
    different = np.asarray(random.categorical(KEY, logits[:1], shape=(3, 1), replace=False))
    assert sorted(different[:, 0].tolist()) == [0, 1, 2]
    assert random.categorical(KEY, jnp.zeros((4, 1, 3)), axis=0, shape=(2, 5, 3), replace=False).shape == (2, 5, 3)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: random.permutation(KEY, 2.5), TypeError, "x must be an integer or an array, got f32"),
        (lambda: random.permutation(KEY, [1, 2]), TypeError, "asarray"),
        (lambda: random.permutation(KEY, jnp.zeros((2, 3)), axis=2), ValueError, "axis 2"),
        (lambda: random.choice(KEY, 3, (4,), replace=False), ValueError, "4 elements cannot be chosen from 3"),
        (lambda: random.choice(KEY, 0, (1,)), ValueError, "nothing to choose from"),
        (lambda: random.choice(KEY, 5, 3), TypeError, r"shape must be a sequence, got 3; .* pass \(n,\)"),
        (lambda: random.choice(KEY, 5, None), TypeError, "shape must be a sequence, got None"),
        (lambda: random.choice(KEY, 3, (1,), p=jnp.ones(4)), ValueError, r"vector of 3 probabilities.*got f32\[4\]"),
        (lambda: random.choice(KEY, 3, (1,), p=[0.1, 0.2, 0.7]), TypeError, "asarray"),
        (lambda: random.choice(KEY, jnp.zeros((2, 2)), axis=5), ValueError, "axis 5"),
        (lambda: random.categorical(KEY, jnp.arange(3)), ValueError, r"logits must be floating, got i32\[3\]"),
        (lambda: random.categorical(KEY, jnp.zeros((3, 0))), ValueError, "no categories along axis 1"),
        (lambda: random.categorical(KEY, jnp.zeros((3, 4)), shape=(2,)), ValueError, r"must end with \(3,\)"),
        (lambda: random.categorical(KEY, jnp.zeros(4), shape=(5,), replace=False), ValueError, "5 draws .* only 4"),
        (lambda: random.categorical(KEY, jnp.zeros(4), mode="x"), ValueError, "'low', 'high' or 'highest'"),
    ],
)
def test_choice_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- transformations --------------------------------------------------------------------------------------------------

DRAWS = {
    "split": lambda k: random.key_data(random.split(k, (2, 3))),
    "fold_in": lambda k: random.key_data(random.fold_in(k, 5)),
    "bits": lambda k: random.bits(k, (3, 5), "uint16"),
    "bits64": lambda k: random.bits(k, (13,), "uint64"),
    "uniform": lambda k: random.uniform(k, (2, 9)),
    "randint": lambda k: random.randint(k, (4,), jnp.int32([0, -5, 2, 9]), 10),
    "permutation": lambda k: random.permutation(k, 7),
    "shuffle": lambda k: random.permutation(k, jnp.arange(12.0).reshape(3, 4), 1, independent=True),
    "choice": lambda k: random.choice(k, jnp.arange(6.0), (4,), p=jnp.arange(6.0) / 15),
    "categorical": lambda k: random.categorical(k, jnp.zeros((3, 4)), shape=(2, 3)),
    "bernoulli": lambda k: random.bernoulli(k, 0.3, (8,)),
}
draws = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())


@draws
@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
def test_vmap_over_keys_is_a_loop(draw, raw):
    keys = random.split(KEY, 4)
    expected = np.stack([np.asarray(draw(k)) for k in keys])
    if raw:
        keys = random.key_data(keys)
        equal(fungrad.vmap(draw, in_axes=1)(jnp.moveaxis(keys, 0, 1)), expected)
    equal(fungrad.vmap(draw)(keys), expected)
    equal(fungrad.jit(fungrad.vmap(draw))(keys), expected)


@draws
def test_vmap_over_no_keys(draw):
    out = fungrad.vmap(draw)(random.split(KEY, 0))
    like = draw(KEY)
    assert (out.shape, out.dtype) == ((0, *like.shape), like.dtype)


@draws
def test_nested_vmap_and_jit(draw):
    keys = random.split(KEY, (2, 3))
    out = fungrad.jit(fungrad.vmap(fungrad.vmap(draw)))(keys)
    equal(np.asarray(out)[1, 2], draw(keys[1, 2]))


@draws
def test_jit_equals_eager(draw):
    equal(fungrad.jit(draw)(KEY), draw(KEY))
    equal(fungrad.jit(lambda: draw(KEY))(), draw(KEY))


def test_jit_of_keys():
    keys = random.split(KEY, 4)
    equal(words(fungrad.jit(lambda k, i: random.split(k, 4)[i])(KEY, 2)), words(keys)[2])
    chosen = fungrad.jit(lambda a, b: jnp.where(jnp.array([True, False]), a, b))(keys[:2], KEY)
    equal(words(chosen), np.stack([words(keys)[0], words(KEY)]))
    equal(fungrad.jit(lambda a, b: a == b)(keys, keys[1]), np.array([False, True, False, False]))
    assert fungrad.jit(lambda k: random.split(k))(KEY).dtype == random.key_dtype()
    assert fungrad.eval_shape(random.split, KEY).shape == (2,)


def test_a_step_per_key_and_a_key_per_step():
    def step(key):
        key, sub = random.split(key)
        return key, random.uniform(sub)

    eager, compiled, a, b = KEY, fungrad.jit(step), [], []
    traced = KEY
    for _ in range(3):
        eager, x = step(eager)
        traced, y = compiled(traced)
        a.append(float(x))
        b.append(float(y))
    assert a == b and len(set(a)) == 3


def test_keys_have_no_derivative():
    def loss(scale, key):
        return jnp.sum(random.uniform(key, (3,)) * scale)

    u = np.asarray(random.uniform(KEY, (3,)))
    np.testing.assert_allclose(fungrad.grad(loss)(2.0, KEY), u.sum(), rtol=1e-6)
    out, tangent = fungrad.jvp(lambda s: loss(s, KEY), (2.0,), (1.0,))
    np.testing.assert_allclose(tangent, u.sum(), rtol=1e-6)
    np.testing.assert_allclose(
        fungrad.vmap(fungrad.grad(loss), (None, 0))(2.0, random.split(KEY, 2)),
        [np.asarray(random.uniform(k, (3,))).sum() for k in random.split(KEY, 2)],
        rtol=1e-6,
    )
    with pytest.raises(TypeError, match="key<fry>"):
        fungrad.grad(loss, 1)(2.0, KEY)


def test_jaxprs_show_keys():
    text = str(fungrad.make_jaxpr(lambda k: random.bits(random.fold_in(k, 1), (2,)))(KEY))
    assert "a:key<fry>[]" in text and "random_bits[bit_width=32 shape=(2,)]" in text and "random_fold_in a" in text


def test_native_code_has_no_host_steps():
    def step(key, scale):
        keys = random.split(key, 3)
        return scale * random.uniform(keys[1], (100,)) + random.randint(keys[2], (100,), 0, 7), keys

    text = fungrad.jit(step).lower(KEY, 2.0).as_text("steps")
    assert "host" not in text and "random_bits" in text


# -- parity -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


@pytest.mark.parity
@pytest.mark.parametrize("shape", [s for s in SHAPES if s != (2, 0, 3)])
@pytest.mark.parametrize("seed", [0, 42, -7])
def test_bits_are_those_of_jax(jax, shape, seed):
    key, theirs = random.key(seed), jax.random.key(seed)
    equal(words(random.split(key, shape)), jax.random.key_data(jax.random.split(theirs, shape)))
    with jax.enable_x64(True):
        for dtype in ("uint8", "uint16", "uint32", "uint64"):
            equal(random.bits(key, shape, dtype), jax.random.bits(theirs, shape, dtype))
        for dtype in ("float16", "float32", "float64", "bfloat16", "float8_e5m2"):
            equal(random.uniform(key, shape, dtype), jax.random.uniform(theirs, shape, dtype))
        for dtype in INTEGERS:
            equal(random.randint(key, shape, 3, 100, dtype), jax.random.randint(theirs, shape, 3, 100, dtype))
    equal(random.bernoulli(key, 0.4, shape), jax.random.bernoulli(theirs, 0.4, shape))


@pytest.mark.parity
def test_bits_of_many_keys_are_those_of_jax(jax):
    ours, theirs = random.split(random.key(1), 3000), jax.random.split(jax.random.key(1), 3000)
    equal(fungrad.vmap(lambda k: random.bits(k, (2, 3)))(ours), jax.vmap(lambda k: jax.random.bits(k, (2, 3)))(theirs))
    equal(
        fungrad.vmap(lambda k, n: random.key_data(random.fold_in(k, n)))(ours, jnp.arange(3000)),
        jax.vmap(lambda k, n: jax.random.key_data(jax.random.fold_in(k, n)))(theirs, jax.numpy.arange(3000)),
    )


@pytest.mark.parity
@pytest.mark.parametrize("dtype", INTEGERS[:6])
@pytest.mark.parametrize("bounds", ["int8", "uint8", "int16", "uint16", "int32"])
def test_integers_between_arrays_are_those_of_jax(jax, dtype, bounds):
    key, theirs = random.key(2), jax.random.key(2)
    low = np.array([0, 1, 5, 100], bounds)
    for high in (np.array([10, 1, 3, 127], bounds), np.full(4, np.iinfo(bounds).max, bounds)):
        equal(random.randint(key, (3, 4), low, high, dtype), jax.random.randint(theirs, (3, 4), low, high, dtype))


@pytest.mark.parity
def test_integers_in_ranges_are_those_of_jax(jax):
    key, theirs = random.key(2), jax.random.key(2)
    for dtype in INTEGERS[:6]:
        for low, high in ((0, 10), (-5, 7), (3, 3), (7, 2), (0, 128), (-128, 128), (0, 256), (0, 2**31 - 1)):
            equal(random.randint(key, (40,), low, high, dtype), jax.random.randint(theirs, (40,), low, high, dtype))
    with jax.enable_x64(True), fungrad.enable_x64():
        for low, high in ((0, 10), (-(2**62), 2**62), (0, 2**40), (-(2**63), 2**63 - 1)):
            equal(random.randint(key, (40,), low, high), jax.random.randint(theirs, (40,), low, high))


@pytest.mark.parity
def test_uniform_between_bounds_is_that_of_jax(jax):
    """Exactly where the product is exact; elsewhere JAX's compiler may skip its rounding."""
    key, theirs = random.key(5), jax.random.key(5)
    for low, high in ((0, 10), (-1, 1), (1, 3), (0, 0.1)):
        expected = jax.random.uniform(theirs, (999,), minval=low, maxval=high)
        equal(random.uniform(key, (999,), minval=low, maxval=high), expected)
    ours = random.uniform(key, (999,), minval=-3.7, maxval=2.2)
    np.testing.assert_allclose(ours, jax.random.uniform(theirs, (999,), minval=-3.7, maxval=2.2), rtol=1e-6, atol=1e-6)
    with jax.disable_jit():
        equal(ours, jax.random.uniform(theirs, (999,), minval=-3.7, maxval=2.2))


@pytest.mark.parity
@pytest.mark.parametrize("n", [0, 1, 2, 9, 1625, 1626, 3000])
def test_permutations_are_those_of_jax(jax, n):
    equal(random.permutation(random.key(3), n), jax.random.permutation(jax.random.key(3), n))


@pytest.mark.parity
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_choices_are_those_of_jax(jax, axis):
    key, theirs = random.key(4), jax.random.key(4)
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    p = np.arange(1, x.shape[axis] + 1, dtype=np.float32)
    p /= p.sum()
    for independent in (False, True):
        equal(random.permutation(key, x, axis, independent), jax.random.permutation(theirs, x, axis, independent))
    for options in ({}, {"p": p}, {"replace": False}, {"p": p, "replace": False}):
        shape = (2,) if options else (5, 2)
        expected = jax.random.choice(theirs, x, shape, axis=axis, **options)
        equal(random.choice(key, x, shape, axis=axis, **options), expected)
    expected = jax.random.choice(theirs, 10, (500,), p=jax.numpy.arange(10))
    equal(random.choice(key, 10, (500,), p=np.arange(10)), expected)
    equal(random.choice(key, 10, (3, 3), replace=False), jax.random.choice(theirs, 10, (3, 3), replace=False))


@pytest.mark.parity
@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_categories_are_those_of_jax(jax, axis):
    key, theirs = random.key(4), jax.random.key(4)
    logits = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    batch = [n for d, n in enumerate(logits.shape) if d != axis % 3]
    for shape in (None, (7, *batch), (2, 3, *batch)):
        for mode in (None, "high"):
            equal(
                random.categorical(key, logits, axis, shape, mode=mode),
                jax.random.categorical(theirs, logits, axis, shape, mode=mode),
            )
    equal(
        random.categorical(key, logits, axis, (2, *batch), replace=False),
        jax.random.categorical(theirs, logits, axis, (2, *batch), replace=False),
    )


@pytest.mark.parity
def test_seeds_are_those_of_jax(jax):
    seeds = (-1, 0, 5, 2**31, 2**32 + 5, -(2**40) - 3, np.int64(2**32 + 5), np.uint64(2**63), np.int8(-1), True)
    for wide in (False, True):
        for seed in seeds:
            with jax.enable_x64(wide), fungrad.enable_x64(wide):
                equal(random.PRNGKey(seed), jax.random.PRNGKey(seed))


def test_hashes_of_several_vectors_run_side_by_side():
    import re

    text = fungrad.jit(lambda key: random.bits(key, (100_000,))).lower(random.key(0)).as_text("steps")
    natural = fungrad.jit(lambda x: x.at[:].multiply(3)).lower(np.zeros(100_000, np.uint32)).as_text("steps")
    lanes, one = (int(re.search(r"lanes (\d+)", t)[1]) for t in (text, natural))
    assert lanes >= 32 >= one // 2
