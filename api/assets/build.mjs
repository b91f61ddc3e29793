// Builds ../static/vendor from what package-lock.json pins: one ES module per library, its version and its licence.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const out = process.argv[2] ?? new URL("../static/vendor", import.meta.url).pathname;
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const entries = {
  echarts: `
    import { use } from "echarts/core";
    import { BarChart, ScatterChart, LineChart } from "echarts/charts";
    import { GridComponent, TooltipComponent, LegendComponent, DataZoomComponent, AriaComponent } from "echarts/components";
    import { SVGRenderer } from "echarts/renderers";
    use([BarChart, ScatterChart, LineChart, GridComponent, TooltipComponent, LegendComponent, DataZoomComponent, AriaComponent, SVGRenderer]);
    export { init } from "echarts/core";`,
  cytoscape: `
    import cytoscape from "cytoscape";
    import fcose from "cytoscape-fcose";
    cytoscape.use(fcose);
    export default cytoscape;`,
  yasqe: `export { default } from "@zazuko/yasqe";`,
};

const used = new Set();
for (const [name, contents] of Object.entries(entries)) {
  const result = await build({
    stdin: { contents, resolveDir: new URL(".", import.meta.url).pathname, loader: "js" },
    bundle: true, minify: true, format: "esm", target: "es2020", metafile: true, legalComments: "none",
    outfile: `${out}/${name}.js`, logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  for (const path of Object.keys(result.metafile.inputs)) {
    const found = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)?.at(-1);
    if (found) used.add(found.slice("node_modules/".length, -1));
  }
}
cpSync("node_modules/@zazuko/yasqe/build/yasqe.min.css", `${out}/yasqe.css`);

// A bundle that brings its own copies inside says so in its package.json.
for (const name of ["@zazuko/yasqe"]) {
  for (const inner of Object.keys(JSON.parse(readFileSync(`node_modules/${name}/package.json`)).dependencies)) used.add(inner);
}
const packages = [...used].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version, license, homepage } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((f) => /^(licen[cs]e|copying)/i.test(f));
  return { name, version, license, homepage, text: file ? readFileSync(`${folder}/${file}`, "utf8").trim() : "" };
});
writeFileSync(`${out}/LICENSES.txt`, packages.map(({ name, version, license, homepage, text }) =>
  `${name} ${version} (${license})${homepage ? ` ${homepage}` : ""}\n\n${text || "The package has no licence file of its own."}\n`).join(`\n${"-".repeat(80)}\n\n`));
const hash = (file) => createHash("sha256").update(readFileSync(`${out}/${file}`)).digest("hex");
writeFileSync(`${out}/versions.json`, JSON.stringify({
  packages: Object.fromEntries(packages.map(({ name, version, license }) => [name, { version, license }])),
  files: Object.fromEntries(readdirSync(out).sort().map((f) => [f, hash(f)])),
}, null, 1) + "\n");
