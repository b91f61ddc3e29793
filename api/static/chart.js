// Draws a chart above every table with a data-chart attribute: bars, timelines and networks. The table is kept.
// The script blocks rendering to reserve space for the charts; the libraries are loaded afterwards.
import { element } from "./site.js";

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const ja = document.documentElement.lang === "ja";

/** The rows of a table as objects by column, with the displayed text and the value. */
export function rows(table) {
  const columns = [...table.tHead.rows[0].cells].map((c) => c.dataset.column);
  return [...table.tBodies[0].rows].map((row) => Object.fromEntries([...row.cells].map((cell, i) => {
    const data = cell.querySelector("data, time");
    const link = cell.querySelector("a");
    const shown = (data ?? link ?? cell).textContent.trim();
    return [columns[i], { shown, value: data?.value ?? data?.dateTime ?? shown, href: link?.href, empty: !cell.hasChildNodes() }];
  })));
}

/** Formats numbers on axes like the table does: in 億 or millions of the currency for amounts. */
function formatter(sample) {
  const [, name] = /\d[億万]?([^\d億万.,]+)$/.exec(ja ? sample : "") ?? [];
  if (name) return (n) => (n === 0 ? "0" : Math.abs(n) >= 1e8 ? `${n / 1e8}億${name}` : `${n / 1e4}万${name}`);
  const [, sign] = /^−?(\p{Sc}|[A-Z]{3} )[\d.,]/u.exec(sample) ?? [];
  if (sign) return (n) => (n === 0 ? "0" : `${sign}${(n / 1e6).toLocaleString("en")} million`);
  return (n) => n.toLocaleString(document.documentElement.lang);
}

const colours = () => ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"].map(style);

/** Marks rows whose `note` differs from the value of `unless`. */
const isMarked = (row, { note, unless }) => Boolean(note && row[note] && !row[note].empty && !row[note].href?.split("?")[0].endsWith(unless));

function bars(rows, hint) {
  const { x, y, series } = hint;
  // Without series each row has its own bar, even if rows have the same name.
  const data = series ? rows : rows.map((r, i) => ({ ...r, [x]: { ...r[x], shown: r[x].shown + "\u200b".repeat(rows.slice(0, i).filter((o) => o[x].shown === r[x].shown).length) } }));
  const categories = [...new Set(data.map((r) => r[x].shown))];
  const groups = series ? [...new Set(data.map((r) => [].concat(series).map((s) => r[s].shown).join(" ")))] : [""];
  const format = formatter(data[0][y].shown);
  const flat = categories.length > 4 || categories.some((c) => c.length > 12);
  const category = { type: "category", data: categories, inverse: flat, axisTick: { show: false },
    axisLabel: { color: style("--ink"), width: innerWidth < 640 ? 100 : flat ? 230 : 150, overflow: "break", interval: 0 }, axisLine: { lineStyle: { color: style("--line") } } };
  // Things that are counted have no halves.
  const isWhole = data.every((r) => Number.isInteger(Number(r[y].value)));
  const measure = { type: "value", minInterval: isWhole ? 1 : undefined, axisLabel: { color: style("--soft"), formatter: format, hideOverlap: true }, splitLine: { lineStyle: { color: style("--line") } } };
  const height = flat ? Math.max(180, categories.length * (groups.length > 1 ? groups.length * 14 + 16 : 30) + 90) : 340;
  return { height, option: {
    // Leave room for the value beside the longest bar.
    grid: { left: 8, right: flat && innerWidth < 640 ? 6 * Math.max(...data.map((r) => r[y].shown.length)) : 28, top: groups.length > 1 ? 56 : 16, bottom: 8, containLabel: true },
    legend: groups.length > 1 ? { top: 0, type: "scroll", textStyle: { color: style("--ink") } } : undefined,
    tooltip: { trigger: "item", valueFormatter: format, confine: true },
    xAxis: flat ? measure : category, yAxis: flat ? category : measure,
    series: groups.map((name) => ({
      name, type: "bar", barMaxWidth: 34, label: { show: data.length <= 24, position: flat ? "right" : "top", color: style("--ink"), formatter: (p) => (p.value == null ? "" : `${p.data.marked ? "≈ " : ""}${format(p.value)}`) },
      labelLayout: { hideOverlap: true },
      data: categories.map((c) => {
        const found = data.filter((r) => r[x].shown === c && (!series || [].concat(series).map((s) => r[s].shown).join(" ") === name));
        // Duplicate rows must not be added up; the query computes sums where they are meaningful.
        return found.length ? { value: Number(found[0][y].value), marked: isMarked(found[0], hint) } : null;
      }),
    })),
  } };
}

/** The first and the last moment of a day, month or year: what is known of a date is as long as it is precise. */
export function period(text) {
  const [year, month, day] = text.split("-").map(Number);
  const from = Date.UTC(year, month ? month - 1 : 0, day || 1);
  return [from, day ? from : month ? Date.UTC(year, month, 1) - 1 : Date.UTC(year + 1, 0, 1) - 1];
}

