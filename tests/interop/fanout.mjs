// SPDX-License-Identifier: Apache-2.0
//
// Pushes to many sessions, drains and the verbs of one session, over the real daemon, workers and clients.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { House, event, until } from './support.mjs';

const everybody = { all: true };
const altsvc = { alt: 'h3=":443"; ma=5', origin: 'https://example.org' };
const counts = ({ matched, queued, written, received, notSent, unknown }) =>
	[matched, queued, written, received, notSent, unknown];

// Two workers: four clients on the first, two on the second.
async function crowd(t) {
	const house = await House.open(t);
	const workers = [await house.worker({ name: 'edge1' }), await house.worker({ name: 'edge2' })];
	const clients = [];
	for (let i = 0; i < 6; i++)
		clients.push(await house.client(workers[i < 4 ? 0 : 1]));
	await until('every session', async () => (await house.sessions()).length === 6);
	return { house, workers, clients };
}

test('one request reaches every client of every worker, and says so for each', async (t) => {
	const { house, clients } = await crowd(t);
	const got = clients.map((client) => event(client, 'altsvc'));
	const { status, body } = await house.post('/v1/altsvc?wait=received', { select: everybody, ...altsvc });
	assert.equal(status, 200);
	assert.deepEqual(counts(body.push), [6, 0, 0, 6, 0, 0]);
	assert.equal(body.push.state, 'done');
	for (const [alt, origin] of await Promise.all(got))
		assert.deepEqual([alt, origin], [altsvc.alt, altsvc.origin]);
	const { body: listed } = await house.get(`/v1/pushes/${body.push.id}/sessions`);
	assert.deepEqual(listed.sessions.map((one) => one.session).sort(), (await house.sessions()).map((s) => s.id).sort());
	assert.ok(listed.sessions.every((one) => one.outcome === 'received'));
	const again = await house.sessions(`?push=${body.push.id}`);
	assert.equal(again.length, 6);
	assert.ok(again.every((session) => session.altsvc[0].push === body.push.id));
});

test('a dry run, a selector, a pace; what is wrong is refused before anything is sent', async (t) => {
	const { house, clients } = await crowd(t);
	let frames = 0;
	for (const client of clients)
		client.on('altsvc', () => frames++);
	const dry = await house.post('/v1/altsvc', { select: everybody, alt: 'h3=":443"', origin: 'https://example.org', dryRun: true });
	assert.deepEqual([dry.status, dry.body.matched], [200, 6]);
	assert.deepEqual(dry.body.warnings.map((one) => [one.rule, one.sessions]), [['max-age-default', 6]]);
	const bad = [
		[{ alt: 'bad' }, 422, 'ERR_LINT_ALT_GRAMMAR'], [{ alt: 5, origin: 'x' }, 400, 'ERR_INVALID_URL'],
		[{ alt: 5 }, 400, 'ERR_INVALID_ARG_TYPE'], [{ select: { peer: 'junk' } }, 400, undefined],
	];
	for (const [body, expected, code] of bad) {
		const answer = await house.post('/v1/altsvc', { select: everybody, ...altsvc, ...body });
		assert.equal(answer.status, expected, JSON.stringify(answer.body));
		if (code)
			assert.equal(answer.body.code, code);
	}
	assert.equal(frames, 0);
	const one = await house.post('/v1/altsvc?wait=received', { select: { worker: 'edge2' }, ...altsvc });
	assert.deepEqual([one.body.push.received, frames], [2, 2]);
	const paced = await house.post('/v1/altsvc?wait=received&timeout=20', { select: everybody, ...altsvc, perSecond: 20 });
	assert.deepEqual(counts(paced.body.push), [6, 0, 0, 6, 0, 0]);
	const uncovered = await house.post('/v1/origin?wait=received', { select: everybody, origins: ['https://elsewhere.example'] });
	assert.deepEqual([uncovered.status, ...counts(uncovered.body.push)], [200, 6, 0, 0, 0, 6, 0]);
	const { body: why } = await house.get(`/v1/pushes/${uncovered.body.push.id}/sessions?limit=1`);
	assert.deepEqual([why.sessions[0].outcome, why.sessions[0].reason], ['not_sent', 'origin-not-covered']);
});

