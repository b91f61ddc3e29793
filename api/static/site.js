// Enhancements of all pages: suggestions in search fields and copy buttons.

const texts = document.documentElement.lang === "ja"
  ? { copied: "コピーしました", copy: "コピー", suggestions: "候補", found: (n) => `候補${n}件` }
  : { copied: "Copied", copy: "Copy", suggestions: "Suggestions", found: (n) => (n === 1 ? "1 suggestion" : `${n} suggestions`) };

/** Creates an element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made && key !== "role") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A list box of suggestions for a field (ARIA 1.2 combobox); `choose` is called with the selected suggestion. */
export function suggest(field, choose) {
  const list = element("ul", { id: `${field.id}-list`, className: "suggestions", role: "listbox", "aria-label": texts.suggestions, hidden: true });
  const status = element("span", { className: "quiet", role: "status" });
  const holder = element("span", { className: "combobox" });
  field.replaceWith(holder);
  holder.append(field, list, status);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list" })) {
    field.setAttribute(name, value);
  }
  let found = [], at = -1, asked = 0;

  function close() {
    list.hidden = true;
    at = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }
  function mark(n) {
    at = n;
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === n)));
    if (n < 0) field.removeAttribute("aria-activedescendant");
    else {
      field.setAttribute("aria-activedescendant", list.children[n].id);
      list.children[n].scrollIntoView({ block: "nearest" });
    }
  }
  function show(suggestions) {
    found = suggestions;
    list.replaceChildren(...found.map((s, i) => {
      const row = element("li", { id: `${list.id}-${i}`, role: "option", "aria-selected": "false" },
        element("span", { className: "label", textContent: s.label, lang: s.lang ?? "" }),
        element("span", { className: "kind", textContent: s.kind_label }));
      if (s.matched.text !== s.label && s.matched.role !== "description") row.append(element("span", { className: "matched", textContent: s.matched.text }));
      row.addEventListener("mousedown", (event) => { event.preventDefault(); take(i); });
      return row;
    }));
    list.hidden = found.length === 0;
    field.setAttribute("aria-expanded", String(found.length > 0));
    status.textContent = texts.found(found.length);
    at = -1;
  }
  function take(i) {
    const suggestion = found[i];
    close();
    choose(suggestion, field);
  }
  field.addEventListener("input", async () => {
    const mine = ++asked, text = field.value.trim();
    if (!text) return close();
    const url = new URL(field.dataset.suggest, location.href);
    url.searchParams.set("q", text);
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      // Ignore responses to outdated requests.
      if (answer.ok && mine === asked) show((await answer.json()).suggestions);
    } catch { close(); }
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); asked++; return close(); }
    if (list.hidden || event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark(((at + 1 + step + found.length + 1) % (found.length + 1)) - 1);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      take(at);
    }
  });
  field.addEventListener("blur", close);
}

/** A copy button that briefly confirms. */
export function copyButton(text, label = texts.copy) {
  const button = element("button", { type: "button", className: "copy", textContent: label });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    button.textContent = texts.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  return button;
}

/** Tooltips on hover and keyboard focus that are dismissible and hoverable (WCAG 1.4.13). */
function help() {
  const bubble = element("div", { id: "ui-help", className: "help", role: "tooltip", hidden: true });
  document.body.append(bubble);
  let of = null;
  function hide() {
    of?.removeAttribute("aria-describedby");
    of = null;
    bubble.hidden = true;
  }
  function show({ target }) {
    const link = target.closest?.("a[title], a[data-help]");
    if (!link || link === of) return;
    hide();
    if (link.title) { link.dataset.help = link.title; link.removeAttribute("title"); }
    of = link;
    bubble.textContent = link.dataset.help;
    bubble.lang = document.documentElement.lang;
    bubble.hidden = false;
    const { left, bottom, top } = link.getBoundingClientRect(), { width, height } = bubble.getBoundingClientRect();
    const below = bottom + height + 8 < innerHeight;
    bubble.style.left = `${scrollX + Math.max(8, Math.min(left, document.documentElement.clientWidth - width - 8))}px`;
    bubble.style.top = `${scrollY + (below ? bottom + 2 : top - height - 2)}px`;
    link.setAttribute("aria-describedby", bubble.id);
  }
  const leave = ({ relatedTarget: to }) => { if (of && !of.contains(to) && to !== bubble) hide(); };
  for (const event of ["pointerover", "focusin"]) document.addEventListener(event, show);
  for (const event of ["pointerout", "focusout"]) document.addEventListener(event, leave);
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") hide(); });
}
help();

for (const field of document.querySelectorAll("input[data-suggest]")) {
  suggest(field, field.dataset.fill
    ? (s) => { field.value = s[field.dataset.fill]; field.dispatchEvent(new Event("change", { bubbles: true })); }
    : (s) => { location.href = s.href; });
}
if (navigator.clipboard) {
  for (const code of document.querySelectorAll("[data-copy]")) code.after(" ", copyButton(code.textContent.trim(), code.dataset.copy || texts.copy));
}

// ---- lines of sources: the script that shows them is loaded when it is first needed ----

const lines = () => import("./lines.js");
document.addEventListener("click", (event) => {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const mark = event.target.closest?.("a[data-at]"), chooser = event.target.closest?.("[data-open-copy]");
  if (!mark && !chooser) return;
  event.preventDefault();
  lines().then((loaded) => (mark ? loaded.open(mark) : loaded.choose()));
});
// A file may be dropped anywhere, except where the page takes files of another kind.
const isFile = (event) => event.dataTransfer?.types.includes("Files") && !event.target.closest?.("input[type=file], textarea, .cm-editor");
document.addEventListener("dragover", (event) => { if (isFile(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!isFile(event)) return;
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) lines().then((loaded) => loaded.take(file));
});
for (const button of document.querySelectorAll("[data-open-copy]")) button.hidden = false;
