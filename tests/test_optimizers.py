"""Every optimizer, transformation and schedule against optax, and by itself: types, structure, jit, donation, edges."""

import numpy as np
import pytest
from optimizer_cases import CASES

import fungrad
import fungrad.numpy as jnp
from fungrad import optim, tree

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
    expected = run(
        optax, case, arrays(jax.numpy.asarray, params), arrays(jax.numpy.asarray, gradients), eagerly
    )
    compare(got, expected, case.tolerance)


@pytest.mark.parametrize("name", CASES)
def test_compiled_and_donated_steps_are_those_outside_of_jit(name):
    case = CASES[name]
    params = arrays(jnp.asarray, numbers(case))
    gradients = arrays(jnp.asarray, gradients_of(numbers(case)))
    expected = run(optim, case, params, gradients, eagerly)
    optimizer = case.make(optim)
    traces = 0

    def step(gradient, state, params, extra):
        nonlocal traces
        traces += 1
        updates, state = optimizer.update(gradient, state, params, **extra)
        return optim.apply_updates(params, updates), updates, state

    compiled = fungrad.jit(step, donate_argnums=(1, 2))
    own = tree.map(jnp.array, params)
    state = optimizer.init(own)
    state = tree.map(jnp.array, state)  # what init shares between states cannot be donated twice
    history = []
    for i in range(STEPS):
        own, updates, state = compiled(gradients[i], state, own, case.extra(i))
        history.append(updates)
    compare((own, history, state), expected, max(case.tolerance, 2e-5))
    assert traces == 1 + case.retraces


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
            assert int(leaf) >= 0, tree.keystr(path)


@pytest.mark.parametrize("name", CASES)
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
