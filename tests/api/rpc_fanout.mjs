// SPDX-License-Identifier: Apache-2.0
//
// push.start over the control protocol: every session is told of by number, updates add up, a name is a
// push for good, and a daemon that goes away and comes back learns all of it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Scene, rawClient, until, within } from './rpc_support.mjs';

const ALT = { alt: 'h2=":8000"; ma=60', origin: 'https://example.org' };
const ALL = { all: true };

/** A worker with n clients. */
async function crowdScene(t, n, args = [], more = {}) {
	const scene = await Scene.open(t, args);
	const link = await scene.daemon.up([], more);
	const clients = [];
	const ids = [];
	for (let i = 0; i < n; i++) {
		clients.push(await scene.client());
		ids.push((await link.event('connect')).session);
	}
	return { scene, link, clients, ids };
}

/** The numbers that a run stands for. */
const numbersOf = ([first, step, length]) => Array.from({ length }, (_, i) => first + i * step);

/** Follow a push to its end: what each session came to, and every update. */
async function follow(link, push, told = new Map()) {
	for (const updates = []; ;) {
		const update = await link.next(`an update of ${push}`, ({ method, params }) =>
			method === 'push.update' && params.push === push);
		updates.push(update);
		const { matched, queued, written, received, notSent, unknown } = update;
		assert.equal(queued + written + received + notSent + unknown, matched);
		for (const { outcome, reason, numbers, runs = [] } of update.changes) {
			assert.ok(numbers.length + runs.length > 0);
			for (const number of [...numbers, ...runs.flatMap(numbersOf)]) told.set(number, reason ? `${outcome} ${reason}` : outcome);
		}
		if (update.state !== 'running') return { told, updates, last: update };
	}
}

const numberOf = (id) => Number(id.split('-')[1]);

test('every session is sent to, and told of by its number', async (t) => {
	const { link, clients, ids } = await crowdScene(t, 5, ['--threads', '2']);
	const heard = clients.map((client) => once(client, 'altsvc'));

	assert.deepEqual(await link.result('push.start', { push: 'f-1', kind: 'altsvc', select: ALL, ...ALT, by: 'alice' }),
		{ matched: 5, warnings: [], refused: {} });
	const { told, last } = await follow(link, 'f-1');
	assert.deepEqual(told, new Map(ids.map((id) => [numberOf(id), 'received'])));
	delete last.changes;
	assert.deepEqual(last, { push: 'f-1', state: 'done', matched: 5, queued: 0, written: 0, received: 5,
		notSent: 0, unknown: 0 });
	for (const altsvc of await within(Promise.all(heard), 'ALTSVC'))
		assert.deepEqual(altsvc, [ALT.alt, ALT.origin, 0]);
	const { altsvc } = await link.result('session.get', { session: ids[0] });
	assert.equal(altsvc[0].by, 'alice');
	assert.equal(altsvc[0].push, 'f-1');
	assert.equal(altsvc[0].outcome, 'received');
});

test('a daemon that knows runs is told of many sessions in a few integers', async (t) => {
	const { link, clients, ids } = await crowdScene(t, 12, [], { runs: true });
	clients[6].destroy(); // and one number is missing in the middle
	await link.event('close');
	await link.result('push.start', { push: 'f-1', kind: 'altsvc', select: ALL, ...ALT });
	const { told, updates } = await follow(link, 'f-1');
	assert.deepEqual([...told].sort(([a], [b]) => a - b),
		ids.filter((_, i) => i !== 6).map((id) => [numberOf(id), 'received']));
	const changes = updates.flatMap((update) => update.changes);
	assert.ok(changes.some(({ runs }) => runs.some(([, , length]) => length >= 4)), JSON.stringify(changes));
	assert.ok(changes.every(({ runs }) => runs.every(([, , length]) => length >= 4)), JSON.stringify(changes));
});

test('a name is one fan-out, and of no other push', async (t) => {
	const { link, clients, ids } = await crowdScene(t, 3);
	let frames = 0;
	for (const client of clients) client.on('altsvc', () => frames++);
	const params = { push: 'f-1', kind: 'altsvc', select: ALL, ...ALT };

	const answers = await Promise.all([1, 2, 3].map(() => link.result('push.start', params)));
	await follow(link, 'f-1');
	answers.push(await link.result('push.start', { ...params, alt: 'clear' }));
	for (const answer of answers) assert.deepEqual(answer, answers[0]);
	for (const client of clients) await new Promise((resolve) => client.ping(resolve));
	assert.equal(frames, 3);
	assert.equal((await link.error('session.altsvc', { push: 'f-1', session: ids[0], ...ALT })).data.field, 'push');
	await link.result('session.altsvc', { push: 's-1', session: ids[0], ...ALT });
	assert.equal((await link.error('push.start', { ...params, push: 's-1' })).data.field, 'push');
});

