"""Donated arguments: results are the same with and without, at every step, wherever they come to live."""

import numpy as np
import pytest

import fungrad
import fungrad.flatten_util
import fungrad.numpy as jnp
from fungrad import lax, nn, optim

F32 = np.float32


def copied(tree):
    """The same arrays in memory of their own."""
    return fungrad.tree.map(lambda x: jnp.array(x, copy=True), tree)


def assert_same_bits(got, wanted):
    for a, b in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        a, b = np.asarray(a), np.asarray(b)
        assert a.tobytes() == b.tobytes(), f"{a} is not {b}"


def assert_donation_changes_nothing(f, args, steps=1, donate=0):
    """Runs ``f``, whose results are its next arguments if there are several steps, with and without donation."""
    plain, giving = fungrad.jit(f), fungrad.jit(f, donate_argnums=donate)
    a, b = copied(args), copied(args)
    for _ in range(steps):
        a, b = plain(*a), giving(*b)
        assert_same_bits(b, a)
        if steps > 1:
            a, b = (a,), (b,)


def normalised(x):
    a = x + 1
    return a, a / jnp.sum(a)


def test_a_result_in_donated_memory_lives_to_the_end():
    a, b = fungrad.jit(normalised, donate_argnums=0)(jnp.arange(4.0))
    np.testing.assert_array_equal(a, [1, 2, 3, 4])
    np.testing.assert_array_equal(b, np.array([0.1, 0.2, 0.3, 0.4], F32))


def cumulative(x):
    a = x * 2
    return a, jnp.cumsum(a) * 3, jnp.cumsum(a[::-1])


def updated(x):
    a = x + 1
    return a, a.at[1].set(7.0), a.at[jnp.array([0, 2, 2])].add(a[:3])


def scattered(x):
    a = x + 1
    return a, lax.fori_loop(0, 5, lambda i, c: c.at[(i * 3) % c.shape[0]].add(c[i]), a)


def scanned(x):
    a = x * x
    b, ys = lax.scan(lambda c, k: (c * 0.5 + k, c + k), a, jnp.arange(4.0))
    return a, b, ys


def looped(x):
    a = x + 1
    return a, lax.while_loop(lambda c: jnp.sum(c) < 1e4, lambda c: c * 1.5 + jnp.roll(c, 1), a)


def chosen(x):
    a = x + 1
    return a, lax.cond(a[0] > 0, lambda a: a[::-1] * 2, lambda a: a - 3, a)


def cast(x):
    a = x + 1
    return a, lax.bitcast_convert_type(a, jnp.int32) + 1, (a * 10).astype(jnp.int32), a.astype(jnp.uint32)


def nested(x):
    inner = fungrad.jit(lambda v: (v + 1, jnp.flip(v) * 2), donate_argnums=0)
    a, b = inner(x)
    c, d = inner(a)
    return a, b, c, d


def crossing(x, y):
    a, b = x + 1, y * 2
    return b, a, a + jnp.flip(b), b * jnp.sum(a)


def swapped_chains(x, y):
    a, b = x + y, x - y
    c, d = a * 2, b * 3
    return d, c, jnp.flip(c) + d, jnp.flip(d) - c, a


def multiplied(x):
    m = x.reshape(2, -1)
    a = m @ m.T
    b = m + 1
    return b, a @ b, b - jnp.mean(b, axis=0), (b.T @ a).T


def sorted_(x):
    a = jnp.sort(x)
    return a, jnp.argsort(a[::-1]), a - jnp.flip(a)


def transposed(x):
    a = (x + 1).reshape(2, -1)
    return a, a.T * 2, a.T.reshape(2, -1) + a


def counted(count):
    n = count + 1
    f = n.astype(jnp.float32)
    return n, 1 - 0.9**f, f * 2, lax.bitcast_convert_type(f, jnp.int32)


MEMBERS = [
    normalised, cumulative, updated, scattered, scanned, looped, chosen, cast, nested, crossing, swapped_chains,
    multiplied, sorted_, transposed,
]  # fmt: skip


@pytest.mark.parametrize("size", [8, 1024])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("f", MEMBERS, ids=lambda f: f.__name__)
def test_members(f, threads, size):
    count = f.__code__.co_argcount
    args = [jnp.linspace(0.1 + k, 2.0, size, dtype=jnp.float32) for k in range(count)]
    with fungrad.threads(threads):
        for donate in {0, count - 1, tuple(range(count))}:
            assert_donation_changes_nothing(f, args, donate=donate)


