// SPDX-License-Identifier: Apache-2.0
//
// Policies over the control protocol: who is sent what and when, what is not sent twice, how it is taken
// back, and what the worker says of it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import path from 'node:path';
import { test } from 'node:test';
import { BUILD, Scene, until, within } from './rpc_support.mjs';

const ORIGIN = 'https://example.org';
const later = () => new Date(Date.now() + 3600e3).toISOString();

/** A policy with what a test says of it. */
const policy = (more) => ({ name: 'p1', revision: 1, select: { all: true }, alt: 'h3=":443"; ma=60', origin: ORIGIN,
	...more });

/** A client that keeps the ALTSVC values that came. */
async function watcher(scene) {
	const values = [];
	const client = http2.connect(`http://127.0.0.1:${scene.port}`);
	client.on('error', () => {});
	client.on('altsvc', (alt) => values.push(alt));
	scene.clients.push(client);
	await within(once(client, 'remoteSettings'), 'a session');
	return { client, values };
}

const fence = (client) => within(new Promise((resolve) => client.ping(resolve)), 'an answer');
const come = (values, n) => until(`${n} values`, () => values.length >= n);
const put = (link, more) => link.result('policy.put', { policy: policy(more) });
const held = async (link, session, name = 'p1') =>
	(await link.result('session.get', { session })).policies.find(({ policy }) => policy === name);

test('live sessions get it, and those that come', async (t) => {
	const scene = await Scene.open(t, ['--threads', '2']);
	const link = await scene.daemon.up();
	const before = await watcher(scene);
	const { session } = await link.event('connect');

	assert.deepEqual(await put(link, { by: 'alice' }), {});
	await come(before.values, 1);
	const after = await watcher(scene);
	await come(after.values, 1);
	assert.deepEqual([before.values, after.values], [['h3=":443"; ma=60'], ['h3=":443"; ma=60']]);
	const { when, ...rest } = await until('received', async () => {
		const found = await held(link, session);
		return found?.outcome === 'received' && found;
	});
	assert.ok(when);
	assert.deepEqual(rest, { policy: 'p1', revision: 1, holds: true, why: '', outcome: 'received' });
	assert.equal((await link.result('session.get', { session })).altsvc[0].by, 'alice');
	const update = await link.next('counts', ({ method, params }) =>
		method === 'policy.update' && params.received === 2);
	assert.deepEqual([update.policy, update.revision, update.matched, update.pending, update.notSent],
		['p1', 1, 2, 0, 0]);
	assert.ok(update.lastSent);
});

test('nothing is sent twice, not after a restart of the daemon either', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const { client, values } = await watcher(scene);
	await link.event('connect');
	await put(link);
	await come(values, 1);
	await put(link, { revision: 2, priority: 5 }); // the same value
	await fence(client);
	link.socket.destroy();
	const second = await scene.daemon.connection();
	second.say({ id: second.helloId, result: { protocol: 1, filter: { types: [] }, accepting: true,
		policies: [policy({ revision: 2, priority: 5 }), policy({ name: 'p2', alt: 'h2=":2"', priority: 1 })] } });
	await link.closed;
	await until('the new set', async () =>
		(await second.result('sessions.list', { select: {} })).sessions[0].policies.length === 2);
	await fence(client);
	assert.equal(values.length, 1);
	const [session] = (await second.result('sessions.list', { select: {} })).sessions;
	assert.deepEqual(session.policies.map(({ policy, why }) => [policy, why]), [['p1', ''], ['p2', 'priority']]);
});

test('what was sent while the daemon was away is told, also of a policy that changed meanwhile', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	await put(link);
	link.socket.destroy();
	const { values } = await watcher(scene);
	await come(values, 1);
	const second = await scene.daemon.up([], { policies: [policy({ revision: 2, paused: true })] });
	const { lastSent } = await second.next('counts', ({ method, params }) => method === 'policy.update' && params.revision === 2);
	assert.ok(lastSent);
});