test('a slow push is cancelled: what has left has left, the rest never does', async (t) => {
	const { house, clients } = await crowd(t);
	let frames = 0;
	for (const client of clients)
		client.on('altsvc', () => frames++);
	const { body } = await house.post('/v1/altsvc', { select: everybody, ...altsvc, perSecond: 0.1 });
	const gone = await house.request('DELETE', `/v1/pushes/${body.push.id}`);
	assert.deepEqual([gone.status, gone.body.push.state, gone.body.push.queued], [200, 'cancelled', 0]);
	assert.ok(gone.body.push.notSent >= 3);
	const done = await house.get(`/v1/pushes/${body.push.id}?wait=done`);
	assert.equal(done.body.push.received + done.body.push.notSent, 6);
	assert.equal(frames, done.body.push.received);
});

test('a fan-out goes on in the workers while the daemon is gone, and is counted when it is back', async (t) => {
	const { house, clients } = await crowd(t);
	const got = clients.map((client) => event(client, 'altsvc'));
	const { body } = await house.post('/v1/altsvc', { select: everybody, ...altsvc, perSecond: 5 });
	assert.equal(body.push.matched, 6);
	await house.daemon.kill('SIGKILL');
	await Promise.all(got);
	await house.startDaemon();
	const done = await house.get(`/v1/pushes/${body.push.id}?wait=done&timeout=20`);
	assert.deepEqual([done.body.push.state, ...counts(done.body.push)], ['done', 6, 0, 0, 6, 0, 0]);
	const { body: listed } = await house.get(`/v1/pushes/${body.push.id}/sessions`);
	assert.ok(listed.sessions.length === 6 && listed.sessions.every((one) => one.outcome === 'received'));
});

test('a worker that is killed leaves unknown behind, and only that', async (t) => {
	const { house, workers } = await crowd(t);
	const { body } = await house.post('/v1/altsvc', { select: everybody, ...altsvc, perSecond: 0.1 });
	await workers[1].kill('SIGKILL');
	await until('its part is unknown', async () => (await house.get(`/v1/pushes/${body.push.id}`)).body.push.unknown > 0);
	const gone = await house.request('DELETE', `/v1/pushes/${body.push.id}`);
	const { push, warnings } = gone.body;
	assert.equal(push.matched, counts(push).slice(1).reduce((a, b) => a + b));
	assert.ok(push.unknown <= 2 && push.notSent >= 3, JSON.stringify(push));
	assert.ok(warnings.some((one) => one.rule === 'WORKER_LOST' && /edge2/.test(one.detail)));
});

test('a drain moves every client of a worker, which takes no new ones until it may again', async (t) => {
	const { house, workers, clients } = await crowd(t);
	const got = clients.slice(0, 4).map((client) => Promise.all([event(client, 'altsvc'), event(client, 'goaway'), event(client, 'close')]));
	const reader = await house.events('?type=push.done,push.progress');
	const { status, body } = await house.post('/v1/drain',
		{ select: { worker: 'edge1' }, ...altsvc, deadline: 5, stopAccepting: true });
	assert.equal(status, 202);
	for (const [, [code]] of await Promise.all(got))
		assert.equal(code, 0);
	const done = await house.get(`/v1/pushes/${body.push.id}?wait=done&timeout=20`);
	assert.deepEqual([done.body.push.state, done.body.push.matched, done.body.push.ended], ['done', 4, 4]);
	await reader.find('push.done', (one) => one.type === 'push.done' && one.data.id === body.push.id);
	assert.deepEqual((await house.sessions()).map((s) => s.worker), ['edge2', 'edge2']);
	await assert.rejects(house.client(workers[0]));
	await house.request('DELETE', `/v1/pushes/${body.push.id}`);
	const back = await until('edge1 accepts again', () => house.client(workers[0]).catch(() => null));
	assert.ok(back);
});

