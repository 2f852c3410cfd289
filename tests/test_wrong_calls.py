"""A thousand wrong calls of the public functions: each raises the class that its users expect, and a message that names
the function and the argument, in the library's own words."""

import ast
import builtins
import re
import traceback

import pytest
from wrong_calls import NAMES, rows

from fungrad import errors

ROWS = rows()

# What Python, NumPy, ctypes and optree say to those who implement a function, not to those who call it.
FOREIGN = re.compile(
    r"'\w+' object|object of type|cannot be interpreted as|unsupported operand|incompatible function arguments|"
    r"ufunc|ctypes|too large to convert|Maximum allowed|not iterable|not callable|not subscriptable|unhashable type|"
    r"indices must be integers or slices|is ambiguous|internal error|setting an array element|invalid literal|"
    r"<locals>\.|positional arguments? but|AxisError|Tracer<|PyTreeSpec"
)


def function_called(call):
    """The last name of the function in a call: eye of jnp.eye(...), update of optim.adam(...).update(...)."""
    node = ast.parse(call, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "V":
        node = node.args[0].body
    while not isinstance(node, ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    # The optimizer or the configuration, not its method.
    if node.attr in ("update", "init", "read"):
        node = node.value.func if isinstance(node.value, ast.Call) else node.value
    return node.attr


@pytest.mark.parametrize("row", ROWS, ids=[f"{r.table}: {r.call}" for r in ROWS])
def test_wrong_call(row):
    expected = getattr(errors, row.error, None) or getattr(builtins, row.error)
    with pytest.raises(expected) as caught:
        eval(row.call, dict(NAMES))
    error = caught.value
    message = str(error)
    assert type(error) is expected, f"{type(error).__name__}: {message}"
    if row.table == "nested":
        assert re.match(rf"{re.escape(row.word)}(?!\w)", message), message
    else:
        assert message.startswith("fungrad."), message
        assert re.search(rf"\b{function_called(row.call)}\b", message), message
        assert re.search(rf"(?<!\w){re.escape(row.word)}(?!\w)", message), message
    # What NumPy says of these is known to everybody.
    known = ("is ambiguous", "unhashable type") if row.table == "nested" else ()
    found = FOREIGN.search(message)
    assert found is None or found[0] in known, message
    last = traceback.extract_tb(error.__traceback__)[-1]
    assert last.filename == "<string>", f"the traceback ends within the library, in {last}: {message}"
    assert error.__cause__ is None, "an error of somebody else is shown as the cause"


def test_the_tables_are_large_and_name_every_module():
    assert len(ROWS) >= 1000
    assert len({r.call for r in ROWS}) == len(ROWS)
    modules = {re.match(r"(?:V\(lambda v: )?(\w+)", r.call).group(1) for r in ROWS if r.table != "nested"}
    wanted = {"fungrad", "jnp", "lax", "nn", "random", "special", "optim", "tree", "tree_util", "debug", "checkify"}
    assert wanted | {"extend", "test_util", "flatten_util"} <= modules
