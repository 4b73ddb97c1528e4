// SPDX-License-Identifier: Apache-2.0
//
// Rows "fanout" (one ALTSVC to every live session, against the same loop over raw TLS writes), "bystander" (requests
// on another session meanwhile) and "growth" (the same at 1,000 and at 15,000 sessions).

import http2 from "node:http2";
import { sleep, startClients, startPeer, startWorker, stopAll } from "./programs.mjs";
import { cpuOf, interleave, median, medians, quick, ratio, result } from "./measure.mjs";
import { h2load } from "./requests.mjs";

export const SESSIONS = quick ? 2000 : 10000;
const PUSHES = quick ? 4 : 12;
const SETTLE_MS = 300; // for what a server still has to do when the last frame has arrived: receipts

const nowUs = () => Number(process.hrtime.bigint() / 1000n);

// A session that starts fan-outs by asking for them.
async function startTrigger(worker) {
  const session = http2.connect(`https://localhost:${worker.port}`, { rejectUnauthorized: false });
  await new Promise((resolve, reject) => session.once("connect", resolve).once("error", reject));
  return {
    push: (receipt) => session.request({ ":path": `/push/${receipt}` }).resume().end(),
    stop: () => new Promise((resolve) => session.close(resolve)),
  };
}

// One push to all of a server's clients. Microseconds from its cause to the first and the last receipt.
export async function push(clients, cause) {
  await clients.ask("expect");
  const begin = nowUs();
  cause();
  const [, first, p50, p99, last] = (await clients.ask("await")).map(Number);
  await sleep(SETTLE_MS);
  return { first: first - begin, p50: p50 - begin, p99: p99 - begin, last: last - begin };
}

async function startContestants(sessions, names = ["h2sess-worker", "bare", "floor"]) {
  const starts = { "h2sess-worker": () => startWorker(), bare: () => startPeer("bare", ["12"]), floor: () => startPeer("floor") };
  const contestants = {};
  for (const name of names) {
    const server = await starts[name]();
    const clients = await startClients([server]);
    await clients.ask(`open ${sessions}`);
    contestants[name] = { server, clients };
  }
  return contestants;
}

const stopContestants = (contestants) =>
  stopAll(Object.values(contestants).flatMap(({ server, clients }) => [clients, server]));

async function fanout() {
  const contestants = await startContestants(SESSIONS);
  const { "h2sess-worker": ours, bare, floor } = contestants;
  const trigger = await startTrigger(ours.server);
  const firsts = [];
  const cpu = ({ server, clients }, cause) => async () =>
    cpuOf(server, async () => { firsts.push((await push(clients, cause)).first / 1000); });
  const values = await interleave({
    bare: cpu(bare, () => bare.server.signal("SIGUSR1")),
    floor: cpu(floor, () => floor.server.signal("SIGUSR1")),
    received: cpu(ours, () => trigger.push("received")),
    written: async () => {
      firsts.length = 0;
      return cpu(ours, () => trigger.push("written"))();
    },
    first: async () => firsts[0],
  }, PUSHES);
  await trigger.stop();
  await stopContestants(contestants);
  const { first, ...cpus } = values;
  return [
    result(`to ${SESSIONS} TLS sessions, written: CPU against floor`, ratio(values.written, values.floor),
      { atMost: 1.08, note: medians(cpus, " s") }),
    result("the same: from the cause to the first receipt", median(first), { atMost: 5, unit: " ms" }),
    result("received: CPU against floor", ratio(values.received, values.floor), { atMost: 2.2 }),
  ];
}

// p99 of requests during fan-outs with a PING behind every frame, and of as many without.
async function bystander() {
  const contestants = await startContestants(SESSIONS, ["h2sess-worker"]);
  const { server, clients } = contestants["h2sess-worker"];
  const trigger = await startTrigger(server);
  const asking = await startClients([server]);
  await asking.ask("open 1");
  const p99 = async (happen) => {
    await asking.ask("ask 2");
    await happen();
    return Number((await asking.ask("told"))[3]) / 1000;
  };
  const values = await interleave({
    quiet: () => p99(() => sleep(1000)),
    busy: () => p99(() => push(clients, () => trigger.push("received"))),
  });
  await trigger.stop();
  await stopAll(asking);
  await stopContestants(contestants);
  return [result(`p99 of a request during a fan-out to ${SESSIONS}`, median(values.busy),
    { atMost: 5, unit: " ms", note: `else ${median(values.quiet).toFixed(2)} ms` })];
}

async function growth() {
  const sizes = quick ? [1000, 3000] : [1000, 15000];
  const workers = [];
  for (const size of sizes) {
    const { "h2sess-worker": worker } = await startContestants(size, ["h2sess-worker"]);
    workers.push({ size, ...worker, trigger: await startTrigger(worker.server) });
  }
  const each = (measure) => Object.fromEntries(workers.map((worker) => [worker.size, () => measure(worker)]));
  const pushes = await interleave(each(async ({ size, server, clients, trigger }) =>
    1e6 * await cpuOf(server, () => push(clients, () => trigger.push("written"))) / size), PUSHES);
  const requests = await interleave(each(({ server }) =>
    cpuOf(server, () => h2load(server.port, { tls: true, clients: 10, streams: 10 }))));
  const [few, many] = sizes;
  for (const { trigger } of workers) await trigger.stop();
  await stopAll(workers.flatMap(({ server, clients }) => [clients, server]));
  return [
    result(`a push, CPU at ${many} sessions against ${few}`, ratio(pushes[many], pushes[few]),
      { atMost: 1.15, note: medians(pushes, " us") }),
    result(`a request, CPU at ${many} sessions against ${few}`, ratio(requests[many], requests[few]),
      { atMost: 1.15, note: medians(requests, " s") }),
  ];
}

export const rows = [
  { name: "fanout", measure: fanout },
  { name: "bystander", measure: bystander },
  { name: "growth", measure: growth },
];
