# %% [markdown]
"""
# 03 · The loss that remembers everything

**Claim.** `running_loss += loss` keeps the computation graph of every batch alive: memory grows with each step, by the
same amount. `running_loss += float(loss)` keeps a number.

**Answers.** day 8, "Why should you care about compute graphs?"

In PyTorch's style a tensor remembers how it was made, so that `backward` can go back: behind `loss` hangs the graph
of its batch. A sum of losses is a tensor too, and behind it hang the graphs of all its terms. The slide says that
memory "will only ever increase". Its own program is kinder: it resets the sum every tenth batch, which frees ten
graphs at once, so that memory is a saw-tooth; and `backward` has freed the activations in them. Without the reset
the slide is right, and in a validation loop, which calls no `backward`, all activations stay.
"""

# %%
import gc
import tracemalloc

import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, random
from fungrad.styles import eager as torch

BATCHES = 30 if short else 100
rng = np.random.default_rng(0)
batches = [(rng.normal(size=(64, 20)).astype(np.float32), rng.normal(size=(64, 1)).astype(np.float32))
           for _ in range(BATCHES)]  # fmt: skip
loader = [(torch.tensor(x), torch.tensor(y)) for x, y in batches]

# %% [markdown]
"""
The program of the slide, with one line left open: what is added to the running loss, and whether it is reset.
`graph_size` counts the operations that a tensor keeps alive; `tracemalloc` measures the memory of the process.
"""


# %%
def train(add, reset=False, learn=True):
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    criterion, optimizer = torch.nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=1e-2)
    running_loss, memory, operations = 0.0, [], []
    gc.collect()
    tracemalloc.start()
    begin = tracemalloc.get_traced_memory()[0]
    for i, (inputs, targets) in enumerate(loader):
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        if learn:
            loss.backward()
            optimizer.step()
        running_loss += add(loss)
        del outputs, loss
        gc.collect()
        memory.append((tracemalloc.get_traced_memory()[0] - begin) / 1024)
        operations.append(torch.autograd.graph_size(running_loss).operations)
        if reset and i % 10 == 9:
            running_loss = 0.0
    tracemalloc.stop()
    return np.array(memory), np.array(operations)


runs = {
    "running_loss += loss": train(lambda loss: loss),
    "... reset every 10 (the slide)": train(lambda loss: loss, reset=True),
    "running_loss += float(loss)": train(float),
    "validation: running_loss += loss": train(lambda loss: loss, learn=False),
}

# %% [markdown]
"""
In the functional style there is nothing to leak: `value_and_grad` returns the loss as an array, which has no past.
"""


# %%
@fungrad.jit
def step(params, x, y):
    def loss_fn(params):
        first, second = params
        return jnp.mean((nn.dense.apply(second, nn.relu(nn.dense.apply(first, x))) - y) ** 2)

    loss, gradient = fungrad.value_and_grad(loss_fn)(params)
    return fungrad.tree.map(lambda p, g: p - 1e-2 * g, params, gradient), loss


def train_functional():
    first, second = random.split(random.key(0))
    params = (nn.dense.init(first, 20, 64), nn.dense.init(second, 64, 1))
    step(params, *batches[0])  # compiles
    running_loss, memory = 0.0, []
    tracemalloc.start()
    for x, y in batches:
        params, loss = step(params, x, y)
        running_loss += loss
        memory.append(tracemalloc.get_traced_memory()[0] / 1024)
    tracemalloc.stop()
    return np.array(memory), np.zeros(len(memory), int)


runs["functional: running_loss += loss"] = train_functional()
growth = {name: (memory[-1] - memory[19]) / (BATCHES - 20) for name, (memory, _) in runs.items()}
table(["program", "most operations alive", "KiB per batch", "KiB at the end"],
      [(name, ops.max(), growth[name], memory[-1]) for name, (memory, ops) in runs.items()], digits=2)  # fmt: skip

# %%
fig, axes = figure(1, 2)
for ax, names in zip(axes, (list(runs)[:3], list(runs)[3:])):
    for name in names:
        ax.plot(np.arange(1, BATCHES + 1), runs[name][0], label=name)
    ax.set(xlabel="batch", ylabel="memory kept [KiB]")
    ax.legend()
axes[0].set_title("Training")
axes[1].set_title("Without backward, and without a graph")
save(fig)
leak, saw, number, validation, functional = growth.values()
ops = runs["running_loss += loss"][1]
claim(f"the leak adds {ops[0]} operations and {leak:.1f} KiB per batch ({validation:.0f} in a validation loop), "
      f"float(loss) {number:.2f} KiB",
      list(ops) == [ops[0] * (i + 1) for i in range(BATCHES)] and leak > 3 and validation > 5 * leak
      and max(number, functional) < 0.2 * leak)  # fmt: skip
