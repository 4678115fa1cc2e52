// The reference server "everything": `server.mjs ADDRESS PORT` serves http://ADDRESS:PORT/mcp.
//
// By itself it listens on every address, and one of its tools shows the environment; here it listens where it is told.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, callback) {
  return listen.call(this, { port: Number(port), host: process.argv[2] }, callback);
};
process.env.PORT = process.argv[3];
await import("./node_modules/@modelcontextprotocol/server-everything/dist/transports/streamableHttp.js");