@pytest.mark.parametrize("start", [0, 7])
def test_counters(start):
    """A counter is as large as a float, and must not become its bit pattern."""
    assert_donation_changes_nothing(counted, [jnp.int32(start)])


def test_training_with_adam():
    rng = np.random.default_rng(0)
    parameters = [
        (jnp.array(rng.standard_normal((i, o)).astype("f4") * 0.2), jnp.zeros(o)) for i, o in ((64, 64), (64, 10))
    ]
    x, y = jnp.array(rng.standard_normal((32, 64)).astype("f4")), jnp.array(rng.integers(0, 10, 32).astype("i4"))
    optimizer = optim.adam(1e-3)

    def loss(ps):
        h = nn.relu(x @ ps[0][0] + ps[0][1])
        z = nn.log_softmax(h @ ps[1][0] + ps[1][1])
        return -jnp.mean(jnp.sum(z * nn.one_hot(y, 10), 1))

    def step(state):
        ps, opt, _ = state
        value, grads = fungrad.value_and_grad(loss)(ps)
        updates, opt = optimizer.update(grads, opt, ps)
        return optim.apply_updates(ps, updates), opt, value

    assert_donation_changes_nothing(step, [(parameters, optimizer.init(parameters), jnp.float32(0))], steps=6)


VIEWS = {
    "asarray": np.asarray,
    "from_dlpack": np.from_dlpack,
    "memoryview": lambda x: memoryview(np.asarray(x)),
    "every other": lambda x: np.asarray(x)[::2],
    "slice": lambda x: x[1:4],
    "reshape": lambda x: x.reshape(2, 4),
    "transpose": lambda x: jnp.transpose(x.reshape(2, 4)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_what_others_see_of_donated_memory_stays(view):
    give = fungrad.jit(lambda x: x * 2 + 1, donate_argnums=0)
    for source in (jnp.array(np.arange(8.0, dtype=F32)), give(jnp.array(np.arange(8.0, dtype=F32)))):
        seen = VIEWS[view](source)
        before = np.array(seen)
        given = np.array(source)
        np.testing.assert_array_equal(give(source), given * 2 + 1)
        np.testing.assert_array_equal(np.asarray(seen), before)


@pytest.mark.parametrize("view", ["slice", "reshape", "transpose"])
def test_donating_a_part_leaves_the_whole(view):
    give = fungrad.jit(lambda x: x * 2 + 1, donate_argnums=0)
    whole = give(jnp.array(np.arange(8.0, dtype=F32)))
    before = np.array(whole)
    part = VIEWS[view](whole)
    want = np.array(part) * 2 + 1
    np.testing.assert_array_equal(give(part), want)
    np.testing.assert_array_equal(whole, before)


@pytest.mark.parametrize("options", [{"donate_argnums": (0, 1)}, {"donate_argnames": ("x", "y")}])
def test_arguments_given_by_name_are_donated(options):
    f = fungrad.jit(lambda x, y, z: (x + z, y + z), **options)
    info = f.lower(jnp.ones(2), z=1.0, y=jnp.ones(2)).args_info
    assert [a.donated for a in (info[0][0], info[1]["y"], info[1]["z"])] == [True, True, False]
    x, y = jnp.ones(2), jnp.ones(2)
    f(x, y=y, z=1.0)
    assert x.is_deleted() and y.is_deleted()


@pytest.mark.parametrize(
    "use",
    [
        fungrad.device_put, lambda x: fungrad.device_put([x]), jnp.asarray, fungrad.block_until_ready, fungrad.new_ref,
        lambda x: x.block_until_ready(), lambda x: x.copy_to_host_async(), lambda x: x.T, lambda x: x.reshape(-1),
        lambda x: x.ravel(), lambda x: x.astype(x.dtype), jnp.squeeze, jnp.real, jnp.conj, jnp.atleast_1d,
        lambda x: jnp.broadcast_to(x, (3,)), fungrad.flatten_util.ravel_pytree, fungrad.jit(lambda x: x),
    ],
)  # fmt: skip
def test_functions_that_only_pass_arrays_on_refuse_deleted_ones(use):
    x = jnp.ones(3)
    x.delete()
    with pytest.raises(RuntimeError, match=r"f32\[3\] has been deleted"):
        use(x)
