// SPDX-License-Identifier: Apache-2.0
//
// kill -9 of either side: no session ends because the daemon did, nothing is listed that has gone, and
// no session id ever means another session.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { House, event, until } from './support.mjs';

async function get(client, path) {
	const stream = client.request({ ':path': path });
	stream.resume();
	const [headers] = await event(stream, 'response');
	await event(stream, 'close');
	return headers[':status'];
}

test('the session lives on while the daemon is away, and is there again in a second', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const client = await house.client(worker);
	const session = await house.sessionOf(client.socket);
	let closed = false;
	client.on('close', () => (closed = true));

	await house.daemon.kill('SIGKILL');
	assert.equal(await get(client, '/while-away'), 200);
	assert.equal(closed, false);

	await house.startDaemon();
	const since = Date.now();
	const again = await until('the session again', async () =>
		(await house.sessions()).find((s) => s.id === session.id));
	const took = Date.now() - since;
	assert.ok(took < 10000, `it took ${took} ms`); // a second at most between two attempts, and what a loaded machine adds
	assert.equal(again.createdAt, session.createdAt);
	assert.equal(again.peer.port, client.socket.localPort);

	const pushed = event(client, 'altsvc');
	const answer = await house.post(`/v1/sessions/${session.id}/altsvc`,
		{ alt: 'clear', origin: 'https://example.org', wait: 'received' });
	assert.equal(answer.body.outcome, 'received');
	assert.equal((await pushed)[0], 'clear');
	assert.equal(closed, false);
});

test('the daemon comes back ten times under a session in use', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const client = await house.client(worker);
	const session = await house.sessionOf(client.socket);
	for (let i = 0; i < 10; i++) {
		await house.daemon.kill('SIGKILL');
		assert.equal(await get(client, `/${i}`), 200);
		await house.startDaemon();
		await until('the session again', async () =>
			(await house.sessions()).some((s) => s.id === session.id));
	}
});

test('a worker serves without a daemon, and is found when one comes', async (t) => {
	const house = await House.open(t, { daemon: false });
	const worker = await house.worker();
	const client = await house.client(worker);
	assert.equal(await get(client, '/alone'), 200);
	await house.startDaemon();
	const session = await house.sessionOf(client.socket);
	assert.equal(session.worker, 'edge1');
});

// 503: that its sessions have ended is known once a worker of its name is back.
test('a worker that was killed is down, and its sessions are not reached', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const client = await house.client(worker);
	const session = await house.sessionOf(client.socket);
	const events = await house.events('?type=worker.down,close');
	await worker.kill('SIGKILL');
	const down = await events.find('worker.down', (e) => e.type === 'worker.down');
	assert.equal(down.worker, 'edge1');
	assert.deepEqual(await house.sessions(), []);
	for (const answer of [
		await house.get(`/v1/sessions/${session.id}`),
		await house.post(`/v1/sessions/${session.id}/altsvc`,
			{ alt: 'clear', origin: 'https://example.org' }),
	]) {
		assert.equal(answer.status, 503);
		assert.match(answer.headers['content-type'], /^application\/problem\+json/);
	}
	await house.worker();
	assert.ok([404, 410].includes((await house.get(`/v1/sessions/${session.id}`)).status));
	assert.equal(events.list.filter((e) => e.type === 'worker.down').length, 1);
	assert.ok(events.list.filter((e) => e.type === 'close' && e.session === session.id).length <= 1);
});

test('ids are never used again, not by a worker of the same name', async (t) => {
	const house = await House.open(t);
	const ids = new Set();
	for (let i = 0; i < 3; i++) {
		const worker = await house.worker();
		for (let j = 0; j < 3; j++) {
			const client = await house.client(worker);
			const { id } = await house.sessionOf(client.socket);
			assert.ok(!ids.has(id), `${id} came again`);
			ids.add(id);
		}
		await worker.kill('SIGKILL');
		await until('no worker', async () => (await house.sessions()).length === 0);
	}
	assert.equal(ids.size, 9);
	await house.worker();
	for (const id of ids)
		assert.ok([404, 410].includes((await house.get(`/v1/sessions/${id}`)).status));
});

test('workers and sessions are told when they come', async (t) => {
	const house = await House.open(t);
	const events = await house.events('?type=worker.up,worker.down');
	const worker = await house.worker({ name: 'edge7' });
	const up = await events.find('worker.up', (e) => e.type === 'worker.up');
	assert.equal(up.worker, 'edge7');
	await worker.stop();
	await events.find('worker.down', (e) => e.type === 'worker.down' && e.worker === 'edge7');
});

test('a second worker of a living name is refused, and serves all the same', async (t) => {
	const house = await House.open(t);
	const first = await house.worker();
	const second = await house.worker({ known: false });
	const client = await house.client(second);
	assert.equal(await get(client, '/'), 200);
	const { body } = await house.get('/v1/workers');
	assert.deepEqual(body.workers.map((w) => w.pid), [first.pid]);
	assert.equal((await house.get('/v1/workers/edge1')).body.pid, first.pid);
});
