"""Functions of arrays give what JAX gives: values and dtypes, or the class of the error, and take its parameters."""

import importlib
import inspect
import warnings

import numpy as np
import pytest

import fungrad
import fungrad.scipy.linalg

CASES = """
jnp.dot(a, a, preferred_element_type=int)
jnp.dot(-a, a, preferred_element_type="uint32")
jnp.dot(a, a, preferred_element_type=bool)
jnp.matmul(a, a, preferred_element_type="int16")
jnp.vdot(a, a, preferred_element_type="int16")
jnp.tensordot(a, a, 1, preferred_element_type="int16")
jnp.einsum("i,i", a, a, preferred_element_type="int8")
jnp.dot(a.astype("float16") * 100, a.astype("float16") * 100, preferred_element_type="int32")
jnp.dot(a * 1j + 2, a * 3j, preferred_element_type="float32")
jnp.dot(a * 1j + 2, a * 3j, preferred_element_type="int32")
jnp.dot(a * 1j + 2, a * 3j, preferred_element_type="float16")
jnp.dot(n, n, preferred_element_type="int8")
jnp.dot(n, n, preferred_element_type="uint32")
jnp.dot(n, n, preferred_element_type="float32")
jax.jit(lambda x: lax.dot_general(x, x, (((0,), (0,)), ((), ())), preferred_element_type=jnp.int32))(a)
jnp.convolve(n, n, preferred_element_type="int32")
jnp.convolve(n.astype("uint16"), n.astype("uint16"), preferred_element_type="uint16")
jnp.convolve(n, a, preferred_element_type="int32")
jnp.correlate(n, n, preferred_element_type="int32")
jnp.correlate(a, a, preferred_element_type="int32")
lax.convert_element_type(2**32, "int32")
lax.convert_element_type(2**32 + 5, "uint8")
lax.convert_element_type(2**80, "int32")
lax.convert_element_type(jax.random.key(0), "int32")
lax.conv_general_dilated_patches(jnp.ones((1, 1, 5, 5)), (3, 3), (1, 1), (1, 1))
lax.stop_gradient(lambda x: x)
lax.stop_gradient({"a": None, "b": 2.0})["b"]
lax.ragged_dot_general(jnp.ones((4, 11, 5)), jnp.ones((4, 5, 7)), jnp.ones((2, 3), int), ragged)
lax.scan(lambda c, x: (c + x, x), 0.0, jnp.arange(3.0), unroll=0)[0]
lax.scan(lambda c, x: (c + x, x), 0.0, jnp.arange(3.0), unroll=-1)[0]
lax.fori_loop(0, 3, lambda i, c: c + i, 0, unroll=0)
jax.vjp(lambda x: (2 * x, n, 3), 1.0)[1]((1.0, n, 3))[0]
jax.vjp(lambda x: (2 * x, n), 1.0)[1]((1.0, n[1:]))[0]
jax.random.gumbel(jax.random.key(3), (1000,), mode="highest")
jax.random.gumbel(jax.random.key(3), (100,), "float16", mode="highest")
jax.random.categorical(jax.random.key(0), a, shape=(50,), mode="highest")
jax.random.categorical(jax.random.key(0), a, mode="low and high")
jax.random.key_data(jax.device_get({"key": jax.random.key(1)})["key"])
jnp.stack(jax.jit(jnp.unravel_index)(n, (20, 30)))
jnp.stack(jax.jit(jnp.unravel_index)(-n.astype("int16"), jnp.array([20, 30])))
jnp.stack(jax.jit(lambda i: jnp.unravel_index(i, (2, 4)))(n))
jax.nn.one_hot(a, 3)
jax.scipy.sparse.linalg.cg(lambda x: 2 * x, 1.0)[0].weak_type
jax.scipy.sparse.linalg.gmres(lambda x: 2 * x, 1.0)[0].weak_type
jax.scipy.sparse.linalg.bicgstab(lambda x: 2 * x, a)[0].weak_type
jnp.arange(1 + 1j)
jnp.pad(a, 1, mode="unknown")
jnp.nanvar(a * 1j, dtype="float32")
jnp.shape([1, 2])
jnp.ndim([[1], [2]])
jnp.size(([1, 2], [3, 4]))
jnp.size([[1, 2], [3, 4]], 1)
jnp.concatenate(jnp.vsplit(n, 3))
jnp.square(extreme)
jnp.log1p(jnp.array([3.4e38 + 3.4e38j, -3e38 + 1j, 1e-9 + 1e-9j], "complex64"))
jax.jit(jnp.square)(extreme)
jax.scipy.linalg.eigh_tridiagonal(a + 0j, jnp.array([1.5 + 2j]))[0]
jax.nn.dot_product_attention(jnp.ones((5, 6, 4)), v, v, mask=jnp.arange(7) < 4)
jax.jit(jax.nn.one_hot)(n, 3)
scaling(1.0, "fan_in", "normal", in_axis=[0], out_axis=[])(jax.random.key(0), (3,)).shape
scaling(1.0, "fan_in", "normal")(jax.random.key(0), (3,)).shape
scaling(1.0, "fan_in", "normal", in_axis=[], out_axis=[])(jax.random.key(0), ()).shape
""".strip().splitlines()

