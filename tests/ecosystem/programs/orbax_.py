"""Orbax: trees of arrays that are saved and restored."""

import tempfile

import jax
import jax.numpy as jnp
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
