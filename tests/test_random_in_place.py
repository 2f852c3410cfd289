"""Random loops that update parts of what they carry give the same results compiled, step by step, and with JAX; and
their plans give the same bits whether new values are made in the memory of old ones or beside them."""

import in_place_plans
import numpy as np
import pytest
import random_in_place
from random_programs import many

import fungrad
from fungrad.jit.fusion import build, overwrite
from fungrad.jit.ir.loops import Branch

TOLERANCE = {"float16": 1e-2, "float32": 1e-4, "complex64": 1e-4}


def leaves(tree):
    return [np.asarray(x) for x in fungrad.tree.leaves(tree)]


def check(seed, lib=None):
    """Compares a program with its evaluation by another library, or by ours without a compiler."""
    rng = np.random.default_rng(seed)
    chosen = random_in_place.program(rng)
    arrays = random_in_place.inputs(chosen, rng)
    f = random_in_place.function(fungrad, chosen)
    args = [fungrad.numpy.asarray(x, x.dtype) for x in arrays]
    got = fungrad.jit(f)(*args)
    if lib is None:
        with fungrad.disable_jit():
            wanted = leaves(f(*args))
    else:
        g = lib.jit(random_in_place.function(lib, chosen))
        wanted = [np.asarray(x) for x in lib.tree.leaves(g(*[lib.numpy.asarray(x) for x in arrays]))]
    tolerance = TOLERANCE.get(chosen["dtype"], 0)
    for a, b in zip(leaves(got), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"seed {seed}: {chosen}")
    for a, b in zip(args, arrays, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}: an argument changed")


def check_gradient(seed):
    """The gradient of a program by all its arrays, compiled and step by step."""
    rng = np.random.default_rng(seed)
    chosen = random_in_place.program(rng)
    chosen["dtype"] = "float64"
    if chosen["loop"] == "while":
        chosen["loop"] = "fori"
    *arrays, data = [fungrad.numpy.asarray(x, x.dtype) for x in random_in_place.inputs(chosen, rng)]
    f = random_in_place.function(fungrad, chosen)
    weights = [fungrad.numpy.asarray(rng.normal(size=x.shape), "float64") for x in arrays]

    def loss(*args):
        results = fungrad.tree.leaves(f(*args, data))[: len(arrays)]
        return sum((w * x * x).sum() for w, x in zip(weights, results, strict=True))

    g = fungrad.grad(loss, tuple(range(len(arrays))))
    with fungrad.disable_jit():
        wanted = g(*arrays)
    for a, b in zip(fungrad.jit(g)(*arrays), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}: {chosen}")


def risky(seed, hazard, gradient):
    """A program that reads old values where new ones are written, or its gradient by the arrays; and arguments."""
    rng = np.random.default_rng(seed)
    chosen = random_in_place.risky_program(rng, hazard)
    if gradient and chosen["loop"] == "while":
        chosen["loop"] = "fori"
    *arrays, data = [fungrad.numpy.asarray(x, x.dtype) for x in random_in_place.inputs(chosen, rng)]
    f = random_in_place.function(fungrad, chosen)
    if not gradient:
        return f, (*arrays, data)
    weights = [fungrad.numpy.asarray(rng.normal(size=x.shape), "float64") for x in arrays]

    def loss(*args):
        results = fungrad.tree.leaves(f(*args, data))[: len(arrays)]
        return sum((w * x * x).sum() for w, x in zip(weights, results, strict=True))

    return fungrad.grad(loss, tuple(range(len(arrays)))), tuple(arrays)


def check_risky(seed, hazard, gradient):
    f, args = risky(seed, hazard, gradient)
    assert not in_place_plans.differences(f, args), f"seed {seed}, {hazard}"
    with fungrad.disable_jit():
        wanted = leaves(f(*args))
    found = leaves(fungrad.jit(f)(*args))
    if all(np.allclose(a, b, 1e-8, 1e-8, equal_nan=True) for a, b in zip(found, wanted, strict=True)):
        return
    # Some programs amplify rounding: the last bits of their arguments then change the results as much.
    with fungrad.disable_jit():
        beside = leaves(f(*[fungrad.numpy.nextafter(x, np.inf) if x.dtype.kind == "f" else x for x in args]))
    for a, b, c in zip(found, wanted, beside, strict=True):
        sensitivity = np.abs(np.asarray(c) - np.asarray(b)).max(initial=0)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 + 30 * sensitivity, err_msg=f"seed {seed}, {hazard}")


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("hazard", random_in_place.HAZARDS)
@pytest.mark.parametrize("seed", range(3))
def test_risky_programs(seed, hazard, gradient):
    check_risky(seed, hazard, gradient)


@pytest.mark.slow
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("hazard", random_in_place.HAZARDS)
@pytest.mark.parametrize("seed", range(100, 100 + many(200)))
def test_many_risky_programs(seed, hazard, gradient):
    check_risky(seed, hazard, gradient)


# Wrong versions of the rules by which arrays share memory.


def no_step_reads_too_late(patch):
    patch.setattr(overwrite.Overwriting, "_next_fault", lambda *_: None)


def copies_end_what_they_copy(patch):
    """Reads of a version are looked for only up to the copy that follows it."""
    right = overwrite.Overwriting._next_fault

    def wrong(self, versions):
        for pair in zip(versions, versions[1:], strict=False):
            found = right(self, pair)
            if found is not None:
                return found
        return None

    patch.setattr(overwrite.Overwriting, "_next_fault", wrong)


def branches_read_nothing_late(patch):
    """Every branch may write over everything that it reads."""
    right = overwrite.Overwriting._replaces
    patch.setattr(overwrite.Overwriting, "_replaces", lambda s, step, *a: type(step) is Branch or right(s, step, *a))


def steps_within_branches_read_nothing_late(patch):
    """What branches write is put into the memory of operands without a look at what they do."""
    right = overwrite.overwrite_in_branches

    def wrong(*args):
        with pytest.MonkeyPatch.context() as inner:
            no_step_reads_too_late(inner)
            return right(*args)

    patch.setattr(build, "overwrite_in_branches", wrong)


def nothing_is_needed(patch):
    """Steps move ahead without those that they depend on."""
    patch.setattr(overwrite.Overwriting, "_needed", lambda *_: [])


@pytest.mark.parametrize(
    "wrong, hazard",
    [
        (no_step_reads_too_late, "shift"),
        (no_step_reads_too_late, "later"),
        (copies_end_what_they_copy, "copy"),
        (branches_read_nothing_late, "shift"),
        (steps_within_branches_read_nothing_late, "mutual"),
        (steps_within_branches_read_nothing_late, "shift"),
        (nothing_is_needed, "later"),
    ],
)
def test_wrong_rules_are_noticed(wrong, hazard, monkeypatch):
    """Most programs find that a rule is wrong, by their results alone."""
    wrong(monkeypatch)
    noticed = 0
    with in_place_plans.unverified():
        for seed in range(9):
            noticed += bool(in_place_plans.differences(*risky(seed, hazard, gradient=False)))
    assert noticed >= 5, f"{noticed} of 9 programs notice"


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    check(seed)


@pytest.mark.parametrize("seed", [*range(100, 112), 9019])
def test_gradients_of_random_programs(seed):
    check_gradient(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5000, 5000 + many(1000)))
def test_many_gradients_of_random_programs(seed):
    check_gradient(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1000 + many(3000)))
def test_many_random_programs(seed):
    check(seed)


@pytest.mark.parity
@pytest.mark.parametrize("seed", range(60, 75))
def test_like_jax(seed):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        check(seed, jax)
