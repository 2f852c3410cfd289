"""Writes ``docs/compiler.md``: one small function through every stage of the compiler, with the output as printed.

Run ``python docs/make_compiler.py`` after a change of the compiler.
"""

import difflib
import inspect
import re
from pathlib import Path

import fungrad
import fungrad.numpy as jnp
from fungrad import nn
from fungrad.jit.rewrites import pipeline

SOURCE = '''def loss(w, x, y):                       # a linear layer, softmax cross-entropy
    logits = x @ w
    return -jnp.mean(jnp.sum(nn.log_softmax(logits) * y, axis=1))

step = fungrad.jit(fungrad.value_and_grad(loss))
w, x, y = (fungrad.ShapeDtypeStruct(shape, jnp.float32) for shape in ((64, 10), (32, 64), (32, 10)))
lowered = step.lower(w, x, y)
'''


def after(passes: str, name: str) -> str:
    """The jaxpr after the last pass that changed something, up to and including ``name``."""
    found = ""
    for part in passes.split("-- ")[1:]:
        head, _, text = part.partition("\n")
        found = text.rstrip() or found
        if head.split(":")[0] == name:
            break
    return found


def count(jaxpr: str) -> int:
    """Number of equations of a printed jaxpr."""
    return jaxpr.count(" = ")


def rewrites(text: str) -> str:
    """A table of the passes on loops: what each is, and how many lines of the program it changes."""
    rows = ["| pass | what it is | lines changed |", "| --- | --- | --- |"]
    before: list[str] = []
    changed = {}
    for part in text.split("-- ")[1:]:
        head, _, program = part.partition("\n")
        name, _, none = head.partition(":")
        after = before if none else program.splitlines()
        pairs = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        changed[name] = sum(max(b - a, d - c) for tag, a, b, c, d in pairs if tag != "equal")
        before = after
    for step in pipeline.PIPELINE:
        doc = " ".join(inspect.getmodule(step.run).__doc__.split("\n\n")[0].split())
        found = re.search(rf"``{re.escape(step.name)}``[^(:]*(?:\(([^)]*)\)|: ([^.]*)\.)", doc)
        kind = next(k for k in found.groups() if k)
        rows.append(f"| {step.name} | {kind} | {changed[step.name] or ''} |")
    return "\n".join(rows)


