"""Collectives under vmap: values, derivatives, nesting, names and errors."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.context import AxisData, named_axis
from fungrad.core.primitive import Primitive
from fungrad.errors import UnboundAxisNameError
from fungrad.ops import collectives, exchanges
from fungrad.transforms.api import grad, jvp, vjp
from fungrad.transforms.inspection import make_jaxpr
from fungrad.transforms.mapping import vmap

XS = np.linspace(-1.5, 2.0, 12, dtype=np.float32).reshape(3, 4)
# For operations that need the mapped axis twice.
CUBE = np.linspace(-1.0, 1.5, 3 * 3 * 6, dtype=np.float32).reshape(3, 3, 6)
SHIFT = [(0, 1), (1, 2), (2, 0)]


def mapped(f, **options):
    return vmap(f, axis_name="i", **options)


def total(L, y):
    """Sum of all elements."""
    return L.reduce_sum(y, tuple(range(y.ndim)))


def first(L, x):
    """The first row."""
    return L.index_in_dim(x, 0, keepdims=False)


def close(actual, expected, rtol=1e-5):
    assert np.asarray(actual).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=rtol, atol=1e-6)


# Programs of one example, as functions of a `lax` module, with the batch that they are mapped over.
PROGRAMS = {
    "psum": (lambda L, x: L.psum(x, "i"), XS),
    "psum of a tuple": (lambda L, x: L.psum((x, 2.0), "i"), XS),
    "psum of a constant": (lambda L, x: L.psum(np.arange(4, dtype=np.float32), "i") + x, XS),
    "psum of a scalar": (lambda L, x: x * L.psum(2, "i"), XS),
    "psum of bool": (lambda L, x: L.psum(x > 0, "i"), XS),
    "psum of True": (lambda L, x: x + L.psum(True, "i"), XS),
    "psum of a list of names": (lambda L, x: L.psum(x, ["i"]), XS),
    "psum with a dimension": (lambda L, x: L.psum(x, ("i", 0)), XS),
    "psum of no names": (lambda L, x: L.psum(x, ()), XS),
    "pmean": (lambda L, x: L.pmean(x, "i"), XS),
    "pmean of bool": (lambda L, x: L.pmean(x > 0, "i"), XS),
    "pmean of a scalar": (lambda L, x: x * L.pmean(3, "i"), XS),
    "pmax": (lambda L, x: L.pmax(x * x, "i"), XS),
    "pmax of a constant": (lambda L, x: L.pmax(np.float32(3), "i") + x, XS),
    "pmax of bool": (lambda L, x: L.pmax(x > 0, "i"), XS),
    "pmin": (lambda L, x: L.pmin(x * x, "i"), XS),
    "all_gather": (lambda L, x: L.all_gather(x, "i"), XS),
    "all_gather, last": (lambda L, x: L.all_gather(x, "i", axis=-1), XS),
    "all_gather, tiled": (lambda L, x: L.all_gather(x, "i", tiled=True), XS),
    "all_gather, tiled, axis": (lambda L, x: L.all_gather(x, "i", axis=1, tiled=True), CUBE),
    "all_gather of a constant": (lambda L, x: L.all_gather(np.float32(2), "i") * first(L, x), XS),
    "all_to_all": (lambda L, x: L.all_to_all(x, "i", 0, 1), CUBE),
    "all_to_all in place": (lambda L, x: L.all_to_all(x, "i", 0, 0), CUBE),
    "all_to_all back": (lambda L, x: L.all_to_all(L.transpose(x, (1, 0)), "i", 1, 0), CUBE),
    "all_to_all, tiled": (lambda L, x: L.all_to_all(x, "i", 1, 0, tiled=True), CUBE),
    "all_to_all, tiled in place": (lambda L, x: L.all_to_all(x, "i", 1, 1, tiled=True), CUBE),
    "all_to_all of a constant": (lambda L, x: L.all_to_all(CUBE[0], "i", 0, 0) * x, CUBE),
    "pswapaxes": (lambda L, x: L.pswapaxes(x, "i", 0), CUBE),
    "ppermute": (lambda L, x: L.ppermute(x, "i", SHIFT), XS),
    "pshuffle": (lambda L, x: L.pshuffle(x, "i", [2, 0, 1]), XS),
    "psum_scatter": (lambda L, x: L.psum_scatter(x, "i"), CUBE),
    "psum_scatter, tiled": (
        lambda L, x: L.psum_scatter(x, "i", scatter_dimension=1, tiled=True),
        CUBE,
    ),
    "psum_scatter of a constant": (
        lambda L, x: L.psum_scatter(np.arange(3, dtype=np.float32), "i") * first(L, x),
        XS,
    ),
    "axis_index": (lambda L, x: x * L.axis_index("i"), XS),
    "axis_size": (lambda L, x: x * L.axis_size("i"), XS),
    "softmax": (lambda L, x: L.exp(x - L.pmax(x, "i")) / L.psum(L.exp(x - 1.0), "i"), XS),
}
# JAX exchanges a constant with itself along too many dimensions, and cannot transpose some
# exchanges.
WRONG_IN_JAX = ("all_to_all of a constant",)
WITHOUT_GRADIENT = (
    *("pmax", "pmax of a constant", "pmin", "softmax"),
    *("all_to_all", "all_to_all back", *WRONG_IN_JAX),
)


def of_floats(name):
    return not any(word in name for word in ("bool", "True", "tuple"))


differentiable = pytest.mark.parametrize("name", [n for n in PROGRAMS if of_floats(n)])


def scalar_loss(L, f):
    """A function to differentiate in which all results of a program count differently."""

    def loss(x):
        y = f(L, x * x + x)
        weights = np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape)
        return total(L, y * y * weights)

    return loss


# -- against JAX -----------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("name", [n for n in PROGRAMS if n not in WRONG_IN_JAX])
def test_values_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    f, xs = PROGRAMS[name]
    expected = jax.vmap(lambda x: f(jax.lax, x), axis_name="i")(jax.numpy.asarray(xs))
    actual = mapped(lambda x: f(lax, x))(xs)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        close(a, e)


@pytest.mark.parity
@differentiable
def test_gradients_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    if name in WITHOUT_GRADIENT:
        pytest.skip("JAX has no rule or a wrong one")
    f, xs = PROGRAMS[name]
    jxs = jax.numpy.asarray(xs)
    ours, theirs = scalar_loss(lax, f), scalar_loss(jax.lax, f)
    close(mapped(grad(ours))(xs), jax.vmap(jax.grad(theirs), axis_name="i")(jxs), 1e-4)

    def outside(v, L, loss):
        return lambda x: total(L, v(loss, axis_name="i")(x))

    close(grad(outside(vmap, lax, ours))(xs), jax.grad(outside(jax.vmap, jax.lax, theirs))(jxs), 1e-4)
    tangent = mapped(lambda x: jvp(ours, (x,), (x,))[1])(xs)
    close(tangent, jax.vmap(lambda x: jax.jvp(theirs, (x,), (x,))[1], axis_name="i")(jxs), 1e-4)
    second = mapped(grad(lambda x: total(lax, grad(ours)(x))))(xs)
    theirs_twice = jax.grad(lambda x: total(jax.lax, jax.grad(theirs)(x)))
    expected = jax.vmap(theirs_twice, axis_name="i")(jxs)
    close(second, expected, 1e-3)


@pytest.mark.parity
@pytest.mark.parametrize("f", [
    lambda L, x: L.psum(x, ("i", "j")),
    lambda L, x: L.pmean(x, ("j", "i")) + L.psum(x, "j"),
    lambda L, x: L.pmax(x, ("j", "i")),
    lambda L, x: x * L.axis_index(("j", "i")) + L.axis_index("j"),
    lambda L, x: x * L.axis_size(("j", "i")),
    lambda L, x: L.all_gather(x, "i") + first(L, L.all_gather(x, "j")),
    lambda L, x: L.all_to_all(L.all_gather(x, "j") * x, "j", 0, 0),
    lambda L, x: L.ppermute(x, "j", [(0, 1), (1, 2), (2, 3), (3, 0)]) + L.psum(x, "i"),
])  # fmt: skip
def test_nested_axes_are_those_of_jax(f):
    jax = pytest.importorskip("jax")

    def nested(v, L, xs):
        return v(v(lambda x: f(L, x), axis_name="j"), axis_name="i")(xs)

    close(nested(vmap, lax, XS), nested(jax.vmap, jax.lax, jax.numpy.asarray(XS)))


@pytest.mark.parity
@pytest.mark.parametrize("f", [
    lambda L, x: L.psum(x, "i"),
    lambda L, x: L.psum((x, 2.0), ("i", "j")),
    lambda L, x: L.pmean(x, "i"),
    lambda L, x: L.pmax(x, ("j", "i")),
    lambda L, x: L.pmin(x, "i"),
    lambda L, x: L.all_gather(x, ("i", "j"), axis=1, tiled=True),
    lambda L, x: L.all_gather(x, "i"),
    lambda L, x: L.all_to_all(x, "i", 0, 0),
    lambda L, x: L.all_to_all(x, "i", 0, 1, tiled=True),
    lambda L, x: L.ppermute(x, "i", SHIFT),
    lambda L, x: L.pshuffle(x, "i", [2, 0, 1]),
    lambda L, x: L.axis_index("i"),
    lambda L, x: L.psum_scatter(x, "i"),
    lambda L, x: L.psum_scatter(x, "i", tiled=True),
    lambda L, x: L.pbroadcast(x, "i", 0),
    lambda L, x: L.pswapaxes(x, "i", 0),
])  # fmt: skip
def test_jaxprs_are_those_of_jax(f):
    jax = pytest.importorskip("jax")
    axes = [("i", 3), ("j", 2)]
    x = np.ones((3, 4), np.float32)
    ours = make_jaxpr(lambda x: f(lax, x), axis_env=axes)(x)
    theirs = jax.make_jaxpr(lambda x: f(jax.lax, x), axis_env=axes)(x)
    assert " ".join(str(ours).split()) == " ".join(str(theirs).split())


# -- against NumPy ---------------------------------------------------------------------------------


@differentiable
@pytest.mark.parametrize("mode", ["outside", "inside"])
def test_derivatives_agree_with_differences(name, mode):
    f, xs = PROGRAMS[name]
    xs = xs.astype(np.float64)
    v = np.sin(np.arange(xs.size, dtype=np.float64)).reshape(xs.shape)

    with fungrad.enable_x64():
        loss = scalar_loss(lax, f)

        def run(x):
            return mapped(loss)(x)

        h = 1e-6
        difference = (np.asarray(run(xs + h * v)) - np.asarray(run(xs - h * v))) / (2 * h)
        if mode == "outside":
            tangent = jvp(run, (xs,), (v,))[1]
            (back,) = vjp(run, xs)[1](np.ones(3))
            slope = float((np.asarray(back) * v).sum())
            np.testing.assert_allclose(slope, difference.sum(), rtol=1e-6, atol=1e-6)
        else:
            tangent = mapped(lambda x, v: jvp(loss, (x,), (v,))[1])(xs, v)
        np.testing.assert_allclose(np.asarray(tangent), difference, rtol=1e-6, atol=1e-6)


def test_permutation_of_some_leaves_zeros():
    f = mapped(lambda x: lax.ppermute(x, "i", [(0, 1), (2, 0)]))
    close(f(XS), np.stack([XS[2], XS[0], np.zeros(4, np.float32)]))
    close(mapped(lambda x: lax.ppermute(np.float32(2), "i", [(0, 1)]))(XS), np.float32([0, 2, 0]))
    close(mapped(lambda x: lax.ppermute(x, "i", []))(XS), np.zeros_like(XS))
    _, pull = vjp(f, XS)
    close(pull(XS)[0], np.stack([XS[1], np.zeros(4, np.float32), XS[0]]))


def test_broadcast_from_one_member():
    f = mapped(lambda x: lax.pbroadcast(x, "i", 1) * x)
    close(f(XS), XS[1] * XS)
    close(mapped(lambda x: lax.pbroadcast(2.0, "i", 1))(XS), np.float32([2, 2, 2]))
    inside = mapped(grad(lambda x: total(lax, lax.pbroadcast(x, "i", 1) * XS[0])))(XS)
    close(inside, np.stack([0 * XS[0], 3 * XS[0], 0 * XS[0]]))


def test_maximum_shares_its_derivative_among_ties():
    xs = np.float32([1, 3, 3])
    close(mapped(grad(lambda x: lax.pmax(x, "i")))(xs), np.float32([0, 1.5, 1.5]))
    close(grad(lambda x: first(lax, mapped(lambda y: lax.pmin(y, "i"))(x)))(xs), np.float32([1, 0, 0]))


NESTED = np.arange(2 * 3 * 12, dtype=np.float32).reshape(2, 3, 12)


def nested(f, xs=NESTED):
    """Maps over the axes i (2 members) and j (3 members, inner)."""
    return vmap(vmap(f, axis_name="j"), axis_name="i")(xs)


@pytest.mark.parametrize("names", [("i", "j"), ("j", "i")])
def test_gathering_over_two_names(names):
    everything = NESTED if names == ("i", "j") else NESTED.swapaxes(0, 1)
    flat = everything.reshape(6, 12)
    out = np.asarray(nested(lambda x: lax.all_gather(x, names)))
    assert out.shape == (2, 3, 6, 12)
    close(out[1, 2], flat)
    last = np.asarray(nested(lambda x: lax.all_gather(x, names, axis=1)))
    close(last[0, 1], flat.T)
    tiled = np.asarray(nested(lambda x: lax.all_gather(x, names, tiled=True)))
    close(tiled[1, 0], flat.reshape(72))


@pytest.mark.parametrize("names", [("i", "j"), ("j", "i")])
def test_scattering_over_two_names(names):
    total = NESTED.sum((0, 1))

    def place(parts):
        order = (2, 3) if names == ("i", "j") else (3, 2)
        parts = parts.reshape(*order, -1)
        return parts if names == ("i", "j") else parts.swapaxes(0, 1)

    close(nested(lambda x: lax.psum_scatter(x, names, tiled=True)), place(total.reshape(6, 2)))
    halves = NESTED.reshape(2, 3, 6, 2)
    scattered = nested(lambda x: lax.psum_scatter(x, names), halves)
    close(scattered, place(halves.sum((0, 1))))


@pytest.mark.parametrize("names", [("i", "j"), ("j", "i")])
@pytest.mark.parametrize(("split", "concat"), [(0, 0), (0, 1), (1, 0)])
def test_exchanging_over_two_names(names, split, concat):
    xs = np.arange(2 * 3 * 6 * 12, dtype=np.float32).reshape(2, 3, 6, 12)
    members = (xs if names == ("i", "j") else xs.swapaxes(0, 1)).reshape(6, 6, 12)
    parts = [np.split(m, 6, split) for m in members]
    expected = np.stack([np.concatenate([p[k] for p in parts], concat) for k in range(6)])
    expected = expected.reshape(2, 3, *expected.shape[1:]) if names == ("i", "j") else (
        expected.reshape(3, 2, *expected.shape[1:]).swapaxes(0, 1)
    )  # fmt: skip
    out = nested(lambda x: lax.all_to_all(x, names, split, concat, tiled=True), xs)
    close(out, expected)


def test_permuting_over_two_names():
    pairs = [(0, 5), (4, 1), (5, 0)]
    expected = np.zeros((6, 12), np.float32)
    for source, destination in pairs:
        expected[destination] = NESTED.reshape(6, 12)[source]
    close(nested(lambda x: lax.ppermute(x, ("i", "j"), pairs)), expected.reshape(2, 3, 12))


def test_collectives_of_the_outer_axis_pass_the_inner_one():
    def f(x):
        scattered = lax.psum_scatter(lax.slice(x, (0,), (2,)), "i")
        return lax.psum(x, "i") + lax.reduce_sum(lax.all_gather(x, "i"), (0,)) + scattered

    def g(x):
        y = total(lax, lax.all_to_all(lax.slice(x, (0,), (2,)), "i", 0, 0))
        y = y + lax.ppermute(x, "i", [(0, 1), (1, 0)])
        return y + lax.pbroadcast(x, "i", 1) + lax.pmax(x, "i")

    for h in (f, g):
        loop = [vmap(h, axis_name="i")(NESTED[:, k]) for k in range(3)]
        close(nested(h), np.stack([np.asarray(x) for x in loop], 1))


def test_inner_axis_shadows_an_outer_one_of_the_same_name():
    def f(x):
        return vmap(lambda y: lax.psum(y, "i"), axis_name="i")(x) + lax.psum(x, "i")

    close(mapped(f)(XS), XS.sum(1, keepdims=True) + XS.sum(0))


def test_empty_axes():
    empty = np.zeros((0, 3), np.float32)
    close(mapped(lambda x: lax.psum(x, "i"), out_axes=None)(empty), np.zeros(3, np.float32))
    assert mapped(lambda x: lax.all_gather(x, "i"))(empty).shape == (0, 0, 3)
    assert mapped(lambda x: x + lax.axis_index("i"))(empty).shape == (0, 3)
    assert mapped(lambda x: lax.ppermute(x, "i", []))(empty).shape == (0, 3)
    assert mapped(lambda x: lax.pmax(x, "i"))(empty).shape == (0, 3)


def test_results_that_all_members_share_are_not_mapped():
    for f in (
        lambda x: lax.psum(x, "i"),
        lambda x: lax.pmin(x, "i"),
        lambda x: lax.all_gather(x, "i"),
        lambda x: lax.pbroadcast(x, "i", 0),
    ):
        assert mapped(f, out_axes=None)(XS).shape == f_shape(f)


def f_shape(f):
    return make_jaxpr(f, axis_env=[("i", 3)])(XS[0]).out_avals[0].shape


def test_sum_of_a_number_is_a_number():
    seen = []

    def f(x):
        seen.append((lax.psum(1, "i"), lax.psum(2.5, "i"), lax.axis_size("i")))
        return x

    mapped(f)(XS)
    assert seen == [(3, 7.5, 3)]
    assert [type(v) for v in seen[0]] == [int, float, int]


def test_sum_of_small_integers_wraps():
    xs = np.full((300,), 1, np.uint8)
    assert np.asarray(mapped(lambda x: lax.psum(x, "i"))(xs))[0] == 300 % 256
    assert np.asarray(mapped(lambda x: lax.psum(np.uint8(1), "i"))(xs))[0] == 300 % 256


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in PROGRAMS if "no names" not in n])
def test_unbound_names_are_errors(name):
    f, xs = PROGRAMS[name]
    with pytest.raises(UnboundAxisNameError, match=r"fungrad\.lax\.\w+: unbound axis name 'i'"):
        f(lax, fungrad.numpy.asarray(xs[0]))
    with pytest.raises(UnboundAxisNameError, match=r"names in scope: \['k'\]"):
        vmap(lambda x: f(lax, x), axis_name="k")(xs)


def test_wrong_arguments():
    def run(f, xs=XS):
        return mapped(f)(xs)

    with pytest.raises(ValueError, match="distinct"):
        run(lambda x: lax.psum(x, ("i", "i")))
    with pytest.raises(NotImplementedError, match="axis_index_groups"):
        run(lambda x: lax.psum(x, "i", axis_index_groups=[[0, 1], [2]]))
    with pytest.raises(ValueError, match=r"all_gather: axis 2 is out of bounds"):
        run(lambda x: lax.all_gather(x, "i", axis=2))
    with pytest.raises(ValueError, match=r"all_to_all: without tiled, .* must be 3"):
        run(lambda x: lax.all_to_all(x, "i", 0, 0))
    with pytest.raises(ValueError, match=r"all_to_all: .* multiple of 3"):
        run(lambda x: lax.all_to_all(x, "i", 0, 0, tiled=True))
    with pytest.raises(ValueError, match=r"psum_scatter: .* equal to 3"):
        run(lambda x: lax.psum_scatter(x, "i"))
    with pytest.raises(ValueError, match=r"ppermute: every destination"):
        run(lambda x: lax.ppermute(x, "i", [(0, 1), (1, 1)]))
    with pytest.raises(ValueError, match=r"ppermute: every source .* \[0, 3\)"):
        run(lambda x: lax.ppermute(x, "i", [(5, 1)]))
    with pytest.raises(ValueError, match="pshuffle: perm must be a permutation of the 3"):
        run(lambda x: lax.pshuffle(x, "i", [0, 0, 1]))
    with pytest.raises(ValueError, match=r"pbroadcast: source must be in \[0, 3\)"):
        run(lambda x: lax.pbroadcast(x, "i", 3))
    with pytest.raises(ValueError, match="pbroadcast: expected one axis name"):
        run(lambda x: lax.pbroadcast(x, ("i", "j"), 0))
    with pytest.raises(TypeError, match=r"psum: x must be an array"):
        run(lambda x: lax.psum("text", "i"))


def test_a_collective_cannot_run_for_one_member_alone():
    with named_axis(AxisData("i", 3)), pytest.raises(RuntimeError, match="psum over"):
        lax.psum_p.bind(np.float32(1), axes=("i",), axis_index_groups=None)


def test_every_collective_says_its_names():
    found = [p for p in Primitive.instances.values() if isinstance(p, collectives.Collective)]
    assert len(found) == 16
    for p in found:
        assert p.uses_axis_names
        assert p.axis_names({p.param: ("i", "j")}) == ("i", "j")
        assert p.axis_names({p.param: "i"}) == ("i",)
    assert exchanges.all_gather_p in found


def test_compiled_programs_have_no_collectives():
    """Named axes are removed by vmap, inside of jitted functions and of loops too, before anything is compiled."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)

    def centred(x):
        i = lax.axis_index("i").astype(jnp.float32)
        return x - lax.pmean(x, "i") + lax.ppermute(x, "i", [(0, 1), (1, 2), (2, 0)]) * i + lax.pmax(x, "i")

    def looped(x):
        return lax.scan(lambda c, _: (lax.psum(c, "i") * 0.5 + centred(c), None), x, None, 3)[0]

    for f in (centred, fungrad.jit(centred), looped, fungrad.jit(looped), fungrad.checkpoint(looped)):
        mapped = fungrad.vmap(f, axis_name="i")
        compiled = fungrad.jit(mapped)
        assert "host" not in compiled.lower(x).as_text("steps")
        np.testing.assert_allclose(np.asarray(compiled(x)), np.asarray(mapped(x)), rtol=1e-6)
    with pytest.raises(UnboundAxisNameError):
        fungrad.jit(centred)(x)


