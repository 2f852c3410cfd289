"""The transformation API: arguments, trees, auxiliary data, integer inputs, and what bad input is told."""

import re
from typing import NamedTuple

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

# -- grad and value_and_grad ----------------------------------------------------------------------------------------


def test_grad_of_tree():
    grads = fungrad.grad(lambda p: jnp.sum(p["w"] * p["w"]) + 3.0 * p["b"][0])(
        {"w": jnp.arange(3.0), "b": (jnp.array(1.0),)}
    )
    np.testing.assert_array_equal(grads["w"], [0, 2, 4])
    assert float(grads["b"][0]) == 3.0


@pytest.mark.parametrize(
    "argnums, expected", [(0, 3.0), (1, 2.0), (-1, 2.0), ((0, 1), (3.0, 2.0)), ((1, 0), (2.0, 3.0)), ([0], (3.0,))]
)
def test_argnums(argnums, expected):
    got = fungrad.grad(lambda x, y: x * y, argnums)(2.0, 3.0)
    assert fungrad.tree.map(float, got) == expected


def test_has_aux_keeps_values_and_other_objects():
    def f(x):
        return x * x, {"twice": 2 * x, "note": "text", "n": 3}

    (value, aux), g = fungrad.value_and_grad(f, has_aux=True)(3.0)
    assert (float(value), float(g), float(aux["twice"]), aux["note"], aux["n"]) == (9.0, 6.0, 6.0, "text", 3)
    g, aux = fungrad.grad(f, has_aux=True)(3.0)
    assert float(aux["twice"]) == 6.0
    assert float(fungrad.grad(lambda x: fungrad.grad(f, has_aux=True)(x)[1]["twice"])(1.0)) == 2.0


def test_integer_inputs():
    with pytest.raises(TypeError, match=r"grad: the differentiated argument must be floating or complex, got i32\[\]"):
        fungrad.grad(lambda x: x * 2.0)(3)
    g = fungrad.grad(lambda x: x * 2.0, allow_int=True)(3)
    assert g.dtype == fungrad.float0 and g.shape == ()
    mixed = fungrad.grad(lambda t: t["x"] * t["n"], allow_int=True)({"x": 2.0, "n": 3})
    assert float(mixed["x"]) == 3.0 and mixed["n"].dtype == fungrad.float0


def test_holomorphic():
    g = fungrad.grad(lambda z: z * z, holomorphic=True)(1.0 + 2.0j)
    assert complex(g) == 2.0 + 4.0j
    with pytest.raises(TypeError, match="holomorphic"):
        fungrad.grad(lambda z: z * z)(1.0 + 2.0j)
    assert complex(fungrad.grad(lambda z: jnp.abs(z) ** 2)(3.0 + 4.0j)) == 6.0 - 8.0j
    with pytest.raises(TypeError, match="must be complex"):
        fungrad.grad(lambda z: z * z, holomorphic=True)(1.0)


def test_real_loss_of_complex_input_follows_convention():
    # f(z) = |z|^2 has gradient 2 conj(z) in this convention.
    g = fungrad.vjp(lambda z: jnp.real(z * jnp.conj(z)), jnp.array(1.0 + 2.0j))[1](jnp.array(1.0))[0]
    assert complex(g) == 2.0 - 4.0j


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: fungrad.grad(lambda x: x)(jnp.ones(3)), TypeError, r"scalar output.*f32\[3\]"),
        (lambda: fungrad.grad(lambda x: (x, x))(1.0), TypeError, "must return a scalar, got a tuple.*has_aux"),
        (lambda: fungrad.grad(lambda x: x, has_aux=True)(1.0), TypeError, "must return a pair"),
        (lambda: fungrad.grad(lambda x: x > 0)(1.0), TypeError, r"real floating scalar, got bool\[\]"),
        (lambda: fungrad.grad(lambda x: x, argnums=2)(1.0), TypeError, "argnums=2.*1 positional"),
        (lambda: fungrad.grad(lambda x: x)(x=1.0), TypeError, "passed by position"),
        (lambda: fungrad.grad(3.0), TypeError, "fun must be a function, got 3.0"),
        (lambda: fungrad.grad(lambda x: x, argnums="x"), TypeError, "argnums must be"),
        (lambda: fungrad.grad(lambda p: p["w"])({"w": 1.0, "name": "text"}), TypeError, r"\['name'\] must be an array"),
        (lambda: fungrad.grad(lambda p: p["n"] * 1.0)({"n": 3}), TypeError, r"\['n'\] must be floating or complex"),
    ],
)
def test_grad_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- jvp, linearize, vjp, linear_transpose ----------------------------------------------------------------------------