test('the highest priority wins, and its removal brings the next', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const { values } = await watcher(scene);
	await link.event('connect');

	await put(link, { name: 'low', alt: 'h2=":1"' });
	await come(values, 1);
	await put(link, { name: 'high', alt: 'h2=":2"', priority: 10 });
	await come(values, 2);
	await put(link, { name: 'high', alt: 'h2=":2"', priority: 10, revision: 2, retracting: later() });
	await come(values, 3);
	await put(link, { name: 'low', alt: 'h2=":1"', revision: 2, retracting: later() });
	await come(values, 4);
	assert.deepEqual(values, ['h2=":1"', 'h2=":2"', 'h2=":1"', 'clear']);
	const back = await watcher(scene); // one that may have been here before
	await come(back.values, 1);
	assert.deepEqual(back.values, ['clear']);
	assert.deepEqual(await link.result('policy.remove', { name: 'low' }), {});
	assert.equal((await link.error('policy.remove', { name: 'low' })).data.code, 'ERR_NOT_FOUND');
});

test('forgotten is not taken back', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const { client, values } = await watcher(scene);
	const { session } = await link.event('connect');
	await put(link);
	await come(values, 1);
	await link.result('policy.remove', { name: 'p1' });
	await until('it is gone', async () => !(await held(link, session)));
	await fence(client);
	assert.equal(values.length, 1);
});

test('paused sends nothing, and goes on when it is resumed', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const { client, values } = await watcher(scene);
	const { session } = await link.event('connect');
	await put(link, { paused: true });
	await until('the policy', async () => (await held(link, session))?.why === 'paused');
	await fence(client);
	assert.equal(values.length, 0);
	await put(link, { revision: 2 });
	await come(values, 1);
});

test('it expires by itself', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const { values } = await watcher(scene);
	const { session } = await link.event('connect');
	await put(link, { expires: new Date(Date.now() + 2000).toISOString() });
	await come(values, 2);
	assert.deepEqual(values, ['h3=":443"; ma=60', 'clear']);
	assert.equal((await held(link, session)).why, 'expired');
});

test('a selector that does not match says which member', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const { client, values } = await watcher(scene);
	const { session } = await link.event('connect');
	await put(link, { select: { label: { tier: 'gold' } } });
	await until('the policy', async () => (await held(link, session))?.why === 'label');
	await link.result('session.setLabels', { session, labels: { tier: 'gold' } });
	await put(link, { select: { label: { tier: 'gold' } }, revision: 2 });
	await come(values, 1);
	await put(link, { name: 'none', percent: 0, origin: 'https://other.org' });
	await until('the other', async () => (await held(link, session, 'none'))?.why === 'percent');
	await fence(client);
	assert.equal(values.length, 1);
});

test('the user-agent decides at the first request, before its response', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	await put(link, { select: { userAgent: 'fox/*' } });
	const { client, values } = await watcher(scene);
	const { session } = await link.event('connect');
	assert.equal((await held(link, session)).why, 'userAgent');
	const stream = client.request({ ':path': '/', 'user-agent': 'Fox/7' });
	await within(once(stream, 'response'), 'the response');
	assert.deepEqual(values, ['h3=":443"; ma=60']);
	stream.resume();
});

test('a pace holds for live sessions, over all threads', async (t) => {
	const scene = await Scene.open(t, ['--threads', '2']);
	const link = await scene.daemon.up();
	const clients = [];
	for (let i = 0; i < 8; i++) clients.push(await watcher(scene));
	const start = Date.now();
	await put(link, { perSecond: 20 });
	for (const { values } of clients) await come(values, 1);
	assert.ok(Date.now() - start >= 250, `${Date.now() - start} ms`); // 7 * 50 ms, less a burst
	const fresh = await watcher(scene);
	await come(fresh.values, 1);
});

test('a label that changes is followed at once, in both directions', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	await put(link, { select: { label: { tier: 'gold' } } });
	const { client, values } = await watcher(scene);
	const { session } = await link.event('connect');
	const other = await watcher(scene);
	const label = (tier) => link.result('session.setLabels', { session, labels: { tier } });

	await label('silver');
	await fence(client);
	assert.deepEqual([values, (await held(link, session)).why], [[], 'label']);
	await label('gold');
	await come(values, 1);
	await label('gold'); // as it was: nothing is sent again
	await link.result('session.setLabels', { session, labels: { more: 'x', less: 'y' } });
	await fence(client);
	await label(null);
	await come(values, 2);
	await label('gold');
	await come(values, 3);
	await fence(client);
	assert.deepEqual(values, ['h3=":443"; ma=60', 'clear', 'h3=":443"; ma=60']);
	await put(link, { select: { label: { tier: 'gold' } }, revision: 2, paused: true });
	await fence(client);
	await fence(other.client);
	assert.deepEqual([values.length, other.values], [3, []]);
});

