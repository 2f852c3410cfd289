# %% [markdown]
"""
# 24 · Six neurons

**Claim.** A network of six neurons, 37 parameters, balances a pole. An evolution strategy finds the parameters without
any gradient; REINFORCE, a policy gradient, with the gradient of its own choices only.

**Answers.** day 8 and day 9, "Playing Atari with Six Neurons" ("doesn't use SGD or backprop"); CSCI 410, "Use
Reinforcement learning"

In *reinforcement learning* there are no right answers, only *rewards*: here one for each moment that the pole stands.
The *policy* gives the probability of a push to the right. *REINFORCE* makes choices likelier that were followed by more
reward than usual. An *evolution strategy* knows nothing of choices: it adds noise to all weights, plays, and moves the
weights towards the noise that did better.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random

LIMIT, PARAMETERS, POPULATION = 200, 4 * 6 + 6 + 6 + 1, 64
GENERATIONS, SEEDS = (40, 3) if short else (100, 5)


# %%
def physics(state, push):
    """A cart with a pole, 0.02 s later (Barto, Sutton and Anderson, 1983)."""
    x, speed, angle, turning = state
    gravity, cart, pole, half = 9.8, 1.0, 0.1, 0.5
    shared = (jnp.where(push, 10.0, -10.0) + pole * half * turning**2 * jnp.sin(angle)) / (cart + pole)
    top = gravity * jnp.sin(angle) - jnp.cos(angle) * shared
    turn = top / (half * (4 / 3 - pole * jnp.cos(angle) ** 2 / (cart + pole)))
    acceleration = shared - pole * half * turn * jnp.cos(angle) / (cart + pole)
    return jnp.stack([x + 0.02 * speed, speed + 0.02 * acceleration, angle + 0.02 * turning, turning + 0.02 * turn])


def policy(weights, state):
    """The logit of a push to the right."""
    return jnp.tanh(state @ weights[:24].reshape(4, 6) + weights[24:30]) @ weights[30:36] + weights[36]


def episode(weights, key, noisy):
    """States, pushes and whether the pole stood, for 200 steps."""

    def step(carry, key):
        state, alive = carry
        logit = policy(weights, state)
        push = jnp.where(noisy, random.bernoulli(key, nn.sigmoid(logit)), logit > 0)
        new = physics(state, push)
        good = alive & (jnp.abs(new[0]) < 2.4) & (jnp.abs(new[2]) < 0.2095)
        return (jnp.where(alive, new, state), good), (state, push, alive)

    keys = random.split(key, LIMIT + 1)
    start = random.uniform(keys[0], (4,), minval=-0.05, maxval=0.05)
    return lax.scan(step, (start, True), keys[1:])[1]


def score(weights, key):
    return jnp.sum(episode(weights, key, False)[2])


def generations(generation, opt, key):
    """From random weights: the last ones with the optimizer's state, and the score after each generation."""
    weights = 0.1 * random.normal(key, (PARAMETERS,))
    return lax.scan(generation, (weights, opt.init(weights)), random.split(random.fold_in(key, 1), GENERATIONS))


def evolution(key, rate, sigma=0.3):
    """Moves the weights by noise, weighted with the ranks of what it achieved."""
    opt = optim.adam(rate)

    def generation(carry, key):
        weights, state = carry
        draw, play, look = random.split(key, 3)
        noise = random.normal(draw, (POPULATION, PARAMETERS))
        rewards = fungrad.vmap(score)(weights + sigma * noise, random.split(play, POPULATION))
        ranks = jnp.argsort(jnp.argsort(rewards)) / (POPULATION - 1) - 0.5
        updates, state = opt.update(-(ranks @ noise) / POPULATION, state)
        return (weights + updates, state), score(weights + updates, look)

    return generations(generation, opt, key)


