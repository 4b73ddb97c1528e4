// SPDX-License-Identifier: Apache-2.0
//
// Rows of the daemon's API: its requests and event streams against bare libmicrohttpd, lists of many sessions, a
// fan-out from the POST to its answer, and what a control link costs a worker that nobody watches.

import http from "node:http";
import { sleep, startAsked, startClients, startDaemon, startPeer, startWorker, stopAll, until } from "./programs.mjs";
import { cpuOf, interleave, median, medians, quick, ratio, result } from "./measure.mjs";
import { push, SESSIONS } from "./fanout.mjs";
import { h2load } from "./requests.mjs";

const REQUESTS = quick ? 5000 : 20000;
const LISTS = quick ? 20 : 100;
const SUBSCRIBERS = quick ? 200 : 1000;
const HZ = 100;
const STREAMING_MS = quick ? 2000 : 4000;

const nowUs = () => Number(process.hrtime.bigint() / 1000n);
const agent = new http.Agent({ keepAlive: true });

// One call of the API; the answer's JSON.
function call(daemon, method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, host: "127.0.0.1", port: daemon.port, method, path, headers: {
      authorization: `Bearer ${daemon.token}`, ...(body ? { "content-type": "application/json" } : {}) } });
    request.on("error", reject).on("response", (response) => {
      let text = "";
      response.on("data", (data) => { text += data; }).on("end", () => {
        if (response.statusCode >= 300) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        else resolve(JSON.parse(text));
      });
    }).end(body && JSON.stringify(body));
  });
}

// A daemon with workers, which it lists.
async function startFleet(n) {
  const daemon = await startDaemon();
  const workers = [];
  for (let i = 0; i < n; i++) workers.push(await startWorker({ control: daemon.rpc }));
  await until("the daemon lists its workers",
    async () => (await call(daemon, "GET", "/v1/workers")).workers.length === n);
  return { daemon, workers };
}

async function api() {
  const { daemon, workers } = await startFleet(2);
  const plain = await startPeer("plain_http", ["1"], false);
  const load = (server, path, args = []) => async () => await cpuOf(server, () => h2load(server.port,
    { tls: false, clients: 100, streams: 1, requests: REQUESTS, path, args: ["--h1", ...args] })) * 100000 / REQUESTS;
  const values = await interleave({
    "libmicrohttpd": load(plain, "/"),
    "h2sess-controld": load(daemon, "/v1/workers", ["-H", `Authorization: Bearer ${daemon.token}`]),
  });
  await stopAll(workers, daemon, plain);
  return [result("GET /v1/workers a CPU second, against libmicrohttpd",
    ratio(values.libmicrohttpd, values["h2sess-controld"]), { atLeast: 0.45, note: medians(values, " s") })];
}

// Lists, each a request of its own: the median time to the answer, and the mean CPU time of all who take part.
async function list(daemon, workers) {
  const times = [];
  const cpu = () => [daemon, ...workers].reduce((sum, server) => sum + server.cpu(), 0);
  const before = cpu();
  for (let i = 0; i < LISTS; i++) {
    const begin = nowUs();
    await call(daemon, "GET", "/v1/sessions?limit=100");
    times.push((nowUs() - begin) / 1000);
  }
  return { ms: median(times), cpuMs: (cpu() - before) * 1000 / LISTS };
}

async function lists() {
  const { daemon, workers } = await startFleet(2);
  const clients = await startClients(workers);
  await clients.ask("open 200");
  const few = await list(daemon, workers);
  await clients.ask(`open ${SESSIONS - 200}`);
  const many = await list(daemon, workers);
  await stopAll(clients, workers, daemon);
  return [
    result(`GET /v1/sessions?limit=100 of ${SESSIONS}`, many.ms,
      { atMost: 5, unit: " ms", note: `of 200: ${few.ms.toFixed(2)} ms` }),
    result("the same: CPU of daemon and workers", many.cpuMs,
      { atMost: 5, unit: " ms", note: `of 200: ${few.cpuMs.toFixed(2)} ms` }),
  ];
}

async function apiFanout() {
  const { daemon, workers: [worker] } = await startFleet(1);
  const floor = await startPeer("floor");
  const clients = await startClients([worker]);
  const floorClients = await startClients([floor]);
  await clients.ask(`open ${SESSIONS}`);
  await floorClients.ask(`open ${SESSIONS}`);
  const body = { select: { all: true }, alt: 'h2=":8000"', origin: "https://example.org", receipt: "written",
    wait: "written", timeout: 60 };
  const lags = [];
  const ours = async () => {
    let answered;
    const begin = nowUs();
    const times = await push(clients, () => {
      answered = call(daemon, "POST", "/v1/altsvc", body).then(() => nowUs());
    });
    lags.push((await answered - begin - times.last) / 1000);
    return times.last;
  };
  const values = await interleave({
    floor: async () => (await push(floorClients, () => floor.signal("SIGUSR1"))).last,
    "h2sess": ours,
  }, quick ? 4 : 10);
  await stopAll(clients, floorClients, worker, daemon, floor);
  return [
    result(`POST /v1/altsvc to ${SESSIONS}: last receipt against floor`, ratio(values.h2sess, values.floor),
      { atMost: 1.1, note: medians(values, " us") }),
    result("the same: from the last receipt to the answer", median(lags), { atMost: 5, unit: " ms" }),
  ];
}

