"""Programs that Python loops write out: thousands of small operations, which are compiled one by one.

Not rows of the table: running them takes microseconds, compiling them is what they are about.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.registry import Row, data

JOINTS = 35
# A trunk with branches, as arms and legs are: the joint that carries each.
PARENTS = [-1, 0, 1, 2, 3, 4, 5, 2, 7, 8, 9, 10, 11, 2, 13, 14, 15, 16, 17, 0, 19, 20, 21, 22, 23, 0, 25, 26, 27, 28]
PARENTS += [29, 6, 12, 18, 24]
STEPS = 40


def mass_matrix(lib: Any) -> Any:
    """The composite rigid body algorithm: one transformation and one inertia of 6 x 6 per joint."""
    rng = np.random.default_rng(0)
    jnp = lib.np
    arms = rng.standard_normal((JOINTS, 3)) * 0.3
    inertias = []
    for _ in range(JOINTS):
        a = rng.standard_normal((6, 6)) * 0.1
        inertias.append(a @ a.T + np.eye(6))
    axes = np.arange(JOINTS) % 3

    def crossed(v):
        return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])

    def transform(k, angle):
        c, s, one, zero = jnp.cos(angle), jnp.sin(angle), jnp.ones(()), jnp.zeros(())
        rows = {
            0: [[one, zero, zero], [zero, c, s], [zero, -s, c]],
            1: [[c, zero, -s], [zero, one, zero], [s, zero, c]],
            2: [[c, s, zero], [-s, c, zero], [zero, zero, one]],
        }[int(axes[k])]
        turn = jnp.stack([jnp.stack(row) for row in rows])
        moved = -turn @ jnp.asarray(crossed(arms[k]))
        return jnp.block([[turn, jnp.zeros((3, 3))], [moved, turn]])

    def f(q):
        moves = [transform(k, q[k]) for k in range(JOINTS)]
        composite = [jnp.asarray(i) for i in inertias]
        for k in reversed(range(JOINTS)):
            if PARENTS[k] >= 0:
                composite[PARENTS[k]] = composite[PARENTS[k]] + moves[k].T @ composite[k] @ moves[k]
        h = jnp.zeros((JOINTS, JOINTS))
        for k in range(JOINTS):
            force = composite[k][:, axes[k]]
            h = h.at[k, k].set(force[axes[k]])
            j = k
            while PARENTS[j] >= 0:
                force = moves[j].T @ force
                j = PARENTS[j]
                h = h.at[k, j].set(force[axes[j]])
                h = h.at[j, k].set(force[axes[j]])
        return h

    return f


def updates(steps: int = STEPS) -> Any:
    """The gradient of many steps of a small update."""

    def make(lib: Any) -> Any:
        jnp = lib.np

        def loss(h, x):
            for k in range(steps):
                h = jnp.tanh(h @ x * (0.1 + k / steps)) + jnp.sin(h) * x.sum(0)
            return jnp.sum(h * h)

        return lib.grad(loss)

    return make


def robot(lib: Any) -> Any:
    """The mass matrix as a thunk."""
    f = lib.jit(mass_matrix(lib))
    q = lib.asarray(data((JOINTS,), "float64", seed=1))
    return lambda: lib.done(f(q))


PROGRAMS = {
    "robot_mass_matrix": Row("robot_mass_matrix", robot, dtype="float64"),
    "unrolled_gradient": Row("unrolled_gradient", updates(), inputs=((6, 6), (6, 6))),
}