test('a selector and the lint choose; a dry run sends nothing', async (t) => {
	const { link, clients, ids } = await crowdScene(t, 4);
	let frames = 0;
	for (const client of clients) client.on('altsvc', () => frames++);
	const params = { kind: 'altsvc', select: { ids: ids.slice(0, 3) }, alt: 'h2=":1"', origin: 'https://a.org' };

	const dry = await link.result('push.start', { push: 'd-1', dryRun: true, ...params });
	assert.equal(dry.matched, 3);
	assert.deepEqual(dry.warnings.map(({ rule, sessions }) => [rule, sessions]), [['max-age-default', 3]]);
	assert.ok(dry.warnings[0].detail);
	assert.deepEqual(dry.refused, {});
	assert.equal((await link.error('push.cancel', { push: 'd-1' })).data.code, 'ERR_NOT_FOUND');
	await link.result('push.start', { push: 'd-1', receipt: 'written', ...params });
	const { last } = await follow(link, 'd-1');
	assert.equal(last.written, 3);
	for (const client of clients) await new Promise((resolve) => client.ping(resolve));
	assert.equal(frames, 3);
	assert.deepEqual(await link.result('push.start', { push: 'd-2', ...params, select: { sni: '*' } }),
		{ matched: 0, warnings: [], refused: {} });
	assert.equal((await follow(link, 'd-2')).last.state, 'done');
});

test('what is cancelled is not sent', async (t) => {
	const { link, clients } = await crowdScene(t, 6);
	let frames = 0;
	for (const client of clients) client.on('altsvc', () => frames++);

	await link.result('push.start', { push: 'c-1', kind: 'altsvc', select: ALL, ...ALT, perSecond: 0.1 });
	const { cancelled } = await link.result('push.cancel', { push: 'c-1' });
	assert.ok(cancelled >= 4 && cancelled <= 6, `${cancelled}`);
	const { last, told } = await follow(link, 'c-1');
	assert.equal(last.state, 'cancelled');
	assert.equal(last.notSent, cancelled);
	assert.equal([...told.values()].filter((outcome) => outcome === 'not_sent CANCELLED').length, cancelled);
	assert.deepEqual(await link.result('push.cancel', { push: 'c-1' }), { cancelled });
	for (const client of clients) await new Promise((resolve) => client.ping(resolve));
	assert.equal(frames, 6 - cancelled);
});

test('a daemon that was away learns of each session', async (t) => {
	const { scene, link, ids } = await crowdScene(t, 8, ['--threads', '2']);

	await link.result('push.start', { push: 'a-1', kind: 'altsvc', select: ALL, ...ALT, perSecond: 40 });
	await link.next('the first update', ({ method }) => method === 'push.update');
	await scene.daemon.vanish();
	await scene.daemon.listen();
	const second = await scene.daemon.up();
	const known = second.hello.pushes.find(({ push }) => push === 'a-1');
	assert.equal(known.matched, 8);
	const { told, last } = await follow(second, 'a-1');
	assert.equal(last.state, 'done');
	assert.deepEqual(told, new Map(ids.map((id) => [numberOf(id), 'received'])));
	// Done and told: and told once more to the next one, which may have missed it.
	second.socket.destroy();
	const third = await scene.daemon.up();
	assert.deepEqual((await follow(third, 'a-1')).told, told);
	assert.equal((await third.result('push.start', { push: 'a-1', kind: 'altsvc', select: ALL, ...ALT })).matched, 8);
});

test('who answers no PING is written, and who leaves is gone', async (t) => {
	const { scene, link } = await crowdScene(t, 2);
	const socket = rawClient(scene.port);
	await link.event('connect');

	await link.result('push.start',
		{ push: 'w-1', kind: 'origin', select: ALL, origins: ['https://a.org'], lint: false });
	await link.next('all but one', ({ method, params }) =>
		method === 'push.update' && params.push === 'w-1' && params.received === 2 && params.written === 1);
	socket.destroy();
	const { last } = await follow(link, 'w-1');
	assert.deepEqual([last.state, last.written, last.received], ['done', 1, 2]);
	await link.result('push.start',
		{ push: 'w-2', kind: 'origin', select: ALL, origins: [], lint: false, deadlineMs: 60000 });
	assert.equal((await follow(link, 'w-2')).last.received, 2);
});

