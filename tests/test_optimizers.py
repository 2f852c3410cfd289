"""Every optimizer, transformation and schedule against optax, and by itself: types, structure, jit, donation, edges."""

import dataclasses

import numpy as np
import pytest
from optimizer_cases import CASES

import fungrad
import fungrad.numpy as jnp
from fungrad import optim, tree
from fungrad.tree_util import keystr

STEPS = 4


def numbers(case, dtype="float32", seed=0):
    """Parameters, one array of every number of axes."""
    rng = np.random.default_rng(seed)

    def array(*shape):
        x = rng.normal(size=shape)
        if np.dtype(dtype).kind == "c":
            x = x + 1j * rng.normal(size=shape)
        return np.asarray(x, dtype)

    return {"w": array(4, 3), "b": (array(3), array() if case.scalars else array(2))}


def run(lib, case, params, gradients, update, steps=STEPS):
    """Parameters, updates and state after some steps."""
    optimizer = case.make(lib)
    state = optimizer.init(params)
    history = []
    for step in range(steps):
        updates, state = update(optimizer)(gradients[step], state, params, **case.extra(step))
        history.append(updates)
        params = lib.apply_updates(params, updates)
    return params, history, state


def outline(x):
    """A tree as nested plain Python, the same for both libraries: names of classes, fields, keys, dtypes, shapes."""
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x).__name__, {field: outline(getattr(x, field)) for field in x._fields}
    if isinstance(x, dict):
        return {k: outline(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return [outline(v) for v in x]
    if x is None:
        return None
    if is_key(x):
        return "key", tuple(x.shape)
    return str(x.dtype), tuple(x.shape)


def leaves_of(x):
    if isinstance(x, dict):
        return [leaf for k in sorted(x) for leaf in leaves_of(x[k])]
    if isinstance(x, (tuple, list)):
        return [leaf for v in x for leaf in leaves_of(v)]
    return [] if x is None else [x]


def is_key(x):
    return "key" in str(x.dtype)


def plain(x):
    x = np.asarray(x)
    return x.astype(complex if x.dtype.kind == "c" else float)


def compare(got, expected, tolerance, atol=1e-6):
    assert outline(got) == outline(expected)
    for a, b in zip(leaves_of(got), leaves_of(expected), strict=True):
        if not is_key(a):
            half = a.dtype.itemsize == 2 and np.asarray(a).dtype.kind not in "iub"
            rtol = max(tolerance, 3e-2) if half else tolerance
            np.testing.assert_allclose(plain(a), plain(b), rtol=rtol, atol=max(atol, 1e-3 * half))


def gradients_of(params, n=STEPS):
    return [numbers_like(params, 1 + i) for i in range(n)]


def numbers_like(params, seed):
    rng = np.random.default_rng(seed)

    def array(p):
        x = rng.normal(size=p.shape)
        return np.asarray(x + 1j * rng.normal(size=p.shape) if p.dtype.kind == "c" else x, p.dtype)

    return tree.map(array, params)


def arrays(lib_array, values):
    return tree.map(lib_array, values)


def eagerly(optimizer):
    return optimizer.update


def dtypes_of(case):
    return ["float32", *(["bfloat16"] if case.half else []), *(["complex64"] if case.complex else [])]


@pytest.mark.parity
@pytest.mark.parametrize(
    "name, dtype",
    [
        pytest.param(name, dtype, marks=[pytest.mark.slow] if dtype != "float32" else [])
        for name, case in CASES.items()
        for dtype in dtypes_of(case)
        if case.in_optax
    ],
)
def test_values_and_states_are_those_of_optax(name, dtype):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    case = CASES[name]
    dtype = jnp.dtype(dtype)
    params = numbers(case, dtype)
    gradients = gradients_of(params)
    got = run(optim, case, arrays(jnp.asarray, params), arrays(jnp.asarray, gradients), eagerly)
    expected = run(optax, case, arrays(jax.numpy.asarray, params), arrays(jax.numpy.asarray, gradients), eagerly)
    compare(got, expected, case.tolerance)


@pytest.mark.parametrize(
    "name, dtype",
    [
        pytest.param(name, dtype, marks=[pytest.mark.slow] if dtype != "float32" else [])
        for name, case in CASES.items()
        for dtype in dtypes_of(case)
    ],
)
def test_compiled_and_donated_steps_are_those_outside_of_jit(name, dtype):
    case = CASES[name]
    start = numbers(case, jnp.dtype(dtype))
    params = arrays(jnp.asarray, start)
    gradients = arrays(jnp.asarray, gradients_of(start))
    expected = run(optim, case, params, gradients, eagerly)
    optimizer = case.make(optim)
    traces = 0

    functions = {k: v for k, v in case.extra(0).items() if callable(v)}

    def step(gradient, state, params, extra):
        nonlocal traces
        traces += 1
        updates, state = optimizer.update(gradient, state, params, **extra, **functions)
        return optim.apply_updates(params, updates), updates, state

    compiled = fungrad.jit(step, donate_argnums=(1, 2))
    own = tree.map(jnp.array, params)
    state = optimizer.init(own)
    state = tree.map(jnp.array, state)  # what init shares between states cannot be donated twice
    history = []
    for i in range(STEPS):
        own, updates, state = compiled(
            gradients[i], state, own, {k: v for k, v in case.extra(i).items() if not callable(v)}
        )
        history.append(updates)
    # Compiled code rounds to 16 bits less often.
    compare((own, history, state), expected, max(case.tolerance, 2e-5), 4e-3 if dtype == "bfloat16" else 1e-6)
    assert traces == 1 + case.retraces


@pytest.mark.slow
@pytest.mark.parity
# The function that Sophia differentiates takes trees without holes.
@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.in_optax and "obj_fn" not in case.extra(0)])
def test_masked_optimizers_are_those_of_optax(name):
    """Each sees a tree with holes: ``MaskedNode`` in place of a parameter."""
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    case = CASES[name]
    mask = {"w": True, "b": (False, True)}
    masked = dataclasses.replace(case, make=lambda o: o.masked(case.make(o), mask))
    start = numbers(case)
    got, expected = (
        run(lib, masked, arrays(array, start), arrays(array, gradients_of(start)), eagerly)
        for lib, array in ((optim, jnp.asarray), (optax, jax.numpy.asarray))
    )
    compare(got, expected, case.tolerance)


