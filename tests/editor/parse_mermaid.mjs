// Reads a JSON list of Mermaid texts from the standard input; prints what Mermaid says against each, null where nothing.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { text } from "node:stream/consumers";

const required = createRequire(`${process.argv[2]}/`);
const { JSDOM } = required("jsdom");
globalThis.window = new JSDOM("").window; // Mermaid cleans its labels with what a browser has
globalThis.document = window.document;
const { default: mermaid } = await import(pathToFileURL(required.resolve("mermaid")));

const found = [];
for (const graph of JSON.parse(await text(process.stdin))) {
  found.push(await mermaid.parse(graph).then(() => null, (error) => error.message));
}
process.stdout.write(JSON.stringify(found));
