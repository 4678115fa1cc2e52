// Lists and calls tools with the official TypeScript SDK; prints one JSON line that the end-to-end tests read.
//
// Usage: client.mjs URL MODE CALLS. MODE `v1` is the SDK's version 1, which speaks the older era; `legacy`, or a protocol
// version such as 2026-07-28, is its version 2 held to that. CALLS is a JSON array of {"name", "arguments"}. The access token
// comes in TOKEN; without one, or with one that lacks a scope, the SDK must meet the challenge.

import { sdk } from "./sdk.mjs";

const [url, mode, calls] = process.argv.slice(2);
const challenges = [];

/** The runtime's fetch, which is also the SDK's; notes challenges on the way. */
async function fetchAndNote(target, init) {
  const response = await fetch(target, init);
  if ([401, 403].includes(response.status)) {
    challenges.push(`${response.status} ${response.headers.get("www-authenticate") ?? ""}`);
  }
  return response;
}

async function main() {
  const { Client, StreamableHTTPClientTransport, options } = await sdk(mode);
  const token = process.env.TOKEN;
  const requestInit = token ? { headers: { Authorization: `Bearer ${token}` } } : {};
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit, fetch: fetchAndNote });
  const client = new Client({ name: "e2e", version: "1.0.0" }, options);
  try {
    await client.connect(transport);
    const { tools } = await client.listTools();
    const results = [];
    for (const call of JSON.parse(calls)) results.push(await client.callTool(call));
    const protocolVersion = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
    return {
      protocolVersion,
      tools: tools.map((tool) => tool.name).sort(),
      results: results.map((result) => ({
        isError: result.isError === true,
        text: result.content.find((block) => block.type === "text")?.text ?? null,
        structured: result.structuredContent ?? null,
      })),
    };
  } catch (error) {
    return { error: `${error.name}: ${error.message}`, challenges };
  } finally {
    // Its stream would keep the process alive.
    await client.close();
  }
}

console.log(JSON.stringify(await main()));
