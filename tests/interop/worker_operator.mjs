// SPDX-License-Identifier: Apache-2.0
//
// h2sess-worker in an operator's hands: apps by host and path, reload of everything, balancers, logs, users.
import assert from 'node:assert';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { RawClient } from './raw_client.mjs';
import { House, jsonLines } from './support.mjs';
import { build, certificate, connect, ending, kill, killStranger, program, request, temporary, until, worker } from './worker_support.mjs';

const plain = ['--listen-h2c', '127.0.0.1:0'];

test('apps by host and path; 421 for a host that nothing is served for, counted', async (t) => {
  const dir = temporary(t);
  writeFileSync(join(dir, 'index.html'), 'files');
  const house = await House.open(t);
  const w = await house.worker({ app: 'example.org/echo=echo', args: ['--app', `*.example.org=static:${dir}`,
    '--app', `example.org=static:${dir}`] });
  const session = connect(t, w.h2c, { plain: true });
  const get = (authority, path, headers) => request(session, { ':authority': authority, ':path': path, ...headers });
  assert.equal((await get('example.org', '/')).body.toString(), 'files');
  assert.equal((await get('EXAMPLE.org:443', '/')).body.toString(), 'files');
  assert.equal((await get('www.example.org', '/')).body.toString(), 'files');
  assert.equal((await get('example.org', '/echo/x')).headers['x-echo-path'], '/echo/x');
  assert.equal((await get('example.org', '/echoes')).headers[':status'], 404);
  assert.equal((await get('example.com', '/')).headers[':status'], 421);
  assert.equal((await get('example.com', '/', { 'alt-used': 'example.com:443' })).headers[':status'], 421);
  const { sessions } = (await house.get('/v1/sessions')).body;
  assert.equal(sessions[0].misdirected, 2);
  assert.equal(sessions[0].altUsed, 1);
});

test('SIGHUP: apps, limits and origins are read again while a stream is open; lastReload says so', async (t) => {
  const house = await House.open(t);
  const dir = temporary(t);
  const conf = join(dir, 'worker.conf');
  const write = (app, streams) => writeFileSync(conf,
    `[limits]\nmax_concurrent_streams = ${streams}\n[app main]\napp = ${app}\n`);
  writeFileSync(join(dir, 'index.html'), 'files');
  write('echo', 7);
  const certs = certificate(dir, 'live');
  const w = await worker(t, dir, ['--listen', '127.0.0.1:0', ...certs, '--config', conf, '--control', house.rpc,
    '--name', 'edge1']);
  const port = w.ready.listen[0].port;
  const session = connect(t, port);
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  await new Promise((done) => stream.on('response', done));
  const last = async () => (await house.get('/v1/workers/edge1')).body.lastReload;
  await until('the worker at its daemon', async () => (await house.get('/v1/workers/edge1')).status === 200);
  assert.equal(await last(), null);

  write(`static:${dir}`, 9);
  w.child.kill('SIGHUP');
  await until('lastReload', async () => (await last())?.ok === true);
  assert.deepEqual(Object.keys(await last()).sort(), ['error', 'ok', 'time']);
  assert.equal((await request(session, { ':path': '/' })).body.toString(), 'files'); // the session has not ended
  const other = connect(t, port);
  const settings = await new Promise((done) => other.on('remoteSettings', done));
  assert.equal(settings.maxConcurrentStreams, 9);
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk)).end('to the old app');
  await new Promise((done) => stream.on('close', done));
  assert.equal(Buffer.concat(chunks).toString(), 'to the old app');

  for (const [app, error] of [['static:/nowhere/at/all', /No such file/], ['nope', /nope/]]) {
    write(app, 11);
    w.child.kill('SIGHUP');
    await until('a refusal', async () => error.test((await last())?.error ?? ''));
    assert.equal((await last()).ok, false);
    await until('a word of it', () => /everything stays as it was/.test(w.log()));
    assert.equal((await request(session, { ':path': '/' })).body.toString(), 'files');
  }
  writeFileSync(conf, 'threads = 3\n[app main]\napp = echo\n');
  w.child.kill('SIGHUP');
  await until('a word of what stays', () => /--threads is as it was/.test(w.log()));
  for (let i = 0; i < 20; i++) w.child.kill('SIGHUP');
  await until('another app', async () => (await request(session, { ':path': '/x' })).headers['x-echo-path'] === '/x');
});

