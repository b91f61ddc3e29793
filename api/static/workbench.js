// The query editor: completion by label in both languages, inline results, underlined errors, charts and history.
import Yasqe from "./vendor/yasqe.js";
import { draw } from "./chart.js";
import { element, copyButton } from "./site.js";

const ja = document.documentElement.lang === "ja";
const texts = ja
  ? { table: "表", chart: "図", links: "つながり", raw: "元の形（JSON）", busy: "実行中です…", failed: "応答がありません。もう一度お試しください。", stop: "中止", history: "この端末での履歴", clear: "履歴を消す", none: "まだ履歴はありません。", share: "共有リンクをコピー", filter: "題名・タグで絞り込む", editor: "SPARQLクエリ" }
  : { table: "Table", chart: "Chart", links: "Links", raw: "Raw (JSON)", busy: "Running…", failed: "There is no answer. Try again.", stop: "Stop", history: "History on this device", clear: "Clear history", none: "No history yet.", share: "Copy link to share", filter: "Filter by title or tag", editor: "SPARQL query" };
const HISTORY = "aikg-queries";
const LONGEST_ADDRESS = 6000;

const form = document.querySelector("form.query");
const area = document.getElementById("ui-query");
const place = document.getElementById("ui-answer");
const prefixes = new Map(JSON.parse(document.getElementById("ui-prefixes").textContent));

// ---- editor ----

const holder = element("div", { className: "editor" });
area.before(holder);
area.hidden = true;
area.required = false;
const editor = new Yasqe(holder, {
  value: area.value, persistenceId: null, consumeShareLink: null, showQueryButton: false, resizeable: false,
  autocompleters: [], syntaxErrorCheck: false, createShareableLink: undefined, editorHeight: "auto",
  extraKeys: {
    "Ctrl-Space": () => complete(), "Ctrl-Enter": () => run(), "Cmd-Enter": () => run(), "Ctrl-/": () => editor.commentLines(),
    "Shift-Ctrl-F": () => editor.autoformat(),
    // Tab moves the focus on: the editor must not be a keyboard trap (WCAG 2.1.2).
    Tab: false, "Shift-Tab": false,
  },
});
editor.getInputField().setAttribute("aria-label", texts.editor);
document.querySelector("label[for=ui-query]").addEventListener("click", () => editor.focus());

// ---- completion ----

