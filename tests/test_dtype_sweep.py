"""Dtypes of results for every function: with 64 bit by default as JAX's, and explicit 64-bit dtypes without it."""

import warnings

import numpy as np
import pytest
from dtype_cases import FULL_WIDTH
from numpy_cases import CASES, variables
from test_numpy_values import leaves

import fungrad
import fungrad.numpy as fnp

REFUSALS = (TypeError, ValueError, AttributeError, IndexError, NotImplementedError, OverflowError)
EVERY = [e for family in CASES.values() for e in family]


def evaluated(expressions, dtype, x64):
    """Results of expressions whose variables have an explicit dtype; an exception where one is refused."""
    out = {}
    with fungrad.enable_x64(x64), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scope = {k: fnp.asarray(v, dtype=v.dtype) for k, v in variables(dtype).items()}
        scope |= {"np": fnp, "onp": np, "nn": fungrad.nn, "lax": fungrad.lax, "sp": fungrad.scipy.special}
        scope |= {"rnd": fungrad.random, "key": fungrad.random.key(0)}
        for expression in expressions:
            try:
                out[expression] = leaves(eval(expression, dict(scope)))
            except REFUSALS as error:
                out[expression] = error
    return out


# Where an operand is a result of 32 bit, as the sum of an integer array and a Python float is.
NARROW_OPERAND = ("np.isclose(x, x + 1e-9",)


def degraded(expressions, dtype):
    """Expressions whose 64-bit results differ between the two default widths."""
    narrow, wide = evaluated(expressions, dtype, False), evaluated(expressions, dtype, True)
    problems = []
    for expression in expressions:
        a, b = narrow[expression], wide[expression]
        if isinstance(a, Exception) or isinstance(b, Exception):
            if type(a) is not type(b):
                problems.append(f"{expression}: {a!r} in 32-bit mode, {b!r} in 64-bit mode")
            continue
        for x, y in zip(a, b, strict=True):
            if not hasattr(x, "aval") or expression.startswith(NARROW_OPERAND):
                continue
            x, y = np.asarray(x), np.asarray(y)
            if x.dtype.kind in "biu" or x.dtype != y.dtype:
                # Results that follow the default width have few digits.
                same = np.allclose(x, y, rtol=3e-5, atol=3e-5, equal_nan=True)
            else:
                same = np.allclose(x, y, rtol=1e-12, atol=1e-13, equal_nan=True)
            if not same:
                problems.append(f"{expression}: {x.tolist()} in 32-bit mode, {y.tolist()} in 64-bit mode")
    return problems


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_numbers_keep_their_digits_beside_64_bit_arrays(dtype):
    problems = degraded(FULL_WIDTH, dtype)
    assert not problems, "\n".join(problems)


def test_the_cases_are_accepted():
    refused = {e: v for e, v in evaluated(FULL_WIDTH, "float64", False).items() if isinstance(v, Exception)}
    assert not refused


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "int64", "complex128"])
def test_every_function_has_64_bit_for_64_bit_arrays(dtype):
    problems = degraded(EVERY + FULL_WIDTH, dtype)
    assert not problems, "\n".join(problems)


BIG = 2**40 + 1