test('by header: a field of the application\'s own is the one that is sent, once', async (t) => {
	const scene = await Scene.open(t, ['--app', `${path.resolve(BUILD, 'tests/bench/answer.so')}:5,h2=":9"`]);
	const link = await scene.daemon.up();
	await put(link, { via: 'both', origin: `http://127.0.0.1:${scene.port}` });
	const { client, values } = await watcher(scene);
	await come(values, 1);
	const stream = client.request({ ':path': '/' });
	const [headers] = await within(once(stream, 'response'), 'the response');
	stream.resume();
	assert.equal(headers['alt-svc'], 'h2=":9"');
	assert.deepEqual(values, ['h3=":443"; ma=60']);
});

test('by header: on responses of that origin', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const origin = `http://127.0.0.1:${scene.port}`;
	await put(link, { via: 'header', origin });
	const { client, values } = await watcher(scene);
	const field = async () => {
		const stream = client.request({ ':path': '/' });
		const [headers] = await within(once(stream, 'response'), 'the response');
		stream.resume();
		return headers['alt-svc'];
	};
	assert.equal(await field(), 'h3=":443"; ma=60');
	await put(link, { via: 'header', origin, revision: 2, retracting: later() });
	await until('clear', async () => (await field()) === 'clear');
	await put(link, { via: 'header', origin: 'https://other.org', revision: 3 });
	await until('none', async () => (await field()) === undefined);
	await put(link, { via: 'both', origin, revision: 4 });
	await come(values, 1);
	assert.equal(await field(), 'h3=":443"; ma=60');
});

test('ORIGIN comes before the first response, and adds up', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const origins = (more) => ({ alt: undefined, origin: undefined, lint: false, ...more });
	await put(link, origins({ origins: ['https://a.org'] }));
	await put(link, origins({ name: 'p2', origins: ['https://b.org'], select: { userAgent: '*' } }));
	const client = await scene.client();
	const { session } = await link.event('connect');
	const stream = client.request({ ':path': '/', 'user-agent': 'fox/7' });
	stream.resume();
	await within(once(stream, 'close'), 'a response');
	await until('both', async () => {
		const { policies } = await link.result('session.get', { session });
		return policies.every(({ outcome }) => outcome === 'received');
	});
	await put(link, origins({ origins: ['https://a.org'], revision: 2, retracting: later() }));
	await until('retracting', async () => (await held(link, session)).why === 'retracting');
});

test('what is wrong is named', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const TYPE = 'ERR_INVALID_ARG_TYPE';
	const VALUE = 'ERR_INVALID_ARG_VALUE';
	const RANGE = 'ERR_OUT_OF_RANGE';
	const rows = [
		[{ name: undefined }, TYPE, 'name'],
		[{ name: 'a b' }, VALUE, 'name'],
		[{ select: undefined }, TYPE, 'select'],
		[{ select: { ids: ['x'] } }, VALUE, 'ids'],
		[{ select: { sample: 0 } }, RANGE, 'sample'],
		[{ percent: 101 }, RANGE, 'percent'],
		[{ priority: 'x' }, TYPE, 'priority'],
		[{ via: 'fax' }, VALUE, 'via'],
		[{ paused: 1 }, TYPE, 'paused'],
		[{ expires: 'tomorrow' }, VALUE, 'expires'],
		[{ retracting: 5 }, TYPE, 'retracting'],
		[{ origin: 'nope' }, 'ERR_INVALID_URL', 'origin'],
		[{ origin: undefined }, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN', 'origin'],
	];

	for (const [more, code, field] of rows) {
		const error = await link.error('policy.put', { policy: policy(more) });
		assert.deepEqual(error.data, { code, field }, JSON.stringify(more));
	}
	const rule = await link.error('policy.put', { policy: policy({ alt: 'h2=' }) });
	assert.equal(rule.data.rule, 'alt-grammar');
	assert.equal((await link.error('policy.put', { policy: policy({ x: 1 }) })).data.field, 'x');
	assert.equal((await link.error('policy.put', {})).data.field, 'policy');
	for (let i = 0; i < 256; i++) await put(link, { name: `n${i}` });
	assert.equal((await link.error('policy.put', { policy: policy() })).data.code, 'ERR_LIMIT');
	await put(link, { name: 'n0', revision: 2 });
});
