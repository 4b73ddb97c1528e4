// SPDX-License-Identifier: Apache-2.0
//
// What a real worker says with each event of what its session is like then (`at` of rpc.md): the numbers always, the user agent and
// the origin set when they are new, and again when what was told may have been lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scene, get, getMany, pushScene, until } from './rpc_support.mjs';
import { certificate, temporary } from '../interop/worker_support.mjs';

const NUMBERS = ['ageMs', 'idleMs', 'labelChanges', 'openStreams', 'origins', 'requested'];
const names = (at) => Object.keys(at).sort();

const secure = (t) => Scene.open(t, ['--listen', '127.0.0.1:0', ...certificate(temporary(t))]);

test('the user agent comes with the first request, once', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up(['stream']);
	const client = await scene.client();
	const connect = await link.event('connect');
	assert.deepEqual(names(connect.at), NUMBERS);
	assert.deepEqual([connect.at.openStreams, connect.at.origins, connect.at.requested], [0, 0, false]);
	await get(client, '/', { 'user-agent': 'first/1' });
	const first = await link.event('stream');
	assert.deepEqual(names(first.at), [...NUMBERS, 'userAgent']);
	assert.deepEqual([first.at.userAgent, first.at.requested, first.at.openStreams, first.at.idleMs], ['first/1', true, 1, 0]);
	await get(client, '/', { 'user-agent': 'second/2' });
	assert.deepEqual(names((await link.event('stream')).at), NUMBERS);
	client.destroy();
	const close = await link.event('close');
	assert.deepEqual(names(close.at), NUMBERS);
	assert.equal(close.at.requested, true);
	assert.ok(close.at.ageMs >= connect.at.ageMs);
});

test('a first request without a user agent decides it too', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up(['stream']);
	const client = await scene.client();
	await link.event('connect'); // the filter is in force
	await get(client);
	const { at } = await link.event('stream');
	assert.deepEqual([at.requested, at.userAgent], [true, null]);
	assert.deepEqual(names((await getMany(client, 1), await link.event('stream')).at), NUMBERS);
});

test('open streams and time without activity are those of the moment', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up(['stream']);
	const client = await scene.client();
	await link.event('connect');
	for (let n = 1; n <= 3; n++) {
		client.request({ ':path': '/', ':method': 'POST' });
		assert.equal((await link.event('stream')).at.openStreams, n);
	}
	const { session } = await link.result('sessions.list', { select: {}, limit: 1, after: null }).then(({ sessions }) => ({ session: sessions[0].id }));
	for (;;) {
		await link.result('session.emit', { session, event: 'x-now', data: null });
		const { at } = await link.event('x-now');
		assert.deepEqual([at.openStreams, at.requested], [3, true]);
		assert.ok(at.idleMs <= at.ageMs);
		if (at.idleMs >= 20) // an event of ours is no activity of the peer's
			break;
	}
});

test('the origin set is told when it has grown, and with what may have been lost', async (t) => {
	const scene = await secure(t);
	const link = await scene.daemon.up(['stream']);
	const client = await scene.client({ servername: 'example.org' });
	const connect = await link.event('connect');
	const { session } = connect;
	const [own] = connect.data.originSet;
	assert.deepEqual([names(connect.at), connect.at.origins], [NUMBERS, 1]);
	await link.result('session.origin', { push: 'o-1', session, origins: ['https://a.example', 'https://b.example'], lint: false });
	await link.update('o-1', 'received');
	await get(client, '/', { 'user-agent': 'x' });
	const first = await link.event('stream');
	assert.deepEqual([first.at.origins, first.at.originSet], [3, [own, 'https://a.example', 'https://b.example']]);
	await get(client);
	assert.deepEqual(names((await link.event('stream')).at), NUMBERS);

	link.socket.destroy(); // what was on its way may be lost, and the next daemon may be another one
	const again = await scene.daemon.up(['stream']);
	await get(client);
	const retold = await again.event('stream');
	assert.deepEqual([retold.at.originSet.length, retold.at.userAgent], [3, 'x']);
	await get(client);
	assert.deepEqual(names((await again.event('stream')).at), NUMBERS);
	client.destroy();
	const close = await again.event('close');
	assert.deepEqual([names(close.at), close.at.origins], [NUMBERS, 3]);
});

test('labels are told when they have changed', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	await scene.client();
	const { session, at } = await link.event('connect');
	assert.equal(at.labelChanges, 0);
	const now = async () => {
		await link.result('session.emit', { session, event: 'x-now', data: null });
		return (await link.event('x-now')).at;
	};
	assert.deepEqual(names(await now()), NUMBERS);
	await link.result('session.setLabels', { session, labels: { tier: 'gold', site: 'a' } });
	const first = await now();
	assert.deepEqual([first.labels, first.labelChanges], [{ tier: 'gold', site: 'a' }, 2]);
	assert.deepEqual(names(await now()), NUMBERS);
	await link.result('session.setLabels', { session, labels: { tier: null } });
	const second = await now();
	assert.deepEqual([second.labels, second.labelChanges], [{ site: 'a' }, 3]);
});

test('what became of a push says what its session was then', async (t) => {
	const { link, client, session } = await pushScene(t);
	client.request({ ':path': '/', ':method': 'POST' });
	await until('the stream', async () => (await link.result('session.get', { session })).openStreams === 1);
	await link.result('session.altsvc', { push: 'p-1', session, alt: 'clear', origin: 'https://example.org', lint: false });
	const { sessions: [{ at }] } = await link.update('p-1', 'received');
	assert.deepEqual(names(at), NUMBERS);
	assert.deepEqual([at.openStreams, at.requested], [1, true]);
});

test('after the worker has dropped events a session tells all again', async (t) => {
	const scene = await Scene.open(t);
	const before = await scene.daemon.up(['stream']);
	const [client, other] = [await scene.client(), await scene.client()];
	await before.event('connect');
	await get(other, '/', { 'user-agent': 'other' });
	const { session } = await before.event('stream');
	await scene.daemon.vanish();
	await getMany(client, 8192 + 100); // CONTROL_EVENTS_MAX
	await get(other);
	await scene.daemon.listen();
	const link = await scene.daemon.up(['stream']);
	assert.ok((await link.item()).count >= 100);
	const last = await link.event('stream', (event) => event.session === session);
	assert.equal(last.at.userAgent, 'other'); // it was made before there was a daemon again
});
