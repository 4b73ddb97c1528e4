// SPDX-License-Identifier: Apache-2.0
//
// Row "files": server CPU for 100,000 GETs of one file, against the servers that people know, where they are
// installed: h2o and nginx, each with one thread and without a log. They cannot say which port they got, so each is
// given one that was free a moment ago.

import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { cert, dir, isThere, key, startForeign, startWorker, stopAll } from "./programs.mjs";
import { cpuOf, interleave, medians, quick, ratio, result } from "./measure.mjs";
import { h2load } from "./requests.mjs";

const REQUESTS = quick ? 20000 : 100000;
const FILES = { "12": "hello world\n", "1024": "x".repeat(1024) };
const COLUMNS = [{ tls: true, body: "12" }, { tls: true, body: "1024" }, { tls: false, body: "12" }];
const www = path.join(dir, "www");

async function freePort() {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => listener.on("listening", resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

async function startH2o(tls) {
  const port = await freePort();
  const file = path.join(dir, "h2o.conf");
  writeFileSync(file, `num-threads: 1\nuser: ${process.getuid() === 0 ? "root" : process.env.USER}\n` +
    `listen:\n  host: 127.0.0.1\n  port: ${port}\n` +
    (tls ? `  ssl:\n    certificate-file: ${cert}\n    key-file: ${key}\n` : "") +
    `hosts:\n  default:\n    paths:\n      /:\n        file.dir: ${www}\n`);
  return startForeign("h2o", ["-c", file], port);
}

async function startNginx(tls) {
  const port = await freePort();
  const file = path.join(dir, "nginx.conf");
  writeFileSync(file, "daemon off; master_process off; error_log stderr crit;\n" +
    `pid ${path.join(dir, "nginx.pid")};\nevents { worker_connections 4096; }\n` +
    `http { access_log off; keepalive_requests 1000000000; server { root ${www};\n` +
    `  listen 127.0.0.1:${port} ${tls ? "ssl " : ""}http2; http2_max_concurrent_streams 128;\n` +
    (tls ? `  ssl_certificate ${cert}; ssl_certificate_key ${key};\n` : "") + "} }\n");
  return startForeign("nginx", ["-c", file, "-p", dir], port);
}

async function column({ tls, body }, peers) {
  const start = { h2o: startH2o, nginx: startNginx };
  const servers = [await startWorker({ tls, app: `static:${www}` })];
  for (const peer of peers) servers.push(await start[peer](tls));
  const measure = (server) => async () => {
    const load = { tls, clients: 100, streams: 10, requests: REQUESTS, path: `/${body}.txt` };
    return await cpuOf(server, () => h2load(server.port, load)) * 100000 / REQUESTS;
  };
  const values = await interleave(Object.fromEntries(servers.map((server) => [server.name, measure(server)])));
  await stopAll(servers);
  const note = medians(values, " s");
  return peers.map((peer) => result(`${tls ? "TLS" : "h2c"} ${body} B, 100 x 10: CPU against ${peer}`,
    ratio(values["h2sess-worker"], values[peer]), { atMost: 1, note }));
}

async function files() {
  const peers = ["h2o", "nginx"].filter(isThere);
  const results = [];
  if (!peers.length) return [result("neither h2o nor nginx is installed", 0, {})];
  mkdirSync(www, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(path.join(www, `${name}.txt`), text);
  for (const each of COLUMNS) results.push(...await column(each, peers));
  return results;
}

export const rows = [{ name: "files", measure: files }];