// What a fan-out with a receipt from every session costs those who call meanwhile: the longest that one of their calls
// took, over the same when nothing happens.
async function apiBystander() {
  const { daemon, workers } = await startFleet(2);
  const clients = await startClients(workers);
  await clients.ask(`open ${SESSIONS}`);
  const callers = {};
  for (const [name, path] of [["workers", "/v1/workers"], ["sessions", "/v1/sessions?limit=10"]])
    callers[name] = await startAsked("caller", [String(daemon.port), path, daemon.token], false);
  const body = { select: { all: true }, alt: 'h2=":8000"', origin: "https://example.org", wait: "received",
    timeout: 60 };
  const watched = (caller, happen) => async () => {
    await caller.ask("call 1");
    await happen();
    const [, , p50, p99, max] = (await caller.ask("told")).map((us) => Number(us) / 1000);
    return { p50, p99, max };
  };
  const fanOut = async () => {
    const answered = call(daemon, "POST", "/v1/altsvc", body);
    await push(clients, () => {});
    await answered;
  };
  const contestants = {};
  for (const [name, caller] of Object.entries(callers)) {
    contestants[name] = watched(caller, fanOut);
    contestants[`${name}, quiet`] = watched(caller, () => sleep(500));
  }
  const values = await interleave(contestants, quick ? 4 : 10);
  await stopAll(Object.values(callers), clients, workers, daemon);
  const most = (name, what) => median(values[name].map((value) => value[what]));
  return Object.keys(callers).map((name) => {
    const usual = most(`${name}, quiet`, "p50");
    const figures = ["p50", "p99"].map((what) => `${what} ${most(name, what).toFixed(2)}`);
    return result(`GET /v1/${name} during a fan-out to ${SESSIONS}: the slowest is later by`, most(name, "max") - usual,
      { atMost: 20, unit: " ms", note: `${figures.join(", ")}, else ${usual.toFixed(2)} ms` });
  });
}

// CPU seconds for 100,000 events that reached a subscriber. Every subscriber gets every event, or it is an error.
async function streaming(server, subscribers, begin, end) {
  const count = async () => (await subscribers.ask("count")).slice(1).map(Number);
  await begin();
  const [before] = await count();
  const cpu = await cpuOf(server, () => sleep(STREAMING_MS));
  const [after] = await count();
  await end();
  return cpu * 100000 / (after - before);
}

async function events() {
  const { daemon, workers: [worker] } = await startFleet(1);
  const plain = await startPeer("plain_http", [String(HZ)], false);
  const clients = await startClients([worker]);
  await clients.ask("open 1");
  const subscribe = (server, path, token = []) =>
    startAsked("subscribers", [String(SUBSCRIBERS), String(server.port), path, ...token]);
  const theirs = await subscribe(plain, "/events");
  const ours = await subscribe(daemon, "/v1/events?type=ping", [daemon.token]);
  const values = await interleave({
    libmicrohttpd: () => streaming(plain, theirs, () => {}, () => {}),
    "h2sess-controld": () => streaming(daemon, ours, () => clients.ask(`ping ${HZ}`), () => clients.ask("ping 0")),
  });
  await sleep(500);
  const [, , min, max] = (await ours.ask("count")).map(Number);
  await stopAll(theirs, ours, clients, worker, daemon, plain);
  return [
    result(`events to ${SUBSCRIBERS} subscribers: CPU against libmicrohttpd`,
      ratio(values["h2sess-controld"], values.libmicrohttpd), { atMost: 1.25, note: medians(values, " s") }),
    result("the same: events that not every subscriber got", max - min, { atMost: 0, note: `of ${max}` }),
  ];
}

// A worker with a control link and no subscriber, against one without.
async function link() {
  const { daemon, workers: [watched] } = await startFleet(1);
  const alone = await startWorker();
  // Few sessions and many requests: the events of their beginnings and ends do go to the daemon.
  const requests = quick ? 200000 : 1000000;
  const load = (server) => () => cpuOf(server, () => h2load(server.port, { tls: true, clients: 10, streams: 100, requests }));
  const values = await interleave({ alone: load(alone), linked: load(watched) }, quick ? 3 : 9);
  await stopAll(alone, watched, daemon);
  return [result("a request with a control link, CPU against one without", ratio(values.linked, values.alone),
    { atMost: 1.01, note: medians(values, " s") })];
}

export const rows = [
  { name: "api", measure: api },
  { name: "lists", measure: lists },
  { name: "api-fanout", measure: apiFanout },
  { name: "api-bystander", measure: apiBystander },
  { name: "events", measure: events },
  { name: "link", measure: link },
];