test('certificates are renewed under load, and no session ends', async (t) => {
  const dir = temporary(t);
  const certs = certificate(dir, 'live', ['old.example']);
  const w = await worker(t, dir, ['--listen', '127.0.0.1:0', ...certs, '--app', 'echo', '--threads', '2']);
  const port = w.ready.listen[0].port;
  const sessions = Array.from({ length: 4 }, () => connect(t, port));
  let renewals = 0;
  let stop = false;
  const load = sessions.map(async (session) => {
    while (!stop) assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
  });
  const seen = () => (w.log().match(/reload: certificates/g) ?? []).length;
  for (; renewals < 5; renewals++) {
    certificate(dir, 'next', [`new${renewals}.example`]);
    copyFileSync(join(dir, 'next.pem'), join(dir, 'live.pem'));
    copyFileSync(join(dir, 'next.key'), join(dir, 'live.key'));
    w.child.kill('SIGHUP');
    await until('a reload', () => seen() > renewals);
  }
  const subject = await new Promise((done, fail) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false }, () => {
      done(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    }).on('error', fail);
  });
  assert.equal(subject, 'new4.example');
  stop = true;
  await Promise.all(load);
  for (const session of sessions) assert.equal(session.closed, false);
});

// ---- balancers ----

// A TLS session behind a PROXY header.
async function behind(t, port, header) {
  const socket = net.connect(port, '127.0.0.1');
  ending(t, () => socket.destroy());
  await new Promise((done) => socket.on('connect', done));
  socket.write(header);
  const secure = tls.connect({ socket, ALPNProtocols: ['h2'], rejectUnauthorized: false, servername: 'example.org' });
  secure.on('error', () => {});
  return secure;
}

test('--proxy-protocol: the peer is the client that the balancer names', async (t) => {
  const house = await House.open(t);
  const w = await house.worker({ args: ['--proxy-protocol', '127.0.0.0/8', '--access-log', join(house.dir, 'access')] });
  const v2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000202c63364013039' + '01bb', 'hex');
  for (const [header, address] of [['PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n', '192.0.2.1'], [v2, '192.0.2.2']]) {
    const socket = await behind(t, w.port, header);
    const session = http2.connect('https://example.org', { createConnection: () => socket });
    ending(t, () => session.destroy());
    session.on('error', () => {});
    assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
    const { sessions } = (await house.get(`/v1/sessions?peer=${address}`)).body;
    assert.equal(sessions.length, 1);
    assert.deepEqual(sessions[0].peer, { address, port: 12345 });
    assert.equal(sessions[0].originSet[0], 'https://example.org'); // port 443 is what the client connected to
  }
  const bad = net.connect(w.port, '127.0.0.1').on('error', () => {});
  bad.write('GET / HTTP/1.1\r\n\r\n');
  await new Promise((done) => bad.on('close', done));
  await until('the count', async () => /h2sess_limit_total\{limit="proxy_header"\} 1/.test((await house.get('/metrics')).body));
});

test('--ticket-keys: workers that share them resume each other\'s sessions; SIGHUP rotates them', async (t) => {
  const dir = temporary(t);
  const keys = join(dir, 'tickets');
  const [old, fresh] = [randomBytes(80), randomBytes(80)];
  writeFileSync(keys, old);
  const certs = certificate(dir);
  const start = () => worker(t, dir, ['--listen', '127.0.0.1:0', ...certs, '--app', 'echo', '--ticket-keys', keys]);
  const [one, two] = [await start(), await start()];
  const handshake = (w, session) => new Promise((done, fail) => {
    const socket = tls.connect({ port: w.ready.listen[0].port, host: '127.0.0.1', ALPNProtocols: ['h2'], session,
      rejectUnauthorized: false, maxVersion: 'TLSv1.2' }, () => {
      done({ resumed: socket.isSessionReused(), session: socket.getSession() });
      socket.destroy();
    }).on('error', fail);
  });
  const first = await handshake(one);
  assert.equal((await handshake(two, first.session)).resumed, true);
  writeFileSync(keys, Buffer.concat([fresh, old]));
  two.child.kill('SIGHUP');
  await until('a reload', () => /reload: certificates/.test(two.log()));
  const second = await handshake(two, first.session);
  assert.equal(second.resumed, true);
  assert.equal((await handshake(one, second.session)).resumed, false); // it does not have the new one yet
  writeFileSync(keys, 'short');
  two.child.kill('SIGHUP');
  await until('a refusal', () => /--ticket-keys/.test(two.log()));
  assert.equal((await handshake(two, second.session)).resumed, true);
});

// ---- logs ----

