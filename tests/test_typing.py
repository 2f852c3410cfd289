"""What type checkers and editors see: the declarations of methods of arrays, signatures, names."""

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import fungrad
from fungrad.numpy import array_methods

STUB = Path(fungrad.__file__).parent / "core" / "attached_methods.pyi"
NODES = next(n for n in ast.parse(STUB.read_text()).body if isinstance(n, ast.ClassDef)).body
DECLARED = {n.name: n for n in NODES if isinstance(n, ast.FunctionDef)}
METHODS = array_methods._methods()
OPERATORS = array_methods._arithmetic_operators()


def parameters(node):
    spec = node.args
    positional = [a.arg for a in [*spec.posonlyargs, *spec.args]][1:]
    names = positional + ([f"*{spec.vararg.arg}"] if spec.vararg else [])
    return names + [a.arg for a in spec.kwonlyargs]


def defaults(node):
    spec = node.args
    return [ast.literal_eval(d) for d in [*spec.defaults, *spec.kw_defaults] if d is not None]


def test_names():
    assert set(DECLARED) - {"__iter__"} == set(METHODS) | set(OPERATORS)
    assert hasattr(fungrad.Array, "__getitem__") and hasattr(type(fungrad.numpy.ones(1)), "__iter__")


@pytest.mark.parametrize("name", [n for n in METHODS if n in DECLARED and not n.endswith("matmul__")])
def test_parameters(name):
    attached, node = METHODS[name], DECLARED[name]
    is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)
    assert isinstance(attached, property) == is_property
    if is_property:
        return
    wanted = list(inspect.signature(attached).parameters.values())[1:]
    marks = {inspect.Parameter.VAR_POSITIONAL: "*"}
    assert parameters(node) == [marks.get(p.kind, "") + p.name for p in wanted]
    assert defaults(node) == [p.default for p in wanted if p.default is not inspect.Parameter.empty]


# -- programs of users -------------------------------------------------------------------------------------------------

PROGRAM = """
from functools import partial

import fungrad as jax
import fungrad.numpy as jnp
from fungrad import Array, lax

def loss(w: Array, scale: float = 1.0) -> Array:
    return jnp.sum(w * scale)

@jax.jit
def step(w: Array, n: int) -> Array:
    return w - jax.grad(loss)(w, scale=2.0)

@partial(jax.jit, static_argnames="n")
def power(x: Array, n: int) -> Array:
    return x**n

class Model:
    @jax.jit
    def apply(self, x: Array) -> Array:
        return x

x: Array = step(power(Model().apply(jnp.ones(2)), 2), 2)
reveal_type(step)                               # Wrapped[[w: Array, n: int], Array]
reveal_type(jax.value_and_grad(loss)(x))        # tuple[Array, Any]
reveal_type(jax.vmap(loss))                     # def (w: Array, scale: float =) -> Array
reveal_type(jax.checkpoint(loss))               # def (w: Array, scale: float =) -> Array
reveal_type(lax.scan(lambda c, x: (c + x, c), x, x))    # tuple[Array, Array]
reveal_type(lax.cond(True, loss, loss, x))      # Array
reveal_type(lax.fori_loop(0, 3, lambda i, x: x, x))     # Array
reveal_type(x.at[0].set(2.0))                   # Array
jax.scipy.linalg.solve, jax.nn.relu, jax.random.key, jax.optim.adam, jax.tree.map, jax.stages.Lowered
jax.missing                                     # error
jnp.missing                                     # error
jax.grad(loss)(x, scal=2.0)                     # error
step("x", 1)                                    # error
x.at[0].sett(2.0)                               # error
"""


@pytest.mark.slow
def test_a_program_under_mypy(tmp_path):
    api = pytest.importorskip("mypy.api")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    options = ["--no-error-summary", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
    output, errors, _ = api.run([*options, str(program)])
    assert not errors
    found = {}
    for number, kind, text in re.findall(r"program\.py:(\d+): (error|note): (.*)", output):
        found.setdefault(int(number), "error" if kind == "error" else re.sub(r'Revealed type is "(.*)"', r"\1", text))
    for number, line in enumerate(PROGRAM.splitlines(), 1):
        wanted = line.partition("#")[2].strip()
        got = re.sub(r"fungrad(\.\w+)*\.(?=[A-Z])", "", found.get(number, ""))
        assert got == wanted, line


def test_missing_names_are_not_hidden_from_type_checkers():
    for name in ("fungrad", "fungrad.scipy", "fungrad.numpy", "fungrad.lax", "fungrad.nn"):
        tree = ast.parse(Path(importlib.import_module(name).__file__).read_text())
        assert "__getattr__" not in [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]


def test_an_editable_install_is_a_path():
    project = tomllib.loads((STUB.parents[2] / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["package-dir"] == {"": "."}


# -- discovery ---------------------------------------------------------------------------------------------------------


def test_completion_offers_public_names():
    for name in "", "numpy", "lax", "nn", "random", "errors", "dtypes", "typing", "styles", "stages", "tree":
        module = importlib.import_module(f"fungrad.{name}".rstrip("."))
        assert {n for n in dir(module) if not n.startswith("__")} <= set(module.__all__), name


def test_help_begins_with_names_that_exist():
    named = re.findall(r"``(\w+)``", fungrad.__doc__.partition("Transformations")[2])
    assert set(named) <= set(fungrad.__all__) and len(named) > 40
