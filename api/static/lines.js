// Shows the very lines of a source beside a mark: from the reader's own copy, which is checked by its hash and stays in
// this browser, or from this server where its operator shows the text. Nothing is uploaded.
import { element } from "./site.js";

const ja = document.documentElement.lang === "ja";
const texts = ja ? {
  choose: "資料のファイルを開く", forget: "手元の資料を忘れる", close: "閉じる", all: "この行にある事実をすべて見る", receipt: "控え（レシート）",
  ask: (name) => `ここに原文を出すには、「${name}」の本文ファイルを画面に落とすか、選んでください。ファイルはこの端末の中で確かめ、この端末だけに置きます。どこにも送信しません。`,
  kept: (name) => `「${name}」を確認し、この端末に保存しました。資料の行を示す印を押すと、その行を表示します。どこにも送信していません。`,
  wrong: (file, names) => `「${file}」は、このサイトが根拠とする資料の本文と一致しないため、使えません。ハッシュ値（SHA-256）が一致する本文ファイルを選んでください。対象の資料：${names}`,
  known: (name) => `「${name}」は、このサーバーが本文を公開しているため、ファイルがなくても行を表示できます。`,
  insecure: "このページは暗号化されていない接続（http）で開かれているため、ファイルを確かめられません。https のアドレスで開き直してください。",
  large: (file) => `「${file}」は大きすぎます。資料の本文ファイルを選んでください。`, none: "このサイトには、行を確かめられる資料がありません。",
  away: "資料の一覧を取得できませんでした。接続を確かめて、もう一度お試しください。", unkept: "この端末に保存できなかったため、このページを開いている間だけ使えます。",
  forgotten: "手元の資料を、この端末から消しました。", lines: "資料の行", line: (n) => `${n}行`, own: "手元の資料", served: "このサーバーの本文",
} : {
  choose: "Open the source’s file", forget: "Forget my copy", close: "Close", all: "All facts of these lines", receipt: "Receipt",
  ask: (name) => `To read the lines here, drop the text file of “${name}” on this page, or choose it. It is checked on this device and stays on it; nothing is uploaded.`,
  kept: (name) => `“${name}” is checked and kept on this device. Every mark of its lines now opens them. Nothing was uploaded.`,
  wrong: (file, names) => `“${file}” is not the text of a source of this site, so it is not used: its SHA-256 is none of theirs. The sources are: ${names}`,
  known: (name) => `This server shows the text of “${name}”, so the lines open without a file.`,
  insecure: "This page was opened without encryption (http), so files cannot be checked. Open it by its https address.",
  large: (file) => `“${file}” is too large. Choose the text file of a source.`, none: "No source of this site has a text that can be checked.",
  away: "The list of sources could not be read. Check the connection and try again.", unkept: "It could not be kept on this device, so it is used until you leave this page.",
  forgotten: "Your copy was removed from this device.", lines: "Lines of the source", line: (n) => `Line ${n}`, own: "your own copy", served: "the text on this server",
};
const AROUND = 2, LARGEST = 50e6;
const root = new URL("..", import.meta.url);
const held = new Map(); // texts by hash, so that a browser that keeps nothing still shows them on this page
let listed, status;

// ---- what is kept on the device ----

/** Runs one request in the store of texts; undefined where the browser keeps nothing. */
function inStore(mode, ask) {
  return new Promise((done) => {
    let opening;
    try { opening = indexedDB.open("source-texts", 1); } catch { return done(undefined); }
    opening.onupgradeneeded = () => opening.result.createObjectStore("texts");
    opening.onerror = opening.onblocked = () => done(undefined);
    opening.onsuccess = () => {
      const database = opening.result, work = database.transaction("texts", mode);
      const request = ask(work.objectStore("texts"));
      work.oncomplete = () => { done(request.result ?? true); database.close(); };
      work.onerror = work.onabort = () => { done(undefined); database.close(); };
    };
  });
}

async function keptText(hash) {
  if (held.has(hash)) return held.get(hash);
  const found = await inStore("readonly", (store) => store.get(hash));
  if (typeof found === "string") held.set(hash, found);
  return held.get(hash);
}

export async function forget() {
  held.clear();
  await inStore("readwrite", (store) => store.clear());
  for (const panel of document.querySelectorAll(".pop.lines")) await fill(panel);
  say(texts.forgotten);
}

// ---- sources ----

async function sources() {
  listed ??= fetch(new URL("source-texts", root), { headers: { Accept: "application/json" } }).then((answer) => {
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  }).then((found) => found.sources);
  try { return await listed; } catch (error) { listed = undefined; throw error; }
}

const named = (source) => source.label[document.documentElement.lang] ?? Object.values(source.label)[0] ?? source.path;

async function lines(source) {
  const own = await keptText(source.sha256);
  if (own !== undefined) return { text: own.split("\n"), isOwn: true };
  if (!source.text) return undefined;
  const answer = await fetch(source.text);
  return answer.ok ? { text: (await answer.text()).split("\n"), isOwn: false } : undefined;
}

