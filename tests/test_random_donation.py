"""Random state machines follow the same trajectory, bit for bit, whether their state is donated or not.

A machine has several leaves of equal shape, counters and scalars of the same width; a step makes new values of them and
chooses the next state among all values: leaves are changed, swapped, passed through, returned twice, and read by other
results.
"""

import random

import numpy as np
import pytest
from random_programs import many

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

F32 = jnp.float32


def vector_operations(n):
    half = n // 2
    places = np.random.default_rng(n).integers(0, n, half)
    inner = fungrad.jit(lambda a, b: (a * 0.5 + b, jnp.flip(b) - a), donate_argnums=(0, 1))
    return [
        lambda a, b, k: a + b,
        lambda a, b, k: a * 0.5 - 1,
        lambda a, b, k: a + k.astype(F32),
        lambda a, b, k: jnp.flip(a),
        lambda a, b, k: jnp.roll(a, 3) * b,
        lambda a, b, k: jnp.sin(a) + b[0],
        lambda a, b, k: a / (1 + jnp.sum(jnp.abs(a))),
        lambda a, b, k: a - jnp.mean(b),
        lambda a, b, k: jnp.cumsum(a) / n,
        lambda a, b, k: a.at[1].set(2.0),
        lambda a, b, k: a.at[k % n].add(b[(k + 1) % n]),
        lambda a, b, k: a.at[places].add(b[:half]),
        lambda a, b, k: a.at[:half].set(b[half : 2 * half]),
        lambda a, b, k: a[places[0]] * b,
        lambda a, b, k: jnp.sort(a),
        lambda a, b, k: jnp.where(a > b, a, b * 0.25),
        lambda a, b, k: a.astype(jnp.int32).astype(F32) + b,
        lambda a, b, k: lax.bitcast_convert_type(lax.bitcast_convert_type(a, jnp.int32) & -256, F32),
        lambda a, b, k: jnp.concatenate([b[half:], a[:half]]),
        lambda a, b, k: (a.reshape(2, -1).T * 0.5).reshape(-1),
        lambda a, b, k: (a.reshape(2, -1) @ (b.reshape(2, -1).T @ a.reshape(2, -1)) / n).reshape(-1),
        lambda a, b, k: jnp.clip(jnp.outer(a[:4], b).sum(0), -3, 3),
        lambda a, b, k: lax.fori_loop(0, 3, lambda i, c: c * 0.5 + jnp.roll(c, 1), a),
        lambda a, b, k: lax.fori_loop(0, 4, lambda i, c: c.at[i].set(c[n - 1 - i] + b[i]), a),
        lambda a, b, k: lax.scan(lambda c, t: (c * 0.5 + t, jnp.sum(c)), a, b[:3])[0],
        lambda a, b, k: lax.scan(lambda c, t: (jnp.tanh(c + t), c), b[0], a)[1],
        lambda a, b, k: lax.while_loop(lambda c: c[0][0] < 4, lambda c: (c[0] + 1.5, c[1] * 0.5), (jnp.abs(a), b))[1],
        lambda a, b, k: lax.cond(k % 2 == 0, lambda a, b: a - b, lambda a, b: jnp.flip(b) + 1, a, b),
        lambda a, b, k: inner(a, b)[0],
        lambda a, b, k: inner(b, a)[1],
        lambda a, b, k: fungrad.grad(lambda v: jnp.sum(jnp.sin(v) * b))(a),
    ]


class Machine:
    """A random step function of a state, which is a tree, and of an argument that is never donated."""

    def __init__(self, seed):
        r = random.Random(seed)
        self.n = n = r.choice([8, 12, 64, 1200])
        self.vectors = r.randint(2, 5)
        self.scalars = r.randint(0, 2)
        operations = vector_operations(n)
        self.plan = [(r.randrange(len(operations)), r.random(), r.random(), r.random()) for _ in range(r.randint(2, 9))]
        self.operations = operations
        self.next = [r.random() for _ in range(self.vectors + self.scalars + 1)]
        self.results = [r.random() for _ in range(r.randint(0, 3))]
        self.aliased = r.random() < 0.3
        self.watched = r.random() < 0.3
        self.keeps_old = r.random() < 0.3

    def start(self):
        rng = np.random.default_rng(self.n)
        vectors = [jnp.array(rng.standard_normal(self.n).astype("f4")) for _ in range(self.vectors)]
        if self.aliased:
            # Two arrays over one memory; one array given twice is refused.
            vectors[1] = jnp.reshape(vectors[0], (2, -1)).reshape(-1)
        scalars = [jnp.array(np.float32(rng.standard_normal())) for _ in range(self.scalars)]
        return {"v": vectors, "s": scalars, "count": jnp.array(np.int32(0))}

    def step(self, state, x):
        count = state["count"]
        old = len(state["v"])
        pool = [*state["v"], x]
        for which, i, j, k in self.plan:
            # Mostly of what is new, so that chains grow.
            a, b = (pool[int((1 - p * p) * len(pool))] if p else pool[-1] for p in (i, j))
            pool.append(jnp.clip(self.operations[which](a, b, count + int(4 * k)), -1e3, 1e3))
        scalars = [*state["s"], *[jnp.sum(v) / self.n for v in pool[-3:]], 1 - 0.9 ** (count + 1).astype(F32)]
        vectors = [pool[int(p * len(pool))] for p in self.next[: self.vectors]]
        if self.keeps_old:
            vectors[-1] = pool[0]
        following = {
            "v": vectors,
            "s": [scalars[int(p * len(scalars))] for p in self.next[self.vectors : -1]],
            "count": count + 1,
        }
        assert len(vectors) == old
        results = [pool[int(p * len(pool))] for p in self.results]
        return following, (results, scalars[-1], pool[-1] * 2)

    def trajectory(self, donate, threads, steps=4):
        """Bytes of everything that the steps return."""
        f = fungrad.jit(self.step, donate_argnums=(0,) if donate else ())
        seen = []
        with fungrad.threads(threads):
            x = jnp.linspace(-1.0, 1.0, self.n, dtype=F32)
            given = np.asarray(x).tobytes()
            state, views = self.start(), []
            if self.aliased and donate:
                with pytest.raises(RuntimeError, match="donated to step is also another argument"):
                    f({**state, "v": [state["v"][0]] * self.vectors}, x)
            for _ in range(steps):
                if self.watched:
                    views += [(np.asarray(v), np.array(v)) for v in state["v"][:1]]
                state, results = f(state, x)
                seen.append([np.asarray(v).tobytes() for v in fungrad.tree.leaves((state, results))])
        assert np.asarray(x).tobytes() == given, "an argument changed that was not donated"
        for view, copy in views:
            assert view.tobytes() == copy.tobytes(), "an array changed that somebody looks at"
        return seen


def run(seed):
    machine = Machine(seed)
    wanted = machine.trajectory(False, 1)
    for threads in (1, 2):
        got = machine.trajectory(True, threads)
        assert got == wanted, f"seed {seed}: donation with {threads} threads gives another trajectory"


@pytest.mark.parametrize("seeds", [range(k, k + 6) for k in range(0, 24, 6)], ids=lambda r: f"from {r[0]}")
def test_donation_changes_no_trajectory(seeds):
    for seed in seeds:
        run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1000 + many(500), 50))
def test_donation_changes_no_trajectory_of_many(start):
    for seed in range(start, start + 50):
        run(seed)
        fungrad.clear_caches()
