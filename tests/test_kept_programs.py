"""Compiled programs on disk, found by what they are compiled from: nothing else may find them."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import golden_programs
import numpy as np
import optable
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.digest import digest
from fungrad.core.ir import Jaxpr, Literal
from fungrad.core.primitive import Primitive
from fungrad.extend import Elementwise
from fungrad.jit.front import program as programs
from fungrad.jit.runtime import cache, native, version


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "KEEPING", True)
    # Other tests change primitives.
    monkeypatch.setattr(Primitive, "altered", False)
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", str(tmp_path / "objects"))
    return tmp_path / "objects"


def spec(shape, dtype="float32", weak=False):
    return fungrad.ShapeDtypeStruct(shape, dtype, weak_type=weak)


def traced(fun, *args, **options):
    return fungrad.make_jaxpr(fun, **options)(*args).with_consts_as_inputs()


def loop(step, x, n=3, **options):
    return lax.scan(lambda c, _: (step(c), None), x, None, n, **options)[0]


X, Y = spec((4, 6)), spec((6, 4))
DIFFERENT = {
    "add": traced(lambda x, y: x + 1.5, X, Y),
    "another operation": traced(lambda x, y: x - 1.5, X, Y),
    "another constant": traced(lambda x, y: x + 1.25, X, Y),
    "zero": traced(lambda x, y: x + 0.0, X, Y),
    "negative zero": traced(lambda x, y: x + -0.0, X, Y),
    "not a number": traced(lambda x, y: x + jnp.nan, X, Y),
    "constant on the other side": traced(lambda x, y: 1.5 + x, X, Y),
    "the other operand": traced(lambda x, y: y + 1.5, X, Y),
    "another shape": traced(lambda x, y: x + 1.5, spec((4, 7)), Y),
    "another rank": traced(lambda x, y: x + 1.5, spec((4, 6, 1)), Y),
    "another shape of what is not used": traced(lambda x, y: x + 1.5, X, spec((6, 5))),
    "an operand less": traced(lambda x: x + 1.5, X),
    "another type": traced(lambda x, y: x + 1.5, spec((4, 6), "bfloat16"), Y),
    "half precision": traced(lambda x, y: x + 1.5, spec((4, 6), "float16"), Y),
    "a weak type": traced(lambda x, y: x + 1.5, spec((4, 6), weak=True), Y),
    "two results": traced(lambda x, y: (x + 1.5, x + 1.5), X, Y),
    "two results, one twice": traced(lambda x, y: (lambda z: (z, z))(x + 1.5), X, Y),
    "an input as a result": traced(lambda x, y: (x + 1.5, x), X, Y),
    "another input as a result": traced(lambda x, y: (x + 1.5, y), X, Y),
    "results in another order": traced(lambda x, y: (x, x + 1.5), X, Y),
    "true": traced(lambda x, y: jnp.where(True, x, 0), X, Y),
    "sum of rows": traced(lambda x, y: x.sum(0), X, Y),
    "sum of columns": traced(lambda x, y: x.sum(1), X, Y),
    "rounded to even": traced(lambda x, y: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), X, Y),
    "rounded away": traced(lambda x, y: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), X, Y),
    "converted": traced(lambda x, y: x.astype("int32"), X, Y),
    "converted otherwise": traced(lambda x, y: x.astype("uint32"), X, Y),
    "gathered": traced(lambda x, y: x.at[jnp.array([1, 2])].get(mode="clip"), X, Y),
    "gathered otherwise": traced(lambda x, y: x.at[jnp.array([1, 2])].get(mode="fill"), X, Y),
    "loop": traced(lambda x, y: loop(lambda c: c * 2 + 1, x), X, Y),
    "longer loop": traced(lambda x, y: loop(lambda c: c * 2 + 1, x, 4), X, Y),
    "backward loop": traced(lambda x, y: loop(lambda c: c * 2 + 1, x, reverse=True), X, Y),
    "loop with another body": traced(lambda x, y: loop(lambda c: c * 2 + 3, x), X, Y),
    "loop in a loop": traced(lambda x, y: loop(lambda c: loop(lambda d: d * 2 + 1, c), x), X, Y),
    "longer loop in a loop": traced(lambda x, y: loop(lambda c: loop(lambda d: d * 2 + 1, c, 5), x), X, Y),
    "branches": traced(lambda x, y: lax.cond(x[0, 0] > 0, jnp.sin, jnp.cos, x), X, Y),
    "branches exchanged": traced(lambda x, y: lax.cond(x[0, 0] > 0, jnp.cos, jnp.sin, x), X, Y),
    "call": traced(lambda x, y: fungrad.jit(lambda z: z + 1.5)(x), X, Y),
    "call of another": traced(lambda x, y: fungrad.jit(lambda z: z + 2.5)(x), X, Y),
    "gradient of relu": traced(fungrad.grad(lambda x, y: fungrad.nn.relu(x).sum()), X, Y),
    "gradient of elu": traced(fungrad.grad(lambda x, y: fungrad.nn.elu(x).sum()), X, Y),
    "windows": traced(lambda x, y: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 1), "VALID"), X, Y),
    "windows that move": traced(lambda x, y: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID"), X, Y),
}


def test_different_programs_have_different_digests():
    found = {}
    for name, jaxpr in DIFFERENT.items():
        key = digest(jaxpr)
        assert key is not None, name
        assert key not in found, f"{name} and {found[key]}"
        found[key] = name


def test_equal_programs_have_equal_digests():
    def f(x, w):
        return loop(lambda c: jnp.tanh(c @ w), x), fungrad.nn.softmax(x)

    def g(other, names):
        return loop(lambda carry: jnp.tanh(carry @ names), other), fungrad.nn.softmax(other)

    args = spec((4, 4)), spec((4, 4))
    assert digest(traced(f, *args)) == digest(traced(g, *args)) is not None


def test_more_values_are_part_of_a_digest():
    jaxpr = DIFFERENT["add"]
    more = [(), (1,), (True,), (1.0,), ("1",), (b"1",), (None,), ((1,),), ((1, 1),), ((), 1), (np.float32(1),)]
    more += [(np.dtype("f4"),), (np.dtype(">f4"),), (np.dtype("i4"),), (slice(1, 2),), (slice(1, 3),), (0.0,), (-0.0,)]
    assert len({digest(jaxpr, *m) for m in more}) == len(more)


@pytest.mark.parametrize("value", [object(), lambda: 0, [1], {}, np.zeros(2), float, np.dtype([("a", "f4")])])
def test_what_cannot_be_named_has_no_digest(value):
    assert digest(DIFFERENT["add"], value) is None


def test_programs_with_effects_or_code_of_the_user_have_no_digest(directory):
    def prints(x):
        fungrad.debug.print("{}", x)
        return x

    def checks(x):
        fungrad.debug.check(x > 0, "negative")
        return x

    own = Elementwise("kept_own", np.sin, "f", scalar=lambda m, x: m.sin(x), arity=1)
    calls = functools.partial(fungrad.pure_callback, np.sin, spec((3,)))
    for fun in (prints, checks, own.bind, calls):
        x = spec(()) if fun is checks else spec((3,))
        jaxpr = traced(fun, x)
        assert digest(jaxpr) is None
        assert programs._place(jaxpr, (), programs.machine()) is None
    # Also inside of what is kept.
    assert digest(traced(lambda x: loop(own.bind, x), spec((3,)))) is None
    assert digest(traced(lambda x: fungrad.jit(own.bind)(x), spec((3,)))) is None


def test_every_primitive_of_the_library_is_its_own():
    names = {n: p for n, p in Primitive.instances.items() if type(p).__module__.startswith("fungrad.")}
    code = "import fungrad; print(*[n for n, p in fungrad.extend.core.Primitive.instances.items() if not p.built_in])"
    assert names and subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == ""


def test_changed_primitives_turn_digests_off(monkeypatch):
    monkeypatch.setattr(Primitive, "altered", False)
    jaxpr = DIFFERENT["add"]
    sin = Primitive.instances["sin"]
    assert digest(jaxpr) is not None
    monkeypatch.setattr(sin, "quiet", sin.quiet)
    assert digest(jaxpr) is None
    monkeypatch.setattr(Primitive, "altered", False)
    monkeypatch.setitem(Primitive.instances, "sin", sin)
    Elementwise("sin", np.cos, "f", scalar=lambda m, x: m.cos(x), arity=1)  # the compiler asks for primitives by name
    assert digest(jaxpr) is None


def places(jaxpr, donated=()):
    return programs._place(jaxpr, donated, programs.machine())


def test_options_and_donation_are_part_of_the_key(directory):
    jaxpr = DIFFERENT["add"]
    found = [places(jaxpr), places(jaxpr, (True, False)), places(jaxpr, (False, True)), places(jaxpr, (True, True))]
    with fungrad.flush_subnormals(not fungrad.config.flush_subnormals):
        found.append(places(jaxpr))
    with fungrad.enable_x64(not fungrad.config.enable_x64):
        found.append(places(jaxpr))
    with fungrad.strict_index(not fungrad.config.strict_index):
        found.append(places(jaxpr))
    assert None not in found and len(set(found)) == len(found)
    assert places(jaxpr, (False, False)) == places(jaxpr)


def test_machine_and_version_are_part_of_the_key(directory, monkeypatch):
    jaxpr = DIFFERENT["add"]
    before, target, host = places(jaxpr), programs.machine(), native.session().host
    for field, value in vars(target).items():
        other = not value if isinstance(value, bool) else value * 2 if isinstance(value, int) else f"{value}x"
        changed = type(target)(**{**vars(target), field: other})
        assert programs._place(jaxpr, (), changed) != before, field
    name = digest(jaxpr)
    for field, value in vars(host).items():
        assert cache.named("program", name, type(host)(**{**vars(host), field: value + "x"})) != cache.named(
            "program", name, host
        )
    monkeypatch.setattr(cache, "version", lambda: "another")
    assert places(jaxpr) not in (before, None)
    monkeypatch.setattr(cache, "version", lambda: None)
    assert places(jaxpr) is None


def run(jaxpr, arrays, donated=()):
    """A program, whether it comes from the disk, and its results."""
    program = programs.program(Jaxpr((), jaxpr.invars, jaxpr.outvars, jaxpr.eqns), "kept", donated)
    kept = program._compilation is None
    return program, kept, program.run([x.copy() for x in arrays])


def filled(avals, seed=0):
    rng = np.random.default_rng(seed)
    arrays = []
    for a in avals:
        if np.issubdtype(a.dtype, np.integer):
            arrays.append(rng.integers(0, 4, a.shape).astype(a.dtype))
        else:
            x = rng.standard_normal(a.shape)
            arrays.append(np.asarray(x + 1j * x if np.issubdtype(a.dtype, np.complexfloating) else x, a.dtype))
    return arrays


def assert_same(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", [n for n in golden_programs.PROGRAMS if n not in ("abs_sum",)])
def test_kept_programs_give_the_same_bits(name, directory):
    jaxpr = traced(golden_programs.PROGRAMS[name][0], *golden_programs.arguments(name))
    arrays = filled(jaxpr.in_avals)
    _, kept, want = run(jaxpr, arrays)
    assert not kept
    program, kept, got = run(jaxpr, arrays)
    assert kept
    assert_same(got, want)
    assert program.text("steps") == programs.compile_jaxpr(jaxpr, name="kept").text("steps")


@pytest.mark.slow
@pytest.mark.parametrize("op", optable.OPS, ids=lambda op: op.name)
def test_kept_operations_give_the_same_bits(op, directory):
    for shapes, dtypes in op.cases():
        operands = op.sample(shapes, dtypes)
        with fungrad.enable_x64():
            jaxpr = traced(op.call, *operands)
            assert_kept(jaxpr, [np.asarray(x) for x in operands])


def assert_kept(jaxpr, arrays, donated=()):
    _, _, want = run(jaxpr, arrays, donated)
    _, kept, got = run(jaxpr, arrays, donated)
    assert kept or digest(jaxpr) is None
    assert_same(got, want)


@pytest.mark.parametrize("name", DIFFERENT)
def test_small_programs_give_the_same_bits(name, directory):
    jaxpr = DIFFERENT[name]
    assert_kept(jaxpr, filled(jaxpr.in_avals))


def test_donated_memory_and_host_steps(directory):
    x = spec((50, 60))
    assert_kept(traced(lambda x: (x + 1, x.sum()), x), filled([x]), (True,))
    # NumPy sorts long rows.
    long = spec((2, 9000))
    jaxpr = traced(lambda x: jnp.sort(x, 1) * 2, long)
    assert run(jaxpr, filled([long]))[0].host_steps
    assert_kept(jaxpr, filled([long]))


def test_a_damaged_or_missing_half_is_a_miss(directory):
    jaxpr = DIFFERENT["add"]
    arrays = filled(jaxpr.in_avals)
    _, _, want = run(jaxpr, arrays)
    entries = [path for path in directory.iterdir() if path.name != cache.version_place()]
    assert len(entries) == 2
    for path in entries:
        content = path.read_bytes()
        for bad in (None, content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
            path.unlink() if bad is None else path.write_bytes(bad)
            _, kept, got = run(jaxpr, arrays)
            assert not kept
            assert_same(got, want)
            assert run(jaxpr, arrays)[1]


def test_verifying_takes_nothing_from_the_disk(directory, monkeypatch):
    jaxpr = DIFFERENT["add"]
    arrays = filled(jaxpr.in_avals)
    run(jaxpr, arrays)
    assert run(jaxpr, arrays)[1]
    monkeypatch.setattr(programs, "KEEPING", False)
    assert not run(jaxpr, arrays)[1]


_SCRIPT = """
import sys
import fungrad, fungrad.numpy as jnp
from fungrad.jit.runtime import version
f = fungrad.jit(lambda x, w: (jnp.tanh(x @ w).sum(), x))
x = jnp.arange(64 * 64, dtype="float32").reshape(64, 64) / 1000
print(float(f(x, x)[0]).hex(), "fungrad.jit.front.compile" in sys.modules, "fungrad.jit.products.driver" in sys.modules)
"""


def process(where, package=None, script=_SCRIPT):
    env = {**os.environ, "FUNGRAD_CACHE_DIR": str(where), "FUNGRAD_CHECK": "0"}
    env["PYTHONPATH"] = str(package or Path(fungrad.__file__).parent.parent)
    out = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, cwd=where.parent)
    assert out.returncode == 0, out.stderr
    return out.stdout.split()


def test_another_process_does_not_load_the_compiler(directory):
    value, *cold = process(directory)
    assert cold == ["True", "True"]
    assert process(directory) == [value, "False", "False"]


@pytest.mark.slow
def test_an_edit_of_any_file_is_another_version(directory, tmp_path):
    """Even one that keeps size and date."""
    package = tmp_path / "copy"
    shutil.copytree(Path(fungrad.__file__).parent, package / "fungrad", ignore=shutil.ignore_patterns("__pycache__"))
    value, *_ = process(directory, package)
    assert process(directory, package) == [value, "False", "False"]
    for file in ("jit/rewrites/unroll.py", "ops/elementwise.py", "core/ir.py"):
        path = package / "fungrad" / file
        status, text = path.stat(), path.read_text()
        assert text.count("the ") > 1
        path.write_text(text.replace("the ", "teh ", 1))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert process(directory, package)[1] == "True"
        assert process(directory, package)[1] == "False"


def test_a_process_during_which_a_file_changes_keeps_nothing(directory, monkeypatch):
    jaxpr = DIFFERENT["add"]
    arrays = filled(jaxpr.in_avals)
    assert cache.version() is not None
    newest = version._newest()
    monkeypatch.setattr(version, "LOADED_AT", newest)
    assert cache.version() is None
    run(jaxpr, arrays)
    assert not run(jaxpr, arrays)[1]
    monkeypatch.undo()


def test_dates_of_the_last_two_seconds_tell_no_version(monkeypatch):
    """File systems that count seconds give two edits within one the same date."""
    newest = max(max(e.stat().st_mtime_ns, e.stat().st_ctime_ns) for e in version._sources())
    for later, known in ((1.9e9, False), (2.1e9, True)):
        monkeypatch.setattr(version.time, "time_ns", lambda later=later: newest + int(later))
        assert (version.stamp() is not None) == known


def test_literals_are_compared_by_bits():
    """-0.0 is not 0.0, and NaN is itself."""
    aval = fungrad.core.avals.ShapedArray((), np.dtype("float32"))
    keys = [Literal(np.float32(v), aval).key for v in (0.0, -0.0, np.nan)]
    assert len(set(keys)) == 3 and Literal(np.float32(np.nan), aval).key == keys[2]
