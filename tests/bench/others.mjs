// SPDX-License-Identifier: Apache-2.0
//
// Servers that people know, where they are installed: h2o and nginx, each as one process with one thread and without a
// log. They cannot say which port they got, so each is given one that was free a moment ago.

import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { cert, dir, isThere, key, startForeign } from "./programs.mjs";

const FILES = { "12": "hello world\n", "1024": "x".repeat(1024) };

// A directory with the files 12.txt and 1024.txt, which have so many octets.
export function makeFiles() {
  const www = path.join(dir, "www");
  mkdirSync(www, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(path.join(www, `${name}.txt`), text);
  return www;
}

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
    `hosts:\n  default:\n    paths:\n      /:\n        file.dir: ${makeFiles()}\n`);
  return startForeign("h2o", ["-c", file], port);
}

async function startNginx(tls) {
  const port = await freePort();
  const file = path.join(dir, "nginx.conf");
  writeFileSync(file, "daemon off; master_process off; error_log stderr crit;\n" +
    `pid ${path.join(dir, "nginx.pid")};\nevents { worker_connections 4096; }\n` +
    `http { access_log off; keepalive_requests 1000000000; server { root ${makeFiles()};\n` +
    `  listen 127.0.0.1:${port} ${tls ? "ssl " : ""}http2; http2_max_concurrent_streams 128;\n` +
    (tls ? `  ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;\n` : "") + "} }\n");
  return startForeign("nginx", ["-c", file, "-p", dir], port);
}

// By name: called with whether it is to speak TLS.
export const others = Object.fromEntries(Object.entries({ h2o: startH2o, nginx: startNginx }).filter(([name]) => isThere(name)));
