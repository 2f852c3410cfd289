"""What is around optimizers: functions of trees, clips for examples, microbatches, lookahead, names and errors."""

import functools
import inspect

import numpy as np
import pytest
from test_optimizers import arrays, compare, outline

import fungrad
import fungrad.numpy as jnp
from fungrad import optim, random, tree
from fungrad.tree_util import keystr

X = {"a": np.float32([[1.0, -2.0], [3.0, 4.0]]), "b": (np.float32(0.5), np.float32([2.0, -1.0, 0.0]))}
Y = {"a": np.float32([[0.5, 2.0], [-3.0, 1.0]]), "b": (np.float32(-2.0), np.float32([1.0, 1.5, 2.0]))}
Z = {"a": X["a"] + 1j * Y["a"], "b": X["b"]}

FUNCTIONS = {
    "add": lambda t, x, y, z: t.add(x, y, x),
    "sub": lambda t, x, y, z: t.sub(x, y),
    "mul": lambda t, x, y, z: t.mul(x, y),
    "div": lambda t, x, y, z: t.div(x, y),
    "scale": lambda t, x, y, z: t.scale(0.5, z),
    "add_scale": lambda t, x, y, z: t.add_scale(x, 0.5, y),
    "vdot": lambda t, x, y, z: t.vdot(x, y),
    "vdot, complex": lambda t, x, y, z: t.vdot(z, z),
    "sum": lambda t, x, y, z: t.sum(z),
    "sum, associative": lambda t, x, y, z: t.sum(x, associative_reduction=True),
    "max": lambda t, x, y, z: t.max(x),
    "min": lambda t, x, y, z: t.min(x),
    "size": lambda t, x, y, z: t.size(x),
    "conj": lambda t, x, y, z: t.conj(z),
    "real": lambda t, x, y, z: t.real(z),
    "norm": lambda t, x, y, z: t.norm(z),
    "norm, squared": lambda t, x, y, z: t.norm(z, squared=True),
    "norm, 1": lambda t, x, y, z: t.norm(x, ord=1),
    "norm, inf": lambda t, x, y, z: t.norm(z, ord="inf", squared=True),
    "batch_shape": lambda t, x, y, z: t.batch_shape(x, (2, 3)),
    "zeros_like": lambda t, x, y, z: t.zeros_like(z),
    "ones_like": lambda t, x, y, z: t.ones_like(x, dtype="bfloat16"),
    "full_like": lambda t, x, y, z: t.full_like(x, 3.0),
    "clip": lambda t, x, y, z: t.clip(x, -1.0, 2.0),
    "clip, above": lambda t, x, y, z: t.clip(x, max_value=2.0),
    "where": lambda t, x, y, z: t.where(True, x, y),
    "allclose": lambda t, x, y, z: t.allclose(x, x),
    "update_moment": lambda t, x, y, z: t.update_moment(x, y, 0.9, 3),
    "update_moment, none": lambda t, x, y, z: t.update_moment(None, y, 0.9, 1),
    "update_infinity_moment": lambda t, x, y, z: t.update_infinity_moment(x, y, 0.9, 1e-8),
    "update_moment_per_elem_norm": lambda t, x, y, z: t.update_moment_per_elem_norm(z, y, 0.9, 2),
    "update_moment_per_elem_norm, 3": lambda t, x, y, z: t.update_moment_per_elem_norm(z, y, 0.9, 3),
    "bias_correction": lambda t, x, y, z: t.bias_correction(x, 0.9, 3 + 0 * t.size(x)),
    "cast": lambda t, x, y, z: t.cast(x, "bfloat16"),
    "cast, none": lambda t, x, y, z: t.cast(x, None),
    "cast_like": lambda t, x, y, z: t.cast_like(x, t.cast(y, "float16")),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_trees_are_those_of_optax(name):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    if name == "bias_correction":
        got = optim.tree.bias_correction(arrays(jnp.asarray, X), 0.9, jnp.int32(3))
        expected = optax.tree.bias_correction(arrays(jax.numpy.asarray, X), 0.9, jax.numpy.int32(3))
    else:
        got = FUNCTIONS[name](optim.tree, *[arrays(jnp.asarray, t) for t in (X, Y, Z)])
        expected = FUNCTIONS[name](optax.tree, *[arrays(jax.numpy.asarray, t) for t in (X, Y, Z)])
    if isinstance(expected, (int, bool)):
        assert got == expected
    else:
        compare(got, expected, 1e-5)


@pytest.mark.parity
def test_names_and_signatures_are_those_of_optax():
    optax = pytest.importorskip("optax")
    # No public interface.
    absent = {"experimental", "functools", "typing"}
    wrong = []
    for path in ("", "transforms", "schedules", "contrib", "tree", "tree_utils", "second_order", "microbatching"):
        theirs, ours = [functools.reduce(getattr, path.split(".") if path else [], lib) for lib in (optax, optim)]
        for name in sorted(set(dir(theirs)) - absent):
            if name.startswith("_"):
                continue
            if not hasattr(ours, name):
                wrong.append(f"{path}.{name} is missing")
                continue
            one, other = getattr(theirs, name), getattr(ours, name)
            if hasattr(one, "_fields"):
                if one._fields != other._fields or one.__name__ != other.__name__:
                    wrong.append(f"{path}.{name} has other fields")
            elif inspect.isfunction(one):
                parameters = [list(inspect.signature(f).parameters.values()) for f in (one, other)]
                named = [[(p.name, p.kind) for p in ps if p.kind is not p.VAR_POSITIONAL] for ps in parameters]
                if named[0] != named[1]:
                    wrong.append(f"{path}.{name} has other parameters: {named}")
                for a, b in zip(*parameters, strict=False):
                    known = isinstance(a.default, (int, float, str, tuple, type(None)))
                    plain = known and not hasattr(a.default, "init")
                    if plain and a.default != b.default:
                        wrong.append(f"{path}.{name}: default of {a.name}")
    assert not wrong, "\n".join(wrong)


def test_what_is_in_states():
    opt = optim.chain(optim.adam(0.1), optim.named_chain(("first", optim.ema(0.9)), ("second", optim.scale(2.0))))
    state = opt.init({"w": jnp.ones(2)})
    paths = ["".join(f"/{step}" for step in path) for path, _ in optim.tree.get_all_with_path(state, "count")]
    assert len(paths) == 2 and paths[0].endswith("ScaleByAdamState.count") and paths[1].endswith("EmaState.count")
    with pytest.raises(KeyError, match="2 times"):
        optim.tree.get(state, "count")
    only = lambda path, value: any(str(step).startswith("EmaState") for step in path)  # noqa: E731
    assert int(optim.tree.get(state, "count", filtering=only)) == 0
    assert optim.tree.get(state, "no such name", default=7) == 7
    assert type(optim.tree.get(state, "EmaState")).__name__ == "EmaState"
    changed = optim.tree.set(state, only, count=jnp.int32(5))
    assert int(optim.tree.get(changed, "count", filtering=only)) == 5 and int(changed[0][0].count) == 0
    assert outline(changed) == outline(state)
    with pytest.raises(KeyError, match="nothing in the tree is called 'rate'"):
        optim.tree.set(state, rate=1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.adamw(0.1),
        lambda: optim.adafactor(0.1),
        lambda: optim.masked(optim.adam(0.1), {"w": True, "b": False}),
        lambda: optim.partition({"x": optim.adam(0.1), "y": optim.sgd(0.1, 0.9)}, {"w": "x", "b": "y"}),
        lambda: optim.inject_hyperparams(optim.rmsprop)(0.1),
        lambda: optim.scale_by_amsgrad(),
    ],
)
def test_parameters_in_states_are_mapped(make):
    params = {"w": jnp.ones((4, 3)), "b": jnp.ones(3)}
    opt = make()
    state = opt.init(params)
    mapped = optim.tree.map_params(opt, lambda x: x + 1, state, transform_non_params=lambda x: x)
    assert outline(mapped) == outline(state)
    pairs = zip(tree.leaves(state), tree.leaves(mapped), strict=True)
    moved = [not np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs]
    assert any(moved)
    for (path, _), changed in zip(tree.flatten_with_path(state)[0], moved, strict=True):
        if "count" in keystr(path) or "hyperparams" in keystr(path):
            assert not changed


