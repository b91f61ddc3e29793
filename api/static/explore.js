// The diagram of the explorer. The server renders the page and the data of each state; this script draws the data and
// fetches the next state without a page load.
import cytoscape from "./vendor/cytoscape.js";
import { element } from "./site.js";

const at = (id) => document.getElementById(id);
const stage = at("ui-explore-stage"), canvas = at("ui-explore-canvas"), panel = at("ui-explore-panel"), said = at("ui-explore-said");
const hint = panel.firstElementChild.cloneNode(true);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const read = (root) => JSON.parse(root.querySelector("#ui-explore-data").textContent);
const id = (link) => `${link.source}|${link.property}|${link.target}`;
// Up to this many records have an animated layout and all labels; up to this many, all labels of links.
const FEW = 80, VERY_FEW = 16;
const wrap = document.documentElement.lang === "ja" ? "anywhere" : "whitespace";
let data = read(document), cy, selected = "", asked = 0, letters = 10;

// ---- appearance: colours and shapes from the style sheets ----

const colour = (name, from = document.documentElement) => getComputedStyle(from).getPropertyValue(name).trim();

/** Colour and shape of a kind, as in the text. */
function look(kind) {
  const mark = canvas.appendChild(element("span", { hidden: true, "data-kind": kind }));
  const found = { colour: colour("--kind-colour", mark), shape: colour("--kind-shape", mark) };
  mark.remove();
  return found;
}

function style() {
  const ink = colour("--ink"), paper = colour("--paper"), soft = colour("--soft"), line = colour("--soft");
  const accent = colour("--accent"), focus = colour("--focus"), font = getComputedStyle(document.body).fontFamily;
  const kinds = [...new Set(data.nodes.map((n) => n.kind))].map((kind) => ({ selector: `node[kind = "${kind}"]`, css: { "background-color": look(kind).colour, shape: look(kind).shape } }));
  return [
    { selector: "node", css: { label: "data(short)", width: 16, height: 16, color: ink, "font-family": font, "font-size": letters, "text-valign": "bottom", "text-margin-y": 3, "text-wrap": "wrap", "text-max-width": letters * 10.4, "text-overflow-wrap": wrap, "text-background-color": paper, "text-background-opacity": .75, "min-zoomed-font-size": data.nodes.length > FEW ? 11 : 4, "overlay-opacity": 0 } },
    ...kinds.map(({ selector, css }) => ({ selector, style: css })),
    { selector: "node[role = 'node'], node[role = 'end']", css: { width: 26, height: 26, "font-size": letters * 1.2, "min-zoomed-font-size": 5, "font-weight": "bold", "border-width": 3, "border-color": ink } },
    { selector: "node[role = 'chain']", css: { width: 22, height: 22, "font-size": letters * 1.1, "min-zoomed-font-size": 5, "border-width": 3, "border-color": accent } },
    { selector: "edge", css: { width: 1.2, "line-color": line, "line-opacity": .55, "curve-style": "bezier", "target-arrow-shape": "triangle", "target-arrow-color": line, "arrow-scale": .7, "font-family": font, "font-size": letters * .9, color: soft, "text-background-color": paper, "text-background-opacity": .85, "text-rotation": "autorotate", "min-zoomed-font-size": 7 } },
    { selector: "edge[?inferred]", css: { "line-style": "dashed" } },
    { selector: "edge[?chain]", css: { width: 3, "line-color": accent, "target-arrow-color": accent, "line-opacity": 1, label: "data(label)" } },
    { selector: ".named", css: { label: "data(label)" } },
    { selector: ".near", css: { label: "data(label)", width: 2, "line-color": focus, "target-arrow-color": focus, "line-opacity": 1, "z-index": 9 } },
    { selector: "node.beside", css: { "min-zoomed-font-size": 0, "text-background-opacity": 1, "z-index": 8 } },
    { selector: "node.here", css: { "min-zoomed-font-size": 0, "border-width": 4, "border-color": focus, "z-index": 10, "text-background-opacity": 1 } },
  ].map((rule) => ({ selector: rule.selector, style: rule.css ?? rule.style }));
}

/** Truncates a label to a number of half-width characters. */
function shortened(text, most = 44) {
  let width = 0;
  for (const [i, character] of [...text].entries()) {
    width += character < "\u2e80" ? 1 : 2;
    if (width > most) return [...text].slice(0, i).join("") + "…";
  }
  return text;
}

// ---- diagram ----

