"""References as scanned operands, as arguments of compiled functions, of ``jvp``, and as places for cotangents."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import ad, lax

both = pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])


def held(ref):
    return np.asarray(ref[...]).tolist()


# -- scan --------------------------------------------------------------------------------------------------------------


def running(ref, x):
    """Doubles the rows of ``ref`` and adds up what they held."""

    def step(total, slices):
        row, y = slices
        total = total + row[...].sum() * y
        row[...] = row[...] * 2
        row[0] += y
        return total, row[1]

    return lax.scan(step, 0.0, (ref, x))


@both
def test_each_step_gets_its_slice(wrap):
    ref = fungrad.new_ref(jnp.arange(6.0).reshape(3, 2))
    total, ys = wrap(running)(ref, jnp.array([1.0, 10.0, 100.0]))
    assert float(total) == 951.0 and ys.tolist() == [2.0, 6.0, 10.0]
    assert held(ref) == [[1.0, 2.0], [14.0, 6.0], [108.0, 10.0]]
    with fungrad.disable_jit():
        again = fungrad.new_ref(jnp.arange(6.0).reshape(3, 2))
        running(again, jnp.array([1.0, 10.0, 100.0]))
    assert held(again) == held(ref)


@both
def test_reverse_scans_nested_scans_and_maps(wrap):
    ref = fungrad.new_ref(jnp.zeros(3))

    def count(n, cell):
        cell[...] = n
        return n + 1, None

    wrap(lambda r: lax.scan(count, 0.0, r, reverse=True)[0])(ref)
    assert held(ref) == [2.0, 1.0, 0.0]
    grid = fungrad.new_ref(jnp.zeros((2, 3)))
    wrap(lambda r: lax.scan(lambda n, row: lax.scan(count, n, row), 0.0, r)[0])(grid)
    assert held(grid) == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]

    def triple(cell):
        cell[...] *= 3
        return cell[...] + 1

    assert wrap(lambda r: lax.map(triple, r))(ref).tolist() == [7.0, 4.0, 1.0] and held(ref) == [6.0, 3.0, 0.0]


@both
def test_slices_and_references_from_outside(wrap):
    cells, total = fungrad.new_ref(jnp.arange(3.0)), fungrad.new_ref(0.0)

    def step(_, cell):
        total[...] += cell[...]
        return _, None

    wrap(lambda r: lax.scan(step, None, r)[0])(cells)
    assert held(total) == 3.0 and held(cells) == [0.0, 1.0, 2.0]


@both
def test_derivatives_and_maps_through_slices(wrap):
    def f(x):
        ref = fungrad.new_ref(x)

        def step(c, cell):
            cell[...] = jnp.sin(cell[...]) * c
            return c + cell[...], None

        last, _ = lax.scan(step, 1.0, ref)
        return last + ref[...].sum()

    def plain(x):
        c, total = 1.0, 0.0
        for i in range(3):
            y = jnp.sin(x[i]) * c
            c, total = c + y, total + y
        return c + total

    x = jnp.array([0.1, 0.5, -0.3])
    np.testing.assert_allclose(wrap(fungrad.grad(f))(x), fungrad.grad(plain)(x), rtol=1e-6)
    xs = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(wrap(fungrad.vmap(f))(xs), [plain(x), plain(2 * x)], rtol=1e-6)


def test_what_scans_refuse():
    ref = fungrad.new_ref(jnp.zeros(3))

    def closes_over(c, cell):
        cell[...] = ref[0]
        return c, None

    with pytest.raises(ValueError, match="both closed over and passed in xs"):
        lax.scan(closes_over, 0.0, ref)
    with pytest.raises(ValueError, match="one appears twice in xs"):
        lax.scan(lambda c, _: (c, None), 0.0, (ref, ref))
    with pytest.raises(ValueError, match="mutable array references cannot be returned"):
        lax.scan(lambda c, cell: (c, cell), 0.0, ref)
    with pytest.raises(TypeError, match="init is a reference of type .*; let the function close over it"):
        lax.scan(lambda c, x: (c, None), ref, jnp.arange(2.0))
    with pytest.raises(ValueError, match="must have a leading dimension"):
        lax.scan(lambda c, cell: (c, None), 0.0, fungrad.new_ref(1.0))
    empty = fungrad.new_ref(jnp.zeros((0, 2)))
    lax.scan(lambda c, row: (row.__setitem__(..., row[...] + 1), (c, None))[1], 0.0, empty)
    assert empty[...].shape == (0, 2)


# -- ahead of time -----------------------------------------------------------------------------------------------------


def test_compiled_functions_take_references():
    other = fungrad.new_ref(10.0)

    @fungrad.jit
    def f(ref, x):
        ref[...] += x
        other[...] *= 2
        return {"sum": ref[...].sum()}

    ref = fungrad.new_ref(jnp.zeros(3))
    lowered = f.lower(ref, 1.0)
    compiled = lowered.compile()
    assert held(ref) == [0.0, 0.0, 0.0]
    assert float(compiled(ref, 1.0)["sum"]) == 3.0 and float(compiled(ref, 2.0)["sum"]) == 9.0
    assert held(ref) == [3.0, 3.0, 3.0] and held(other) == 40.0
    assert str(lowered.in_avals[0][0]) == "Ref{f32[3]}" and lowered.out_info["sum"].shape == ()
    assert lowered.args_info[0][0].shape == (3,) and list(lowered.out_avals) == ["sum"]
    with pytest.raises(TypeError, match=r"f takes Ref\{f32\[3\]\} as argument\[0\]\[0\], got f32\[3\]"):
        compiled(jnp.zeros(3), 1.0)
    with pytest.raises(TypeError, match="Argument types differ"):
        compiled(fungrad.new_ref(jnp.zeros(2)), 1.0)
    with pytest.raises(TypeError, match="Argument types differ"):
        compiled(ref, fungrad.new_ref(1.0))
    with pytest.raises(ValueError, match="was both closed over and passed as the argument"):
        fungrad.jit(lambda r: other[...] + r[...]).lower(fungrad.new_ref(1.0)).compile()(other)
    two = fungrad.jit(lambda a, b: a[...] + b[...]).lower(ref, fungrad.new_ref(jnp.zeros(3))).compile()
    with pytest.raises(ValueError, match="only one reference to a mutable array may be passed"):
        two(ref, ref)


# -- jvp ---------------------------------------------------------------------------------------------------------------


@both
def test_tangents_of_references(wrap):
    def f(r, x):
        r[...] = r[...] * x
        return (r[...] ** 2).sum()

    ref, dot = fungrad.new_ref(jnp.array([1.0, 2.0, 3.0])), fungrad.new_ref(jnp.ones(3))
    x = jnp.array([2.0, 3.0, 4.0])
    y, dy = wrap(lambda r, d, x: fungrad.jvp(f, (r, x), (d, jnp.ones(3))))(ref, dot, x)
    assert (float(y), float(dy)) == (184.0, 240.0)
    assert held(ref) == [2.0, 6.0, 12.0] and held(dot) == [3.0, 5.0, 7.0]
    out, tangent, aux = fungrad.jvp(lambda r: (r[0], r[1]), (ref,), (dot,), has_aux=True)
    assert (float(out), float(tangent), float(aux)) == (2.0, 3.0, 6.0)


def test_what_jvp_refuses():
    ref = fungrad.new_ref(1.0)
    with pytest.raises(TypeError, match=r"primals\[0\] is a reference, so its tangent must be one too, got 1.0"):
        fungrad.jvp(lambda r: r[...], (ref,), (1.0,))
    with pytest.raises(ValueError, match="a reference appears twice among primals and tangents"):
        fungrad.jvp(lambda r: r[...], (ref,), (ref,))
    with pytest.raises(TypeError, match="the tangent of primals"):
        fungrad.jvp(lambda r: r[...], (ref,), (fungrad.new_ref(jnp.ones(2)),))
    with pytest.raises(TypeError, match=r"pass what it holds, ref\[...\]"):
        fungrad.grad(lambda r: r[...])(ref)


# -- cotangents --------------------------------------------------------------------------------------------------------


@both
def test_gradients_of_microbatches_are_accumulated(wrap):
    def loss(w, x):
        return jnp.tanh(x @ w).sum()

    w, xs = jnp.ones((3, 2)), jnp.arange(12.0).reshape(2, 2, 3) / 10

    def accumulated(w, xs, grads):
        def step(total, x):
            value, pull = fungrad.vjp(loss, w, x)
            assert pull.with_refs(grads, ad.DontWant())(jnp.ones_like(value)) == (ad.GradRef(), ad.DidntWant())
            return total + value, None

        return lax.scan(step, 0.0, xs)[0]

    grads = fungrad.new_ref(jnp.zeros((3, 2)))
    total = wrap(accumulated)(w, xs, grads)
    wanted, gradient = fungrad.value_and_grad(lambda w: sum(loss(w, x) for x in xs))(w)
    np.testing.assert_allclose(total, wanted, rtol=1e-6)
    np.testing.assert_allclose(grads[...], gradient, rtol=1e-6)


@pytest.mark.parity
def test_agrees_with_jax():
    jax = pytest.importorskip("jax")

    def outcomes(lib):
        ref = lib.new_ref(lib.numpy.arange(3.0))

        def step(c, cell):
            cell[...] = cell[...] * 2 + c
            return c + cell[...], cell[...] - 1

        scanned = lib.lax.scan(step, 1.0, ref)
        dot = lib.new_ref(lib.numpy.ones(3))
        tangents = lib.jvp(lambda r: (r[...] ** 2).sum(), (ref,), (dot,))
        compiled = lib.jit(lambda r: r.__setitem__(0, r[1])).lower(ref).compile()
        compiled(ref)
        out, pull = lib.vjp(lambda x, y: (x * y).sum(), lib.numpy.ones(3), lib.numpy.arange(3.0))
        got = pull.with_refs(ref, lib.ad.GradValue())(1.0)[1]
        return [scanned, tangents, ref[...], dot[...], out, got]

    mine = fungrad.tree.leaves(outcomes(fungrad))
    theirs = jax.tree.leaves(outcomes(jax))
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)


# -- checkpoint --------------------------------------------------------------------------------------------------------


def as_argument(y, ref):
    out = y * ref[...]
    ref[...] += lax.stop_gradient(y)
    return jnp.sin(out)


def closing_over(ref):
    def f(y):
        return as_argument(y, ref)

    return lambda g: lambda y, _: g(f)(y)


NESTED = {
    "once": fungrad.checkpoint,
    "twice": lambda f: fungrad.checkpoint(fungrad.checkpoint(f)),
    "outside": lambda f: fungrad.checkpoint(fungrad.jit(f)),
    "inside": lambda f: fungrad.jit(fungrad.checkpoint(f)),
    "everything": lambda f: fungrad.checkpoint(f, policy=fungrad.checkpoint_policies.everything_saveable),
}


@pytest.mark.parametrize("wrap", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("closed", [False, True], ids=["argument", "closed over"])
def test_checkpointed_functions_write_to_references_from_outside(closed, wrap):
    plain, checkpointed = fungrad.new_ref(3.0), fungrad.new_ref(3.0)
    f = closing_over(checkpointed)(wrap) if closed else wrap(as_argument)
    for call in (lambda f, r: f(2.0, r), lambda f, r: fungrad.grad(f)(2.0, r), lambda f, r: fungrad.grad(f)(2.0, r)):
        assert np.isclose(call(f, checkpointed), call(as_argument, plain))
        assert held(checkpointed) == held(plain)
    with pytest.raises(ValueError, match="differentiated value on a non-differentiated array reference"):
        fungrad.grad(wrap(lambda y, ref: ref.addupdate(y) or y))(2.0, checkpointed)


def test_checkpointed_functions_read_what_references_hold_now():
    ref = fungrad.new_ref(1.0)
    f = fungrad.checkpoint(lambda x: x * ref[...])
    for value in (1.0, 5.0):
        ref[...] = value
        assert f(2.0) == 2 * value and fungrad.grad(f)(2.0) == value
        assert fungrad.vmap(f)(jnp.ones(2)).tolist() == [value, value]


@pytest.mark.parametrize(
    "call",
    [fungrad.jit, fungrad.checkpoint, lambda f: lambda *refs: lax.cond(True, f, f, *refs)],
    ids=["jit", "checkpoint", "cond"],
)
def test_a_reference_is_passed_once(call):
    ref = fungrad.new_ref(1.0)
    with pytest.raises(ValueError, match="only one reference to a mutable array .* appeared at both first and second"):
        call(lambda first, second: first[...] + second[...])(ref, ref)


# -- parts -------------------------------------------------------------------------------------------------------------

PARTS = {
    "slice": [np.s_[1:4]],
    "row": [np.s_[2]],
    "nested": [np.s_[1:4], np.s_[1:]],
    "everything": [np.s_[...], np.s_[3]],
    "positions": [np.s_[np.array([0, 2, 3])]],
    "two": [np.s_[:, 1:], np.s_[2]],
}


@both
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_parts_of_references(part, wrap):
    x = np.arange(15.0, dtype=np.float32).reshape(5, 3)

    def f(x):
        ref = fungrad.new_ref(x)
        view = ref
        for index in part:
            view = view.at[index]
        before = view[...]
        view[...] *= 2.0
        view[0] = before[0] * 5.0
        fungrad.ref.addupdate(view, -1, before[-1])
        return ref[...], before, view[...] if view.shape == before.shape else None

    def expected(x):
        where = np.arange(x.size).reshape(x.shape)
        for index in part:
            where = where[index]
        out = x.copy()
        before = x.reshape(-1)[where]
        after = before * 2
        after[0] = before[0] * 5
        after[-1] += before[-1]
        out.reshape(-1)[where] = after
        return out, before, after

    for got, want in zip(wrap(f)(x), expected(x), strict=True):
        np.testing.assert_allclose(got, want)
    weights = np.cos(x)
    slope = wrap(fungrad.grad(lambda x: jnp.sum(f(x)[0] * weights)))(x)
    np.testing.assert_allclose(slope, fungrad.jacfwd(lambda x: jnp.sum(f(x)[0] * weights))(x), rtol=1e-6)


def test_parts_check_their_index():
    ref = fungrad.new_ref(jnp.zeros(3))
    with pytest.raises(ValueError, match="Out of bound indexer: idx=5"):
        ref.at[5]
    with pytest.raises(ValueError, match="Out of bound indexer: idx=2"):
        ref.at[1:][2] = 1.0
    with pytest.raises(ValueError, match="Invalid shape for `swap`"):
        ref.at[1:][...] = jnp.zeros(3)
    assert ref[jnp.array([0, 1]),].shape == (2,)
