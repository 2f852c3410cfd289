"""The classic graph of an introduction to automatic differentiation: ``e = (a + b) * (b + 1)``.

Its jaxpr, its value, and its derivatives four ways: by hand, by ``grad`` (reverse mode), by ``jvp`` (forward mode), and
for many points at once by ``vmap``.

    python examples/course_graph.py
"""

import numpy as np

import fungrad
import fungrad.numpy as jnp


def e(a, b):
    """The graph: two sums, c and d, and their product."""
    c = a + b
    d = b + 1
    return c * d


def by_hand(a, b):
    """de/da = d, and de/db = d + c: b reaches e along two paths."""
    c, d = a + b, b + 1
    return d, d + c


def main():
    """Prints every view of the graph and checks that they agree."""
    a, b = 2.0, 1.0
    print("The function as data:")
    print(fungrad.make_jaxpr(e)(a, b))
    print(f"\ne({a}, {b}) = {e(a, b)}")

    print("\nDerivatives (de/da, de/db) at that point")
    print("  by hand        ", by_hand(a, b))

    de_da, de_db = fungrad.grad(e, argnums=(0, 1))(a, b)
    print("  grad (reverse) ", (float(de_da), float(de_db)))

    _, along_a = fungrad.jvp(e, (a, b), (1.0, 0.0))
    _, along_b = fungrad.jvp(e, (a, b), (0.0, 1.0))
    print("  jvp (forward)  ", (float(along_a), float(along_b)))

    print("\nReverse mode as data: one sweep forward, one back")
    print(fungrad.make_jaxpr(fungrad.grad(e, argnums=(0, 1)))(a, b))

    points_a, points_b = jnp.arange(4.0), jnp.ones(4)
    batched = fungrad.vmap(fungrad.grad(e, argnums=(0, 1)))(points_a, points_b)
    print("\nvmap of grad, for a = 0, 1, 2, 3 and b = 1")
    print("  de/da", batched[0])
    print("  de/db", batched[1])

    compiled = fungrad.jit(fungrad.vmap(fungrad.grad(e, argnums=(0, 1))))
    print("\nThe same compiled: one loop")
    print(compiled.lower(points_a, points_b).as_text("steps"))

    np.testing.assert_allclose((de_da, de_db), by_hand(a, b))
    np.testing.assert_allclose((along_a, along_b), by_hand(a, b))
    for got, eager, hand in zip(compiled(points_a, points_b), batched, by_hand(points_a, points_b), strict=True):
        np.testing.assert_allclose(got, eager)
        np.testing.assert_allclose(got, np.broadcast_to(hand, got.shape))


if __name__ == "__main__":
    main()
