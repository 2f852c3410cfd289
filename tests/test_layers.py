"""Imports point one way: every module imports only from layers below its own, and at module level."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fungrad"

# From the bottom up; a module belongs to the first entry whose name is a prefix of its own. Modules of one layer may
# import each other (Python itself refuses cycles among them).
LAYERS = [
    ["fungrad.errors", "fungrad.config", "fungrad.locks"],
    ["fungrad.core"],
    ["fungrad.ops"],
    ["fungrad.transforms"],
    ["fungrad.jit.kernels"],
    ["fungrad.jit.ir", "fungrad.jit.runtime", "fungrad.jit.llvm", "fungrad.jit.products", "fungrad.jit.rewrites"],
    ["fungrad.jit.passes"],
    ["fungrad.jit.formulas"],
    ["fungrad.jit.fusion"],
    ["fungrad.jit.front"],
    ["fungrad.jit"],
    ["fungrad.control"],
    ["fungrad.lax"],
    ["fungrad.dtypes", "fungrad.tree", "fungrad.tree_util"],
    ["fungrad.numpy"],
    ["fungrad.flatten_util", "fungrad.nn", "fungrad.random", "fungrad.scipy"],
    ["fungrad.optim"],
    ["fungrad.stages", "fungrad.debug", "fungrad.extend", "fungrad.test_util", "fungrad.typing"],
    ["fungrad"],
]

# Imports inside functions are for what is slow to import or optional; the compiler is loaded at the first compilation.
LAZY = {"numba", "llvmlite", "scipy", "mpmath", "opt_einsum", "jax", "IPython"}
LAZY_MODULES = {"fungrad.jit.front.compile", "fungrad.jit.llvm.linking"}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield pytest.param(path, name.removesuffix(".__init__"), id=name)


def layer_of(name):
    for level, prefixes in enumerate(LAYERS):
        for prefix in prefixes:
            if name == prefix or name.startswith(prefix + "."):
                return level
    raise AssertionError(f"{name} belongs to no layer")


def imported(node, package):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        base = package.split(".")[: len(package.split(".")) - node.level + 1]
        return [".".join([*base, node.module or ""]).rstrip(".")]
    if node.module == "fungrad" or (node.module or "").startswith("fungrad."):
        # `from fungrad.core import tree` imports a module.
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [
            n if (PACKAGE.parent / (n.replace(".", "/") + ".py")).exists() or n in PACKAGES else node.module
            for n in names
        ]
    return [node.module]


PACKAGES = {".".join(p.parent.relative_to(PACKAGE.parent).parts) for p in PACKAGE.rglob("__init__.py")}


def type_checking_only(tree):
    """Nodes under ``if TYPE_CHECKING``."""
    out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            out.update(ast.walk(node))
    return out


@pytest.mark.parametrize("path, name", list(modules()))
def test_imports_point_down(path, name):
    tree = ast.parse(path.read_text())
    exempt = type_checking_only(tree)
    level = layer_of(name)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node not in exempt:
            for target in imported(node, package):
                if target == "fungrad" or target.startswith("fungrad."):
                    assert layer_of(target) <= level, f"line {node.lineno}: {name} imports {target} from a layer above"


@pytest.mark.parametrize("path, name", list(modules()))
def test_no_imports_inside_functions(path, name):
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            for node in ast.walk(function):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    package = name.rpartition(".")[0]
                    for target in imported(node, package):
                        lazy = target.split(".")[0] in LAZY or target in LAZY_MODULES
                        assert lazy, f"line {node.lineno}: {name} imports {target} in a function"
