"""The page of an explanation: its structure, and in a real browser where there is one."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from html.parser import HTMLParser

import pytest

import fungrad
import fungrad.numpy as jnp

BROWSER = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
DRIVER = shutil.which("chromedriver")


def loss(w, x):
    h = jnp.tanh(x @ w)
    return jnp.mean(h * h)


ARGS = [fungrad.ShapeDtypeStruct(s, jnp.float32) for s in ((16, 8), (32, 16))]
TANH = loss.__code__.co_firstlineno + 1


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    fungrad.explain(loss, *ARGS, roofline=False).save(path)
    return path


class Reader(HTMLParser):
    """Elements that stay open, panes, and the lines in each."""

    EMPTY = ("meta", "link", "br", "path", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.lines, self.loaded, self.pane = [], {}, [], None

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "pane" in found.get("class", "").split():
            self.pane = found["id"]
        if tag == "li":
            self.lines.setdefault(self.pane, []).append([found.get("data-k", ""), ""])
        self.loaded += [found[k] for k in ("src", "href") if k in found]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "li" in self.open:
            self.lines[self.pane][-1][1] += data


def test_structure(page):
    text = page.read_text()
    reader = Reader()
    reader.feed(text)
    assert reader.open == [] and set(reader.lines) == {"source", "jaxpr", "gradient", "loops", "assembly"}
    # Nothing comes from elsewhere.
    assert (
        reader.loaded == ["data:,"]
        and "@import" not in text
        and "http" not in re.sub(r"http://www.w3.org/2000/svg", "", text)
    )
    (key,) = [k for k, line in reader.lines["source"] if "tanh" in line]
    for pane, lines in reader.lines.items():
        assert [line for k, line in lines if key in k.split()], pane
    tanh = [k for k, line in reader.lines["loops"] if "= tanh " in line]
    assert tanh and set(tanh) == {key}
    assert 'class="fg-graph"' in text and "LaTeX" in text


def test_text_of_the_user_is_escaped(tmp_path):
    def f(x):
        return jnp.sin(x) if "<script>alert(1)</script>" else x

    path = tmp_path / "page.html"
    fungrad.explain(f, 1.0, roofline=False).save(path)
    assert path.read_text().count("<script>") == 1


class Browser:
    """Chromium through its driver, which speaks JSON over HTTP."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                self.ask("/status")
                break
            except OSError:
                time.sleep(0.1)
        options = {
            "binary": shutil.which(BROWSER),
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self.ask("/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/session/{made['sessionId']}"

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def run(self, script):
        return self.ask("/execute/sync", {"script": script, "args": []})

    def size(self, width, height):
        self.ask("/window/rect", {"width": width, "height": height})

    def picture(self, name):
        where = os.environ.get("FUNGRAD_SCREENSHOTS")
        if where:
            with open(os.path.join(where, f"{name}.png"), "wb") as file:
                file.write(base64.b64decode(self.ask("/screenshot")))

    def close(self):
        try:
            urllib.request.urlopen(urllib.request.Request(self.base, method="DELETE"), timeout=20).close()
        finally:
            self.process.terminate()
            self.process.wait(20)


@pytest.fixture(scope="module")
def browser(page):
    if BROWSER is None or DRIVER is None:
        pytest.skip("there is no Chromium with its driver")
    found = Browser()
    try:
        found.size(1500, 1000)
        found.ask("/url", {"url": page.as_uri()})
        yield found
    finally:
        found.close()


LIT = """
const lit = {};
for (const n of document.querySelectorAll('li.lit')) {
  if (n.closest('[hidden]')) continue;
  (lit[n.closest('.pane').id] ||= []).push(n.innerText);
}
return lit;
"""


def hover(browser, text):
    browser.run(
        f"const n = [...document.querySelectorAll('#source li')].find((n) => n.innerText.includes({text!r}));"
        "n.dispatchEvent(new PointerEvent('pointerover', {bubbles: true, pointerType: 'mouse'}));"
    )
    return browser.run(LIT)


def key(browser, name):
    browser.run(f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: {name!r}, bubbles: true}}))")


def test_a_line_lights_up_its_descendants(browser):
    lit = hover(browser, "jnp.tanh")
    browser.picture("light")
    assert set(lit) == {"source", "jaxpr", "gradient", "loops", "assembly"}
    assert any("tanh" in line for line in lit["loops"]) and not any("reduce_sum" in line for line in lit["jaxpr"])
    assert browser.run("return document.querySelectorAll('.fg-graph g.lit').length") > 0
    other = hover(browser, "jnp.mean")
    assert any("reduce_sum" in line for line in other["jaxpr"]) and not any("tanh" in x for x in other["jaxpr"])


def test_keyboard(browser):
    browser.run("document.querySelector('#source li').focus()")
    for _ in range(2):
        key(browser, "ArrowDown")
    assert "tanh" in browser.run("return document.activeElement.innerText")
    key(browser, "Enter")
    assert browser.run("return document.querySelectorAll('.pinned').length") == 1
    key(browser, "ArrowRight")
    assert browser.run("return document.activeElement.closest('.pane').id") == "jaxpr"
    assert browser.run("return document.activeElement.classList.contains('lit')")
    key(browser, "Escape")
    assert browser.run(LIT) == {}


def test_programs_and_themes(browser):
    browser.run("document.querySelector('[data-program=derivative]').click()")
    assert any("tanh" in line for line in hover(browser, "jnp.tanh")["loops"])
    background = "return getComputedStyle(document.body).backgroundColor"
    first = browser.run(background)
    browser.run("document.getElementById('theme').click()")
    assert browser.run(background) != first
    browser.picture("dark")
    browser.run("document.getElementById('theme').click()")
    browser.run("document.querySelector('[data-program=function]').click()")


def test_small_screens_show_one_pane(browser):
    browser.size(500, 900)
    shown = "return [...document.querySelectorAll('.pane')].filter((p) => p.offsetParent).map((p) => p.id)"
    assert browser.run(shown) == ["source"]
    browser.run("document.querySelector('.tabs [aria-controls=loops]').click()")
    assert browser.run(shown) == ["loops"]
    browser.picture("small")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    browser.size(1500, 1000)


def test_no_errors_in_the_console(browser):
    assert browser.ask("/se/log", {"type": "browser"}) == []
