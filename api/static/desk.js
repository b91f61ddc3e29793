// The link desk: matches long tables in batches with progress, and supports review by keyboard.
// The table and the decisions are in `work`, which is sent to the server only to create files.
import { element, suggest } from "./site.js";

const choose = document.getElementById("ui-desk-choose");
const PAGE = 100;
const PATIENCE = 5;

/** Fills in the {placeholders} of a text. */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

class Review {
  constructor(form) {
    this.texts = JSON.parse(document.getElementById("ui-desk-texts").textContent);
    this.form = form;
    this.work = JSON.parse(form.elements.work.value);
    this.run = document.getElementById("ui-desk-run");
    this.section = document.getElementById("ui-desk-review");
    this.body = document.querySelector("#ui-desk-rows tbody");
    this.said = document.getElementById("ui-desk-said");
    this.pager = document.getElementById("ui-desk-pager");
    this.found = [];
    this.at = 0;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.match(); });
    document.getElementById("ui-desk-cancel").addEventListener("click", () => this.stop?.abort());
    document.getElementById("ui-desk-filters").addEventListener("change", () => { this.at = 0; this.list(); });
    this.body.addEventListener("change", (event) => this.onChange(event));
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    for (const button of this.pager.querySelectorAll("button")) {
      button.addEventListener("click", () => { this.at += Number(button.dataset.step) * PAGE; this.draw(); this.row(0)?.focus(); });
    }
    document.getElementById("ui-desk-take").addEventListener("submit", (event) => {
      event.preventDefault();
      this.take(event.target, event.submitter);
    });
  }

  say(name, values = {}) {
    this.said.textContent = fill(this.texts[name], values);
  }

  // ---- downloads ----

  /** Downloads a file. If it cannot be made, the page stays as it is, and says why beside the field. */
  async take(form, button) {
    form.elements.work.value = JSON.stringify(this.work);
    this.trouble(form);
    const answer = await fetch(button?.formAction || form.action, {
      method: "POST", body: new FormData(form), headers: { Accept: "text/html" },
    }).catch(() => null);
    if (!answer?.ok) {
      const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page?.querySelector(".problem") ?? page?.querySelector("main");
      this.trouble(form, found?.textContent.trim() || this.texts.failed, found?.dataset.field);
      return;
    }
    const name = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
    const link = element("a", { href: URL.createObjectURL(await answer.blob()), download: decodeURIComponent(name ?? "") });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  trouble(form, text = "", field = "") {
    const box = document.getElementById("ui-desk-problem");
    box.hidden = !text;
    box.textContent = text;
    for (const name of ["subject", "dataset"]) {
      const input = form.elements[name];
      input.toggleAttribute("aria-invalid", name === field);
      if (name === field) {
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-errormessage", box.id);
      }
    }
    if (text) (form.elements[field] ?? box).focus();
  }

  // ---- matching ----

  async match() {
    const { rows } = this.work, size = Number(this.run.dataset.batch), started = new AbortController();
    this.stop?.abort();
    this.stop = started;
    this.choice();
    this.found = [];
    this.work.decisions = rows.map(() => ["", "", "", 0, this.texts.not_matched, ""]);
    this.run.hidden = false;
    this.section.hidden = true;
    const progress = document.getElementById("ui-desk-progress");
    progress.max = rows.length || 1;
    try {
      for (let done = 0; done < rows.length; ) {
        const part = rows.slice(done, done + size);
        const answer = await this.ask(part, started.signal);
        this.work.release ||= answer.release;
        answer.rows.forEach((row, i) => {
          this.found[done + i] = row.candidates;
          this.work.decisions[done + i] = row.decision;
        });
        // Announce progress ten times, not with every batch.
        const tenth = Math.floor((done * 10) / rows.length);
        done += part.length;
        progress.value = done;
        if (Math.floor((done * 10) / rows.length) > tenth) this.say("matching", { done, n: rows.length });
      }
    } catch (error) {
      if (started !== this.stop) return;
      if (error.name !== "AbortError") {
        this.said.textContent = error.message || this.texts.failed;
        if (!this.found.length) { this.run.hidden = true; return; }
      } else this.say("cancelled", { done: this.found.length, n: rows.length });
    }
    if (started !== this.stop) return;
    this.run.hidden = true;
    this.section.hidden = false;
    const counts = this.counts();
    const first = counts.review ? "review" : "all";
    document.querySelector(`#ui-desk-filters input[value=${first}]`).checked = true;
    this.at = 0;
    this.list();
    document.getElementById("ui-desk-review-title").focus();
  }

  choice() {
    const fields = this.form.elements;
    this.work.name = Number(fields.name.value);
    this.work.kind = fields.kind.value;
    this.work.release = "";
    this.work.properties = this.work.columns
      .map((_, n) => [n, fields[`property-${n}`]?.value ?? ""])
      .filter(([, name]) => name);
  }

  async ask(part, signal, patience = PATIENCE) {
    const { name, kind, properties } = this.work;
    const body = { names: part.map((row) => row[name].trim()), kind, properties: {} };
    for (const [n, property] of properties) body.properties[property] = part.map((row) => row[n].trim());
    const answer = await fetch(this.run.dataset.match, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    if (answer.ok) return answer.json();
    if (answer.status === 503 && patience) {
      const seconds = Number(answer.headers.get("Retry-After")) || 2;
      await new Promise((done) => { setTimeout(done, seconds * 1000); });
      signal.throwIfAborted();
      return this.ask(part, signal, patience - 1);
    }
    throw new Error((await answer.json().catch(() => ({}))).detail ?? "");
  }

  // ---- display ----

  group([iri, relation, by, , , told]) {
    return relation ? "matched" : by === "person" || !told ? "none" : "review";
  }

  counts() {
    const counts = { all: this.work.decisions.length, review: 0, matched: 0, none: 0 };
    for (const decision of this.work.decisions) counts[this.group(decision)] += 1;
    return counts;
  }

  /** The rows that match the filter now; a row stays in the list until the filter is set again. */
  list() {
    const show = document.querySelector("#ui-desk-filters input:checked").value;
    this.listed = this.work.decisions.flatMap((decision, n) => (show === "all" || this.group(decision) === show ? [n] : []));
    this.draw();
  }

  draw() {
    const pages = Math.max(1, Math.ceil(this.listed.length / PAGE));
    this.at = Math.min(Math.max(0, this.at), (pages - 1) * PAGE);
    const rows = this.listed.slice(this.at, this.at + PAGE).map((n) => this.make(n));
    if (!rows.length) rows.push(element("tr", {}, element("td", { colSpan: 4, className: "none", textContent: this.texts.empty })));
    this.body.replaceChildren(...rows);
    this.pager.hidden = pages < 2;
    const page = this.at / PAGE + 1;
    this.pager.querySelector("span").textContent = fill(this.texts.page_of, { page, pages });
    const [back, on] = this.pager.querySelectorAll("button");
    [back.disabled, on.disabled] = [page === 1, page === pages];
    this.tell();
  }

  tell() {
    for (const [name, n] of Object.entries(this.counts())) {
      document.querySelector(`#ui-desk-filters [data-count=${name}]`).textContent = n.toLocaleString("en");
    }
  }

  make(n) {
    const decision = this.work.decisions[n], name = this.work.rows[n][this.work.name];
    const yours = element("td", { className: "yours", textContent: name });
    for (const [column] of this.work.properties) yours.append(element("span", { textContent: this.work.rows[n][column] }));
    const candidates = [...(this.found[n] ?? [])];
    if (decision[1] && !candidates.some((c) => c.iri === decision[0])) candidates.push({ iri: decision[0], label: decision[0], score: 0 });
    const list = element("ul", {}, ...candidates.map((c, i) => this.option(n, c, i + 1, decision)), this.option(n, null, 0, decision));
    const close = element("input", { type: "checkbox", checked: decision[1] === "close", className: "close" });
    const part = element("input", { type: "checkbox", checked: decision[1] === "part", className: "part" });
    const more = element("p", { className: "more" },
      element("label", {}, close, ` ${this.texts.close}`), " ",
      element("label", {}, part, ` ${this.texts.part}`), " ",
      element("button", { type: "button", className: "other", textContent: `${this.texts.other}…` }));
    more.querySelector("button").addEventListener("click", () => this.search(n, more));
    return element("tr", { "data-row": n, "data-state": this.group(decision) },
      element("th", { scope: "row", textContent: n + 1 }), yours,
      element("td", {}, element("fieldset", {},
        element("legend", { className: "quiet", textContent: fill(this.texts.choice, { row: n + 1, name }) }), list, more)),
      element("td", { className: "state", textContent: this.state(decision) }));
  }

  option(n, candidate, key, [iri, relation, by]) {
    const chosen = candidate ? relation !== "" && candidate.iri === iri : by === "person" && !relation;
    const input = element("input", { type: "radio", name: `choice-${n}`, value: candidate?.iri ?? "", checked: chosen });
    const label = element("label", {}, input, " ", element("span", { className: "key", textContent: key, "aria-hidden": "true" }), " ");
    const item = element("li", {}, label);
    if (!candidate) {
      label.append(this.found[n]?.length ? this.texts.none : this.texts.no_candidates);
      return item;
    }
    label.append(element("span", { className: "found", textContent: candidate.label }), " ");
    if (candidate.kind_label) label.append(element("span", { className: "type", textContent: candidate.kind_label }), " ");
    if (candidate.score) label.append(element("span", { className: "score", textContent: fill(this.texts.score, { score: Math.round(candidate.score) }) }));
    if (candidate.reason) label.append(element("span", { className: "why", textContent: candidate.reason }));
    if (candidate.href) item.append(" ", element("a", { href: candidate.href, target: "_blank", rel: "noopener", textContent: "↗", "aria-label": candidate.label }));
    return item;
  }

  state([, relation, by, , , told]) {
    if (by) return this.texts[`by_${by}`];
    return told && !relation ? this.texts.to_review : "";
  }

  // ---- decisions ----

  row(i) {
    const row = this.body.children[i];
    return row?.querySelector("input:checked") ?? row?.querySelector("input[type=radio]");
  }

  /** Stores the selection in a row as a person's decision. */
  decide(row) {
    const n = Number(row.dataset.row), picked = row.querySelector("input[type=radio]:checked");
    if (!picked) return "";
    const relation = ["part", "close"].find((name) => row.querySelector(`.${name}`).checked) ?? "exact", [, , , , , told] = this.work.decisions[n];
    const candidate = (this.found[n] ?? []).find((c) => c.iri === picked.value);
    this.work.decisions[n] = picked.value
      ? [picked.value, relation, "person", candidate?.score ?? 0, candidate?.ground ?? "", told]
      : ["", "", "person", 0, "", told];
    row.dataset.state = this.group(this.work.decisions[n]);
    row.querySelector(".state").textContent = this.state(this.work.decisions[n]);
    this.tell();
    const choice = candidate?.label ?? (picked.value || this.texts.none);
    this.say("accepted", { row: n + 1, choice });
    return choice;
  }

  onChange(event) {
    const row = event.target.closest("tr[data-row]");
    if (!row || !event.target.matches("input[type=radio], .close, .part")) return;
    // A row is close to a record or a part of it, not both.
    if (event.target.checked && event.target.type === "checkbox") {
      row.querySelector(event.target.matches(".close") ? ".part" : ".close").checked = false;
    }
    this.decide(row);
  }

  onKey(event) {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.matches("input:not([type=radio], [type=checkbox])")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const key = event.key.toLowerCase(), at = [...this.body.children].indexOf(row);
    if (key === "j" || key === "k") this.go(at + (key === "j" ? 1 : -1));
    else if (/^[0-9]$/.test(key)) this.pick(row, Number(key));
    else if (key === "c" || key === "p") row.querySelector(key === "c" ? ".close" : ".part").click();
    else if (key === "/") row.querySelector(".other")?.click();
    else if (key === "enter" && !event.target.matches("a, button")) { this.decide(row); this.go(at + 1); }
    else return;
    event.preventDefault();
  }

  pick(row, key) {
    const options = [...row.querySelectorAll("input[type=radio]")];
    const option = key === 0 ? options.at(-1) : options.slice(0, -1)[key - 1];
    if (!option) return;
    option.checked = true;
    option.focus();
    this.decide(row);
  }

  /** Moves to a row of this page, or past its end to the next page. */
  go(i) {
    if (i >= this.body.children.length && this.at + PAGE < this.listed.length) {
      this.at += PAGE;
      this.draw();
      i = 0;
    } else if (i < 0 && this.at > 0) {
      this.at -= PAGE;
      this.draw();
      i = this.body.children.length - 1;
    }
    this.row(Math.min(Math.max(0, i), this.body.children.length - 1))?.focus();
  }

  /** Replaces the button by a field that searches for another record. */
  search(n, more) {
    const url = new URL(this.run.dataset.suggest, location.href);
    if (this.work.kind) url.searchParams.set("kind", this.work.kind);
    const field = element("input", { id: `ui-desk-other-${n}`, autocomplete: "off", "aria-label": fill(this.texts.other_label, { row: n + 1 }) });
    field.dataset.suggest = url.href;
    more.querySelector("button").replaceWith(field);
    suggest(field, (s) => {
      this.found[n] = [...(this.found[n] ?? []).filter((c) => c.iri !== s.iri), { ...s, score: 0, reason: "", ground: "" }];
      const [, , , , , told] = this.work.decisions[n];
      this.work.decisions[n] = [s.iri, "exact", "person", 0, "", told];
      const row = this.make(n);
      this.body.querySelector(`tr[data-row="${n}"]`).replaceWith(row);
      row.querySelector("input:checked").focus();
      this.decide(row);
    });
    field.focus();
  }
}

if (choose) new Review(choose);