function start() {
  cy = cytoscape({
    container: canvas, minZoom: .08, maxZoom: 4, boxSelectionEnabled: false, autounselectify: true,
    hideEdgesOnViewport: data.nodes.length > 250, textureOnViewport: data.nodes.length > 250, pixelRatio: data.nodes.length > 250 ? 1 : "auto",
  });
  cy.on("tap", "node", (event) => select(event.target.id()));
  cy.on("dbltap", "node", (event) => act(event.target.id(), "expand"));
  cy.on("tap", (event) => { if (event.target === cy) select(""); });
  cy.on("mouseover", "node", (event) => { canvas.title = event.target.data("label"); });
  cy.on("mouseout", "node", () => { canvas.title = ""; });
  // The wheel scrolls the page until the diagram has focus.
  cy.userZoomingEnabled(false);
  canvas.addEventListener("focus", () => cy.userZoomingEnabled(true));
  canvas.addEventListener("blur", () => cy.userZoomingEnabled(false));
  canvas.addEventListener("pointerdown", () => canvas.focus({ preventScroll: true }));
  canvas.addEventListener("keydown", onKey);
}

/** Updates the diagram to the data; existing nodes keep their position. */
function draw() {
  stage.hidden = data.nodes.length === 0;
  stage.classList.add("drawn");
  if (stage.hidden) return cy?.elements().remove();
  if (!cy) start();
  const known = cy.nodes().length > 0;
  const nodes = new Map(data.nodes.map((n) => [n.path, n])), links = new Map(data.links.map((l) => [id(l), l]));
  const fresh = data.nodes.filter((n) => cy.getElementById(n.path).empty());
  cy.batch(() => {
    cy.nodes().filter((n) => !nodes.has(n.id())).remove();
    cy.edges().filter((l) => !links.has(l.id())).remove();
    for (const n of data.nodes) {
      const values = { ...n, id: n.path, short: shortened(n.label) };
      const found = cy.getElementById(n.path);
      if (found.nonempty()) found.data(values);
      else cy.add({ group: "nodes", data: values, position: beside(n.path) });
    }
    for (const [key, l] of links) {
      if (cy.getElementById(key).empty()) cy.add({ group: "edges", data: { ...l, id: key } });
      else cy.getElementById(key).data(l);
    }
    cy.edges().toggleClass("named", links.size <= VERY_FEW);
  });
  cy.style(style());
  if (fresh.length) arrange(!known);
}

/** Places new nodes around an existing node that they are linked to. */
function beside(path) {
  const link = data.links.find((l) => (l.source === path && cy.getElementById(l.target).nonempty()) || (l.target === path && cy.getElementById(l.source).nonempty()));
  if (!link) return { x: 0, y: 0 };
  const { x, y } = cy.getElementById(link.source === path ? link.target : link.source).position();
  const turn = cy.nodes().length * 2.4;
  return { x: x + 90 * Math.cos(turn), y: y + 90 * Math.sin(turn) };
}

function arrange(anew) {
  const shown = cy.nodes().length;
  cy.layout({
    name: "fcose", randomize: anew, quality: shown > 300 ? "draft" : "default", animate: !still.matches && shown <= FEW && !anew, animationDuration: 500,
    nodeDimensionsIncludeLabels: shown <= FEW, idealEdgeLength: shown > FEW ? 80 : 95, nodeSeparation: 90, nodeRepulsion: shown > FEW ? 12000 : 9000, padding: 24, packComponents: true,
    stop: () => {
      // On small screens nodes may be scaled down, but not their labels.
      letters = shown > FEW ? 10 : Math.min(20, Math.max(10, 9 / cy.zoom()));
      cy.style(style());
      stage.dataset.settled = String(shown);
    },
  }).run();
}

function select(path) {
  selected = path && cy.getElementById(path).nonempty() ? path : "";
  cy.batch(() => {
    cy.elements().removeClass("here near beside");
    if (!selected) return;
    const links = cy.getElementById(selected).addClass("here").connectedEdges().addClass("near");
    if (links.length <= FEW) links.connectedNodes().addClass("beside");
  });
  const section = selected && [...document.querySelectorAll("#ui-explore-text .record")].find((s) => s.dataset.record === selected);
  if (!section) return panel.replaceChildren(hint.cloneNode(true));
  const close = element("button", { type: "button", className: "close", textContent: "×", "aria-label": stage.dataset.close });
  close.addEventListener("click", () => select(""));
  const copy = section.cloneNode(true);
  copy.className = "";
  panel.replaceChildren(close, copy);
  panel.scrollTop = 0;
  said.textContent = copy.querySelector("h4").textContent;
}

// ---- keyboard ----

/** The nearest record in a direction from the selected one. */
function towards(dx, dy) {
  const from = selected ? cy.getElementById(selected).position() : { x: 0, y: 0 };
  let best = "", least = Infinity;
  cy.nodes().forEach((n) => {
    const x = n.position("x") - from.x, y = n.position("y") - from.y, ahead = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (n.id() !== selected && ahead > 0 && aside <= 2 * ahead && ahead + 2 * aside < least) [best, least] = [n.id(), ahead + 2 * aside];
  });
  return best;
}

