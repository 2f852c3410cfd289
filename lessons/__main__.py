"""``python -m lessons``: lists, runs and checks the lessons, and writes the table of README.md.

python -m lessons                         # the list
python -m lessons 07 [--short] [--plot FILE | --out DIR]
python -m lessons all --short             # each in a process of its own; fails if one fails
python -m lessons pages docs/course       # runs all and writes a page of each for the site: text, code, output, picture
python -m lessons gallery                 # writes the table in lessons/README.md from the lessons' first cells
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from fungrad.core.programs import finish

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parent / "docs" / "lessons"
MARK = "<!-- python -m lessons gallery -->\n"


class Lesson(NamedTuple):
    """A lesson and what its first cell says.

    Attributes:
      path: of the script.
      number: two digits.
      title: of the lesson.
      claim: in one sentence.
      answers: the decks and slides that it answers.
    """

    path: Path
    number: str
    title: str
    claim: str
    answers: str


def read(path: Path) -> Lesson:
    """What the first cell of a lesson says.

    Raises:
      ValueError: it does not have the form of the others.
    """
    form = r'# %% \[markdown\]\n"""\n# (\d\d) · (.+)\n\n\*\*Claim\.\*\* (.+?)\n\n'
    form += r'\*\*Answers\.\*\* (.+?)\n(?:\n.*?)?"""\n'
    found = re.match(form, path.read_text(encoding="utf-8"), re.S)
    if not found or found[1] != path.name[:2]:
        raise ValueError(
            f"{path.name}: the first cell must say '# NN · title', '**Claim.** ...' and '**Answers.** ...'"
        )
    return Lesson(path, *(" ".join(part.split()) for part in found.groups()))


def lessons() -> list[Lesson]:
    """All lessons, in order."""
    return [read(path) for path in sorted(HERE.glob("[0-9][0-9]_*.py"))]


def gallery() -> str:
    """The table of README.md."""
    lines = ["| | lesson | claim | answers | picture |", "| --- | --- | --- | --- | --- |"]
    for lesson in lessons():
        pictures = sorted(PICTURES.glob(f"{lesson.path.stem}.*"))
        image = f'<img src="../docs/lessons/{pictures[0].name}" width="300">' if pictures else ""
        link = f"[{lesson.title}]({lesson.path.name})"
        lines.append(f"| {lesson.number} | {link} | {lesson.claim} | {lesson.answers} | {image} |")
    return "\n".join(lines) + "\n"


def with_gallery(readme: str) -> str:
    """README.md with the table as it should be."""
    before, _, after = readme.split(MARK)
    return f"{before}{MARK}{gallery()}{MARK}{after}"


def run_one(lesson: Lesson, options: list[str]) -> None:
    """Runs a lesson in this process."""
    sys.path.insert(0, str(HERE))  # as if it were started as a script
    sys.argv = [str(lesson.path), *options]
    start = time.perf_counter()
    runpy.run_path(str(lesson.path), run_name="__main__")
    print(f"lesson {lesson.number}: {time.perf_counter() - start:.1f} s")


def run_all(options: list[str]) -> int:
    """Runs all lessons, each in a process of its own, and says which failed."""
    failed = []
    for lesson in lessons():
        print(f"\n== {lesson.number} · {lesson.title}", flush=True)
        command = [sys.executable, "-m", "lessons", lesson.number, *options]
        if subprocess.run(command, check=False).returncode:
            failed.append(lesson.number)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall claims hold")
    return bool(failed)


def page(lesson: Lesson, printed: str, picture: str) -> str:
    """A lesson that has run, as a page in Markdown: its cells, what it printed, its picture."""
    parts = []
    for cell in lesson.path.read_text(encoding="utf-8").split("# %%")[1:]:
        kind, _, body = cell.partition("\n")
        text = body.strip()
        parts.append(text.strip('"').strip() if kind.strip() == "[markdown]" else f"```python\n{text}\n```")
    parts += ["It prints:", f"```text\n{printed.strip()}\n```", f"![the picture of this lesson]({picture})"]
    return "\n\n".join(parts) + "\n"


def write_pages(arguments: list[str]) -> int:
    """Runs all lessons and writes their pages; fails if a lesson fails."""
    if not arguments or arguments[0].startswith("-"):
        print("lessons: pages needs a folder, such as docs/course", file=sys.stderr)
        return 2
    folder, failed = Path(arguments[0]), []
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in lessons():
        print(f"{lesson.number} · {lesson.title}", flush=True)
        command = [sys.executable, str(lesson.path), "--out", str(folder), *arguments[1:]]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(done.stdout)
            failed.append(lesson.number)
            continue
        printed = "".join(line for line in done.stdout.splitlines(True) if not line.startswith("picture: "))
        (picture,) = (path.name for path in folder.glob(f"{lesson.path.stem}.*") if path.suffix != ".md")
        (folder / f"{lesson.path.stem}.md").write_text(page(lesson, printed, picture), encoding="utf-8")
    print(f"failed: {', '.join(failed)}" if failed else "all claims hold")
    return bool(failed)


def main(arguments: list[str]) -> int:
    """Does what the command line says."""
    what, *options = arguments or ["list"]
    if what == "list":
        for lesson in lessons():
            print(f"{lesson.number}  {lesson.title}\n    {lesson.claim}")
        return 0
    if what == "gallery":
        path = HERE / "README.md"
        path.write_text(with_gallery(path.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    if what == "pages":
        return write_pages(options)
    if what == "all":
        return run_all(options)
    found = [lesson for lesson in lessons() if what in (lesson.number, lesson.path.stem, lesson.path.stem[3:])]
    if not found:
        print(f"lessons: there is no lesson {what}; `python -m lessons` lists them", file=sys.stderr)
        return 2
    run_one(found[0], options)
    return 0


if __name__ == "__main__":
    finish(lambda: main(sys.argv[1:]))
