// SPDX-License-Identifier: Apache-2.0
//
// The programs that take part: started on a core of their own, asked over stdin, measured in /proc.
//
// Servers run on core 0, whoever talks to them on core 1. CPU time is the kernel's own account in nanoseconds
// (schedstat), the whole process: what another process does on the machine is not in it.

import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

export const build = process.env.H2SESS_BUILD ?? "build";
export const dir = fs.mkdtempSync(path.join(os.tmpdir(), "h2sess-bench-"));
export const cert = path.join(dir, "cert.pem");
export const key = path.join(dir, "key.pem");

const STARTING_MS = 20000;
const ANSWER_MS = 120000;
const two = os.cpus().length > 1;
const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  fs.rmSync(dir, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function makeCertificate() {
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-days", "7", "-keyout", key, "-out", cert, "-subj", "/CN=h2sess-bench",
    "-addext", "subjectAltName=DNS:localhost,DNS:example.org,IP:127.0.0.1"], { stdio: "ignore" });
}

export function isThere(program) {
  return (process.env.PATH ?? "").split(":").some((place) => fs.existsSync(path.join(place, program)));
}

function start(core, command, args, stdin = "ignore") {
  const pinned = two ? ["taskset", "-c", String(core), command, ...args] : [command, ...args];
  const child = spawn(pinned[0], pinned.slice(1), { stdio: [stdin, "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => { errors = (errors + data).slice(-2000); });
  running.add(child);
  child.on("exit", () => running.delete(child));
  child.complaint = () => `${path.basename(command)} ${args.join(" ")}: ${errors.trim() || "it ended"}`;
  return child;
}

function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.on("exit", resolve);
    child.kill("SIGKILL");
  });
}

async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Lines of a program's stdout, one call a line.
function lines(child) {
  const waiting = [];
  const come = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    if (waiting.length) waiting.shift().resolve(line);
    else come.push(line);
  });
  child.on("exit", () => waiting.splice(0).forEach(({ reject }) => reject(new Error(child.complaint()))));
  return () => come.length ? Promise.resolve(come.shift()) : new Promise((resolve, reject) => {
    if (child.exitCode !== null) reject(new Error(child.complaint()));
    else waiting.push({ resolve, reject });
  });
}

// CPU seconds of a process until now.
function cpuOf(pid) {
  let ns = 0;
  for (const task of fs.readdirSync(`/proc/${pid}/task`))
    ns += Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]);
  return ns / 1e9;
}

// Resident KiB of a process.
function residentOf(pid) {
  return Number(/^Rss: +(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))[1]);
}

// Until it is true, at most as long as a program may take to start.
export async function until(what, isTrue) {
  const end = Date.now() + STARTING_MS;
  while (!await isTrue()) {
    if (Date.now() > end) throw new Error(`${what}: not after ${STARTING_MS / 1000} s`);
    await sleep(20);
  }
}

function server(child, name, ports, more = {}) {
  return {
    name, ports, port: ports[0], pid: child.pid,
    cpu: () => cpuOf(child.pid),
    resident: () => residentOf(child.pid),
    signal: (number) => child.kill(number),
    stop: () => stop(child),
    ...more,
  };
}

// bare, floor and their like: a program of this directory that says "port N".
export async function startPeer(name, args = [], tls = true) {
  const child = start(0, path.join(build, "tests/bench", name), [...args, ...(tls ? [cert, key] : [])]);
  const line = await within(STARTING_MS, name, lines(child)());
  return server(child, name, [Number(line.split(" ")[1])]);
}

async function readyFile(child, file) {
  await until(child.spawnargs.join(" "), () => {
    if (child.exitCode !== null) throw new Error(child.complaint());
    return fs.existsSync(file);
  });
  const ready = JSON.parse(fs.readFileSync(file));
  fs.rmSync(file);
  return ready;
}

let count = 0;

// A server of somebody else that listens on that port. It runs as one process.
export async function startForeign(name, args, port) {
  const child = start(0, name, args);
  await until(name, () => new Promise((resolve, reject) => {
    if (child.exitCode !== null) reject(new Error(child.complaint()));
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => { socket.destroy(); resolve(true); }).on("error", () => resolve(false));
  }));
  return server(child, name, [port]);
}

// With an app of this directory that answers from memory, unless another one is named.
export async function startWorker({ tls = true, body = 12, args = [], control,
  app = `${path.resolve(build, "tests/bench/answer.so")}:${body}` } = {}) {
  const file = path.join(dir, `worker-${++count}.json`);
  const child = start(0, path.join(build, "bin/h2sess-worker"), [
    ...(tls ? ["--listen", "127.0.0.1:0", "--cert", cert, "--key", key] : ["--listen-h2c", "127.0.0.1:0"]),
    "--app", app, "--name", `bench-${count}`,
    "--ready-file", file, ...(control ? ["--control", control] : []), ...args]);
  const ready = await readyFile(child, file);
  return server(child, "h2sess-worker", [ready.listen[0].port]);
}

export async function startDaemon() {
  const file = path.join(dir, `controld-${++count}.json`);
  const rpc = path.join(dir, `rpc-${count}.sock`);
  const tokens = path.join(dir, `tokens-${count}`);
  const program = path.join(build, "bin/h2sess-controld");
  const [token, line] = execFileSync(program, ["--new-token", "admin", "bench"], { encoding: "utf8" }).split("\n");
  fs.writeFileSync(tokens, `${line}\n`, { mode: 0o600 });
  const child = start(0, program, ["--rpc", rpc, "--api", "127.0.0.1:0", "--token-file", tokens, "--no-state",
    "--ready-file", file]);
  const ready = await readyFile(child, file);
  return server(child, "h2sess-controld", [ready.api[0].port], { rpc, token });
}

// A program of this directory that answers lines: ask("open 1000") gives the words of the answer.
export async function startAsked(name, args, greets = true) {
  const child = start(1, path.join(build, "tests/bench", name), args, "pipe");
  const next = lines(child);
  child.stdin.on("error", () => {});
  if (greets) await within(ANSWER_MS, name, next());
  return {
    ask: async (what) => {
      child.stdin.write(`${what}\n`);
      return (await within(ANSWER_MS, what, next())).split(" ");
    },
    stop: () => stop(child),
  };
}

export function startClients(servers, tls = true) {
  return startAsked("clients", [tls ? "tls" : "h2c", ...servers.flatMap((s) => s.ports.map(String))], false);
}

// Run a load generator on the clients' core until it ends.
export function load(command, args) {
  const child = start(1, command, args);
  let text = "";
  child.stdout.on("data", (data) => { text += data; });
  return within(ANSWER_MS, command, new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => code === 0 ? resolve(text) : reject(new Error(child.complaint())));
  }));
}

export async function stopAll(...everything) {
  await Promise.all(everything.flat().map((one) => one.stop()));
}
