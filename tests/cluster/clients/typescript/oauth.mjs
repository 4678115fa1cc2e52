// Gets its own token with the official TypeScript SDK, lists the tools and calls one; prints one JSON line that tests read.
//
// Usage: oauth.mjs URL MODE CALLS, as client.mjs. Discovery, registration, PKCE and the token request are the SDK's; this script
// stores what it is given and plays the browser of the person whose name and password come in PERSON and PASSWORD.

import { randomUUID } from "node:crypto";

import { signIn } from "./browser.mjs";
import { sdk } from "./sdk.mjs";

const [url, mode, calls] = process.argv.slice(2);

/** Nobody listens there: the browser reads the code out of the redirect itself. */
const REDIRECT = "http://localhost:49152/callback";

/** Every request that was not MCP, and what of it a test looks at. */
const walk = [];

/** The runtime's fetch, which is also the SDK's; notes what passes. */
async function fetchAndNote(target, init) {
  const response = await fetch(target, init);
  const { origin, pathname } = new URL(target);
  const step = { method: init?.method ?? "GET", url: origin + pathname, status: response.status };
  if (response.status === 401) step.challenge = response.headers.get("www-authenticate");
  if (init?.body instanceof URLSearchParams) step.form = shown(init.body);
  if (origin + pathname !== url || response.status === 401) walk.push(step);
  return response;
}

/** Of a form or query, what is no secret. */
function shown(parameters) {
  const public_ = ["grant_type", "response_type", "resource", "scope", "code_challenge_method", "redirect_uri"];
  return Object.fromEntries([...parameters].filter(([name]) => public_.includes(name)));
}

/** Keeps in memory what the SDK gives it, and decides nothing. */
class Store {
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: "e2e",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  state() { return this.sent ??= randomUUID(); }
  redirectToAuthorization(authorization) { this.authorization = authorization; }
}

async function main() {
  const { Client, StreamableHTTPClientTransport, options } = await sdk(mode);
  const authProvider = new Store();
  const connect = async () => {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: fetchAndNote });
    const client = new Client({ name: "e2e", version: "1.0.0" }, options);
    return { transport, client, connected: client.connect(transport) };
  };
  try {
    const first = await connect();
    const refusal = await first.connected.then(() => null, (error) => error);
    if (!authProvider.authorization) throw refusal ?? new Error("no authorization was asked for");
    const arrived = await signIn(authProvider.authorization, REDIRECT, process.env.PERSON, process.env.PASSWORD);
    if (arrived.get("state") !== authProvider.sent) throw new Error("another state came back");
    // Version 2 looks at all of the answer, version 1 takes the code alone.
    await first.transport.finishAuth(mode === "v1" ? arrived.get("code") : arrived);
    await first.client.close();

    const { transport, client, connected } = await connect();
    await connected;
    const { tools } = await client.listTools();
    const results = [];
    for (const call of JSON.parse(calls)) results.push(await client.callTool(call));
    const protocolVersion = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
    await client.close();
    return {
      protocolVersion,
      tools: tools.map((tool) => tool.name).sort(),
      results: results.map((result) => ({ isError: result.isError === true, structured: result.structuredContent ?? null })),
      authorization: shown(authProvider.authorization.searchParams),
      granted: authProvider.saved.scope,
      walk,
    };
  } catch (error) {
    return { error: `${error.name}: ${error.message}`, walk };
  }
}

console.log(JSON.stringify(await main()));
// What the SDK keeps open must not keep the process alive.
process.exit(0);
