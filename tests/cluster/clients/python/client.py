"""Lists and calls tools with the official Python SDK; prints one JSON line that the end-to-end tests read.

Usage: client.py URL MODE   (MODE: legacy, or a protocol version such as 2026-07-28)
The access token comes in the environment variable TOKEN; without one the SDK must meet the challenge.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, mode: str) -> dict:
    challenges = []

    async def note_challenge(response: httpx2.Response) -> None:
        if response.status_code == 401:
            challenges.append(response.headers.get("www-authenticate", ""))

    token = os.environ.get("TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx2.Timeout(20)
    hooks = {"response": [note_challenge]}
    try:
        async with httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                tools = await client.list_tools()
                pong = await client.call_tool("ping", {})
                echo = await client.call_tool("echo", {"message": "grüße"})
                return {
                    "protocolVersion": client.protocol_version,
                    "tools": sorted(tool.name for tool in tools.tools),
                    "ping": pong.structured_content,
                    "echo": echo.structured_content,
                }
    except Exception as error:  # noqa: BLE001 - what the SDK raises is what the test reads
        return {"error": f"{type(error).__name__}: {error}", "challenges": challenges}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2]))))
