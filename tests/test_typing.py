"""The declarations of the methods of arrays for type checkers agree with what is attached."""

import ast
import inspect
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