def test_integers_of_64_bit_are_taken_where_the_array_has_room():
    x = fnp.array([1, 2, 3], "int64")
    for got, wanted in (
        (fnp.full(2, BIG, "int64"), [BIG, BIG]),
        (fnp.full_like(x, BIG), [BIG] * 3),
        (fungrad.lax.full((2,), BIG, "int64"), [BIG, BIG]),
        (x.at[0].set(BIG), [BIG, 2, 3]),
        (x.at[:2].set([BIG, -BIG]), [BIG, -BIG, 3]),
        (x.at[1].add(BIG), [1, BIG + 2, 3]),
        (x.at[1].max(BIG), [1, BIG, 3]),
        (fnp.clip(x * BIG, 0, 2 * BIG), [BIG, 2 * BIG, 2 * BIG]),
        (fnp.where(x > 1, x, BIG), [BIG, 2, 3]),
        (fnp.select([x > 2, x > 1], [x, BIG], -BIG), [-BIG, BIG, 3]),
        (fnp.pad(x, 1, constant_values=BIG), [BIG, 1, 2, 3, BIG]),
        (fnp.append(x, BIG), [1, 2, 3, BIG]),
        (fnp.insert(x, 0, BIG), [BIG, 1, 2, 3]),
        (fnp.stack([x[0], BIG]), [1, BIG]),
        (fnp.hstack([x, BIG]), [1, 2, 3, BIG]),
        (fnp.sum(x, initial=BIG), BIG + 6),
        (fnp.max(x, initial=BIG), BIG),
        (fnp.diff(x, prepend=BIG), [1 - BIG, 1, 1]),
        (fnp.put(x, fnp.array([0]), BIG, inplace=False), [BIG, 2, 3]),
        (fnp.dot(x, BIG), [BIG, 2 * BIG, 3 * BIG]),
        (x + np.array([BIG, 0, 0]), [BIG + 1, 2, 3]),
        (np.int64(BIG) - x, [BIG - 1, BIG - 2, BIG - 3]),
    ):
        assert got.dtype == np.int64
        np.testing.assert_array_equal(np.asarray(got), wanted)
    assert fnp.isin(x * BIG, BIG).tolist() == [True, False, False]
    assert int(fnp.searchsorted(x * BIG, BIG + 1)) == 1


# -- integers beyond a dtype ------------------------------------------------------------------------------------------

COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NUMBERS = (-(2**70), -(2**63), -(2**31) - 1, -129, -1, 0, 5, 127, 128, 255, 256, 2**31, 2**40, 2**63, 2**64, 2**70)


def extremes(dtype):
    info = np.iinfo(dtype)
    return np.array([info.min, 0, 5, info.max], dtype)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_comparisons_with_any_python_integer_are_exact(dtype):
    data = extremes(dtype)
    x = fnp.asarray(data, dtype=dtype)
    for name in COMPARISONS:
        function, exact = getattr(fnp, name), getattr(np, name)
        for number in NUMBERS:
            wanted = exact(data, number).tolist()
            assert function(x, number).tolist() == wanted, (name, number)
            assert fungrad.make_jaxpr(lambda x, n=number, f=function: f(x, n))(x).out_avals[0].dtype == bool
            mirrored = exact(number, data).tolist()
            assert function(number, x).tolist() == mirrored, (name, number)
    assert fungrad.jit(lambda x: (x > -1, x == 2**70, x < 300))(x)[0].tolist() == (data > -1).tolist()


@pytest.mark.parametrize("a", INTEGERS)
def test_comparisons_of_different_integer_dtypes_are_exact(a):
    for b in INTEGERS:
        x, y = extremes(a)[:, None], extremes(b)[None, :]
        for name in COMPARISONS:
            wanted = getattr(np, name)(x.astype(object), y.astype(object)).astype(bool)
            got = getattr(fnp, name)(fnp.asarray(x, dtype=a), fnp.asarray(y, dtype=b))
            np.testing.assert_array_equal(np.asarray(got), wanted, err_msg=f"{name} {a} {b}")


def test_a_weak_number_of_a_traced_function_compares_by_value():
    x = fnp.array([0, 200], "uint8")
    assert fungrad.jit(lambda x, n: x > n)(x, -1).tolist() == [True, True]
    assert fungrad.jit(lambda x, n: x == n)(x, 456).tolist() == [False, False]


def test_extremes_and_limits_beyond_the_dtype():
    x = fnp.array([0, 5, 255], "uint8")
    for f, wanted in (
        (lambda x: fnp.clip(x, -1, 1), [0, 1, 1]),
        (lambda x: fnp.clip(x, -1000, 300), [0, 5, 255]),
        (lambda x: fnp.clip(x, 300, 10), [10, 10, 10]),
        (lambda x: fnp.minimum(x, 300), [0, 5, 255]),
        (lambda x: fnp.maximum(x, -1), [0, 5, 255]),
        (lambda x: fnp.fmin(2**70, x), [0, 5, 255]),
        (lambda x: fnp.isin(x, 261), [False] * 3),
        (lambda x: fnp.isin(x, -1, invert=True), [True] * 3),
        (lambda x: fnp.isclose(x, 261), [False] * 3),
        (lambda x: fnp.searchsorted(x, 300), 3),
        (lambda x: fnp.searchsorted(x, -1), 0),
        (lambda x: fnp.digitize(300, x), 3),
        (lambda x: fnp.max(x, initial=-5), 255),
        (lambda x: fnp.min(x, initial=300), 0),
        (lambda x: fnp.nanmax(x, initial=-5), 255),
        (lambda x: fnp.max(x[None], 0, initial=-(2**70)), [0, 5, 255]),
        (lambda x: fungrad.nn.hard_tanh(x), [0, 1, 1]),
    ):
        assert f(x).tolist() == wanted
        assert fungrad.jit(f)(x).tolist() == wanted
        assert f(x).dtype in (np.uint8, np.bool_, np.int32)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