/** The word before the cursor, and what is expected there: a variable, class, property or record. */
function wanted() {
  const cursor = editor.getDoc().getCursor();
  const line = editor.getDoc().getLine(cursor.line).slice(0, cursor.ch);
  const word = line.match(/[^\s{}()[\]<>"',;|^/*+!=]*$/)[0];
  const before = editor.getDoc().getRange({ line: 0, ch: 0 }, { line: cursor.line, ch: cursor.ch - word.length });
  const place = { word, from: { line: cursor.line, ch: cursor.ch - word.length }, cursor, isInside: before.includes("{") };
  if (/^[?$]/.test(word)) return { ...place, kind: "variable" };
  const text = before.replace(/#[^\n<>]*$/gm, "").replace(/"(?:[^"\\\n]|\\.)*"(?:@[\w-]+|\^\^\S+)?/g, '""');
  const statement = text.slice(Math.max(...["{", "}"].map((c) => text.lastIndexOf(c)), lastStop(text)) + 1);
  const part = statement.split(";").at(-1).trim();
  const words = part ? part.split(/\s+/).filter((w) => w !== ",") : [];
  const follows = statement.includes(";") ? words.length + 1 : words.length;
  if (follows === 0) return { ...place, kind: "record" };
  if (follows === 1 || /[|/^(!]\s*$/.test(part)) return { ...place, kind: "property", subject: statement.trim().split(/\s+/)[0] };
  return { ...place, kind: /^(a|rdf:type)$/.test(words.at(statement.includes(";") ? 0 : 1)) ? "class" : "record" };
}

/** The position of the dot that ended the last statement, as opposed to one in a name, number or IRI. */
function lastStop(text) {
  return [...text.replace(/<[^<>\s]*>/g, (iri) => "_".repeat(iri.length)).matchAll(/\.(?=\s|$)/g)].at(-1)?.index ?? -1;
}

/** The class of a subject in the query, as written. */
function classOf(subject) {
  const escaped = subject.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&");
  const text = editor.getValue();
  return text.match(new RegExp(`${escaped}\\s+(?:a|rdf:type)\\s+([^\\s;.,{}]+)`))?.[1]
    ?? text.match(new RegExp(`${escaped}\\s[^.{}]*;\\s*(?:a|rdf:type)\\s+([^\\s;.,{}]+)`))?.[1] ?? "";
}

async function suggestions({ word, kind, subject }) {
  if (kind === "variable") {
    const known = new Set(editor.getValue().match(/[?$]\w+/g) ?? []);
    known.delete(word);
    return [...known].filter((v) => v.startsWith(word)).sort().map((compact) => ({ compact, label: "" }));
  }
  const url = new URL(form.dataset.suggest, location.href);
  url.searchParams.set("q", word);
  url.searchParams.set("type", kind);
  url.searchParams.set("limit", "30");
  if (kind === "property") url.searchParams.set("class", classOf(subject).replace(/^<|>$/g, ""));
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  return answer.ok ? (await answer.json()).suggestions : [];
}

/** A name in SPARQL syntax: prefixed if possible, else the full IRI. */
function written({ iri, compact }) {
  return !iri || /^[\w-]*:[\w-]+$/.test(compact) ? compact : `<${iri}>`;
}

function complete() {
  editor.showHint({
    completeSingle: false, container: holder, closeCharacters: /[\s{}()<>]/,
    hint: async () => {
      const want = wanted();
      const found = await suggestions(want);
      return { from: want.from, to: want.cursor, list: found.map((s) => ({
        text: written(s),
        render: (row) => row.append(s.compact, element("span", { className: "called", textContent: s.label && s.label !== s.compact ? `${s.label}${s.count ? ` · ${s.count}` : ""}` : "" })),
        hint: (_, data, completion) => {
          editor.getDoc().replaceRange(completion.text, data.from, data.to);
          declare(completion.text);
        },
      })) };
    },
  });
}

/** Declares the prefix of a name, so that the query also runs on other endpoints. */
function declare(name) {
  const prefix = name.match(/^([\w-]+):/)?.[1];
  if (prefix && prefixes.has(prefix) && !(prefix in editor.getPrefixesFromQuery())) editor.addPrefixes({ [prefix]: prefixes.get(prefix) });
}

editor.on("inputRead", (_, change) => {
  // Suggest automatically if enough is typed and a keyword is unlikely.
  if (change.origin !== "+input" || !/[\p{L}:?]/u.test(change.text[0])) return;
  const { word, isInside } = wanted();
  if (word.length >= 2 && (isInside || word.includes(":"))) complete();
});

// ---- results ----

let current = null;

function address(format = "html") {
  const url = new URL(form.action, location.href);
  url.searchParams.set("lang", document.documentElement.lang);
  url.searchParams.set("query", editor.getValue());
  if (format) url.searchParams.set("format", format);
  return url.href;
}

async function run(push = true) {
  current?.abort();
  const mine = (current = new AbortController());
  const stop = element("button", { type: "button", className: "copy", textContent: texts.stop });
  stop.addEventListener("click", () => mine.abort());
  place.replaceChildren(element("p", { role: "status", textContent: `${texts.busy} ` }, stop));
  remember(editor.getValue());
  const url = address();
  const long = url.length > LONGEST_ADDRESS;
  try {
    const request = long
      ? { method: "POST", body: new URLSearchParams({ query: editor.getValue(), format: "html", lang: document.documentElement.lang }) }
      : {};
    const answer = await fetch(long ? form.action : url, { ...request, headers: { Accept: "text/html" }, signal: mine.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("ui-answer");
    place.replaceChildren(...(found ? found.childNodes : page.querySelector("main").childNodes));
    if (push && !long) history.pushState({ query: editor.getValue() }, "", url);
    for (const link of document.querySelectorAll("header .language")) {
      link.href = address().replace(/lang=[\w-]+/, `lang=${link.hreflang}`) + "&remember=1";
    }
    present();
  } catch (error) {
    place.replaceChildren(element("p", { role: "status", textContent: error.name === "AbortError" ? "" : texts.failed }));
  }
}

/** Marks errors in the editor, and offers other views of a table. */
function present() {
  for (const mark of editor.getDoc().getAllMarks()) if (mark.className === "at-fault") mark.clear();
  for (const { dataset } of place.querySelectorAll("[data-line]")) underline(Number(dataset.line) - 1, Number(dataset.column) - 1);
  for (const code of place.querySelectorAll("[data-copy]")) code.after(" ", copyButton(code.textContent.trim(), code.dataset.copy || undefined));
  const table = place.querySelector("table.grid");
  const heading = place.querySelector("h2");
  if (!heading || place.querySelector(".problem")) return;
  const bar = element("div", { className: "views" });
  heading.after(bar);
  if (table) offer(bar, table);
  bar.append(copyButton(() => address(), texts.share));
}

function underline(line, column) {
  const text = editor.getDoc().getLine(line) ?? "";
  const length = text.slice(column).match(/^(?:[^\s{}();,]+|.)/)?.[0].length ?? 0;
  const from = length ? column : Math.max(0, text.length - 1);
  editor.getDoc().markText({ line, ch: from }, { line, ch: from + Math.max(1, length) }, { className: "at-fault" });
}

function offer(bar, table) {
  const holder = table.closest(".scroll");
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.map((c) => c.dataset.column);
  const number = heads.findIndex((c) => c.classList.contains("number"));
  const dates = columns.findIndex((_, i) => table.tBodies[0].rows[0].cells[i].querySelector("time"));
  const links = columns.filter((_, i) => table.tBodies[0].rows[0].cells[i].querySelector("a"));
  const other = (i) => columns.find((_, j) => j !== i);
  const ways = { table: null };
  if (number >= 0 && columns.length > 1) ways.chart = { type: "bar", x: other(number), y: columns[number] };
  else if (dates >= 0 && columns.length > 1) ways.chart = { type: "timeline", x: columns[dates], y: other(dates) };
  if (links.length > 1) ways.links = { type: "graph", source: links[0], target: links.at(-1) };
  let figure = null;
  for (const [way, hint] of Object.entries(ways)) {
    const button = element("button", { type: "button", textContent: texts[way], "aria-pressed": String(way === "table") });
    button.addEventListener("click", async () => {
      for (const b of bar.querySelectorAll("[aria-pressed]")) b.setAttribute("aria-pressed", String(b === button));
      figure?.remove();
      figure = hint ? await draw(table, hint) : null;
      holder.hidden = false;
    });
    bar.append(button);
  }
  bar.append(element("a", { href: address("json"), textContent: texts.raw }));
}

// ---- history ----

const past = element("details", { className: "history" }, element("summary", { textContent: texts.history }));
// At the end of its column, so that nothing moves.
form.parentElement.append(past);
past.addEventListener("toggle", showHistory);

function stored() {
  try { return JSON.parse(localStorage.getItem(HISTORY)) ?? []; } catch { return []; }
}

function remember(query) {
  const kept = [{ query, when: new Date().toISOString() }, ...stored().filter((h) => h.query !== query)].slice(0, 30);
  try { localStorage.setItem(HISTORY, JSON.stringify(kept)); } catch { /* The storage may be full or disabled. */ }
  if (past.open) showHistory();
}

function showHistory() {
  const rows = stored().map(({ query, when }) => {
    const button = element("button", { type: "button", className: "past", textContent: query.replace(/^PREFIX.*$/gm, "").replace(/\s+/g, " ").trim(), title: query });
    button.addEventListener("click", () => { editor.setValue(query); editor.focus(); });
    return element("li", {}, button, element("time", { dateTime: when, textContent: new Date(when).toLocaleString(document.documentElement.lang) }));
  });
  const clear = element("button", { type: "button", className: "copy", textContent: texts.clear });
  clear.addEventListener("click", () => { localStorage.removeItem(HISTORY); showHistory(); });
  past.replaceChildren(past.firstElementChild, rows.length ? element("ul", { className: "plain" }, ...rows) : element("p", { textContent: texts.none }), ...(rows.length ? [clear] : []));
}

// ---- query library and form ----

const library = document.querySelector(".library");
const rows = [...library.querySelectorAll("li")];
const filter = element("input", { type: "search", "aria-label": texts.filter, placeholder: texts.filter });
library.querySelector("summary").after(filter);
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().normalize("NFKC").split(/\s+/);
  for (const row of rows) row.hidden = !words.every((w) => `${row.textContent} ${row.dataset.tags}`.toLowerCase().normalize("NFKC").includes(w));
});
/** A link to a query fills the editor and runs it, in place. */
function follow(event) {
  const link = event.target.closest("a[data-query]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  editor.setValue(new URL(link.href).searchParams.get("query"));
  run();
}
library.addEventListener("click", follow);
place.addEventListener("click", follow);
form.addEventListener("submit", (event) => {
  area.value = editor.getValue();
  if (form.elements.format.value !== "html") return;
  event.preventDefault();
  run();
});
addEventListener("popstate", () => {
  const query = new URL(location.href).searchParams.get("query");
  if (query === null) return location.reload();
  editor.setValue(query);
  run(false);
});
present();
document.documentElement.dataset.ready = "true";
