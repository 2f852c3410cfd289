"""Mutable references: reads and writes under every transformation."""

import copy
import pickle

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.errors import UnexpectedTracerError
from fungrad.experimental.random import StatefulPRNG, stateful_rng
from fungrad.test_util import check_grads


def held(ref):
    return np.asarray(ref[...]).tolist()


def test_reads_and_writes():
    ref = fungrad.new_ref(jnp.arange(12.0).reshape(3, 4))
    row = ref[0]
    ref[1] = row
    ref[2, 3] = 7.0
    ref[0, :3] = ref[:, 1][::-1]
    ref[jnp.array([1, 2]), jnp.array([0, 0])] = jnp.array([5.0, 6.0])
    assert row.tolist() == [0, 1, 2, 3]  # what has been read stays
    assert held(ref) == [[9, 1, 1, 3], [5, 1, 2, 3], [6, 9, 10, 7]]
    assert fungrad.ref.swap(ref, (0, 0), 1.0) == 9
    fungrad.ref.addupdate(ref, ..., jnp.ones((3, 4)))
    fungrad.ref.addupdate(ref, jnp.array([0, 0]), jnp.ones((2, 4)))
    assert held(ref)[0] == [4, 4, 4, 6]
    assert (len(ref), ref.shape, ref.ndim, ref.size, str(ref.dtype)) == (3, (3, 4), 2, 12, "float32")
    assert fungrad.typeof(ref).inner_aval.shape == (3, 4) and repr(ref.aval) == "Ref{f32[3,4]}"
    empty = fungrad.new_ref(jnp.zeros((0, 2)))
    empty[...] = jnp.zeros((0, 2))
    assert held(empty) == []
    for dtype in ("int8", "bool", "complex64", "bfloat16"):
        ref = fungrad.new_ref(jnp.zeros((2,), dtype))
        ref[1] = jnp.ones((), dtype)
        assert ref[1].dtype == dtype and ref[1] == 1 and ref[0] == 0


def test_jit_updates_in_place():
    ref = fungrad.new_ref(jnp.arange(1000.0))

    @fungrad.jit
    def sin(x_ref):
        x_ref[...] = jnp.sin(x_ref[...])

    expected = np.sin(np.arange(1000, dtype=np.float32))
    sin(ref)
    before = ref.unsafe_buffer_pointer()
    old = ref[...]
    np.testing.assert_allclose(old, expected, rtol=1e-5)
    sin(ref)  # somebody else holds the old contents
    np.testing.assert_allclose(old, expected, rtol=1e-5)
    before = ref.unsafe_buffer_pointer()
    sin(ref)
    assert ref.unsafe_buffer_pointer() == before


def test_writes_leave_the_written_array_alone():
    x, one, two = jnp.ones(2), fungrad.new_ref(jnp.zeros(2)), fungrad.new_ref(jnp.zeros(2))
    one[...] = two[...] = x

    @fungrad.jit
    def update():
        one[...] += 1
        two[...] += 2

    update()
    update()
    assert (x.tolist(), held(one), held(two)) == ([1, 1], [3, 3], [5, 5])


@pytest.mark.parametrize("index", [2, -3, (0, 3), (..., 3), (slice(None), -4), jnp.array(2), np.int8(5)])
def test_known_positions_out_of_range(index):
    ref = fungrad.new_ref(jnp.zeros((2, 3)))
    for call in (ref.__getitem__, lambda i: fungrad.ref.addupdate(ref, i, 1.0), lambda i: ref.__setitem__(i, 1.0)):
        with pytest.raises(ValueError, match=r"fungrad\.ref\.\w+: Out of bound indexer: idx=-?\d for dimension"):
            call(index)
    assert held(ref) == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("wrap", ["jit", "vmap", "scan", "cond"])