def test_dtypes_of_trees():
    mixed = [jnp.ones(1), jnp.ones(1, "bfloat16")]
    assert optim.tree.dtype(mixed, "highest") == jnp.float32 and optim.tree.dtype(mixed, "lowest") == jnp.bfloat16
    assert optim.tree.dtype([mixed[1], jnp.ones(1, "float16")], "promote") == jnp.float32
    with pytest.raises(ValueError, match=r"tree\[1\] has dtype bfloat16"):
        optim.tree.dtype(mixed)
    with pytest.raises(ValueError, match="neither"):
        optim.tree.dtype([mixed[1], jnp.ones(1, "float16")], "lowest")


@pytest.mark.parity
def test_random_trees_and_noise_are_those_of_optax():
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    got = optim.tree.random_like(random.key(3), arrays(jnp.asarray, X))
    expected = optax.tree.random_like(jax.random.key(3), arrays(jax.numpy.asarray, X))
    compare(got, expected, 1e-5)
    grads = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    results = []
    for lib, np_ in ((optim, jnp), (optax, jax.numpy)):
        opt = lib.contrib.dpsgd(0.1, 1.0, 0.5, seed=4, momentum=0.9)
        state = opt.init(np_.zeros(3))
        for _ in range(2):
            updates, state = opt.update(np_.asarray(grads), state)
        results.append(np.asarray(updates))
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-6)


