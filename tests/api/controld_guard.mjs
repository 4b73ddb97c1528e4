// SPDX-License-Identifier: Apache-2.0
//
// What stands before the calls: tokens, roles, Host, Origin, framing, sizes, media types.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon, binary, withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

const daemon = new Daemon(['--api-host', 'api.example.com', '--metrics', '127.0.0.1:0'], { tcp: true });
let worker, id;

before(async () => {
	await daemon.start();
	worker = new FakeWorker(daemon.rpc);
	({ id } = worker.addSession(1));
	await worker.start();
});

after(() => daemon.end());

const status = (text) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);

test('TCP wants a token, a Unix socket does not', async () => {
	assert.equal((await daemon.get('/v1/workers')).status, 200);
	for (const token of ['', 'x', `${daemon.tokens.admin.token}x`]) {
		const { status: code, headers, json } = await daemon.get('/v1/workers', { token });
		assert.equal(code, 401);
		assert.match(headers['www-authenticate'], /^Bearer/);
		assert.equal(json.code, 'ERR_UNAUTHORIZED');
	}
	assert.equal((await daemon.get('/nowhere', { token: '' })).status, 401); // before the path is looked at
	assert.equal((await daemon.get('/healthz', { token: '' })).status, 401);
	assert.equal((await daemon.get('/v1/workers', { token: daemon.tokens.read.token })).status, 200);
	const basic = await daemon.get('/v1', { token: 'x', headers: { Authorization: `Basic ${daemon.tokens.read.token}` } });
	assert.equal(basic.status, 401);
	assert.equal((await daemon.get(`/v1/workers?token=${daemon.tokens.read.token}`, { token: '' })).status, 401);
});

test('each role can do what is its own', async () => {
	const push = (role) => daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' }, { token: daemon.tokens[role].token });
	const refused = await push('read');
	assert.deepEqual([refused.status, refused.json.code], [403, 'ERR_FORBIDDEN']);
	assert.equal((await push('push')).status, 200);
	assert.equal(worker.requests.at(-1).params.by, 't-push');
	assert.equal((await push('admin')).status, 200);
});

test('a Host that is not ours is refused, for reads too', async () => {
	const { token } = daemon.tokens.admin;
	const get = (host) => daemon.get('/v1', { token, headers: { Host: host } });
	const { port } = daemon;
	for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, 'api.example.com',
		'api.example.com:443'])
		assert.equal((await get(host)).status, 200, host);
	for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', '127.0.0.1:1', `127.0.0.1.evil.org:${port}`,
		`localhost:${port}.evil.org`, 'api.example.com.evil.org', 'api.example.com:x', `127.0.0.1:${port}0`])
		assert.equal((await get(host)).status, 421, host);
	assert.equal((await daemon.get('/v1', { headers: { Host: 'anything' } })).status, 200);
});

test('an Origin from elsewhere is refused', async () => {
	const { token } = daemon.tokens.admin;
	const get = (origin) => daemon.get('/v1', { token, headers: { Origin: origin } });
	assert.equal((await get(`http://localhost:${daemon.port}`)).status, 200);
	assert.equal((await get('https://api.example.com')).status, 200);
	for (const origin of ['null', 'http://evil.example', `http://evil.example:${daemon.port}`, 'http://localhost',
		`ftp://localhost:${daemon.port}`, `localhost:${daemon.port}`]) {
		const { status: code, json, headers } = await get(origin);
		assert.deepEqual([code, json.code], [403, 'ERR_FOREIGN_ORIGIN'], origin);
		assert.equal(headers['access-control-allow-origin'], undefined);
	}
});

test('who is refused as a stranger is counted, and the log is not his', () => withDaemon([], { tcp: true }, async (own) => {
	const refused = async () => Object.fromEntries([...(await own.get('/metrics')).text
		.matchAll(/^h2sess_api_refused_total\{reason="(\w+)"\} (\d+)$/mg)].map(([, reason, n]) => [reason, Number(n)]));
	const { token } = own.tokens.admin;
	assert.deepEqual(await refused(), { host: 0, origin: 0, token: 0 });
	for (let i = 0; i < 50; i++) {
		await own.get('/v1', { token: 'h2s_secret' });
		await own.get('/v1', { token, headers: { Host: `evil-${i}.example\tx` } });
	}
	await own.get('/v1', { token, headers: { Origin: 'https://evil.example' } });
	assert.deepEqual(await refused(), { host: 50, origin: 1, token: 50 });
	await own.says(/http: refused .*Origin/);
	const lines = () => own.log.split('\n').filter((line) => line.includes('http: refused'));
	assert.ok(lines().length < 20, own.log);
	assert.deepEqual(lines().filter((line) => line.includes(' refused 1: ')), [
		'h2sess-controld: http: refused 1: no token, or a wrong one',
		'h2sess-controld: http: refused 1: a Host that is not ours, as evil-0.example\\x09x',
		'h2sess-controld: http: refused 1: an Origin from elsewhere, as https://evil.example',
	]);
	assert.ok(!own.log.includes('secret'));
	assert.equal((await own.get('/v1/audit', { token })).json.audit.length, 0);
}));