@pytest.mark.parametrize(
    "shape, index",
    [
        ((5,), lambda k: k),
        ((3, 4), lambda k: (slice(1, 3), k)),
        ((3, 4), lambda k: (k, k)),
        ((4, 2), lambda k: (..., k, slice(None))),
    ],
)
def test_integers_of_run_time_are_moved_inside(wrap, shape, index):
    """A read and a write of the same index find the same place; JAX is the judge."""
    jax = pytest.importorskip("jax")

    def run(lib, num, k, index):
        def f(k):
            ref = lib.new_ref(num.arange(float(np.prod(shape)), dtype="float32").reshape(shape))
            before = lib.ref.swap(ref, index(k), ref[index(k)] * 0 + 100.0)
            lib.ref.addupdate(ref, index(k), ref[index(k)] + 1.0)
            ref[index(k)] += 0.5
            return before, ref[index(k)], ref[...]

        k = num.asarray(k, "int32")
        if wrap == "vmap" and lib is fungrad:
            return lib.vmap(f)(k[None])
        if wrap == "scan":
            return lib.lax.scan(lambda c, k: (c, f(k)), 0, k[None])[1]
        if wrap == "cond":
            return lib.jit(lambda k: lib.lax.cond(k == k, f, lambda k: f(k * 0), k))(k)
        return lib.jit(f)(k)

    for k in (0, 2, -1, 7, 100, -4, -9, np.iinfo("int32").max):
        got, want = run(fungrad, jnp, k, index), run(jax, jax.numpy, k, index)
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(np.asarray(g).reshape(np.shape(w)), w)
    ref = fungrad.new_ref(jnp.zeros(3))
    fungrad.jit(lambda ref, k: fungrad.ref.set(ref, k, jnp.ones(2)))(ref, jnp.array([1, 7]))
    assert held(ref) == [0, 1, 0]  # positions in arrays are dropped


def test_jit_with_closed_over_references():
    count, total = fungrad.new_ref(0), fungrad.new_ref(jnp.zeros(2))
    traces = []

    @fungrad.jit
    def f(x, static_free=1.0):
        traces.append(1)
        count[...] += 1
        total[0] += x
        return total[...] * static_free

    assert f(1.0).tolist() == [1, 0]
    assert f(2.0).tolist() == [3, 0]
    assert (held(count), held(total), len(traces)) == (2, [3, 0], 1)

    @fungrad.jit
    def outer(x):
        f(x)
        return f(x)

    assert outer(1.0).tolist() == [5, 0]
    assert held(count) == 4
    with fungrad.disable_jit():
        f(1.0)
    assert held(count) == 5


def test_loops_and_branches():
    r = fungrad.new_ref(0)

    def body(c, x):
        r[...] += x
        return c, r[...]

    assert lax.scan(body, None, jnp.arange(4))[1].tolist() == [0, 1, 3, 6]
    assert held(r) == 6

    def step(i, c):
        r[...] += i
        return c

    fungrad.jit(lambda: lax.fori_loop(0, 3, step, 0))()
    fungrad.jit(lambda n: lax.fori_loop(0, n, step, 0))(3)
    assert held(r) == 12

    def count_down(c):
        r[...] -= 1
        return c + 1

    assert lax.while_loop(lambda c: r[...] > 8, count_down, 0) == 4
    assert held(r) == 8

    def one(ref, x):
        ref[...] = x

    def two(ref, x):
        r[...] += 10 * x

    lax.cond(True, one, two, r, 3)
    assert held(r) == 3
    fungrad.jit(lambda p: lax.cond(p, one, lambda ref, x: None, r, 5))(False)
    assert held(r) == 3
    lax.switch(1, [lambda: None, lambda: two(None, 1), lambda: None])
    assert held(r) == 13

    def nested(c, x):
        return lax.scan(body, c, jnp.arange(x.size))[0], None

    lax.scan(nested, None, jnp.zeros((2, 3)))
    assert held(r) == 19
    with fungrad.disable_jit():
        lax.scan(body, None, jnp.arange(2))
    assert held(r) == 20


def test_vmap():
    def dist(x, y, out_ref):
        assert out_ref.ndim == 0
        out_ref[...] = jnp.sum((x - y) ** 2)

    x = jnp.arange(12.0).reshape(3, 4)
    out = fungrad.new_ref(jnp.zeros((3, 3)))
    mapped = fungrad.vmap(fungrad.vmap(dist, (0, None, 0)), (None, 0, 0))
    expected = ((np.asarray(x)[:, None] - np.asarray(x)) ** 2).sum(-1)
    mapped(x, x, out)
    np.testing.assert_allclose(out[...], expected)
    out[...] = jnp.zeros((3, 3))
    fungrad.jit(mapped)(x, x, out)
    np.testing.assert_allclose(out[...], expected)

    columns = fungrad.new_ref(jnp.zeros((2, 3)))
    fungrad.vmap(lambda r, v: r.addupdate(v, 0), (1, 0))(columns, jnp.arange(3.0))
    assert held(columns) == [[0, 1, 2], [0, 0, 0]]

    def pure(v):
        ref = fungrad.new_ref(v)
        lax.fori_loop(0, 2, lambda i, c: ref.addupdate(v) or c, 0)
        return ref[...]

    assert fungrad.vmap(pure)(jnp.arange(3.0)).tolist() == [0, 3, 6]
    assert fungrad.vmap(lambda v: v + columns[0, 1])(jnp.arange(2.0)).tolist() == [1, 2]


