"""Keys of the other generators: the bits of JAX, a dtype for each generator, and every operation on arrays of keys."""

import pickle

import numpy as np
import pytest

import fungrad
import fungrad.experimental
import fungrad.numpy as jnp
from fungrad import lax, random
from fungrad.extend.random import (
    define_prng_impl,
    random_seed,
    rbg_prng_impl,
    seed_with_impl,
    threefry_2x32,
    threefry_prng_impl as fry,
)

IMPLS = {
    "threefry2x32": ("key<fry>", (2,)),
    "rbg": ("key<rbg>", (4,)),
    "unsafe_rbg": ("key<urbg>", (4,)),
    "threefry4x32": ("key<fry4>", (4,)),
    "philox2x32": ("key<phx2>", (1,)),
    "philox4x32": ("key<phx4>", (2,)),
}
OTHERS = [name for name in IMPLS if name != "threefry2x32"]
each = pytest.mark.parametrize("impl", IMPLS)


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


def words(keys):
    return np.asarray(random.key_data(keys))


def draws(m, key):
    """What is made of a key, under fungrad or JAX."""
    r, data = m.random, m.random.key_data
    keys = r.split(key, 3)
    numbers = m.numpy.arange(3, dtype="uint32")
    return {
        "split": [data(r.split(key, shape)) for shape in ((), 3, (2, 3), 0)],
        "fold_in": [data(r.fold_in(key, n)) for n in (0, 5, 2**32 - 1)],
        "bits": [r.bits(key, shape, f"uint{width}") for width in (8, 16, 32) for shape in ((), (5,), (2, 3), (4, 0))],
        "mapped bits": m.vmap(lambda k: r.bits(k, (2,)))(keys),
        "mapped twice": [
            m.vmap(m.vmap(lambda k: r.bits(k, (2,))), in_axes=axis)(r.split(key, (3, 2))) for axis in (0, 1)
        ],
        "mapped split": data(m.vmap(lambda k: r.split(k, 2))(keys)),
        "mapped keys": data(m.vmap(lambda k: r.fold_in(k, 3))(keys)),
        "mapped numbers": data(m.vmap(lambda n: r.fold_in(key, n))(numbers)),
        "mapped both": data(m.vmap(r.fold_in)(keys, numbers)),
        "mapped in turn": data(m.vmap(lambda k: m.vmap(lambda n: r.fold_in(k, n))(numbers))(keys)),
        "gamma": r.gamma(key, m.numpy.array([0.5, 2.0])),
        "normal": r.normal(key, (4,)),
        "permutation": r.permutation(key, 7),
    }


def same(a, b):
    for name, value in a.items():
        for x, y in zip(fungrad.tree.leaves(value), fungrad.tree.leaves(b[name]), strict=True):
            x, y = np.asarray(x), np.asarray(y)
            assert x.dtype == y.dtype and x.shape == y.shape, name
            np.testing.assert_allclose(x, y, rtol=0 if x.dtype.kind in "iu" else 1e-5, err_msg=name)


@pytest.mark.parity
@each
def test_bits_are_those_of_jax(jax, impl):
    for seed in (0, -7, 2**31 + 5):
        np.testing.assert_array_equal(
            words(random.key(seed, impl=impl)), jax.random.key_data(jax.random.key(seed, impl=impl))
        )
    same(draws(fungrad, random.key(3, impl=impl)), draws(jax, jax.random.key(3, impl=impl)))
    with jax.enable_x64(True):
        expected = np.asarray(jax.random.bits(jax.random.key(3, impl=impl), (2, 3), "uint64"))
    np.testing.assert_array_equal(random.bits(random.key(3, impl=impl), (2, 3), "uint64"), expected)


