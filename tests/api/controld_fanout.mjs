// SPDX-License-Identifier: Apache-2.0
//
// Pushes to many sessions, drains, and what is kept of them, against workers by script.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { temporary } from '../common.mjs';
import { Daemon, withDaemon } from './controld_support.mjs';
import { FakeWorker, RpcError } from './fake_worker.mjs';

const daemon = new Daemon();
let edge1, edge2;
const everybody = { all: true };
const altsvc = { alt: 'h3=":443"; ma=60', origin: 'https://example.org' };

before(async () => {
	await daemon.start();
	edge1 = new FakeWorker(daemon.rpc, { name: 'edge1' });
	edge2 = new FakeWorker(daemon.rpc, { name: 'edge2' });
	for (let n = 1; n <= 6; n++)
		edge1.addSession(n, { labels: { tier: n % 2 ? 'odd' : 'even' } });
	for (let n = 1; n <= 2; n++)
		edge2.addSession(n, { labels: { tier: 'odd' } });
	await edge1.start();
	await edge2.start();
});

after(() => daemon.end());

// Another daemon with a state file; ended with the test, however that goes.
function stateful(t) {
	const dir = temporary(t);
	return () => Daemon.of(t, ['--state', path.join(dir, 'state.db')], { dir }).start();
}

async function asked(worker, test) {
	while (!test())
		await once(worker, 'request');
}

const starts = (worker) => worker.requests.filter((r) => r.method === 'push.start');
const counts = ({ matched, queued, written, received, notSent, unknown }) =>
	[matched, queued, written, received, notSent, unknown];

async function sessionsOf(push, query = 'limit=1000') {
	const all = [];
	for (let next = ''; next !== null;) {
		const { status, json } = await daemon.get(`/v1/pushes/${push}/sessions?${query}${next && `&cursor=${next}`}`);
		assert.equal(status, 200);
		all.push(...json.sessions);
		next = json.next;
	}
	return all;
}

test('a fan-out answers 202 with its place, and runs to its end', async () => {
	const { status, headers, json } = await daemon.post('/v1/altsvc', { select: everybody, ...altsvc });
	assert.equal(status, 202);
	assert.equal(headers.location, `/v1/pushes/${json.push.id}`);
	assert.deepEqual([json.push.matched, json.warnings, json.timedOut], [8, [], undefined]);
	const done = await daemon.get(`${headers.location}?wait=done`);
	assert.equal(done.json.push.state, 'done');
	assert.deepEqual(counts(done.json.push), [8, 0, 0, 8, 0, 0]);
	const { push, kind, select, alt, origin, lint, receipt, by, perSecond, dryRun } = starts(edge1).at(-1).params;
	assert.deepEqual([push, kind, select, alt, origin, lint, receipt, by, perSecond, dryRun],
		[json.push.id, 'altsvc', { all: true }, altsvc.alt, altsvc.origin, true, 'received', `uid:${process.getuid()}`,
			undefined, undefined]);
	const listed = await sessionsOf(json.push.id, 'limit=3');
	assert.deepEqual(listed.map((one) => one.session), [...edge1.sessions.keys(), ...edge2.sessions.keys()]);
	assert.ok(listed.every((one) => one.outcome === 'received' && one.reason === undefined));
});

test('asked to wait it answers 200, and 200 with timedOut when the time is up', async () => {
	for (const wait of ['written', 'received']) {
		const { status, json } = await daemon.post(`/v1/origin?wait=${wait}`, { select: everybody, origins: [] });
		assert.deepEqual([status, json.push.matched, json.push.queued], [200, 8, 0]);
	}
	edge1.fate = edge2.fate = 'written';
	const { status, json } = await daemon.post('/v1/altsvc', { select: everybody, ...altsvc, wait: 'received', timeout: 0.05 });
	assert.deepEqual([status, json.timedOut, json.push.state, json.push.written], [200, true, 'running', 8]);
	edge1.fate = edge2.fate = 'received';
	for (const worker of [edge1, edge2])
		worker.tellMany(json.push.id, new Map([...worker.sessions.keys()].map((id) => [id, ['received']])), 'done');
	assert.equal((await daemon.get(`/v1/pushes/${json.push.id}?wait=done`)).json.push.received, 8);
});