def test_jvp_trees_and_aux():
    value, tangent, aux = fungrad.jvp(
        lambda d: ({"y": d["x"] ** 2}, d["x"]), ({"x": 3.0},), ({"x": 1.0},), has_aux=True
    )
    assert float(value["y"]) == 9.0 and float(tangent["y"]) == 6.0 and float(aux) == 3.0


def test_jvp_of_integer_result_is_float0():
    _, tangent = fungrad.jvp(lambda x: jnp.floor(x).astype(int), (1.5,), (1.0,))
    assert tangent.dtype == fungrad.float0


def test_jvp_with_integer_argument():
    zero = np.zeros((), fungrad.float0)
    _, tangent = fungrad.jvp(lambda x, n: x * n, (2.0, 3), (1.0, zero))
    assert float(tangent) == 3.0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: fungrad.jvp(jnp.sin, 1.0, 1.0), "tuples or lists"),
        (lambda: fungrad.jvp(jnp.sin, (1.0,), (1.0, 1.0)), "same tree structure"),
        (
            lambda: fungrad.jvp(jnp.sin, (jnp.ones(3),), (jnp.ones(2),)),
            r"primals\[0\] must have type f32\[3\].*got f32\[2\]",
        ),
        (lambda: fungrad.jvp(lambda n: n, (3,), (1,)), "float0"),
    ],
)
def test_jvp_errors(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_linearize_evaluates_once():
    calls = []

    def f(x):
        calls.append(x)
        return jnp.sin(x) * x

    y, f_jvp = fungrad.linearize(f, 2.0)
    np.testing.assert_allclose(f_jvp(3.0), 3.0 * (np.cos(2.0) * 2.0 + np.sin(2.0)), rtol=1e-6)
    f_jvp(1.0)
    assert len(calls) == 1
    with pytest.raises(TypeError, match=r"tangent of primals\[0\] must have type f32\[\]"):
        f_jvp(jnp.ones(2))


def test_linearize_of_constant_function():
    y, f_jvp = fungrad.linearize(lambda x: jnp.ones(2), 1.0)
    np.testing.assert_array_equal(f_jvp(5.0), [0, 0])


def test_vjp_may_be_called_again():
    y, pullback = fungrad.vjp(lambda x, y: (x * y, x + y), 2.0, 3.0)
    for _ in range(2):
        assert tuple(map(float, pullback((1.0, 10.0)))) == (13.0, 12.0)
    with pytest.raises(ValueError, match="tree structure"):
        pullback(1.0)
    with pytest.raises(ValueError, match=r"cotangent\[1\].*f32\[\].*f32\[2\]"):
        pullback((1.0, jnp.ones(2)))


def test_vjp_of_unused_and_integer_arguments():
    _, pullback = fungrad.vjp(lambda x, y, n: x * n, 2.0, 3.0, 4)
    dx, dy, dn = pullback(1.0)
    assert (float(dx), float(dy)) == (4.0, 0.0) and dn.dtype == fungrad.float0


def test_linear_transpose():
    a = jnp.arange(6.0).reshape(2, 3)
    transposed = fungrad.linear_transpose(lambda x: a @ x, jnp.zeros(3))
    np.testing.assert_allclose(transposed(jnp.ones(2))[0], np.asarray(a).sum(0))
    struct = fungrad.ShapeDtypeStruct((3,), jnp.float32)
    np.testing.assert_allclose(fungrad.linear_transpose(lambda x: 2.0 * x, struct)(jnp.ones(3))[0], [2, 2, 2])
    assert fungrad.linear_transpose(lambda n: jnp.stack([2 * n, n]), 3)(jnp.array([3, 4]))[0] == 10
    with pytest.raises(TypeError, match="all floating or complex, or all integers"):
        fungrad.linear_transpose(lambda n: 2.0 * n, 3)


def test_jacobians_of_trees():
    def f(p):
        return {"s": p["x"] * p["y"], "t": jnp.sum(p["x"])}

    p = {"x": jnp.arange(3.0), "y": jnp.ones(3)}
    for jac in (fungrad.jacfwd(f)(p), fungrad.jacrev(f)(p), fungrad.jit(fungrad.jacrev(f))(p)):
        np.testing.assert_allclose(jac["s"]["x"], np.eye(3))
        np.testing.assert_allclose(jac["s"]["y"], np.diag(np.arange(3.0)))
        np.testing.assert_allclose(jac["t"]["x"], np.ones(3))
        np.testing.assert_allclose(jac["t"]["y"], np.zeros(3))


def test_hessian_and_argnums():
    def f(x, y):
        return jnp.sum(x**2) * y

    h = fungrad.hessian(f, argnums=(0, 1))(jnp.array([1.0, 2.0]), 3.0)
    np.testing.assert_allclose(h[0][0], 6 * np.eye(2))
    np.testing.assert_allclose(h[0][1], [2, 4])
    np.testing.assert_allclose(h[1][0], [2, 4])
    assert float(h[1][1]) == 0.0


def test_jacobians_have_weak_types_like_gradients():
    def weak(t, x):
        return t(lambda x: x * x)(x).weak_type

    for t in (fungrad.grad, fungrad.jacfwd, fungrad.jacrev, fungrad.hessian):
        assert weak(t, 2.0) and not weak(t, jnp.float32(2.0)), t
    assert not fungrad.jacfwd(lambda x: x * jnp.ones(2))(2.0).weak_type
    assert fungrad.jacrev(lambda x: x * jnp.ones(2))(2.0).weak_type


def test_jacobian_aux():
    jac, aux = fungrad.jacfwd(lambda x: (x * x, jnp.sum(x)), has_aux=True)(jnp.arange(2.0))
    np.testing.assert_allclose(jac, np.diag([0.0, 2.0]))
    assert float(aux) == 1.0


# -- vmap --------------------------------------------------------------------------------------------------------------


def test_vmap_axes():
    a = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    for axis in (-3, -2, -1, 0, 1, 2):
        got = fungrad.vmap(lambda x: x * 2, in_axes=axis, out_axes=axis)(a)
        np.testing.assert_array_equal(got, a * 2)
    assert fungrad.vmap(lambda x: x, in_axes=2, out_axes=0)(a).shape == (4, 2, 3)
    assert fungrad.vmap(lambda x: x, in_axes=0, out_axes=-1)(a).shape == (3, 4, 2)


def test_vmap_trees():
    def f(p, x, *, scale):
        return {"y": p["w"] * x * scale, "const": 1.0}

    out = fungrad.vmap(f, in_axes=({"w": None}, 0), out_axes={"y": 0, "const": None})(
        {"w": 2.0}, jnp.arange(3.0), scale=jnp.ones(3)
    )
    np.testing.assert_array_equal(out["y"], [0, 2, 4])
    assert float(out["const"]) == 1.0


def test_vmap_size_zero_and_axis_size():
    assert fungrad.vmap(lambda x: jnp.sin(x).sum())(jnp.zeros((0, 3))).shape == (0,)
    np.testing.assert_array_equal(fungrad.vmap(lambda: jnp.ones(2), axis_size=3)(), np.ones((3, 2)))


def test_vmap_collectives():
    x = jnp.arange(4.0)
    got = fungrad.vmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(x)
    np.testing.assert_allclose(got, np.arange(4) / 6)
    nested = fungrad.vmap(fungrad.vmap(lambda x: lax.psum(x, ("i", "j")), axis_name="i"), axis_name="j")(
        jnp.ones((2, 3))
    )
    np.testing.assert_array_equal(nested, np.full((2, 3), 6.0))
    with pytest.raises(NameError, match="unbound axis name 'k'"):
        fungrad.vmap(lambda x: lax.psum(x, "k"), axis_name="i")(x)


def test_collective_in_jit_in_vmap():
    f = fungrad.jit(lambda x: x - lax.pmean(x, "i"))
    np.testing.assert_allclose(fungrad.vmap(f, axis_name="i")(jnp.arange(3.0)), [-1, 0, 1])
    np.testing.assert_allclose(fungrad.jit(fungrad.vmap(f, axis_name="i"))(jnp.arange(3.0)), [-1, 0, 1])


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: fungrad.vmap(lambda x, y: x)(jnp.ones(2), jnp.ones(3)),
            ValueError,
            r"axis 0 of x of .*size 2\n.* of y of .*size 3",
        ),
        (lambda: fungrad.vmap(lambda x: x)(1.0), ValueError, r"axis 0 of x, which has type f32\[\]"),
        (lambda: fungrad.vmap(lambda x: x, in_axes=(0, 0))(jnp.ones(2)), ValueError, "2 entries.*1 positional"),
        (lambda: fungrad.vmap(lambda x: x, in_axes=None)(jnp.ones(2)), ValueError, "axis_size"),
        (lambda: fungrad.vmap(lambda x: x, out_axes=None)(jnp.ones(2)), ValueError, "differs between examples"),
        (lambda: fungrad.vmap(lambda x: x, in_axes=0.5)(jnp.ones(2)), TypeError, "in_axes must be an int"),
        (lambda: fungrad.vmap(lambda x: x, out_axes=3)(jnp.ones(2)), ValueError, "out_axes names axis 3"),
        (lambda: fungrad.vmap(lambda d: d["a"], in_axes=({"b": 0},))({"a": jnp.ones(2)}), ValueError, "in_axes"),
        (lambda: fungrad.vmap(lambda x: 1.0 if x > 0 else 2.0)(jnp.ones(2)), TypeError, "mapped value"),
    ],
)
def test_vmap_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- inspection -------------------------------------------------------------------------------------------------------