def test_derivatives_through_references():
    def f(x):
        ref = fungrad.new_ref(jnp.zeros(3))
        ref[0] = jnp.sin(x)

        @fungrad.jit
        def inner():
            ref[1] = ref[0] * x

        inner()

        def body(c, i):
            ref[2] += ref[1] * i
            return c + ref[2], None

        c, _ = lax.scan(body, 0.0, jnp.arange(3.0))
        return c + fungrad.freeze(ref).sum()

    check_grads(f, (0.7,), order=2)
    check_grads(fungrad.jit(f), (0.7,), order=1)
    np.testing.assert_allclose(fungrad.vmap(fungrad.grad(f))(jnp.arange(2.0))[1], fungrad.grad(f)(1.0), rtol=1e-6)
    check_grads(fungrad.checkpoint(f), (0.7,), order=1, modes=["rev"])

    plumbing = fungrad.new_ref(1.0)

    def g(x, ref):
        y = x + x
        ref[...] += lax.stop_gradient(y)
        return y * ref[...]

    assert fungrad.grad(g)(3.0, plumbing) == 14.0
    assert held(plumbing) == 7.0
    assert fungrad.jit(fungrad.grad(g))(3.0, plumbing) == 26.0
    assert held(plumbing) == 13.0


def test_backward_rules_write_to_references():
    @fungrad.custom_vjp
    def stash(ref, x):
        return x

    def bwd(ref, g):
        ref[...] = g
        return None, g

    stash.defvjp(lambda ref, x: (x, ref), bwd)
    ref = fungrad.new_ref(0.0)
    f = lambda x, ref: jnp.sin(stash(ref, x))  # noqa: E731
    assert f(1.0, ref) == jnp.sin(1.0)
    fungrad.grad(f)(1.0, ref)
    np.testing.assert_allclose(ref[...], np.cos(1.0), rtol=1e-6)
    fungrad.jit(fungrad.grad(f))(2.0, ref)
    np.testing.assert_allclose(ref[...], np.cos(2.0), rtol=1e-6)


def test_inspection_changes_nothing():
    ref = fungrad.new_ref(jnp.zeros(2))

    def f(x, r):
        r[0] = x
        ref[1] = x
        return x

    other = fungrad.new_ref(jnp.zeros(2))
    assert fungrad.eval_shape(f, 1.0, other).shape == ()
    fungrad.make_jaxpr(f)(1.0, other)
    assert held(ref) == held(other) == [0, 0]


X = fungrad.new_ref(0.0)


