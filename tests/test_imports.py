"""What ``import fungrad`` loads, and what is loaded when it is asked for."""

import importlib
import os
import subprocess
import sys
import threading

import pytest

from fungrad import locks
from tools import facades

# Modules of the library that are left until somebody needs them.
LATER = (
    "fungrad.control.", "fungrad.data", "fungrad.drawing", "fungrad.experimental", "fungrad.explaining",
    "fungrad.exports", "fungrad.image", "fungrad.io", "fungrad.jit.formulas", "fungrad.jit.fusion",
    "fungrad.jit.ir.cost", "fungrad.jit.ir.loops", "fungrad.jit.kernels", "fungrad.jit.llvm", "fungrad.jit.passes",
    "fungrad.jit.rewrites", "fungrad.lax.", "fungrad.nn", "fungrad.numpy.fft", "fungrad.numpy.linalg",
    "fungrad.numpy.sets", "fungrad.ops.convolution", "fungrad.ops.fft", "fungrad.ops.linalg", "fungrad.ops.special",
    "fungrad.optim", "fungrad.profiler", "fungrad.random", "fungrad.scipy", "fungrad.shards.mapping",
    "fungrad.styles", "fungrad.train", "fungrad.transforms.checkpointing", "fungrad.transforms.custom_rules",
    "fungrad.tune",
)  # fmt: skip
# The most modules of the library that may be loaded: with some room, so that dividing a file needs no change here.
MOST = 165
# Of the standard library, beyond what NumPy, optree and ml_dtypes load; most of it is what llvmlite loads too.
OTHERS = {
    "_bisect", "_blake2", "_bz2", "_compression", "_hashlib", "_json", "_lzma", "_random", "_sha512", "bisect", "bz2",
    "errno", "fnmatch", "gc", "hashlib", "importlib._abc", "importlib.util", "ipaddress", "json", "json.decoder",
    "json.encoder", "json.scanner", "lzma", "mmap", "ntpath", "pathlib", "random", "shutil", "tempfile", "urllib",
    "urllib.parse", "zlib",
}  # fmt: skip


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_loads_little():
    before = set(run("import sys, numpy, optree, ml_dtypes; print(*sys.modules)"))
    loaded = set(run("import fungrad, sys; print(*sys.modules)")) - before
    ours = {name for name in loaded if name.partition(".")[0] == "fungrad"}
    assert not sorted(name for name in ours if name.startswith(LATER))
    assert len(ours) <= MOST
    # What other libraries are loaded is said here in full.
    assert loaded - ours <= OTHERS


def test_what_is_loaded_is_enough_for_arrays():
    code = (
        "import fungrad; x = fungrad.device_put([1.0, 2.0])[1] * 2 + 1; "
        "print(x.sum(), abs(-x), x.reshape(1)[0], x.at[()].set(3.0), x**2, x == x)"
    )
    assert run(code) == ["5.0", "5.0", "5.0", "3.0", "25.0", "True"]


@pytest.mark.parametrize("facade", facades.FACADES)
def test_tables_of_late_names_are_up_to_date(facade):
    assert facades.home(facade).with_name("_names.py").read_text() == facades.table(facade), (
        "run python -m tools.facades"
    )


@pytest.mark.parametrize("facade", facades.FACADES)
def test_every_late_name_is_there(facade):
    module = importlib.import_module(facade)
    for words in facades.imports(facade).values():
        for word in words:
            name = word.partition("=")[0]
            assert name in module.__all__ and name in dir(module)
            assert getattr(module, name) is getattr(module, name)
    assert len(dir(module)) == len({*dir(module)})


def test_importing_a_module_of_a_facade_loads_no_other_facade():
    """Looking for advice about a missing name would: nobody may do so for what is a module."""
    code = "import sys; from fungrad.numpy import windows; print('fungrad.optim' in sys.modules)"
    assert run(code) == ["False"]


def test_rules_do_not_depend_on_what_is_loaded():
    """A primitive has all of its rules as soon as its module is loaded, and arrays their attributes from the start."""
    code = """
import importlib, pkgutil
from fungrad.core.primitive import HOMES, Primitive
import fungrad
from fungrad.core import array, avals, context, ir
kinds = (array.Array, context.Tracer, avals.ShapedArray, ir.Jaxpr, ir.Eqn)
attributes = [dict(vars(kind)) for kind in kinds]
found = {}
def rules(p):
    own = {k: getattr(v, "__func__", v) for k, v in vars(p).items() if callable(v)}
    return own | {"class": dict(vars(type(p)))}
for package in HOMES:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.name != "__main__":
            importlib.import_module(f"{package}.{module.name}")
            for name, p in Primitive.instances.items():
                found.setdefault(name, rules(p))
for package in pkgutil.iter_modules(fungrad.__path__):
    if package.name in ("lax", "numpy", "nn", "random", "scipy", "extend",
                        "export", "drawing", "shards", "debug"):
        importlib.import_module(f"fungrad.{package.name}")
for name, p in Primitive.instances.items():
    if found.get(name) != rules(p):
        print(name)
for kind, before in zip(kinds, attributes):
    print(*(f"{kind.__name__}.{name}" for name, value in vars(kind).items() if before.get(name) is not value))
"""
    assert run(code) == []


def test_primitives_are_found_by_name_before_they_are_loaded():
    code = (
        "from fungrad.core.primitive import Primitive; import fungrad; "
        "print('fft' in Primitive.instances, Primitive.named('fft').name, Primitive.find('nothing'))"
    )
    assert run(code) == ["False", "fft", "None"]


def test_a_primitive_of_the_user_keeps_its_name():
    """Whether the one of the library with that name is loaded before or after."""
    code = (
        "from fungrad.core.primitive import Primitive; import fungrad; mine = Primitive('fft'); "
        "import fungrad.numpy.fft; "
        "print(Primitive.named('fft') is mine, Primitive.altered)"
    )
    assert run(code) == ["True", "True"]


def test_threads_load_a_name_once():
    code = """
import sys, threading
import fungrad.numpy as jnp
sys.setswitchinterval(1e-6)
found, start = [], threading.Barrier(8)
def ask():
    start.wait()
    found.append((jnp.unique, jnp.median, jnp.linalg.svd))
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(found), len(set(found)))
"""
    assert run(code) == ["8", "1"]


def test_threads_that_import_do_not_wait_for_each_other():
    entered = threading.Event()
    thread = threading.Thread(target=lambda: locks.imports.__enter__() or entered.set() or locks.imports.__exit__())
    with locks.imports:
        thread.start()
        assert entered.wait(10)
    thread.join()


def test_the_collector_pauses_while_the_library_is_imported():
    code = (
        "import gc, numpy; seen = []; gc.callbacks.append(lambda phase, info: seen.append(info['generation'])); "
        "import fungrad; print(gc.isenabled(), seen.count(2) == 0); "
        "gc.disable(); import fungrad.nn; print(gc.isenabled())"
    )
    assert run(code) == ["True", "True", "False"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forks_wait_for_imports():
    code = """
import os, threading, time
from fungrad import locks
inside, order = threading.Event(), []
def load():
    with locks.imports:
        inside.set()
        time.sleep(0.2)
        order.append("imported")
thread = threading.Thread(target=load)
thread.start()
inside.wait()
with locks.imports:  # the thread that forks may be inside itself
    child = os.fork()
if child == 0:
    os._exit(0 if order == ["imported"] else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code) == ["0"]
