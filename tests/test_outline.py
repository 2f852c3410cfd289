"""Nests that do the same have one body, and short ones that follow each other one function."""

import re

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.jit.llvm.outline import NestFunction, join, outline


def text_of(f, *args):
    return fungrad.jit(f).lower(*args).as_text("llvm")


def functions(text, prefix):
    return re.findall(rf"define [^@]*@({prefix}[\w.]*)\(", text)


def layers(n):
    def f(x, weights, biases):
        for w, b in zip(weights, biases, strict=True):
            x = jnp.tanh(x @ w + b)
        return x

    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((40, 40)).astype("f4") * 0.2 for _ in range(n)]
    biases = [rng.standard_normal(40).astype("f4") for _ in range(n)]
    return f, (rng.standard_normal((3, 40)).astype("f4"), weights, biases)


def test_layers_share_bodies():
    f, args = layers(6)
    text = text_of(fungrad.grad(lambda *a: f(*a).sum(), argnums=1), *args)
    assert functions(text, "body")
    longer, more = layers(12)
    again = text_of(fungrad.grad(lambda *a: longer(*a).sum(), argnums=1), *more)
    assert len(functions(again, "body")) <= len(functions(text, "body")) + 2  # first and last layers have their own


def test_values_of_shared_bodies():
    f, args = layers(6)
    x, weights, biases = args
    for w, b in zip(weights, biases, strict=True):
        x = np.tanh(x @ w + b)
    np.testing.assert_allclose(fungrad.jit(f)(*args), x, rtol=2e-5, atol=2e-6)
    g = fungrad.grad(lambda *a: f(*a).sum(), argnums=(0, 1, 2))
    for got, want in zip(fungrad.tree.leaves(fungrad.jit(g)(*args)), fungrad.tree.leaves(g(*args)), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


def test_elements_put_one_by_one_are_one_function():
    def f(x):
        table = jnp.zeros((9, 9))
        for i in range(9):
            for j in range(i + 1):
                table = table.at[i, j].set(x[i] * x[j] + i)
        return table

    x = np.arange(9, dtype="f4")
    want = np.tril(np.outer(x, x) + np.arange(9)[:, None])
    np.testing.assert_array_equal(fungrad.jit(f)(x), want)
    text = text_of(f, x)
    assert len(functions(text, "nest")) + len(functions(text, "joined")) < 10


def nest(k, body, setup=("%b0 = load ptr, ptr %table, align 8",)):
    return NestFunction(k, f"nest{k}", setup, body)


BODY = [f"%v{k} = load float, ptr %b0, align 4, !alias.scope !2, !noalias !4" for k in range(9)]


def renumbered(body, change):
    return [re.sub(r"!(\d+)", lambda m: f"!{change[int(m[1])]}", line) for line in body]


def outlined(bodies, metadata):
    nests = [nest(k, b) for k, b in enumerate(bodies)]
    texts = [n.text() for n in nests]
    outline(texts, nests, metadata)
    return texts


METADATA = ["!0 = distinct !{!0}", "!1 = distinct !{!1, !0}", "!2 = !{!1}", "!3 = distinct !{!3, !0}", "!4 = !{!3}"]


def test_only_what_is_the_same_is_shared():
    further = [re.sub(r"!(\d+)", lambda m: f"!{int(m[1]) + 5}", line) for line in METADATA]
    twin = renumbered(BODY, {2: 7, 4: 9})
    assert len(outlined([BODY, twin], METADATA + further)) == 3
    # the second says that two accesses do not meet which in the first may
    apart = [*METADATA, *further[:4], "!9 = !{!8, !6}"]
    assert len(outlined([BODY, twin], apart)) == 2
    assert len(outlined([BODY, [*BODY[:-1], BODY[-1].replace("float", "i32")]], METADATA)) == 2
    # other metadata, such as that of a loop, counts by what it says
    loops = [*METADATA, "!5 = distinct !{!5, !6}", '!6 = !{!"a"}', "!7 = distinct !{!7, !8}", '!8 = !{!"b"}']
    first, second = [*BODY, "br label %x, !llvm.loop !5"], [*BODY, "br label %x, !llvm.loop !7"]
    assert len(outlined([first, second], loops)) == 2
    assert len(outlined([first, second], [*loops[:-1], '!8 = !{!"a"}'])) == 3


CALLS = [f"call void @nest{k}(ptr %table, i64 0, i64 1)" for k in range(3)]


@pytest.mark.parametrize("line", ["loop:", "br label %a", "%v = add i64 %begin, 1", "%v = alloca i64", "ret void"])
def test_what_has_branches_is_not_joined(line):
    nests = [nest(0, BODY), nest(1, [line, *BODY]), nest(2, BODY)]
    texts = [n.text() for n in nests]
    assert join(texts, nests, CALLS) == CALLS and len(nests) == 3


def test_joined_functions_keep_names_apart():
    nests = [nest(k, BODY) for k in range(3)]
    texts = [n.text() for n in nests]
    assert join(texts, nests, ["first", *CALLS, "last"]) == ["first", "call void @joined.nest0(ptr %table)", "last"]
    assert not nests and texts[1:] == ["", ""]
    names = re.findall(r"^(%\S+) =", texts[0], re.MULTILINE)
    assert len(names) == len(set(names)) == 3 * (len(BODY) + 1)
    parallel = ["call void @fg_parallel(ptr @nest0, ptr %table, i64 9, i64 4)", CALLS[1]]
    nests = [nest(k, BODY) for k in range(3)]
    assert join([n.text() for n in nests], nests, parallel) == parallel


def test_calls_of_a_shared_body_are_one_function():
    nests = [
        nest(k, BODY, [f"%slot = getelementptr ptr, ptr %table, i64 {k}", "%b0 = load ptr, ptr %slot"])
        for k in range(4)
    ]
    run = "\n".join(["first", *CALLS, "between", "call void @nest3(ptr %table, i64 0, i64 7)", CALLS[0]])
    part = "call void @fg_parallel(ptr @nest1, ptr %table, i64 9, i64 4)"
    texts = [*(n.text() for n in nests), run, part]
    outline(texts, nests, METADATA)
    one, two = (f"call void @calls{k}(ptr %table)" for k in range(2))
    assert texts[4] == "\n".join(["first", one, "between", two]) and texts[5] == part
    # two of them are called from elsewhere too
    assert [bool(x) for x in texts[:4]] == [True, True, False, False]
    assert re.findall(r"call void @body0\(ptr %table, i64 0, i64 (\d+), ptr %n(\d)\.b0\)", texts[8]) == [
        ("7", "0"),
        ("1", "1"),
    ]