STRICT = """
jnp.mgrid[1:6:8j, 2:4]
jnp.ogrid[1:6:8j, 2:4][1]
jnp.result_type("int8", "int32")
jnp.result_type(n, "int16")
jnp.result_type(n, 1)
jnp.promote_types("int8", "int32")
jnp.promote_types("int8", int)
n.at[0].set(jnp.int16(3))
n.at[0].add(jnp.int16(3))
n.at[0].set(3)
jnp.var(n)
jax.scipy.linalg.funm(jnp.array([[1.0, 3.0], [0.0, 4.0]]), jnp.square)
jax.scipy.linalg.sqrtm(jnp.array([[1.0, 3.0], [0.0, 4.0]]))
jax.scipy.linalg.rsf2csf(jnp.eye(2), jnp.eye(2))[0]
jax.scipy.sparse.linalg.gmres(lambda x: 2 * x, a)[0]
""".strip().splitlines()

EXTREMES = [
    4.5e-8 + 4.5e-8j, 3.4e38 + 7.7e30j, 1e23 + 1e23j, 3.4e38 + 3.4e38j, 1 + 1e-8j, -1e-20 + 2j, 0, -1j, 3 + 4j,
    complex(-np.inf, 1), complex(1, -np.inf),
]  # fmt: skip


def outcome(jax, code):
    names = {"jax": jax, "jnp": jax.numpy, "lax": jax.lax, "np": np}
    names["scaling"] = jax.nn.initializers.variance_scaling
    names["a"] = jax.numpy.array([1.5, 2.5])
    names["n"] = jax.numpy.array([3, 200, 301])
    names["v"] = jax.numpy.arange(84.0).reshape(7, 3, 4)
    names["ragged"] = jax.lax.RaggedDotDimensionNumbers((([2], [1]), ([0], [0])), [0], [])
    names["extreme"] = jax.numpy.array(EXTREMES, "complex64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = eval(code, names)
        except Exception as error:  # noqa: BLE001 - what the other one raises is compared
            return next(c for c in type(error).__mro__ if c.__module__ == "builtins")
    return out


def compare(code, **options):
    jax = pytest.importorskip("jax")
    for name in ("linalg", "sparse.linalg"):
        importlib.import_module(f"jax.scipy.{name}")
    with fungrad.numpy_dtype_promotion(options.get("promotion", "standard")):
        found = outcome(fungrad, code)
    with jax.numpy_dtype_promotion(options.get("promotion", "standard")):
        expected = outcome(jax, code)
    if isinstance(expected, type) and isinstance(found, type):
        assert issubclass(found, expected) or issubclass(expected, found), (found, expected)
        return
    assert not isinstance(expected, type) and not isinstance(found, type), (found, expected)
    if hasattr(expected, "dtype"):
        assert np.dtype(getattr(found, "dtype", found)) == expected.dtype
    if not isinstance(expected, np.dtype):
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-5, atol=0)


