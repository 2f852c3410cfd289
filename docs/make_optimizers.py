"""Draws the optimizers on two landscapes: ``python docs/make_optimizers.py`` writes the pictures in docs/optimizers/.

Each runs with 16 learning rates at once, which is one ``vmap``; drawn is the one that ends lowest.
"""

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, optim

HERE = Path(__file__).parent / "optimizers"
STEPS = 150
RATES = jnp.logspace(-3, 0.5, 16)
contrib = optim.contrib


def valley(p):
    """Rosenbrock's: a curved valley, steep to its sides and flat along it."""
    return (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2


def saddle(p):
    """Down along the first axis to a point from which it goes down along the second."""
    return 0.5 * p[0] ** 2 + 0.25 * p[1] ** 4 - 0.5 * p[1] ** 2 + 0.25


LANDSCAPES = {
    # function, start, minima, window
    "valley": (valley, (-1.2, 1.2), [(1, 1)], (-1.8, 1.6, -0.7, 2.0)),
    "saddle": (saddle, (-1.6, 0.02), [(0, 1), (0, -1)], (-1.9, 0.9, -1.5, 1.5)),
}

# Functions of the learning rate.
WITH_RATE = {
    "sgd": optim.sgd,
    "sgd, momentum": lambda rate: optim.sgd(rate, 0.9),
    "sgd, Nesterov": lambda rate: optim.sgd(rate, 0.9, nesterov=True),
    "noisy_sgd": lambda rate: optim.noisy_sgd(rate, key=0),
    "optimistic_gradient_descent": optim.optimistic_gradient_descent,
    "sign_sgd": optim.sign_sgd,
    "signum": optim.signum,
    "fromage": optim.fromage,
    "lars": optim.lars,
    "adagrad": optim.adagrad,
    "adadelta": optim.adadelta,
    "rmsprop": optim.rmsprop,
    "sm3": optim.sm3,
    "adafactor": optim.adafactor,
    "adam": optim.adam,
    "nadam": optim.nadam,
    "adamw": optim.adamw,
    "adamax": optim.adamax,
    "amsgrad": optim.amsgrad,
    "adabelief": optim.adabelief,
    "adan": optim.adan,
    "yogi": optim.yogi,
    "radam": optim.radam,
    "novograd": optim.novograd,
    "lamb": optim.lamb,
    "lion": optim.lion,
    "optimistic_adam": optim.optimistic_adam,
    "contrib.adopt": contrib.adopt,
    "contrib.acprop": contrib.acprop,
    "contrib.ademamix": contrib.ademamix,
    "contrib.madgrad": contrib.madgrad,
    "contrib.schedule_free_sgd": contrib.schedule_free_sgd,
    "contrib.schedule_free_adamw": contrib.schedule_free_adamw,
    "contrib.shampoo": contrib.shampoo,
    "contrib.soap": contrib.soap,
    "contrib.sophia": contrib.sophia,
}
WITHOUT_RATE = {
    "rprop": lambda: optim.rprop(0.01),
    "polyak_sgd": optim.polyak_sgd,
    "lbfgs": optim.lbfgs,
    "contrib.prodigy": contrib.prodigy,
    "contrib.dadapt_adamw": contrib.dadapt_adamw,
    "contrib.cocob": contrib.cocob,
    "contrib.dog": contrib.dog,
    "contrib.dowg": contrib.dowg,
    "contrib.momo": contrib.momo,
    "contrib.momo_adam": contrib.momo_adam,
    "contrib.mechanize, sgd": lambda: contrib.mechanize(optim.sgd(1.0)),
    "contrib.muon": lambda: contrib.muon(0.05),
}


def path_of(optimizer, f, start, function="value_fn"):
    """The points that an optimizer visits, of shape (STEPS + 1, 2); it gets ``f`` under the name ``function``."""

    def step(carry, _):
        p, state = carry
        value, gradient = fungrad.value_and_grad(f)(p)
        updates, state = optimizer.update(gradient, state, p, **{"value": value, "grad": gradient, function: f})
        p = optim.apply_updates(p, updates)
        return (p, state), p

    _, path = lax.scan(step, (start, optimizer.init(start)), None, length=STEPS)
    return jnp.concatenate([start[None], path])


def best_path(name, f, start):
    """The path of the learning rate that ends lowest, and the rate."""
    make, function = WITH_RATE[name], "obj_fn" if "sophia" in name else "value_fn"
    paths = fungrad.jit(fungrad.vmap(lambda rate: path_of(make(rate), f, start, function)))(RATES)
    ends = np.nan_to_num(np.asarray(fungrad.vmap(f)(paths[:, -1])), nan=np.inf)
    best = int(np.argmin(ends))
    return np.asarray(paths[best]), float(RATES[best])


def draw(name):
    """Writes the picture of a landscape."""
    f, start, minima, (left, right, low, high) = LANDSCAPES[name]
    start = jnp.array(start)
    x, y = np.meshgrid(np.linspace(left, right, 90), np.linspace(low, high, 90))
    heights = np.asarray(fungrad.vmap(f)(jnp.stack([x.ravel(), y.ravel()], axis=1).astype(jnp.float32))).reshape(
        x.shape
    )
    names = [*WITH_RATE, *WITHOUT_RATE]
    columns = 8
    figure, axes = plt.subplots(-(-len(names) // columns), columns, figsize=(12, 1.55 * (-(-len(names) // columns))))
    for ax, each in zip(axes.flat, names, strict=False):
        if each in WITH_RATE:
            path, rate = best_path(each, f, start)
            title = f"{each} {rate:.2g}"
        else:
            path = np.asarray(fungrad.jit(lambda: path_of(WITHOUT_RATE[each](), f, start))())  # noqa: B023
            title = each
        print(f"{name:8} {title:40} {float(f(jnp.asarray(path[-1]))):.2e}", flush=True)
        ax.contour(x, y, np.log10(heights + 1e-2), levels=9, colors="0.8", linewidths=0.5)
        ax.plot(*path.T, "-", color="tab:blue", linewidth=0.8)
        ax.plot(*path[::10].T, ".", color="tab:blue", markersize=2.5)
        ax.plot(*path[-1], "o", color="tab:red", markersize=3)
        for minimum in minima:
            ax.plot(*minimum, "+", color="black", markersize=5)
        ax.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        ax.set_title(title.removeprefix("contrib."), fontsize=6, pad=2)
    for ax in list(axes.flat)[len(names) :]:
        ax.axis("off")
    figure.tight_layout(pad=0.3)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    plt.close(figure)
    # Few colours make a file of a quarter of the size.
    Image.open(drawn).convert("RGB").quantize(48, Image.Quantize.MAXCOVERAGE).save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    for each in LANDSCAPES:
        draw(each)