@pytest.mark.parametrize("impl", OTHERS)
def test_compiled_bits_are_the_eager_ones(impl):
    def some(key):
        keys = random.split(key, 3)
        return {
            "bits": [random.bits(key, (5,)), random.bits(key, (2, 3), "uint64")],
            "mapped bits": fungrad.vmap(lambda k: random.bits(k, (2,)))(keys),
            "mapped numbers": words_of(fungrad.vmap(lambda n: random.fold_in(key, n))(jnp.arange(3))),
            "mapped both": words_of(fungrad.vmap(random.fold_in)(keys, jnp.arange(3))),
            "mapped split": words_of(fungrad.vmap(lambda k: random.split(k, 2))(keys)),
        }

    words_of = random.key_data
    key = random.key(3, impl=impl)
    same(fungrad.jit(some)(key), some(key))


@each
def test_types_and_names(impl):
    name, shape = IMPLS[impl]
    key = random.key(1, impl=impl)
    assert name in repr(key) and key.aval.str_short() == f"{name}[]" and words(key).shape == shape
    assert random.key_impl(key) == impl and random.key_dtype(impl) == key.dtype == random.key(1, dtype=impl).dtype
    assert jnp.issubdtype(key.dtype, fungrad.dtypes.prng_key)
    assert random.wrap_key_data(random.key_data(key), impl=impl) == key
    assert random.wrap_key_data(random.key_data(key), dtype=key.dtype) == key
    again = pickle.loads(pickle.dumps(key))
    assert again.dtype == key.dtype and again == key
    assert f"random_seed[impl={name[4:-1]}]" in str(fungrad.make_jaxpr(lambda s: random.key(s, impl=impl))(3))
    with fungrad.default_prng_impl(impl):
        raw = random.PRNGKey(1)
        assert raw.shape == shape and random.key(1).dtype == key.dtype
        np.testing.assert_array_equal(random.bits(raw, (3,)), random.bits(key, (3,)))
        np.testing.assert_array_equal(random.split(raw), words(random.split(key)))


def test_keys_of_different_generators_do_not_mix():
    keys = {name: random.key(0, impl=name) for name in IMPLS}
    assert len({key.dtype for key in keys.values()}) == len(IMPLS)
    for other in OTHERS:
        for combine in (lambda a, b: a == b, lambda a, b: jnp.stack([a, b]), lambda a, b: jnp.where(True, a, b)):
            with pytest.raises((TypeError, ValueError)):
                combine(keys["threefry2x32"], keys[other])
    with pytest.raises(TypeError, match=r"shape \[..., 4\], got u32\[2\]; those are the words of rbg"):
        random.wrap_key_data(np.zeros(2, np.uint32), impl="rbg")
    with pytest.raises(NotImplementedError, match="poisson"):
        random.poisson(keys["rbg"], 3.0)
    with pytest.raises(TypeError, match="no common dtype"):
        keys["rbg"] + 1
    with fungrad.default_prng_impl("rbg"), pytest.raises(TypeError, match=r"\(of rbg\) as uint32\[4\]"):
        random.bits(np.zeros(2, np.uint32))


def moved(key):
    """Operations that move keys, each as words."""
    keys = random.split(key, (4, 3))
    two = jnp.array([2, 0])
    carry, out = lax.scan(lambda c, k: (random.fold_in(c, 1), random.split(k)[0]), key, keys[0])
    made = [
        keys[1:3, ::-1], keys[two], keys.reshape(2, 6).T, keys.at[1].set(keys[0]), jnp.concatenate([keys, keys[:1]]),
        jnp.where(jnp.arange(4)[:, None] > 1, keys, keys[:1]), jnp.broadcast_to(key, (2, 3)), jnp.roll(keys, 1),
        lax.dynamic_slice(keys, (two[0], 1), (2, 2)), lax.dynamic_update_slice(keys, keys[:2], (two[1], 0)),
        jnp.take(keys, two, axis=1), jnp.repeat(keys, 2, axis=0), carry, out,
        lax.cond(two[0] > 1, lambda k: random.split(k)[1], lambda k: k, key),
        lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, random.split(c[1])[0]), (0, key))[1],
        fungrad.jit(lambda k: random.split(k)[1])(key), fungrad.checkpoint(lambda k: random.fold_in(k, 2))(key),
    ]  # fmt: skip
    slope = fungrad.grad(lambda x: (random.normal(key, (3,)) * x).sum())(2.0)
    return [*map(random.key_data, made), keys == keys[0], keys != key, slope]