test('the selector goes to the workers, and what is the daemon\'s stays', async () => {
	const before = starts(edge2).length;
	let { json } = await daemon.post('/v1/altsvc', { select: { worker: 'edge1', label: { tier: 'odd' } }, ...altsvc });
	assert.deepEqual([json.push.matched, starts(edge2).length], [3, before]);
	assert.deepEqual(starts(edge1).at(-1).params.select, { label: { tier: 'odd' } });
	const reached = json.push.id;
	await daemon.get(`/v1/pushes/${reached}?wait=done`);
	({ json } = await daemon.post('/v1/altsvc', { select: { push: reached }, ...altsvc }));
	assert.deepEqual([json.push.matched, starts(edge2).length], [3, before]);
	assert.deepEqual(starts(edge1).at(-1).params.select, { ids: [1, 3, 5].map((n) => `${edge1.boot}-${n}`) });
	({ json } = await daemon.post('/v1/altsvc', { select: { worker: 'edge1' }, ...altsvc }));
	assert.deepEqual(starts(edge1).at(-1).params.select, { all: true });
	const ids = [`${edge2.boot}-1`, 'nobody-1'];
	({ json } = await daemon.post('/v1/altsvc?wait=received', { select: { ids }, ...altsvc }));
	assert.deepEqual(counts(json.push), [1, 0, 0, 1, 0, 0]);
	({ json } = await daemon.post('/v1/altsvc', { select: { worker: 'nobody' }, ...altsvc }));
	assert.deepEqual([json.push.matched, json.push.state], [0, 'done']);
	const about = (await daemon.get(`/v1/pushes?session=${edge2.boot}-1`)).json.pushes;
	assert.ok(about.some((push) => push.kind === 'altsvc') && !about.some((push) => push.id === reached));
});

test('selectors are checked by one table, in bodies too', async () => {
	const before = starts(edge1).length;
	const bad = [
		[undefined, 'select', 'ERR_INVALID_ARG_TYPE'], [{}, 'select', 'ERR_INVALID_ARG_VALUE'], [[], 'select', 'ERR_INVALID_ARG_TYPE'],
		[{ all: false }, 'all', 'ERR_INVALID_ARG_VALUE'], [{ all: 1 }, 'all', 'ERR_INVALID_ARG_TYPE'],
		[{ colour: 'red' }, 'colour', 'ERR_UNKNOWN_FIELD'], [{ ids: 'x' }, 'ids', 'ERR_INVALID_ARG_TYPE'],
		[{ ids: [1] }, 'ids', 'ERR_INVALID_ARG_TYPE'], [{ label: { a: 1 } }, 'label', 'ERR_INVALID_ARG_TYPE'],
		[{ sample: 0 }, 'sample', 'ERR_OUT_OF_RANGE'], [{ sample: 101 }, 'sample', 'ERR_OUT_OF_RANGE'],
		[{ sample: '5' }, 'sample', 'ERR_INVALID_ARG_TYPE'], [{ openStreams: 1.5 }, 'openStreams', 'ERR_INVALID_ARG_TYPE'],
		[{ minAge: -1 }, 'minAge', 'ERR_OUT_OF_RANGE'], [{ encrypted: 'yes' }, 'encrypted', 'ERR_INVALID_ARG_TYPE'],
		[{ push: 'p-none' }, 'push', 'ERR_INVALID_ARG_VALUE'], [{ sampleBy: 'moon' }, 'sampleBy', 'ERR_INVALID_ARG_VALUE'],
		[{ worker: '' }, 'worker', 'ERR_INVALID_ARG_VALUE'],
	];
	for (const [select, field, code] of bad) {
		const { status, json } = await daemon.post('/v1/altsvc', { select, ...altsvc });
		assert.deepEqual([status, json.field, json.code], [400, field, code], JSON.stringify(select));
	}
	for (const [body, field] of [[{ stream: 1 }, 'stream'], [{ perSecond: 0 }, 'perSecond'], [{ perSecond: 'x' }, 'perSecond'],
		[{ dryRun: 1 }, 'dryRun'], [{ stopAccepting: true }, 'stopAccepting'], [{ wait: 'sent' }, 'wait']]) {
		const { status, json } = await daemon.post('/v1/altsvc', { select: everybody, ...altsvc, ...body });
		assert.deepEqual([status, json.field], [400, field], JSON.stringify(body));
	}
	assert.equal(starts(edge1).length, before);
});