@pytest.mark.parametrize("name", CASES)
def test_updates_and_states_keep_their_types(name):
    """Which a compiled loop needs: a step can be the body of a scan."""
    case = CASES[name]
    params = arrays(jnp.asarray, numbers(case))
    optimizer = case.make(optim)
    state = optimizer.init(params)
    gradient = arrays(jnp.asarray, numbers_like(numbers(case), 5))
    updates, first = optimizer.update(gradient, state, params, **case.extra(0))
    assert outline(updates) == outline(params)
    updates, second = optimizer.update(gradient, first, params, **case.extra(1))
    assert outline(first) == outline(second)
    if not case.retraces:
        assert outline(state) == outline(first)


@pytest.mark.parametrize("name", CASES)
def test_vectorized_steps_are_those_of_each(name):
    case = CASES[name]
    optimizer = case.make(optim)
    params = [arrays(jnp.asarray, numbers(case, seed=s)) for s in (0, 1)]
    gradients = [arrays(jnp.asarray, numbers_like(numbers(case), s)) for s in (2, 3)]

    def step(p, g):
        updates, state = optimizer.update(g, optimizer.init(p), p, **case.extra(0))
        return optimizer.update(g, state, p, **case.extra(1))[0]

    both = fungrad.vmap(step)(*[tree.map(lambda *x: jnp.stack(x), *pair) for pair in (params, gradients)])
    for i in range(2):
        if "noise" not in name and "noisy" not in name:
            compare(tree.map(lambda x: x[i], both), step(params[i], gradients[i]), max(case.tolerance, 2e-5))