test('the verbs of one session', async (t) => {
	const { house, clients } = await crowd(t);
	const { id } = await house.sessionOf(clients[0].socket);
	const verb = (name, body) => house.post(`/v1/sessions/${id}/${name}`, body);
	const ping = await verb('ping', { payload: '0011223344556677' });
	assert.ok(ping.status === 200 && ping.body.roundTrip > 0);
	const settings = event(clients[0], 'remoteSettings');
	assert.ok((await verb('settings', { initialWindowSize: 70000 })).body.roundTrip > 0);
	assert.equal((await settings)[0].initialWindowSize, 70000);
	assert.deepEqual((await verb('window', { windowSize: 1 << 20 })).body, {});
	assert.deepEqual((await verb('timeout', { msecs: 60000 })).body, {});
	const reader = await house.events('?type=x-note');
	assert.deepEqual((await verb('emit', { event: 'x-note', data: { a: [1] } })).status, 200);
	const note = await reader.find('x-note', (one) => one.type === 'x-note');
	assert.deepEqual([note.session, note.data], [id, { a: [1] }]);
	const labels = await house.request('PATCH', `/v1/sessions/${id}/labels`, { ring: 'canary', none: null });
	assert.deepEqual(labels.body, { labels: { ring: 'canary' } });
	assert.deepEqual((await house.sessions('?label=ring%3Dcanary')).map((s) => s.id), [id]);
	const bad = [
		['ping', { payload: 'zz' }, 'payload'], ['settings', { initialWindowSize: -1 }, 'initialWindowSize'],
		['goaway', { code: 'x' }, 'code'], ['goaway', { lastStreamID: -1 }, 'lastStreamID'], ['window', {}, 'windowSize'],
		['timeout', { msecs: 'x' }, 'msecs'], ['emit', { event: 'note' }, 'event'], ['destroy', { code: -1 }, 'code'],
	];
	for (const [name, body, field] of bad) {
		const answer = await verb(name, body);
		assert.deepEqual([answer.status, answer.body.field], [400, field], `${name}: ${JSON.stringify(answer.body)}`);
	}
	const goaway = event(clients[1], 'goaway');
	const other = await house.sessionOf(clients[1].socket);
	assert.deepEqual((await house.post(`/v1/sessions/${other.id}/goaway`, { code: 0, opaqueData: 'aGk=' })).body, { closes: false });
	assert.equal((await goaway)[0], 0);
	const closed = new Promise((resolve) => clients[0].once('close', resolve)); // an error comes first
	assert.deepEqual((await verb('destroy', { code: 2 })).body, {});
	await closed;
	const ended = await until('it has ended', async () => {
		const answer = await verb('ping');
		return answer.status === 410 && answer;
	});
	assert.ok(ended.body.closedAt);
});

test("a worker's labels are its sessions', for selectors, policies and events", async (t) => {
	const house = await House.open(t);
	const labels = { region: 'eu', 'a.b': 'c=d,e' };
	const eu = await house.worker({ name: 'edge1', args: ['--label', 'region=eu', '--label', 'a.b=c=d,e'] });
	const us = await house.worker({ name: 'edge2', args: ['--label', 'region=us'] });
	const reader = await house.events('?type=connect&label=region=eu');
	const policy = { select: { label: { region: 'eu' } }, ...altsvc };
	assert.equal((await house.request('PUT', '/v1/policies/eu', policy)).status, 201);
	const clients = [await house.client(eu), await house.client(us)];
	const [chosen, ...more] = await until('the session', async () => {
		const sessions = await house.sessions('?label=region%3Deu');
		return sessions.length && sessions;
	});
	assert.deepEqual([more, chosen.labels, chosen.worker], [[], labels, 'edge1']);
	assert.deepEqual((await reader.find('connect', () => true)).data.labels, labels);
	assert.deepEqual((await house.sessions(`?label=${encodeURIComponent('a.b=c=d,e')}`)).map((s) => s.id), [chosen.id]);
	await until('the policy', async () => (await house.sessions('?worker=edge1'))[0].policies[0].holds);
	await until('both', async () => (await house.sessions()).length === clients.length);
	assert.deepEqual((await house.sessions('?worker=edge2'))[0].policies.map((p) => [p.holds, p.why]), [[false, 'label']]);
	const changed = await house.request('PATCH', `/v1/sessions/${chosen.id}/labels`, { region: 'us', 'a.b': null });
	assert.deepEqual(changed.body, { labels: { region: 'us' } });
	assert.deepEqual((await house.sessions('?label=region%3Dus')).length, 2);
});
