"""Writes the tables of the facades whose names are loaded late: ``python -m tools.facades``.

Such a facade imports its names under ``if TYPE_CHECKING`` only; the table ``_names.py`` beside it says the same to
`publish` (`fungrad/core/public_names.py`). ``--check`` only says whether the tables are up to date.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FACADES = ("fungrad", "fungrad.lax", "fungrad.nn", "fungrad.numpy")
WIDTH = 120


def imports(facade: str) -> dict[str, list[str]]:
    """The names that a facade imports for type checkers, in words, by module."""
    tree = ast.parse(home(facade).read_text())
    found: dict[str, list[str]] = {}
    for block in tree.body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            for node in block.body:
                if not isinstance(node, ast.ImportFrom) or node.module is None:
                    raise SystemExit(f"{facade}: line {node.lineno}: only `from module import name` may stand here")
                words = found.setdefault(node.module, [])
                for alias in node.names:
                    name = alias.asname or alias.name
                    words.append(name if name == alias.name else f"{name}={alias.name}")
    modules = {path.stem for path in home(facade).parent.glob("*.py")} | {
        path.parent.name for path in home(facade).parent.glob("*/__init__.py")
    }
    for module, words in found.items():
        hidden = modules.intersection(word.partition("=")[0] for word in words)
        if module != facade and hidden:
            raise SystemExit(f"{facade}: {hidden.pop()} is a submodule too, which would hide the name once imported")
    return found


def home(facade: str) -> Path:
    """The file of a facade."""
    return ROOT / facade.replace(".", "/") / "__init__.py"


def table(facade: str) -> str:
    """The text of the table of a facade."""
    lines = [
        f'"""Where the names of ``{facade}`` are, each in words of the module that has it.',
        "",
        "Written by ``python -m tools.facades`` from the imports of the facade.",
        '"""',
        "",
        "NAMES = {",
    ]
    for module, words in sorted(imports(facade).items()):
        first, line = f'    "{module}": ', ""
        pieces = []
        for word in sorted(words):
            if len(line) + len(word) + 14 > WIDTH:
                pieces.append(line)
                line = ""
            line += word + " "
        pieces.append(line.rstrip())
        if len(pieces) == 1 and len(first) + len(pieces[0]) + 3 <= WIDTH:
            lines.append(f'{first}"{pieces[0]}",')
        else:
            lines += [f"{first.rstrip()} (", *(f'        "{piece}"' for piece in pieces), "    ),"]
    return "\n".join([*lines, "}", ""])


def main() -> None:
    """Writes or checks all tables."""
    for facade in FACADES:
        path = home(facade).with_name("_names.py")
        if "--check" not in sys.argv:
            path.write_text(table(facade))
        elif path.read_text() != table(facade):
            raise SystemExit(f"{path.relative_to(ROOT)} is not up to date: run python -m tools.facades")


if __name__ == "__main__":
    main()
