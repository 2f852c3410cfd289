"""``python -m fungrad``."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import cli, debug
from fungrad.cli import compare
from fungrad.cli.targets import evaluated
from fungrad.jit.runtime import cache

REPOSITORY = Path(__file__).parent.parent
MODEL = """
import fungrad
import fungrad.numpy as jnp
from fungrad import nn

number = 3

def loss(w, x):
    return jnp.sum(jnp.tanh(x @ w) ** 2)

loss_args = (fungrad.ShapeDtypeStruct((3, 2), jnp.float32), jnp.ones((4, 3)))

def bare(x):
    return jnp.sin(x)

def needs_nn(x):
    return nn.relu(x).sum()

def fails(x):
    return x.no_such_thing
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


@pytest.mark.parametrize(
    "words, told",
    [
        (["explain", "nofile.py:f"], "there is no file nofile.py"),
        (["explain", "model.py"], "a target is FILE:FUNCTION, such as model.py:loss, got 'model.py'"),
        (["explain", "{model}:lost"], "has no function 'lost'; it has bare, fails, loss, needs_nn"),
        (["explain", "{model}:number"], "number in {model} is no function, but a int"),
        (["explain", "{model}:bare"], "bare needs arguments (x): give --args"),
        (["explain", "{model}:bare", "--args", "f33[2]"], "f33[2] is no type"),
        (["explain", "{model}:bare", "--args", "nope"], "--args 'nope': NameError"),
        (["compare", "{model}:fails", "--args", "1.0", "--seconds", "0"], "fails cannot be run: AttributeError"),
    ],
)
def test_bad_targets_get_one_line(model, capsys, monkeypatch, words, told):
    monkeypatch.setattr(compare, "VARIANTS", ("fungrad",))
    assert cli.main([w.format(model=model) for w in words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("fungrad: ") and err.count("\n") == 1
    assert told.format(model=model) in err


def test_files_that_cannot_be_run(tmp_path, capsys):
    path = tmp_path / "bad.py"
    for text, told in (("def f(:\n", "bad.py:1: "), ("1 / 0\n", "cannot be run: ZeroDivisionError: division by zero")):
        path.write_text(text)
        assert cli.main(["explain", f"{path}:f"]) == 2
        assert told in capsys.readouterr().err


def test_types_of_arguments():
    a, b, c = evaluated("f32[3,4], {'k': i8[]}, bool[2]", {})
    assert (a.shape, b["k"].dtype.name, c.dtype.name) == ((3, 4), "int8", "bool")
    assert evaluated("n + 1", {"n": 2}) == (3,) and evaluated("(1, 2), 3", {}) == ((1, 2), 3)


def test_explain_and_explore(model, tmp_path, capsys):
    assert cli.main(["explain", f"{model}:loss", "--plain"]) == 0
    out = capsys.readouterr().out
    assert "Explanation of loss" in out and "jnp.tanh(x @ w)" in out and "The chain rule" in out
    page = tmp_path / "page.html"
    assert cli.main(["explore", f"{model}:bare", "--args", "f32[5]", "-o", str(page)]) == 0
    assert "jnp.sin(x)" in page.read_text()


def test_info_and_cache(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", str(tmp_path / "kept"))
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert fungrad.__version__ in out and "processor" in out and "BLAS" in out
    cache.write("a" * 64, b"code")
    (tmp_path / "kept" / "mine.txt").write_text("not an entry")
    assert cli.main(["cache", "show"]) == 0 and "1 entries" in capsys.readouterr().out
    assert cli.main(["cache", "clear"]) == 0 and "1 entries" in capsys.readouterr().out
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["mine.txt"]


def test_lessons_and_benchmarks_are_those_of_the_repository(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    for name in ("lessons", "bench"):
        assert cli.main([name]) == 2
        assert "there is no package" in capsys.readouterr().err
    monkeypatch.undo()
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "__init__.py").touch()
    (tmp_path / "lessons" / "__main__.py").write_text("import sys\nprint(sys.argv[1:])\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [m for m in sys.modules if m.partition(".")[0] == "lessons"]:
        monkeypatch.delitem(sys.modules, name)
    assert cli.main(["lessons", "07", "--short"]) == 3
    assert capsys.readouterr().out == "['07', '--short']\n"


def test_compare(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "VARIANTS", ("fungrad jit", "numpy"))
    picture = tmp_path / "picture.svg"
    assert cli.main(["compare", f"{model}:loss", "--seconds", "0", "--picture", str(picture)]) == 0
    rows = {line[:14].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert all("same" in rows[k] for k in ("fungrad jit", "numpy"))
    assert len(ElementTree.parse(picture).findall("{http://www.w3.org/2000/svg}rect")) == 2


def test_other_answers_and_missing_names_are_said(model, monkeypatch, capsys):
    function = compare._translated(model, "needs_nn", "numpy")
    with pytest.raises(Exception, match="nn has no counterpart in numpy"):
        function(1.0)
    assert not compare._agree([[3, 1.0, 1.0, 1.0]], [[3, 1.1, 1.1, 1.0]])
    assert compare._agree([[3, 1.0, 1.0, 1.0]], [[3, 1.00001, 1.0, 1.0]])
    rows = [
        {"variant": "a", "first": 1.0, "step": 1.0, "memory": 0, "same": False},
        {"variant": "b", "missing": "none"},
    ]
    assert "DIFFERENT" in compare.table("f", rows) and "none" in compare.table("f", rows)


def test_assert_max_traces_on_either_side_of_jit():
    @debug.assert_max_traces(1)
    @fungrad.jit
    def outside(x):
        return x + 1

    outside(jnp.ones(2)), outside(jnp.zeros(2))
    with pytest.raises(AssertionError, match=r"outside was traced 2 times, at most 1 expected: argument x has shape"):
        outside(jnp.ones(3))

    @fungrad.jit
    @debug.assert_max_traces(1)
    def inside(x):
        return x + 1

    inside(jnp.ones(2)), inside(jnp.zeros(2))
    with pytest.raises(AssertionError, match="inside was traced 2 times"):
        inside(jnp.ones(3))


def test_assert_max_traces_of_a_block():
    f = fungrad.jit(lambda x: x * 2)
    with debug.assert_max_traces(1):
        f(jnp.ones(2)), f(jnp.ones(2))
    with pytest.raises(AssertionError, match="traced 1 time, at most 0"), debug.assert_max_traces(0):
        f(jnp.ones(5))
    with debug.assert_max_traces(0):
        f(jnp.ones(5))
    with pytest.raises(ValueError, match="boom"), debug.assert_max_traces(0):
        f(jnp.ones(6))
        raise ValueError("boom")


@pytest.mark.parametrize("n, error", [("a", TypeError), (1.5, TypeError), (-1, ValueError)])
def test_assert_max_traces_wants_a_count(n, error):
    with pytest.raises(error, match="fungrad.debug.assert_max_traces: n must be"):
        debug.assert_max_traces(n)
    with pytest.raises(TypeError, match="expected a function to decorate, got 3"):
        debug.assert_max_traces(1)(3)


def test_readers_of_the_output_may_stop():
    for words in (["-m", "lessons"], ["-m", "fungrad.ops"]):
        writer = subprocess.Popen(
            [sys.executable, "-u", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
        )
        writer.stdout.close()
        assert writer.stderr.read() == b"" and writer.wait() == 0
        writer.stderr.close()
