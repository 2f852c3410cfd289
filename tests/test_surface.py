"""The public names: ``__all__`` of every public module against a committed list.

After a deliberate change, write the lists anew with ``python tests/test_surface.py``.
"""

import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

LISTS = Path(__file__).parent / "surface"
MODULES = [
    "fungrad",
    "fungrad.ad",
    "fungrad.ad_checkpoint",
    "fungrad.custom_batching",
    "fungrad.data",
    "fungrad.debug",
    "fungrad.dtypes",
    "fungrad.example_libraries.optimizers",
    "fungrad.example_libraries.stax",
    "fungrad.experimental.checkify",
    "fungrad.experimental.jet",
    "fungrad.experimental.compilation_cache.compilation_cache",
    "fungrad.experimental.mesh_utils",
    "fungrad.experimental.xla_metadata",
    "fungrad.experimental.ode",
    "fungrad.experimental.random",
    "fungrad.experimental.shard_map",
    "fungrad.experimental.sparse",
    "fungrad.export",
    "fungrad.io",
    "fungrad.lax",
    "fungrad.lax.linalg",
    "fungrad.monitoring",
    "fungrad.numpy",
    "fungrad.numpy.fft",
    "fungrad.numpy.linalg",
    "fungrad.ops",
    "fungrad.optim",
    "fungrad.optim.assignment",
    "fungrad.optim.contrib",
    "fungrad.optim.losses",
    "fungrad.optim.microbatching",
    "fungrad.optim.perturbations",
    "fungrad.optim.projections",
    "fungrad.optim.schedules",
    "fungrad.optim.second_order",
    "fungrad.optim.transforms",
    "fungrad.optim.tree",
    "fungrad.optim.tree_utils",
    "fungrad.profiler",
    "fungrad.memory",
    "fungrad.ref",
    "fungrad.scipy.cluster.vq",
    "fungrad.scipy.fft",
    "fungrad.scipy.integrate",
    "fungrad.scipy.interpolate",
    "fungrad.scipy.ndimage",
    "fungrad.scipy.optimize",
    "fungrad.scipy.signal",
    "fungrad.scipy.sparse.linalg",
    "fungrad.scipy.spatial.transform",
    "fungrad.stages",
    "fungrad.styles",
    "fungrad.train",
    "fungrad.tree",
    "fungrad.tree_util",
    "fungrad.tune",
]


def names_of(module):
    return sorted(importlib.import_module(module).__all__)


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_those_of_the_list(module):
    listed = (LISTS / f"{module}.txt").read_text().split()
    assert names_of(module) == listed


@pytest.mark.parametrize("module", MODULES)
def test_public_names_exist_once(module):
    names = importlib.import_module(module).__all__
    assert len(set(names)) == len(names)
    missing = [n for n in names if not hasattr(importlib.import_module(module), n)]
    assert not missing


def test_functions_of_numpy_are_documented():
    numpy = importlib.import_module("fungrad.numpy")
    bare = [n for n in numpy.__all__ if callable(getattr(numpy, n)) and not getattr(numpy, n).__doc__]
    assert not bare


DISTRIBUTIONS = [
    f"scipy.stats.{found.name}"
    for found in pkgutil.iter_modules(importlib.import_module("fungrad.scipy.stats").__path__)
    if not found.name.startswith("_")
]
EXPLAINED = [
    "numpy", "numpy.fft", "numpy.linalg", "lax", "lax.linalg", "nn", "nn.initializers", "random", "image", "dtypes",
    "scipy.cluster.vq", "scipy.fft", "scipy.integrate", "scipy.interpolate", "scipy.linalg", "scipy.ndimage",
    "scipy.optimize", "scipy.signal", "scipy.sparse.linalg", "scipy.spatial.transform", "scipy.special", "scipy.stats",
    "extend.random", *DISTRIBUTIONS,
]  # fmt: skip


@pytest.mark.parametrize("module", EXPLAINED)
def test_functions_have_an_example(module):
    found = importlib.import_module(f"fungrad.{module}")
    named = {n: getattr(found, n) for n in found.__all__ if not n.endswith("_p")}
    functions = {
        n: value for n, value in named.items() if callable(value) and not isinstance(value, (type, types.GenericAlias))
    }
    lacking = {n: value for n, value in functions.items() if ">>>" not in (value.__doc__ or "")}
    # Some are NumPy's own, whose older versions have none either.
    assert [n for n, value in lacking.items() if inspect.unwrap(value) is not getattr(np, n, None)] == []


@pytest.mark.parametrize("module", ["scipy.interpolate", "scipy.spatial.transform", "scipy.stats"])
def test_classes_and_their_methods_have_an_example(module):
    found = importlib.import_module(f"fungrad.{module}")
    classes = [value for value in (getattr(found, n) for n in found.__all__) if isinstance(value, type)]
    assert classes
    # What serves pytrees, and what only says that it is not available, needs none.
    exempt = {"tree_flatten", "tree_unflatten", "integrate_box", "set_bandwidth"}
    lacking = [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, value in vars(cls).items()
        if not name.startswith("_") and name not in exempt and callable(getattr(cls, name))
        and ">>>" not in (getattr(cls, name).__doc__ or "")
    ]  # fmt: skip
    assert not lacking + [cls.__name__ for cls in classes if ">>>" not in (cls.__doc__ or "")]


def test_jit_is_the_function_and_its_package_stays_importable():
    import fungrad
    from fungrad.jit.front.api import jit

    assert fungrad.jit is jit


def test_import_leaves_the_heavy_libraries_out():
    code = "import sys, fungrad; print([m for m in ('numba', 'scipy', 'llvmlite', 'opt_einsum') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_attribute_errors():
    import fungrad

    with pytest.raises(AttributeError, match="no attribute 'pmap2'"):
        fungrad.pmap2
    assert set(fungrad.__all__) <= set(dir(fungrad))


if __name__ == "__main__":
    for module in MODULES:
        (LISTS / f"{module}.txt").write_text("\n".join(names_of(module)) + "\n")