@pytest.mark.parity
def test_clips_for_examples_are_those_of_optax():
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=(4, 3, 2)).astype(np.float32), rng.normal(size=(4,)).astype(np.float32)]
    grads[0][2], grads[1][2] = 0, 0
    for call in (
        lambda o, g: o.per_example_global_norm_clip(g, 1.0),
        lambda o, g: o.per_example_layer_norm_clip(g, 1.0),
        lambda o, g: o.per_example_layer_norm_clip(g, 1.0, uniform=False),
    ):
        got, expected = call(optim, arrays(jnp.asarray, grads)), call(optax, arrays(jax.numpy.asarray, grads))
        for a, b in zip(tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"grads\[1\]"):
        optim.per_example_global_norm_clip([jnp.ones((3, 2)), jnp.ones((2, 2))], 1.0)


@pytest.mark.parity
@pytest.mark.parametrize("reset", [False, True])
def test_lookahead_is_that_of_optax(reset):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    results = []
    for lib, array in ((optim, jnp.asarray), (optax, jax.numpy.asarray)):
        opt = lib.lookahead(lib.adam(0.1), 3, 0.5, reset_state=reset)
        params = lib.LookaheadParams.init_synced(arrays(array, X))
        state = opt.init(params)
        for step in range(5):
            gradient = arrays(array, tree.map(lambda x: x * (step + 1), Y))
            updates, state = opt.update(gradient, state, params)
            params = lib.apply_updates(params, updates)
        results.append((params, state))
    compare(*results, 1e-4)


def test_averages_of_parameters():
    new, old = arrays(jnp.asarray, X), arrays(jnp.asarray, Y)
    moved = optim.incremental_update(new, old, 0.25)
    compare(moved, tree.map(lambda a, b: 0.25 * a + 0.75 * b, X, Y), 1e-6)
    step = fungrad.jit(lambda n: optim.periodic_update(new, old, n, 3))
    for n in range(4):
        compare(step(jnp.int32(n)), X if n % 3 == 0 else Y, 1e-7)


def test_optimizers_without_state_pass_none():
    opt = optim.adam(0.1)
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    state = opt.init(params)
    updates, state = opt.update({"a": jnp.ones(2), "b": None}, state, params)
    assert updates["b"] is None
    assert optim.apply_updates(params, updates)["b"] is params["b"]


