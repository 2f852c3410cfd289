"""Rotations in three dimensions, under the names of ``jax.scipy.spatial.transform``.

A rotation is a unit quaternion ``(x, y, z, w)``: the axis times the sine of half the angle, and its cosine. All
formulas work on any number of them at once and have derivatives; those that divide by an angle are power series near 0.

May import ``core``, ``fungrad.numpy``, ``fungrad.random`` and ``scipy._operands``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.array import Array
from fungrad.core.public_names import publish
from fungrad.core.source import api_class
from fungrad.random import normal
from fungrad.scipy._operands import at_least_single, inexact

_API = "spatial.transform"
# Angles below which quotients are power series.
_SMALL = 1e-3


def _argument(method: str, name: str, x: Any, size: int | None = None) -> Array:
    """An array of numbers whose last dimension is a vector of some size."""
    x = at_least_single(inexact(f"{_API}.{method}", name, x if not isinstance(x, (list, tuple)) else np.asarray(x)))
    if size is not None and (x.ndim == 0 or x.shape[-1] != size):
        raise ValueError(f"fungrad.scipy.{_API}.{method}: {name} must have shape (..., {size}), got {x.shape}")
    return x


def _norm(v: Array) -> Array:
    """Lengths of vectors, with a dimension of size 1 in their place."""
    return jnp.sqrt(jnp.sum(v * v, -1, keepdims=True))


def _safe_norm(v: Array) -> Array:
    """The same with the derivative 0 at 0."""
    square = jnp.sum(v * v, -1, keepdims=True)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _product(p: Array, q: Array) -> Array:
    """The quaternion of the rotation ``q`` followed by ``p``."""
    a, b = p[..., :3], q[..., :3]
    s, t = p[..., 3:], q[..., 3:]
    vector = s * b + t * a + jnp.cross(a, b)
    return jnp.concatenate([vector, s * t - jnp.sum(a * b, -1, keepdims=True)], -1)


def _axes_of(method: str, seq: Any, count: tuple[int, ...]) -> tuple[list[int], bool]:
    """The axes of a sequence such as ``"xyz"``, and whether they turn with the body (capitals)."""
    full = f"fungrad.scipy.{_API}.Rotation.{method}"
    if not isinstance(seq, str) or len(seq) not in count or not re.fullmatch("[xyz]*|[XYZ]*", seq):
        words = "three" if count == (3,) else "one to three"
        raise ValueError(f"{full}: seq must be {words} of 'x', 'y', 'z', or of 'X', 'Y', 'Z', got {seq!r}")
    if any(a == b for a, b in zip(seq, seq[1:], strict=False)):
        raise ValueError(f"{full}: seq must not name one axis twice in a row, got {seq!r}")
    return ["xyz".index(a) for a in seq.lower()], seq.isupper()


@api_class
class Rotation(NamedTuple):
    """One rotation or several: a tuple of an array of unit quaternions.

    Attributes:
      quat: shape ``(4,)``, or ``(n, 4)`` for ``n`` rotations; scalar last.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.spatial.transform import Rotation
      >>> r = Rotation.from_euler("z", jnp.array(90.0), degrees=True)
      >>> print(r.apply(jnp.array([1.0, 0.0, 0.0])).round(3))
      [0. 1. 0.]
    """

    quat: Array

    @classmethod
    def concatenate(cls, rotations: Sequence[Rotation]) -> Rotation:
        """Several sets of rotations as one.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> len(Rotation.concatenate([r, r.inv()]))
          2
        """
        return cls(jnp.concatenate([jnp.atleast_2d(r.quat) for r in rotations]))

    @classmethod
    def from_euler(cls, seq: str, angles: Any, degrees: bool = False) -> Rotation:
        """Rotations about coordinate axes one after the other.

        Args:
          seq: one to three axes: ``"xyz"`` fixed ones, ``"XYZ"`` ones that turn with the body.
          angles: one per axis, shape ``(..., len(seq))``; a number for one axis.
          degrees: whether angles are in degrees.

        Raises:
          ValueError: ``seq`` is something else, or the shapes do not fit.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("xz", jnp.array([90.0, 180.0]), degrees=True)
          >>> print(r.as_quat().round(3) + 0.0)
          [0.    0.707 0.707 0.   ]
        """
        axes, intrinsic = _axes_of("from_euler", seq, (1, 2, 3))
        x = _argument("Rotation.from_euler", "angles", angles)
        if x.ndim == 0:
            x = x[None]
        if x.shape[-1] != len(axes):
            raise ValueError(
                f"fungrad.scipy.{_API}.Rotation.from_euler: angles must have one entry per axis of {seq!r} in the last "
                f"dimension, got shape {x.shape}"
            )
        if degrees:
            x = jnp.deg2rad(x)
        found: Any = None
        for k, axis in enumerate(axes):
            half = x[..., k : k + 1] / 2
            unit = np.zeros(4)
            unit[axis] = 1
            turn = jnp.sin(half) * jnp.asarray(unit, x.dtype) + jnp.cos(half) * jnp.asarray([0, 0, 0, 1], x.dtype)
            found = turn if found is None else _product(found, turn) if intrinsic else _product(turn, found)
        return cls(found)

    @classmethod
    def from_matrix(cls, matrix: Any) -> Rotation:
        """Rotations of orthogonal matrices with determinant 1, shape ``(..., 3, 3)``.

        Raises:
          ValueError: the shape is another one.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_matrix(jnp.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
          >>> print(r.magnitude().round(4))
          1.5708
        """
        m = _argument("Rotation.from_matrix", "matrix", matrix)
        if m.shape[-2:] != (3, 3):
            raise ValueError(
                f"fungrad.scipy.{_API}.Rotation.from_matrix: matrix must have shape (..., 3, 3), got {m.shape}"
            )
        a, b, c = (m[..., k, k] for k in range(3))
        trace = a + b + c
        # Four formulas, of which the one that divides by the greatest part of the quaternion is exact.
        rows = []
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            parts: list[Any] = [None] * 4
            parts[i] = 1 - trace + 2 * m[..., i, i]
            parts[j] = m[..., j, i] + m[..., i, j]
            parts[k] = m[..., k, i] + m[..., i, k]
            parts[3] = m[..., k, j] - m[..., j, k]
            rows.append(jnp.stack(parts, -1))
        turned = [m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1], 1 + trace]
        rows.append(jnp.stack(turned, -1))
        best = jnp.argmax(jnp.stack([a, b, c, trace], -1), -1)[..., None]
        q = rows[3]
        for k in range(3):
            q = jnp.where(best == k, rows[k], q)
        return cls(q / _norm(q))

    @classmethod
    def from_mrp(cls, mrp: Any) -> Rotation:
        """Rotations of modified Rodrigues parameters, the axis times the tangent of a quarter of the angle.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> print(Rotation.from_mrp(jnp.array([0.0, 0.0, 1.0])).magnitude().round(4))
          3.1416
        """
        p = _argument("Rotation.from_mrp", "mrp", mrp, 3)
        square = jnp.sum(p * p, -1, keepdims=True)
        return cls(jnp.concatenate([2 * p, 1 - square], -1) / (1 + square))

    @classmethod
    def from_quat(cls, quat: Any) -> Rotation:
        """Rotations of quaternions, shape ``(..., 4)``, which are made unit ones.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> print(Rotation.from_quat(jnp.array([0.0, 0.0, 1.0, 1.0])).quat.round(4))
          [0.     0.     0.7071 0.7071]
        """
        q = _argument("Rotation.from_quat", "quat", quat, 4)
        return cls(q / _norm(q))

    @classmethod
    def from_rotvec(cls, rotvec: Any, degrees: bool = False) -> Rotation:
        """Rotations of rotation vectors, the axis times the angle, shape ``(..., 3)``.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> print(Rotation.from_rotvec(jnp.array([0.0, 0.0, jnp.pi])).quat.round(4) + 0.0)
          [0. 0. 1. 0.]
        """
        v = _argument("Rotation.from_rotvec", "rotvec", rotvec, 3)
        if degrees:
            v = jnp.deg2rad(v)
        square = jnp.sum(v * v, -1, keepdims=True)
        small = square <= _SMALL**2
        angle = jnp.sqrt(jnp.where(small, 1, square))
        ratio = jnp.where(small, 0.5 - square / 48 + square * square / 3840, jnp.sin(angle / 2) / angle)
        cosine = jnp.where(small, 1 - square / 8 + square * square / 384, jnp.cos(angle / 2))
        return cls(jnp.concatenate([ratio * v, cosine], -1))

    @classmethod
    def identity(cls, num: int | None = None, dtype: Any = float) -> Rotation:
        """The rotation by 0, or ``num`` of them.

        Example:
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> Rotation.identity(2).quat
          Array([[0., 0., 0., 1.],
                 [0., 0., 0., 1.]], dtype=float32)
        """
        unit = jnp.asarray(np.array([0.0, 0.0, 0.0, 1.0]), dtype)
        return cls(unit if num is None else jnp.broadcast_to(unit, (num, 4)))

    @classmethod
    def random(cls, random_key: Any, num: int | None = None) -> Rotation:
        """One rotation, or ``num``, drawn uniformly from all rotations.

        Example:
          >>> import fungrad
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> Rotation.random(fungrad.random.key(0), 3).quat.shape
          (3, 4)
        """
        q = normal(random_key, (4,) if num is None else (num, 4))
        return cls(q / _norm(q))

    def __getitem__(self, indexer: Any) -> Rotation:
        """Some of several rotations."""
        if self.single:
            raise TypeError(f"fungrad.scipy.{_API}.Rotation: a single rotation has no elements")
        return Rotation(self.quat[indexer])

    def __len__(self) -> int:
        """Number of rotations."""
        if self.single:
            raise TypeError(f"fungrad.scipy.{_API}.Rotation: a single rotation has no length")
        return int(self.quat.shape[0])

    def __mul__(self, other: Any) -> Rotation:
        """The rotation ``other`` followed by this one."""
        if not isinstance(other, Rotation):
            raise TypeError(f"fungrad.scipy.{_API}.Rotation: a rotation can be composed with a Rotation, got {other!r}")
        return Rotation.from_quat(_product(self.quat, other.quat))

    def apply(self, vectors: Any, inverse: bool = False) -> Array:
        """Vectors of shape ``(..., 3)`` rotated, by the inverse rotations if ``inverse``; several rotations rotate one
        vector each, or all the same one.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.apply(jnp.array([1.0, 0.0, 0.0]), inverse=True).round(3) + 0.0)
          [ 0. -1.  0.]
        """
        v = _argument("Rotation.apply", "vectors", vectors, 3)
        m = self.as_matrix()
        return jnp.matvec(jnp.where(inverse, jnp.swapaxes(m, -1, -2), m), v)

    def as_euler(self, seq: str, degrees: bool = False) -> Array:
        """Angles of rotations about three axes, as ``from_euler`` takes them, shape ``(..., 3)``.

        The second angle is between 0 and pi if the first axis is also the third, else between -pi/2 and pi/2. Where the
        first and the third turn about the same line, one of them is 0.

        Raises:
          ValueError: ``seq`` is something else.

        References:
          Bernardes and Viollet, Quaternion to Euler angles conversion, 2022.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.as_euler("xyz", degrees=True).round(3) + 0.0)
          [ 0.  0. 90.]
        """
        axes, intrinsic = _axes_of("as_euler", seq, (3,))
        i, j, k = axes[::-1] if intrinsic else axes
        first, third = (2, 0) if intrinsic else (0, 2)
        symmetric = i == k
        if symmetric:
            k = 3 - i - j
        sign = (i - j) * (j - k) * (k - i) // 2
        q = self.quat
        x, y, z, w = q[..., i], q[..., j], q[..., k] * sign, q[..., 3]
        a, b, c, d = (w, x, y, z) if symmetric else (w - y, x + z, y + w, z - x)
        middle = 2 * jnp.arctan2(jnp.hypot(c, d), jnp.hypot(a, b))
        near = 1e-7
        at_start, at_end = jnp.abs(middle) <= near, jnp.abs(middle - math.pi) <= near
        half_sum, half_difference = jnp.arctan2(b, a), jnp.arctan2(d, c)
        locked = jnp.where(at_start, 2 * half_sum, 2 * half_difference * (1 if intrinsic else -1))
        free = ~(at_start | at_end)
        found: list[Any] = [None, middle, None]
        for place, value in ((first, half_sum - half_difference), (third, half_sum + half_difference)):
            # Where only the sum, or difference, of the two is determined, the first of the sequence is all of it.
            found[place] = jnp.where(free, value, locked if place == 0 else jnp.zeros_like(locked))
        if not symmetric:
            found[third] = found[third] * sign
            found[1] = found[1] - math.pi / 2
        angles = jnp.stack(found, -1)
        angles = (angles + math.pi) % (2 * math.pi) - math.pi
        return jnp.rad2deg(angles) if degrees else angles

    def as_matrix(self) -> Array:
        """Orthogonal matrices, shape ``(..., 3, 3)``.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.as_matrix().round(3) + 0.0)
          [[ 0. -1.  0.]
           [ 1.  0.  0.]
           [ 0.  0.  1.]]
        """
        x, y, z, w = (self.quat[..., k] for k in range(4))
        rows = [
            [x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), y * y - x * x - z * z + w * w, 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), z * z - x * x - y * y + w * w],
        ]
        return jnp.stack([jnp.stack(row, -1) for row in rows], -2)

    def as_mrp(self) -> Array:
        """Modified Rodrigues parameters, shape ``(..., 3)``.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.as_mrp().round(4) + 0.0)
          [0.     0.     0.4142]
        """
        w = self.quat[..., 3:]
        sign = jnp.where(w < 0, -1, 1).astype(w.dtype)
        return sign * self.quat[..., :3] / (1 + sign * w)

    def as_rotvec(self, degrees: bool = False) -> Array:
        """Rotation vectors, the axis times an angle of at most pi, shape ``(..., 3)``.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.as_rotvec(degrees=True).round(3) + 0.0)
          [ 0.  0. 90.]
        """
        q = jnp.where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        v, w = q[..., :3], q[..., 3:]
        sine = _safe_norm(v)
        # An angle of sine s and cosine w is 2 s (1/w - s^2 / (3 w^3) + ...), and 2 atan2(s, w) elsewhere.
        small = sine <= _SMALL / 2
        safe = jnp.where(small, 1, sine)
        large = 2 * jnp.arctan2(safe, jnp.where(small, 1, w)) / safe
        square = jnp.sum(v * v, -1, keepdims=True) / (jnp.where(small, w, 1) ** 2)
        near = 2 / jnp.where(small, w, 1) * (1 - square / 3 + square * square / 5)
        ratio = jnp.where(small, near, large)
        return (jnp.rad2deg(ratio) if degrees else ratio) * v

    def as_quat(self, canonical: bool = False, scalar_first: bool = False) -> Array:
        """Quaternions, shape ``(..., 4)``.

        Args:
          canonical: of the two quaternions of a rotation, that whose last part that is not 0 (in the order w, x, y, z)
            is positive.
          scalar_first: ``(w, x, y, z)`` instead of ``(x, y, z, w)``.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.as_quat(scalar_first=True).round(4) + 0.0)
          [0.7071 0.     0.     0.7071]
        """
        q = self.quat
        if canonical:
            x, y, z, w = (q[..., k] for k in range(4))
            z_or = jnp.where(z != 0, z, 1)
            lead = jnp.where(w != 0, w, jnp.where(x != 0, x, jnp.where(y != 0, y, z_or)))
            q = jnp.where(lead[..., None] < 0, -q, q)
        return jnp.roll(q, 1, -1) if scalar_first else q

    def inv(self) -> Rotation:
        """The inverse rotations.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print((r * r.inv()).magnitude().round(4))
          0.0
        """
        signs = jnp.asarray([-1, -1, -1, 1], self.quat.dtype)
        return Rotation(self.quat * (signs if self.quat.ndim == 1 else signs[None, :]))

    def magnitude(self) -> Array:
        """The angles, between 0 and pi.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_euler("z", 90.0, degrees=True)
          >>> print(r.magnitude().round(4))
          1.5708
        """
        sine = _safe_norm(self.quat[..., :3])[..., 0]
        return 2 * jnp.arctan2(sine, jnp.abs(self.quat[..., 3]))

    def mean(self, weights: Any = None) -> Rotation:
        """The rotation that is nearest to all of several ones (with weights), in the mean of squares of chords.

        Raises:
          TypeError: it is a single rotation.
          ValueError: there are not as many weights as rotations.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation
          >>> r = Rotation.from_rotvec(jnp.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]]))
          >>> print(r.mean().as_rotvec().round(4) + 0.0)
          [0.  0.  1.5]
        """
        n = len(self)
        q = self.quat
        if weights is None:
            w = jnp.ones(n, q.dtype)
        else:
            w = _argument("Rotation.mean", "weights", weights).astype(q.dtype)
        if w.shape != (n,):
            raise ValueError(
                f"fungrad.scipy.{_API}.Rotation.mean: weights must have shape ({n},), one per rotation, got {w.shape}"
            )
        _, vectors = jnp.linalg.eigh((w[:, None] * q).T @ q)
        return Rotation(vectors[:, -1])

    @property
    def single(self) -> bool:
        """Whether it is one rotation and no array of them."""
        return self.quat.ndim == 1


@api_class
class Slerp(NamedTuple):
    """Interpolation between rotations, with constant angular velocity between each two of them.

    Made by ``Slerp.init``; called with times it gives rotations.

    Attributes:
      times: when the rotations are taken.
      timedelta: differences of the times.
      rotations: all but the last.
      rotvecs: rotation vectors from each rotation to the next.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.scipy.spatial.transform import Rotation, Slerp
      >>> ends = Rotation.from_rotvec(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
      >>> print(Slerp.init(jnp.array([0.0, 2.0]), ends)(jnp.array(1.0)).as_rotvec().round(3))
      [0.  0.  0.5]
    """

    times: Array
    timedelta: Array
    rotations: Rotation
    rotvecs: Array

    @classmethod
    def init(cls, times: Any, rotations: Rotation) -> Slerp:
        """The interpolation of rotations at ascending times.

        Raises:
          TypeError: ``rotations`` is no ``Rotation``.
          ValueError: there are fewer than two rotations, or not as many as times.

        Example:
          >>> import fungrad.numpy as jnp
          >>> from fungrad.scipy.spatial.transform import Rotation, Slerp
          >>> ends = Rotation.from_rotvec(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
          >>> print(Slerp.init(jnp.array([0.0, 1.0]), ends)(0.25).as_rotvec().round(4))
          [0.   0.   0.25]
        """
        full = f"fungrad.scipy.{_API}.Slerp.init"
        if not isinstance(rotations, Rotation):
            raise TypeError(f"{full}: rotations must be a Rotation, got {rotations!r}")
        if rotations.single or len(rotations) < 2:
            raise ValueError(f"{full}: rotations must be at least two, got shape {rotations.quat.shape} of quaternions")
        t = _argument("Slerp.init", "times", times).astype(rotations.quat.dtype)
        if t.shape != (len(rotations),):
            raise ValueError(f"{full}: times must have shape ({len(rotations)},), one per rotation, got {t.shape}")
        quat = rotations.quat
        start, end = Rotation(quat[:-1]), Rotation(quat[1:])
        return cls(t, jnp.diff(t), start, (start.inv() * end).as_rotvec())

    def __call__(self, times: Any) -> Rotation:
        """Rotations at times, a number or an array of one dimension.

        Raises:
          ValueError: ``times`` has more dimensions.
        """
        t = _argument("Slerp", "times", times).astype(self.times.dtype)
        if t.ndim > 1:
            raise ValueError(f"fungrad.scipy.{_API}.Slerp: times must have at most one dimension, got shape {t.shape}")
        i = jnp.clip(jnp.searchsorted(self.times, t) - 1, 0, self.timedelta.shape[0] - 1)
        share = (t - self.times[i]) / self.timedelta[i]
        turned = Rotation.from_rotvec(self.rotvecs[i] * share[..., None])
        return Rotation(self.rotations.quat[i]) * turned


__all__ = ["Rotation", "Slerp"]

publish(globals(), __name__, __all__)
