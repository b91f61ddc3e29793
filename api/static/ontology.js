// The ontology reference: lists terms in the contents, filters them while typing, and folds sections on phones.
import { element } from "./site.js";

const nav = document.querySelector(".reference > nav"), field = document.getElementById("ui-filter");
const said = nav.querySelector("[role=status]"), terms = document.querySelector(".terms");
const normal = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();

for (const index of nav.querySelectorAll("[data-index]")) {
  const section = terms.querySelector(`section[aria-labelledby="${index.dataset.index}"]`);
  index.append(element("ul", {}, ...[...section.querySelectorAll("article.term")].map(({ id, firstElementChild: heading }) =>
    element("li", {}, element("a", { href: `#${id}`, textContent: heading.firstChild.textContent.trim() })))));
  index.hidden = false;
}

// Terms are matched by labels and local name; an entry in the contents is shown or hidden with its article.
const entries = [...terms.querySelectorAll("article.term, .columns > li")].map((at) => ({
  at,
  words: normal(`${(at.querySelector("h3") ?? at).textContent} ${at.id}`),
  line: nav.querySelector(`a[href="#${CSS.escape(at.id)}"]`)?.closest("li"),
}));
const groups = [...terms.querySelectorAll("section")].map((at) => ({ at, own: [...at.querySelectorAll("article.term, .columns > li")] }));
const lists = [...terms.querySelectorAll(".columns")];

function narrow() {
  const wanted = normal(field.value).split(" ").filter(Boolean);
  let found = 0;
  for (const { at, words, line } of entries) {
    at.hidden = !wanted.every((word) => words.includes(word));
    if (line) line.hidden = at.hidden;
    if (!at.hidden) found++;
  }
  for (const { at, own } of groups) at.hidden = wanted.length > 0 && own.every((entry) => entry.hidden);
  for (const list of lists) {
    list.hidden = [...list.children].every((entry) => entry.hidden);
    list.previousElementSibling.hidden = list.hidden;
  }
  said.textContent = wanted.length ? said.dataset.text.replace("{n}", found) : "";
}

/** Clears the filter when a link leads to a hidden term. */
function land() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target?.closest("[hidden]")) return;
  field.value = "";
  narrow();
  target.scrollIntoView();
}

field.closest("[hidden]").hidden = false;
field.addEventListener("input", narrow);
addEventListener("hashchange", land);
// Browsers restore the filter text when the user returns.
if (field.value) narrow();
if (matchMedia("(max-width: 60rem)").matches) nav.querySelector("details").open = false;