function timeline(data, { x, y, series, lane }) {
  const byDate = (a, b) => period(a[x].value)[0] - period(b[x].value)[0] || period(a[x].value)[1] - period(b[x].value)[1];
  let dated = data.filter((r) => !r[x].empty).sort(byDate);
  // Lanes in the order of the table, each below a line with its name.
  if (lane) dated = [...new Set(data.map((r) => r[lane].shown))].flatMap((name) => [{ heading: name }, ...dated.filter((r) => r[lane].shown === name)]);
  const entries = dated.map((r, i) => [r, i]).filter(([r]) => !r.heading);
  const groups = series ? [...new Set(entries.map(([r]) => r[series].shown))] : [""];
  const narrow = innerWidth < 640;
  const of = (r) => (series ? r[series].shown : "");
  const isDay = (r) => r[x].value.length > 7;
  const item = (r) => ({ when: r[x].shown, title: r[y].shown, href: r[y].href });
  return { height: Math.max(160, dated.length * 26 + 100), option: {
    grid: { left: 8, right: narrow ? 12 : 24, top: series ? 60 : 24, bottom: 8, containLabel: true },
    legend: series ? { top: 0, textStyle: { color: style("--ink") } } : undefined,
    tooltip: { trigger: "item", confine: true, formatter: (p) => `${p.data.when} ${p.data.title}` },
    xAxis: { type: "time", position: "top", axisLabel: { color: style("--soft"), hideOverlap: true, formatter: "{yyyy}" }, minInterval: 365 * 864e5, splitLine: { show: true, lineStyle: { color: style("--line") } } },
    yAxis: { type: "category", inverse: true, data: dated.map((_, i) => i), axisTick: { show: false }, axisLine: { show: false },
      axisLabel: { color: style("--ink"), interval: 0, width: narrow ? 170 : 420, overflow: "truncate", rich: { lane: { fontWeight: "bold", fontSize: 14, color: style("--ink") } },
        formatter: (i) => (dated[i].heading ? `{lane|${dated[i].heading}}` : `${dated[i][x].shown}  ${dated[i][y].shown}`) } },
    series: [
      ...groups.map((name, n) => ({ name, type: "scatter", symbolSize: 13, itemStyle: { color: colours()[n % 6] },
        data: entries.filter(([r]) => of(r) === name && isDay(r)).map(([r, i]) => ({ ...item(r), value: [period(r[x].value)[0], i] })) })),
      ...entries.filter(([r]) => !isDay(r)).map(([r, i]) => {
        const color = colours()[groups.indexOf(of(r)) % 6];
        return { name: of(r), type: "line", symbol: "rect", symbolSize: [3, 12], triggerLineEvent: true, lineStyle: { width: 10, color, opacity: 0.55 }, itemStyle: { color },
          data: period(r[x].value).map((when) => ({ ...item(r), value: [when, i] })) };
      }),
    ],
  } };
}

async function picture(place, data, hint) {
  const { option, height } = (hint.type === "timeline" ? timeline : bars)(data, hint);
  place.style.height = `${height}px`;
  const { init } = await import("./vendor/echarts.js");
  const chart = init(place, null, { renderer: "svg" });
  chart.setOption({ color: colours(), textStyle: { fontFamily: style("--sans") }, animation: !still, aria: { enabled: false }, ...option });
  chart.on("click", (p) => { if (p.data?.href) location.href = p.data.href; });
  new ResizeObserver(() => chart.resize()).observe(place);
}

/** Draws a network: `source` and `target` are the columns of the ends, by default the first two with links. */
async function network(place, data, hint) {
  // Phones have no room for the labels of links, which are in the table.
  const columns = Object.keys(data[0]), isNarrow = place.clientWidth < 640;
  const [source, target] = hint.source ? [hint.source, hint.target] : columns.filter((c) => data.some((r) => r[c].href));
  place.style.height = `${Math.min(720, 320 + data.length * 14)}px`;
  const { default: cytoscape } = await import("./vendor/cytoscape.js");
  const nodes = new Map();
  for (const row of data) for (const c of [source, target]) if (row[c]?.href) nodes.set(row[c].href, row[c].shown);
  const edges = data.filter((r) => r[source]?.href && r[target]?.href)
    .map((r) => ({ data: { source: r[source].href, target: r[target].href, label: hint.label ? r[hint.label]?.shown : "" } }));
  const graph = cytoscape({
    container: place, elements: [...[...nodes].map(([id, label]) => ({ data: { id, label } })), ...edges],
    style: [
      { selector: "node", style: { label: "data(label)", "background-color": style("--accent"), color: style("--ink"), "font-size": 12, "font-family": style("--sans"), "text-wrap": isNarrow ? "ellipsis" : "wrap", "text-max-width": isNarrow ? 150 : 130, "text-valign": "bottom", "text-margin-y": 4, width: 18, height: 18, "text-background-color": style("--paper"), "text-background-opacity": 0.8 } },
      { selector: "edge", style: { label: isNarrow ? "" : "data(label)", "font-size": 10, color: style("--soft"), width: 1.5, "line-color": style("--soft"), "target-arrow-color": style("--soft"), "target-arrow-shape": "triangle", "curve-style": "bezier" } },
    ],
    layout: { name: "fcose", animate: false, nodeSeparation: 130, idealEdgeLength: 110 },
    minZoom: 0.2, maxZoom: 3, userZoomingEnabled: false,
  });
  graph.on("tap", "node", (event) => { location.href = event.target.id(); });
}