test('a dry run counts and warns, and sends nothing', async () => {
	edge1.warnings = [{ rule: 'max-age-long', detail: 'long', sessions: 6 }];
	edge2.warnings = [{ rule: 'max-age-long', detail: 'long', sessions: 2 }];
	edge1.refused = { 'origin-not-covered': 4 };
	const pushes = (await daemon.get('/v1/pushes?limit=1')).json.pushes[0].id;
	const { status, json } = await daemon.post('/v1/altsvc', { select: everybody, ...altsvc, dryRun: true });
	edge1.warnings = edge2.warnings = edge1.refused = undefined;
	assert.deepEqual([status, json.matched, json.warnings, json.refused],
		[200, 8, [{ rule: 'max-age-long', detail: 'long', sessions: 8 }], { 'origin-not-covered': 4 }]);
	const left = (Date.parse(json.clientsRememberUntil) - Date.now()) / 1000;
	assert.ok(left > 50 && left <= 60, `${left} s`);
	assert.equal(starts(edge1).at(-1).params.dryRun, true);
	assert.equal((await daemon.get('/v1/pushes?limit=1')).json.pushes[0].id, pushes);
	const remember = async (alt) => (await daemon.post('/v1/altsvc', { select: everybody, alt, origin: 'https://a.org', dryRun: true }))
		.json.clientsRememberUntil;
	assert.equal(await remember('clear'), null);
	const day = (Date.parse(await remember('h2=":1", h3=":2"; ma=5')) - Date.now()) / 1000;
	assert.ok(day > 86000 && day <= 86400, `${day} s`);
});

test('the pace is split by how many sessions match, and its sum is exact', async () => {
	const { json } = await daemon.post('/v1/altsvc', { select: everybody, ...altsvc, perSecond: 10 });
	assert.equal(json.push.matched, 8);
	const paces = [edge1, edge2].map((worker) => starts(worker).at(-1).params.perSecond);
	assert.deepEqual(paces, [7.5, 2.5]);
	const before = starts(edge2).length;
	await daemon.post('/v1/altsvc', { select: { label: { tier: 'even' } }, ...altsvc, perSecond: 3 });
	assert.equal(starts(edge1).at(-1).params.perSecond, 3);
	assert.deepEqual([starts(edge2).length, starts(edge2).at(-1).params.dryRun], [before + 1, true]); // asked, none matches
	const none = await daemon.post('/v1/altsvc', { select: { label: { tier: 'none' } }, ...altsvc, perSecond: 3 });
	assert.deepEqual([none.status, none.json.push.matched, none.json.push.state], [202, 0, 'done']);
});

test('what every worker refuses is the answer, and no push', async () => {
	const error = new RpcError(-6, 'ERR_INVALID_URL', { field: 'origin' });
	const refuse = () => {
		throw error;
	};
	edge1.handlers['push.start'] = edge2.handlers['push.start'] = refuse;
	const latest = (await daemon.get('/v1/pushes?limit=1')).json.pushes[0].id;
	for (const extra of [{}, { dryRun: true }, { perSecond: 5 }]) {
		const { status, json } = await daemon.post('/v1/altsvc', { select: everybody, alt: 'x', origin: 'y', ...extra });
		assert.deepEqual([status, json.code, json.field], [400, 'ERR_INVALID_URL', 'origin'], JSON.stringify(extra));
	}
	assert.equal((await daemon.get('/v1/pushes?limit=1')).json.pushes[0].id, latest);
	delete edge1.handlers['push.start'];
	const mixed = await daemon.post('/v1/altsvc?wait=received', { select: everybody, ...altsvc });
	delete edge2.handlers['push.start'];
	assert.deepEqual([mixed.status, ...counts(mixed.json.push)], [200, 6, 0, 0, 6, 0, 0]);
	assert.deepEqual(mixed.json.warnings, [{ rule: 'refused', detail: 'worker edge2 refuses it: ERR_INVALID_URL' }]);
});

