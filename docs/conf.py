"""How Sphinx builds the site: ``sphinx-build docs site`` (extra ``docs``) writes it to ``site/``.

The pages are the Markdown files of this folder.  The reference is written from the docstrings at every build, a page for
each public name, and is kept out of the repository.
"""

import importlib
import inspect
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy

import fungrad

project = "fungrad"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = "fungrad"
exclude_patterns = ["Thumbs.db"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Links to files of the repository; printed IR; lessons that have not been run.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure", "toc.empty_glob"]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
autodoc_typehints = "none"  # signatures keep them; the texts of the arguments say more
python_display_short_literal_types = True

FLOAT0 = "The dtype of derivatives of integers and booleans, which have no values (``jax.dtypes.float0``).\n"

HERE = Path(__file__).parent
REFERENCE = HERE / "reference"

# Public modules, in the order of the reference.
MODULES = {
    "Transformations": [
        "fungrad", "fungrad.tree", "fungrad.tree_util", "fungrad.flatten_util", "fungrad.ad_checkpoint",
        "fungrad.custom_batching", "fungrad.sharding",
        "fungrad.ref", "fungrad.memory",
    ],
    "Arrays": ["fungrad.numpy", "fungrad.numpy.fft", "fungrad.numpy.linalg", "fungrad.lax", "fungrad.lax.linalg"],
    "Random numbers and networks": [
        "fungrad.random", "fungrad.nn", "fungrad.nn.initializers",
        "fungrad.experimental.random",
    ],
    "SciPy": [
        "fungrad.scipy.special", "fungrad.scipy.linalg", "fungrad.scipy.fft", "fungrad.scipy.signal",
        "fungrad.scipy.ndimage", "fungrad.scipy.interpolate", "fungrad.scipy.integrate", "fungrad.scipy.optimize",
        "fungrad.scipy.sparse.linalg", "fungrad.scipy.cluster.vq", "fungrad.scipy.spatial.transform",
    ],
    "Optimizers": [
        "fungrad.example_libraries.optimizers", "fungrad.example_libraries.stax", "fungrad.optim", "fungrad.optim.transforms", "fungrad.optim.schedules", "fungrad.optim.losses",
        "fungrad.optim.second_order", "fungrad.optim.projections", "fungrad.optim.perturbations",
        "fungrad.optim.assignment", "fungrad.optim.microbatching", "fungrad.optim.tree", "fungrad.optim.contrib",
    ],
    "Training": ["fungrad.data", "fungrad.io", "fungrad.train", "fungrad.tune"],
    "Other styles": ["fungrad.styles"],
    "Debugging and extending": [
        "fungrad.debug", "fungrad.experimental.checkify", "fungrad.errors", "fungrad.test_util", "fungrad.extend",
        "fungrad.experimental.hijax",
        "fungrad.ad", "fungrad.api_util", "fungrad.distributed", "fungrad.dlpack",
        "fungrad.export", "fungrad.monitoring", "fungrad.profiler", "fungrad.stages", "fungrad.dtypes", "fungrad.typing", "fungrad.compat",
        "fungrad.experimental.shard_map", "fungrad.experimental.mesh_utils", "fungrad.experimental.xla_metadata",
        "fungrad.experimental.compilation_cache.compilation_cache", "fungrad.experimental.buffer_callback",
        "fungrad.experimental.custom_partitioning", "fungrad.experimental.topologies",
        "fungrad.extend.core", "fungrad.extend.linear_util", "fungrad.interpreters.ad", "fungrad.interpreters.batching",
        "fungrad.interpreters.mlir", "fungrad.interpreters.partial_eval", "fungrad.interpreters.xla",
        "fungrad.experimental.sparse", "fungrad.experimental.ode", "fungrad.experimental.jet",
        "fungrad.example_libraries.stax", "fungrad.example_libraries.optimizers",
    ],
}  # fmt: skip


def public_names(module) -> list[str]:
    """The names that a module is for: those of ``__all__``, without modules, which have pages of their own."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [n for n, v in vars(module).items() if not n.startswith("_") and getattr(v, "__module__", "") == module.__name__]
    return sorted((n for n in names if not inspect.ismodule(getattr(module, n))), key=str.lower)


def directive(value) -> str:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


def summary(value) -> str:
    """The first sentence of the docstring, on one line of a table."""
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return text.replace("|", r"\|").replace("``", "`")


def is_numpys(value) -> bool:
    """Whether an object is NumPy's own: its docstring refers to pages of NumPy's site."""
    value = getattr(value, "__wrapped__", value)
    return (getattr(value, "__module__", None) or type(value).__module__ or "").split(".")[0] == "numpy"


def numpys_page(name: str, value) -> str:
    """The address of what NumPy's site says of its object."""
    site = "https://numpy.org/doc/stable/reference"
    if inspect.isclass(value) and issubclass(value, numpy.generic):
        return f"{site}/arrays.scalars.html#numpy.{name}"
    room = "exceptions." if inspect.isclass(value) and issubclass(value, Warning) else ""
    return f"{site}/generated/numpy.{room}{name}.html"


def write(path: Path, text: str) -> None:
    """Writes a page only if it has changed, so that a second build reads little."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def page_of(name: str, each: str, value, title: str) -> str:
    """The page of one name, as reStructuredText."""
    kind = directive(value)
    text = ""
    if each == "float0":
        text = FLOAT0
    elif is_numpys(value):
        text = f"NumPy's own object: `numpy.{each} <{numpys_page(each, value)}>`_.\n"
    elif kind == "autodata" and isinstance(value, dict | list | tuple | set | frozenset):
        text = f"A value of type ``{type(value).__name__}``.\n"  # which has no docstring of its own
    if text:
        return f":orphan:\n\n{title}\n{'=' * len(title)}\n\n{text}"
    options = "\n   :members:\n   :member-order: bysource" if kind == "autoclass" else ""
    return f":orphan:\n\n{title}\n{'=' * len(title)}\n\n.. {kind}:: {name}.{each}{options}\n"


def write_reference(*_) -> None:
    """Writes the pages of the reference: an index, a page for each module, a page for each name."""
    index = ["# Reference\n", "Every public name, written from the docstrings; the search finds them too.\n"]
    pages: dict[int, str] = {}  # of what has a page already under another name
    wanted = {REFERENCE / "index.md"}
    for title, modules in MODULES.items():
        index += [f"\n```{{toctree}}\n:maxdepth: 1\n:caption: {title}\n"]
        for name in modules:
            module = importlib.import_module(name)
            names = public_names(module)
            lower = [n.lower() for n in names]
            intro = (inspect.getdoc(module) or "").split("\n\n")[0]
            table = [f"# {name}\n", f"{intro}\n", "| name | |", "| --- | --- |"]
            for each in names:
                value = getattr(module, each)
                described = directive(value) != "autodata"
                file = pages.get(id(value)) if described else None
                if file is None:
                    # Where case does not distinguish files, two pages would be one.
                    twin = each != each.lower() and lower.count(each.lower()) > 1
                    file = f"{name}.{each}{'_' if twin else ''}"
                    short = f"{name}.{each}".removeprefix("fungrad.")
                    target = REFERENCE / "names" / f"{file}.rst"
                    wanted.add(target)
                    write(target, page_of(name, each, value, short))
                    pages[id(value)] = file
                table.append(f"| [`{each}`](names/{file}.rst) | {summary(value) if described else ''} |")
            index.append(name)
            wanted.add(REFERENCE / f"{name}.md")
            write(REFERENCE / f"{name}.md", "\n".join(table) + "\n")
        index.append("```\n")
    write(REFERENCE / "index.md", "\n".join(index))
    for path in [*REFERENCE.rglob("*.md"), *REFERENCE.rglob("*.rst")]:
        if path not in wanted:
            path.unlink()


def setup(app):
    app.connect("builder-inited", write_reference)
    return {"version": fungrad.__version__, "parallel_read_safe": True}
