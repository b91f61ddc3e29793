// Runs Comunica for the tests: a SPARQL query over sources, the answer as JSON lines on standard output.
// node comunica.mjs QUERY SOURCE…
import { QueryEngine } from "@comunica/query-sparql";

const [text, ...sources] = process.argv.slice(2);
const result = await new QueryEngine().query(text, { sources });
const named = (term) => ({ type: term.termType, value: term.value, language: term.language || undefined });

if (result.resultType === "boolean") {
  console.log(JSON.stringify(await result.execute()));
} else if (result.resultType === "bindings") {
  for await (const row of await result.execute()) {
    console.log(JSON.stringify(Object.fromEntries([...row].map(([name, term]) => [name.value, named(term)]))));
  }
} else {
  for await (const quad of await result.execute()) {
    console.log(JSON.stringify([quad.subject, quad.predicate, quad.object].map(named)));
  }
}
