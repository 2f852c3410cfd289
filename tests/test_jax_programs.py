"""Programs written for JAX run with fungrad after changing the import, and give the same results."""

import importlib
import pkgutil

import jax_programs
import numpy as np
import pytest
from jax_programs import PROGRAMS, Raised

import fungrad

for _module in pkgutil.iter_modules(jax_programs.__path__):
    importlib.import_module(f"jax_programs.{_module.name}")

# Python exceptions that say no more than that something is wrong.
VAGUE = ("Exception", "BaseException", "object")


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax")


def assert_compatible(got, wanted, where):
    """A handler written for JAX's exception must also catch ours."""
    assert isinstance(got, Raised), f"{where}: expected {wanted}, got {got!r}"
    ours_or_builtin = [
        n for n in wanted.names if n in dir(fungrad.errors) or n in dir(__builtins__) or n in __builtins__
    ]
    assert ours_or_builtin[0] not in VAGUE
    assert ours_or_builtin[0] in got.names, f"{where}: expected {wanted}, got {got}"
    assert got.text, f"{where}: an error without a message"


def assert_same(got, wanted, where, tol):
    if isinstance(wanted, Raised):
        assert_compatible(got, wanted, where)
        return
    if not hasattr(wanted, "shape"):
        assert isinstance(wanted, type(got)), f"{where}: {got!r} is not {wanted!r}"
        assert got == pytest.approx(wanted, rel=tol) if isinstance(wanted, float) else got == wanted, where
        return
    if str(wanted.dtype).startswith("key<"):
        assert fungrad.dtypes.issubdtype(got.dtype, fungrad.dtypes.prng_key), where
        got, wanted = fungrad.random.key_data(got), wanted._base_array
    assert str(got.dtype) == str(wanted.dtype), f"{where}: {got.dtype} is not {wanted.dtype}"
    assert got.shape == wanted.shape, f"{where}: {got.shape} is not {wanted.shape}"
    weak = [bool(getattr(x, "weak_type", False)) for x in (got, wanted)]
    assert weak[0] == weak[1], f"{where}: weak_type is {weak[0]}, not {weak[1]}"
    got, wanted = np.asarray(got), np.asarray(wanted)
    if wanted.dtype == fungrad.float0:
        return
    if wanted.dtype.kind in "fcV":
        wide = np.complex128 if wanted.dtype.kind == "c" else np.float64
        got, wanted = got.astype(wide), wanted.astype(wide)
        size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
        np.testing.assert_allclose(got, wanted, rtol=tol, atol=tol * max(size, 1e-3), err_msg=where)
    else:
        np.testing.assert_array_equal(got, wanted, err_msg=where)


@pytest.mark.parity
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(jax, name):
    function, tol = PROGRAMS[name]
    wanted = jax.tree_util.tree_leaves_with_path(function(jax))
    got = fungrad.tree_util.tree_leaves_with_path(function(fungrad))
    assert [fungrad.tree_util.keystr(p) for p, _ in got] == [jax.tree_util.keystr(p) for p, _ in wanted]
    wrong = []
    for (path, g), (_, w) in zip(got, wanted, strict=True):
        try:
            assert_same(g, w, fungrad.tree_util.keystr(path), tol)
        except AssertionError as error:
            wrong.append(str(error).strip())
    assert not wrong, "\n".join(wrong)
