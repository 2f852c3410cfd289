"""Shared settings of the test suite."""

import gc
import os
import sys
from importlib.util import find_spec

# Compiled programs of the tests must not come from another run's disk cache.
os.environ.setdefault("FUNGRAD_CACHE_DIR", os.path.join(os.path.dirname(__file__), ".cache"))

# The verifier looks at every program of the loop IR after every pass, whatever test compiles it. The compiler asks for
# this when it is imported.
os.environ.setdefault("FUNGRAD_CHECK", "1")

import hypothesis
import pytest
import thinning

import fungrad
from fungrad.core.primitive import Primitive

hypothesis.settings.register_profile("default", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser):
    """``--update-golden`` writes the plans in ``tests/golden`` anew."""
    parser.addoption("--update-golden", action="store_true", help="write the plans in tests/golden anew")


# What ``-m quick`` runs: a minute that touches every part of the library.
QUICK = """
compiled_control control_cond data dot empty_axes extend in_place indexing io jit layers memory_check numpy_arrays
numpy_values optim passes products public_names runtime surface transforms tree
""".split()

# Whether there is something to compare with: on a machine without it those tests are skipped, whatever they import.
PARITY = find_spec("jax") is not None and find_spec("optax") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leaves out slow tests unless the expression of ``-m`` or a test's own name asks for them."""
    for item in items:
        if item.path.stem.removeprefix("test_") in QUICK and not item.get_closest_marker("parity"):
            item.add_marker("quick")
        if item.get_closest_marker("parity") and not PARITY:
            item.add_marker(pytest.mark.skip(reason="compares with JAX or optax: pip install -e '.[parity]'"))
    thinning.mark(items, pytest.mark.slow)
    if "slow" in config.option.markexpr or any("::" in arg for arg in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(autouse=True, scope="module")
def forget_programs():
    """Frees what a module has compiled, so that a worker's memory does not grow (JAX takes gigabytes)."""
    yield
    fungrad.clear_caches()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    gc.collect()


@pytest.fixture
def keep_subnormals():
    """Compiled functions keep subnormal numbers, as NumPy does: for tests that compare those."""
    with fungrad.flush_subnormals(False):
        yield


# Else one that the library loads late would be taken for one of the test that first used it.
Primitive.all()


@pytest.fixture(autouse=True)
def forget_primitives():
    """Forgets the primitives that a test defines: other tests go through all there are."""
    known = set(Primitive.instances)
    yield
    for name in set(Primitive.instances) - known:
        del Primitive.instances[name]