@pytest.mark.parametrize("name", CASES)
def test_counts_stay_at_the_greatest_number(name):
    case = CASES[name]
    optimizer = case.make(optim)
    params = arrays(jnp.asarray, numbers(case))
    gradient = arrays(jnp.asarray, numbers_like(numbers(case), 5))
    _, state = optimizer.update(gradient, optimizer.init(params), params, **case.extra(0))
    last = np.iinfo(np.int32).max
    many = {"count", "step", "t", "gradient_step"}

    def late(x):
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            parts = {f: jnp.int32(last) if f in many else late(getattr(x, f)) for f in x._fields}
            if type(x).__name__ == "ApplyEvery":
                parts = {f: getattr(x, f) for f in x._fields}
            return type(x)(**parts)
        if isinstance(x, dict):
            return type(x)((k, late(v)) for k, v in x.items())
        return type(x)(map(late, x)) if isinstance(x, (tuple, list)) else x

    _, after = optimizer.update(gradient, late(state), params, **case.extra(0))
    for path, leaf in tree.flatten_with_path(after)[0]:
        if leaf.dtype == np.int32 and not is_key(leaf):
            assert int(leaf) >= 0, keystr(path)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.differentiable])
def test_gradients_through_an_update_are_finite(name):
    """Meta-learning: the derivative of an update by the gradient."""
    case = CASES[name]
    optimizer = case.make(optim)
    params = arrays(jnp.asarray, numbers(case))
    gradient = arrays(jnp.asarray, numbers_like(numbers(case), 5))

    def loss(g):
        updates, _ = optimizer.update(g, optimizer.init(params), params, **case.extra(0))
        return sum(jnp.sum(u * u) for u in tree.leaves(updates))

    found = tree.leaves(fungrad.grad(loss)(gradient))
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in found)


# Transformations that integers may pass.
INTEGERS_PASS = """
    contrib.reduce_on_plateau
    identity set_to_zero stateless named_chain partition multi_transform masked freeze selective_transform
    apply_if_finite conditionally_transform conditionally_mask MultiSteps flatten zero_nans snapshot monitor
    ema clip keep_params_nonnegative apply_every clip_by_block_rms clip_by_global_norm adaptive_grad_clip
    add_decayed_weights add_noise centralize normalize_by_update_norm scale_by_learning_rate
    scale_by_param_block_norm scale_by_param_block_rms
""".split()


@pytest.mark.parametrize("name", [n for n in CASES if n.split(",")[0] not in INTEGERS_PASS])
def test_integer_parameters_are_refused(name):
    params = numbers(CASES[name])
    params["w"] = np.arange(12).reshape(4, 3)
    named = name.split(",")[0]
    with pytest.raises(TypeError, match=rf"^fungrad\.optim\.{named}: params\['w'\] must be of floating-point"):
        CASES[name].make(optim).init(params)