/** Draws links from the records on the left to those on the right, each once on its side, so that no label is covered. */
function sides(place, data, { source, target, label }) {
  const rows = data.filter((r) => r[source]?.href && r[target]?.href), step = 30;
  const [left, right] = [source, target].map((c) => [...new Map(rows.map((r) => [r[c].href, r[c].shown]))]);
  const height = Math.max(left.length, right.length) * step + 20;
  const at = (list, href) => 20 + (list.findIndex(([h]) => h === href) + 0.5) * ((height - 20) / list.length);
  const node = (name, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  const short = (text, most = 30) => { let width = 0; for (let i = 0; i < text.length; i += 1) { width += text.charCodeAt(i) < 0x2e80 ? 0.55 : 1; if (width > most) return `${text.slice(0, i)}…`; } return text; };
  const svg = node("svg", { viewBox: `0 0 1100 ${height}`, "font-size": 14, fill: style("--ink") });
  for (const r of rows) {
    const [y1, y2] = [at(left, r[source].href), at(right, r[target].href)];
    const line = node("path", { d: `M456 ${y1}C560 ${y1} 540 ${y2} 640 ${y2}`, fill: "none", stroke: style("--accent"), "stroke-width": 1.5, "stroke-opacity": 0.7 });
    line.append(node("title", {}, `${r[source].shown} → ${r[target].shown}${label ? ` (${r[label]?.shown})` : ""}`));
    svg.append(line);
  }
  for (const [list, x, anchor, dot] of [[left, 446, "end", 456], [right, 652, "start", 640]]) {
    for (const [href, name] of list) {
      const link = node("a", { href }), y = at(list, href);
      link.append(node("title", {}, name), node("circle", { cx: dot, cy: y, r: 4, fill: style("--accent") }),
        node("text", { x, y: y + 5, "text-anchor": anchor }, short(name)));
      svg.append(link);
    }
  }
  place.setAttribute("role", "group");
  place.append(svg);
}

/** Draws a table; `hint` is {type: bar|timeline|graph, x, y, series, lane, note, unless, source, target, label, layout}. */
export async function draw(table, hint = JSON.parse(table.dataset.chart)) {
  const data = rows(table), isTwoSided = hint.type === "graph" && hint.layout === "layers";
  // The labels of both sides do not fit on a phone, which has the table.
  if (!data.length || (isTwoSided && innerWidth < 640)) return;
  const figure = document.createElement("figure");
  figure.className = "chart";
  const place = document.createElement("div");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `${ja ? "図：" : "Chart: "}${table.caption?.textContent ?? document.querySelector("h1").textContent}${ja ? "（内容は下の表と同じ）" : " (the same as the table below)"}`);
  figure.append(place);
  const undated = hint.type === "timeline" ? data.filter((row) => row[hint.x].empty).length : 0;
  if (undated) figure.append(element("figcaption", { textContent: ja ? `日付の記載がない${undated}件は表だけにあります。` : `${undated} without a date are only in the table.` }));
  const notes = new Set(data.filter((row) => isMarked(row, hint)).map((row) => row[hint.note].shown));
  if (notes.size) figure.append(element("figcaption", { textContent: `≈ ${[...notes].join(ja ? "、" : ", ")}` }));
  table.closest(".scroll").before(figure);
  await (isTwoSided ? sides : hint.type === "graph" ? network : picture)(place, data, hint);
  figure.dataset.drawn = "true";
  return figure;
}

/** Saves a drawing as it is, with its own colours, or as pixels of twice its size. */
async function save(svg, kind, name) {
  const copy = svg.cloneNode(true), { width, height } = svg.viewBox.baseVal?.width ? svg.viewBox.baseVal : svg.getBoundingClientRect();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("font-family", "Noto Sans JP, sans-serif");
  copy.removeAttribute("class");
  const text = new XMLSerializer().serializeToString(copy);
  let file = new Blob([text], { type: "image/svg+xml" });
  if (kind === "png") {
    const picture = new Image(), canvas = document.createElement("canvas");
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await picture.decode();
    Object.assign(canvas, { width: width * 2, height: height * 2 });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    file = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
  const link = element("a", { href: URL.createObjectURL(file), download: `${name}.${kind}` });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Shows the buttons below a chart that has a drawing. */
function offerToSave(section) {
  const svg = section?.querySelector("svg.fig-svg, .chart svg"), tools = section?.querySelector("[data-figure-tools]");
  if (!svg || !tools) return;
  for (const button of tools.querySelectorAll("[data-save]")) {
    button.hidden = false;
    button.addEventListener("click", () => save(svg, button.dataset.save, tools.dataset.figureTools));
  }
}

for (const table of document.querySelectorAll("table[data-chart]")) draw(table).then(() => offerToSave(table.closest("section")));
for (const figure of document.querySelectorAll("figure[data-figure]")) offerToSave(figure);
