"""Data sets that are installed with other packages, made by them, or in files that the user names.

Nothing is downloaded.

May import ``core`` and ``numpy``.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.arguments import shown
from fungrad.core.array import Array, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.optional import optional

_SKLEARN = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


def sklearn(name: str) -> tuple[Array, Array]:
    """One of the small data sets that scikit-learn comes with.

    Args:
      name: ``"digits"``, ``"iris"``, ``"wine"``, ``"breast_cancer"``, ``"diabetes"`` or ``"linnerud"``.

    Returns:
      A pair of features and targets; features as floats as they are (digits from 0 to 16), classes as integers.

    Raises:
      ValueError: there is no such set.
      ImportError: scikit-learn is not installed (extra ``data``).

    Example:
      >>> from fungrad import data
      >>> x, y = data.sklearn("digits")
      >>> x.shape, y.dtype
      ((1797, 64), dtype('int32'))
    """
    if name not in _SKLEARN:
        raise ValueError(f"fungrad.data.sklearn: name must be one of {', '.join(_SKLEARN)}, got {shown(name)}")
    sets = optional("sklearn.datasets", api="fungrad.data.sklearn", extra="data")
    x, y = getattr(sets, f"load_{name}")(return_X_y=True)
    return jnp.asarray(x), jnp.asarray(y)


def mnist1d(**arguments: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """MNIST-1D: ten templates of 40 points, shifted, scaled and noisy; made by the package ``mnist1d``.

    Reference: Greydanus and Kobak, https://arxiv.org/abs/2011.14439.

    Args:
      **arguments: what to change of the package's arguments, such as ``num_samples=10000`` or ``seed=1``.

    Returns:
      Pairs of examples ``[n, 40]`` and classes, for training and for tests.

    Raises:
      ValueError: there is no such argument.
      ImportError: the package is not installed (extra ``data``).
    """
    package = optional("mnist1d.data", api="fungrad.data.mnist1d", extra="data")
    chosen = package.get_dataset_args()
    unknown = sorted(set(arguments) - set(vars(chosen)))
    if unknown:
        raise ValueError(
            f"fungrad.data.mnist1d: there is no argument {unknown[0]}; there are {', '.join(sorted(vars(chosen)))}"
        )
    vars(chosen).update(arguments)
    # The package draws from NumPy's global generator, which is the user's.
    state = np.random.get_state()
    try:
        made = package.make_dataset(chosen)
    finally:
        np.random.set_state(state)
    train = jnp.asarray(made["x"], float), jnp.asarray(made["y"], int)
    return train, (jnp.asarray(made["x_test"], float), jnp.asarray(made["y_test"], int))


_IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx(path: Any) -> Array:
    """An array in a file of the format IDX, that of MNIST and its relatives.

    Args:
      path: the file, which may be compressed (``.gz``).

    Returns:
      An array of the dtype in the file.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is not of that format, or not whole.

    Example:
      >>> import tempfile, os
      >>> from fungrad import data
      >>> path = os.path.join(tempfile.mkdtemp(), "labels-idx1-ubyte")
      >>> with open(path, "wb") as file:
      ...   _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
      >>> data.idx(path)
      Array([7, 2, 1], dtype=uint8)
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"fungrad.data.idx: path must be a path, got {shown(path)}")
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"fungrad.data.idx: there is no file {path}")
    with open(path, "rb") as file:
        content = file.read()
    try:
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"fungrad.data.idx: {path} is not whole: {error}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX:
        raise ValueError(f"fungrad.data.idx: {path} is no file of the format IDX")
    dtype, ndim = np.dtype(_IDX[content[2]]), content[3]
    start = 4 + 4 * ndim
    shape = tuple([int(n) for n in np.frombuffer(content[4:start], ">u4")])
    if len(shape) != ndim or len(content) - start != dtype.itemsize * math.prod(shape):
        raise ValueError(f"fungrad.data.idx: {path} is not whole, or longer than it says")
    found = np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    return wrap_unchecked(found, ShapedArray(found.shape, found.dtype))


def mnist(directory: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """MNIST, or a set in the same four files, such as Fashion-MNIST and KMNIST.

    Args:
      directory: where the files are: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without ``.gz``.

    Returns:
      Pairs of images and classes, for training and for tests: float32 of shape ``[n, 28, 28]`` from 0 to 1, and int32.

    Raises:
      FileNotFoundError: a file is not there; says where to get them.
      ValueError: a file is of another format.
    """
    if not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"fungrad.data.mnist: directory must be a path, got {shown(directory)}")
    parts = []
    for prefix in ("train", "t10k"):
        images, labels = (_one_of(directory, f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
        parts.append((images.astype(jnp.float32) / 255, labels.astype(jnp.int32)))
    return parts[0], parts[1]


def _one_of(directory: Any, name: str) -> Array:
    # Some programs write a dot for the second hyphen when they unpack.
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        path = os.path.join(directory, candidate)
        if os.path.isfile(path):
            return idx(path)
    raise FileNotFoundError(
        f"fungrad.data.mnist: there is no file {name} or {name}.gz in {os.fspath(directory)}; nothing is downloaded: "
        "get the four files of the set and name their directory"
    )
