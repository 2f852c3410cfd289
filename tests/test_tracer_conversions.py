"""What Python and NumPy may ask of a traced array: the right derivative, an error, or a documented constant."""

import warnings

import conversion_cases as cases
import numpy as np
import pytest
from conversion_cases import COMPUTE, CONSTANT, EITHER, RAISE

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.errors import ConcretizationTypeError, TracerArrayConversionError, TracerIntegerConversionError

AT = np.float32(3.0)
pytestmark = pytest.mark.filterwarnings("ignore")


def by_name(table):
    return [pytest.param(case, id=case.name) for case in table]


# -- transformations: each takes a function of a number and gives numbers ----------------------------------------------


def _custom_jvp(f):
    @fungrad.custom_jvp
    def g(x):
        return f(x)

    g.defjvps(lambda t, out, x: t)
    return fungrad.jit(g)


def _scan(f):
    return lambda x: lax.scan(lambda c, x: (c + f(x), None), jnp.zeros(()), jnp.stack([x, x]))[0]


def _while(f):
    def body(carry):
        i, total, x = carry
        return i + 1, total + f(x), x

    return lambda x: lax.while_loop(lambda carry: carry[0] < 2, body, (0, jnp.zeros(()), x))[1]


def _cond(f):
    return lambda x: lax.cond(x > 0, lambda x: jnp.asarray(f(x), "float32"), lambda x: x, x)


def _jvp(f):
    return lambda x: fungrad.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _pairs(f):
    return lambda x: f(jnp.stack([x, x])).sum()


# Everything here is known but the derivative.
DIFFERENTIATED = {
    "grad": lambda f: fungrad.grad(f),
    "value_and_grad": lambda f: lambda x: sum(fungrad.value_and_grad(f)(x)),
    "jvp": _jvp,
    "vjp": lambda f: lambda x: fungrad.vjp(f, x)[1](jnp.ones(()))[0],
    "linearize": lambda f: lambda x: fungrad.linearize(f, x)[1](jnp.ones(())),
    "jacfwd": lambda f: fungrad.jacfwd(f),
    "jacrev": lambda f: fungrad.jacrev(f),
    "grad of grad": lambda f: fungrad.grad(fungrad.grad(lambda x: f(x) * x)),
    "jvp of grad": lambda f: _jvp(fungrad.grad(lambda x: f(x) * x)),
    "grad of jvp": lambda f: fungrad.grad(_jvp(lambda x: f(x) * x)),
    "grad with aux": lambda f: lambda x: fungrad.grad(lambda x: (f(x), x), has_aux=True)(x)[0],
}
# Here nothing is known.
STAGED = {
    "jit": fungrad.jit,
    "jit of grad": lambda f: fungrad.jit(fungrad.grad(f)),
    "grad of jit": lambda f: fungrad.grad(fungrad.jit(f)),
    "jvp of jit": lambda f: _jvp(fungrad.jit(f)),
    "grad of checkpoint": lambda f: fungrad.grad(fungrad.checkpoint(f)),
    "scan": _scan,
    "grad of scan": lambda f: fungrad.grad(_scan(f)),
    "while": _while,
    "jvp of while": lambda f: _jvp(_while(f)),
    "cond": _cond,
    "grad of cond": lambda f: fungrad.grad(_cond(f)),
    "custom_jvp": _custom_jvp,
    "vmap": lambda f: _pairs(fungrad.vmap(f)),
    "vmap of grad": lambda f: _pairs(fungrad.vmap(fungrad.grad(f))),
    "grad of vmap": lambda f: fungrad.grad(_pairs(fungrad.vmap(f))),
    "vmap of jvp": lambda f: _pairs(fungrad.vmap(_jvp(f))),
    "jit of vmap": lambda f: fungrad.jit(_pairs(fungrad.vmap(f))),
    "hessian of vmap": lambda f: fungrad.hessian(_pairs(fungrad.vmap(f))),
}


def outcome(transform, call, module=jnp):
    """The number, or the error."""
    try:
        return np.asarray(transform(lambda x: call(x, module))(module.float32(AT)))
    except Exception as error:  # noqa: BLE001 - what it raises is the answer
        return error


def agree(a, b):
    return not isinstance(a, Exception) and not isinstance(b, Exception) and np.allclose(a, b, rtol=1e-4, atol=1e-5)


def refused(result, error):
    return isinstance(result, error) and "internal error" not in str(result)


