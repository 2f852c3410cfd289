// Links the lines of the panes: pointing at one lights up what has the same lines of the source.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const panes = all(".pane");
  const linked = all("[data-k]").map((node) => [node, new Set(node.dataset.k.split(" "))]);
  let pinned = null;
  const small = () => matchMedia("(max-width:800px)").matches;
  const shown = (node) => node.closest("[hidden]") === null;

  function light(origin, follow) {
    const step = origin && origin.tagName === "TR" ? origin.dataset.s : null;
    const keys = new Set(origin && origin.dataset.k ? origin.dataset.k.split(" ") : []);
    const program = origin ? origin.closest("[data-p]")?.dataset.p : null;
    const first = new Map();
    for (const [node, own] of linked) {
      let on = false;
      if (step !== null && node.dataset.s !== undefined) {
        on = node.dataset.s === step && node.closest("[data-p]")?.dataset.p === program;
      } else {
        for (const k of keys) if (own.has(k)) { on = true; break; }
      }
      node.classList.toggle("lit", on);
      const pane = node.closest(".pane");
      if (on && pane && shown(node)) {
        const known = first.get(pane);
        first.set(pane, known ? [known[0], known[1] + 1] : [node, 1]);
      }
    }
    for (const tab of all(".tabs button")) {
      const found = first.get(document.getElementById(tab.getAttribute("aria-controls")));
      tab.querySelector(".count").textContent = found ? String(found[1]) : "";
    }
    if (!follow) return;
    for (const [pane, [node]] of first) {
      if (origin && pane.contains(origin)) continue;
      const list = node.closest("ol");
      const top = node.offsetTop, bottom = top + node.offsetHeight;
      if (top < list.scrollTop || bottom > list.scrollTop + list.clientHeight) {
        list.scrollTop = Math.max(0, top - list.clientHeight / 3);
      }
    }
  }

  const target = (event) => event.target.closest("li[data-k],tr[data-k],g[data-k]");
  function pin(node) {
    all(".pinned").forEach((n) => n.classList.remove("pinned"));
    pinned = node === pinned ? null : node;
    if (pinned) pinned.classList.add("pinned");
    light(pinned, true);
  }
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch" || pinned) return;
    light(target(event), true);
  });
  document.addEventListener("focusin", (event) => { if (!pinned && target(event)) light(target(event), true); });
  document.addEventListener("click", (event) => {
    const node = target(event);
    if (node) { pin(node); if (node.tagName === "LI") move(node); }
  });

  // One line of each pane is in the order of Tab; arrows go on from there.
  function move(node) {
    const list = node.closest("ol");
    all("li[tabindex='0']", list).forEach((n) => { n.tabIndex = -1; });
    node.tabIndex = 0;
    node.focus({preventScroll: true});
    const top = node.offsetTop, bottom = top + node.offsetHeight;
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }
  const lines = (pane) => all("li", pane).filter(shown);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { pinned = null; all(".pinned").forEach((n) => n.classList.remove("pinned")); light(null); return; }
    const node = event.target.closest ? event.target.closest("li,tr[data-k]") : null;
    if (!node) return;
    if (event.key === "Enter" || event.key === " ") { pin(node); event.preventDefault(); return; }
    if (node.tagName !== "LI") return;
    const pane = node.closest(".pane");
    const own = lines(pane), at = own.indexOf(node);
    const jump = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: own.length - 1, PageDown: at + 20, PageUp: at - 20}[event.key];
    if (jump !== undefined) {
      move(own[Math.max(0, Math.min(own.length - 1, jump))]);
      event.preventDefault();
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const others = panes.filter((p) => lines(p).length);
      const next = others[(others.indexOf(pane) + (event.key === "ArrowRight" ? 1 : others.length - 1)) % others.length];
      if (small()) show(next.id);
      move(lines(next).find((n) => n.classList.contains("lit")) || lines(next)[0]);
      event.preventDefault();
    }
  });

  function show(id) {
    panes.forEach((p) => p.classList.toggle("shown", p.id === id));
    all(".tabs button").forEach((t) => t.setAttribute("aria-selected", String(t.getAttribute("aria-controls") === id)));
  }
  all(".tabs button").forEach((t) => t.addEventListener("click", () => show(t.getAttribute("aria-controls"))));
  all("[data-program]").forEach((button) => button.addEventListener("click", () => {
    all("[data-program]").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
    all("[data-p]").forEach((n) => { n.hidden = n.dataset.p !== button.dataset.program; });
    light(pinned, true);
  }));
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme:dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  panes.forEach((p) => { const first = lines(p)[0]; if (first) first.tabIndex = 0; });
  show(panes[0].id);
})();