@pytest.mark.parametrize("impl", ["rbg", "philox2x32"])
def test_operations_that_move_keys(impl):
    key = random.key(5, impl=impl)
    eager, compiled = moved(key), fungrad.jit(moved)(key)
    for x, y in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)
    keys = np.asarray(random.key_data(random.split(key, (4, 3))))
    for at, expected in enumerate((keys[1:3, ::-1], keys[[2, 0]], keys.reshape(2, 6, -1).swapaxes(0, 1))):
        np.testing.assert_array_equal(eager[at], expected)
    out = fungrad.jit(lambda k: random.split(k))(key)
    assert out.dtype == key.dtype and out.shape == (2,)


def doubled():
    """A generator whose keys are two keys of threefry2x32."""
    return define_prng_impl(
        key_shape=(2, 2),
        seed=lambda seed: jnp.stack([fry.seed(seed), fry.seed(seed + 1)]),
        split=lambda key, shape: jnp.stack([fry.split(key[0], shape), fry.split(key[1], shape)], axis=-2),
        random_bits=lambda key, width, shape: fry.random_bits(key[0], width, shape),
        fold_in=lambda key, data: jnp.stack([fry.fold_in(key[0], data), fry.fold_in(key[1], data)]),
        name="doubled",
        tag="fry2",
    )


def test_generator_of_ones_own():
    impl = doubled()
    key, plain = random.key(3, impl=impl), random.key(3)
    assert "key<fry2>" in repr(key) and words(key).shape == (2, 2) and random.key_impl(key) == impl
    assert repr(impl) == "PRNGSpec('doubled')" and random.key_dtype(impl) == key.dtype
    # Functions that are made anew are those of another generator, whose keys have a dtype of their own.
    assert random.key_dtype(doubled()) != key.dtype
    for run in (lambda f: f, fungrad.jit):
        np.testing.assert_array_equal(run(lambda k: random.bits(k, (3,)))(key), random.bits(plain, (3,)))
        keys = run(lambda k: random.split(k, 4))(key)
        assert words(keys).shape == (4, 2, 2)
        np.testing.assert_array_equal(words(keys)[:, 0], words(random.split(plain, 4)))
        np.testing.assert_array_equal(
            run(fungrad.vmap(lambda k: random.uniform(k, (2,))))(keys),
            fungrad.vmap(lambda k: random.uniform(k, (2,)))(random.split(plain, 4)),
        )
        out = run(lambda k: random.gamma(random.fold_in(k, 9), 2.0))(key)
        np.testing.assert_allclose(out, random.gamma(random.fold_in(plain, 9), 2.0), rtol=1e-6)
    short = define_prng_impl(
        key_shape=(2,), seed=lambda seed: jnp.zeros(3, "uint32"), split=fry.split, random_bits=fry.random_bits,
        fold_in=fry.fold_in, tag="short",
    )  # fmt: skip
    with pytest.raises(TypeError, match=r"key<short> returned u32\[3\]; the words of its keys are uint32 of shape"):
        random.key(0, impl=short)


def test_seeds_and_hashes_of_extend():
    seeds = jnp.arange(3)
    np.testing.assert_array_equal(words(random_seed(seeds, rbg_prng_impl))[:, 1], [0, 1, 2])
    assert seed_with_impl(rbg_prng_impl, 3) == random.key(3, impl="rbg")
    pair = np.uint32([1, 2])
    one = threefry_2x32(pair, np.uint32([0, 7]))
    np.testing.assert_array_equal(one, words(random.fold_in(random.wrap_key_data(pair), 7)))
    five = np.arange(5, dtype=np.uint32)
    np.testing.assert_array_equal(fungrad.jit(threefry_2x32)(pair, five), threefry_2x32(pair, five))
    np.testing.assert_array_equal(
        fungrad.vmap(threefry_2x32, (None, 0))(pair, np.uint32([[0, 7], [1, 2]]))[0], one
    )
    with pytest.raises(TypeError, match="count must be uint32"):
        threefry_2x32(pair, jnp.arange(3))


