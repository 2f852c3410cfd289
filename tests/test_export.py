"""``fungrad.export``: functions kept as bytes, called in another process, inside of transformations, and refused."""

import collections
import hashlib
import json
import pickle
import subprocess
import sys
import textwrap
from typing import NamedTuple

import control_programs
import numpy as np
import programs
import pytest
from optable import OPS
from optable_base import array, as_list, widened

import fungrad
import fungrad.numpy as jnp
from fungrad import export, lax, tree
from fungrad.exports import serialization
from fungrad.exports.trees import _by_class, _by_name
from fungrad.test_util import check_grads

X = jnp.array([0.1, 0.2, 0.3, 0.4])


def kept(f, *args, vjp_order=0, **kwargs):
    """What is read of the bytes of ``f``, exported for these arguments."""
    return export.deserialize(export.export(fungrad.jit(f), **kwargs)(*args).serialize(vjp_order))


# -- calls -------------------------------------------------------------------------------------------------------------


def test_attributes():
    def f(x, *, y):
        return {"sum": x + y["a"], "none": None}, x.sum()

    S = fungrad.ShapeDtypeStruct
    exported = export.export(fungrad.jit(f))(S((4,), np.float32), y={"a": S((), np.float32)})
    for e in (exported, export.deserialize(exported.serialize())):
        assert e.fun_name == "f" and str(e) == "Exported(fun_name=f, ...)"
        assert e.platforms == ("cpu",) and e.nr_devices == 1 and e.disabled_safety_checks == ()
        assert [a.str_short() for a in e.in_avals] == ["f32[4]", "f32[]"]
        assert [a.str_short() for a in e.out_avals] == ["f32[4]", "f32[]"]
        assert e.in_tree == exported.in_tree == tree.structure(((0,), {"y": {"a": 0}}))
        assert e.out_tree == tree.structure(({"sum": 0, "none": None}, 0))
        assert e.module_kept_var_idx == (0, 1) and not e.uses_global_constants
        assert e.ordered_effects == e.unordered_effects == ()
        assert e.calling_convention_version == export.maximum_supported_calling_convention_version
        assert "add" in e.mlir_module() and e.in_shardings_jax(None) == (None, None)
        out, total = e.call(X, y={"a": jnp.float32(1.0)})
        np.testing.assert_array_equal(out["sum"], X + 1.0)
        assert out["none"] is None and float(total) == 1.0
    assert exported.has_vjp() and not export.deserialize(exported.serialize()).has_vjp()
    assert export.export(fungrad.jit(lambda x, y: y))(1.0, 2.0).module_kept_var_idx == (1,)


