"""jaxtyping: shapes and dtypes that are checked while a function runs."""

import jax
import jax.numpy as jnp
from beartype import beartype
from jaxtyping import Array, Float, Int, Key, PyTree, jaxtyped


@jaxtyped(typechecker=beartype)
def _product(a: Float[Array, "n k"], b: Float[Array, "k m"]) -> Float[Array, "n m"]:
    return a @ b


def checked():
    a, b = jnp.ones((2, 3)), jnp.arange(12.0).reshape(3, 4)
    refused = 0
    for wrong in (b.T, b.astype(jnp.int32)):
        try:
            _product(a, wrong)
        except Exception as error:
            refused += "TypeCheckError" in type(error).__name__
    return {"value": jax.jit(_product)(a, b), "refused": refused}


def instances():
    tree = {"w": jnp.ones((2, 3)), "b": jnp.zeros(3)}
    return {
        "answers": [
            isinstance(tree["w"], Float[Array, "2 3"]),
            isinstance(tree["w"], Int[Array, "2 3"]),
            isinstance(tree, PyTree[Float[Array, "..."]]),
            isinstance(jax.random.key(0), Key[Array, ""]),
            isinstance(jnp.arange(3), Int[Array, "a"]),
        ]
    }