def test_transformations_of_users_need_no_keywords():
    plain = optim.GradientTransformation(lambda params: (), lambda updates, state, params=None: (updates, state))
    opt = optim.chain(plain, optim.polyak_sgd())
    x = jnp.ones(2)
    updates, _ = opt.update(x, opt.init(x), x, value=1.0)
    assert bool(jnp.all(updates < 0))
    assert isinstance(opt, optim.GradientTransformationExtraArgs)


def test_skipped_updates_leave_everything_alone():
    x = jnp.ones(2)
    bad = jnp.array([1.0, jnp.nan])
    opt = optim.apply_if_finite(optim.adam(0.1), max_consecutive_errors=2)
    state = opt.init(x)
    _, state = opt.update(x, state)
    for count in (1, 2):
        updates, after = opt.update(bad, state)
        assert updates.tolist() == [0, 0] and int(after.notfinite_count) == int(after.total_notfinite) == count
        compare(after.inner_state, state.inner_state, 0)
        state = after
    updates, state = opt.update(bad, state)
    assert bool(jnp.isnan(updates[1]))

    steps = optim.MultiSteps(optim.adam(0.1), 2, should_skip_update_fn=optim.skip_not_finite)
    state = steps.init(x)
    _, state = steps.update(x, state)
    updates, after = steps.update(bad, state)
    assert updates.tolist() == [0, 0] and int(after.mini_step) == 1 and bool(after.skip_state["should_skip"])
    updates, after = steps.update(x, after)
    assert bool(steps.has_updated(after)) and bool(jnp.all(updates < 0))
    skip = functools.partial(optim.skip_large_updates, max_squared_norm=4.0)
    large = optim.MultiSteps(optim.sgd(1.0), 1, should_skip_update_fn=skip)
    assert large.update(3 * x, large.init(x))[0].tolist() == [0, 0]


def crossed():
    """Muon whose rows are its columns."""
    numbers = {"w": optim.contrib.MuonDimensionNumbers(0, 0), "b": None}
    return optim.contrib.muon(0.1, muon_weight_dimension_numbers=numbers)


