// SPDX-License-Identifier: Apache-2.0
//
// Rows "requests": server CPU for 100,000 GETs by h2load, against bare.

import { load, startPeer, startWorker, stopAll } from "./programs.mjs";
import { cpuOf, interleave, medians, quick, ratio, result } from "./measure.mjs";

const REQUESTS = quick ? 20000 : 100000;
const TARGET = 1.1;

const COLUMNS = [
  { tls: true, body: 12, clients: 100, streams: 10 },
  { tls: true, body: 1024, clients: 100, streams: 10 },
  { tls: true, body: 12, clients: 1, streams: 100 },
  { tls: false, body: 12, clients: 100, streams: 10 },
  { tls: false, body: 1024, clients: 100, streams: 10 },
  { tls: false, body: 12, clients: 1, streams: 100 },
];

export async function h2load(port, { tls, clients, streams, requests = REQUESTS, args = [], path = "/" }) {
  const text = await load("h2load", ["-n", String(requests), "-c", String(clients), "-m", String(streams), ...args,
    `${tls ? "https" : "http"}://127.0.0.1:${port}${path}`]);
  const good = Number(/(\d+) 2xx/.exec(text)?.[1]);
  if (good !== requests) throw new Error(`h2load: ${good} of ${requests} requests were answered well\n${text}`);
}

async function column({ tls, body, clients, streams }) {
  const servers = [await startWorker({ tls, body }), await startPeer("bare", [String(body)], tls)];
  const measure = (server) => async () =>
    await cpuOf(server, () => h2load(server.port, { tls, clients, streams })) * 100000 / REQUESTS;
  const values = await interleave(Object.fromEntries(servers.map((server) => [server.name, measure(server)])));
  await stopAll(servers);
  const what = `${tls ? "TLS" : "h2c"} ${body} B, ${clients} x ${streams}: CPU against bare`;
  return result(what, ratio(values["h2sess-worker"], values.bare), { atMost: TARGET, note: medians(values, " s") });
}

export const rows = [{
  name: "requests",
  measure: async () => {
    const results = [];
    for (const each of COLUMNS) results.push(await column(each));
    return results;
  },
}];
