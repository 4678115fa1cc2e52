// Works in one session of the older era for some time with version 1 of the official TypeScript SDK; prints one JSON line that tests
// read. Lines before it say that the session is open, and which tools it finds each time it heard that they changed. It ends when its
// standard input does, or after its time.
//
// Usage: session.mjs URL SECONDS. The access token comes in TOKEN. It calls `echo` again and again, each time with another message,
// sets the logging level now and then, and leaves the session's stream to the SDK, which reads on by Last-Event-ID when it breaks.
// What fails is tried again for a while, as a client may that knows that its calls can be repeated.

import { setTimeout as sleep } from "node:timers/promises";

import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

import { sdk } from "./sdk.mjs";

const [url, seconds] = process.argv.slice(2);

/** Between two calls, between two tries, and how long one call is tried: all in milliseconds. */
const [PAUSE, RETRY_PAUSE, PERSISTENCE] = [50, 100, 10_000];

const said = { protocolVersion: null, calls: 0, failures: [], retried: {}, streams: [], notifications: 0, levels: 0 };

/** The runtime's fetch, which is also the SDK's; notes each attempt to read a stream of the session, and what came. */
async function fetchAndNote(target, init) {
  if (init?.method !== "GET") return fetch(target, init);
  const stream = { after: new Headers(init.headers).get("last-event-id"), status: null, ids: [] };
  said.streams.push(stream);
  const response = await fetch(target, init);
  stream.status = response.status;
  if (!response.body) return response;
  const body = response.body.pipeThrough(noting(stream.ids));
  return new Response(body, { status: response.status, headers: response.headers });
}

/** Passes a stream's bytes on, and notes the ids of the events in it. */
function noting(ids) {
  const decoder = new TextDecoder();
  let rest = "";
  return new TransformStream({
    transform(piece, controller) {
      controller.enqueue(piece);
      const events = (rest + decoder.decode(piece, { stream: true })).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const id = event.match(/^id: (.+)$/m)?.[1];
        // An event without data is a place in the stream, and no event.
        if (id && /^data: ./m.test(event)) ids.push(id);
      }
    },
  });
}

async function persistently(what) {
  const began = Date.now();
  for (;;) {
    try {
      return await what();
    } catch (error) {
      const words = `${error.name}: ${error.message}`;
      if (Date.now() - began > PERSISTENCE) {
        said.failures.push(words);
        return undefined;
      }
      said.retried[words] = (said.retried[words] ?? 0) + 1;
      await sleep(RETRY_PAUSE);
    }
  }
}

async function main() {
  const { Client, StreamableHTTPClientTransport, options } = await sdk("v1");
  const requestInit = { headers: { Authorization: `Bearer ${process.env.TOKEN}` } };
  // SDK 1.32.2 gives a stream up after two attempts in a row by default.
  const reconnectionOptions = {
    initialReconnectionDelay: 500, maxReconnectionDelay: 2000, reconnectionDelayGrowFactor: 1.5, maxRetries: 10_000,
  };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit, reconnectionOptions, fetch: fetchAndNote });
  const client = new Client({ name: "e2e", version: "1.0.0" }, options);
  let haveToolsChanged = false;
  let ended = false;
  process.stdin.on("end", () => { ended = true; }).resume();
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    said.notifications += 1;
    haveToolsChanged = true;
  });
  await client.connect(transport);
  console.log(JSON.stringify({ begun: true }));
  said.protocolVersion = transport.protocolVersion;
  const canLog = client.getServerCapabilities().logging !== undefined;
  const end = Date.now() + 1000 * Number(seconds);
  while (Date.now() < end && !ended) {
    said.calls += 1;
    const message = `typescript, call ${said.calls}`;
    const timeout = { timeout: PERSISTENCE };
    const result = await persistently(() => client.callTool({ name: "echo", arguments: { message } }, undefined, timeout));
    if (result && result.structuredContent?.message !== message) {
      said.failures.push(`${message} was answered with ${JSON.stringify(result)}`);
    }
    if (canLog && said.calls % 20 === 0) {
      const level = ["info", "warning"][(said.calls / 20) % 2];
      if (await persistently(() => client.setLoggingLevel(level, timeout))) said.levels += 1;
    }
    if (haveToolsChanged) {
      haveToolsChanged = false;
      const listed = await persistently(() => client.listTools(undefined, timeout));
      if (listed) console.log(JSON.stringify({ tools: listed.tools.map((tool) => tool.name) }));
    }
    await sleep(PAUSE);
  }
  await client.close();
}

await main();
console.log(JSON.stringify(said));
// What the SDK keeps open must not keep the process alive.
process.exit(0);