def test_constants_of_all_kinds():
    key = fungrad.random.key(3)
    table = {
        "f32": jnp.arange(6.0).reshape(2, 3).T,
        "bf16": jnp.ones(3, jnp.bfloat16) / 3,
        "c64": jnp.array([1 + 2j]),
        "bool": jnp.array([True, False]),
        "f64": jnp.asarray(np.array(np.pi)),
        "empty": jnp.zeros((0, 3)),
        "i4": jnp.array([-3, 2], jnp.int4),
    }

    def f(x):
        return tree.map(lambda c: c + c if c.dtype != bool else c, table), fungrad.random.normal(key, (2,)) * x

    again = kept(f, 2.0)
    wanted, got = fungrad.jit(f)(2.0), again.call(2.0)
    for a, b in zip(tree.leaves(wanted), tree.leaves(got), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_keys_are_arguments_and_results():
    again = kept(lambda k: fungrad.random.split(k), fungrad.random.key(1))
    wanted = fungrad.random.split(fungrad.random.key(5))
    got = again.call(fungrad.random.key(5))
    np.testing.assert_array_equal(fungrad.random.key_data(got), fungrad.random.key_data(wanted))


def test_static_arguments_are_fixed():
    f = fungrad.jit(lambda x, n: x * n, static_argnums=1)
    again = export.deserialize(export.export(f)(X, 3).serialize())
    np.testing.assert_array_equal(again.call(X), X * 3)


def test_platforms():
    f = fungrad.jit(jnp.sin)
    exported = export.export(f, platforms=("tpu",))(1.0)
    for e in (exported, export.deserialize(exported.serialize())):
        with pytest.raises(ValueError, match=r"'sin' was exported for platforms '\('tpu',\)' but it is used on"):
            e.call(1.0)
    disabled = [export.DisabledSafetyCheck.platform()]
    e = export.deserialize(export.export(f, platforms=("tpu",), disabled_checks=disabled)(1.0).serialize())
    assert e.platforms == ("tpu",) and e.disabled_safety_checks == tuple(disabled)
    np.testing.assert_allclose(e.call(1.0), np.sin(1.0), rtol=1e-6)
    assert export.export(f, platforms=["cuda", "cpu"])(1.0).call(0.0) == 0.0
    check = export.DisabledSafetyCheck.custom_call("mine")
    assert (
        check.is_custom_call() == "mine" and disabled[0].is_custom_call() is None and str(check) == "custom_call:mine"
    )
    assert check == export.DisabledSafetyCheck.custom_call("mine") != disabled[0] and len({check, *disabled}) == 2


def test_shardings():
    with fungrad.config.override("jax_num_cpu_devices", 2):
        mesh = fungrad.make_mesh((2,), ("i",))
        s = fungrad.NamedSharding(mesh, fungrad.P("i"))
        f = fungrad.jit(lambda x: x + 1, in_shardings=s, out_shardings=s)
        exported = export.export(f)(X)
        for e in (exported, export.deserialize(exported.serialize())):
            assert e.nr_devices == 2 and e.in_shardings_jax(mesh) == (s,) == e.out_shardings_jax(mesh)
            np.testing.assert_array_equal(e.call(X), X + 1)


# -- transformations ---------------------------------------------------------------------------------------------------


def polynomial(x, y):
    return {"p": jnp.sin(x) * y**3, "q": jnp.sum(x) * y}


@pytest.mark.parametrize("read", [False, True], ids=["here", "read"])
def test_derivatives_up_to_the_order_that_was_kept(read):
    exported = export.export(fungrad.jit(polynomial))(X, 2.0)
    e = export.deserialize(exported.serialize(vjp_order=2)) if read else exported

    def total(f):
        return lambda x, y: sum(jnp.sum(v) for v in f(x, y).values())

    for order in range(3):
        ours, wanted = total(e.call), total(polynomial)
        for _ in range(order):
            ours, wanted = (
                (lambda f: lambda x, y: jnp.sum(fungrad.grad(f)(x, y)))(ours),
                (lambda f: lambda x, y: jnp.sum(fungrad.grad(f)(x, y)))(wanted),
            )
        np.testing.assert_allclose(ours(X, 1.5), wanted(X, 1.5), rtol=2e-6)
        np.testing.assert_allclose(fungrad.jit(ours)(X, 1.5), wanted(X, 1.5), rtol=2e-6)
    assert e.vjp().has_vjp() and (not read or not e.vjp().vjp().has_vjp())
    if read:
        third = fungrad.grad(lambda y: fungrad.grad(fungrad.grad(lambda y: total(e.call)(X, y)))(y))
        with pytest.raises(ValueError, match="No VJP is available: polynomial was kept without its derivative"):
            third(1.5)
        with pytest.raises(ValueError, match="No VJP is available"):
            e.serialize(vjp_order=3)
        assert e.serialize(vjp_order=2) == exported.serialize(vjp_order=2)


def test_vjp_takes_flat_arguments_and_cotangents():
    def f(x, i):
        return x * i, i + 1

    v = kept(f, 2.0, 3, vjp_order=1).vjp()
    assert [a.str_short() for a in v.in_avals] == ["f32[]", "i32[]", "f32[]", "float0[]"]
    ct, none = v.call(jnp.float32(2.0), jnp.int32(5), jnp.float32(1.0), np.zeros((), fungrad.float0))
    assert float(ct) == 5.0 and none.dtype == fungrad.float0
    assert fungrad.grad(lambda x: kept(f, 2.0, 3, vjp_order=1).call(x, 4)[0])(1.0) == 4.0


def test_check_grads():
    again = kept(lambda x, w: jnp.tanh(x @ w).sum(0), jnp.ones((2, 3)), jnp.ones((3, 2)), vjp_order=2)
    rng = np.random.default_rng(0)
    args = [jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((2, 3), (3, 2))]
    check_grads(again.call, args, 2, modes=["rev"], rtol=2e-2, atol=2e-2)


def test_rules_of_the_user_are_those_that_are_kept():
    @fungrad.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, ct: (jnp.clip(ct, -1, 1),))
    half = fungrad.custom_jvp(lambda x: 0.5 * x)
    half.defjvp(lambda p, t: (half(*p), 7.0 * t[0]))

    def f(x):
        return 100.0 * clipped(fungrad.checkpoint(half)(x))

    again = kept(f, 1.0, vjp_order=2)
    assert again.call(4.0) == 200.0 and fungrad.grad(again.call)(4.0) == fungrad.grad(f)(4.0) == 7.0
    assert not {"custom_jvp_call", "custom_vjp_call", "jit", "remat2"} & {e.primitive.name for e in again.jaxpr.eqns}


