"""No kernel reads memory that nobody wrote: neither into a result nor into an operation whose result is masked."""

import ctypes

import numpy as np
import pytest
from optable import OPS
from optable_base import array
from poison import HAS_FLAGS, PATTERNS, met, poison_stack, poisoned

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn
from fungrad.jit.ir.machine import Machine
from fungrad.jit.products import driver, kernels
from fungrad.jit.runtime import native

# What takes subnormal numbers for zero does not note that it has met one.
pytestmark = pytest.mark.usefixtures("keep_subnormals")

BAD = [name for name in PATTERNS if name != "zero"]


def bits(x):
    return np.asarray(x).reshape(-1).view(np.uint8).tobytes()


def results_under(patterns, function, operands):
    """For each pattern the bits of the results, and what operations met, of a function compiled on one thread."""
    fungrad.clear_caches()
    with fungrad.threads(1), poisoned() as poison:
        compiled, results = fungrad.jit(function), {}
        for name in patterns:
            poison.pattern, poison.found = PATTERNS[name], []
            out = [bits(x) for x in fungrad.tree.leaves(compiled(*operands))]
            results[name] = out, poison.found
    return results


def assert_reads_nothing(function, *operands):
    results = results_under(PATTERNS, function, operands)
    assert results["zero"][1], "nothing was compiled"
    for name in BAD:
        assert results[name][0] == results["zero"][0], f"results depend on memory filled with {name} patterns"
        assert results[name][1] == results["zero"][1], f"an operation has met {name} patterns"


def test_the_harness_finds_what_is_read():
    """A function that multiplies what it finds on the stack."""
    text = """
    define float @reads(ptr %out) noinline {
      %block = alloca [4096 x float], align 64
      %at = getelementptr float, ptr %block, i64 100
      %x = load volatile float, ptr %at, align 4
      %y = fmul float %x, 3.0
      ret float %y
    }"""
    session = native.session()
    loaded = session.link(session.compile(text), {}, "reads")
    reads = ctypes.PYFUNCTYPE(ctypes.c_float, ctypes.c_void_p)(loaded.addresses["reads"])
    seen = {}
    for name in ("zero", "subnormal", "signalling32"):
        poison_stack(PATTERNS[name])
        reads(None)
        seen[name] = met()
    assert not HAS_FLAGS or seen == {"zero": 0, "subnormal": 2, "signalling32": 1}


@pytest.mark.parametrize("suffix, vector_bytes", [(s, w) for s in ("f32", "f64") for w in (16, 32, 64)])
def test_products_of_every_size(suffix, vector_bytes):
    session = native.session()
    loaded = session.link(
        session.compile(driver.module(kernels.shape(suffix, vector_bytes), Machine())), {}, f"fg_product_{suffix}"
    )
    matrix = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    prototype = ctypes.PYFUNCTYPE(None, *matrix, *matrix, ctypes.c_void_p, *[ctypes.c_int64] * 5)
    call = prototype(loaded.addresses[f"fg_product_{suffix}"])
    dtype = {"f32": np.float32, "f64": np.float64}[suffix]
    pattern = PATTERNS["subnormal"], PATTERNS["signalling32" if suffix == "f32" else "signalling64"]
    rng = np.random.default_rng(0)
    wrong = []
    sizes = [*range(1, 26), 33, 49, 129, 140]
    for m in sizes:
        for n in sizes:
            for k in (1, 33, 258) if m * n < 600 else (40,):
                for turned in range(4):
                    a = rng.uniform(1, 2, (k, m) if turned & 1 else (m, k)).astype(dtype)
                    b = rng.uniform(1, 2, (n, k) if turned & 2 else (k, n)).astype(dtype)
                    a, b = a.T if turned & 1 else a, b.T if turned & 2 else b
                    c = np.empty((m, n), dtype)
                    poison_stack(pattern[(m + n + k) % 2])
                    call(a.ctypes.data, *a.strides, b.ctypes.data, *b.strides, c.ctypes.data, c.strides[0], m, n, k, 0)
                    if met():
                        wrong.append((m, n, k, turned))
    assert not wrong, f"{len(wrong)} products read what nobody wrote, the first with (m, n, k, turned) = {wrong[0]}"


