// SPDX-License-Identifier: Apache-2.0
//
// Workers and the daemon come and go: hello, names, lost workers, restarts, kill -9, the state file.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Daemon, binary, withDaemon } from './controld_support.mjs';
import { FakeWorker, newBoot } from './fake_worker.mjs';

const names = async (daemon) => (await daemon.get('/v1/workers')).json.workers.map((worker) => worker.name);
const settled = (worker) => worker.call('settle', {}).catch(() => {});

test('a hello that is wrong is answered with the member that is', () => withDaemon([], {}, async (daemon) => {
	const bad = [
		[{ protocol: { min: 2, max: 9 } }, 'ERR_PROTOCOL_VERSION', 'protocol'],
		[{ protocol: 1 }, 'ERR_INVALID_ARG_TYPE', 'protocol'], [{ protocol: { min: '1', max: 1 } }, 'ERR_INVALID_ARG_TYPE', 'protocol'],
		[{ name: '' }, 'ERR_INVALID_ARG_VALUE', 'name'], [{ name: 'a b' }, 'ERR_INVALID_ARG_VALUE', 'name'],
		[{ name: 'x'.repeat(64) }, 'ERR_INVALID_ARG_VALUE', 'name'], [{ name: 5 }, 'ERR_INVALID_ARG_TYPE', 'name'],
		[{ name: undefined }, 'ERR_INVALID_ARG_TYPE', 'name'], [{ boot: 'short' }, 'ERR_INVALID_ARG_VALUE', 'boot'],
		[{ boot: 'UPPERCASE' }, 'ERR_INVALID_ARG_VALUE', 'boot'], [{ boot: 'x'.repeat(33) }, 'ERR_INVALID_ARG_VALUE', 'boot'],
		[{ state: 'asleep' }, 'ERR_INVALID_ARG_VALUE', 'state'], [{ labels: [] }, 'ERR_INVALID_ARG_TYPE', 'labels'],
		[{ sessions: 'many' }, 'ERR_INVALID_ARG_TYPE', 'sessions'], [{ pushes: {} }, 'ERR_INVALID_ARG_TYPE', 'pushes'],
	];
	for (const [hello, code, field] of bad) {
		const worker = new FakeWorker(daemon.rpc, { hello });
		const closed = once(worker, 'close');
		await assert.rejects(worker.start(), (error) => {
			assert.deepEqual([error.data.code, error.data.field], [code, field]);
			return true;
		});
		await closed;
	}
	assert.deepEqual(await names(daemon), []);
	const minimal = new FakeWorker(daemon.rpc);
	await minimal.connect();
	const result = await minimal.call('hello', { protocol: { min: 0, max: 7 }, name: 'minimal', boot: newBoot(), unknown: 1 });
	assert.deepEqual(result, { protocol: 1, filter: { types: [] }, policies: [], accepting: true, runs: true });
	assert.deepEqual(await names(daemon), ['minimal']);
}));

test('a second worker of a name is refused, unless it succeeds the first', () => withDaemon([], {}, async (daemon) => {
	const first = new FakeWorker(daemon.rpc);
	const { id } = first.addSession(1);
	await first.start();
	const second = new FakeWorker(daemon.rpc);
	await assert.rejects(second.start(), (error) => error.data.code === 'ERR_WORKER_NAME_IN_USE' && error.code === -48);
	const successor = new FakeWorker(daemon.rpc, { hello: { succeeds: first.boot } });
	successor.addSession(1);
	await successor.start();
	const { json } = await daemon.get('/v1/workers');
	assert.deepEqual(json.workers.map((worker) => [worker.boot, worker.state]),
		[[first.boot, 'draining'], [successor.boot, 'running']]);
	assert.equal((await daemon.get('/v1/workers/edge1')).json.boot, successor.boot);
	assert.equal((await daemon.get('/v1/sessions')).json.sessions.length, 2);
	assert.equal((await daemon.get(`/v1/sessions/${id}`)).status, 200);
	await first.stop();
	await first.start(); // the old one may come back, as the old one
	assert.equal((await daemon.get('/v1/workers/edge1')).json.boot, successor.boot);
	assert.equal((await daemon.get('/v1/workers')).json.workers.length, 2);
}));

test('the same boot on a new connection replaces the old one', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	const stream = await daemon.events('?type=worker.up,worker.down');
	const old = worker.socket;
	const closed = once(old, 'close');
	await worker.start();
	await closed;
	assert.deepEqual(await names(daemon), ['edge1']);
	const other = new FakeWorker(daemon.rpc, { name: 'edge2' });
	await other.start();
	assert.equal((await stream.next()).data.worker, 'edge2'); // nothing of edge1 in between
	stream.close();
}));