test('a worker that cannot is left out, and named in a warning', async () => {
	const old = new FakeWorker(daemon.rpc, { name: 'old', hello: { capabilities: ['altsvc', 'origin'] } });
	old.addSession(1);
	await old.start();
	const { json } = await daemon.post('/v1/altsvc?wait=received', { select: everybody, ...altsvc });
	assert.deepEqual([json.push.matched, json.warnings.length, json.warnings[0].rule], [8, 1, 'capability']);
	assert.match(json.warnings[0].detail, /worker old .* fanout/);
	await old.stop();
	const later = await daemon.post('/v1/altsvc?wait=received', { select: everybody, ...altsvc });
	assert.deepEqual(later.json.warnings.map((one) => one.rule), ['unreachable']); // it went a moment ago
});

test('a worker that is named and not there is 503, one that nobody knows a warning', () => withDaemon([], {}, async (own) => {
	const none = await own.post('/v1/altsvc', { select: everybody, ...altsvc });
	assert.deepEqual([none.status, none.json.push.matched, none.json.push.state], [202, 0, 'done']);
	assert.deepEqual(none.json.warnings, [{ rule: 'unreachable', detail: 'no worker is connected' }]);
	const typo = await own.post('/v1/altsvc?wait=received', { select: { worker: 'egde' }, ...altsvc });
	assert.deepEqual([typo.status, typo.json.push.matched], [200, 0]);
	assert.deepEqual(typo.json.warnings, [{ rule: 'unreachable', detail: 'no worker egde is connected' }]);

	const worker = new FakeWorker(own.rpc, { name: 'away' });
	worker.addSession(1);
	await worker.start();
	await worker.stop();
	const headers = { 'Idempotency-Key': 'later' };
	for (const select of [{ worker: 'away' }, { worker: worker.boot }]) {
		for (const more of [{}, { dryRun: true }]) {
			const { status, json } = await own.post('/v1/altsvc', { select, ...altsvc, ...more }, { headers });
			assert.deepEqual([status, json.code, json.field, json.detail],
				[503, 'ERR_WORKER_UNREACHABLE', 'select.worker', 'away'], JSON.stringify(json));
		}
	}
	assert.equal((await own.get('/v1/pushes')).json.pushes.length, 2);
	await worker.start(); // and the key is still free
	const back = await own.post('/v1/altsvc?wait=received', { select: { worker: 'away' }, ...altsvc }, { headers });
	assert.deepEqual([back.status, back.json.push.received], [200, 1]);
	await worker.stop();
}));

test('DELETE cancels what is queued; counts and outcomes say so', async () => {
	edge1.fate = edge2.fate = 'queued';
	const { json } = await daemon.post('/v1/altsvc', { select: everybody, ...altsvc });
	const gone = await daemon.request('DELETE', `/v1/pushes/${json.push.id}`);
	edge1.fate = edge2.fate = 'received';
	assert.deepEqual([gone.status, gone.json.push.state, ...counts(gone.json.push)], [200, 'cancelled', 8, 0, 0, 0, 8, 0]);
	assert.ok((await sessionsOf(json.push.id)).every((one) => one.reason === 'CANCELLED'));
});

test('goaway to many, and the members that it takes', async () => {
	const { status } = await daemon.post('/v1/goaway', { select: everybody, code: 0, lastStreamID: 7, opaqueData: 'aGk=' });
	assert.equal(status, 202);
	const { kind, code, lastStreamID, opaqueData } = starts(edge1).at(-1).params;
	assert.deepEqual([kind, code, lastStreamID, opaqueData], ['goaway', 0, 7, 'aGk=']);
	assert.equal((await daemon.post('/v1/goaway', { select: everybody, alt: 'x' })).json.field, 'alt');
});