@pytest.mark.parametrize("code", CASES)
def test_values_and_errors(code):
    compare(code)


def test_strict_ranks():
    with fungrad.numpy_rank_promotion("raise"):
        key, cov = fungrad.random.key(0), fungrad.numpy.eye(4)
        f = fungrad.numpy.vectorize(fungrad.numpy.add, signature="(),()->()")
        assert f(cov, 1.0).shape == (4, 4)
        with pytest.raises(ValueError, match="rank"):
            f(cov, fungrad.numpy.zeros(4))
        assert fungrad.random.multivariate_normal(key, fungrad.numpy.zeros(4), cov, (4,)).shape == (4, 4)


@pytest.mark.parametrize("code", STRICT)
def test_strict_promotion(code):
    compare(code, promotion="strict")


def test_signs_of_numbers_whose_size_overflows():
    z = np.array(EXTREMES, np.complex64)[:9]
    wide = z.astype(np.complex128)
    expected = np.where(wide == 0, 0, wide / np.where(wide == 0, 1, np.abs(wide)))
    for sign in (fungrad.numpy.sign, fungrad.jit(fungrad.numpy.sign)):
        np.testing.assert_allclose(sign(z), expected, rtol=1e-6)


def test_eigenvectors_of_complex_tridiagonal_matrices():
    d, e = np.array([1.0, 2.0, -1.0]) + 0j, np.array([1 + 2j, 3 - 1j])
    w, v = fungrad.scipy.linalg.eigh_tridiagonal(d.astype("complex64"), e.astype("complex64"))
    a = np.diag(d) + np.diag(e, 1) + np.diag(e.conj(), -1)
    np.testing.assert_allclose(a @ v, v * w, atol=1e-5)


def test_squares_of_complex_numbers_do_not_depend_on_the_notation():
    z = np.array(EXTREMES, np.complex64)
    for f in (lambda z: z**2, fungrad.jit(lambda z: z**2), fungrad.jit(fungrad.lax.square)):
        np.testing.assert_array_equal(f(fungrad.numpy.asarray(z)), fungrad.lax.square(z))


def test_sizes_that_must_be_known_raise_one_class():
    lax, random = fungrad.lax, fungrad.random
    for f in (
        lambda n: lax.scan(lambda c, x: (c, x), 0.0, None, n),
        lambda n: lax.scan(lambda c, x: (c, x), 0.0, fungrad.numpy.arange(3), unroll=n),
        lambda n: random.permutation(random.key(0), n),
        lambda n: fungrad.nn.one_hot(fungrad.numpy.arange(3), n),
        lambda n: fungrad.numpy.zeros(n),
        lambda n: [1, 2][n],
    ):
        with pytest.raises(fungrad.errors.ConcretizationTypeError):
            fungrad.jit(f)(3)


def test_loops_without_jit_leave_arrays_of_numpy_alone():
    start = np.array(1.0)

    def body(carry):
        x, y = carry
        x += 1
        return x, y + x

    with fungrad.disable_jit():
        found = fungrad.lax.while_loop(lambda carry: carry[0] < 10, body, (start, start))
    assert found == (10, 55) and start == 1


def test_conversion_to_real_numbers_warns():
    z = fungrad.numpy.array([1 + 2j])
    for f in (lambda z: z.astype("float32"), fungrad.jit(lambda z: fungrad.numpy.astype(z, "float32"))):
        with pytest.warns(DeprecationWarning, match="lose their imaginary part"):
            assert f(z) == 1


def test_bits_are_not_weak():
    x = fungrad.lax.convert_element_type(1.0, "float32", weak_type=True)
    assert x.weak_type and not fungrad.lax.bitcast_convert_type(x, "float32").weak_type


