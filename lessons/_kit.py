"""What the lessons share: the table, the picture and the claim.

A lesson is run as ``python -m lessons 07``, as ``python lessons/07_counting.py`` (with the same options), or cell by
cell as a notebook.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def _options() -> argparse.Namespace:
    """Options on the command line; a notebook has none of them."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--short", action="store_true", help="fewer steps: the same lesson in seconds")
    parser.add_argument("--plot", metavar="FILE", help="where to save the picture")
    parser.add_argument("--out", metavar="DIR", default=".", help="folder for the picture (default: this one)")
    script = Path(sys.argv[0])
    return parser.parse_args(sys.argv[1:] if script.resolve().parent == HERE else [])


_chosen = _options()

# Whether to take fewer steps, seeds or examples, so that the lesson takes seconds.  The claim holds all the same.
short: bool = _chosen.short


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], digits: int = 4) -> None:
    """Prints a table: numbers to the right, text to the left.

    Args:
      headers: titles of the columns.
      rows: their cells; text as it is, other numbers with so many digits.
      digits: significant digits of numbers that are no integers.
    """

    def cell(value: Any) -> str:
        if isinstance(value, str | Integral):
            return str(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            return str(value)
        return f"{number:.0f}" if 10**digits <= abs(number) < 1e9 else f"{number:.{digits}g}"

    rows = [list(row) for row in rows]
    text = [list(headers), *([cell(value) for value in row] for row in rows)]
    width = [max(len(line[i]) for line in text) for i in range(len(headers))]
    left = [all(isinstance(row[i], str) for row in rows) for i in range(len(headers))]
    text.insert(1, ["-" * w for w in width])
    print()
    for line in text:
        cells = (c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(line, width, left, strict=True))
        print("  ".join(cells).rstrip())
    print()


_STYLE = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "grid.alpha": 0.25,
    "legend.fontsize": "small",
    "legend.frameon": False,
}


def figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (9.0, 3.6), **arguments: Any
) -> tuple[Any, Any]:
    """A figure and its axes, as ``matplotlib.pyplot.subplots`` makes them, in the style of the lessons.

    Args:
      rows: rows of axes.
      columns: columns of axes.
      size: width and height in inches.
      **arguments: more for ``subplots``.
    """
    import matplotlib

    if not _in_notebook():
        matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(_STYLE)
    return plt.subplots(rows, columns, figsize=size, layout="constrained", **arguments)


def save(*picture: Any) -> None:
    """Saves the lesson's picture, a figure of ``matplotlib`` or drawings; a notebook shows it instead.

    Its name is that of the lesson.  A figure is saved with a palette, since most are lines and text.

    Args:
      *picture: the figure, or results of ``fungrad.draw``, which are put one under the other.
    """
    if _in_notebook():
        from IPython.display import display

        display(*picture)
        return
    svg = _stacked([part.svg for part in picture]) if hasattr(picture[0], "svg") else None
    suffix = ".png" if svg is None else ".svg"
    path = Path(_chosen.plot or Path(_chosen.out) / (Path(sys.argv[0]).stem + suffix))
    path.parent.mkdir(parents=True, exist_ok=True)
    if svg is not None:
        path.write_text(svg.replace(f"{HERE}/", "lessons/"), encoding="utf-8")
    else:
        from PIL import Image

        buffer = io.BytesIO()
        picture[0].savefig(buffer, format="png", dpi=100)
        with Image.open(buffer) as image:
            image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"picture: {path}")


def claim(sentence: str, holds: Any) -> None:
    """Prints what the lesson claims, and fails if the numbers say otherwise.

    Args:
      sentence: the claim, with the numbers that were measured.
      holds: whether it holds.
    """
    holds = bool(holds)
    print(f"{'Claim holds' if holds else 'CLAIM FAILS'}: {sentence}")
    assert holds, sentence


def _stacked(drawings: list[str]) -> str:
    """One SVG of several."""
    sizes = [re.search(r'width="([\d.]+)" height="([\d.]+)"', svg) for svg in drawings]
    width = max(float(size[1]) for size in sizes if size)
    y, parts = 0.0, []
    for svg, size in zip(drawings, sizes, strict=True):
        assert size is not None
        parts.append(svg.replace("<svg ", f'<svg y="{y}" ', 1))
        y += float(size[2])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">'
    return f"{head}{''.join(parts)}</svg>"


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