test('goaway and drain', async (t) => {
	const { link, clients, ids } = await crowdScene(t, 3);
	for (const client of clients) client.request({ ':path': '/', ':method': 'POST' });
	await until('the streams', async () => (await Promise.all(ids.map((session) =>
		link.result('session.get', { session })))).every(({ openStreams }) => openStreams === 1));
	const goaways = clients.map((client) => once(client, 'goaway'));

	await link.result('push.start', { push: 'g-1', kind: 'goaway', select: { ids: [ids[0]] },
		opaqueData: Buffer.from('bye').toString('base64') });
	assert.equal((await follow(link, 'g-1')).last.received, 1);
	assert.equal((await within(goaways[0], 'GOAWAY'))[2].toString(), 'bye');

	const ended = clients.map((client) => new Promise((resolve) => client.on('close', resolve)));
	await link.result('push.start',
		{ push: 'g-2', kind: 'drain', select: { ids: ids.slice(1) }, ...ALT, deadlineMs: 2000 });
	const { last } = await follow(link, 'g-2');
	assert.deepEqual([last.state, last.ended, last.received], ['done', 2, 2]);
	await within(Promise.all(ended.slice(1)), 'the ends');
	assert.equal((await link.result('session.get', { session: ids[0] })).destroyed, false);
});

test('what is wrong is named', async (t) => {
	const { link } = await crowdScene(t, 1);
	const TYPE = 'ERR_INVALID_ARG_TYPE';
	const VALUE = 'ERR_INVALID_ARG_VALUE';
	const RANGE = 'ERR_OUT_OF_RANGE';
	const base = { push: 'e-1', kind: 'altsvc', select: ALL, ...ALT };
	const rows = [
		[{ push: undefined }, TYPE, 'push'],
		[{ push: 'a b' }, VALUE, 'push'],
		[{ kind: undefined }, TYPE, 'kind'],
		[{ kind: 'ping' }, VALUE, 'kind'],
		[{ select: undefined }, TYPE, 'select'],
		[{ select: { nope: 1 } }, VALUE, 'nope'],
		[{ select: { sample: 101 } }, RANGE, 'sample'],
		[{ perSecond: 0 }, RANGE, 'perSecond'],
		[{ perSecond: '5' }, TYPE, 'perSecond'],
		[{ deadlineMs: 0 }, RANGE, 'deadlineMs'],
		[{ dryRun: 1 }, TYPE, 'dryRun'],
		[{ lint: 1 }, TYPE, 'lint'],
		[{ receipt: 'x' }, VALUE, 'receipt'],
		[{ by: 1 }, TYPE, 'by'],
		[{ alt: 5, origin: 'nope' }, 'ERR_INVALID_URL', 'origin'],
		[{ alt: 5 }, TYPE, 'alt'],
		[{ origin: undefined }, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN', 'origin'],
		[{ kind: 'origin', alt: undefined, origin: undefined }, TYPE, 'origins'],
		[{ kind: 'goaway', alt: undefined, origin: undefined, lastStreamID: 2 }, RANGE, 'lastStreamID'],
		[{ kind: 'goaway', alt: undefined, origin: undefined, code: 1.5 }, RANGE, 'code'],
		[{ kind: 'drain', alt: undefined }, TYPE, 'alt'],
	];

	for (const [params, code, field] of rows) {
		const error = await link.error('push.start', { ...base, ...params });
		assert.deepEqual(error.data, { code, field }, JSON.stringify(params));
	}
	const rule = await link.error('push.start', { ...base, alt: 'h2=' });
	assert.deepEqual(rule.data, { code: 'ERR_LINT_ALT_GRAMMAR', field: 'alt', rule: 'alt-grammar' });
	const unknown = await link.error('push.start', { ...base, origins: [] });
	assert.equal(unknown.code, -32602);
	assert.equal(unknown.data.field, 'origins');
	assert.equal((await link.error('push.cancel', { push: 'e-1' })).data.code, 'ERR_NOT_FOUND');
	await link.result('push.start', base); // nothing of it is remembered
});