def test_maps():
    again = kept(polynomial, X, 2.0, vjp_order=1)
    xs = jnp.stack([X, 2 * X, 3 * X])
    for axes, args in (((0, None), (xs, 2.0)), ((None, 0), (X, jnp.arange(3.0))), ((1, 0), (xs.T, jnp.arange(3.0)))):
        wanted, got = fungrad.vmap(polynomial, axes)(*args), fungrad.vmap(again.call, axes)(*args)
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), wanted, got)
    twice = fungrad.vmap(fungrad.vmap(again.call, (0, None)), (None, 0))(xs, jnp.arange(2.0))["p"]
    np.testing.assert_allclose(twice, jnp.sin(xs) * jnp.arange(2.0)[:, None, None] ** 3, rtol=1e-6)

    def g(f):
        return fungrad.jit(fungrad.vmap(fungrad.grad(lambda x: f(x, 2.0)["p"].sum())))

    np.testing.assert_allclose(g(again.call)(xs), g(polynomial)(xs), rtol=1e-6)
    assert fungrad.vmap(again.call, (0, None))(jnp.zeros((0, 4)), 2.0)["p"].shape == (0, 4)


def test_inside_of_loops_and_compiled_functions():
    again = kept(lambda c: 0.5 * c + 1.0, 1.0, vjp_order=1)

    @fungrad.jit
    def f(x):
        return lax.scan(lambda c, _: (again.call(c), c), x, length=5)

    total, steps = f(0.0)
    assert float(total) == 1.9375 and steps.shape == (5,)
    assert fungrad.grad(lambda x: f(x)[0])(0.0) == 0.5**5
    twice = kept(lambda x: again.call(again.call(x)), 1.0, vjp_order=1)
    assert float(twice.call(0.0)) == 1.5 and fungrad.grad(twice.call)(0.0) == 0.25
    with pytest.raises(TypeError, match="custom_vjp"):
        fungrad.jvp(again.call, (1.0,), (1.0,))


@pytest.mark.parametrize("name", [*programs.PROGRAMS])
def test_programs(name):
    make, args = programs.PROGRAMS[name]
    f = make(fungrad)
    args = tree.map(jnp.asarray, args)
    again = kept(f, *args)
    for a, b in zip(tree.leaves(fungrad.jit(f)(*args)), tree.leaves(again.call(*args)), strict=True):
        assert a.aval is b.aval
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)


@pytest.mark.parametrize("name", [*control_programs.REVERSIBLE])
def test_control_flow_and_its_derivative(name):
    make, args = control_programs.REVERSIBLE[name]
    f = make(fungrad)
    args = tree.map(jnp.asarray, args)
    again = kept(f, *args, vjp_order=1)

    def loss(f):
        return lambda x, *rest: sum(
            [jnp.sum(jnp.sin(v)) for v in tree.leaves(f(x, *rest)) if jnp.issubdtype(v.dtype, jnp.floating)]
        )

    wanted, got = (fungrad.value_and_grad(loss(each))(*args) for each in (f, again.call))
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), wanted, got)


# -- another process ---------------------------------------------------------------------------------------------------