test('a lost worker: its pushes are unknown, its sessions out of reach, then gone', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc, { fate: 'written' });
	const { id } = worker.addSession(1);
	await worker.start();
	const stream = await daemon.events('?type=worker.down,push.done');
	const waiting = daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x', wait: 'received', timeout: 30 });
	await once(worker, 'request');
	await settled(worker);
	await worker.stop();
	const { status, json } = await waiting;
	assert.deepEqual([status, json.outcome, json.reason, json.push.state], [200, 'unknown', 'WORKER_LOST', 'done']);
	assert.deepEqual((await stream.take(2)).map((item) => item.event).sort(), ['push.done', 'worker.down']);
	assert.equal((await daemon.get(`/v1/sessions/${id}`)).status, 503);
	assert.equal((await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' })).status, 503);
	// The same process comes back and knows better.
	worker.hello = { pushes: [worker.update(json.push.id, id, 'received')] };
	await worker.start();
	assert.equal((await daemon.get(`/v1/pushes/${json.push.id}`)).json.outcome, 'received');
	assert.equal((await daemon.get(`/v1/sessions/${id}`)).status, 200);
	await worker.stop();
	// Another process of that name: the sessions of the old one are gone.
	await new FakeWorker(daemon.rpc).start();
	assert.equal((await daemon.get(`/v1/sessions/${id}`)).status, 404);
	stream.close();
}));

test('kill -9: the sockets are taken over, unfinished pushes are adopted', async (t) => {
	const daemon = Daemon.of(t);
	await daemon.start();
	const worker = new FakeWorker(daemon.rpc, { fate: 'written' });
	const { id } = worker.addSession(1);
	await worker.start();
	const { json } = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' });
	await daemon.stop('SIGKILL');
	await daemon.start();
	worker.hello = { pushes: [worker.update(json.push.id, id, 'written')] };
	await worker.start();
	assert.deepEqual(await names(daemon), ['edge1']);
	assert.equal((await daemon.get(`/v1/pushes/${json.push.id}`)).json.push.state, 'running');
	const waiting = daemon.get(`/v1/pushes/${json.push.id}?wait=done&timeout=20`);
	worker.settle(json.push.id, id, 'received');
	assert.equal((await waiting).json.outcome, 'received');
	const next = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' });
	assert.notEqual(next.json.push.id, json.push.id);
});

test('two daemons do not share a socket, and what is not a socket stays', () => withDaemon([], {}, async (daemon) => {
	const run = (args) => spawnSync(binary, ['--no-state', ...args], { encoding: 'utf8' });
	const spare = path.join(daemon.dir, 'spare.sock');
	const rpc = run(['--rpc', daemon.rpc, '--api', `unix:${spare}`]);
	assert.deepEqual([rpc.status, /another daemon/.test(rpc.stderr)], [1, true]);
	const api = run(['--rpc', spare, '--api', `unix:${daemon.socketPath}`]);
	assert.deepEqual([api.status, /another daemon/.test(api.stderr)], [1, true]);
	const file = path.join(daemon.dir, 'file');
	fs.writeFileSync(file, 'precious');
	assert.equal(run(['--rpc', spare, '--api', `unix:${file}`]).status, 1);
	assert.equal(fs.readFileSync(file, 'utf8'), 'precious');
	const port = net.createServer().listen(path.join(daemon.dir, 'alive.sock'));
	await once(port, 'listening');
	assert.equal(run(['--rpc', spare, '--api', `unix:${daemon.dir}/alive.sock`]).status, 1);
	port.close();
	assert.equal((await daemon.get('/healthz')).status, 200);
}));

test('events outlive the daemon in the state file, and no id recurs', async (t) => {
	const daemon = Daemon.of(t);
	const state = path.join(daemon.dir, 'state.db');
	daemon.args = ['--state', state];
	await daemon.start();
	assert.equal(fs.statSync(state).mode & 0o777, 0o600);
	const worker = new FakeWorker(daemon.rpc);
	const session = `${worker.boot}-1`;
	const ids = new Set();
	let last, code = 0;
	for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM']) {
		await worker.start();
		const stream = await daemon.events(`?type=goaway${last ? `&since=${last}` : ''}`);
		for (let i = 0; i < 50; i++)
			worker.event('goaway', session, { code: code++ });
		const items = await stream.take(50);
		assert.deepEqual(items.map((item) => item.data.data.code), [...Array(50).keys()].map((i) => code - 50 + i));
		items.forEach((item) => {
			assert.ok(!ids.has(item.id));
			ids.add(item.id);
		});
		last = items.at(-1).id;
		stream.close();
		await worker.stop();
		await daemon.stop(signal);
		await daemon.start();
	}
	const all = await daemon.events(`?type=goaway&since=${[...ids][0]}`);
	assert.deepEqual((await all.take(199)).map((item) => item.data.data.code), [...Array(199).keys()].map((i) => i + 1));
	all.close();
	assert.equal(new Set([...ids].map((id) => id.split('-')[0])).size, 1);
});