def test_options_about_keys():
    raw = random.PRNGKey(0)
    with fungrad.legacy_prng_key("error"), pytest.raises(ValueError, match="raw key"):
        random.bits(raw)
    with fungrad.legacy_prng_key("warn"), pytest.warns(UserWarning, match="raw key"):
        random.bits(raw)
    with fungrad.enable_custom_prng(True):
        assert random.PRNGKey(0).dtype == random.key_dtype()
        with pytest.warns(FutureWarning, match="raw key"):
            assert random.split(raw).dtype == random.key_dtype()
    with fungrad.config.override("random_seed_offset", 3):
        assert words(random.key(2)).tolist() == [0, 5]
    assert words(random.key(2)).tolist() == [0, 2]
    with fungrad.config.override("high_dynamic_range_gumbel", True):
        high = random.gumbel(random.key(0), (3,))
    np.testing.assert_array_equal(high, random.gumbel(random.key(0), (3,), mode="high"))


@each
def test_keys_are_saved_with_their_generator(impl, tmp_path):
    tree = {"keys": random.split(random.key(3, impl=impl), 2)}
    fungrad.io.save(tmp_path / "keys", tree)
    with fungrad.default_prng_impl("rbg"):
        found = fungrad.io.load(tmp_path / "keys")["keys"]
    assert found.dtype == tree["keys"].dtype and bool((found == tree["keys"]).all())


def test_keys_of_unnamed_generators_are_not_saved(tmp_path):
    with pytest.raises(TypeError, match="without a registered name"):
        fungrad.io.save(tmp_path / "keys", {"key": random.key(3, impl=doubled())})


@each
def test_reading_keys_beside_an_array_gives_the_greatest_words(impl):
    keys = random.split(random.key(0, impl=impl), 4)
    for run in (lambda f: f, fungrad.jit):
        out = run(lambda keys: keys.at[jnp.array([1, 9])].get(mode="fill"))(keys)
        assert out[0] == keys[1] and (words(out)[1] == 2**32 - 1).all()


@each
def test_keys_do_not_become_ndarrays(impl):
    with pytest.raises(TypeError, match="key_data"):
        np.asarray(random.key(0, impl=impl))


@pytest.mark.parametrize(
    "draw",
    [
        lambda x, dtype: random.beta(random.key(0), x, 1.0, dtype=dtype),
        lambda x, dtype: random.chisquare(random.key(0), x, dtype=dtype),
        lambda x, dtype: random.f(random.key(0), 1.0, x, dtype=dtype),
        lambda x, dtype: random.lognormal(random.key(0), x, dtype=dtype),
        lambda x, dtype: random.pareto(random.key(0), x, dtype=dtype),
        lambda x, dtype: random.rayleigh(random.key(0), x, dtype=dtype),
        lambda x, dtype: random.t(random.key(0), x, dtype=dtype),
        lambda x, dtype: random.triangular(random.key(0), 0.0, x, 2.0, dtype=dtype),
        lambda x, dtype: random.wald(random.key(0), x, dtype=dtype),
    ],
)
def test_parameters_wider_than_the_draw_are_refused(draw):
    with pytest.raises(fungrad.dtypes.TypePromotionError, match="float32, which the dtype of the draw, float16, does"):
        draw(jnp.float32([1.0]), "float16")
    for parameter in (1.0, np.float16([1.0]), jnp.array([1]), jnp.array([True])):
        assert draw(parameter, "float16").dtype == "float16"


