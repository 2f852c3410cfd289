# %% [markdown]
"""
# 23 · A transformer that writes

**Claim.** One block of causal self-attention, trained for seconds on Python's documentation, predicts the next
character better than tables of counts given one, two or three characters before: it looks further back.

**Answers.** CSCI 410, "New Layer: Self-Attention", "Architecture: Transformer" and "How to train GPT 3", step 1; day 9,
"how can we use that input to generate something"

A *language model* gives a probability to each next character. In *self-attention* each position asks (*query*), each
earlier position offers (*key*), and what they have to say (*values*) is averaged with the softmax of query times key.
*Causal*: no position sees a later one. To *generate*, a character is drawn, appended, and so on.
"""

# %%
from pydoc_data.topics import topics

import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random

STEPS, CONTEXT, WIDTH, HEADS, BATCH = (150 if short else 1600), 32, 64, 4, 32
text = "\n".join(topics[name] for name in sorted(topics))[:200_000]
letters = sorted(set(text))
codes = jnp.asarray([letters.index(letter) for letter in text])
training, test = codes[:180_000], codes[180_000:]

# %% [markdown]
"""
The network: vectors for characters and positions; attention; a small network at each position; both added to what
was there (*skip connections*), each after a *layer normalisation*. Then scores of the next character.
"""


# %%
def init(key):
    keys, normal = random.split(key, 6), nn.initializers.normal(0.1)
    return {
        "letters": normal(keys[0], (len(letters), WIDTH)),
        "positions": normal(keys[1], (CONTEXT, WIDTH)),
        "norms": [nn.layer_norm.init(None, WIDTH) for _ in range(3)],
        "attention": nn.multi_head_attention.init(keys[2], WIDTH, HEADS),
        "wide": nn.dense.init(keys[3], WIDTH, 4 * WIDTH),
        "narrow": nn.dense.init(keys[4], 4 * WIDTH, WIDTH),
        "scores": nn.dense.init(keys[5], WIDTH, len(letters)),
    }


def scores(params, codes):
    """Scores of the character after each: ``[..., CONTEXT]`` to ``[..., CONTEXT, letters]``."""
    norm = [lambda x, p=p: nn.layer_norm.apply(p, x) for p in params["norms"]]
    x = params["letters"][codes] + params["positions"]
    x = x + nn.multi_head_attention.apply(params["attention"], norm[0](x), is_causal=True)
    x = x + nn.dense.apply(params["narrow"], nn.gelu(nn.dense.apply(params["wide"], norm[1](x))))
    return nn.dense.apply(params["scores"], norm[2](x))


def loss(params, windows):
    """Mean cross-entropy, in nats per character."""
    out = scores(params, windows[:, :-1])
    return jnp.mean(optim.softmax_cross_entropy_with_integer_labels(out, windows[:, 1:]))


@fungrad.jit
def train(key):
    opt = optim.adamw(optim.schedules.cosine_decay_schedule(5e-3, STEPS), weight_decay=0.01)

    def step(state, key):
        params, opt_state = state
        starts = random.randint(key, (BATCH, 1), 0, len(training) - CONTEXT)
        windows = training[starts + jnp.arange(CONTEXT + 1)]
        value, grads = fungrad.value_and_grad(loss)(params, windows)
        updates, opt_state = opt.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), value

    params = init(key)
    (params, _), losses = lax.scan(step, (params, opt.init(params)), random.split(random.fold_in(key, 1), STEPS))
    return params, losses


params, losses = train(random.key(0))

# %% [markdown]
"""
What to compare with: how often a character comes at all, after one other, after two, after three in the same text.
"""


# %%
def by_counting(order):
    """Cross-entropy of the unseen text."""
    n, (seen, new) = len(letters), (np.asarray(part) for part in (training, test))
    place = [sum(part[k : len(part) - order + k] * n ** (order - k) for k in range(order + 1)) for part in (seen, new)]
    counts = np.bincount(place[0], minlength=n ** (order + 1)).reshape(-1, n) + 1.0 / n
    return -np.log(counts / counts.sum(axis=1, keepdims=True)).ravel()[place[1]].mean()


windows = test[: len(test) // (CONTEXT + 1) * (CONTEXT + 1)].reshape(-1, CONTEXT + 1)
rows = [(f"counts given {k} characters before", by_counting(k)) for k in range(4)]
rows.append((f"transformer, up to {CONTEXT} before", float(fungrad.jit(loss)(params, windows))))
table(["model", "cross-entropy of unseen text [nats]"], rows)

# %% [markdown]
"""
It writes: the loop that draws a character and appends it is a `scan`, compiled like the training.
"""


# %%
@fungrad.jit
def write(params, key, window):
    def step(window, key):
        new = random.categorical(key, scores(params, window)[-1] / 0.7)  # sharper than learned
        return jnp.append(window[1:], new), new

    return lax.scan(step, window, random.split(key, 240))[1]


written = write(params, random.key(2), test[:CONTEXT])
print("".join(letters[code] for code in [*test[:CONTEXT], *written]))

fig, (left, right) = figure(1, 2, size=(10.0, 4.4))
shown = windows[7, :CONTEXT]
x = nn.layer_norm.apply(params["norms"][0], params["letters"][shown] + params["positions"])
parts = (params["attention"][name] for name in ("query", "key"))
query, key = (jnp.einsum("tf,fhd->htd", x, part["kernel"]) + part["bias"][:, None] for part in parts)
products = jnp.einsum("htd,hsd->hts", query, key) / np.sqrt(WIDTH // HEADS)
weights = nn.softmax(jnp.where(jnp.tri(CONTEXT, dtype=bool), products, -jnp.inf))
left.imshow(np.asarray(weights).max(axis=0), cmap="magma_r")
for ticks in (left.set_xticks, left.set_yticks):
    ticks(range(CONTEXT), labels=[letters[c].replace("\n", "¶") for c in shown], fontsize=7)
left.grid(False)
left.set(title="attention, strongest of 4 heads", xlabel="looks at", ylabel="character")
window = STEPS // 20
right.plot(np.arange(window, STEPS + 1), np.convolve(losses, np.ones(window) / window, "valid"), label="training loss")
for name, value in rows[1:4]:
    right.axhline(value, color="0.6", linestyle=":")
    right.text(STEPS, value, name, ha="right", va="bottom", fontsize=8)
right.axhline(rows[-1][1], color="C1", label="unseen text")
right.set(xlabel="step", title="nats per character", ylim=(1.3, 3.5))
right.legend()
save(fig)

model, pairs, best = rows[-1][1], rows[1][1], min(value for _, value in rows[:4])
bound = pairs if short else best
claim(f"{model:.2f} nats per character; table of pairs {pairs:.2f}, best of the tables {best:.2f}", model < bound)