ERRORS = {
    "mask": (lambda p: optim.masked(optim.adam(0.1), {"w": True}).init(p), ValueError, r"optim\.masked: .*mask.*'b'"),
    "mask of adamw": (
        lambda p: optim.adamw(0.1, mask={"w": True, "c": False}).init(p), ValueError, r"optim\.adamw: .*mask.*params"
    ),
    "label": (
        lambda p: optim.partition({"x": optim.adam(0.1)}, {"w": "x", "b": "y"}).init(p),
        ValueError, r"optim\.partition: param_labels\['b'\] is 'y'",
    ),
    "state": (
        lambda p: optim.rmsprop(0.1).update(p, optim.rmsprop(0.1).init({"w": p["w"]})),
        ValueError, r"optim\.rmsprop: state"
    ),
    "state of another": (
        lambda p: optim.lion(0.1).update(p, optim.adam(0.1).init(p), p),
        TypeError, r"optim\.lion: state must be that of"
    ),
    "shape of state": (
        lambda p: optim.yogi(0.1).update(p, optim.yogi(0.1).init({"w": jnp.ones(5), "b": p["b"]})),
        ValueError, r"optim\.yogi: .*\['w'\].* shape \(5,\)",
    ),
    "swapped": (lambda p: optim.adan(0.1).update(optim.adan(0.1).init(p), p, p), TypeError, r"optim\.adan: .*swapped"),
    "params": (
        lambda p: optim.lars(0.1).update(p, optim.lars(0.1).init(p)),
        ValueError, r"optim\.lars: .*needs the parameters",
    ),
    "rate": (lambda p: optim.lamb("0.1"), TypeError, r"optim\.lamb: learning_rate must be a real number or a function"),
    "none": (lambda p: optim.radam(None), TypeError, r"optim\.radam: learning_rate must be"),
    "integers": (lambda p: optim.nadam(0.1).init({"n": jnp.arange(3)}), TypeError, r"optim\.nadam: params\['n'\]"),
    "value": (
        lambda p: optim.polyak_sgd().update(p, optim.polyak_sgd().init(p)),
        TypeError, r"optim\.polyak_sgd: .*value=",
    ),
    "every": (lambda p: optim.MultiSteps(optim.adam(0.1), "2"), TypeError, r"optim\.MultiSteps: every_k_schedule"),
    "period": (lambda p: optim.lookahead(optim.adam(0.1), 0, 0.5), ValueError, r"optim\.lookahead: sync_period"),
    "names": (
        lambda p: optim.named_chain(("a", optim.adam(0.1)), ("a", optim.sgd(0.1))), ValueError, "given once, got a, a"
    ),
    "mode": (lambda p: optim.scale_by_lion(mode="soft"), ValueError, r"optim\.scale_by_lion: mode must be one of"),
    "axes": (
        lambda p: crossed().update(p, crossed().init(p), p),
        ValueError, r"optim\.contrib\.muon: .*must be different axes",
    ),
    "plateau": (lambda p: optim.contrib.reduce_on_plateau(factor=2.0), ValueError, "factor must be between 0 and 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_optimizer_the_argument_and_the_place(name):
    call, kind, text = ERRORS[name]
    with pytest.raises(kind, match=f"(?s){text}"):
        call({"w": jnp.ones((4, 3)), "b": jnp.ones(3)})


@pytest.mark.parity
def test_microbatches_are_those_of_optax():
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    w, x, y = [rng.normal(size=s).astype(np.float32) for s in ((3,), (12, 3), (12,))]

    def loss(w, x, y):
        return ((x @ w - y) ** 2).sum()

    for kind in ("SUM", "MEAN", "RUNNING_MEAN"):
        for real in (None, 2):
            results = []
            for lib, array, grad in ((optim, jnp.asarray, fungrad.grad), (optax, jax.numpy.asarray, jax.grad)):
                accumulator = getattr(lib.microbatching.AccumulationType, kind)
                f = lib.microbatching.microbatch(grad(loss), (1, 2), 4, accumulator, num_real_microbatches=real)
                results.append(np.asarray(f(array(w), array(x), array(y))))
            np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)
    results = []
    for lib, np_ in ((optim, jnp), (optax, jax.numpy)):
        f = lib.microbatching.micro_grad(
            loss, batch_argnums=(1, 2), microbatch_size=3, transform_fn=lambda g: g / 2, metrics_fn=lambda g: g.sum()
        )
        total, aux = f(np_.asarray(w), np_.asarray(x), np_.asarray(y))
        results.append([np.asarray(v) for v in (total, aux.values, aux.metrics)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        np.asarray(optim.microbatching.reshape_batch_axis(jnp.asarray(x), 4)),
        np.asarray(optax.microbatching.reshape_batch_axis(jax.numpy.asarray(x), 4)),
    )


def test_microbatches_give_what_the_batch_gives():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(6, 2)), "float32")
    kinds = optim.microbatching.AccumulationType
    f = lambda x: {"sum": jnp.sum(x, axis=0), "rows": x * 2}  # noqa: E731
    parts = optim.microbatch(f, 0, 2, {"sum": kinds.SUM, "rows": kinds.CONCAT})
    for g in (parts, fungrad.jit(parts)):
        compare(g(x), f(x), 1e-5)
    compare(fungrad.grad(lambda x: parts(x)["sum"][0])(x), fungrad.grad(lambda x: f(x)["sum"][0])(x), 1e-6)
    mapped = optim.microbatching.micro_vmap(lambda x, s: x * s, (0, None), microbatch_size=3)
    compare(mapped(x, 3.0), 3.0 * x, 1e-6)
    with pytest.raises(ValueError, match="6 examples, which is no multiple of microbatch_size = 4"):
        optim.microbatch(f, 0, 4)(x)
    with pytest.raises(TypeError, match="MEAN needs results of floating-point"):
        optim.microbatch(lambda x: jnp.argmax(x), 0, 2, kinds.MEAN)(x)