def test_uniform_numbers_of_a_hidden_state():
    def two(low):
        return lax.rng_uniform(low, low + 1, (4,)), lax.rng_uniform(low, low + 1, (4,))

    run = fungrad.jit(two)
    made = [*two(jnp.float32(3)), *run(jnp.float32(3)), *run(jnp.float32(3)), *run(jnp.bfloat16(3))]
    assert len({tuple(np.asarray(x, np.float32).tolist()) for x in made}) == 8
    assert all(((x >= 3) & (x < 4)).all() for x in made)
    whole = lax.rng_uniform(jnp.int32(-2), jnp.int32(3), (200,))
    assert whole.dtype == np.int32 and set(whole.tolist()) == {-2, -1, 0, 1, 2}
    low = jnp.arange(3.0)
    for mapped in (fungrad.vmap(two), fungrad.jit(fungrad.vmap(two)), fungrad.vmap(fungrad.jit(two))):
        for drawn in mapped(low):
            assert ((drawn >= low[:, None]) & (drawn < low[:, None] + 1)).all()
            assert len(np.unique(drawn - low[:, None])) == 12
    assert fungrad.vmap(lambda b: lax.rng_uniform(0.0, b, (4,)))(jnp.ones(0)).shape == (0, 4)
    with pytest.raises(ValueError, match="same dtype"):
        lax.rng_uniform(1.0, jnp.int32(2), (3,))
    with pytest.raises(ValueError, match="scalars"):
        lax.rng_uniform(jnp.zeros(2), jnp.ones(2), (3,))


@each
def test_callbacks_get_keys(impl):
    """Once per call, or per example of a batch; compiled as eager."""
    keys = random.split(random.key(0, impl=impl), 3)
    number = fungrad.ShapeDtypeStruct((), np.float32)
    seen = []

    def see(key, x):
        seen.append((key.shape, key.dtype, words(key).tolist(), np.shape(x)))
        return np.float32(len(seen))

    functions = [
        lambda k: fungrad.debug.callback(see, k, 1.0),
        lambda k: fungrad.experimental.io_callback(see, number, k, 1.0),
        lambda k: fungrad.pure_callback(see, number, k, 1.0),
        fungrad.vmap(lambda k: fungrad.debug.callback(see, k, 1.0)),
        fungrad.vmap(lambda k: fungrad.experimental.io_callback(see, number, k, 1.0)),
        fungrad.vmap(lambda k: fungrad.pure_callback(see, number, k, 1.0, vmap_method="sequential")),
        lambda k: fungrad.vmap(lambda key: fungrad.debug.callback(see, key, 1.0))(k[:0]),
        lambda k: lax.scan(lambda c, key: (c + fungrad.pure_callback(see, number, key, c), None), 0.0, k)[0],
        lambda k: lax.cond(k[0] == k[1], lambda z: 0.0, lambda z: fungrad.pure_callback(see, number, z, 1.0), k),
    ]
    for fun in functions:
        found = []
        for run in (fun, fungrad.jit(fun)):
            seen.clear()
            result = run(keys)
            fungrad.effects_barrier()
            found.append((list(seen), None if result is None else np.asarray(result).tolist()))
        assert found[0] == found[1]
        assert all(shape == np.shape(data)[:-1] and dtype == keys.dtype for shape, dtype, data, _ in found[0][0])
    with pytest.raises(TypeError, match="must be the types of numbers, got key<"):
        fungrad.pure_callback(lambda k: k, fungrad.ShapeDtypeStruct((), keys.dtype), keys[0])


@each
def test_keys_that_follow_what_is_sorted(impl):
    keys = random.split(random.key(0, impl=impl), (2, 4))
    order = jnp.array([[3, 1, 2, 0], [0, 2, 1, 3]])
    for dimension in (0, 1):

        def run(numbers, keys, dimension=dimension):
            first, moved, last = lax.sort((numbers, keys, numbers), dimension=dimension, num_keys=1)
            return first, random.key_data(moved), last

        same({"sort": run(order, keys)}, {"sort": fungrad.jit(run)(order, keys)})
    shuffled = lambda k: random.key_data(random.permutation(k[0, 0], k, axis=1))  # noqa: E731
    np.testing.assert_array_equal(shuffled(keys), fungrad.jit(shuffled)(keys))


