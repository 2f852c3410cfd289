"""Imports point one way: every module imports only from layers below its own, and at module level."""

import ast
import functools
import graphlib
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fungrad"

# From the bottom up; a module belongs to the entry with the longest name that is a prefix of its own. Modules of one
# layer may import each other (Python itself refuses cycles among them).
LAYERS = [
    ["fungrad.errors", "fungrad.config", "fungrad.accepted_options", "fungrad.locks", "fungrad.optional"],
    ["fungrad.core"],
    ["fungrad.ops"],
    ["fungrad.transforms"],
    ["fungrad.jit"],
    ["fungrad.control", "fungrad.shards"],
    ["fungrad.lax"],
    ["fungrad.dtypes", "fungrad.tree", "fungrad.tree_util"],
    ["fungrad.numpy"],
    ["fungrad.flatten_util", "fungrad.image", "fungrad.nn", "fungrad.random", "fungrad.scipy"],
    ["fungrad.example_libraries", "fungrad.optim", "fungrad.io", "fungrad.data", "fungrad.exports"],
    ["fungrad.train", "fungrad.tune"],
    ["fungrad.sharding"],
    ["fungrad.drawing", "fungrad.stages", "fungrad.debug", "fungrad.extend", "fungrad.test_util", "fungrad.typing"],
    ["fungrad.ad", "fungrad.distributed", "fungrad.dlpack", "fungrad.export", "fungrad.monitoring", "fungrad.profiler"],
    ["fungrad.api_util", "fungrad.interpreters"],
    ["fungrad.explaining"],
    ["fungrad"],
    ["fungrad.styles", "fungrad.cli", "fungrad.__main__"],
    ["fungrad.compat", "fungrad.jax"],
]

# Rooms of the compiler: what each imports of the others. Rewrites know only the loop IR; what runs programs knows
# nothing of how they are made.
ROOMS = {
    "kernels": set(),
    "ir": {"kernels"},
    "rewrites": {"ir", "kernels"},
    "runtime": {"ir"},
    "llvm": {"ir", "kernels", "runtime"},
    "products": {"ir", "runtime", "llvm"},
    "llvm.program": {"ir", "kernels", "runtime", "llvm", "products"},
    "llvm.timed": {"ir", "llvm", "llvm.program"},
    "passes": {"ir"},
    "formulas": {"passes", "ir", "kernels"},
    "fusion": {"formulas", "rewrites", "ir", "kernels"},
    "front": {"fusion", "formulas", "passes", "rewrites", "llvm", "llvm.program", "products", "runtime", "ir"},
}

# Modules of the core that are one: a jaxpr has equations of primitives, which are bound in a context.
TOGETHER = {"fungrad.core.context", "fungrad.core.ir", "fungrad.core.primitive"}

# Imports inside functions are for what is slow to import or optional; the compiler is loaded at the first compilation,
# and control flow by what needs a loop.
LAZY = {"logging", "pkgutil", "numba", "llvmlite", "scipy", "mpmath", "opt_einsum", "jax", "IPython"}
LAZY_MODULES = {
    "fungrad.control.scan",
    "fungrad.control.scatter_apply",
    "fungrad.control.while_loop",
    "fungrad.jit.front.compile",
    "fungrad.jit.llvm.linking",
    "fungrad.jit.products.driver",
    "fungrad.jit.products.kernels",
    "fungrad.jit.products.lanes",
    "fungrad.jit.products.triangular",
    "fungrad.numpy.integer_loops",
}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield pytest.param(path, name.removesuffix(".__init__"), id=name)


def layer_of(name):
    found = [
        (len(prefix), level)
        for level, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if name == prefix or name.startswith(prefix + ".")
    ]
    assert found, f"{name} belongs to no layer"
    return max(found)[1]


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


@functools.cache
def statements(path):
    """The import statements of a file, each with whether it stands in a function and whether it is there for type
    checkers only."""
    found = []

    def visit(node, in_function, for_types):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append((node, in_function, for_types))
        in_function |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for_types |= isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for field in ("body", "orelse", "handlers", "finalbody", "cases"):
            for inner in getattr(node, field, ()):
                visit(inner, in_function, for_types)

    visit(ast.parse(path.read_text()), False, False)
    return found


@pytest.mark.parametrize("path, name", list(modules()))
def test_imports_point_down(path, name):
    level = layer_of(name)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, _, for_types in statements(path):
        for target in () if for_types else imported(node, package):
            if target == "fungrad" or target.startswith("fungrad."):
                assert layer_of(target) <= level, f"line {node.lineno}: {name} imports {target} from a layer above"


@pytest.mark.parametrize("path, name", list(modules()))
def test_no_imports_inside_functions(path, name):
    package = name.rpartition(".")[0]
    for node, in_function, _ in statements(path):
        for target in imported(node, package) if in_function else ():
            lazy = target.split(".")[0] in LAZY or target in LAZY_MODULES
            assert lazy, f"line {node.lineno}: {name} imports {target} in a function"


def room_of(name):
    """The room of a module of the compiler, None for others."""
    found = [r for r in ROOMS if name == f"fungrad.jit.{r}" or name.startswith(f"fungrad.jit.{r}.")]
    return max(found, key=len, default=None)


def imports_of(path, name):
    """What a module imports of the package anywhere, even for type checkers only: pairs of line and module."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, _, _ in statements(path):
        for target in imported(node, package):
            if target.startswith("fungrad."):
                yield node.lineno, target


@pytest.mark.parametrize("path, name", [p for p in modules() if p.values[1].startswith("fungrad.jit.")])
def test_rooms_of_the_compiler(path, name):
    room = room_of(name)
    assert room is not None, f"{name} stands in no room of the compiler"
    for line, target in imports_of(path, name):
        other = room_of(target)
        if other is not None and other != room:
            assert other in ROOMS[room], f"line {line}: {name} imports {target}, but {room} may not import {other}"


def test_rooms_have_an_order():
    tuple(graphlib.TopologicalSorter(ROOMS).static_order())


def test_no_circles():
    """Imports for type checkers count: modules that know each other cannot be read one after the other."""
    graph = {}
    for case in modules():
        path, name = case.values
        node = "fungrad.core" if name in TOGETHER else name
        targets = {"fungrad.core" if t in TOGETHER else t for _, t in imports_of(path, name)}
        graph.setdefault(node, set()).update(targets - {node})
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_nothing_is_cached_under_a_lock_of_pythons():
    """A fork while another thread computes a ``functools.cached_property`` leaves its lock locked (Python 3.11)."""
    pattern = re.compile(r"^\s*@(functools\.)?cached_property", re.MULTILINE)
    assert not [str(p) for p in PACKAGE.rglob("*.py") if pattern.search(p.read_text())]