test('one update may speak of 10,000 sessions, in any order, again and again', async () => {
	const big = new FakeWorker(daemon.rpc, { name: 'big', fate: 'queued' });
	for (let n = 1; n <= 10000; n++)
		big.addSession(n);
	await big.start();
	const { json } = await daemon.post('/v1/altsvc', { select: { worker: 'big' }, ...altsvc });
	assert.equal(json.push.matched, 10000);
	const ids = [...big.sessions.keys()];
	const outcome = (id, i) => [id, i % 100 === 0 ? ['not_sent', 'origin-not-covered'] : ['received']];
	big.tellMany(json.push.id, new Map([...ids].reverse().map((id) => [id, ['written']])), 'running');
	big.tellMany(json.push.id, new Map(ids.map(outcome)), 'done');
	const done = await daemon.get(`/v1/pushes/${json.push.id}?wait=done`);
	assert.deepEqual(counts(done.json.push), [10000, 0, 0, 9900, 100, 0]);
	const listed = await sessionsOf(json.push.id);
	assert.deepEqual(listed.map((one) => one.session), ids);
	assert.deepEqual(listed[0], { session: ids[0], outcome: 'not_sent', reason: 'origin-not-covered' });
	assert.match((await daemon.get('/metrics')).text,
		/^h2sess_push_frames_total\{kind="altsvc",outcome="not_sent",reason="origin-not-covered"\} 100$/m);
	await big.stop();
});

test('an update may tell of sessions in runs; what is none is passed over, and said', async () => {
	const big = new FakeWorker(daemon.rpc, { name: 'runs', fate: 'queued' });
	for (let n = 1; n <= 1000; n++)
		big.addSession(64 * n);
	assert.equal((await big.start()).runs, true);
	const { json } = await daemon.post('/v1/altsvc', { select: { worker: 'runs' }, ...altsvc });
	const tell = (state, changes) => big.notify('push.update', { push: json.push.id, state, matched: 1000, queued: 0,
		written: 0, received: 999, notSent: 1, unknown: 0, changes });
	for (const run of [[64, 64, 10001], [0, 64, 2], [64, 0, 2], [64, 64, 0], [64, 64], [-64, 64, 2], ['64', 64, 2], 64, null])
		tell('running', [{ outcome: 'not_sent', reason: 'BACKLOGGED', numbers: [], runs: [run] }]);
	tell('running', [{ outcome: 'not_sent', reason: 'BACKLOGGED', numbers: [], runs: [[64, 64, 6000], [64, 64, 6000]] }]);
	// The limit is that of an update, not of each change: what comes over it is passed over.
	tell('running', [{ outcome: 'written', reason: '', runs: [[64, 64, 1000]] }, { outcome: 'not_sent', reason: 'BACKLOGGED', runs: [[64, 64, 9001]] }]);
	await daemon.get('/v1/sessions?worker=runs'); // its answer is behind the update
	assert.deepEqual(new Set((await sessionsOf(json.push.id)).map(({ outcome }) => outcome)), new Set(['written']));
	tell('done', [{ outcome: 'received', reason: '', numbers: [64 * 1000, 64], runs: [[64 * 3, 64, 997]] },
		{ outcome: 'not_sent', reason: 'origin-not-covered', numbers: [128] }]);
	const done = await daemon.get(`/v1/pushes/${json.push.id}?wait=done`);
	assert.deepEqual(counts(done.json.push), [1000, 0, 0, 999, 1, 0]);
	assert.deepEqual(await sessionsOf(json.push.id), [...big.sessions.keys()].map((session) => session.endsWith('-128')
		? { session, outcome: 'not_sent', reason: 'origin-not-covered' } : { session, outcome: 'received' }));
	await daemon.says(/worker runs: a change of a push is not one/);
	await big.stop();
});

