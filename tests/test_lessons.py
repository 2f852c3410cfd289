"""The lessons have one form, the gallery shows them all, and the quickest run.  (`.ci/run` runs all of them.)"""

import ast
import subprocess
import sys

import pytest

from lessons.__main__ import HERE, PICTURES, lessons, main, page, read, with_gallery

ALL = lessons()
QUICK = ["00", "04"]
names = [lesson.path.stem for lesson in ALL]


def calls(tree, name):
    """Calls of a function of the kit."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name]


@pytest.mark.parametrize("lesson", ALL, ids=names)
def test_form(lesson):
    text = lesson.path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 160
    tree = ast.parse(text)
    for name in ("table", "save", "claim"):
        assert len(calls(tree, name)) == 1, f"one call of {name}"
    cells = text.split("# %%")[1:]
    assert len(cells) >= 4 and cells[0].startswith(" [markdown]") and "claim(" in cells[-1]
    for cell in cells:
        kind, _, body = cell.partition("\n")
        assert kind.strip() in ("", "[markdown]")
        # A cell of text is one string and nothing else, so that notebooks show it as text.
        assert (kind.strip() == "[markdown]") == (body.startswith('"""\n') and body.rstrip().endswith('\n"""'))
        ast.parse(body)
    assert len(lesson.claim) < 240


@pytest.mark.parametrize("lesson", ALL, ids=names)
def test_picture(lesson):
    pictures = list(PICTURES.glob(f"{lesson.path.stem}.*"))
    assert len(pictures) == 1 and 1000 < pictures[0].stat().st_size < 60_000


def test_numbers():
    assert [lesson.number for lesson in ALL] == sorted({lesson.number for lesson in ALL})
    assert {path.stem for path in PICTURES.iterdir()} == set(names)


def test_gallery():
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert text == with_gallery(text), "python -m lessons gallery"


@pytest.mark.parametrize("number", [n for n in QUICK if any(lesson.number == n for lesson in ALL)])
def test_quick_lessons_run(number, tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    command = [sys.executable, "-m", "lessons", number, "--short", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Claim holds: " in done.stdout and len(list(tmp_path.iterdir())) == 1


def test_a_claim_that_fails(tmp_path):
    script = tmp_path / "98_wrong.py"
    script.write_text("from _kit import claim\nclaim('two and two are five', 2 + 2 == 5)\n")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(HERE)}
    )
    assert done.returncode == 1
    assert done.stdout.startswith("CLAIM FAILS") and done.stderr.rstrip().endswith(": two and two are five")


def test_form_is_told(tmp_path):
    script = tmp_path / "99_formless.py"
    script.write_text("print(1)\n")
    with pytest.raises(ValueError, match="99_formless.py: the first cell must say"):
        read(script)


def test_command_line(capsys):
    assert main([]) == 0
    assert all(lesson.title in capsys.readouterr().out for lesson in ALL[:1])
    assert main(["no such lesson"]) == 2
    assert "there is no lesson no such lesson" in capsys.readouterr().err


def test_page_of_a_lesson():
    text = page(ALL[0], "a table\n", "00_graph.svg")
    assert text.startswith(f"# 00 · {ALL[0].title}\n\n**Claim.**")
    assert "```python\ndef e(a, b):" in text.replace("\n\n\n", "\n") and "%%" not in text
    assert text.endswith("```text\na table\n```\n\n![the picture of this lesson](00_graph.svg)\n")
    assert main(["pages"]) == 2