def test_normal_numbers_with_parameters():
    stats = pytest.importorskip("scipy.stats")
    normal = optim.multi_normal(jnp.array([1.0, 2.0]), jnp.array([0.0, 0.5]))
    x = np.float32([[0.3, 1.0], [2.0, -1.0]])
    expected = stats.norm.logpdf(x, [1.0, 2.0], np.exp([0.0, 0.5])).sum(-1)
    np.testing.assert_allclose(np.asarray(normal.log_prob(jnp.asarray(x))), expected, rtol=1e-5)
    sample = np.asarray(normal.sample((4000,), random.key(0)))
    np.testing.assert_allclose(sample.mean(0), [1, 2], atol=0.1)
    np.testing.assert_allclose(sample.std(0), np.exp([0, 0.5]), rtol=0.1)
    assert normal.params[1] is normal.log_scale


def test_scaled_gradients_and_safe_norms():
    f = lambda x: jnp.sum(optim.scale_gradient({"x": x}, 0.25)["x"] ** 2)  # noqa: E731
    np.testing.assert_allclose(np.asarray(fungrad.grad(f)(jnp.array([1.0, 2.0]))), [0.5, 1.0])
    np.testing.assert_allclose(np.asarray(fungrad.grad(lambda x: optim.scale_gradient(x, 0.0) ** 2)(3.0)), 0.0)
    for g in (lambda x: optim.safe_norm(x, 1e-3), lambda x: optim.safe_root_mean_squares(x, 1e-3)):
        assert fungrad.grad(g)(jnp.zeros(3)).tolist() == [0, 0, 0]
    x = jnp.array([3.0, 4.0])
    assert float(optim.safe_norm(x, 10.0)) == 10.0 and float(optim.safe_norm(x, 0.0, ord=jnp.inf)) == 4.0
    np.testing.assert_allclose(float(optim.safe_norm(x, 0.0, ord=3)), (27 + 64) ** (1 / 3), rtol=1e-6)
    m = jnp.array([[1.0, -2.0], [3.0, 4.0]])
    for order in (None, "fro", 1, -1, jnp.inf, -jnp.inf):
        expected = np.linalg.norm(np.asarray(m), order)
        np.testing.assert_allclose(float(optim.safe_norm(m, 0.0, ord=order)), expected, rtol=1e-6)
    columns = np.linalg.norm(np.asarray(m), axis=0)
    np.testing.assert_allclose(np.asarray(optim.safe_norm(m, 0.0, axis=0)), columns, rtol=1e-6)


def inverse_root(a, p):
    values, vectors = np.linalg.eigh(a)
    return vectors @ np.diag(values ** (-1 / p)) @ vectors.T


def test_shampoo_is_its_formula():
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(4, 3)) for _ in range(3)]
    opt = optim.contrib.scale_by_shampoo(eps=1e-3)
    state = opt.init(jnp.zeros((4, 3), "float64"))
    left, right = 1e-3 * np.eye(4), 1e-3 * np.eye(3)
    for g in gradients:
        left, right = left + g @ g.T, right + g.T @ g
        updates, state = opt.update(jnp.asarray(g, "float64"), state)
        np.testing.assert_allclose(np.asarray(updates), inverse_root(left, 4) @ g @ inverse_root(right, 4), rtol=1e-8)
    # A vector gets a full matrix, a number and an axis that is too long the root of the sum of squares.
    v = np.float64([3.0, 4.0])
    updates, _ = opt.update(jnp.asarray(v, "float64"), opt.init(jnp.asarray(v, "float64")))
    np.testing.assert_allclose(np.asarray(updates), inverse_root(1e-3 * np.eye(2) + np.outer(v, v), 2) @ v, rtol=1e-8)
    short = optim.contrib.scale_by_shampoo(eps=0.0, max_size=2)
    x = {"n": jnp.array(2.0), "v": jnp.array([1.0, -2.0, 5.0])}
    updates, _ = short.update(x, short.init(x))
    assert float(updates["n"]) == 1.0 and updates["v"].tolist() == [1, -1, 1]


