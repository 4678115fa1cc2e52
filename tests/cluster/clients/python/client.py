"""Lists and calls tools with the official Python SDK; prints one JSON line that the end-to-end tests read.

Usage: client.py URL MODE CALLS   (MODE: auto, legacy, or a protocol version such as 2026-07-28)
CALLS is a JSON array of {"name", "arguments"}. The access token comes in the environment variable TOKEN; without one, or
with one that lacks a scope, the SDK must meet the challenge.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, mode: str, calls: list[dict]) -> dict:
    challenges = []

    async def note_challenge(response: httpx2.Response) -> None:
        if response.status_code in (401, 403):
            challenges.append(f"{response.status_code} {response.headers.get('www-authenticate', '')}")

    token = os.environ.get("TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx2.Timeout(20)
    hooks = {"response": [note_challenge]}
    try:
        async with httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks=hooks) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                tools = await client.list_tools()
                results = [await client.call_tool(call["name"], call["arguments"]) for call in calls]
                return {
                    "protocolVersion": client.protocol_version,
                    "tools": sorted(tool.name for tool in tools.tools),
                    "results": [
                        {
                            "isError": bool(result.is_error),
                            "text": next((block.text for block in result.content if block.type == "text"), None),
                            "structured": result.structured_content,
                        }
                        for result in results
                    ],
                }
    except Exception as error:  # noqa: BLE001 - what the SDK raises is what the test reads
        return {"error": f"{type(error).__name__}: {error}", "challenges": challenges}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))))
