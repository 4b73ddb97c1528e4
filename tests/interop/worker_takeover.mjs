// SPDX-License-Identifier: Apache-2.0
//
// SIGUSR2: a successor takes the listening sockets over, and no request is lost.
import assert from 'node:assert';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { House } from './support.mjs';
import { build, connect, ending, request, sanitized, temporary, until, worker } from './worker_support.mjs';

function h2load(...args) {
  return new Promise((done) => {
    execFile('h2load', args, { timeout: 150000 }, (error, stdout) => done(stdout));
  });
}

// What h2load sent was answered, all of it. It sends nothing more once it was told to go, which is asked last of who is busy; but a
// worker that got no processor for three seconds (others start meanwhile, with a sanitizer) takes him for quiet.
function checkLoad(output, total) {
  const [, started, succeeded] = /, (\d+) started, .*, (\d+) succeeded,/.exec(output) ?? assert.fail(output);
  assert.equal(succeeded, started, output);
  if (!sanitized) assert.equal(Number(started), total, output);
}

// Send SIGUSR2 and wait for the successor's ready file.
async function takeOver(w, pid) {
  process.kill(pid, 'SIGUSR2');
  return until('a successor', () => {
    const now = JSON.parse(readFileSync(w.file, 'utf8')).pid;
    return now !== pid && now;
  });
}

for (const threads of [1, 3]) {
  test(`ten take-overs under load, ${threads} thread(s): no request fails`, async (t) => {
    const w = await worker(t, temporary(t), ['--listen-h2c', '127.0.0.1:0', '--app', 'echo',
      '--threads', String(threads), '--health', '127.0.0.1:0', '--takeover-patience', '150']); // for the long load, however slow
    const url = `http://127.0.0.1:${w.ready.listen[0].port}/`;
    let over = false;
    ending(t, () => { over = true; });
    const long = h2load('-n', '20000', '-c', '4', '-m', '4', url);
    const short = (async () => {
      const outputs = [];
      while (!over) outputs.push(await h2load('-n', '100', '-c', '10', url));
      return outputs;
    })();
    let pid = w.ready.pid;
    for (let i = 0; i < 10; i++) pid = await takeOver(w, pid);
    over = true;
    const outputs = await short;
    checkLoad(await long, 20000);
    assert.ok(outputs.length > 1);
    for (const output of outputs) checkLoad(output, 100);
    const last = JSON.parse(readFileSync(w.file, 'utf8'));
    assert.deepEqual(last.listen, w.ready.listen);
    assert.deepEqual(last.health, w.ready.health);
    assert.deepEqual(await w.ended, [0, null]);
    const status = await new Promise((done) => http.get({ port: last.health.port, host: '127.0.0.1' },
      (response) => done(response.resume().statusCode)));
    assert.equal(status, 200);
  });
}

// Most of it is waiting for who is quiet.
describe('what comes with a take-over', { concurrency: 4 }, () => {
  test('a session of before goes on, is asked to go when it is quiet, and its stream ends', async (t) => {
    const w = await worker(t, temporary(t), ['--listen-h2c', '127.0.0.1:0', '--app', 'echo']);
    const session = connect(t, w.ready.listen[0].port, { plain: true });
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    await new Promise((done) => stream.on('response', done));
    const goaway = new Promise((done) => session.on('goaway', done));
    await takeOver(w, w.ready.pid);
    assert.equal(await goaway, 0);
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk)).end('the last words');
    await new Promise((done) => stream.on('close', done));
    assert.equal(Buffer.concat(chunks).toString(), 'the last words');
    assert.deepEqual(await w.ended, [0, null]);
    const next = connect(t, w.ready.listen[0].port, { plain: true });
    assert.equal((await request(next, { ':path': '/' })).headers[':status'], 200);
  });

  test('a successor that cannot start leaves the old one serving, and it says so', async (t) => {
    const dir = temporary(t);
    const conf = join(dir, 'worker.conf');
    writeFileSync(conf, 'listen-h2c = 127.0.0.1:0\napp = echo\n');
    const w = await worker(t, dir, ['--config', conf]);
    const session = connect(t, w.ready.listen[0].port, { plain: true });
    await request(session, { ':path': '/' });
    writeFileSync(conf, 'listen-h2c = 127.0.0.1:0\napp = static:/nowhere/at/all\n');
    w.child.kill('SIGUSR2');
    await until('a word of it', () => /successor ended with status 2.*serves on/.test(w.log()));
    await until('the reason', () => /static:\/nowhere\/at\/all: No such file/.test(w.log()));
    assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
    const other = connect(t, w.ready.listen[0].port, { plain: true });
    assert.equal((await request(other, { ':path': '/' })).headers[':status'], 200);
    assert.equal(JSON.parse(readFileSync(w.file, 'utf8')).pid, w.ready.pid);
    writeFileSync(conf, 'listen-h2c = 127.0.0.1:0\napp = echo\n'); // and the next one can
    await takeOver(w, w.ready.pid);
  });

  test('the program on disk is the one that is started', async (t) => {
    const dir = temporary(t);
    mkdirSync(join(dir, 'bin'));
    symlinkSync(join(build, 'lib'), join(dir, 'lib'));
    const program = join(dir, 'bin/h2sess-worker');
    copyFileSync(join(build, 'bin/h2sess-worker'), program);
    const w = await worker(t, dir, ['--listen-h2c', '127.0.0.1:0', '--app', 'echo'], { program });
    writeFileSync(`${program}.new`, '#!/bin/sh\necho "I am new" >&2\nexit 7\n');
    chmodSync(`${program}.new`, 0o755);
    // As a package does it: another file under the same name.
    renameSync(`${program}.new`, program);
    w.child.kill('SIGUSR2');
    await until('the new program', () => /I am new/.test(w.log()));
    await until('a word of it', () => /ended with status 7/.test(w.log()));
    const session = connect(t, w.ready.listen[0].port, { plain: true });
    assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
  });

  test('the daemon sees the successor under the name, and the old one as draining', async (t) => {
    const house = await House.open(t);
    const w = await worker(t, temporary(t), ['--listen-h2c', '127.0.0.1:0', '--app', 'echo', '--control', house.rpc,
      '--name', 'edge1', '--drain-timeout', '60']);
    const list = async () => (await house.get('/v1/workers')).body.workers;
    await until('a worker', async () => (await list()).length === 1);
    const session = connect(t, w.ready.listen[0].port, { plain: true });
    const stream = session.request({ ':method': 'POST', ':path': '/' }); // keeps the old one
    await new Promise((done) => stream.on('response', done));
    const pid = await takeOver(w, w.ready.pid);
    const next = await until('a successor', async () =>
      (await list()).find((one) => one.pid === pid && one.state === 'running'));
    assert.equal(next.name, 'edge1');
    assert.equal((await list()).find((one) => one.pid === w.ready.pid)?.state, 'draining');
    stream.on('error', () => {}).resume().end();
    await until('the old one to end', async () => !(await list()).some((one) => one.pid === w.ready.pid));
    assert.equal((await list()).find((one) => one.pid === pid)?.state, 'running');
  });
});
