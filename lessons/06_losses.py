# %% [markdown]
"""
# 06 · Which loss, and why

**Claim.** The gradient of the accuracy is zero, so nothing learns from it; cross-entropy of a softmax has one, p - y,
and in logarithms it does not overflow. The slides' open questions have the answers 0.288 and 1.386.

**Answers.** day 8, "What is a reasonable loss function to use?", "Binary Cross Entropy", "Probabilities", "Softmax
Function" and "What is this? (vector, scalar, matrix)"

A *hard* function (accuracy, max, sign, rank, argmax) is made of steps: its derivative is zero or does not exist. Each
has a *soft* relative with a slope everywhere. For classes the soft loss is *cross-entropy*, CE(y, p) = -Σ yᵢ log pᵢ of
true and predicted probabilities. It is the *Kullback-Leibler divergence* of p from y plus the entropy of y, which no
prediction changes; for *one-hot* y the entropy is 0. With two classes it is called *binary* cross-entropy.
"""

# %%
import numpy as np
from _kit import claim, figure, save, table

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, optim, random


def cross_entropy(y, p):
    return -jnp.sum(y * jnp.log(p))


def normalise(z):
    return z / jnp.sum(z)


# %% [markdown]
"""
The slides' exercises. Two answers are "???", one is rounded wrongly, and of the derivative the slide asks "vector,
scalar, matrix?": the loss is a number, so its derivative by the vector p is a vector, -yᵢ/pᵢ. (The slide loses yᵢ and
has one minus too many.)
"""

# %%
one_hot = jnp.zeros(100).at[0].set(1.0)
z = [jnp.array(pair, float) for pair in ([1, 2], [10, 20], [11, 12], [20, 30])]
half, p = jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])
questions = [
    ("CE, guess of 2 classes", "0.693", cross_entropy(one_hot[:2], half)),
    ("CE, guess of 10 classes", "2.3", cross_entropy(one_hot[:10], jnp.full(10, 0.1))),
    ("CE, guess of 100 classes", "4.6", cross_entropy(one_hot, jnp.full(100, 0.01))),
    ("CE, y=[1,0], p=[.75,.25]", "???", cross_entropy(one_hot[:2], p)),
    ("CE, y=[1,0], p=[.25,.75]", "???", cross_entropy(one_hot[:2], p[::-1])),
    ("dCE/dp, y=[1,0], p=[.75,.25]", "-Σ -1/p", fungrad.grad(cross_entropy, 1)(one_hot[:2], p)),
    ("normalised [11, 12]", "[.47, .53]", normalise(z[2])),
    ("softmax [1, 2]", "[.26, .73]", nn.softmax(z[0])),
    ("softmax [11, 12]", "the same", nn.softmax(z[2])),
]
table(["question", "slide", "answer"], [(q, s, str(np.round(np.asarray(a), 4))) for q, s, a in questions])

# %% [markdown]
"""
Why not the accuracy? Turn the line that separates two groups of points: the number of errors stays the same, jumps,
and stays the same again. `grad` says 0 everywhere, cross-entropy has a slope.
"""

# %%
points = random.normal(random.key(0), (60, 2)) + jnp.where(jnp.arange(60) < 30, -0.8, 0.8)[:, None]
label = jnp.where(jnp.arange(60) < 30, 0.0, 1.0)


def scores(angle):
    return 2 * (points @ jnp.array([jnp.cos(angle), jnp.sin(angle)]))


def error_rate(angle):
    return jnp.mean(((scores(angle) > 0) != label).astype(float))


def bce(angle):
    return jnp.mean(optim.sigmoid_binary_cross_entropy(scores(angle), label))


angles = jnp.linspace(-1.0, 2.6, 400)
hard_slope, soft_slope = (fungrad.vmap(fungrad.grad(f))(angles) for f in (error_rate, bce))

# %% [markdown]
"""
The softmax's derivative is a matrix, since its input and output are vectors: aᵢ(1 - aᵢ) on the diagonal, -aᵢaⱼ
beside it. Behind it the logarithm of the loss cancels the exponential: the gradient of CE(y, softmax(z)) by z is
simply p - y. But exp(z) overflows before the logarithm can help, so libraries compute both at once, as
z - max(z) - log Σ exp(z - max(z)).
"""