def reinforce(key, rate):
    """Raises the probability of choices with more reward to come than usual at that time."""
    opt = optim.adam(rate)

    def generation(carry, key):
        weights, state = carry
        play, look = random.split(key)
        states, pushes, alive = fungrad.vmap(lambda k: episode(weights, k, True))(random.split(play, POPULATION))
        to_go = jnp.cumsum(alive[:, ::-1], axis=1)[:, ::-1] * 1.0
        baseline = jnp.sum(to_go * alive, axis=0) / jnp.maximum(1, jnp.sum(alive, axis=0))
        advantage = (to_go - baseline) * alive

        def surrogate(weights):
            logits = policy(weights, states)
            log_probability = nn.log_sigmoid(jnp.where(pushes, logits, -logits))
            return -jnp.sum(log_probability * advantage) / jnp.sum(alive)

        updates, state = opt.update(fungrad.grad(surrogate)(weights), state)
        return (weights + updates, state), score(weights + updates, look)

    return generations(generation, opt, key)


# %% [markdown]
"""
All seeds, episodes and generations of a method are one compiled program: loops of `scan`, in them episodes by `vmap`,
over them seeds by `vmap`. Scores are those of the policy without chance.
"""

# %%
tests, curves, rows = random.split(random.key(9), 200), {}, []
for name, method, rate in (("evolution strategy", evolution, 0.1), ("REINFORCE", reinforce, 0.05)):
    run = fungrad.jit(fungrad.vmap(lambda key, m=method, r=rate: m(key, r)))
    (weights, _), curve = run(random.split(random.key(0), SEEDS))
    in_tests = fungrad.vmap(fungrad.vmap(score, in_axes=(None, 0)), in_axes=(0, None))
    found, curves[name] = np.asarray(fungrad.jit(in_tests)(weights, tests)), np.asarray(curve)
    reached = [np.flatnonzero(np.convolve(c, np.ones(5) / 5, "valid") >= 0.97 * LIMIT) for c in curves[name]]
    episodes = POPULATION * np.median([first[0] + 5 if len(first) else np.inf for first in reached])
    rows.append((name, episodes, found.mean(), int(found.min())))
chance = np.asarray(fungrad.jit(fungrad.vmap(lambda key: jnp.sum(episode(jnp.zeros(PARAMETERS), key, True)[2])))(tests))
rows.append(("pushes at random", 0, chance.mean(), int(chance.min())))
table(["method", "episodes until 195 of 200", "steps in new episodes", "fewest"], rows, digits=4)

fig, (left, right) = figure(1, 2, width_ratios=[3, 2])
played = POPULATION * np.arange(1, GENERATIONS + 1)
for colour, (name, curve) in zip(("C0", "C1"), curves.items(), strict=True):
    left.plot(played, curve.T, color=colour, alpha=0.25, linewidth=0.8)
    left.plot(played, np.median(curve, axis=0), color=colour, label=name)
left.axhline(chance.mean(), color="0.5", linestyle=":", label="pushes at random")
left.set(xlabel="episodes played", ylabel="steps until the pole falls")
left.legend(loc="lower right")
angle, turning = np.meshgrid(np.linspace(-0.21, 0.21, 60), np.linspace(-2, 2, 60))
logits = policy(weights[0], jnp.stack([0 * angle, 0 * angle, angle, turning], axis=-1))
image = right.pcolormesh(angle, turning, np.asarray(nn.sigmoid(logits)), cmap="RdBu", vmin=0, vmax=1)
path = np.asarray(episode(weights[0], tests[0], False)[0])
right.plot(path[:, 2], path[:, 3], "k-", linewidth=0.7)
right.set(xlabel="angle", ylabel="speed of the angle", title="probability of a push to the right")
fig.colorbar(image, ax=right)
save(fig)

worst = min(rows[0][2], rows[1][2])
text = f"{PARAMETERS} parameters keep the pole up for {worst:.0f} of {LIMIT} steps, chance for {chance.mean():.0f}"
claim(text, worst > (150 if short else 195) and chance.mean() < 30)