@pytest.mark.parametrize("name", ["scale_by_shampoo", "scale_by_soap"])
def test_matrices_that_are_factorised_together_are_those_of_each_leaf(name):
    rng = np.random.default_rng(0)
    shapes = {"a": (4, 3), "b": (3, 3), "c": (3,), "d": (), "e": (2, 3, 4)}
    gradients = [{k: jnp.asarray(rng.normal(size=s), "float64") for k, s in shapes.items()} for _ in range(3)]
    opt = getattr(optim.contrib, name)(eps=1e-3)
    state, alone = opt.init(gradients[0]), {k: opt.init(g) for k, g in gradients[0].items()}
    for g in gradients:
        updates, state = fungrad.jit(opt.update)(g, state)
        for k in shapes:
            update, alone[k] = opt.update(g[k], alone[k])
            np.testing.assert_allclose(updates[k], update, rtol=1e-9)


@pytest.mark.parametrize(
    "make", [lambda: optim.contrib.scale_by_shampoo(), lambda: optim.contrib.scale_by_soap(update_interval=2)]
)
def test_preconditioning_by_axes_turns_with_the_axes(make):
    rng = np.random.default_rng(0)
    u, v = [np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (4, 3)]
    results = []
    for turn in (lambda g: g, lambda g: u @ g @ v.T):
        opt = make()
        state = opt.init(jnp.zeros((4, 3), "float64"))
        gradients = np.random.default_rng(1).normal(size=(4, 4, 3))
        for g in gradients:
            updates, state = opt.update(jnp.asarray(turn(g), "float64"), state)
        results.append(np.asarray(updates))
    np.testing.assert_allclose(results[1], u @ results[0] @ v.T, atol=1e-5)


def test_soap_without_axes_is_adam():
    x = {"n": jnp.array(2.0), "v": jnp.array([1.0, -2.0, 5.0])}
    results = []
    for opt in (optim.contrib.scale_by_soap(0.9, 0.99, max_size=2), optim.scale_by_adam(0.9, 0.99)):
        state = opt.init(x)
        for k in range(3):
            updates, state = opt.update(tree.map(lambda p: p * (k + 1), x), state)
        results.append(updates)
    compare(*results, 1e-6)


@pytest.mark.parity
def test_galore_is_that_of_optax():
    """In its updates: the signs of singular vectors, and so the moments, may be others."""
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    shapes = {"w": (5, 4), "v": (2, 3, 4), "b": (4,)}
    gradients = [{k: np.float32(rng.normal(size=s)) for k, s in shapes.items()} for _ in range(5)]
    results = []
    for lib, array in ((optim, jnp.asarray), (optax, jax.numpy.asarray)):
        number = lib.contrib.GaLoreDimensionNumbers
        numbers = {"w": number(), "v": number((0, 2), 1), "b": None}
        opt = lib.contrib.galore(0.1, 2, 3, 0.5, weight_dimension_numbers=numbers)
        params = arrays(array, gradients[0])
        state = opt.init(params)
        for g in gradients:
            updates, state = opt.update(arrays(array, g), state, params)
        results.append((updates, state[0].projector))
    compare(results[0][0], results[1][0], 1e-3)
    assert outline(results[0][1]) == outline(results[1][1])


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        ({"w": jnp.ones(3)}, r"adamw: updates: .*missing \['b'\].*structure of params"),
        ({"w": jnp.ones(4), "b": jnp.ones(2)}, r"adamw: updates\['w'\] has shape \(4,\), .* has shape \(3,\)"),
    ],
    ids=["structure", "shape"],
)
def test_updates_are_blamed_where_state_and_parameters_agree(updates, words):
    params = {"w": jnp.ones(3), "b": jnp.ones(2)}
    optimizer = optim.adamw(1e-3)
    with pytest.raises(ValueError, match=words) as caught:
        optimizer.update(updates, optimizer.init(params), params)
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match="apply_updates: updates") as caught:
        optim.apply_updates(params, updates)
    assert caught.value.__context__ is None
