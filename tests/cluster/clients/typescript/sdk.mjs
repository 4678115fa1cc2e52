// The SDK, held to what a run is to speak: MODE `v1` is its version 1, which speaks the older era; `legacy`, or a protocol version
// such as 2026-07-28, is its version 2 held to that.

export async function sdk(mode) {
  if (mode === "v1") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return { Client, StreamableHTTPClientTransport, options: {} };
  }
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const negotiation = mode === "legacy" ? "legacy" : { pin: mode };
  return { Client, StreamableHTTPClientTransport, options: { versionNegotiation: { mode: negotiation } } };
}