def test_make_jaxpr_and_eval_shape():
    jaxpr, shape = fungrad.make_jaxpr(lambda x, n: {"y": x * n}, static_argnums=1, return_shape=True)(jnp.ones(3), 2)
    assert len(jaxpr.eqns) == 1 and jaxpr.eqns[0].primitive.name == "mul"
    assert shape["y"].shape == (3,)
    out = fungrad.eval_shape(lambda x: jnp.outer(x, x), fungrad.ShapeDtypeStruct((4,), jnp.float32))
    assert out.shape == (4, 4) and out.dtype == jnp.float32


def test_captured_arrays_are_constants():
    c = jnp.arange(3.0)
    jaxpr = fungrad.make_jaxpr(lambda x: x + c)(1.0)
    assert len(jaxpr.consts) == 1 and jaxpr.consts[0] is c
    assert not fungrad.make_jaxpr(lambda x: x + jnp.float32(2))(1.0).consts


class Point(NamedTuple):
    x: float
    y: float


def test_user_containers():
    g = fungrad.grad(lambda p: p.x * p.y)(Point(2.0, 3.0))
    assert isinstance(g, Point) and (float(g.x), float(g.y)) == (3.0, 2.0)


# -- leaks, concretisation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "transform", [fungrad.jit, fungrad.grad, fungrad.vmap, fungrad.make_jaxpr], ids=lambda t: t.__name__
)
def test_leaked_tracers_are_detected(transform):
    seen = []

    def f(x):
        seen.append(x * 2)
        return jnp.sum(x)

    argument = 1.0 if transform is fungrad.grad else jnp.ones(2)
    transform(f)(argument)
    with pytest.raises(fungrad.errors.UnexpectedTracerError, match="had finished"):
        seen[0] + 1