def exchanged(operand, output, begin, sent, into, per_member):
    """What `ragged_all_to_all` gives to all members, written slice by slice."""
    out = output.copy()
    for member in range(len(operand)):
        for i in range(begin.shape[1]):
            source, which = i // per_member, member * per_member + i % per_member
            start, count, at = (x[source, which] for x in (begin, sent, into))
            out[member, at : at + count] = operand[source, start : start + count]
    return out


@pytest.mark.parametrize(("size", "per_member"), [(2, 1), (3, 2)])
def test_ragged_exchanges(size, per_member):
    rng = np.random.default_rng(size)
    slices = size * per_member
    sent = rng.integers(0, 3, (size, slices))
    begin, into = np.cumsum(sent, 1) - sent, np.zeros_like(sent)
    received = []
    for member in range(size):
        theirs = [(s, member * per_member + j) for s in range(size) for j in range(per_member)]
        counts = np.array([sent[t] for t in theirs])
        for t, place in zip(theirs, np.cumsum(counts) - counts, strict=True):
            into[t] = place
        received.append(counts)
    operand, output = rng.normal(size=(2, size, 3 * slices, 2)).astype(np.float32)
    f = fungrad.vmap(lambda *args: lax.ragged_all_to_all(*args, axis_name="i"), axis_name="i")
    rest = (begin, sent, into, np.stack(received))
    want = exchanged(operand, output, begin, sent, into, per_member)
    for g in (f, fungrad.jit(f)):
        np.testing.assert_array_equal(g(operand, output, *rest), want)
    fungrad.test_util.check_grads(lambda x, y: f(x, y, *rest), (operand, output), order=1)


def test_ragged_exchanges_check_their_arguments():
    x, n = np.ones((2, 4), np.float32), np.zeros((2, 2), np.int32)

    def call(*args):
        return fungrad.vmap(lambda *args: lax.ragged_all_to_all(*args, axis_name="i"), axis_name="i")(*args)

    for args, message in (
        ((x, x.astype(np.int32), n, n, n, n), "operand and output must agree"),
        ((x, x, n.astype(np.float32), n, n, n), "input_offsets must be of integer type"),
        ((x, x, n, n[:, 0], n, n), "send_sizes must have one dimension"),
        ((x, x, n[:, :1], n[:, :1], n, n), "must have one length"),
        ((x, x, *[np.zeros((2, 3), np.int32)] * 4), "must be a multiple of the size of axis 'i', 2"),
    ):
        with pytest.raises(ValueError, match=message):
            call(*args)
