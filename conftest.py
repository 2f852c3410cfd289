"""Examples in docstrings run where a function is written, not again in the public modules that offer it.

There other names stand for names of Python, such as ``print`` and ``round``.
"""

import sys

from _pytest.doctest import DoctestItem


def pytest_collection_modifyitems(config, items):
    """Leaves out examples of functions that were written elsewhere."""
    elsewhere = [item for item in items if isinstance(item, DoctestItem) and is_offered(item)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


def is_offered(item):
    """Whether a module only offers the function of an example."""
    module = item.dtest.globs.get("__name__", "")
    function = getattr(sys.modules.get(module), item.name.removeprefix(f"{module}."), None)
    written = getattr(function, "__wrapped__", None)
    return written is not None and written.__module__ != module
