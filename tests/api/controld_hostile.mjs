// SPDX-License-Identifier: Apache-2.0
//
// A hostile world: no descriptors left, a full disk, readers and workers who never read, crowds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { sanitized, until } from '../common.mjs';
import { Daemon, binary, withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

// A daemon below `ulimit`; options as ulimit has them.
async function limited(t, options, args = []) {
	const daemon = Daemon.of(t);
	daemon.args = args.flatMap((arg) => (arg === '--state' ? [arg, path.join(daemon.dir, 'state.db')] : [arg]));
	const shell = path.join(daemon.dir, 'limited');
	fs.writeFileSync(shell, `#!/bin/sh\nulimit ${options}\nexec ${path.resolve(binary)} "$@"\n`, { mode: 0o755 });
	daemon.binary = shell;
	return daemon.start();
}

test('without descriptors: who is connected is served, who comes later waits, and all is well afterwards', async (t) => {
	const daemon = await limited(t, '-n 48');
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	const stream = await daemon.events('?type=goaway');
	const crowd = Array.from({ length: 80 }, () => net.connect(daemon.socketPath));
	crowd.forEach((socket) => socket.on('error', () => {}));
	await Promise.all(crowd.slice(0, 20).map((socket) => socket.readyState === 'open' || once(socket, 'connect')));
	worker.event('goaway', `${worker.boot}-1`, { code: 1 });
	assert.equal((await stream.next()).data.data.code, 1);
	crowd.forEach((socket) => socket.destroy());
	assert.equal((await daemon.get('/healthz')).status, 200);
	await new FakeWorker(daemon.rpc, { name: 'later' }).start();
	assert.equal((await daemon.get('/v1/workers')).json.workers.length, 2);
	stream.close();
});

test('a full disk: no policy that is not kept, events go on, and it is said', async (t) => {
	const small = await limited(t, '-f 600', ['--state']);
	const origins = Array.from({ length: 300 }, (_, i) => `https://${'h'.repeat(150)}${i}.example`);
	const kept = [];
	let refused;
	for (let i = 0; i < 40 && !refused; i++) {
		const { status, json } = await small.request('PUT', `/v1/policies/p${i}`, { body: { select: { all: true }, origins } });
		if (status === 201)
			kept.push(`p${i}`);
		else
			refused = { status, json };
	}
	assert.deepEqual([refused?.status, refused?.json.code], [503, 'ERR_STATE']);
	assert.ok(kept.length >= 1);
	const names = async () => (await small.get('/v1/policies')).json.policies.map(({ name }) => name).sort();
	// The last room may have taken the policy, and none was left to write down who made it: then the refusal says so.
	if ((await names()).length > kept.length) {
		assert.match(refused.json.detail, /may have been done/);
		kept.push(`p${kept.length}`);
	}
	assert.deepEqual(await names(), [...kept].sort());
	const worker = new FakeWorker(small.rpc, { hello: { capabilities: [] } });
	const stream = await small.events('?type=goaway');
	await worker.start();
	worker.event('goaway', `${worker.boot}-1`, { code: 1 });
	assert.equal((await stream.next()).data.data.code, 1);
	stream.close();
	await small.says(/state: /);
	await small.stop('SIGKILL');
	small.binary = undefined; // there is room again
	await small.start();
	assert.deepEqual(await names(), [...kept].sort());
	assert.equal((await small.request('PUT', '/v1/policies/more', { body: { select: { all: true }, origins } })).status, 201);
});

// A reader that counts octets and looks for the last event.
function count(daemon, last) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(daemon.socketPath);
		let tail = '';
		socket.write('GET /v1/events?type=goaway HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n');
		socket.setEncoding('latin1').on('error', reject).on('data', (text) => {
			if (!socket.begun)
				socket.begun = socket.emit('begun');
			tail = (tail + text).slice(-256);
			if (tail.includes(last)) {
				socket.emit('complete');
				socket.destroy();
			}
		});
		socket.once('begun', () => resolve(socket));
	});
}

const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

test('a thousand subscribers of whom a hundred never read', () => withDaemon(['--event-log-bytes', '1000000'], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	const readers = [], sleepers = [];
	for (let i = 0; i < 10; i++)
		readers.push(...await Promise.all(Array.from({ length: 90 }, () => count(daemon, '"code":"last"'))));
	for (let i = 0; i < 100; i++) {
		const socket = net.connect(daemon.socketPath);
		socket.write('GET /v1/events?type=goaway HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n');
		sleepers.push(socket.pause().on('error', () => {}));
	}
	await until('a thousand streams', async () => /^h2sess_event_streams 1000$/m.test((await daemon.get('/metrics')).text));
	const before = memory(daemon.child.pid);
	const complete = Promise.all(readers.map((socket) => once(socket, 'complete')));
	const tail = 'f'.repeat(8192);
	for (let i = 0; i < 39; i++)
		worker.event('goaway', `${worker.boot}-1`, { tail });
	worker.event('goaway', `${worker.boot}-1`, { code: 'last' });
	await complete; // nobody waited for those who sleep
	if (!sanitized)
		assert.ok(memory(daemon.child.pid) - before < 64, `${memory(daemon.child.pid) - before} MiB more`);
	assert.equal((await daemon.get('/healthz')).status, 200);
	sleepers.forEach((socket) => socket.destroy());
}));

// The value of h2sess_limit_total.
async function reached(daemon, limit) {
	const { text } = await daemon.get('/metrics');
	return Number(new RegExp(`^h2sess_limit_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('a worker that does not read, and a crowd at its socket, are bounded, and it is counted', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc, { handlers: { 'session.emit': () => ({}) } });
	const { id } = worker.addSession(1);
	await worker.start();
	worker.socket.pause();
	const emitted = Array.from({ length: 12 }, () =>
		daemon.post(`/v1/sessions/${id}/emit`, { event: 'x-large', data: 'x'.repeat(1_000_000) }));
	const refused = await Promise.race(emitted);
	assert.equal(refused.status, 503);
	worker.socket.resume();
	const statuses = (await Promise.all(emitted)).map(({ status }) => status);
	assert.ok(await reached(daemon, 'rpc_queue') >= 1);
	assert.ok(statuses.includes(200), `${statuses}`);

	const crowd = [], ended = [];
	while (crowd.length < 260) { // one after the other: the kernel's queue of them is shorter
		const socket = net.connect(daemon.rpc).resume();
		ended.push(new Promise((resolve) => socket.on('error', resolve).on('close', resolve)));
		crowd.push(socket);
		await once(socket, 'connect');
	}
	await Promise.race(ended);
	assert.ok(await reached(daemon, 'rpc_connections') >= 1); // who is refused makes room for who comes later
	crowd.forEach((socket) => socket.destroy());
	await Promise.all(ended);
	await daemon.says(/too many connections/);
	await worker.stop();
}));
