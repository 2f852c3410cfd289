"""The Python code in README.md and on written pages of docs/ runs and prints what it says; links lead somewhere.

(The pages in docs/ that show code are written by programs that run it.)
"""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text):
    """Blocks of Python code with the lines they start at."""
    found = re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [(text.count("\n", 0, match.start(1)), match.group(1)) for match in found]


def run_session(code, names, line):
    """Runs a block with prompts, and fails where it prints something else."""
    test = doctest.DocTestParser().get_doctest(code, names, "README.md", str(README), line)
    told: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=told.append)
    assert not told, "".join(told)


def test_code_in_readme():
    names: dict = {}
    code = blocks(README.read_text())
    assert len(code) >= 2
    for line, block in code:
        if ">>>" in block:
            run_session(block, names, line)
        else:
            exec(compile("\n" * line + block, README, "exec"), names)


GUIDE_PAGES = [path for folder in ("guide", "optimizers") for path in sorted((ROOT / "docs" / folder).glob("*.md"))]
GUIDE = [f"{path.parent.name}/{path.name}" for path in GUIDE_PAGES]


@pytest.mark.parametrize("page", ["debugging.md", "explaining.md", "numpy-and-scipy.md", "training.md", *GUIDE])
def test_code_on_pages(page):
    # One session: later blocks use the names of earlier ones.
    run_session("".join(block for _, block in blocks((ROOT / "docs" / page).read_text())), {}, 0)


def test_a_wrong_session_fails():
    with pytest.raises(AssertionError, match="Expected"):
        run_session(">>> 1 + 1\n3\n", {}, 0)


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").glob("*.md")), *GUIDE_PAGES], ids=lambda p: p.name)
def test_links(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r'<img src="([^"]+)"', text)
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_files_named_in_the_architecture_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = (ROOT, ROOT / "fungrad", ROOT / "fungrad" / "jit")
    for name in set(re.findall(r"`([a-z_]+/[a-z_/]*\.py)`", text)):
        assert any((folder / name).exists() for folder in folders), name


def test_every_example_is_in_the_readme_and_in_continuous_integration():
    text, script = README.read_text(), (ROOT / ".ci" / "run").read_text()
    for example in (ROOT / "examples").glob("*.py"):
        assert f"examples/{example.name}" in text, example.name
        assert example.stem in script, example.name


def test_every_page_and_module_is_on_the_site():
    index = (ROOT / "docs" / "index.md").read_text().split()
    pages = [path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    made = ("reference/", "course/")  # written by builds
    assert [page for page in pages if page not in index and page != "index" and not page.startswith(made)] == []
    conf = (ROOT / "docs" / "conf.py").read_text()
    modules = [path.stem for path in (ROOT / "tests" / "surface").glob("*.txt")]
    others = {"fungrad.ops", "fungrad.optim.tree_utils"}  # the same functions under other names
    assert [module for module in modules if f'"{module}"' not in conf and module not in others] == []
