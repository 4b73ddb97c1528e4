// SPDX-License-Identifier: Apache-2.0
//
// Helpers for the tests of h2sess-worker: a temporary directory, certificates, a worker that is ready.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import { build, ending, kill, until } from '../common.mjs';

export { build, ending, event, kill, root, sanitized, sleep, temporary, until } from '../common.mjs';
export const program = join(build, 'bin/h2sess-worker');

// DIR/NAME.pem and DIR/NAME.key, for the given DNS names and 127.0.0.1.
export function certificate(dir, name = 'cert', names = ['example.org']) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-days', '2', '-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.pem`),
    '-subj', `/CN=${names[0]}`,
    '-addext', `subjectAltName=${names.map((n) => `DNS:${n}`).join(',')},IP:127.0.0.1`], { stdio: 'ignore' });
  return ['--cert', join(dir, `${name}.pem`), '--key', join(dir, `${name}.key`)];
}

// A worker that accepts: { child, ready, file, log(), ended }; ended is a promise of [code, signal]. With the test it ends, and so does
// the last successor that wrote the ready file.
export async function worker(t, dir, args, options = {}) {
  const file = join(dir, `ready-${Math.random()}`);
  const pid = () => JSON.parse(readFileSync(file, 'utf8')).pid;
  const child = spawn(options.program ?? program, [...args, '--ready-file', file],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...options.env } });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { log += text; });
  const ended = new Promise((done) => child.on('exit', (code, signal) => done([code, signal])));
  ending(t, async () => {
    await kill(child);
    if (existsSync(file) && pid() !== child.pid) killStranger(pid());
  });
  await until('a ready worker', () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the worker ended: ${log}`);
    return existsSync(file);
  });
  return { child, ready: JSON.parse(readFileSync(file, 'utf8')), file, log: () => log, ended };
}

// Kill a process that is no child of ours, if it is still there.
export function killStranger(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

export function connect(t, port, options = {}) {
  const url = options.plain ? `http://127.0.0.1:${port}` : `https://127.0.0.1:${port}`;
  const session = http2.connect(url, { servername: 'example.org', rejectUnauthorized: false, ...options });
  session.on('error', () => {});
  ending(t, () => session.destroy());
  return session;
}

// One request, to its end: { headers, body (a Buffer), trailers, code }.
export function request(session, headers, body) {
  return new Promise((done, fail) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const chunks = [];
    const answer = {};
    stream.on('response', (h) => { answer.headers = h; });
    stream.on('trailers', (h) => { answer.trailers = h; });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', fail);
    stream.on('close', () => done({ ...answer, body: Buffer.concat(chunks), code: stream.rstCode }));
    if (body !== undefined) stream.end(body);
  });
}
