"""Orbax: trees of arrays that are saved and restored."""

import tempfile

import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp


def standard():
    tree = {"w": jnp.arange(6.0).reshape(2, 3), "step": jnp.int32(3), "inner": [jnp.ones(2), jnp.zeros(1)]}
    with tempfile.TemporaryDirectory() as folder, ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(f"{folder}/one", tree)
        checkpointer.wait_until_finished()
        like = jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
        found = checkpointer.restore(f"{folder}/one", like)
    return {"w": found["w"], "step": found["step"], "inner": found["inner"][0]}


def manager():
    with tempfile.TemporaryDirectory() as folder:
        options = ocp.CheckpointManagerOptions(max_to_keep=2)
        with ocp.CheckpointManager(folder, options=options) as manager:
            for step in range(3):
                manager.save(step, args=ocp.args.StandardSave({"x": jnp.full(2, float(step))}))
            manager.wait_until_finished()
            like = {"x": jax.ShapeDtypeStruct((2,), jnp.float32)}
            found = manager.restore(manager.latest_step(), args=ocp.args.StandardRestore(like))
            return {"x": found["x"], "steps": list(manager.all_steps())}


def training():
    """A model with the state of its optimizer, the best of several steps, and more than one item per step."""
    params = {"w": jax.random.normal(jax.random.key(0), (3, 2)), "b": jnp.zeros(2, jnp.bfloat16)}
    optimizer = optax.adam(1e-2)
    state = optimizer.init(params)
    slope = jax.tree.map(jnp.ones_like, params)
    with tempfile.TemporaryDirectory() as folder:
        options = ocp.CheckpointManagerOptions(max_to_keep=1, best_fn=lambda m: m["loss"], best_mode="min")
        with ocp.CheckpointManager(folder, options=options) as manager:
            for step, loss in enumerate([3.0, 1.0, 2.0]):
                updates, state = optimizer.update(slope, state)
                params = optax.apply_updates(params, updates)
                items = ocp.args.Composite(
                    state=ocp.args.StandardSave({"params": params, "optimizer": state}),
                    settings=ocp.args.JsonSave({"rate": 1e-2}),
                )
                manager.save(step, args=items, metrics={"loss": loss})
            manager.wait_until_finished()
            like = jax.tree.map(ocp.utils.to_shape_dtype_struct, {"params": params, "optimizer": state})
            found = manager.restore(
                manager.best_step(),
                args=ocp.args.Composite(state=ocp.args.StandardRestore(like), settings=ocp.args.JsonRestore()),
            )
            best = manager.best_step()
    restored = found.state["optimizer"]
    assert type(restored) is type(state)
    return {
        "best": best, "rate": found.settings["rate"], "w": found.state["params"]["w"], "count": restored[0].count,
        "nu": restored[0].nu["w"], "b": found.state["params"]["b"],
    }  # fmt: skip


def trees():
    """Trees restored without a description, keys of random numbers, and parts."""
    tree = {"a": {"x": jnp.arange(3), "n": 4}, "k": jax.random.key(7), "c": jnp.array(2.5)}
    with tempfile.TemporaryDirectory() as folder, ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(f"{folder}/tree", tree)
        found = checkpointer.restore(f"{folder}/tree")
        described = checkpointer.metadata(f"{folder}/tree")
    assert described is not None
    return {"x": found["a"]["x"], "n": found["a"]["n"], "draw": jax.random.normal(found["k"], (2,)), "c": found["c"]}