@pytest.mark.parametrize("case", by_name(RAISE))
def test_what_would_lose_the_derivative_raises(case):
    assert not isinstance(outcome(lambda f: f, lambda x, _: jnp.asarray(x), jnp), Exception)
    wrong = {}
    for name, transform in (DIFFERENTIATED | STAGED).items():
        got = outcome(transform, case.call)
        if not refused(got, case.error):
            wrong[name] = repr(got)[:200]
    assert not wrong


@pytest.mark.parametrize("case", by_name(CONSTANT))
def test_what_is_constant_by_its_nature_is_a_constant_eagerly_and_raises_where_nothing_is_known(case):
    wrong = {}
    for name, transform in DIFFERENTIATED.items():
        got = outcome(transform, case.call)
        if not agree(got, outcome(transform, case.constant)):
            wrong[name] = repr(got)[:200]
    for name, transform in STAGED.items():
        got = outcome(transform, case.call)
        if not refused(got, case.error):
            wrong[name] = repr(got)[:200]
    assert not wrong


@pytest.mark.parametrize("case", by_name(COMPUTE))
def test_what_fungrad_has_computes_with_the_right_derivative_everywhere(case):
    wrong = {}
    for name, transform in (DIFFERENTIATED | STAGED).items():
        got = outcome(transform, case.call)
        if not agree(got, outcome(transform, case.computes)):
            wrong[name] = repr(got)[:200]
    assert not wrong


@pytest.mark.parametrize("case", by_name(EITHER))
def test_functions_that_may_be_absent_are_never_constants(case):
    wrong, right = {}, 0
    for name, transform in (DIFFERENTIATED | STAGED).items():
        got = outcome(transform, case.call)
        right += agree(got, outcome(transform, case.computes))
        if not agree(got, outcome(transform, case.computes)) and not refused(got, case.error):
            wrong[name] = repr(got)[:200]
    assert not wrong
    assert right in (0, len(DIFFERENTIATED | STAGED)), "computed under some transformations only"


# -- integers ----------------------------------------------------------------------------------------------------------

