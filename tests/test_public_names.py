"""Missing names, tab completion, options, and the few things about errors that a table of wrong calls cannot say."""

import importlib
import inspect
import os
import pickle
import subprocess
import sys
import traceback

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim
from fungrad.core.arguments import guarded

MODULES = [
    "numpy", "lax", "nn", "nn.initializers", "random", "optim", "scipy.special", "tree", "tree_util", "debug",
    "experimental.checkify", "test_util", "flatten_util", "extend",
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        ("fungrad.numpy", "softmax", "it is fungrad.nn.softmax"),
        ("fungrad.numpy", "grad", "it is fungrad.grad"),
        ("fungrad.nn", "normal", "it is fungrad.random.normal"),
        ("fungrad", "relu", "it is fungrad.nn.relu"),
        ("fungrad", "ffi", "jax.ffi is not in fungrad yet"),
        ("fungrad.numpy", "busday_count", "numpy.busday_count is not in fungrad"),
        ("fungrad.numpy", "concatenat", "did you mean concatenate"),
        ("fungrad.optim", "adamm", "did you mean adam"),
    ],
)
def test_missing_names_say_where_they_are(module, name, advice):
    with pytest.raises(AttributeError) as caught:
        getattr(importlib.import_module(module), name)
    assert f"module {module!r} has no attribute {name!r}" in str(caught.value)
    assert advice in str(caught.value)
    assert not hasattr(importlib.import_module(module), name)


def test_private_names_are_not_searched_for():
    with pytest.raises(AttributeError) as caught:
        jnp._softmax
    assert str(caught.value) == "module 'fungrad.numpy' has no attribute '_softmax'"


@pytest.mark.parametrize("module", MODULES)
def test_completion_offers_public_names_only(module):
    found = importlib.import_module(f"fungrad.{module}")
    assert [n for n in dir(found) if not n.startswith("__")] == sorted(found.__all__)


@pytest.mark.parametrize("function", [jnp.sum, jnp.concatenate, lax.scan, nn.softmax, jnp.sin, lax.add])
def test_guarded_functions_keep_signature(function):
    assert inspect.signature(function).parameters
    assert function.__doc__


@pytest.mark.parametrize("module", MODULES)
def test_public_functions_pickle(module):
    found = importlib.import_module(f"fungrad.{module}")
    for function in [getattr(found, name) for name in found.__all__]:
        if inspect.isfunction(function):
            assert pickle.loads(pickle.dumps(function)) is function


def test_errors_of_the_users_functions_stay_as_they_are():
    def f(v):
        raise ValueError("mine")

    for call in (
        lambda: fungrad.tree.map(f, [1]),
        lambda: lax.scan(lambda c, a: f(c), 0.0, jnp.ones(3)),
        lambda: jnp.apply_along_axis(f, 0, jnp.ones((2, 2))),
        lambda: jnp.piecewise(jnp.ones(2), [jnp.array([True, False])], [f]),
        lambda: optim.scale_by_schedule(f).update(jnp.ones(2), optim.scale_by_schedule(f).init(jnp.ones(2))),
    ):
        with pytest.raises(ValueError, match="^mine$"):
            call()


def test_errors_of_public_functions_that_are_handed_over_name_themselves():
    with pytest.raises(TypeError, match=r"^fungrad\.numpy\.sin: x must be"):
        fungrad.tree.map(jnp.sin, ["a"])


def test_internal_errors_are_not_hidden():
    def broken(a: int):
        assert a != 3, "internal"
        return {}[a]

    guard = guarded("fungrad.broken", broken)
    with pytest.raises(AssertionError, match="internal"):
        guard(3)
    with pytest.raises(KeyError):
        guard(2)


def test_options_are_checked_wherever_they_are_set():
    before = fungrad.config.threads
    for value, error in (("a", TypeError), (float("nan"), TypeError), (-1, ValueError), (2**40, ValueError)):
        with pytest.raises(error, match="threads"):
            fungrad.config.threads = value
        with pytest.raises(error, match="threads"):
            fungrad.threads(value)
    assert fungrad.config.threads == before
    with pytest.raises(AttributeError, match="no option 'thread'"):
        fungrad.config.thread = 2


