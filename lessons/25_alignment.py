# %% [markdown]
"""
# 25 · Alignment in three steps

**Claim.** A language model learns from demonstrations how people write, a reward model from comparisons what they like,
and PPO moves the language model there. Without a leash it writes no sentences any more, only words with a high reward.

**Answers.** CSCI 410, "How to train GPT 3", steps 1, 2 and 3

*Supervised fine-tuning* (SFT) makes the words of demonstrations likely. People can say which of two answers is better
more easily than write a good one: a *reward model* (Bradley and Terry) makes P(first is preferred) the sigmoid of the
difference of two rewards. *PPO* raises the probability of sentences with more reward than usual, in small steps: ratios
to the policy that wrote them are clipped. A penalty for leaving the SFT model (*KL divergence*) is the leash.
"""

# %%
import numpy as np
from _kit import claim, figure, save, short, table

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim, random

WORDS = "I you like hate the a cat dog thanks .".split()
FOLLOW = {"I you": "like hate", "like hate": "the a", "the a": "cat dog", "cat dog": "thanks .", "thanks .": "."}
RULES = {word: after for words, after in FOLLOW.items() for word in words.split()}
ALLOWED = np.array([[after in RULES[word].split() for after in WORDS] for word in WORDS])
ALLOWED = jnp.asarray(np.concatenate([ALLOWED, [[True] * 2 + [False] * 8]]))  # the last row: the first word
LENGTH, STEPS, ROUNDS = 6, 300, (60 if short else 150)


# %%
def previous(sentences):
    return jnp.pad(sentences[:, :-1], ((0, 0), (1, 0)), constant_values=10)  # 10: the beginning


def grammatical(sentences):
    return jnp.all(ALLOWED[previous(sentences), sentences], axis=1)


def liking(sentences):  # hidden from the models: people like thanks and no hate
    return 1.0 * jnp.any(sentences == 8, axis=1) - 2.0 * jnp.any(sentences == 3, axis=1)


def policy(params, last, place):  # scores of the next word: a table for the last word and one for the place
    return params["last"][last] + params["place"][place]


def log_probability(params, sentences):
    each = policy(params, previous(sentences), jnp.arange(LENGTH))
    return -jnp.sum(optim.softmax_cross_entropy_with_integer_labels(each, sentences), axis=1)


def write(params, key, count):
    def step(last, key_place):
        word = random.categorical(key_place[0], policy(params, last, key_place[1]))
        return word, word

    return lax.scan(step, jnp.full(count, 10), (random.split(key, LENGTH), jnp.arange(LENGTH)))[1].T


def adam_step(opt, loss, state, *args):
    value, grads = fungrad.value_and_grad(loss)(state[0], *args)
    updates, opt_state = opt.update(grads, state[1])
    return (optim.apply_updates(state[0], updates), opt_state), value


def descend(loss, params, key):
    opt = optim.adam(0.05)
    run = fungrad.jit(lambda p, keys: lax.scan(lambda s, k: adam_step(opt, loss, s, k), (p, opt.init(p)), keys))
    return run(params, random.split(key, STEPS))


# %% [markdown]
"""
Step 1: people demonstrate grammatical sentences. Step 2: the SFT model writes pairs, a person who errs prefers one of
each pair, and the reward model learns from the preferences alone.
"""


# %%
keys = random.split(random.key(0), 5)
start = {"last": jnp.zeros((11, 10)), "place": jnp.zeros((LENGTH, 10))}
people = {**start, "last": jnp.where(ALLOWED, 0.0, -1e9)}  # they write whatever is grammatical
(sft, _), losses = descend(lambda p, key: -jnp.mean(log_probability(p, write(people, key, 64))), start, keys[0])


def preferences(params, key):
    for_writing, for_choice = random.split(key)
    first, second = jnp.split(write(sft, for_writing, 64), 2)
    preferred = random.bernoulli(for_choice, nn.sigmoid(3 * (liking(first) - liking(second))))
    difference = params[first].sum(axis=1) - params[second].sum(axis=1)  # the reward: a weight for each word
    return -jnp.mean(nn.log_sigmoid(jnp.where(preferred, difference, -difference)))


(judge, _), _ = descend(preferences, jnp.zeros(10), keys[1])

# %% [markdown]
"""
Step 3. Each word has a weight. For sentences like people's that will do, but what maximises it is no sentence.
"""


# %%
def ppo(leash):
    opt = optim.adam(0.03)

    def round_(state, key):
        sentences = write(state[0], key, 256)
        old, anchor = log_probability(state[0], sentences), log_probability(sft, sentences)
        value = judge[sentences].sum(axis=1) - leash * (old - anchor)
        advantage = (value - jnp.mean(value)) / (jnp.std(value) + 1e-6)

        def loss(params):
            ratio = jnp.exp(log_probability(params, sentences) - old)
            return -jnp.mean(jnp.minimum(ratio * advantage, jnp.clip(ratio, 0.8, 1.2) * advantage))

        state, _ = lax.scan(lambda s, _: adam_step(opt, loss, s), state, length=4)
        return state, (jnp.mean(liking(sentences)), jnp.mean(grammatical(sentences)))

    run = fungrad.jit(lambda p, keys: lax.scan(round_, (p, opt.init(p)), keys))
    (params, _), curves = run(sft, random.split(keys[2], ROUNDS))
    return params, [np.asarray(curve) for curve in curves]


results = {leash: ppo(leash) for leash in (0.0, 1.0)}
rows = []
for name, params in {"SFT": sft, "PPO without leash": results[0][0], "PPO with leash": results[1][0]}.items():
    sentences = write(params, keys[3], 2000)
    quality = [float(jnp.mean(f(sentences))) for f in (liking, grammatical)]
    rows.append((name, *quality, " ".join(WORDS[word] for word in sentences[0])))
table(["model", "liked (at most 1)", "grammatical", "a sentence"], rows, digits=3)

# %%
fig, (left, middle, right) = figure(1, 3, size=(10.5, 3.4))
left.plot(losses)
left.set(xlabel="step", title="1: -log P(demonstration)", ylim=(0, None))
middle.barh(WORDS, judge)
middle.set(title="2: reward learned for each word")
for (leash, (_, (liked, good))), colour in zip(results.items(), ("C3", "C0"), strict=True):
    right.plot(liked, color=colour, label=f"liked, leash {leash:g}")
    right.plot(good, "--", color=colour, label=f"grammatical, leash {leash:g}")
right.set(xlabel="round", title="3: PPO", ylim=(None, 2.1))
right.legend()
save(fig)

(_, first, _, _), (_, loose, broken, _), (_, held, intact, _) = rows
text = f"from {first:.2f} to {held:.2f}, {intact:.0%} grammatical; without a leash {loose:.2f} and {broken:.0%}"
claim(f"liking rises {text}", held > first + 1 and intact > 0.9 and broken < 0.5)