@pytest.mark.parametrize("impl", OTHERS)
def test_functions_of_single_keys_have_no_compiled_form(impl):
    keys = random.split(random.key(0, impl=impl), 3)
    combine = fungrad.jit(lambda k: lax.reduce(k, k[0], lambda a, b: lax.select(a == b, a, b), (0,)))
    with pytest.raises(NotImplementedError, match="reduce: there is no compiled form"):
        combine(keys)


@each
def test_donated_keys_are_gone(impl):
    reverse = fungrad.jit(lambda k, x: (k[::-1], x + 1), donate_argnums=(0, 1))
    keys, x = random.split(random.key(0, impl=impl), 3), jnp.ones(3)
    expected = words(keys)[::-1]
    for call in (reverse, reverse.lower(keys, x).compile()):
        out = call(keys, x)
        assert keys.is_deleted() and x.is_deleted() and not out[0].is_deleted()
        np.testing.assert_array_equal(words(out[0]), expected)
        keys, x, expected = *out, expected[::-1]
    with pytest.raises(RuntimeError, match="has been deleted"):
        [reverse(keys, x), reverse(keys, x)]


@each
def test_keys_do_not_become_scalars(impl):
    key = random.key(0, impl=impl)
    for convert in (lambda k: k.item(), lambda k: k.tolist(), float, int, bool):
        with pytest.raises(TypeError, match="random keys|key<"):
            convert(key)


def _draws_of_branches(api, numpy, impl, wrap):
    """Draws of functions whose branches, or numbers of steps, differ between examples that share a key."""
    random, lax = api.random, api.lax
    key = random.key(3, impl=impl)
    words = random.key_data(key)
    taken = numpy.array([True, False, True, True])

    def of_words(data):
        return random.uniform(random.wrap_key_data(data, impl=impl))

    def branch(p, k):
        return lax.cond(p, random.uniform, lambda k: -random.uniform(k), k)

    def steps(n, k):
        return lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] + random.uniform(c[2]), c[2]), (0, 0.0, k))

    def changing(n, k):
        return lax.while_loop(
            lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] + random.uniform(c[2]), random.split(c[2])[0]), (0, 0.0, k)
        )[1]

    def scanned(p, k):
        return lax.scan(lambda c, _: (c + branch(p, k), None), 0.0, None, 3)[0]

    options = [lambda k: random.uniform(k, (2,)), lambda k: random.normal(k, (2,)), lambda k: numpy.zeros(2)]
    calls = [
        (branch, 1, (taken, key)),
        (lambda p: branch(p, key), 0, (taken,)),
        (lambda p, w: lax.cond(p, of_words, lambda _: 0.0, w), 1, (taken, words)),
        (lambda p, k: random.uniform(lax.cond(p, lambda k: random.split(k)[0], lambda k: k, k)), 1, (taken, key)),
        (lambda i, k: lax.switch(i, options, k), 1, (numpy.array([0, 1, 2, 0]), key)),
        (lambda p, k: api.vmap(branch, (0, None))(p, k), 1, (taken.reshape(2, 2), key)),
        (lambda n, k: steps(n, k)[1], 1, (numpy.arange(4), key)),
        (lambda n, k: random.uniform(steps(n, k)[2]), 1, (numpy.arange(4), key)),
        (changing, 1, (numpy.arange(4), key)),
        (scanned, 1, (taken, key)),
    ]
    return [np.asarray(wrap(api.vmap(f, (0, None)[: 1 + more]))(*args)) for f, more, args in calls]


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_branches_of_examples_that_share_a_key_draw_as_in_jax(impl, jax):
    expected = _draws_of_branches(jax, jax.numpy, impl, lambda f: f)
    for wrap in (lambda f: f, fungrad.jit):
        for got, e in zip(_draws_of_branches(fungrad, jnp, impl, wrap), expected, strict=True):
            np.testing.assert_allclose(got, e, rtol=1e-5)