test('a lost worker: its sessions are unknown, the others go on; and it may know better', async () => {
	const other = new FakeWorker(daemon.rpc, { name: 'other', fate: 'written' });
	const { id } = other.addSession(1);
	await other.start();
	const stream = await daemon.events('?type=push.progress,push.done');
	const { json } = await daemon.post('/v1/altsvc?wait=written', { select: everybody, ...altsvc });
	assert.equal(json.push.matched, 9);
	await other.stop();
	const done = await daemon.get(`/v1/pushes/${json.push.id}?wait=done`);
	assert.deepEqual(counts(done.json.push), [9, 0, 0, 8, 0, 1]);
	assert.equal(done.json.warnings.at(-1).rule, 'WORKER_LOST');
	assert.match(done.json.warnings.at(-1).detail, /worker other /);
	assert.deepEqual((await sessionsOf(json.push.id)).at(-1), { session: id, outcome: 'unknown', reason: 'WORKER_LOST' });
	let event = await stream.next();
	while (event.event !== 'push.done')
		event = await stream.next();
	assert.deepEqual([event.data.data.id, ...counts(event.data.data)], [json.push.id, 9, 0, 0, 8, 0, 1]);
	stream.close();
	await other.start();
	other.tellMany(json.push.id, new Map([[id, ['received']]]), 'done');
	await other.call('settle', {}).catch(() => {});
	assert.equal((await daemon.get(`/v1/pushes/${json.push.id}`)).json.push.received, 9);
	await other.stop();
});

test('a worker that was counted, and lost before it answered: all of its sessions are unknown', async () => {
	const counted = new FakeWorker(daemon.rpc, { name: 'counted' });
	for (const n of [1, 2, 3])
		counted.addSession(n);
	counted.handlers['push.start'] = (worker, { dryRun }) => (dryRun ? { matched: 3, warnings: [], refused: {} } : undefined);
	await counted.start();
	const asking = daemon.post('/v1/altsvc?wait=received', { select: { worker: 'counted' }, ...altsvc, perSecond: 100 });
	while (counted.requests.at(-1)?.params.push === undefined || counted.requests.at(-1).params.dryRun)
		await once(counted, 'request');
	await counted.stop();
	const { status, json } = await asking;
	assert.deepEqual([status, json.push.state, ...counts(json.push)], [200, 'done', 3, 0, 0, 0, 0, 3]);
	assert.equal(json.warnings.at(-1).rule, 'WORKER_LOST');
});

test('an Idempotency-Key makes one fan-out; its answer comes again, also after kill -9', async (t) => {
	const restart = stateful(t);
	const first = await restart();
	const worker = new FakeWorker(first.rpc);
	worker.addSession(1);
	await worker.start();
	const headers = { 'Idempotency-Key': 'move-1' };
	const send = (d, body = { select: everybody, ...altsvc }, key = headers) => d.post('/v1/altsvc', body, { headers: key });
	const [a, b] = await Promise.all([send(first), send(first)]);
	assert.deepEqual([a.status, b.status, a.json.push.id], [202, 202, b.json.push.id]);
	assert.equal(starts(worker).length, 1);
	await first.get(`/v1/pushes/${a.json.push.id}?wait=done`);
	worker.handlers['push.start'] = () => {
		throw new RpcError(-6, 'ERR_INVALID_URL', { field: 'origin' });
	};
	const refused = await send(first, { select: everybody, alt: 'x', origin: 'y' }, { 'Idempotency-Key': 'bad' });
	assert.equal(refused.status, 400);
	await first.stop('SIGKILL');
	const second = await restart();
	await worker.start();
	const c = await send(second);
	assert.deepEqual([c.status, c.text, c.headers.location], [202, a.text, a.headers.location]);
	const refusedAgain = await send(second, { select: everybody, alt: 'x', origin: 'y' }, { 'Idempotency-Key': 'bad' });
	assert.deepEqual([refusedAgain.status, refusedAgain.text], [400, refused.text]);
	assert.equal((await send(second, { select: { worker: 'x' }, ...altsvc })).status, 422);
	assert.equal(starts(worker).length, 2); // one, and the refused one
	const kept = await second.get(`/v1/pushes/${a.json.push.id}`);
	assert.deepEqual([kept.json.push.state, kept.json.push.received, kept.json.warnings], ['done', 1, []]);
	const { json } = await second.get(`/v1/pushes/${a.json.push.id}/sessions`);
	assert.deepEqual(json.sessions, [{ session: `${worker.boot}-1`, outcome: 'received' }]);
});