test('a target in absolute form is held to the same names', async () => {
	const ask = (target) => daemon.raw(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\n` +
		`Authorization: Bearer ${daemon.tokens.read.token}\r\nConnection: close\r\n\r\n`, { tcp: true });
	assert.equal(status(await ask(`http://127.0.0.1:${daemon.port}/v1`)), 200);
	assert.equal(status(await ask('http://evil.example/v1')), 421);
});

test('a head that two readers could read in two ways is refused, and the connection closed', async () => {
	const heads = {
		'TE and CL': 'Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n',
		'two CL': 'Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n',
		'two equal CL': 'Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n',
		'two TE': 'Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
		'TE list': 'Host: x\r\nTransfer-Encoding: gzip, chunked\r\n',
		'TE other': 'Host: x\r\nTransfer-Encoding: identity\r\n',
		'CL signed': 'Host: x\r\nContent-Length: +5\r\n',
		'CL list': 'Host: x\r\nContent-Length: 5, 5\r\n',
		'no Host': '',
		'two Hosts': 'Host: x\r\nHost: y\r\n',
		'space in a name': 'Host: x\r\nContent-Length : 5\r\n',
		'two Content-Types': 'Host: x\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n',
	};
	const smuggled = 'GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
	for (const [name, head] of Object.entries(heads)) {
		const text = await daemon.raw(`POST /v1/sessions/${id}/altsvc HTTP/1.1\r\n${head}\r\n${smuggled}`);
		assert.equal(status(text), 400, `${name}: ${text.slice(0, 200)}`);
		assert.ok(!text.includes('404'), `${name}: what follows is not a request`);
	}
});

test('targets with NULs, controls, bad escapes and fragments are refused', async () => {
	for (const target of ['/v1/workers%00', '/v1/%00/../workers', '/v1/%zz', '/v1/%', '/v1/%ff', '/v1/a%0ab', '/v1/workers#x',
		'v1/workers', 'ftp://x/v1']) {
		const text = await daemon.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
		assert.equal(status(text), 400, target);
	}
	const tcp = await daemon.raw(`GET /v1/%00 HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\nConnection: close\r\n\r\n`,
		{ tcp: true });
	assert.equal(status(tcp), 401);
});

test('bodies have a type and a size', async () => {
	const post = (body, headers) => daemon.post(`/v1/sessions/${id}/altsvc`, body, { headers });
	for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'application/json5'])
		assert.equal((await post('{"alt":"x"}', { 'Content-Type': type })).status, 415, type);
	for (const type of ['application/json', 'Application/JSON; charset=utf-8'])
		assert.equal((await post('{"alt":"x"}', { 'Content-Type': type })).status, 200, type);
	// By hand: Node 18's client gives up on an answer that comes when it has hardly written the last octet.
	const large = await daemon.raw(`POST /v1/sessions/${id}/altsvc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
		`Content-Type: application/json\r\nContent-Length: ${2 << 20}\r\n\r\n${'x'.repeat(2 << 20)}`);
	assert.equal(status(large), 413);
	assert.match(large, /"code":"ERR_BODY_TOO_LARGE"/);
	const chunked = await daemon.raw(`POST /v1/sessions/${id}/altsvc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n` +
		'Content-Type: application/json\r\nConnection: close\r\n\r\n' +
		`${'80000\r\n' + 'x'.repeat(0x80000) + '\r\n'}`.repeat(3) + '0\r\n\r\n');
	assert.equal(status(chunked), 413);
	const huge = await daemon.raw(`POST /v1/sessions/${id}/altsvc HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n` +
		'Content-Type: application/json\r\n\r\n');
	assert.equal(status(huge), 413);
	const get = await daemon.get('/v1', { headers: { 'Content-Length': 2 }, body: '{}' });
	assert.deepEqual([get.status, get.json.code], [400, 'ERR_UNEXPECTED_BODY']);
});

test('a connection is kept after a refusal', async () => {
	const text = await daemon.raw('POST /v1/workers HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n' +
		'Content-Type: application/json\r\n\r\n{}' + 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n' +
		'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
	assert.deepEqual([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => Number(m[1])), [405, 404, 200]);
});

test('a flood of header fields is refused', async () => {
	const many = await daemon.raw(`GET /v1 HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(200)}\r\n`);
	assert.equal(status(many), 431);
	const long = await daemon.raw(`GET /v1 HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(100000)}\r\n\r\n`);
	assert.equal(status(long), 431);
	assert.equal((await daemon.get('/healthz')).status, 200);
});

test('the metrics listener has two paths and no token', async () => {
	const { port } = daemon.ready.metrics;
	const get = async (target, headers = {}) => (await fetch(`http://127.0.0.1:${port}${target}`, { headers })).status;
	assert.equal(await get('/metrics'), 200);
	assert.equal(await get('/healthz'), 200);
	assert.equal(await get('/v1/workers'), 404);
	assert.equal(await get('/openapi.yaml'), 404);
});