def _uniform(*shape, dtype="float32"):
    return jnp.asarray(np.random.default_rng(sum(shape)).uniform(0.5, 1.5, shape), dtype=dtype)


NESTS = {
    "sums down columns": (lambda x: x.sum(0), (_uniform(700, 130),)),
    "sums along rows": (lambda x: x.sum(1), (_uniform(130, 77),)),
    "sum of all": (lambda x: x.sum(), (_uniform(999, 301),)),
    "variance": (lambda x: jnp.var(x, axis=0), (_uniform(600, 33),)),
    "few columns": (lambda x: jnp.sum(x * x, 0), (_uniform(5000, 5),)),
    "running sum": (lambda x: jnp.cumsum(x, 0), (_uniform(300, 7),)),
    "running sum of rows": (lambda x: jnp.cumsum(x, 1), (_uniform(7, 301),)),
    "running product": (lambda x: jnp.cumprod(x), (_uniform(301),)),
    "normalised rows": (lambda x: nn.softmax(x, 1) + nn.log_softmax(x, 1), (_uniform(33, 77),)),
    "segments": (
        lambda x: jnp.zeros(7).at[jnp.arange(20_000) * 3 % 7].add(x),
        (_uniform(20_000),),
    ),
    "transposed": (lambda x: (x.T * 2, jnp.transpose(x).sum(0)), (_uniform(97, 131),)),
    "sorted": (lambda x: jnp.sort(x, axis=1), (_uniform(33, 77),)),
    "middle axis": (lambda x: x.sum(1) + x.max(1), (_uniform(9, 130, 17),)),
    "windows": (lambda x: lax.reduce_window(x, 0.0, lax.add, (3, 3), (2, 2), "SAME"), (_uniform(37, 41),)),
    "convolution by hand": (lambda x: sum(x[k : k + 100] for k in range(5)), (_uniform(104),)),
    "loop": (lambda x: lax.fori_loop(0, 5, lambda i, c: jnp.tanh(c @ x), x), (_uniform(9, 9),)),
    "scan": (lambda x: lax.scan(lambda c, r: (c * 0.5 + r, c.sum()), x[0], x), (_uniform(50, 9),)),
    "half precision": (lambda x: (x * x).sum(0), (_uniform(300, 33, dtype="bfloat16"),)),
}


@pytest.mark.parametrize("name", NESTS)
def test_nests(name):
    function, operands = NESTS[name]
    assert_reads_nothing(function, *operands)


@pytest.mark.parametrize("batch", [1, 3, 8, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_layers(batch, dtype):
    x, w, v = _uniform(batch, 20, dtype=dtype), _uniform(20, 19, dtype=dtype), _uniform(19, 6, dtype=dtype)
    assert_reads_nothing(fungrad.grad(lambda p: jnp.sum(jnp.tanh(x @ p[0]) @ p[1])), (w, v))


def _run_row(op, cases):
    for shapes, dtypes in cases:
        operands = [array(x) for x in op.sample(shapes, dtypes)]
        results = results_under(("zero", "subnormal", "ones"), op.call, operands)
        assert results["subnormal"][0] == results["zero"][0] == results["ones"][0], (op.name, shapes, dtypes)


ROWS = [op for op in OPS if "callback" not in op.name]
# Those that act element by element share their loops: a few of them stand for all in the default run.
SOME = [op for i, op in enumerate(ROWS) if not op.special or i % 8 == 0]


@pytest.mark.parametrize("op", SOME, ids=[op.name for op in SOME])
def test_operations(op):
    _run_row(op, op.cases()[:1])


@pytest.mark.slow
@pytest.mark.parametrize("op", ROWS, ids=[op.name for op in ROWS])
def test_operations_in_all_cases(op):
    _run_row(op, op.cases())
