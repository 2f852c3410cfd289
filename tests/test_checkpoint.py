"""Checkpointing: derivatives are the same, and only what a policy names is kept."""

import contextlib
import io

import numpy as np
import pytest

import fungrad
import fungrad.ad_checkpoint
import fungrad.numpy as fnp
from fungrad import ad_checkpoint as ad, checkpoint_policies as policies, lax
from fungrad.ad_checkpoint import checkpoint_name, print_saved_residuals
from fungrad.core.ir import subjaxprs
from fungrad.jit.passes import run_passes
from fungrad.transforms.checkpointing import saved_residuals

X = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)

POLICIES = [
    ("none", lambda p: None),
    ("everything", lambda p: p.everything_saveable),
    ("nothing", lambda p: p.nothing_saveable),
    ("dots", lambda p: p.dots_saveable),
    ("checkpoint dots", lambda p: p.checkpoint_dots),
    ("no batch dots", lambda p: p.dots_with_no_batch_dims_saveable),
    ("only names", lambda p: p.save_only_these_names("a")),
    ("other names", lambda p: p.save_any_names_but_these("a")),
    ("all but names", lambda p: p.save_anything_except_these_names("a")),
    ("both", lambda p: p.save_from_both_policies(p.dots_saveable, p.save_only_these_names("a"))),
]


@pytest.fixture(scope="module")
def jax():
    pytest.importorskip("jax.ad_checkpoint")
    return pytest.importorskip("jax")


def layers(lib):
    name = lib.ad_checkpoint.checkpoint_name

    def f(x, w):
        y = name(lib.numpy.sin(x @ w), "a")
        z = name(lib.numpy.sin(y @ w), "b")
        return lib.numpy.exp(lib.numpy.cos(z)) * x

    return f


def derivative(lib, f, order=1):
    for _ in range(order):
        f = (lambda f: lib.grad(lambda x, w: lib.numpy.sum(f(x, w))))(f)
    return f


TRANSFORMS = {
    "value": lambda lib, f: f,
    "grad": derivative,
    "jit grad": lambda lib, f: lib.jit(derivative(lib, f)),
    "grad jit": lambda lib, f: derivative(lib, lib.jit(f)),
    "jvp": lambda lib, f: lambda x, w: lib.jvp(f, (x, w), (w, x)),
    "jit jvp": lambda lib, f: lib.jit(lambda x, w: lib.jvp(f, (x, w), (w, x))),
    "vmap grad": lambda lib, f: lambda x, w: lib.vmap(derivative(lib, f), (0, None))(x[None] * x[:, None], w),
    "grad vmap": lambda lib, f: lambda x, w: derivative(lib, lib.vmap(f, (0, None)))(x[None] * x[:, None], w),
    "jit grad vmap": lambda lib, f: lib.jit(
        lambda x, w: derivative(lib, lib.vmap(f, (None, 0)))(x, w[None] * w[:, None])
    ),
    "order 2": lambda lib, f: derivative(lib, f, 2),
    "jit order 2": lambda lib, f: lib.jit(derivative(lib, f, 2)),
    "grad jit grad": lambda lib, f: derivative(lib, lib.jit(derivative(lib, f))),
    "forward over reverse": lambda lib, f: lambda x, w: lib.jvp(derivative(lib, f), (x, w), (w, x)),
    "jacrev": lambda lib, f: lib.jacrev(f, 1),
    "nested": lambda lib, f: derivative(lib, lib.checkpoint(lambda x, w: f(f(x, w), w))),
    "linearize": lambda lib, f: lambda x, w: lib.linearize(f, x, w)[1](w, x),
}


@pytest.mark.parity
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("policy", [name for name, _ in POLICIES])
def test_derivatives_against_jax(jax, transform, policy):
    choose = dict(POLICIES)[policy]
    f = fungrad.checkpoint(layers(fungrad), policy=choose(policies))
    got = TRANSFORMS[transform](fungrad, f)(fnp.asarray(X), fnp.asarray(W))
    wanted = TRANSFORMS[transform](jax, layers(jax))(jax.numpy.asarray(X), jax.numpy.asarray(W))
    for g, w in zip(fungrad.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        assert g.shape == w.shape and g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=2e-4, atol=2e-4 * np.abs(np.asarray(w)).max())


