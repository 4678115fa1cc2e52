"""Calls the tool `ping` once, with a token that it was given and nothing else: `call.py URL HOST`.

The token is the content of the file TOKEN_FILE, as the kubelet renews it, or the value of TOKEN. Prints what came back as one line
of JSON. Ends with an error when there is no answer at all, so that the kubelet starts it again.
"""

import http.client
import json
import os
import sys
import urllib.parse

VERSION = "2026-07-28"

url, host = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
token = os.environ.get("TOKEN")
if token is None:
    with open(os.environ["TOKEN_FILE"], encoding="ascii") as file:
        token = file.read()
meta = {"io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}
body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ping", "arguments": {}, "_meta": meta}}
headers = {
    "Host": host,
    "Authorization": f"Bearer {token}",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "ping",
}
connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=10)
connection.request("POST", url.path, json.dumps(body), headers)
answer = connection.getresponse()
shown = ("www-authenticate", "retry-after")
kept = {name.lower(): value for name, value in answer.getheaders() if name.lower() in shown}
print(json.dumps({"status": answer.status, "headers": kept, "body": answer.read().decode()}))