@pytest.mark.parametrize("largest", [True, False])
def test_an_initial_value_that_never_wins_does_not_wrap(dtype, largest):
    info = np.iinfo(dtype)
    x = np.array([[3, info.max, info.min], [7, 5, 9]], dtype)
    mask = np.array([[True, False, False], [True, True, False]])
    beyond = int(info.min) - 5 if largest else int(info.max) + 5
    name = "max" if largest else "min"
    initials = [beyond]
    if np.iinfo("int64").min <= beyond <= np.iinfo("int64").max:
        initials += [np.int64(beyond), np.array(beyond), fnp.array(beyond, "int64")]
    for initial in initials:
        for where in (None, mask, np.zeros_like(mask)):
            for api in (getattr(fnp, name), getattr(fnp, "nan" + name)):

                def f(x, mask, start, api=api, where=where):
                    return api(x, axis=1, initial=start, **({} if where is None else {"where": mask}))

                nearest = info.min if largest else info.max
                wanted = getattr(np, name)(x, axis=1, initial=nearest, where=True if where is None else where)
                given = fnp.asarray(x, dtype)
                got = f(given, where, initial)
                assert got.dtype == dtype and got.tolist() == wanted.tolist()
                got = fungrad.jit(lambda x, mask, f=f, initial=initial: f(x, mask, initial))(given, where)
                assert got.tolist() == wanted.tolist()
                if isinstance(initial, fungrad.Array):
                    assert fungrad.jit(f)(given, where, initial).tolist() == wanted.tolist()


def test_results_that_do_not_fit_are_refused():
    x = fnp.array([0, 5, 255], "uint8")
    for f in (
        lambda: fnp.clip(x, 300, None), lambda: fnp.clip(x, 300, 400), lambda: fnp.clip(x, None, -1),
        lambda: fnp.minimum(x, -1), lambda: fnp.maximum(300, x), lambda: fnp.where(x > 0, x, 300), lambda: x // 300,
        lambda: x % -1, lambda: fnp.full_like(x, 300), lambda: x.at[0].set(300), lambda: x.at[0].set(-1),
        lambda: fnp.pad(x, 1, constant_values=300), lambda: fnp.append(x, 300), lambda: fnp.insert(x, 0, 300),
        lambda: fnp.select([x > 0], [x], 300), lambda: x + 2**40, lambda: fnp.array([1], "int32") + 2**40,
        lambda: x.at[0].min(300), lambda: fungrad.lax.full((2,), 300, "uint8"), lambda: x + 2**70,
        lambda: fnp.max(x, initial=300), lambda: fnp.min(x, initial=-1),
        lambda: fnp.max(x, initial=np.int64(300), where=x > 0),
        lambda: fnp.max(x[:0], initial=-1), lambda: fnp.nanmin(x, initial=-1, where=x > 0),
        lambda: fnp.sum(x, initial=2**40),
    ):  # fmt: skip
        with pytest.raises(OverflowError, match=r"fungrad\.\w+\..*(300|-1|1099511627776|\d{22})"):
            f()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint32", "int16"])
def test_modular_arithmetic_takes_residues(dtype):
    """As in JAX: ``unsigned + -1`` is a decrement."""
    data = extremes(dtype)
    x = fnp.asarray(data, dtype=dtype)
    wide = data.astype(object)
    for f in (
        lambda x: x + 300, lambda x: x + -1, lambda x: -129 - x, lambda x: x * 70000, lambda x: x & 0x1FF,
        lambda x: x | -2, lambda x: x ^ -1,
    ):  # fmt: skip
        wanted = [int(v) for v in np.array([int(f(v)) % 2**32 for v in wide], "uint32").astype(dtype)]
        assert f(x).tolist() == wanted
        assert fungrad.jit(f)(x).tolist() == wanted
        assert f(x).dtype == dtype
    assert x.at[0].add(-1).tolist()[1:] == data.tolist()[1:]


