"""Works in one session of the older era for some time with the official Python SDK; prints one JSON line that tests read.

Lines before it say that the session is open, and which tools it finds each time it heard that they changed. It ends when its standard
input does, or after its time. Usage: session.py URL SECONDS. The access token comes in the environment variable TOKEN. It calls `echo` again and again, each time
with another message, sets the logging level now and then, and leaves the session's stream to the SDK, which reads on by
Last-Event-ID when it breaks. What fails is tried again for a while, as a client may that knows that its calls can be repeated.
"""

import asyncio
import collections
import json
import os
import sys
import threading
import time

import httpx2
import mcp.client.streamable_http as transport
from mcp.client import Client

# SDK 2.3.0 gives a stream up at its second break in all, since only an orderly end sets its counter back.
transport.MAX_RECONNECTION_ATTEMPTS = 10_000

# Between two calls, between two tries, and how long one call is tried: all in seconds.
PAUSE, RETRY_PAUSE, PERSISTENCE = 0.05, 0.1, 10


class Noted(httpx2.AsyncByteStream):
    """A stream's body that notes the ids of the events that pass."""

    def __init__(self, body: httpx2.AsyncByteStream, ids: list[str]) -> None:
        self.body, self.ids = body, ids

    async def __aiter__(self):
        rest = b""
        async for piece in self.body:
            yield piece
            *events, rest = (rest + piece).split(b"\n\n")
            for event in events:
                fields = dict(line.split(": ", 1) for line in event.decode().split("\n") if ": " in line)
                # An event without data is a place in the stream, and no event.
                if fields.get("id") and fields.get("data"):
                    self.ids.append(fields["id"])

    async def aclose(self) -> None:
        await self.body.aclose()


class Noting(httpx2.AsyncHTTPTransport):
    """The SDK's transport, which notes each attempt to read a stream of the session."""

    streams: list[dict] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            return await super().handle_async_request(request)
        stream = {"after": request.headers.get("last-event-id"), "status": None, "ids": []}
        self.streams.append(stream)
        response = await super().handle_async_request(request)
        stream["status"] = response.status_code
        response.stream = Noted(response.stream, stream["ids"])
        return response


async def main(url: str, seconds: float) -> dict:
    calls, failures, retried, notifications, levels = 0, [], collections.Counter(), 0, 0
    have_tools_changed = False
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()

    async def note(message) -> None:
        nonlocal notifications, have_tools_changed
        notifications += 1
        have_tools_changed = True

    async def persistently(what):
        began = time.monotonic()
        while True:
            try:
                return await asyncio.wait_for(what(), PERSISTENCE)
            except Exception as error:  # noqa: BLE001 - what the SDK raises is what the test reads
                words = f"{type(error).__name__}: {error}"
                if time.monotonic() - began > PERSISTENCE:
                    failures.append(words)
                    return None
                retried[words] += 1
                await asyncio.sleep(RETRY_PAUSE)

    noting = Noting()
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(20, read=120), transport=noting) as http:
        connection = transport.streamable_http_client(url, http_client=http)
        async with Client(connection, mode="legacy", message_handler=note) as client:
            print(json.dumps({"begun": True}), flush=True)
            end = time.monotonic() + seconds
            can_log = client.server_capabilities.logging is not None
            while time.monotonic() < end and not ended.is_set():
                calls += 1
                message = f"python, call {calls}"
                result = await persistently(lambda: client.call_tool("echo", {"message": message}))
                if result is not None and (result.structured_content or {}).get("message") != message:
                    failures.append(f"{message} was answered with {result}")
                if can_log and calls % 20 == 0:
                    level = ("info", "warning")[calls // 20 % 2]
                    levels += await persistently(lambda: client.set_logging_level(level)) is not None
                if have_tools_changed:
                    have_tools_changed = False
                    listed = await persistently(client.list_tools)
                    if listed is not None:
                        print(json.dumps({"tools": [tool.name for tool in listed.tools]}), flush=True)
                await asyncio.sleep(PAUSE)
            version = client.protocol_version
    return {
        "protocolVersion": version,
        "calls": calls,
        "failures": failures,
        "retried": retried,
        "streams": noting.streams,
        "notifications": notifications,
        "levels": levels,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], float(sys.argv[2])))))