@pytest.mark.parametrize("weak", [(True, True), (True, False), (False, True), (False, False)])
def test_reductions_are_weak_if_operand_and_start_are(weak):
    of_weak = zip((np.ones(2), 0.0), weak, strict=True)
    x, start = (fungrad.lax.convert_element_type(v, "float32", weak_type=w) for v, w in of_weak)
    for step in (fungrad.lax.add, lambda a, b: a * b + a, lambda a, b: fungrad.lax.max(b, a)):
        for reduce in (fungrad.lax.reduce, fungrad.jit(fungrad.lax.reduce, static_argnums=(2, 3))):
            assert reduce(x, start, step, (0,)).weak_type == all(weak)


def test_keys_of_two_generators_do_not_mix():
    key, other = fungrad.random.key(0), fungrad.random.key(0, impl="rbg")
    jnp = fungrad.numpy
    for f in (lambda: jnp.where(True, key, other), lambda: jnp.stack([key, other]), lambda: key == other):
        with pytest.raises(TypeError, match="key<fry>, key<rbg> .*different generators do not mix"):
            f()


def test_copies_by_astype_live_on_their_own():
    x = fungrad.numpy.arange(5)
    y = x.astype(x.dtype, copy=True)
    y.delete()
    assert not x.is_deleted() and x.astype(x.dtype) is x


def test_objects_that_stand_for_arrays():
    jnp = fungrad.numpy

    class Wrapped:
        def __init__(self, x):
            self.x = jnp.asarray(x)

        def __jax_array__(self):
            return self.x

    assert np.array_equal(jnp.delete(Wrapped([1, 2, 3]), Wrapped([0])), [2, 3])
    assert np.array_equal(jnp.insert(Wrapped([1, 2]), Wrapped([1]), Wrapped([9])), [1, 9, 2])
    assert np.array_equal(jnp.roll(Wrapped([1, 2, 3]), Wrapped(1)), [3, 1, 2])
    assert jnp.iscomplexobj(Wrapped([1j])) and jnp.isrealobj(Wrapped([1.0]))
    assert jnp.result_type(Wrapped([1.0]), 1) == np.float32


# Parameters that only name what is positional, or that no program needs.
UNUSED = {
    ("jax.numpy.issubdtype", "arg1"),
    ("jax.numpy.issubdtype", "arg2"),
    ("jax.vmap", "sum_match"),
    ("jax.check_tracer_leaks", "new_val"),
    ("jax.no_execution", "new_val"),
    ("jax.local_devices", "host_id"),
}
MODULES = """
jax jax.numpy jax.numpy.linalg jax.numpy.fft jax.lax jax.lax.linalg jax.random jax.nn jax.nn.initializers jax.image
jax.ops jax.scipy.linalg jax.scipy.special jax.scipy.signal jax.scipy.fft jax.scipy.ndimage jax.scipy.stats
jax.scipy.interpolate jax.scipy.integrate jax.scipy.optimize jax.scipy.sparse.linalg jax.scipy.cluster.vq jax.tree
jax.tree_util jax.dlpack jax.dtypes
""".split()


@pytest.mark.parametrize("name", MODULES)
def test_parameters(name):
    pytest.importorskip("jax")
    theirs, ours = importlib.import_module(name), importlib.import_module(name.replace("jax", "fungrad", 1))
    missing = []
    for key in dir(theirs):
        f, g = getattr(theirs, key), getattr(ours, key, None)
        if key.startswith("_") or g is None or inspect.isclass(f) or not callable(f):
            continue
        try:
            wanted, given = inspect.signature(f).parameters, inspect.signature(g).parameters
        except (TypeError, ValueError):
            continue
        if any(p.kind is p.VAR_KEYWORD for p in given.values()):
            continue
        names = [p.name for p in wanted.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        missing += [(f"{name}.{key}", p) for p in names if p not in given and not p.startswith("_")]
    assert not set(missing) - UNUSED