# %%
logits = jnp.array([2.0, 1.0, 0.0, -1.0, 0.5])
a = nn.softmax(logits)
jacobian = fungrad.jacobian(nn.softmax)(logits)
by_formula = jnp.diag(a) - jnp.outer(a, a)
y = jnp.array([0.1, 0.6, 0.1, 0.1, 0.1])
kl = jnp.sum(y * jnp.log(y / a))
sizes = jnp.linspace(1.0, 200.0, 400)
naive = fungrad.vmap(lambda s: -jnp.log(jnp.exp(s * logits)[3] / jnp.sum(jnp.exp(s * logits))))(sizes)
stable = fungrad.vmap(lambda s: -nn.log_softmax(s * logits)[3])(sizes)
ranks = fungrad.vmap(lambda s: jnp.sum(nn.sigmoid((s - logits) / 0.2)) + 0.5)(jnp.linspace(-2, 3, 200))

# %%
fig, axes = figure(2, 3, size=(10.0, 5.2))
first, second, third, fourth, fifth, sixth = axes.ravel()
first.plot(angles, fungrad.vmap(error_rate)(angles), label="1 - accuracy (slope 0)")
first.plot(angles, fungrad.vmap(bce)(angles), label="cross-entropy")
first.set(title="A hard loss and a soft one", xlabel="angle of the line")
t = jnp.linspace(-2, 3, 200)
rank = jnp.sum(t[:, None] > logits, 1)
pairs = [(jnp.sign(t), "C0--", "sign"), (nn.soft_sign(5 * t), "C0", "soft sign"), (rank, "C1--", "rank"),
         (ranks, "C1", "soft rank"), (jnp.maximum(t, 0), "C2--", "max(t, 0)"),
         (nn.softplus(5 * t) / 5, "C2", "soft max(t, 0)")]  # fmt: skip
for curve, style, text in pairs:
    second.plot(t, curve, style, label=text, linewidth=1.2)
second.set(title="Hard (dashed) and soft", xlabel="t")
second.legend(ncols=2, fontsize=6)
third.plot(q := jnp.linspace(0.005, 1, 200), -jnp.log(q))
for prob in (0.5, 0.1, 0.01, 0.75, 0.25):
    third.plot(prob, -np.log(prob), "C3o")
    third.annotate(f"{-np.log(prob):.3f}", (prob, -np.log(prob)), (5, 2), textcoords="offset points", fontsize=8)
third.set(title="Cross-entropy of a one-hot y", xlabel="p of the true class")
names = ["[1, 2]", "[10, 20]", "[11, 12]", "[20, 30]"]
fourth.bar(np.arange(4) - 0.2, [normalise(v)[1] for v in z], 0.4, label="normalised")
fourth.bar(np.arange(4) + 0.2, [nn.softmax(v)[1] for v in z], 0.4, label="softmax")
fourth.set(title="p of the second output", xticks=range(4), xticklabels=names, ylim=(0, 1.3))
image = fifth.imshow(jacobian, cmap="RdBu", vmin=-0.25, vmax=0.25)
fifth.set(title="Jacobian of softmax", xlabel="j", ylabel="i")
fifth.grid(False)
fig.colorbar(image, ax=fifth)
sixth.plot(sizes, stable, label="log_softmax")
sixth.plot(sizes, naive, "--", label="log(exp / sum exp)")
first_bad = float(sizes[~jnp.isfinite(naive)][0])
sixth.set(title=f"Overflow: inf and nan from {first_bad:.0f} on", xlabel="scale of the scores")
for ax in (first, fourth, sixth):
    ax.legend()
save(fig)
gradient = fungrad.grad(lambda s: optim.softmax_cross_entropy(s, y))(logits)
claim(f"|slope| of the accuracy is at most {float(jnp.abs(hard_slope).max()):.0f}, of cross-entropy up to "
      f"{float(jnp.abs(soft_slope).max()):.2f}; CE - KL = {float(cross_entropy(y, a) - kl):.3f} = the entropy of y",
      jnp.all(hard_slope == 0) and jnp.abs(soft_slope).max() > 0.3 and jnp.allclose(jacobian, by_formula, atol=1e-6)
      and jnp.allclose(gradient, a - y, atol=1e-6) and jnp.allclose(cross_entropy(y, a) - kl, cross_entropy(y, y))
      and jnp.all(jnp.isfinite(stable)) and not jnp.all(jnp.isfinite(naive)))  # fmt: skip