test('the access log: JSON, escaped, with what happened, and opened again on SIGUSR1', async (t) => {
  const dir = temporary(t);
  const file = join(dir, 'access.log');
  const w = await worker(t, dir, [...plain, '--app', 'a.example=echo', '--access-log', file]);
  const session = connect(t, w.ready.listen[0].port, { plain: true });
  const path = '/"quoted"\\?x=%0A\u00e9';
  await request(session, { ':method': 'POST', ':path': encodeURI('/'), ':authority': 'a.example' }, 'hello');
  await request(session, { ':path': path.replace('\u00e9', ''), ':authority': 'a.example', 'user-agent': 'caf\u00e9 "x"' });
  await request(session, { ':path': '/', ':authority': 'b.example' });
  const lines = await until('three lines', () => jsonLines(file).length === 3 && jsonLines(file));
  assert.equal(lines[0].bytesReceived, 5);
  assert.equal(lines[0].bytesSent, 5);
  assert.equal(lines[0].method, 'POST');
  assert.equal(lines[0].peer, '127.0.0.1');
  assert.match(lines[0].time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(lines[1].path, '/"quoted"\\?x=%0A');
  assert.equal(lines[1].userAgent, 'caf\u00e9 "x"');
  assert.deepEqual(lines.map((line) => line.status), [200, 200, 421]);
  assert.ok(lines.every((line) => line.session === lines[0].session && line.durationUs >= 0));

  renameSync(file, `${file}.1`);
  w.child.kill('SIGUSR1');
  await until('a new file', () => existsSync(file));
  await request(session, { ':path': '/new', ':authority': 'a.example' });
  await until('a line in it', () => jsonLines(file).length === 1);
  assert.equal(jsonLines(`${file}.1`).length, 3);
  w.child.kill('SIGTERM');
  assert.deepEqual(await w.ended, [0, null]);
});

test('the access log in the Common Log Format, and combined', async (t) => {
  const dir = temporary(t);
  for (const [format, pattern] of [
    ['common', /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a\\x22b HTTP\/2\.0" 200 \d+$/],
    ['combined', /"GET \/a\\x22b HTTP\/2\.0" 200 \d+ "https:\/\/r\.example\/" "agent \\x22"$/]]) {
    const file = join(dir, format);
    const w = await worker(t, dir, [...plain, '--app', 'echo', '--access-log', file, '--access-log-format', format]);
    const session = connect(t, w.ready.listen[0].port, { plain: true });
    await request(session, { ':path': '/a"b', referer: 'https://r.example/', 'user-agent': 'agent "' });
    assert.match((await until('a line', () => /^.*\n/.exec(readFileSync(file, 'utf8'))))[0].trim(), pattern);
  }
});

test('every request of a load has its line', async (t) => {
  const dir = temporary(t);
  const file = join(dir, 'access.log');
  const w = await worker(t, dir, [...plain, '--app', 'echo', '--access-log', file, '--threads', '2']);
  const session = connect(t, w.ready.listen[0].port, { plain: true });
  for (let i = 0; i < 10; i++)
    await Promise.all(Array.from({ length: 50 }, (_, j) => request(session, { ':path': `/${i}-${j}` })));
  w.child.kill('SIGTERM');
  await w.ended;
  const paths = new Set(jsonLines(file).map(({ path }) => path));
  assert.equal(paths.size, 500);
});

test('--log-format json: refusals have thing and rule', () => {
  const run = spawnSync(program, [...plain, '--app', 'static:/nowhere', '--log-format', 'json'], { encoding: 'utf8' });
  assert.equal(run.status, 2);
  const line = JSON.parse(run.stderr);
  assert.equal(line.level, 'err');
  assert.equal(line.thing, '--app static:/nowhere');
  assert.equal(line.rule, 'No such file or directory');
});

// ---- the service manager ----

test('a service manager is told READY, RELOADING, WATCHDOG, MAINPID and STOPPING', async (t) => {
  const dir = temporary(t);
  const ready = join(dir, 'ready');
  const child = spawn(join(build, 'tests/service_manager_main'), [join(dir, 'notify'), '--', program, ...plain,
    '--app', 'echo', '--ready-file', ready], { stdio: ['ignore', 'pipe', 'ignore'] });
  ending(t, () => kill(child));
  const lines = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (data) => {
    const all = (rest + data).split('\n');
    rest = all.pop();
    lines.push(...all);
  });
  const saw = (text, from = 0) => until(text, () => {
    const at = lines.findIndex((line, i) => i >= from && line.startsWith(text));
    return at >= 0 && at + 1;
  });
  await saw('READY=1');
  const { pid } = JSON.parse(readFileSync(ready, 'utf8'));
  await saw('WATCHDOG=1', await saw('WATCHDOG=1'));
  process.kill(pid, 'SIGHUP');
  await saw('READY=1', await saw('MONOTONIC_USEC=', await saw('RELOADING=1')));
  process.kill(pid, 'SIGUSR2');
  const main = await saw('MAINPID=');
  const next = Number(lines[main - 1].slice('MAINPID='.length));
  ending(t, () => killStranger(next));
  assert.equal(JSON.parse(readFileSync(ready, 'utf8')).pid, next);
  await saw('READY=1', main); // the successor's own, once it is the main process
  process.kill(next, 'SIGTERM');
  await saw('STOPPING=1', main);
});

// ---- users, names ----

const isRoot = process.getuid() === 0;

test('--user: not root once the sockets are open; a reload still reads the keys',
  { skip: !isRoot && 'only root can become another user' }, async (t) => {
    const dir = temporary(t, { below: '/tmp' }); // another user is to reach it
    chmodSync(dir, 0o777);
    const certs = certificate(dir);
    const gid = Number(execFileSync('id', ['-g', 'nobody'], { encoding: 'utf8' }));
    const uid = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    for (const file of ['cert.pem', 'cert.key']) execFileSync('chgrp', [String(gid), join(dir, file)]);
    chmodSync(join(dir, 'cert.key'), 0o640);
    const app = join(dir, 'echo.so'); // a build below /root is not for nobody
    copyFileSync(join(build, 'lib/h2sess/apps/echo.so'), app);
    const w = await worker(t, dir, ['--listen', '127.0.0.1:0', ...certs, '--app', app, '--user', 'nobody',
      '--threads', '2']);
    const status = readFileSync(`/proc/${w.child.pid}/status`, 'utf8');
    assert.match(status, new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:\\s+${gid}\\s+${gid}\\s+${gid}\\s+${gid}$`, 'm'));
    w.child.kill('SIGHUP');
    await until('a reload', () => /reload: certificates/.test(w.log()));
    const session = connect(t, w.ready.listen[0].port);
    assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
    const run = spawnSync(program, [...plain, '--app', 'echo', '--user', 'no-such-user'], { encoding: 'utf8' });
    assert.equal(run.status, 2);
    assert.match(run.stderr, /--user no-such-user: no such user\n$/);
  });

test('two workers of one name: the newer is refused, says why, and serves all the same', async (t) => {
  const house = await House.open(t);
  await house.worker({ name: 'edge1' });
  const w = await worker(t, temporary(t), [...plain, '--app', 'echo', '--control', house.rpc, '--name', 'edge1']);
  await until('a word of it', () => /the daemon refuses this worker: Another live worker has this name/.test(w.log()));
  const session = connect(t, w.ready.listen[0].port, { plain: true });
  assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
  assert.equal((await house.get('/v1/workers')).body.workers.length, 1);
});

test('a session that a limit ended says which, in its close event and in the 410', async (t) => {
  const house = await House.open(t);
  const rows = [
    [['keepalive_ms=200', 'keepalive_timeout_ms=200'], 'ERR_TIMEOUT', 'keepalive_timeout'],
    [['idle_timeout_ms=300'], 'closed', 'idle_timeout'],
    [['max_sessions=9'], 'closed', undefined],
  ];
  for (const [i, [limits, reason, limit]] of rows.entries()) {
    const worker = await house.worker({ name: `limits${i}`, args: limits.flatMap((one) => ['--limit', one]) });
    const reader = await house.events(`?type=connect,close&worker=limits${i}`);
    const client = await RawClient.connect(worker.port); // answers no PING
    t.after(() => client.socket.destroy());
    const { session } = await reader.find('connect', (one) => one.type === 'connect');
    if (!limit)
      client.socket.destroy();
    const close = await reader.find('close', (one) => one.type === 'close');
    assert.deepEqual([close.session, close.data.reason, close.data.limit], [session, reason, limit]);
    for (const answer of [await house.get(`/v1/sessions/${session}`), await house.post(`/v1/sessions/${session}/ping`, {})])
      assert.deepEqual([answer.status, answer.body.session, answer.body.reason, answer.body.limit], [410, session, reason, limit]);
  }
});

test('the files that a worker makes are not for everybody', async (t) => {
  const dir = temporary(t);
  mkdirSync(join(dir, 'logs'));
  const file = join(dir, 'logs/access');
  await worker(t, dir, [...plain, '--app', 'echo', '--access-log', file]);
  assert.equal(statSync(file).mode & 0o007, 0);
});
