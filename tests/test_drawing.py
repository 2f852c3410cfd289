"""Pictures of computations."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn

SVG = "{http://www.w3.org/2000/svg}"


def read(picture):
    """Boxes of a drawing, each a list of its lines, and the rectangles."""
    root = ElementTree.fromstring(picture.svg)
    groups = root.findall(f"{SVG}g")
    lines = [[text.text for text in group.findall(f"{SVG}text")] for group in groups]
    rects = [tuple(float(group.find(f"{SVG}rect").get(k)) for k in ("x", "y", "width", "height")) for group in groups]
    return lines, rects, len(root.findall(f"{SVG}path"))


def number(line):
    return float(line.split()[-1])


def test_the_classic_graph():
    lines, _, edges = read(fungrad.draw(lambda a, b: (a + b) * (b + 1), 2.0, 1.0))
    boxes = {box[0]: box[1:] for box in lines}
    assert list(boxes) == ["a: f32[]", "b: f32[]", "c = a + b", "d = b + 1.0", "e = c × d"] and edges == 5
    values = [number(box[0]) for box in boxes.values()]
    slopes = [number(box[1]) for box in boxes.values()]
    assert values == [2.0, 1.0, 3.0, 2.0, 6.0] and slopes == [2.0, 5.0, 2.0, 3.0, 1.0]


def test_derivatives_are_those_of_grad():
    def loss(params, x):
        return jnp.sum(nn.sigmoid(x @ params["w"] + params["b"]) ** 2)

    params, x = {"w": jnp.array([[0.5], [-0.3]]), "b": jnp.array([0.2])}, jnp.array([[1.0, 2.0]])
    lines, _, _ = read(fungrad.draw(loss, params, x))
    boxes = {box[0].split(":")[0]: box[1:] for box in lines}
    grads = fungrad.grad(loss)(params, x)
    text = boxes["params['w']"][1].replace("∂", "")
    np.testing.assert_allclose(
        [float(t) for t in re.findall(r"-?[\d.]+(?:e-?\d+)?", text)], grads["w"].ravel(), atol=1e-4
    )
    assert "x" in boxes


def test_boxes_do_not_overlap():
    def f(x, y):
        a, b = jnp.sin(x) * y, jnp.cos(y) + x
        return jnp.tanh(a * b + x) * jnp.exp(a) / (1 + jnp.exp(b - y)) + jnp.where(x > y, a, b)

    _, rects, _ = read(fungrad.draw(f, 0.3, 0.4))
    for i, (x, y, w, h) in enumerate(rects):
        for u, v, s, t in rects[i + 1 :]:
            assert x + w <= u or u + s <= x or y + h <= v or v + t <= y


def test_calls_loops_and_types():
    inner = fungrad.jit(lambda x: jnp.sin(x) + 1.0)
    names = lambda *args, **options: " ".join(b[0] for b in read(fungrad.draw(*args, **options))[0])  # noqa: E731
    assert "sin(x)" in names(lambda x: inner(x) * 2.0, 1.0) and "sin" not in names(
        lambda x: inner(x), 1.0, expand=False
    )
    loop = lambda x: lax.fori_loop(0, 3, lambda i, c: c * x, x)  # noqa: E731
    assert "scan(" in names(loop, 2.0)
    lines, _, _ = read(fungrad.draw(loop, 2.0))
    assert number(lines[-1][1]) == 16.0
    shapes = fungrad.draw(lambda x: jnp.sum(x @ x), fungrad.ShapeDtypeStruct((3, 3), jnp.float32))
    assert "∂" not in shapes.svg and "= " in shapes.svg
    several = fungrad.draw(lambda x: (jnp.sin(x), {"c": x * 2}, jnp.sort(x)), jnp.arange(3.0))
    assert "∂" not in several.svg
    assert read(fungrad.draw(lambda x, unused: x, 1.0, 2.0))[0] == [["x: f32[]", "= 1.", "∂ 1."]]
    assert fungrad.draw(lambda: 1.0).svg.startswith("<svg")
    integers = fungrad.draw(lambda i, x: x[i] * 2.0, 1, jnp.arange(3.0))
    assert "∂" in integers.svg
    assert "∂" not in fungrad.draw(lambda x: x * 2.0, 1.0, gradients=False).svg


def test_saving_and_showing(tmp_path):
    picture = fungrad.draw(lambda x: jnp.sin(x) < x, 1.0)
    picture.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == picture.svg == picture._repr_svg_()
    assert "characters of SVG" in repr(picture)


def test_wrong_calls():
    with pytest.raises(TypeError, match=r"fungrad.draw: fun must be a function, got float"):
        fungrad.draw(1.0, 2.0)
    with pytest.raises(TypeError, match="must be an array|is not"):
        fungrad.draw(lambda x: x, "a")


def test_what_is_inside_of_boxes_is_folded_up():
    inner = fungrad.jit(lambda x: jnp.sin(x) * 2)

    def f(xs):
        return lax.scan(lambda c, x: (c + inner(x), x), 0.0, xs)[0]

    picture = fungrad.draw(f, jnp.ones(3), expand=False)
    ((title, body),) = picture.parts
    assert title.startswith("scan: ") and [t for t, _ in body.parts] == ["<lambda>: 2 operations"]
    text = picture.html()
    assert text.count("<details") == text.count("</details>") == 2 and "&lt;lambda&gt;" in text
    # Each picture has an arrow of its own: one that is folded up would not be there for the others.
    assert len(set(re.findall(r'marker id="(\w+)"', text))) == 3


def test_pictures_are_written_with_and_without_what_is_inside(tmp_path):
    picture = fungrad.draw(lambda x: fungrad.jit(jnp.sin)(x) + 1, 1.0, expand=False)
    picture.save(tmp_path / "a.svg")
    picture.save(tmp_path / "a.html")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert (tmp_path / "a.html").read_text().count("<svg") == 2


def test_jaxprs_show_themselves_in_notebooks():
    text = fungrad.make_jaxpr(lambda x: jnp.sin(x) < 2)(1.0)._repr_html_()
    assert "lt b 2.0" in text and "<details>" in text and __file__ in text
    assert "<script" not in text