def test_sums_and_products_start_from_residues():
    x = fnp.array([1, 2, 100], "uint8")
    for f, wanted in (
        (lambda x: fnp.sum(x, initial=-5), 98),
        (lambda x: fnp.nansum(x, initial=-5, where=x > 1), 97),
        (lambda x: fnp.prod(x, initial=-1), 2**32 - 200),
        (lambda x: fnp.sum(x, initial=-5, promote_integers=False), 98),
        (lambda x: fnp.sum(x.astype("int8"), initial=300, promote_integers=False), 403 - 512),
    ):
        assert int(f(x)) == wanted
        assert int(fungrad.jit(f)(x)) == wanted


# Numbers that are shapes, sizes and positions, and functions of text, of functions or of named axes.
NO_NUMBERS = set(
    "zeros ones empty eye identity tri arange linspace logspace geomspace full save load savez fromfile frombuffer "
    "fromfunction fromstring from_dlpack hanning hamming bartlett blackman kaiser indices set_printoptions repeat tile "
    "printoptions tril_indices triu_indices mask_indices diag_indices iota broadcasted_iota broadcast rollaxis one_hot "
    "broadcast_shape broadcast_to_rank bincount unstack resize diag diagflat diff pad array_repr array_str array_split "
    "split vsplit hsplit dsplit vander polyfit histogram histogram2d histogramdd histogram_bin_edges polyint polyder "
    "nonzero flatnonzero argwhere multigammaln psum pmean pmax pmin ppermute pshuffle pswapaxes all_gather all_to_all "
    "axis_index axis_size psum_scatter".split()
)


@pytest.mark.parametrize("module", ["numpy", "lax", "nn", "scipy.special"])
def test_integers_beyond_the_dtype_get_a_right_answer_or_an_error_of_ours(module):
    """Every public function of an array and a Python integer: what is raised names the function."""
    namespace = {"scipy.special": fungrad.scipy.special}.get(module) or getattr(fungrad, module)
    calls = 0
    for name in sorted(set(dir(namespace)) - NO_NUMBERS):
        function = getattr(namespace, name)
        if name.startswith("_") or not callable(function) or isinstance(function, type):
            continue
        for dtype, number in (("uint8", -5), ("uint8", 300), ("int8", 300), ("uint32", -70000), ("int32", 2**40)):
            x, mask = fnp.asarray(np.array([1, 2, 100, 0]), dtype=dtype), fnp.array([True, False, True, True])
            for args, options in (
                ((x, number), {}), ((number, x), {}), ((x, x, number), {}), ((x, number, x), {}), ((number, x, x), {}),
                ((mask, x, number), {}), ((mask, number, x), {}), ((x,), {}), ((x,), {"initial": number}),
                ((x,), {"initial": number, "where": mask}), ((x,), {"fill_value": number}), ((x,), {"y": number}),
                ((x,), {"weights": number}), (([mask], [x], number), {}), (((x, number),), {}),
            ):  # fmt: skip
                calls += 1
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        function(*args, **options)
                    except OverflowError as error:
                        names = {name, getattr(function, "__name__", name)}  # two for a second name of a function
                        assert any(f"fungrad.{module}.{n}: " in str(error) for n in names), (name, args, options)
                    except REFUSALS:
                        pass
    assert calls > 1000


def test_integers_that_fit_no_dtype_are_refused_in_our_words():
    for f in (
        lambda: fnp.array(2**70), lambda: fnp.asarray(2**40), lambda: fnp.array([2**70]), lambda: fnp.sin(2**40),
        lambda: fnp.array(2**70, "int64"), lambda: fnp.array(300, "uint8"), lambda: fnp.full(2, -1, "uint32"),
        lambda: fnp.ones(1) * 10**400, lambda: fnp.array(10**400, "float32"), lambda: fnp.full(2, 10**400, float),
    ):  # fmt: skip
        with pytest.raises(OverflowError, match="does not fit|do not fit") as info:
            f()
        assert "C long" not in str(info.value)
    assert float(fnp.array(2**70, "float32")) == 2.0**70
    assert fnp.full(2, 2**70, "float64").tolist() == [2.0**70] * 2
    assert (fnp.ones(1, "bfloat16") * 2**70).dtype == fnp.bfloat16