def test_checking_leaks_raises_at_the_source():
    seen = []
    with fungrad.checking_leaks(), pytest.raises(fungrad.errors.UnexpectedTracerError, match="outlived"):
        fungrad.jit(lambda x: (seen.append(x), x)[1])(1.0)
    with fungrad.checking_leaks():
        fungrad.jit(lambda x: x + 1)(1.0)
        fungrad.grad(lambda x: x * x)(1.0)


@pytest.mark.parametrize(
    "use, error, words",
    [
        (lambda x: 1 if x > 0 else 2, fungrad.errors.TracerBoolConversionError, "where"),
        (lambda x: [1, 2][x.astype(int)], fungrad.errors.TracerIntegerConversionError, "fori_loop"),
        (lambda x: np.sum(np.asarray(x)), fungrad.errors.TracerArrayConversionError, "fungrad.numpy"),
        (lambda x: float(x), fungrad.errors.ConcretizationTypeError, "static"),
        (lambda x: jnp.zeros(x.astype(int)), TypeError, ""),
    ],
)
def test_concretisation_errors_name_the_argument_and_line(use, error, words):
    def function(some_argument):
        return use(some_argument)

    with pytest.raises(error) as info:
        fungrad.jit(function)(1.0)
    text = str(info.value)
    assert "some_argument" in text and "test_transforms.py" in text and words in text


