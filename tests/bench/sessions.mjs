// SPDX-License-Identifier: Apache-2.0
//
// Rows "idle" (resident memory of a session that does nothing) and "handshakes" (CPU of a new TLS session).

import { others } from "./others.mjs";
import { startClients, startPeer, startWorker, sleep, stopAll } from "./programs.mjs";
import { cpuOf, interleave, medians, quick, ratio, result } from "./measure.mjs";

const SESSIONS = quick ? 2000 : 10000;
const HANDSHAKES = quick ? 500 : 2000;
const FIRST = 200; // sessions before the count begins: what a server allocates once is not theirs
const REST_MS = 3000; // until an idle session has given back what it does not need

// KiB a session. With requests: each session has had a request answered before it rests.
async function residentEach(server, tls, requests) {
  const clients = await startClients([server], tls);
  const settle = async () => {
    if (requests) await clients.ask("request");
    await sleep(REST_MS);
    return server.resident();
  };
  await clients.ask(`open ${FIRST}`);
  const before = await settle();
  await clients.ask(`open ${SESSIONS}`);
  const after = await settle();
  await stopAll(clients, server);
  return (after - before) / SESSIONS;
}

async function idle() {
  const results = [];
  for (const tls of [true, false]) {
    const name = tls ? "TLS" : "h2c";
    const fresh = await residentEach(await startWorker({ tls }), tls, false);
    const used = await residentEach(await startWorker({ tls }), tls, true);
    const bare = await residentEach(await startPeer("bare", ["12"], tls), tls, false);
    const goal = { atMost: tls ? 24 : 10, unit: " KiB" };
    results.push(result(`${name} session, resident, of ${SESSIONS}`, fresh, { ...goal, note: `bare ${bare.toFixed(1)} KiB` }));
    results.push(result(`${name} session after a request`, used, goal));
  }
  return results;
}

// nginx 1.22 did 3,496 a CPU second where the floor did 4,600; where it is installed, it takes part.
const NGINX = 0.76;

async function handshakes() {
  const servers = [await startWorker(), await startPeer("bare", ["12"]), await startPeer("floor")];
  if (others.nginx) servers.push(await others.nginx(true));
  const clients = await Promise.all(servers.map((server) => startClients([server])));
  const measure = (server, i) => async () =>
    HANDSHAKES / await cpuOf(server, () => clients[i].ask(`churn ${HANDSHAKES}`));
  const values = await interleave(Object.fromEntries(servers.map((server, i) => [server.name, measure(server, i)])));
  await stopAll(clients, servers);
  const against = (name, atLeast) => result(`new TLS sessions a CPU second, against ${name}`,
    ratio(values["h2sess-worker"], values[name]), { atLeast, note: medians(values, "") });
  return [against("floor", NGINX), ...(values.nginx ? [against("nginx", 1)] : [])];
}

export const rows = [
  { name: "idle", measure: idle },
  { name: "handshakes", measure: handshakes },
];