def printed_types(lib, f, *args):
    """Type and kind of origin of every saved value, as printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        lib.ad_checkpoint.print_saved_residuals(f, *args)
    return sorted(line.split()[0] for line in out.getvalue().splitlines())


@pytest.mark.parity
@pytest.mark.parametrize("policy", [name for name, _ in POLICIES])
def test_saved_residuals_against_jax(jax, policy):
    choose = dict(POLICIES)[policy]

    def saved(lib, x, w):
        return printed_types(lib, lib.checkpoint(layers(lib), policy=choose(lib.checkpoint_policies)), x, w)

    got = saved(fungrad, X, W)
    wanted = saved(jax, X, W)
    assert got == wanted


def test_saved_residuals_are_named():
    origins = [origin for _, origin in saved_residuals(fungrad.checkpoint(layers(fungrad)), X, W)]
    assert origins == ["from the argument x", "from the argument w"]
    named = fungrad.checkpoint(layers(fungrad), policy=policies.save_only_these_names("a", "b"))
    origins = [origin.split(" from")[0] for _, origin in saved_residuals(named, X, W)]
    assert origins == ["from the argument x", "from the argument w", "named 'a'", "named 'b'"]
    constant = fnp.arange(3.0)
    lines = saved_residuals(lambda d: fnp.sin(d["v"]) * constant, {"v": fnp.ones(3)})
    assert [origin.split(" from")[0] for _, origin in lines] == ["output of cos", "from a constant"]
    assert saved_residuals(lambda x, k=2.0: x * 2.0, 1.0) == []
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print_saved_residuals(fungrad.jit(lambda a, b: a * b), fnp.ones(2), b=fnp.ones(2))
    assert out.getvalue().splitlines() == [
        "f32[2] from the argument a",
        "f32[2] from the argument b",
    ]


@pytest.mark.parity
def test_jaxprs_print_as_in_jax(jax):
    def f(lib):
        g = lib.checkpoint(lambda x, y: lib.numpy.sin(lib.numpy.sin(x) * y))
        return lambda x: g(x, x)

    x = np.ones(3, np.float32)
    assert str(fungrad.make_jaxpr(f(fungrad))(x)) == str(jax.make_jaxpr(f(jax))(x))
    name = [str(lib.make_jaxpr(lambda x: lib.ad_checkpoint.checkpoint_name(x, "a"))(x)) for lib in (fungrad, jax)]
    assert name[0] == name[1]


def count(jaxpr, name):
    inside = sum(count(j, name) for j in subjaxprs(jaxpr))
    return inside + sum(eqn.primitive.name == name for eqn in jaxpr.eqns)


def chain(x):
    return fnp.sin(fnp.sin(fnp.sin(x)))


def test_recomputation_survives_compilation():
    """Nothing merges the recomputed values with those of the forward pass."""
    x = fnp.ones(3)
    plain = fungrad.make_jaxpr(fungrad.jit(fungrad.value_and_grad(lambda x: fnp.sum(chain(x)))))(x)
    checkpointed = fungrad.make_jaxpr(
        fungrad.jit(fungrad.value_and_grad(lambda x: fnp.sum(fungrad.checkpoint(chain)(x))))
    )(x)
    assert count(run_passes(plain), "sin") == 3
    # The last sine is not needed by the derivative, so the second pass computes two.
    assert count(run_passes(checkpointed), "sin") == 5
    assert count(run_passes(checkpointed), "remat2") == 0
    everything = fungrad.make_jaxpr(
        fungrad.value_and_grad(lambda x: fnp.sum(fungrad.checkpoint(chain, policy=policies.everything_saveable)(x)))
    )(x)
    assert count(run_passes(everything), "sin") == 3


def test_forward_pass_computes_nothing_for_the_derivative():
    jaxpr = fungrad.make_jaxpr(lambda x: fungrad.vjp(fungrad.checkpoint(chain), x)[0])(1.0)
    assert count(jaxpr, "cos") == 0 and count(jaxpr, "sin") == 3


def test_second_order_keeps_only_arguments():
    f = fungrad.checkpoint(chain)
    kinds = {origin for _, origin in saved_residuals(fungrad.vmap(fungrad.grad(f)), fnp.ones(3))}
    assert all("sin" not in k and "cos" not in k for k in kinds), kinds


def test_functions_are_traced_once():
    traces = []

    @fungrad.checkpoint
    def f(x):
        traces.append(1)
        return fnp.sin(x) * x

    x = fnp.float32(0.5)
    for _ in range(3):
        np.testing.assert_allclose(fungrad.grad(f)(x), np.sin(0.5) + 0.5 * np.cos(0.5), rtol=1e-6)
    assert len(traces) == 1


def test_policies_look_into_nested_jit():
    f = fungrad.checkpoint(lambda x, w: fnp.sum(fungrad.jit(layers(fungrad))(x, w)), policy=policies.dots_saveable)
    origins = [origin for _, origin in saved_residuals(f, X, W)]
    assert sum("dot_general" in o for o in origins) == 2
    np.testing.assert_allclose(fungrad.grad(f)(X, W), derivative(fungrad, layers(fungrad))(X, W), rtol=1e-4, atol=1e-4)


def test_policies_get_primitive_types_and_parameters():
    seen = []

    def policy(primitive, *avals, **params):
        seen.append((primitive.name, [a.str_short() for a in avals], sorted(params)))
        return False

    fungrad.grad(fungrad.checkpoint(lambda x: fnp.sum(fnp.sin(fnp.sin(x))), policy=policy))(X)
    assert ("sin", ["f32[3,3]"], []) in seen


def test_dots_with_batch_dimensions_are_told_apart():
    def f(x):
        return fnp.sum(fnp.sin(fnp.einsum("bij,bjk->bik", x, x)))

    x = fnp.ones((2, 3, 3))
    with_batch = fungrad.checkpoint(f, policy=policies.dots_saveable)
    without = fungrad.checkpoint(f, policy=policies.dots_with_no_batch_dims_saveable)
    assert len(saved_residuals(with_batch, x)) == 2 and len(saved_residuals(without, x)) == 1


def test_decorator_static_arguments_and_trees():
    @fungrad.checkpoint(static_argnums=(1,), static_argnames="mode")
    def f(d, power, *, mode="add"):
        y = d["a"] ** power
        return {"y": y + d["b"] if mode == "add" else y * d["b"]}

    d = {"a": fnp.float32(2.0), "b": fnp.float32(3.0)}
    assert float(f(d, 2)["y"]) == 7.0 and float(f(d, 2, mode="mul")["y"]) == 12.0
    g = fungrad.grad(lambda d: f(d, 3, mode="mul")["y"])(d)
    assert (float(g["a"]), float(g["b"])) == (36.0, 8.0)
    assert float(fungrad.jit(fungrad.grad(lambda d: f(d, 3)["y"]))(d)["a"]) == 12.0
    # Static arguments need not hash.
    assert float(fungrad.grad(fungrad.checkpoint(lambda x, n: x * n[0], static_argnums=-1))(1.0, [4])) == 4.0


def test_integers_and_unused_arguments():
    f = fungrad.checkpoint(lambda x, n, unused: (fnp.sin(x) * n, n + 1))
    x = fnp.float32(0.5)
    g = fungrad.grad(lambda x, n, u: f(x, n, u)[0], (0, 2))(x, 3, 1.0)
    np.testing.assert_allclose(g, [3 * np.cos(0.5), 0.0], rtol=1e-6)
    _, pullback = fungrad.vjp(f, x, 3, 1.0)
    cts = pullback((1.0, np.zeros((), fungrad.float0)))
    assert cts[1].dtype == fungrad.float0 and float(cts[2]) == 0.0
    assert fungrad.grad(lambda x: f(2.0, 1, 3.0)[0])(x).tolist() == 0.0


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_empty_arrays(shape):
    f = fungrad.checkpoint(chain)
    assert fungrad.grad(lambda x: fnp.sum(f(x)))(fnp.zeros(shape)).shape == shape


def test_closed_over_values_are_differentiated():
    def h(y):
        return fungrad.checkpoint(lambda x: fnp.sin(x) * y * y)(2.0)

    for g in (fungrad.grad(h), fungrad.jit(fungrad.grad(h)), fungrad.grad(fungrad.jit(h))):
        np.testing.assert_allclose(g(3.0), 6.0 * np.sin(2.0), rtol=1e-6)
    constants = np.arange(3.0, dtype=np.float32)
    f = fungrad.checkpoint(lambda x: fnp.sum(fnp.sin(x) * constants))
    np.testing.assert_allclose(fungrad.jit(fungrad.grad(f))(fnp.ones(3)), constants * np.cos(1.0), rtol=1e-6)


def test_loops():
    step = fungrad.checkpoint(lambda c: fnp.sin(c * 1.1))

    def loop(f):
        return lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=4)[0]

    x = fnp.float32(0.7)
    wanted = fungrad.grad(loop(lambda c: fnp.sin(c * 1.1)))(x)
    for f in (loop(step), fungrad.checkpoint(loop(step))):
        g = fungrad.grad(f)
        np.testing.assert_allclose(fungrad.jit(g)(x), g(x), rtol=1e-5)
    np.testing.assert_allclose(fungrad.grad(loop(step))(x), wanted, rtol=1e-5)
    np.testing.assert_allclose(
        fungrad.grad(fungrad.grad(loop(step)))(x),
        fungrad.grad(fungrad.grad(loop(lambda c: fnp.sin(c * 1.1))))(x),
        rtol=1e-4,
    )


def test_collectives():
    f = fungrad.checkpoint(lambda x: fnp.sin(x) * lax.psum(x, "i"))
    g = lambda f: fungrad.grad(lambda x: fnp.sum(fungrad.vmap(f, axis_name="i")(x)))  # noqa: E731
    x = fnp.arange(3.0)
    np.testing.assert_allclose(g(f)(x), g(f.__wrapped__)(x), rtol=1e-6)


def test_compiled_results_are_used_only_as_far_as_needed():
    """Cotangents of one output only: the other output is not recomputed."""
    f = fungrad.checkpoint(lambda x, y: (chain(x), fnp.tanh(fnp.tanh(y))))
    jaxpr = fungrad.make_jaxpr(fungrad.grad(lambda x, y: f(x, y)[0]))(1.0, 1.0)
    assert count(run_passes(jaxpr), "tanh") == 0


def test_names():
    f = lambda x: checkpoint_name({"p": x, "q": (x * 2.0,)}, "a")  # noqa: E731
    assert float(f(3.0)["q"][0]) == 6.0
    assert float(fungrad.jit(fungrad.grad(lambda x: f(x)["q"][0]))(3.0)) == 2.0
    assert fungrad.vmap(f)(fnp.arange(2.0))["p"].tolist() == [0.0, 1.0]
    assert float(fungrad.linear_transpose(lambda x: checkpoint_name(x, "a"), 1.0)(2.0)[0]) == 2.0
    assert repr(policies.save_only_these_names("b", "a")) == "save_only_these_names('a', 'b')"
    assert policies.save_only_these_names("a") == policies.save_only_these_names("a")


@pytest.mark.parametrize(
    "run, error, message",
    [
        (
            lambda: fungrad.checkpoint(3),
            TypeError,
            "fungrad.checkpoint: fun must be a function or None, got 3",
        ),
        (
            lambda: fungrad.checkpoint(lambda x: x, concrete=True),
            NotImplementedError,
            "declare arguments that decide Python control flow in static_argnums",
        ),
        (
            lambda: fungrad.checkpoint(lambda x, n: x, static_argnums=(3,))(1.0, 2),
            ValueError,
            r"static_argnums=\(3,\), but <lambda> was called with 2 positional",
        ),
        (
            lambda: fungrad.checkpoint(lambda x, n: x)(1.0, "a"),
            TypeError,
            "an argument of <lambda>: .* must be an array or a scalar, got 'a'",
        ),
        (
            lambda: fungrad.checkpoint(lambda x: x if x > 0 else -x)(1.0),
            fungrad.errors.TracerBoolConversionError,
            "fungrad.checkpoint: the truth value of a traced array .* argument x",
        ),
    ],
)
def test_messages(run, error, message):
    with pytest.raises(error, match=message):
        run()


def checkpointed(lib):
    """A function checkpointed with each policy."""
    np_, name = lib.numpy, lib.ad_checkpoint.checkpoint_name
    p = lib.checkpoint_policies

    def f(w, x):
        y = name(np_.sin(x @ w), "a")
        z = name(np_.cos(y @ w), "b")
        return (z * np_.exp(z)).sum()

    either = p.save_from_both_policies(p.save_only_these_names("a"), p.dots_saveable)
    moved = p.save_and_offload_only_these_names(
        names_which_can_be_saved=["a"],
        names_which_can_be_offloaded=["b"],
        offload_src="device",
        offload_dst="pinned_host",
    )
    return {
        "none": f,
        "nothing": lib.checkpoint(f, policy=p.nothing_saveable),
        "everything": lib.checkpoint(f, policy=p.everything_saveable),
        "dots": lib.checkpoint(f, policy=p.dots_saveable),
        "dots without batch": lib.checkpoint(f, policy=p.dots_with_no_batch_dims_saveable),
        "moved dots": lib.checkpoint(f, policy=p.offload_dot_with_no_batch_dims("device", "pinned_host")),
        "only a": lib.checkpoint(f, policy=p.save_only_these_names("a")),
        "not a": lib.checkpoint(f, policy=p.save_any_names_but_these("a")),
        "except a": lib.checkpoint(f, policy=p.save_anything_except_these_names("a")),
        "either": lib.checkpoint(f, policy=either),
        "moved": lib.checkpoint(f, policy=moved),
    }


@pytest.mark.parity
@pytest.mark.parametrize("policy", list(checkpointed(fungrad)))
def test_policies_save_what_jax_saves(policy):
    jax = pytest.importorskip("jax")
    pytest.importorskip("jax.ad_checkpoint")
    internal = pytest.importorskip("jax._src.ad_checkpoint")
    w, x = np.full((3, 3), 0.5, np.float32), np.ones((2, 3), np.float32)
    f, g = checkpointed(fungrad)[policy], checkpointed(jax)[policy]
    ours = sorted(a.shape for a, _ in fungrad.ad_checkpoint.saved_residuals(f, w, x))
    assert ours == sorted(a.shape for a, _ in internal.saved_residuals(g, w, x))
    for wrap in (fungrad.grad(f), fungrad.jit(fungrad.grad(f))):
        np.testing.assert_allclose(wrap(w, x), jax.grad(g)(w, x), rtol=1e-5)


def test_names_are_saved_or_moved():
    with pytest.raises(ValueError, match="'b' cannot be both saved and offloaded"):
        fungrad.checkpoint_policies.save_and_offload_only_these_names(
            names_which_can_be_saved=["a", "b"], names_which_can_be_offloaded=["b"]
        )


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_looks_at_values_does_so_again_where_they_are_computed_again(compiled, ordered):
    seen = []

    def f(x):
        y = fnp.sin(x)
        fungrad.debug.callback(lambda v: seen.append(round(float(v), 2)), y, ordered=ordered)
        return fnp.sin(y)

    def seen_by(fun, policy=None):
        seen.clear()
        of = fun(fungrad.checkpoint(f, policy=policy))
        (fungrad.jit(of) if compiled else of)(2.0)
        fungrad.effects_barrier()
        return list(seen)

    assert seen_by(lambda f: f) == [0.91]
    assert seen_by(fungrad.grad) == [0.91] * 2
    assert seen_by(fungrad.grad, fungrad.checkpoint_policies.everything_saveable) == [0.91]
    assert seen_by(lambda f: fungrad.grad(fungrad.grad(f))) == [0.91] * 3
    assert seen_by(lambda f: fungrad.grad(lambda x: lax.scan(lambda c, _: (f(c), None), x, length=2)[0])) == [
        0.91, 0.71, 0.71, 0.91,
    ]  # fmt: skip


def test_policies_answer_in_several_ways():
    f = lambda x: fnp.sin(fnp.sin(x))  # noqa: E731
    answers = {ad.Recompute: 1, ad.Saveable: 2, ad.Offloadable("device", "pinned_host"): 2, False: 1, True: 2}
    for answer, kept in answers.items():
        of = fungrad.checkpoint(f, policy=lambda *_, answer=answer, **__: answer)
        assert len(saved_residuals(of, 2.0)) == kept, answer
        np.testing.assert_allclose(fungrad.grad(of)(2.0), fungrad.grad(f)(2.0), rtol=1e-6)
    for wrong in (ad.Offloadable, 1, None):
        with pytest.raises(TypeError, match="must return a bool, Recompute, Saveable or Offloadable"):
            fungrad.grad(fungrad.checkpoint(f, policy=lambda *_, wrong=wrong, **__: wrong))(2.0)