def test_derivative_tracers_have_values():
    assert float(fungrad.grad(lambda x: x * x if x > 1 else -x)(2.0)) == 4.0
    assert float(fungrad.jvp(lambda x: x * int(x), (2.0,), (1.0,))[1]) == 2.0


def test_tracebacks_have_no_library_frames():
    def broken(x):
        return x + jnp.ones(3) + jnp.ones(4)

    with pytest.raises(ValueError) as info:
        fungrad.jit(broken)(1.0)
    files = [entry.path.name if hasattr(entry.path, "name") else str(entry.path) for entry in info.traceback]
    assert sum("test_transforms" in f for f in files) >= 2
    assert len([f for f in files if "transforms/" in f or "staging" in f]) == 0


def test_traced_names():
    assert fungrad.grad(test_traced_names).__name__ == "test_traced_names"
    assert fungrad.jit(test_traced_names).__name__ == "test_traced_names"


@pytest.mark.parametrize("name", ["grad", "value_and_grad", "jacfwd", "jacrev", "hessian"])
@pytest.mark.parametrize("argnums", [(0, 0), (1, -1), [0, -2], (0, 1, 0)])
def test_an_argument_named_twice_is_refused(name, argnums):
    f = getattr(fungrad, name)(lambda x, y: x * y, argnums=argnums)
    with pytest.raises(TypeError, match="more than once"):
        f(1.0, 2.0)


WRONG_USES = {
    "the function returns text": lambda d: d(lambda x: "a")(1.0),
    "the function returns integers": lambda d: d(lambda x: jnp.int32(x))(1.0),
    "the function uses a Python number": lambda d: d(lambda x: float(x))(1.0),
    "the function asks for a truth value under jit": lambda d: d(fungrad.jit(lambda x: x if x > 0 else -x))(1.0),
    "no pair": lambda d: d(lambda x: x, has_aux=True)(1.0),
    "three instead of a pair": lambda d: d(lambda x: (x, x, x), has_aux=True)(1.0),
    "an integer argument": lambda d: d(lambda x: x)(1),
    "no argument": lambda d: d(lambda x: x)(),
    "an argument by name": lambda d: d(lambda x: x)(x=1.0),
    "text": lambda d: d(lambda x: x)("a"),
    "real numbers and holomorphic": lambda d: d(lambda x: x, holomorphic=True)(1.0),
    "a complex result": lambda d: d(lambda x: x * 1j)(1.0),
    "no such position": lambda d: d(lambda x: x, argnums=3)(1.0),
}


@pytest.mark.parametrize("api", ["grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "hessian"])
@pytest.mark.parametrize("use", WRONG_USES)
def test_errors_name_the_function_that_was_called_and_none_inside(api, use):
    if api == "jacfwd" and use == "a complex result":
        return  # a complex function of real numbers has a Jacobian in forward mode
    with pytest.raises(TypeError) as caught:
        WRONG_USES[use](getattr(fungrad, api))
    message = str(caught.value)
    others = {"jacfwd", "jacrev", "jacobian", "hessian", "of_selected", "jacobian_f", "grad_f", "run"} - {api}
    said = set(re.findall(r"\w+", message.split("; reduce it")[0]))
    assert api in said or "jit" in said, message
    assert not said & others, message
    if api in ("jacfwd", "hessian"):
        assert "allow_int" not in said, message


def test_tolerances_of_checks_by_dtype():
    f, x = fungrad.numpy.sin, np.ones(3, np.float32)
    doubled = lambda primals, tangents: (f(*primals), 2 * tangents[0])  # noqa: E731
    for tolerance in (10.0, {np.float32: 10.0}, {"float32": 10.0, np.float64: 0.0}):
        fungrad.test_util.check_jvp(f, doubled, (x,), rtol=tolerance)
        fungrad.test_util.check_grads(f, (x,), 1, rtol=tolerance)
    for tolerance in (1e-3, {np.float32: 1e-3}, {np.float64: 10.0}, None):
        with pytest.raises(AssertionError, match="the JVP"):
            fungrad.test_util.check_jvp(f, doubled, (x,), rtol=tolerance)
