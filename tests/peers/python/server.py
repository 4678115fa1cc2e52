"""The official Python SDK as a server: `server.py ADDRESS PORT` serves http://ADDRESS:PORT/mcp in every revision it speaks.

`server.py ADDRESS PORT legacy` refuses requests of 2026-07-28 as a server from before would, and keeps sessions.
"""

import sys
from typing import Annotated

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

server = MCPServer("peer-python", version="1")
broken_off = 0


@server.tool()
def echo(message: str) -> str:
    """Answers the message."""
    return message


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


@server.tool()
async def slow(steps: int, milliseconds: int, ctx: Context) -> str:
    """Takes some steps, with a pause before each, and reports progress after each."""
    global broken_off
    try:
        for step in range(steps):
            await anyio.sleep(milliseconds / 1000)
            await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    except anyio.get_cancelled_exc_class():
        broken_off += 1
        raise
    return f"{steps} steps"


@server.tool()
def interrupted() -> int:
    """Says how many calls of slow were broken off."""
    return broken_off


@server.tool()
def fail() -> str:
    """Fails always."""
    raise ValueError("this tool fails always")


class Name(BaseModel):
    name: str


def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


@server.tool()
def greet(user: Annotated[Name, Resolve(ask_name)]) -> str:
    """Asks the user for a name and greets."""
    return f"Hello, {user.name}!"


@server.resource("peer://greeting", name="greeting", description="A greeting", mime_type="text/plain")
def greeting() -> str:
    return "Hello from Python"


@server.resource("peer://square/{number}", name="square", description="A number's square", mime_type="text/plain")
def square(number: str) -> str:
    return str(int(number) ** 2)


@server.prompt(description="Asks for a summary")
def summary(text: str) -> str:
    return f"Summarise: {text}"


def older(app):
    """The application as somebody sees it who never heard of 2026-07-28."""

    async def answer(scope, receive, send):
        if dict(scope.get("headers", [])).get(b"mcp-protocol-version") == b"2026-07-28":
            app_or_refusal = PlainTextResponse("Bad Request: Unsupported protocol version", status_code=400)
        else:
            app_or_refusal = app
        await app_or_refusal(scope, receive, send)

    return answer


address, port = sys.argv[1], int(sys.argv[2])
app = server.streamable_http_app(host=address)
uvicorn.run(older(app) if sys.argv[3:] == ["legacy"] else app, host=address, port=port)
