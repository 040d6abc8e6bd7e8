// An imitation of model APIs, which prints its address. What a model answers stands in the first line of stdin, as JSON:
// prompt -> fixture. Before it stands a relay that sends every answer on in pieces of three bytes, so that characters and
// lines are cut anywhere.

import { createServer, request } from "node:http";
import { createInterface } from "node:readline";
import { LLMock } from "@copilotkit/aimock";

const PIECE = 3;
console.warn = console.info = () => {};

const line = await new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve));
const mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
for (const [prompt, { response, ...options }] of Object.entries(JSON.parse(line))) {
  mock.onMessage(prompt, response, options);
}
await mock.start();

const relay = createServer((asked, answer) => {
  const to = new URL(asked.url, mock.url);
  const onward = request(to, { method: asked.method, headers: asked.headers }, (answered) => {
    answer.writeHead(answered.statusCode, answered.headers);
    answer.flushHeaders();
    answered.on("data", (data) => {
      for (let at = 0; at < data.length; at += PIECE) answer.write(data.subarray(at, at + PIECE));
    });
    answered.on("end", () => answer.end());
    answered.on("error", () => answer.destroy());
  });
  onward.on("error", () => answer.destroy());
  answer.on("close", () => onward.destroy());
  asked.pipe(onward);
}).listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${relay.address().port}`));
