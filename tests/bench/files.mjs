// SPDX-License-Identifier: Apache-2.0
//
// Row "files": server CPU for 100,000 GETs of one small file by the app static, against the servers of others.mjs.

import { makeFiles, others } from "./others.mjs";
import { startWorker, stopAll } from "./programs.mjs";
import { cpuOf, interleave, medians, quick, ratio, result } from "./measure.mjs";
import { h2load } from "./requests.mjs";

const REQUESTS = quick ? 20000 : 100000;
const COLUMNS = [{ tls: true, body: 12 }, { tls: true, body: 1024 }, { tls: false, body: 12 }, { tls: false, body: 1024 }];

async function column({ tls, body }) {
  const servers = [await startWorker({ tls, app: `static:${makeFiles()}` })];
  for (const start of Object.values(others)) servers.push(await start(tls));
  const measure = (server) => async () => {
    const load = { tls, clients: 100, streams: 10, requests: REQUESTS, path: `/${body}.txt` };
    return await cpuOf(server, () => h2load(server.port, load)) * 100000 / REQUESTS;
  };
  const values = await interleave(Object.fromEntries(servers.map((server) => [server.name, measure(server)])));
  await stopAll(servers);
  const what = `${tls ? "TLS" : "h2c"} ${body} B, 100 x 10: CPU against`;
  return Object.keys(others).map((name) =>
    result(`${what} ${name}`, ratio(values["h2sess-worker"], values[name]), { atMost: 1, note: medians(values, " s") }));
}

async function files() {
  const results = [];
  if (!Object.keys(others).length) return [result("neither h2o nor nginx is installed", 0, {})];
  for (const each of COLUMNS) results.push(...await column(each));
  return results;
}

export const rows = [{ name: "files", measure: files }];