READER = """
    import pickle, sys
    import ml_dtypes
    import numpy as np
    import fungrad
    from fungrad import export
    bad = []
    with open(sys.argv[1], "rb") as file, fungrad.disable_jit():
        for name, data, args, wanted in pickle.load(file):
            f = export.deserialize(data)
            got = f.call(*[fungrad.numpy.asarray(x, x.dtype) for x in args])
            got = got if isinstance(got, (list, tuple)) else [got]
            for a, b in zip(got, wanted, strict=True):
                if a.dtype != b.dtype or a.shape != b.shape or np.asarray(a).tobytes() != b.tobytes():
                    bad.append((name, a, b))
    print(bad or "all equal")
"""


def test_every_operation_in_another_process(tmp_path):
    cases = []
    for op in OPS:
        for shapes, dtypes in op.cases()[:2]:
            args = [array(x) for x in op.sample(shapes, dtypes)]
            with fungrad.disable_jit():
                exported = export.export(fungrad.jit(op.call))(*args)
                wanted = [np.asarray(x) for x in as_list(exported.call(*args))]
                direct = as_list(op.call(*args))
            for a, b in zip(wanted, direct, strict=True):
                np.testing.assert_array_equal(widened(a), widened(np.asarray(b)))
            data = bytes(exported.serialize())
            if all(x.dtype.kind != "V" or x.dtype.names is None for x in (*args, *direct)):
                cases.append((op.name, data, [np.asarray(x) for x in args], wanted))
            else:
                again = export.deserialize(data)
                assert [a.aval for a in as_list(again.call(*args))] == [a.aval for a in as_list(exported.call(*args))]
    assert len(cases) > 250
    file = tmp_path / "cases"
    file.write_bytes(pickle.dumps(cases))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(READER), str(file)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "all equal", done.stdout[-2000:] + done.stderr[-2000:]


# -- structures --------------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: object
    b: object


class Tagged:
    def __init__(self, x, tag):
        self.x, self.tag = x, tag


fungrad.tree_util.register_pytree_node(Tagged, lambda t: ((t.x,), t.tag), lambda tag, xs: Tagged(*xs, tag))


@pytest.fixture
def registered():
    export.register_namedtuple_serialization(Pair, serialized_name="tests.Pair")
    export.register_pytree_node_serialization(
        Tagged, serialized_name="tests.Tagged", serialize_auxdata=str.encode, deserialize_auxdata=bytes.decode
    )
    yield
    for cls, name in ((Pair, "tests.Pair"), (Tagged, "tests.Tagged")):
        _by_class.pop(cls, None)
        _by_name.pop(name, None)


def test_structures(registered):
    arg = {
        "pair": Pair([1.0, (2.0,)], None),
        "tagged": Tagged({"b": 3.0, "a": ()}, "é"),
        "ordered": collections.OrderedDict([("z", 4.0), ("y", 5.0)]),
        "numbered": {2: 6.0, 1: 7.0},
    }
    again = kept(lambda t: (t, tree.map(lambda x: 2 * x, t)), arg)
    same, double = again.call(arg)
    assert tree.structure(same) == tree.structure(arg) == tree.structure(double)
    assert type(same["pair"]) is Pair and same["tagged"].tag == "é" and list(same["ordered"]) == ["z", "y"]
    assert tree.leaves(double) == [2 * x for x in tree.leaves(arg)]


def test_classes_of_the_library():
    optimizer = fungrad.optim.adam(0.1)
    state = optimizer.init(X)

    def step(x, state):
        updates, state = optimizer.update(2 * x, state, x)
        return fungrad.optim.apply_updates(x, updates), state, jnp.linalg.qr(jnp.outer(x, x))

    again = kept(step, X, state)
    wanted, got = step(X, state), again.call(X, state)
    assert tree.structure(got) == tree.structure(wanted) and type(got[2]) is type(wanted[2])
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-6, atol=1e-8)


def test_unknown_classes():
    with pytest.raises(NotImplementedError, match="arguments of .* type Pair, .*register_namedtuple_serialization"):
        kept(lambda p: p.a, Pair(1.0, 2.0))
    with pytest.raises(NotImplementedError, match="results of .* type Tagged, .*register_pytree_node_serialization"):
        kept(lambda x: Tagged(x, "t"), 1.0)
    with pytest.raises(NotImplementedError, match="keys of dicts .* got 1.5"):
        kept(lambda x: {1.5: x}, 1.0)