test('no token and no body is ever logged', async () => {
	await daemon.post('/v1/sessions/x/altsvc', { alt: 'a-secret-alt' }, { token: daemon.tokens.push.token });
	for (const { token } of Object.values(daemon.tokens))
		assert.ok(!daemon.log.includes(token));
	assert.ok(!daemon.log.includes('a-secret-alt'));
});

test('tokens are read again on SIGHUP, and a bad file keeps the old ones', async () => {
	const fresh = Daemon.token('read', 'fresh');
	fs.appendFileSync(daemon.tokenFile, `# more\n\n${fresh.line}\n`);
	daemon.child.kill('SIGHUP');
	await daemon.says('reload: done, 4 tokens');
	assert.equal((await daemon.get('/v1', { token: fresh.token })).status, 200);
	fs.appendFileSync(daemon.tokenFile, 'nonsense\n');
	daemon.child.kill('SIGHUP');
	await daemon.says('the old configuration and tokens are kept');
	assert.equal((await daemon.get('/v1', { token: fresh.token })).status, 200);
});

test('an event stream ends when its token is gone, and no other one does', async () => {
	const gone = Daemon.token('read', 'gone');
	const before = fs.readFileSync(daemon.tokenFile, 'utf8').replace('nonsense\n', '');
	fs.writeFileSync(daemon.tokenFile, `${before}${gone.line}\n`);
	daemon.child.kill('SIGHUP');
	await daemon.says('reload: done, 5 tokens');
	const [theirs, ours, local] = await Promise.all([
		daemon.events('?type=goaway', { token: gone.token }), daemon.events('?type=goaway', { token: daemon.tokens.read.token }),
		daemon.events('?type=goaway'),
	]);
	fs.writeFileSync(daemon.tokenFile, before);
	daemon.child.kill('SIGHUP');
	const last = await theirs.next();
	assert.deepEqual([last.event, last.data.data.reason, await theirs.next()], ['bookmark', 'token_gone', null]);
	worker.event('goaway', id, { code: 7 });
	for (const stream of [ours, local]) {
		assert.equal((await stream.next()).data.data.code, 7);
		stream.close();
	}
	assert.equal((await daemon.get('/v1/events', { token: gone.token })).status, 401);
});

test('sockets have the mode and role that was asked for', async (t) => {
	const readOnly = path.join(daemon.dir, 'read.sock');
	const other = Daemon.of(t, ['--api', `unix:${readOnly},role=read,mode=0600`]);
	await other.start();
	assert.equal(fs.statSync(other.socketPath).mode & 0o777, 0o660);
	assert.equal(fs.statSync(readOnly).mode & 0o777, 0o600);
	other.socketPath = readOnly;
	assert.equal((await other.get('/v1')).status, 200);
	assert.equal((await other.post('/v1/sessions/x/altsvc', {})).status, 403);
});

test('a wrong command line is one line and exit status 2', () => {
	const bad = [
		['--nope'], ['--api'], ['--api', 'tcp'], ['--api', '0.0.0.0:0', '--token-file', 'x'], ['--api', '[::]:0'],
		['--api', '127.0.0.1:0'], ['--api', '127.0.0.1:99999'], ['--api', 'unix:'], ['--api', 'unix:/x,role=king'],
		['--api', 'unix:/x,mode=9'], ['--api', 'unix:/x,role=read,role=admin'], ['--api', `unix:/${'x'.repeat(120)}`],
		['--new-token', 'king', 'x'], ['stray'],
		['--config', '/nowhere/at/all'], ['--event-streams', '0'], ['--rpc-user', 'nobody-at-all'],
	];
	for (const args of bad) {
		const { status: code, stderr } = spawnSync(binary, args, { encoding: 'utf8' });
		assert.equal(code, 2, args.join(' '));
		assert.match(stderr, /^h2sess-controld: [^\n]+\n$/, args.join(' '));
	}
	assert.match(execFileSync(binary, ['--help'], { encoding: 'utf8' }), /--token-file/);
	assert.match(execFileSync(binary, ['--version'], { encoding: 'utf8' }), /^h2sess-controld \d/);
});

test('every flag is a key of the configuration file, and the command line wins', async (t) => {
	const config = path.join(daemon.dir, 'controld.conf');
	const one = path.join(daemon.dir, 'one.sock');
	fs.writeFileSync(config, `; a comment\nno-state = yes\napi = unix:${one},role=read\napi = unix:${one}2\nevent-streams = 7\n`);
	const other = Daemon.of(t, ['--config', config]);
	await other.start(); // which gives --api, so those of the file are gone
	assert.deepEqual(other.ready.api, [{ path: other.socketPath }]);
	fs.writeFileSync(config, 'colour = red\n');
	const { status: code, stderr } = spawnSync(binary, ['--config', config], { encoding: 'utf8' });
	assert.deepEqual([code, stderr.split('\n').length], [2, 2]);
	assert.match(stderr, /colour/);
});