test('after kill -9 the counting goes on, and what was never handed over is said', async (t) => {
	const restart = stateful(t);
	const first = await restart();
	const goes = new FakeWorker(first.rpc, { name: 'goes', fate: 'queued' });
	const forgets = new FakeWorker(first.rpc, { name: 'forgets', fate: 'queued' });
	const ids = [1, 2, 3].map((n) => goes.addSession(n).id);
	forgets.addSession(1);
	await goes.start();
	await forgets.start();
	const { json } = await first.post('/v1/altsvc', { select: everybody, ...altsvc });
	const single = await first.post(`/v1/sessions/${forgets.boot}-1/altsvc`, { ...altsvc, timeout: 0 });
	await asked(forgets, () => forgets.requests.some((r) => r.method === 'session.altsvc'));
	await first.stop('SIGKILL');
	const second = await restart();
	assert.equal((await second.get(`/v1/pushes/${json.push.id}`)).json.push.state, 'running');
	const outcomes = new Map(ids.map((id) => [id, ['queued']]));
	goes.hello = { pushes: [{ push: json.push.id, state: 'running', matched: 3, queued: 3, written: 0, received: 0, notSent: 0, unknown: 0 }] };
	forgets.handlers['push.cancel'] = () => {
		throw new RpcError(-30, 'ERR_NOT_FOUND', { field: 'push' });
	};
	await goes.start();
	await forgets.start();
	goes.tellMany(json.push.id, new Map(ids.map((id) => [id, ['received']])), 'done');
	const done = await second.get(`/v1/pushes/${json.push.id}?wait=done&timeout=20`);
	assert.equal(done.json.push.state, 'done');
	assert.deepEqual(counts(done.json.push), [4, 0, 0, 3, 0, 1]);
	assert.equal(outcomes.size, 3);
	const lost = await second.get(`/v1/pushes/${single.json.push.id}?wait=done&timeout=20`);
	assert.deepEqual([lost.json.outcome, lost.json.reason], ['unknown', 'CONTROLD_RESTART']);
});

test('a drain with stopAccepting holds until it is deleted, across a restart too', async (t) => {
	const restart = stateful(t);
	const first = await restart();
	const worker = new FakeWorker(first.rpc);
	worker.addSession(1);
	assert.equal((await worker.start()).accepting, true);
	const body = { select: everybody, alt: 'h2=":1"', origin: 'https://a.org', deadline: 2, stopAccepting: true };
	assert.equal((await first.post('/v1/drain', { ...body, deadline: undefined })).json.field, 'deadline');
	const { status, json } = await first.post('/v1/drain?wait=received', body);
	assert.deepEqual([status, json.push.kind, json.push.received, worker.accepting], [200, 'drain', 1, false]);
	const { kind, deadlineMs, stopAccepting } = starts(worker).at(-1).params;
	assert.deepEqual([kind, deadlineMs, stopAccepting], ['drain', 2000, undefined]);
	const other = await first.post('/v1/drain?wait=received', body);
	await first.stop('SIGKILL');
	const second = await restart();
	assert.equal((await worker.start()).accepting, false);
	await second.request('DELETE', `/v1/pushes/${json.push.id}`);
	assert.equal(worker.accepting, false); // the other one holds it
	const gone = await second.request('DELETE', `/v1/pushes/${other.json.push.id}`);
	assert.deepEqual([gone.status, gone.json.push.state], [200, 'done']);
	await asked(worker, () => worker.accepting);
});