def writes(x):
    X[...] = x
    return x


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: fungrad.jit(lambda r: r)(X), ValueError, "cannot be returned"),
        (lambda: fungrad.jit(lambda r, s: None)(X, X), ValueError, "only one reference .* both r and s"),
        (lambda: fungrad.jit(lambda r: r[...] + X[...])(X), ValueError, "both closed over and passed"),
        (lambda: fungrad.jit(lambda r: fungrad.freeze(r))(X), ValueError, "where it was made"),
        (lambda: fungrad.vmap(writes)(jnp.arange(3.0)), ValueError, "unbatched array reference"),
        (lambda: fungrad.grad(writes)(1.0), ValueError, "differentiated value on a non-differentiated"),
        (lambda: jnp.sin(X), TypeError, "must be an array"),
        (lambda: np.sin(X), TypeError, "read it first"),
        (lambda: fungrad.new_ref(X), TypeError, "references cannot hold"),
        (lambda: fungrad.new_ref("a"), TypeError, "init_val"),
        (lambda: X.__setitem__(..., jnp.zeros(3)), ValueError, "Invalid shape for `swap`"),
        (lambda: X.__setitem__(..., 1), ValueError, "Invalid dtype for `swap`"),
        (lambda: X.__setitem__(..., 1j), ValueError, "Invalid dtype for `swap`"),
        (lambda: fungrad.ref.get(3), ValueError, "Can only call `ref_get` on a `Ref`"),
        (lambda: lax.scan(lambda c, x: (c, x), X, jnp.arange(2)), TypeError, "close over it"),
        (lambda: lax.while_loop(lambda c: writes(c) > 0, lambda c: c, 1.0), NotImplementedError, "cond_fun writes"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
    assert held(X) == 0.0


def test_ended_references():
    kept = []
    fungrad.jit(lambda x: kept.append(fungrad.new_ref(x)) or x)(1.0)
    with pytest.raises(UnexpectedTracerError, match="outside of jit of <lambda>"):
        kept[0][...]
    ref = fungrad.new_ref(1.0)
    assert fungrad.freeze(ref) == 1.0
    with pytest.raises(ValueError, match="frozen"):
        ref[...]
    ref = fungrad.new_ref(1.0)
    fungrad.free_ref(ref)
    with pytest.raises(ValueError, match="freed"):
        ref[...] = 2.0


def test_generators_with_a_state():
    rng = stateful_rng(42)
    np.testing.assert_allclose([rng.uniform(), rng.uniform()], [0.5302608, 0.72766423])  # JAX's
    draw = fungrad.jit(rng.uniform)
    np.testing.assert_allclose([draw(), draw()], [0.6672406, 0.3890121])
    assert held(rng._counter) == 4
    passed = fungrad.jit(lambda rng: rng.normal(2.0, [1.0, 3.0], dtype="float32"))
    assert passed(rng).shape == (2,) and held(rng._counter) == 5
    np.testing.assert_allclose(
        fungrad.vmap(lambda rng, x: x + rng.uniform())(stateful_rng(123).split(3), jnp.zeros(3)),
        [0.35525954, 0.21937883, 0.5336956],
    )
    assert [r.integers(0, 10, 2).tolist() for r in stateful_rng(123).spawn(2)] == [[4, 5], [2, 1]]
    lax.fori_loop(0, 3, lambda i, c: c + rng.random(), 0.0)
    assert held(rng._counter) == 8
    assert 0 <= stateful_rng().random() < 1
    with pytest.raises(TypeError, match="seed must be given"):
        fungrad.jit(lambda: stateful_rng().random())()
    with pytest.raises(ValueError, match="split stateful generator"):
        rng.split(2).random()


def test_stateful_generators_are_made_of_a_key_and_a_reference():
    with pytest.raises(ValueError, match="_base_key must be a typed key"):
        StatefulPRNG(jnp.zeros(2, "uint32"), fungrad.new_ref(0))
    with pytest.raises(ValueError, match="_counter must be a reference"):
        StatefulPRNG(fungrad.random.key(0), 0)


def test_functions_of_loops_and_branches_that_use_references_are_called_once():
    r, s, calls = fungrad.new_ref(jnp.zeros(3)), fungrad.new_ref(jnp.float32(0.0)), []

    def step(c, x):
        calls.append("scan")
        r[...] += x
        s[...] += c.sum()
        return c + 1.0, r[0]

    def add(i, c):
        calls.append("fori_loop")
        r[0] = r[0] + i
        return c

    def count(c):
        calls.append("while_loop")
        s[...] += 1.0
        return c + 1

    def yes(x):
        calls.append("yes")
        s[...] = x
        return x

    def no(x):
        calls.append("no")
        r[0] = x
        return x

    def run(x):
        lax.scan(step, x, jnp.arange(3.0))
        lax.fori_loop(0, 3, add, 0)
        lax.while_loop(lambda c: c < 3, count, 0)
        lax.cond(x.sum() < 1.0, yes, no, x[0])

    for wrap in (lambda f: f, fungrad.jit):
        calls.clear()
        r[...] = jnp.zeros(3)
        wrap(run)(jnp.zeros(3))
        assert sorted(calls) == ["fori_loop", "no", "scan", "while_loop", "yes"]
        assert r[...].tolist() == [6.0, 3.0, 3.0] and float(s[...]) == 0.0
    # A body whose initial value is promoted is traced for both types.
    calls.clear()
    lax.scan(lambda c, x: (step(c, x)[0], None), 0, jnp.arange(3.0))
    assert calls == ["scan"] * 2 and r[...].tolist() == [9.0, 6.0, 6.0]


def test_copies_of_references_are_references_of_their_own():
    ref = fungrad.new_ref(jnp.arange(3.0))
    for other in (copy.copy(ref), copy.deepcopy({"r": ref})["r"], pickle.loads(pickle.dumps(ref))):
        other[0] = 9.0
        fungrad.jit(lambda r: r.addupdate(jnp.ones(3)))(other)
        assert other[...].tolist() == [10.0, 2.0, 3.0] and ref[...].tolist() == [0.0, 1.0, 2.0]