def test_assigning_an_option_is_updating_it():
    try:
        fungrad.config.enable_x64 = True
        assert jnp.ones(2).dtype == np.float64
        fungrad.config.threads = np.int64(1)
        assert fungrad.config.threads == 1 and type(fungrad.config.threads) is int
    finally:
        fungrad.config.enable_x64 = False
        fungrad.config.threads = 0
    assert jnp.ones(2).dtype == np.float32


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("FUNGRAD_THREADS", "abc", "FUNGRAD_THREADS='abc': expected an integer"),
        ("FUNGRAD_THREADS", "-1", "FUNGRAD_THREADS='-1': .*threads must be 0 .* or a positive number"),
        ("FUNGRAD_THREADS", "nan", "FUNGRAD_THREADS='nan': expected an integer"),
        ("FUNGRAD_ENABLE_X64", "maybe", "FUNGRAD_ENABLE_X64='maybe': expected one of 1, true"),
        ("FUNGRAD_NUMPY_RANK_PROMOTION", "never", "FUNGRAD_NUMPY_RANK_PROMOTION='never': .*must be one of"),
    ],
)
def test_bad_environment_variables_are_named(name, text, message):
    done = subprocess.run(
        [sys.executable, "-c", "import fungrad.config"], capture_output=True, text=True, env={**os.environ, name: text}
    )
    assert done.returncode
    with pytest.raises(ValueError, match=message):
        raise ValueError(done.stderr.strip().splitlines()[-1])


def test_conversions_name_the_argument_that_must_be_known():
    with pytest.raises(fungrad.errors.TracerIntegerConversionError, match=r"In fungrad\.numpy\.zeros, shape must be"):
        fungrad.jit(lambda n: jnp.zeros(n))(3)
    with pytest.raises(fungrad.errors.ConcretizationTypeError, match=r"In fungrad\.numpy\.unique, .* pass size="):
        fungrad.jit(jnp.unique)(jnp.ones(3))


def test_wrong_arguments_have_no_cause_unless_frames_are_asked_for():
    with pytest.raises(TypeError) as caught:
        jnp.eye(2.5)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    try:
        fungrad.config.update("traceback_filtering", False)
        with pytest.raises(TypeError) as caught:
            jnp.eye(2.5)
    finally:
        fungrad.config.update("traceback_filtering", True)
    assert caught.value.__cause__ is not None


def _frames(call):
    """The functions in the traceback of a call that raises, from the one that called."""
    with pytest.raises(Exception) as caught:
        call()
    return [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)[1:]]


def test_tracebacks_end_where_the_user_has_called():
    def body(c, x):
        return c.astype(int), jnp.add(jnp.ones(3), x)

    def loss(v):
        return v * v

    def wrong(v):
        return v + jnp.ones(7)

    x = jnp.ones(4)
    assert _frames(lambda: fungrad.grad(loss)(x)) == ["<lambda>"]
    assert _frames(lambda: lax.scan(body, 0.0, jnp.ones(3))) == ["<lambda>"]
    assert _frames(lambda: fungrad.jit(lambda v: lax.cond(True, loss, lambda u: u[0], v))(x)) == ["<lambda>"] * 2
    assert _frames(lambda: fungrad.tree.map(wrong, [x])) == ["<lambda>", "wrong"]
    assert _frames(lambda: fungrad.jit(fungrad.vmap(wrong))(jnp.ones((2, 3)))) == ["<lambda>", "wrong"]
    assert _frames(lambda: lax.scan(lambda c: c, 0.0, x)) == ["<lambda>"]
    with pytest.raises(TypeError, match=r"^fungrad.lax.fori_loop: loss\(\) takes 1 .*, and was called with 2$"):
        lax.fori_loop(0, 3, loss, 0.0)


def test_what_is_not_raised_on_purpose_keeps_its_frames(monkeypatch):
    def broken(*args):
        raise KeyError("inside")

    monkeypatch.setattr("fungrad.control.scan._length", broken)
    assert _frames(lambda: lax.scan(lambda c, x: (c, x), 0.0, jnp.ones(3)))[-1] == "broken"
