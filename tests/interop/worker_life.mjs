// SPDX-License-Identifier: Apache-2.0
//
// h2sess-worker as an operator sees it: refusals, the ready file, health, reload, drain.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { certificate, connect, ending, event, program, request, sleep, temporary, until, worker } from './worker_support.mjs';

function run(args) {
  return spawnSync(program, args, { encoding: 'utf8', timeout: 40000 });
}

function health(port, method = 'GET') {
  return new Promise((done, fail) => {
    http.request({ port, host: '127.0.0.1', method }, (response) => {
      response.resume().on('end', () => done(response.statusCode));
    }).on('error', fail).end();
  });
}

test('--help and --version', () => {
  const help = run(['--help']);
  assert.equal(help.status, 0);
  for (const flag of ['--listen ', '--listen-h2c', '--drain-timeout', 'max_concurrent_streams'])
    assert.ok(help.stdout.includes(flag), flag);
  assert.match(run(['--version']).stdout, /^h2sess-worker \d+\.\d+\.\d+\n$/);
});

test('what is wrong is one line, exit 2, and nothing is served', async (t) => {
  const dir = temporary(t);
  const tlsFlags = certificate(dir);
  const [, cert, , key] = tlsFlags;
  certificate(dir, 'other');
  writeFileSync(join(dir, 'junk.pem'), 'junk\n');
  writeFileSync(join(dir, 'app.so'), 'junk\n');
  writeFileSync(join(dir, 'bad.conf'), 'app = echo\nlisten-h2c = 127.0.0.1:0\nthraeds = 2\n');
  const busy = net.createServer().listen(0, '127.0.0.1');
  ending(t, () => busy.close());
  await new Promise((done) => busy.on('listening', done));
  const h2c = ['--listen-h2c', '127.0.0.1:0'];
  const secure = ['--listen', '127.0.0.1:0', '--app', 'echo'];
  const rows = [
    [[], '--listen'],
    [['--nope'], '--nope'],
    [[...secure], 'TLS needs'],
    [[...secure, '--cert', join(dir, 'none.pem'), '--key', key], 'none.pem: No such file'],
    [[...secure, '--cert', join(dir, 'junk.pem'), '--key', key], 'junk.pem'],
    [[...secure, '--cert', cert, '--key', join(dir, 'junk.pem')], 'junk.pem'],
    [[...secure, '--cert', cert, '--key', join(dir, 'other.key')], 'other.key'],
    [[...secure, ...tlsFlags, '--cert', cert, '--key', join(dir, 'other.key')], 'other.key'],
    [[...secure, ...tlsFlags, '--origin', 'not a url'], '--origin not a url'],
    [['--listen-h2c', `127.0.0.1:${busy.address().port}`, '--app', 'echo'], String(busy.address().port)],
    [[...h2c, '--app', 'echo', '--health', `127.0.0.1:${busy.address().port}`], '--health'],
    [[...h2c, '--app', 'nope'], '--app nope'],
    [[...h2c, '--app', join(dir, 'app.so')], 'app.so'],
    [[...h2c, '--app', '../echo'], '--app ../echo'],
    [[...h2c, '--app', 'static'], 'static'],
    [[...h2c, '--app', `static:${join(dir, 'none')}`], 'No such file'],
    [[...h2c, '--app', 'echo', '--ticket-keys', join(dir, 'junk.pem')], `--ticket-keys ${join(dir, 'junk.pem')}: not 1 to 16 keys of 80 bytes each`],
    [[...secure, ...tlsFlags, '--ticket-keys', join(dir, 'junk.pem')], 'junk.pem: not 1 to 16 keys of 80 bytes each'],
    [[...h2c, '--app', 'echo', '--ticket-keys', join(dir, 'none')], 'none: No such file'],
    [['--config', join(dir, 'bad.conf')], 'bad.conf:3: thraeds: no such key'],
    [[...h2c, '--app', 'echo', '--ready-file', join(dir, 'none/ready')], 'none/ready'],
  ];
  for (const [args, text] of rows) {
    const { status, stdout, stderr } = run(args);
    assert.equal(status, 2, `${args}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, /^h2sess-worker: [^\n]+: [^\n]+\n$/, String(args));
    assert.ok(stderr.includes(text), `${text} is not in: ${stderr}`);
  }
});

test('--check looks and serves nothing', (t) => {
  const dir = temporary(t);
  const { status, stderr } = run(['--check', '--listen', '127.0.0.1:1', ...certificate(dir), '--app', 'echo',
    '--ready-file', join(dir, 'ready')]);
  assert.equal(status, 0, stderr);
  assert.ok(!existsSync(join(dir, 'ready')));
});

test('the ready file, in every member', async (t) => {
  const dir = temporary(t);
  const { child, ready } = await worker(t, dir, ['--listen', '127.0.0.1:0', '--listen', '[::1]:0',
    '--listen-h2c', '127.0.0.1:0', ...certificate(dir), '--app', 'echo', '--name', 'edge-1', '--threads', '2']);
  assert.equal(ready.pid, child.pid);
  assert.equal(ready.name, 'edge-1');
  assert.deepEqual(ready.listen.map(({ address, tls: secure }) => [address, secure]),
    [['127.0.0.1', true], ['::1', true], ['127.0.0.1', false]]);
  assert.deepEqual(Object.keys(ready), ['pid', 'name', 'listen']);
  for (const { port, tls: secure } of ready.listen.filter(({ address }) => address === '127.0.0.1')) {
    const { headers } = await request(connect(t, port, { plain: !secure }), { ':path': '/' });
    assert.equal(headers[':status'], 200);
  }
});

test('a configuration file does what flags do', async (t) => {
  const dir = temporary(t);
  const conf = join(dir, 'edge.conf');
  const [, cert, , key] = certificate(dir);
  writeFileSync(conf, `[worker]\nlisten = 127.0.0.1:0\ncert = ${cert}\nkey = ${key}\napp = echo\nname = edge\n` +
    'limit = max_concurrent_streams=7\norigin = https://example.org\n');
  const { ready } = await worker(t, dir, ['--config', conf]);
  assert.equal(ready.name, 'edge');
  const session = connect(t, ready.listen[0].port);
  const origin = new Promise((done) => session.on('origin', done));
  const settings = await new Promise((done) => session.on('remoteSettings', done));
  assert.equal(settings.maxConcurrentStreams, 7);
  assert.deepEqual(await origin, ['https://example.org']);
});

test('without a name: host and pid', async (t) => {
  const { child, ready } = await worker(t, temporary(t), ['--listen-h2c', '127.0.0.1:0', '--app', 'echo']);
  assert.ok(ready.name.endsWith(`-${child.pid}`));
  assert.ok(ready.name.startsWith(hostname().slice(0, 8).replace(/[^\w.-]/g, '-')));
});

test('SIGTERM drains: health says 503, open streams end, exit 0', async (t) => {
  const dir = temporary(t);
  const { child, ready, ended } = await worker(t, dir, ['--listen-h2c', '127.0.0.1:0', '--app', 'echo',
    '--health', '127.0.0.1:0', '--drain-timeout', '20']);
  assert.equal(await health(ready.health.port), 200);
  assert.equal(await health(ready.health.port, 'HEAD'), 200);
  assert.equal(await health(ready.health.port, 'DELETE'), 405);

  const session = connect(t, ready.listen[0].port, { plain: true });
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  await new Promise((done) => stream.on('response', done));
  const goaway = new Promise((done) => session.on('goaway', done));
  child.kill('SIGTERM');
  await until('503', async () => await health(ready.health.port) === 503);
  assert.equal(await goaway, 0);
  await sleep(200);
  assert.equal(child.exitCode, null, 'ended with a stream open');
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk)).end('the last words');
  await new Promise((done) => stream.on('close', done));
  assert.equal(Buffer.concat(chunks).toString(), 'the last words');
  assert.equal(stream.rstCode, 0);
  assert.deepEqual(await ended, [0, null]);
});

test('the drain has a deadline', async (t) => {
  const { child, ready, ended } = await worker(t, temporary(t), ['--listen-h2c', '127.0.0.1:0',
    '--app', 'echo', '--drain-timeout', '1']); // the default is 30
  const session = connect(t, ready.listen[0].port, { plain: true });
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  stream.on('error', () => {});
  await new Promise((done) => stream.on('response', done));
  const begin = Date.now();
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.ok(Date.now() - begin >= 800 && Date.now() - begin < 20000, `${Date.now() - begin} ms`);
});

test('a second SIGTERM ends it at once', async (t) => {
  const { child, ready, ended } = await worker(t, temporary(t), ['--listen-h2c', '127.0.0.1:0', '--app', 'echo']);
  const session = connect(t, ready.listen[0].port, { plain: true });
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  stream.on('error', () => {});
  await new Promise((done) => stream.on('response', done));
  const goaway = event(session, 'goaway');
  child.kill('SIGTERM');
  await goaway;
  const begin = Date.now();
  child.kill('SIGINT');
  assert.deepEqual(await ended, [0, null]);
  assert.ok(Date.now() - begin < 20000, `${Date.now() - begin} ms`); // a drain is of 30 s
});

test('SIGHUP reads the certificates again; a bad one keeps the old', async (t) => {
  const dir = temporary(t);
  const flags = certificate(dir, 'live', ['old.example']);
  certificate(dir, 'next', ['new.example']);
  const { child, ready, log } = await worker(t, dir, ['--listen', '127.0.0.1:0', ...flags, '--app', 'echo']);
  const { port } = ready.listen[0];
  const subject = () => new Promise((done, fail) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false }, () => {
      done(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    }).on('error', fail);
  });
  const session = connect(t, port);
  await request(session, { ':path': '/' });
  assert.equal(await subject(), 'old.example');

  copyFileSync(join(dir, 'next.pem'), join(dir, 'live.pem'));
  child.kill('SIGHUP'); // the key is the old one's
  await until('a refusal in the log', () => /everything stays as it was/.test(log()));
  assert.equal(await subject(), 'old.example');

  copyFileSync(join(dir, 'next.key'), join(dir, 'live.key'));
  child.kill('SIGHUP');
  await until('the new certificate', async () => await subject() === 'new.example');
  assert.equal((await request(session, { ':path': '/' })).headers[':status'], 200);
});

test('--tls-min-version 1.3 refuses 1.2', async (t) => {
  const dir = temporary(t);
  const { ready } = await worker(t, dir, ['--listen', '127.0.0.1:0', ...certificate(dir), '--app', 'echo',
    '--tls-min-version', '1.3', '--keylog', join(dir, 'keys')]);
  const handshake = (version) => new Promise((done) => {
    const socket = tls.connect({ port: ready.listen[0].port, host: '127.0.0.1', ALPNProtocols: ['h2'],
      rejectUnauthorized: false, minVersion: version, maxVersion: version }, () => {
      done(socket.getProtocol());
      socket.destroy();
    }).on('error', () => done('refused'));
  });
  assert.equal(await handshake('TLSv1.2'), 'refused');
  assert.equal(await handshake('TLSv1.3'), 'TLSv1.3');
  await until('a key log', () => existsSync(join(dir, 'keys')) && /SECRET/.test(readFileSync(join(dir, 'keys'))));
});