SCHEDULES = {
    "constant_schedule": lambda o: o.constant_schedule(0.5),
    "polynomial_schedule": lambda o: o.polynomial_schedule(2.0, 0.5, 2, 5, 2),
    "polynomial_schedule, no way": lambda o: o.polynomial_schedule(2.0, 0.5, 2, 0),
    "linear_schedule": lambda o: o.linear_schedule(1.0, 3.0, 6),
    "piecewise_constant_schedule": lambda o: o.piecewise_constant_schedule(0.1, {6: 0.5, 3: 2.0}),
    "piecewise_constant_schedule, none": lambda o: o.piecewise_constant_schedule(0.1),
    "exponential_decay": lambda o: o.exponential_decay(1.0, 3, 0.5, 2, end_value=0.3),
    "exponential_decay, staircase": lambda o: o.exponential_decay(1.0, 3, 2.0, staircase=True, end_value=5.0),
    "exponential_decay, none": lambda o: o.exponential_decay(1.0, 3, 0.0),
    "cosine_decay_schedule": lambda o: o.cosine_decay_schedule(0.3, 7, 0.1, 2.0),
    "piecewise_interpolate_schedule": lambda o: o.piecewise_interpolate_schedule("linear", 2.0, {5: 1.5, 10: 0.25}),
    "piecewise_interpolate, cosine": lambda o: o.piecewise_interpolate_schedule("cosine", 4.0, {5: 1.2, 3: 0.6}),
    "piecewise_interpolate_schedule, none": lambda o: o.piecewise_interpolate_schedule("cosine", 4.0),
    "piecewise_interpolate, zero": lambda o: o.piecewise_interpolate_schedule("linear", 13.0, {0: 2.0, 5: 3.0}),
    "linear_onecycle_schedule": lambda o: o.linear_onecycle_schedule(10, 1.0),
    "cosine_onecycle_schedule": lambda o: o.cosine_onecycle_schedule(10, 1.0),
    "warmup_constant_schedule": lambda o: o.warmup_constant_schedule(0.0, 1.0, 4),
    "warmup_cosine_decay_schedule": lambda o: o.warmup_cosine_decay_schedule(0.1, 1.0, 4, 10, 0.2, 1.5),
    "warmup_cosine_decay_schedule, zero": lambda o: o.warmup_cosine_decay_schedule(0.1, 0.0, 4, 10),
    "warmup_exponential_decay_schedule": lambda o: o.warmup_exponential_decay_schedule(0.1, 1.0, 4, 3, 0.5),
    "sgdr_schedule": lambda o: o.sgdr_schedule(
        [{"init_value": 0.0, "peak_value": v, "warmup_steps": 2, "decay_steps": 5} for v in (1.0, 0.5)]
    ),
    "join_schedules": lambda o: o.join_schedules([o.constant_schedule(1.0), o.linear_schedule(2.0, 3.0, 4)], [5]),
}  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_optax(name):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    ours, theirs = SCHEDULES[name](optim), SCHEDULES[name](optax)
    compiled = fungrad.jit(ours)
    for count in range(14):
        expected = np.asarray(theirs(jax.numpy.int32(count)))
        for got in (ours(count), ours(jnp.int32(count)), compiled(jnp.int32(count))):
            np.testing.assert_allclose(np.asarray(got), expected, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(np.asarray(theirs(count)), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_functions_of_batches_and_end(name):
    schedule = SCHEDULES[name](optim)
    counts = jnp.arange(14, dtype=jnp.int32)
    batch = fungrad.vmap(lambda c: jnp.asarray(schedule(c)) + 0.0)(counts)
    np.testing.assert_allclose(np.asarray(batch), [float(schedule(c)) for c in counts], rtol=2e-5, atol=1e-7)
    assert np.isfinite(float(schedule(jnp.int32(2**31 - 1))))


def test_schedules_that_optax_lacks():
    counts = np.arange(9)
    steps = optim.step_decay_schedule(2.0, 3, 0.1)
    np.testing.assert_allclose([float(steps(c)) for c in counts], 2.0 * 0.1 ** (counts // 3), rtol=1e-6)
    root = optim.inverse_square_root_schedule(0.5, warmup_steps=4, timescale=4.0)
    expected = np.where(counts < 4, 0.5 * counts / 4, 0.5 / np.sqrt(np.maximum(counts, 1) / 4))
    np.testing.assert_allclose([float(root(c)) for c in counts], expected, rtol=1e-6)


class Doubling:
    """A schedule with a state, which extra arguments change."""

    def init(self):
        return jnp.float32(0.125)

    def update(self, state, **extra):
        return state * extra["factor"]

    def __call__(self, state, **extra):
        return state


INJECTED = {
    "numbers": lambda o, lib: o.inject_hyperparams(o.adamw)(1e-2, b1=0.8),
    "schedules": lambda o, lib: o.inject_hyperparams(o.adamw)(lambda count: 0.1 / (1 + count), weight_decay=0.1),
    "static": lambda o, lib: o.inject_hyperparams(o.sgd, static_args=["momentum"])(0.1, momentum=0.9, nesterov=True),
    "dtype": lambda o, lib: o.inject_hyperparams(o.rmsprop, hyperparam_dtype="bfloat16")(0.5),
    "state": lambda o, lib: o.inject_hyperparams(o.scale)(Doubling()),
}


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", [n for n in INJECTED if n != "state"])
def test_injected_hyperparameters_are_those_of_optax(name, dtype):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    from optimizer_cases import Case

    case = Case(lambda o: INJECTED[name](o, o))
    params = numbers(case, jnp.dtype(dtype))
    gradients = gradients_of(params)
    got = run(optim, case, arrays(jnp.asarray, params), arrays(jnp.asarray, gradients), eagerly)
    expected = run(optax, case, arrays(jax.numpy.asarray, params), arrays(jax.numpy.asarray, gradients), eagerly)
    compare(got, expected, 2e-2 if name == "dtype" else 1e-4)


def test_injected_hyperparameters_of_complex_parameters_are_real():
    params = {"z": jnp.ones(2, jnp.complex64), "x": jnp.ones(2)}
    opt = optim.inject_hyperparams(optim.adam)(lambda count: 0.1 / (1 + count))
    updates, state = opt.update(params, opt.init(params), params)
    assert {x.dtype for x in state.hyperparams.values()} == {jnp.dtype("float32")}
    assert updates["x"].dtype == jnp.float32
    np.testing.assert_allclose(updates["z"], np.full(2, -0.1), rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "lion"])
def test_injected_hyperparameters_leave_moments_their_precision(name):
    params = {"w": jnp.ones(2, jnp.bfloat16), "b": jnp.ones(2)}
    opt = optim.inject_hyperparams(getattr(optim, name))(0.1)

    def step(carry, _):
        params, state = carry
        updates, state = opt.update(params, state, params)
        return (optim.apply_updates(params, updates), state), None

    start = params, opt.init(params)
    end, _ = fungrad.lax.scan(step, start, None, length=3)
    assert [x.dtype for x in tree.leaves(end)] == [x.dtype for x in tree.leaves(start)]
    assert float(end[0]["b"][0]) < 1


def test_injected_hyperparameters_can_be_changed_scheduled_and_mapped():
    x = jnp.ones(3)
    traces = []
    opt = optim.inject_hyperparams(optim.sgd)(0.5)
    state = opt.init(x)

    @fungrad.jit
    def step(g, state):
        traces.append(1)
        return opt.update(g, state)

    for rate in (0.5, 0.25, 1.0):
        state.hyperparams["learning_rate"] = jnp.float32(rate)
        updates, state = step(x, state)
        np.testing.assert_array_equal(np.asarray(updates), -rate)
    assert len(traces) == 1

    scheduled = optim.inject_hyperparams(optim.scale)(Doubling())
    state = scheduled.init(x)
    for expected in (0.125, 0.25, 0.5):
        updates, state = scheduled.update(x, state, factor=2.0)
        np.testing.assert_array_equal(np.asarray(updates), expected)

    def trained(rate):
        opt = optim.inject_hyperparams(optim.adam)(rate)
        updates, _ = opt.update(x, opt.init(x))
        return updates

    rates = jnp.array([0.1, 0.2])
    np.testing.assert_allclose(np.asarray(fungrad.vmap(trained)(rates))[:, 0], [-0.1, -0.2], rtol=1e-5)
    with pytest.raises(ValueError, match="static_args .* has no rate"):
        optim.inject_hyperparams(optim.sgd, static_args="rate")
    with pytest.raises(TypeError, match=r"fungrad\.optim\.adam: learning_rate must be"):
        optim.inject_hyperparams(optim.adam)("0.1").init(x)