def test_classes_that_the_reader_lacks(registered):
    data = export.export(fungrad.jit(lambda p: p.a))(Pair(1.0, 2.0)).serialize()
    _by_class.pop(Pair), _by_name.pop("tests.Pair")
    with pytest.raises(ValueError, match="a type written as 'tests.Pair', which is not registered in this process"):
        export.deserialize(data)
    Other = collections.namedtuple("Other", ["a", "c"])
    export.register_namedtuple_serialization(Other, serialized_name="tests.Pair")
    with pytest.raises(ValueError, match=r"written with the fields \['a', 'b'\], but Other has \['a', 'c'\]"):
        export.deserialize(data)
    _by_class.pop(Other)


def test_registering_twice(registered):
    with pytest.raises(ValueError, match="Duplicate serialization registration for type Pair"):
        export.register_namedtuple_serialization(Pair, serialized_name="else")
    with pytest.raises(ValueError, match="Duplicate serialization registration for serialized_name 'tests.Pair'"):
        export.register_namedtuple_serialization(collections.namedtuple("Q", "a"), serialized_name="tests.Pair")
    with pytest.raises(ValueError, match="is no named tuple; use"):
        export.register_namedtuple_serialization(Tagged, serialized_name="t")
    with pytest.raises(ValueError, match="is no pytree node: call"):
        export.register_pytree_node_serialization(
            type("C", (), {}), serialized_name="c", serialize_auxdata=str.encode, deserialize_auxdata=bytes.decode
        )


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_wrong_arguments():
    e = export.export(fungrad.jit(lambda x, y: x * y["a"]))(X, {"a": 1.0})
    for call, message in (
        (lambda: e.call(X), r"\(args, kwargs\)\[0\]: .*length 2, got a tuple of length 1"),
        (lambda: e.call(X, {"b": 1.0}), r"\(args, kwargs\)\[0\]\[1\]: .*missing \['a'\].*unexpected \['b'\]"),
        (lambda: e.call(X, y={"a": 1.0}), "same pytree structure as when the function was exported"),
        (lambda: e.call(X[:2], {"a": 1.0}), r"Shape mismatch for args\[0\] .* for f32\[4\] and called with f32\[2\]"),
        (lambda: e.call(X[0], {"a": 1.0}), r"Rank mismatch for args\[0\]"),
        (lambda: e.call(X, {"a": 1}), r"Dtype mismatch for args\[1\]\['a'\] .* for f32\[\] and called with i32\[\]"),
        (lambda: e.call(X, {"a": "s"}), r"type mismatch for args\[1\]\['a'\] .* called with 's' of type str"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_what_cannot_be_exported():
    with pytest.raises(ValueError, match="must be the result of `jit`"):
        export.export(jnp.sin)
    with pytest.raises(TypeError, match="platforms must be a sequence of strings or None, got 'cpu'"):
        export.export(fungrad.jit(jnp.sin), platforms="cpu")
    with pytest.raises(ValueError, match="platforms must be a sequence of names"):
        export.export(fungrad.jit(jnp.sin), platforms=())
    with pytest.raises(TypeError, match="disabled_checks must be a sequence of DisabledSafetyCheck"):
        export.export(fungrad.jit(jnp.sin), disabled_checks=["platform"])
    S = fungrad.ShapeDtypeStruct((), np.float32)
    for f, message in (
        (lambda x: fungrad.pure_callback(np.sin, S, x), "its operation pure_callback calls a Python function"),
        (lambda x: fungrad.debug.print("{}", x), "its operation debug_callback has an effect"),
        (lambda x: lax.cond(x > 0, lambda: fungrad.pure_callback(np.sin, S, x), lambda: x), "pure_callback"),
        (lambda x: fungrad.debug.check(x > 0, "m"), "its operation check has an effect"),
    ):
        with pytest.raises(NotImplementedError, match=message):
            export.export(fungrad.jit(f))(1.0)
    ref = fungrad.new_ref(1.0)
    with pytest.raises(NotImplementedError, match="uses references from outside"):
        export.export(fungrad.jit(lambda x: x + ref[...]))(1.0)

    def inside(x):
        r = fungrad.new_ref(x)
        r[...] += 1.0
        return r[...]

    assert kept(inside, 1.0).call(2.0) == 3.0
    with pytest.raises(ValueError, match="vjp_order must be a non-negative integer, got -1"):
        export.export(fungrad.jit(jnp.sin))(1.0).serialize(-1)


def test_primitives_of_the_user():
    from fungrad.extend.core import Primitive

    p = Primitive("tests_export_double")
    p.def_impl(lambda x: x * 2)
    p.def_abstract_eval(lambda x: x)
    f = fungrad.jit(lambda x: p.bind(x))
    with pytest.raises(ValueError, match="its primitive tests_export_double is not one of the library"):
        export.export(f)(1.0)
    allowed = [export.DisabledSafetyCheck.custom_call("tests_export_double")]
    data = export.export(f, disabled_checks=allowed)(1.0).serialize()
    assert export.deserialize(data).call(3.0) == 6.0


def test_damaged_and_foreign_bytes():
    data = bytes(export.export(fungrad.jit(lambda x: x @ jnp.ones((4, 2))))(X).serialize())
    assert export.deserialize(bytearray(data)).call(X).shape == export.deserialize(memoryview(data)).call(X).shape
    for position in (*range(0, len(data), 37), len(data) - 1):
        changed = bytearray(data)
        changed[position] ^= 0x40
        with pytest.raises(ValueError, match="data are (damaged|no function exported by fungrad)"):
            export.deserialize(changed)
    for n in (0, 3, 8, 25, len(data) - 1):
        with pytest.raises(ValueError, match="data are damaged"):
            export.deserialize(data[:n])
    with pytest.raises(ValueError, match="data are damaged"):
        export.deserialize(data + b"x")
    for foreign in (pickle.dumps([1]), b"PK\x03\x04 and more", b"abc"):
        with pytest.raises(ValueError, match="data are no function exported by fungrad: they start with"):
            export.deserialize(foreign)
    with pytest.raises(TypeError, match="expected bytes, got 'abc'"):
        export.deserialize("abc")


def signed(data):
    """The bytes with the checksum that fits them."""
    return bytes(data) + hashlib.sha256(data).digest()


def test_other_versions():
    data = bytes(export.export(fungrad.jit(jnp.sin))(X).serialize())[:-32]
    newer = bytearray(data)
    newer[8] = 2
    with pytest.raises(ValueError, match="have version 2 of the format, this version of fungrad reads version 1"):
        export.deserialize(signed(newer))
    # An operation that this version does not have, and one of the wrong type.
    for old, new, message in ((b" sin ", b" sim ", "no primitive named 'sim'"), (b"= sin", b"= cos", None)):
        changed = data.replace(old, new)
        if message is None:
            np.testing.assert_allclose(export.deserialize(signed(changed)).call(X), np.cos(X), rtol=1e-6)
            continue
        with pytest.raises(
            ValueError, match=f"was exported by fungrad .* and cannot be read by this version.*{message}"
        ):
            export.deserialize(signed(changed))
    with pytest.raises(ValueError, match="cannot be read by this version"):
        export.deserialize(signed(data.replace(b"b:f32[4] = sin", b"b:f32[5] = sin")))


def test_the_format_is_as_documented():
    data = bytes(export.export(fungrad.jit(lambda x: x + jnp.array([3.0, 1.0, 4.0, 1.0])))(X).serialize(1))
    assert data[:8] == b"\x89FGX\r\n\x1a\n" and data[8:12] == (1).to_bytes(4, "little")
    length = int.from_bytes(data[12:20], "little")
    header = json.loads(data[20 : 20 + length])
    assert header["fungrad"] == fungrad.__version__ and len(header["stages"]) == 2
    (dtype, shape, weak, offset) = header["stages"][0]["constants"][0]
    assert (dtype, shape, weak, offset % 64) == ("float32", [4], False, 0)
    np.testing.assert_array_equal(np.frombuffer(data, np.float32, 4, 20 + length + offset), [3.0, 1.0, 4.0, 1.0])
    assert data[-32:] == hashlib.sha256(data[:-32]).digest() and serialization.FORMAT == 1


# -- symbols -----------------------------------------------------------------------------------------------------------


@pytest.mark.parity
def test_the_public_names_are_those_of_jax():
    theirs = pytest.importorskip("jax.export")
    assert set(export.__all__) == set(theirs.__all__)