# -- evenly spaced numbers --------------------------------------------------------------------------------------------


def test_whole_numbers_come_out_whole():
    compiled = fungrad.jit(fnp.linspace, static_argnums=2)
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, step, n = int(rng.integers(-50, 50)), int(rng.integers(1, 9)), int(rng.integers(2, 60))
        stop = start + step * (n - 1)
        wanted = np.arange(start, stop + 1, step)
        assert fnp.linspace(start, stop, n).astype(int).tolist() == wanted.tolist()
    for n in (2, 7, 8, 50):
        assert compiled(1.0, float(n), n).astype(int).tolist() == list(range(1, n + 1))
        assert compiled(fnp.float32(n), fnp.float32(1), n).tolist() == list(range(n, 0, -1))
        mapped = fungrad.vmap(lambda s, n=n: fnp.linspace(s, s + n - 1, n))(fnp.arange(3.0))
        assert mapped[2].tolist() == list(range(2, n + 2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linspace_is_numpys_bit_by_bit(dtype):
    rng = np.random.default_rng(1)
    for _ in range(300):
        a, b = (rng.normal(size=2) * 10.0 ** rng.integers(-30, 30, 2)).astype("float32").astype(float)
        n, endpoint = int(rng.integers(0, 90)), bool(rng.integers(2))
        wanted = np.linspace(a, b, n, endpoint, dtype=dtype)
        np.testing.assert_array_equal(np.asarray(fnp.linspace(a, b, n, endpoint, dtype=dtype)), wanted)


def test_ends_are_exact_and_extreme_distances_finite():
    for start, stop in ((0.1, 1.3), (-3.3, -1e-5), (1e-30, 1e30)):
        for name in ("linspace", "geomspace"):
            out = np.asarray(getattr(fnp, name)(start, stop, 9))
            assert (out[0], out[-1]) == (np.float32(start), np.float32(stop)), name
    assert fnp.geomspace(1, 256, 9).tolist() == [2**i for i in range(9)]
    assert fnp.logspace(0, 3, 4).tolist() == [1, 10, 100, 1000]
    wide = fnp.linspace(-1.5e308, 1.5e308, 5, dtype="float64")
    assert np.isfinite(np.asarray(wide)).all() and wide[2] == 0
    assert fnp.arange(0, 1, 0.1).size == 10 and fnp.arange(0, 1, 0.1)[3] == np.float32(0.1 * 3)


# -- the least integer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_divisors_of_the_least_integer(dtype):
    least = np.iinfo(dtype).min
    for a, b in ((least, 6), (6, least), (least, least), (least, 0), (least, -96), (least, -1), (least, 3)):
        x, y = np.array(a, dtype), np.array(b, dtype)
        wanted = np.gcd(x, y)
        assert int(fnp.gcd(fnp.asarray(x, dtype=dtype), fnp.asarray(y, dtype=dtype))) == wanted
        assert int(fungrad.jit(fnp.gcd)(fnp.asarray(x, dtype=dtype), fnp.asarray(y, dtype=dtype))) == wanted


# -- against JAX ------------------------------------------------------------------------------------------------------

ACTIVATIONS = [
    f"nn.{name}(x)"
    for name in (
        "softmax log_softmax relu gelu softplus logsumexp standardize leaky_relu relu6 hard_tanh celu log_sigmoid "
        "soft_sign logmeanexp squareplus mish hard_sigmoid sparse_plus elu selu silu sigmoid identity tanh hard_silu "
        "sparse_sigmoid"
    ).split()
] + ["nn.elu(x, 2)", "nn.celu(x, 2)", "nn.gelu(z)", "nn.softplus(True)", "nn.mish(True)", "nn.gelu(2.5)"]
# Kinds of numbers and of weights beside arrays of other widths, and booleans that come from weak numbers.
TYPES = [
    f"np.cov(v, {kind}=np.array([1, 2, 3, 1, 2]).astype({dtype}))"
    for kind, dtype in (("aweights", "'float32'"), ("aweights", "int"), ("aweights", "float"), ("fweights", "int"))
] + [
    "np.cov(v, aweights=np.abs(v) + 1)", "np.sum(b, promote_integers=False)", "np.prod(b, promote_integers=False)",
    "np.sum(b, 0, promote_integers=False)", "np.sum(b, where=b, promote_integers=False)", "np.sum(b, where=b)",
    "np.sum(x, promote_integers=False)", "x == 2", "2 != x", "x < 2.5", "np.equal(2, 2)", "np.exp(np.equal(2, 2))",
    "np.less(1, 2) & np.less(1, 2)", "np.any(np.less(1, 2))", "np.stack([np.less(1, 2)] * 2)", "np.isfinite(2.5)",
    "np.angle(2.0)", "np.angle(1j)", "np.angle(x)", "np.angle(True)", "np.angle(1 + 1j, deg=True)",
    "np.ldexp(x, np.abs(k))", "np.ldexp(b, 3)", "np.ldexp(2, 3)", "np.ldexp(True, k)", "np.polyval(v, 2)",
    "np.polyval(v, 2.5)", "np.nan_to_num(2.5)", "np.logaddexp(x, 1j)", "np.histogram(v, 3, weights=w)",
    "np.histogram(v, 3, weights=np.ones(5, 'float32'))", "np.histogram(v, 3)",
]  # fmt: skip
# Differences on purpose, and one call that JAX refuses by mistake: the beginning of the expression.
OTHER_TYPES = (
    # Small integers are widened as those of cumulative_sum.
    "np.cumulative_prod",
    "np.dot(v, 2)",
    # As wide as the positions need.
    "np.ravel_multi_index",
)


# What JAX computes in the unsigned dtype, where differences and negative numbers wrap: types are compared, values not.
WRAPS_IN_JAX = ("nn.softmax", "nn.log_softmax", "nn.hard_tanh", "nn.log_sigmoid")


@pytest.mark.slow
@pytest.mark.parity
@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("dtype", "bool int8 uint8 int32 uint32 float16 float32 int64 float64".split())
def test_types_and_values_are_jaxs_in_both_modes(dtype, x64):
    """Result dtype, weakness and value of every expression, eager, and the type when traced."""
    jax = pytest.importorskip("jax")
    from test_numpy_parity import differences, excused

    if not x64 and dtype.endswith("64"):
        pytest.skip("JAX has no 64-bit arrays in 32-bit mode")
    problems, compared = [], 0
    with jax.enable_x64(x64), fungrad.enable_x64(x64), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = variables(dtype)
        theirs = {k: jax.numpy.asarray(v) for k, v in values.items()}
        ours = {k: fnp.asarray(v) for k, v in values.items()}
        for expression in EVERY + ACTIVATIONS + TYPES:
            if excused(expression, dtype) or expression.startswith(OTHER_TYPES):
                continue
            try:
                wanted = eval(expression, {"np": jax.numpy, "onp": np, "nn": jax.nn, **theirs})
            except REFUSALS:
                continue
            try:
                got = eval(expression, {"np": fnp, "onp": np, "nn": fungrad.nn, **ours})
            except REFUSALS as error:
                problems.append(f"{expression}: {error!r}, JAX accepts")
                continue
            compared += 1
            if dtype.startswith("uint") and expression.startswith(WRAPS_IN_JAX):
                assert (got.dtype, got.weak_type) == (wanted.dtype, wanted.weak_type), expression
            else:
                problems += differences(expression, wanted, got)
            try:
                traced = fungrad.eval_shape(
                    lambda s, e=expression: [
                        v for v in leaves(eval(e, {"np": fnp, "onp": np, "nn": fungrad.nn, **s})) if hasattr(v, "aval")
                    ],
                    ours,
                )
            except REFUSALS:
                continue  # the shape of the result depends on values
            for eager, shape in zip([v for v in leaves(got) if hasattr(v, "aval")], traced, strict=True):
                if (eager.shape, eager.dtype, eager.weak_type) != (shape.shape, shape.dtype, shape.weak_type):
                    problems.append(f"{expression}: {eager.aval} eager, {shape} traced")
    assert compared > 500
    assert not problems, "\n".join(problems)
