"""Wrong calls: fungrad.io."""

TABLE = r"""
io.save(3, x)                                    | TypeError | path
io.save('/nowhere/x.safetensors', x)             | FileNotFoundError | directory
io.load(None)                                    | TypeError | path
io.load('/nowhere/x.safetensors')                | FileNotFoundError | file
io.Checkpoints(3)                                | TypeError | directory
io.Checkpoints('/tmp', keep='a')                 | TypeError | keep
io.Checkpoints('/tmp', keep=0)                   | ValueError | keep
io.Checkpoints('/tmp', best=3)                   | TypeError | best
io.Checkpoints('/tmp', mode='a')                 | ValueError | mode
"""