test('a session that ended is remembered across a restart', async (t) => {
	const daemon = Daemon.of(t);
	daemon.args = ['--state', path.join(daemon.dir, 'state.db')];
	await daemon.start();
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	const stream = await daemon.events('?type=close&once=1');
	worker.event('close', `${worker.boot}-7`, { reason: 'ERR_FLOOD' });
	await stream.next();
	await daemon.stop('SIGKILL');
	await daemon.start();
	const { status, json } = await daemon.get(`/v1/sessions/${worker.boot}-7`);
	assert.deepEqual([status, json.reason], [410, 'ERR_FLOOD']);
});

test('a second daemon on a state file says that the first has it', async (t) => {
	const daemon = Daemon.of(t);
	const file = path.join(daemon.dir, 'state.db');
	daemon.args = ['--state', file];
	await daemon.start();
	const other = (name) => path.join(daemon.dir, name);
	const { status, stderr } = spawnSync(binary, ['--rpc', other('r.sock'), '--api', `unix:${other('a.sock')}`,
		'--state', file], { encoding: 'utf8' });
	assert.notEqual(status, 0);
	assert.match(stderr, /state\.db: another process has this state file open\n$/);
});

test('a service manager that does not listen is no trouble, and a clean stop leaves no sockets', async (t) => {
	const daemon = Daemon.of(t);
	process.env.NOTIFY_SOCKET = path.join(daemon.dir, 'notify');
	try {
		await daemon.start();
	} finally {
		delete process.env.NOTIFY_SOCKET;
	}
	assert.equal((await daemon.get('/readyz')).status, 200);
	assert.equal(await daemon.stop(), 0);
	assert.deepEqual(fs.readdirSync(daemon.dir).filter((name) => name.endsWith('.sock')), []);
});

test('stopping answers who waits, and is quick', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc, { fate: 'queued', handlers: { 'session.get': () => undefined } });
	const { id } = worker.addSession(1);
	await worker.start();
	const push = daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x', timeout: 60 });
	await once(worker, 'request');
	const get = daemon.get(`/v1/sessions/${id}`);
	await once(worker, 'request');
	const started = Date.now();
	assert.equal(await daemon.stop(), 0);
	assert.ok(Date.now() - started < 30000); // of 60 s that were asked for
	assert.equal((await push).json.timedOut, true);
	assert.equal((await get).status, 503);
}));

// The daemon waits for seconds, so these do it at once.
describe('who lets the daemon wait', { concurrency: 2 }, () => {
	test('a worker that does not answer: 503 for what needs it, nothing for the others', () => withDaemon([], {}, async (daemon) => {
		const frozen = new FakeWorker(daemon.rpc, { handlers: { 'session.get': () => undefined, 'sessions.list': () => undefined,
			'session.altsvc': () => undefined, 'worker.stats': () => undefined } });
		const { id } = frozen.addSession(1);
		await frozen.start();
		const other = new FakeWorker(daemon.rpc, { name: 'other' });
		other.addSession(1);
		await other.start();
		const slow = [daemon.get(`/v1/sessions/${id}`), daemon.get('/v1/sessions')];
		assert.equal((await daemon.get('/v1/sessions?worker=other')).json.sessions.length, 1);
		assert.equal((await daemon.get('/v1/workers/edge1')).status, 200);
		assert.equal((await daemon.get('/metrics')).status, 200);
		const push = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x', timeout: 0.1 });
		assert.deepEqual([push.json.timedOut, push.json.outcome], [true, 'queued']);
		const [one, list] = await Promise.all(slow);
		assert.deepEqual([one.status, list.status, list.json.detail], [503, 503, 'edge1']);
	}));

	test('who speaks before hello, or not at all, or nonsense, is cut off', () => withDaemon([], {}, async (daemon) => {
		const say = (octets) => new Promise((resolve) => {
			const socket = net.connect(daemon.rpc);
			let text = '';
			socket.setEncoding('utf8').on('data', (data) => (text += data)).on('close', () => resolve(text)).on('error', () => {});
			socket.write(octets);
		});
		const code = (text) => JSON.parse(text.split('\n')[0]).error.code;
		const started = Date.now(), silent = say('');
		assert.equal(code(await say('{"jsonrpc":"2.0","method":"event","params":{}}\n')), -32600);
		assert.equal(code(await say('nonsense\n')), -32700);
		assert.equal(code(await say('[]\n')), -32600);
		assert.equal(code(await say('{"jsonrpc":"2.0","id":1,"id":2,"method":"hello"}\n')), -32700);
		await say('x'.repeat(5 << 20)); // longer than a line may be, and no end of it
		await silent;
		assert.ok(Date.now() - started > 4000, `${Date.now() - started} ms`);
		assert.equal((await daemon.get('/healthz')).status, 200);
	}));
});