async function hash(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Takes a file: if it is the text of a source, it is kept, and open panels show it. */
export async function take(file) {
  if (!globalThis.crypto?.subtle) return say(texts.insecure, true);
  if (file.size > LARGEST) return say(texts.large(file.name), true);
  let known;
  try { known = await sources(); } catch { return say(texts.away, true); }
  if (!known.length) return say(texts.none, true);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), source = by(await hash(bytes));
  if (!source) {
    // Editors and downloads change line breaks and add a mark at the beginning, but no word.
    text = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
    source = by(await hash(new TextEncoder().encode(text)));
  }
  if (!source) return say(texts.wrong(file.name, known.map(named).join(ja ? "、" : ", ")), true);
  held.set(source.sha256, text);
  const isKept = await inStore("readwrite", (store) => store.put(text, source.sha256));
  for (const panel of document.querySelectorAll(".pop.lines")) await fill(panel);
  say(`${texts.kept(named(source))}${isKept ? "" : ` ${texts.unkept}`}`, false, forgetButton());
  return source;

  function by(digest) { return known.find((s) => s.sha256 === digest); }
}

// ---- what the reader sees ----

function button(text, act, name = "btn quiet") {
  const made = element("button", { type: "button", className: name, textContent: text });
  made.addEventListener("click", act);
  return made;
}
const forgetButton = () => button(texts.forget, forget);

/** Lets the reader choose a file; works by keyboard and on a phone. */
export function choose() {
  const field = element("input", { type: "file", hidden: true, "aria-label": texts.choose });
  document.body.append(field);
  field.addEventListener("change", () => { if (field.files[0]) take(field.files[0]); field.remove(); });
  field.addEventListener("cancel", () => field.remove());
  field.click();
}

/** Says what happened at the lower edge of the window, also to screen readers. */
function say(text, isWrong = false, ...more) {
  if (!status) {
    status = element("div", { className: "said-now", role: "status" });
    document.body.append(status);
  }
  const close = button(texts.close, () => { status.replaceChildren(); status.hidden = true; });
  status.hidden = false;
  status.classList.toggle("wrong", isWrong);
  status.replaceChildren(element("p", { textContent: text }), element("div", { className: "acts" }, ...more, close));
}

/** Opens or closes the lines of a mark, beside what it vouches for. */
export async function open(mark) {
  const before = document.getElementById(mark.getAttribute("aria-controls"));
  if (before) return shut(before, mark);
  const panel = element("div", { className: "pop lines", id: `ui-lines-${++open.count}`, role: "group", "aria-label": `${texts.lines} ${mark.textContent.trim()}` });
  Object.assign(panel.dataset, { of: mark.dataset.at, href: mark.href });
  if (mark.dataset.receipt) panel.dataset.receipt = mark.dataset.receipt;
  mark.setAttribute("aria-controls", panel.id);
  mark.setAttribute("aria-expanded", "true");
  const holder = mark.closest("p, .fact, li, td, dd, .marks, h1, h2, h3") ?? mark;
  if (holder.matches("p, h1, h2, h3, .marks") || holder === mark) holder.after(panel);
  else holder.append(panel);
  await fill(panel);
}
open.count = 0;

function shut(panel, mark) {
  panel.remove();
  mark.removeAttribute("aria-controls");
  mark.setAttribute("aria-expanded", "false");
  mark.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const panel = document.activeElement.closest(".pop.lines") ?? document.getElementById(document.activeElement.getAttribute("aria-controls"));
  if (panel?.matches(".pop.lines")) shut(panel, document.querySelector(`[aria-controls="${panel.id}"]`));
});

async function fill(panel) {
  const [path, range] = panel.dataset.of.split("#"), [first, last] = range.split("-").map(Number);
  const acts = element("div", { className: "acts" }), mark = document.querySelector(`[aria-controls="${panel.id}"]`);
  const facts = element("a", { className: "btn quiet", href: panel.dataset.href, textContent: texts.all });
  const receipt = panel.dataset.receipt ? [element("a", { className: "btn quiet", href: panel.dataset.receipt, rel: "nofollow", textContent: texts.receipt })] : [];
  const ends = [...receipt, facts, button(texts.close, () => shut(panel, mark))];
  let source, found;
  try {
    source = (await sources()).find((s) => s.path === path);
    found = source && await lines(source);
  } catch { /* said below */ }
  const name = source ? named(source) : path;
  const head = element("p", {}, element("b", { textContent: `${name} L${first}${last > first ? `–${last}` : ""}` }));
  if (!found) {
    acts.append(...(source ? [button(texts.choose, choose, "btn")] : []), ...ends);
    return panel.replaceChildren(head, element("p", { textContent: source ? texts.ask(name) : texts.away }), acts);
  }
  head.append(" ", element("span", { className: "soft small", textContent: found.isOwn ? texts.own : texts.served }));
  const list = element("ol", { lang: source.language ?? "" });
  for (let n = Math.max(1, first - AROUND); n <= Math.min(found.text.length, last + AROUND); n++) {
    const isHit = n >= first && n <= last;
    const words = element(isHit ? "mark" : "span", { textContent: found.text[n - 1] });
    list.append(element("li", { className: isHit ? "hit" : "" }, element("span", { textContent: n, "aria-label": texts.line(n) }), words));
  }
  const box = element("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": `${texts.lines} L${first}${last > first ? `–${last}` : ""}` }, list);
  acts.append(...(found.isOwn ? [forgetButton()] : []), ...ends);
  panel.replaceChildren(head, box, acts);
}