X = np.arange(5.0, dtype=np.float32)
INTEGERS = {
    "X[i]": (lambda i: X[i], (TracerArrayConversionError, TracerIntegerConversionError, IndexError)),
    "[...][i]": (lambda i: [1.0, 2.0][i], TracerIntegerConversionError),
    "range(i)": (lambda i: sum(range(i)), TracerIntegerConversionError),
    "hex(i)": (lambda i: len(hex(i)), TracerIntegerConversionError),
    "int(i)": (lambda i: int(i), ConcretizationTypeError),
    "float(i)": (lambda i: float(i), ConcretizationTypeError),
    "np.zeros(i)": (lambda i: np.zeros(i).sum(), (TypeError, TracerIntegerConversionError)),
    "np.asarray(i)": (lambda i: np.asarray(i), TracerArrayConversionError),
    "np.take(X, i)": (lambda i: np.take(X, i), TracerArrayConversionError),
    "np.take(jnp X, i)": (lambda i: np.take(jnp.asarray(X), i), None),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_without_a_value_raise_and_others_are_numbers(name):
    call, error = INTEGERS[name]
    call(jnp.int32(1))
    # An integer that a differentiated function computes has no derivative, and a value.
    fungrad.grad(lambda x: x * call(jnp.argmax(jnp.stack([x, 2 * x]))))(1.0)
    for transform in (
        fungrad.jit,
        lambda f: lambda i: fungrad.vmap(f)(jnp.stack([i, i])),
        lambda f: lambda i: lax.fori_loop(0, 2, lambda k, c: c + f(i) + f(k), jnp.zeros(())),
    ):
        if error is None:
            transform(lambda i: jnp.asarray(call(i), "float32"))(jnp.int32(1))
        else:
            with pytest.raises(error):
                transform(lambda i: jnp.asarray(call(i), "float32"))(jnp.int32(1))


# -- messages ----------------------------------------------------------------------------------------------------------


def test_messages_name_transformation_function_place_and_remedy():
    def loss(x):
        return np.real_if_close(x * jnp.eye(2)).sum()

    with pytest.raises(TracerArrayConversionError) as found:
        fungrad.grad(loss)(AT)
    text = str(found.value)
    absent = "fungrad.grad: numpy.real_if_close, which fungrad does not have,"
    for part in (absent, "grad of loss", __file__, "f32[2,2]", "pure_callback"):
        assert part in text
    with pytest.raises(ConcretizationTypeError, match=r"fungrad\.jvp: .*Python float.*fungrad\.numpy.*stop_gradient"):
        fungrad.jvp(lambda x: jnp.sin(float(x)), (AT,), (AT,))
    # The line is the user's, not that in NumPy from which the question came.
    with pytest.raises(TracerArrayConversionError, match=r"test_tracer_conversions\.py"):
        fungrad.grad(lambda x: np.full(3, x).sum())(AT)
    with pytest.raises(TracerArrayConversionError, match=r"a \+= x.*a = a \+ x"):
        fungrad.grad(lambda x: cases._added(x))(AT)


def test_stop_gradient_gives_a_value():
    assert fungrad.grad(lambda x: x * float(lax.stop_gradient(x)))(3.0) == 3
    assert fungrad.grad(lambda x: x * np.asarray(lax.stop_gradient(x) * 2))(3.0) == 6
    assert fungrad.grad(fungrad.grad(lambda x: x**2 * float(lax.stop_gradient(x))))(3.0) == 6
    assert fungrad.jvp(lambda x: x * float(lax.stop_gradient(x)), (3.0,), (1.0,))[1] == 3


def test_rules_of_custom_functions_see_values_only_where_nothing_is_lost():
    @fungrad.custom_jvp
    def f(x):
        return jnp.sin(x)

    seen = []

    @f.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        seen.append(float(x))
        return jnp.sin(x), jnp.cos(x) * t

    assert np.allclose(fungrad.grad(f)(3.0), np.cos(3.0)) and seen == [3.0]
    with pytest.raises(ConcretizationTypeError):
        fungrad.grad(fungrad.grad(f))(3.0)
    with pytest.raises(ConcretizationTypeError):
        fungrad.jit(fungrad.grad(f))(3.0)

    @fungrad.custom_jvp
    def g(x):
        return x

    g.defjvp(lambda primals, tangents: (primals[0], float(tangents[0])))
    with pytest.raises(TypeError, match="linear"):
        fungrad.grad(g)(3.0)


def test_the_bounds_of_a_range_have_derivatives():
    assert fungrad.grad(lambda a: jnp.arange(a, 5.0).sum())(1.0) == 4
    assert fungrad.grad(lambda a: jnp.arange(a, 3.0).sum())(0.0) == 3
    assert fungrad.grad(lambda s: jnp.arange(0.0, 5.0, s).sum())(1.0) == 10
    assert fungrad.grad(lambda n: jnp.arange(n).sum())(3.0) == 0
    assert fungrad.jvp(lambda a: jnp.arange(a, 5.0), (1.0,), (2.0,))[1].tolist() == [2, 2, 2, 2]


def test_device_get_leaves_traced_values_in_peace():
    assert fungrad.grad(lambda x: x * fungrad.device_get(x))(3.0) == 6
    assert fungrad.jit(lambda x: x * fungrad.device_get((x, 2.0))[0])(3.0) == 9


# -- JAX ---------------------------------------------------------------------------------------------------------------

# Where we differ on purpose: ours computes what JAX refuses, or has a text for what JAX refuses.
OURS_ALONE = {"b += x"}


@pytest.mark.parity
@pytest.mark.parametrize("case", by_name(RAISE + CONSTANT + COMPUTE))
def test_cases_are_constants_exactly_where_they_are_in_jax(case):
    jax = pytest.importorskip("jax")
    transforms = {
        "grad": (fungrad.grad, jax.grad),
        "jvp": (_jvp, lambda f: lambda x: jax.jvp(f, (x,), (jax.numpy.ones_like(x),))[1]),
        "grad of grad": (
            DIFFERENTIATED["grad of grad"],
            lambda f: jax.grad(jax.grad(lambda x: f(x) * x)),
        ),
        "jit": (fungrad.jit, jax.jit),
        "vmap": (STAGED["vmap"], lambda f: lambda x: jax.vmap(f)(jax.numpy.stack([x, x])).sum()),
    }
    if case.name in OURS_ALONE:
        return
    for name, (ours, theirs) in transforms.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got, wanted = outcome(ours, case.call), outcome(theirs, case.call, jax.numpy)
        if isinstance(wanted, Exception):
            # NumPy's functions come back to ours, while JAX refuses them.
            assert isinstance(got, Exception) or case in COMPUTE, (name, got, wanted)
        else:
            assert agree(got, wanted), (name, got, wanted)