function onKey(event) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const acts = { Enter: "expand", Delete: "remove" };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (ways[event.key]) {
    const next = selected ? towards(...ways[event.key]) : data.nodes[0].path;
    if (next) {
      select(next);
      const { x1, x2, y1, y2 } = cy.extent(), { x, y } = cy.getElementById(next).position();
      if (x < x1 || x > x2 || y < y1 || y > y2) cy.center(cy.getElementById(next));
    }
  } else if (acts[event.key] && selected) act(selected, acts[event.key]);
  else if (event.key === "Escape") select("");
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.3 : 1 / 1.3);
  else return;
  event.preventDefault();
}

/** Performs an action that the page offers for a record. */
function act(path, name) {
  const section = [...document.querySelectorAll("#ui-explore-text .record")].find((s) => s.dataset.record === path);
  section?.querySelector(`.acts [name="${name}"]`)?.click();
}

// ---- state ----

/** The focused element, to restore the focus after the content is replaced. */
function bookmark() {
  const active = document.activeElement, record = active?.closest("[data-record]");
  if (active?.id) return () => at(active.id)?.focus({ preventScroll: true });
  if (!record) return () => {};
  const inPanel = panel.contains(active), name = active.name || "none", path = record.dataset.record;
  return () => {
    const there = [...(inPanel ? panel : at("ui-explore-text")).querySelectorAll("[data-record]")].find((s) => s.dataset.record === path);
    (there?.querySelector(`.acts [name="${name}"]`) ?? there?.querySelector("h4") ?? (inPanel ? panel : at("ui-explore-summary")))?.focus({ preventScroll: true });
  };
}

function take(page) {
  const opened = document.querySelector(".filter")?.open;
  // Copied before the parts below move out of the page with their own.
  const fields = [...page.querySelectorAll(".kept")].map((field) => field.cloneNode(true));
  for (const name of ["q", "from", "to"]) at(`ui-explore-${name}`).value = page.getElementById(`ui-explore-${name}`).value;
  for (const part of ["ui-explore-controls", "ui-explore-text"]) at(part).replaceWith(document.adoptNode(page.getElementById(part)));
  document.querySelectorAll(".kept").forEach((old, i) => old.replaceWith(fields[i]));
  document.querySelector(".language").href = page.querySelector(".language").getAttribute("href");
  at("ui-explore-summary").textContent = page.getElementById("ui-explore-summary").textContent;
  if (opened !== undefined && document.querySelector(".filter")) document.querySelector(".filter").open = opened;
}

/** Switches to another state, given by its URL, without a page load. */
async function go(address) {
  const mine = ++asked, back = bookmark();
  stage.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok) return location.assign(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    history.replaceState(null, "", answer.url);
    take(page);
    data = read(document);
    ready();
    back();
  } catch {
    said.textContent = at("ui-explore-summary").textContent = stage.dataset.failed;
  } finally {
    if (mine === asked) stage.removeAttribute("aria-busy");
  }
}

function ready() {
  draw();
  for (const hidden of document.querySelectorAll("[data-script]")) hidden.hidden = false;
  if (cy) select(selected);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]"), tool = event.target.closest("[data-tool]");
  if (tool) tools[tool.dataset.tool]();
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.href);
});
document.addEventListener("keydown", (event) => {
  // Elements with the role of a button also react to the space bar.
  if (event.key === " " && event.target.matches("a[role=button][data-go]")) { event.preventDefault(); go(event.target.href); }
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-go]")) return;
  event.preventDefault();
  const address = new URL(form.action);
  for (const [name, text] of new FormData(form, event.submitter)) if (text) address.searchParams.append(name, text);
  go(address.href);
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-go]");
  if (!form) return;
  // A suggestion was accepted, as opposed to typed text.
  const complete = [...form.querySelectorAll("input[data-suggest]")].every((field) => field.value.trim());
  if ("atOnce" in form.dataset || (!event.isTrusted && complete)) form.requestSubmit();
});

// ---- tools ----

function zoom(by) {
  cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 } });
}

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function csv() {
  const label = new Map(data.nodes.map((n) => [n.path, n]));
  const cell = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const rows = data.links.map((l) => [label.get(l.source).iri, label.get(l.source).label, l.property, l.label, label.get(l.target).iri, label.get(l.target).label, l.inferred]);
  const all = [["source", "source_label", "property", "property_label", "target", "target_label", "inferred"], ...rows];
  return new Blob(["\ufeff", all.map((row) => row.map(cell).join(",") + "\r\n").join("")], { type: "text/csv;charset=utf-8" });
}

const tools = {
  in: () => zoom(1.3),
  out: () => zoom(1 / 1.3),
  fit: () => cy.fit(undefined, 24),
  arrange: () => arrange(true),
  csv: () => save(csv(), "explore.csv"),
  png: async () => save(await cy.png({ output: "blob-promise", full: true, scale: 2, maxWidth: 6000, maxHeight: 6000, bg: colour("--paper") }), "explore.png"),
};

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy?.style(style()));
// Read-only access, for tests and debugging.
stage.picture = () => cy;
ready();