def main() -> None:
    """Traces, compiles, and writes the page."""
    scope = {"fungrad": fungrad, "jnp": jnp, "nn": nn}
    exec(SOURCE, scope)
    lowered = scope["lowered"]
    passes = lowered.as_text("passes")
    traced, folded, final = after(passes, "traced"), after(passes, "fold"), after(passes, "")
    llvm = lowered.as_text("llvm").splitlines()
    loop = next(i for i, line in enumerate(llvm) if line.startswith("loop0"))
    asm = [line for line in lowered.as_text("asm").splitlines() if "zmm" in line or "ymm" in line]
    compiled = lowered.compile()
    memory = compiled.memory_analysis()
    page = f"""# A function on its way through the compiler

This page follows one small function, the loss of a linear classifier with its gradient, from Python to machine code. All
output is as printed; `python docs/make_compiler.py` writes the page anew.

```python
{SOURCE.rstrip()}
```

## 1. Tracing: `lowered.as_text("jaxpr")`

Python runs once, on tracers. `value_and_grad` has already done its work: below are the forward pass, then the linear program of the
derivative run backwards. {count(traced)} equations; rules of differentiation are simple and leave things to clean up.

```
{traced}
```

## 2. Passes: `lowered.as_text("passes")`

Dead code is dropped and numbers are folded, `-1/32` among them: {count(folded)} equations are left. Simplification turns the division by 32 into a product, exact for a power of two, and unrolls
broadcasts of scalars. The layout pass moves the transpose behind the last matrix product into its operands. {count(final)}
equations remain:

```
{final}
```

## 3. Formulas become loops: `lowered.as_text("rewrites:empty copies")`

Here is where the speed comes from. Broadcasts and reshapes have become index arithmetic. Everything between the two matrix products, the
stable softmax, the loss, and the gradient with respect to the logits, runs over the same 32 rows, so it is *one nest*: for each row the
maximum, then the exponentials and their sum, then the loss, then the gradient, all while the row is in registers or the
first-level cache. `gemm` steps are matrix products; the second reads `x` transposed through its strides. A product of some size and
the nests that continue its rows would stand together in a `rows` step, which runs block by block of rows.

```
{lowered.as_text("rewrites:empty copies").rstrip()}
```

Run operation by operation, the same computation reads and writes memory after each of the {count(traced)} equations.

## 4. Rewrites: `lowered.as_text("rewrites")`

One table of passes (`fungrad/jit/rewrites/pipeline.py`) takes the program from there to what is emitted. `as_text("rewrites")` prints it
after every pass, `as_text("rewrites:NAME")` after one of them. For this program:

{rewrites(lowered.as_text("rewrites"))}

Temporaries lie at fixed places of one arena of {memory.temp_size_in_bytes} bytes that is kept between calls, and the gradient
of the logits takes the place of the exponentials. The result is `lowered.as_text("steps")`:

```
{lowered.as_text("steps").rstrip()}
```

## 5. LLVM: `lowered.as_text("llvm")`

The nest is written with explicit vectors, so nothing depends on LLVM's own vectoriser. A row of 10 numbers is one vector; the
maximum propagates NaN by selects; `!alias.scope` says that the buffers do not overlap. The beginning of the loop over rows:

```llvm
{chr(10).join(llvm[loop : loop + 14])}
```

`exp` has become a polynomial on the whole vector, see [vecmath.md](vecmath.md).

## 6. Machine code: `lowered.as_text("asm")`

LLVM selects instructions and allocates registers; {len(asm)} instructions of this program work on 256 or 512 bits. The object is
stored in the cache on disk under the hash of the program text, the CPU and the versions; and what it takes to run it under a
digest of the jaxpr, the options and the compiler's own source, so the next process compiles nothing and loads no compiler.

## Calls of libraries

What a compiled library does best, such as a factorisation by LAPACK, is no host step: a `lower` rule calls `ctx.library` with a
`LibraryCall` (`fungrad/core/library_calls.py`), which describes what is called for *one item* of a batch: functions by name, and
for each argument whether it is the address of an operand's or result's item, of a workspace, of constant bytes (Fortran takes
everything by reference), or a number by value. For Cholesky:

```python
call = LibraryCall(
    "dpotrf",
    (lapack.function("dpotrf", "U", n, Result(0), n, Result(1)),),
    copies=((0, 0),),                    # result 0 begins as a copy of operand 0 and is overwritten
    cost=n**3 / 6,                       # multiplications of one item
)
factor, status = ctx.library(call, [a], [ShapedArray((items, n, n), a.dtype), ShapedArray((items,), ints)])
```

Operands and results are dense, and their first dimension counts the items. The routine `library` of the loop IR goes through the
items in runs, each with workspaces of its own in the arena; threads share the runs where the cost is worth it, with the threads of
the BLAS switched off. With `together=True` functions are called once per run and get the number of items (`Items`). What
stands around a call (transposition, a triangle, NaN where the status says that it failed) are formulas, which fuse with their users.

The same description runs eagerly and in the interpreter, through ctypes (`LibraryCall.run`). Addresses come from *providers*:
`provide("lapack", function)` answers for all names `lapack_...`. LAPACK's are those of the library that NumPy has loaded, or of
`scipy.linalg.cython_lapack` (`fungrad/core/lapack.py`). Another library needs a provider and descriptions, nothing in the compiler.

What fits in registers is no call. `ctx.items` runs scalar code, written over a builder as elementwise rules are, on all elements of
an item, one item in every lane of a vector loop: so Cholesky, LU (exchanges of rows are choices) and triangular systems of small
matrices (`fungrad/ops/linalg/small.py`). The nest is like any other to the rewrites, so in a loop of small steps, such as a Kalman
filter, it stands between other small nests, without memory traffic through a library.
"""
    Path(__file__).with_name("compiler.md").write_text(page)


if __name__ == "__main__":
    main()
