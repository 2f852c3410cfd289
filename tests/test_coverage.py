"""The page about JAX's public names is the one that its tool writes, and the reasons for what is left out hold."""

import fnmatch
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools import coverage


def test_the_page_is_up_to_date():
    expected = coverage.page()
    assert coverage.PAGE.read_text() == expected, (
        f"docs/coverage.md is not what the public names are now: run `{coverage.COMMAND}` and commit the page"
    )


def test_reasons_are_for_names_that_are_not_here():
    _, record = coverage.read_record()
    used, stale = set(), []
    for module, names in record.items():
        ours = coverage._ours(module)
        for name in names:
            for row in coverage.LEFT_OUT:
                if fnmatch.fnmatchcase(module, row[0]) and fnmatch.fnmatchcase(name, row[1]):
                    used.add(row)
                    if coverage._has(ours, name):
                        stale.append(f"{module}.{name}")
    assert not stale, f"these are here now; take them out of LEFT_OUT in tools/coverage.py: {stale}"
    assert not set(coverage.LEFT_OUT) - used, "reasons for names that JAX does not have"


def test_states_are_told_apart():
    here, left, missing = coverage.states("jax.numpy", ["sin", "int1", "no_such_name"])
    assert here == ["sin"] and missing == ["no_such_name"] and list(left.values()) == [["int1"]]
    assert coverage.states("jax.no_such_module", ["f"]) == ([], {}, ["f"])
