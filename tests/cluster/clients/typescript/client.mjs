// Lists and calls tools with the official TypeScript SDK; prints one JSON line that the end-to-end tests read.
//
// Usage: client.mjs URL MODE. MODE `v1` is the SDK's version 1, which speaks the older era; `legacy`, or a protocol version such
// as 2026-07-28, is its version 2 held to that. The access token comes in TOKEN; without one the SDK must meet the challenge.

const [url, mode] = process.argv.slice(2);
const challenges = [];

/** The runtime's fetch, which is also the SDK's; notes challenges on the way. */
async function fetchAndNote(target, init) {
  const response = await fetch(target, init);
  if (response.status === 401) challenges.push(response.headers.get("www-authenticate") ?? "");
  return response;
}

async function sdk() {
  if (mode === "v1") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return { Client, StreamableHTTPClientTransport, options: {} };
  }
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const negotiation = mode === "legacy" ? "legacy" : { pin: mode };
  return { Client, StreamableHTTPClientTransport, options: { versionNegotiation: { mode: negotiation } } };
}

async function main() {
  const { Client, StreamableHTTPClientTransport, options } = await sdk();
  const token = process.env.TOKEN;
  const requestInit = token ? { headers: { Authorization: `Bearer ${token}` } } : {};
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit, fetch: fetchAndNote });
  const client = new Client({ name: "e2e", version: "1.0.0" }, options);
  try {
    await client.connect(transport);
    const { tools } = await client.listTools();
    const ping = await client.callTool({ name: "ping", arguments: {} });
    const echo = await client.callTool({ name: "echo", arguments: { message: "grüße" } });
    const protocolVersion = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
    await client.close();
    return {
      protocolVersion,
      tools: tools.map((tool) => tool.name).sort(),
      ping: ping.structuredContent,
      echo: echo.structuredContent,
    };
  } catch (error) {
    return { error: `${error.name}: ${error.message}`, challenges };
  }
}

console.log(JSON.stringify(await main()));
