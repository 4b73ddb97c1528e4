// SPDX-License-Identifier: Apache-2.0
//
// Whose events: what changes while a session lives. Each event is judged by what its session was then: on the live stream, on
// resumption, in the counts of what the log dropped, and after a daemon that was killed.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { temporary } from '../common.mjs';
import { Daemon, withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

const BOOT = 'k3v9x2m1qp7a'; // so that the hashes of its ids are known

// The daemon has taken everything that the worker said before.
const settled = (worker) => worker.call('settle', {}).catch(() => {});

async function withWorker(args, fn, boot = BOOT) {
	await withDaemon(args, {}, async (daemon) => {
		const worker = new FakeWorker(daemon.rpc, { boot });
		await worker.start();
		await fn(daemon, worker);
	});
}

const at = (age, idle, openStreams, requested, origins, more = {}) =>
	({ at: { ageMs: age * 1000, idleMs: idle * 1000, openStreams, requested, labelChanges: 0, origins, ...more } });

// Two sessions: over TLS, with origins that come later; on cleartext, of a client that says nothing of itself.
function tell(worker) {
	const one = worker.addSession(64, { originSet: ['https://a.example'], streams: 0, peer: { address: '192.0.2.1', port: 1 } });
	const two = worker.addSession(65, { originSet: null, encrypted: false, streams: 0, peer: { address: '2001:db8::1', port: 1 } });
	worker.event('connect', one.id, one, at(0.1, 0, 0, false, 1));
	worker.event('connect', two.id, two, at(0.1, 0, 0, false, 0));
	const origins = ['https://a.example', 'https://b.example', 'https://xn--bcher-kva.example:444'];
	const rows = [
		[one, at(0.5, 0, 0, false, 1)],
		[one, at(61, 0, 3, true, 1, { userAgent: 'curl/7.88.1', labelChanges: 1, labels: { tier: 'gold' } })],
		[one, at(70, 9, 1, true, 3, { originSet: origins, labelChanges: 1 })],
		[one, at(80, 19, 0, true, 3, { labelChanges: 2, labels: { tier: 'silver' } })],
		[two, at(0.01, 0, 1, true, 0, { userAgent: null })],
	];
	rows.forEach(([session, extra], code) => worker.event('goaway', session.id, { code }, extra));
	return { one, two };
}

// Which of these a reader is shown.
const choices = [
	['minAge=0', [0, 1, 2, 3, 4]], ['minAge=61', [1, 2, 3]], ['minAge=61.001', [2, 3]], ['minAge=81', []],
	['idleFor=9', [2, 3]], ['idleFor=9.5', [3]], ['openStreams=0', [0, 1, 2, 3, 4]], ['openStreams=1', [1, 2, 4]], ['openStreams=3', [1]],
	['userAgent=CURL/*', [1, 2, 3]], ['userAgent=*', [1, 2, 3]], ['userAgent=wget*', []],
	['origin=https://a.example', [0, 1, 2, 3]], ['origin=https://B.example:443/x', [2, 3]], ['origin=https://b%C3%BCcher.example:444', [2, 3]],
	['label=tier=gold', [1, 2]], ['label=tier=silver', [3]], ['label=tier=gold&openStreams=3', [1]], ['label=tier=', []],
	['origin=https://c.example', []], ['minAge=60&openStreams=1', [1, 2]], ['userAgent=curl*&origin=https://b.example&idleFor=10', [3]],
	['sample=100', [0, 1, 2, 3, 4]], ['sample=16.2', []], ['sample=16.3', [0, 1, 2, 3]], ['sample=75.4', [0, 1, 2, 3, 4]],
	['sample=55', [0, 1, 2, 3]], ['sample=55&sampleBy=peer', []], ['sample=55.5&sampleBy=peer', [4]], ['sample=59.4&sampleBy=peer', [0, 1, 2, 3, 4]],
	[`worker=${BOOT}`, [0, 1, 2, 3, 4]], ['worker=edge1&minAge=61', [1, 2, 3]], ['worker=edge2', []],
];

const codes = (items) => items.filter(({ type }) => type !== 'bookmark').map(({ type, data }) => (type === 'gap' ? data : data.code));

async function resume(daemon, query, since) {
	const { text } = await daemon.get(`/v1/events?type=goaway&since=${since}&wait=0.01&${query}`, { headers: { Accept: 'application/x-ndjson' } });
	return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

const resumeEach = (daemon, since) => Promise.all(choices.map(async ([query, expected]) =>
	assert.deepEqual(codes(await resume(daemon, query, since)), expected, query)));

async function idOf(daemon, type) {
	const stream = await daemon.events(`?type=${type}&since=x-1&limit=1`);
	const { id } = (await stream.take(2))[1];
	stream.close();
	return id;
}

async function drain(stream) {
	const items = [];
	for (let item; (item = await stream.next());)
		items.push(item.data);
	return items;
}

test('each field, live and resumed', () => withWorker([], async (daemon, worker) => {
	const live = await Promise.all(choices.map(([query]) => daemon.events(`?type=goaway&${query}`)));
	tell(worker);
	await settled(worker);
	const id = await idOf(daemon, 'connect');
	await resumeEach(daemon, id);
	await daemon.stop(); // each stream ends with what it was to be shown
	for (const [i, [query, expected]] of choices.entries())
		assert.deepEqual(codes(await drain(live[i])), expected, query);
}));

test('what the log dropped is counted by what sessions were then', () => withWorker(['--event-log', '16'], async (daemon, worker) => {
	await settled(worker);
	const id = await idOf(daemon, 'worker.up');
	tell(worker);
	for (let i = 0; i < 40; i++)
		worker.event('error', `${BOOT}-66`, { error: 'x', code: 1 });
	await settled(worker);
	await Promise.all(choices.map(async ([query, expected]) => {
		const [gap, ...more] = await resume(daemon, query, id);
		assert.deepEqual(more, [], query);
		assert.equal(gap?.data.count, expected.length || undefined, query);
	}));
}));

// 2,500: so many that the state file has been cut down.
for (const many of [40, 2500])
	test(`what the log dropped is counted after kill -9, and again: ${many} events`, async (t) => {
		const daemon = Daemon.of(t, ['--event-log', '16', '--state', path.join(temporary(t), 'state.db')]);
		await daemon.start();
		const worker = new FakeWorker(daemon.rpc, { boot: BOOT });
		await worker.start();
		await settled(worker);
		const id = await idOf(daemon, 'worker.up');
		tell(worker);
		for (let i = 1; i <= many; i++)
			worker.event('error', `${BOOT}-66`, { error: i === many ? 'last' : 'x', code: 1 });
		const live = await daemon.events('?type=error&since=x-1');
		while ((await live.next()).data.data.error !== 'last') // shown when it is on disk
			continue;
		live.close();
		await worker.stop();
		for (let start = 0; start < 2; start++) {
			await daemon.stop('SIGKILL');
			await daemon.start();
			await Promise.all(choices.map(async ([query, expected]) => {
				const [gap, ...more] = await resume(daemon, query, id);
				assert.deepEqual(more, [], query);
				assert.equal(gap?.data.count, expected.length || undefined, query);
			}));
		}
	});

test('a daemon that was killed judges as it did before', async (t) => {
	const daemon = Daemon.of(t, ['--state', path.join(temporary(t), 'state.db')]);
	await daemon.start();
	const worker = new FakeWorker(daemon.rpc, { boot: BOOT });
	await worker.start();
	tell(worker);
	worker.event('error', `${BOOT}-66`, { error: 'last', code: 1 });
	const stream = await daemon.events('?type=error&since=x-1&limit=1'); // shown when it is on disk
	assert.equal((await stream.take(2))[1].data.data.error, 'last');
	const id = await idOf(daemon, 'connect');
	await daemon.stop('SIGKILL');
	await daemon.start();
	await resumeEach(daemon, id); // nobody is there to be asked
	const up = await resume(daemon, `worker=${BOOT}&type=worker.up`, 'x-1');
	assert.ok(up.some(({ type }) => type === 'worker.up'));
});

test('a worker that cannot tell leaves undecided what only it knows', () => withWorker([], async (daemon, worker) => {
	const session = worker.addSession(64, { streams: 0 });
	worker.event('connect', session.id, session);
	worker.event('goaway', session.id, { code: 1 });
	await settled(worker);
	const id = await idOf(daemon, 'connect');
	for (const query of ['minAge=0', 'idleFor=0', 'openStreams=0', 'userAgent=*', 'origin=https://example.org']) {
		const items = await resume(daemon, query, id);
		assert.deepEqual(items.map(({ type, data }) => [type, data.count, data.reason]), [['gap', null, 'session_unknown']], query);
	}
	for (const query of ['sample=17', 'sni=example.*', 'sample=100&sampleBy=peer'])
		assert.deepEqual(codes(await resume(daemon, query, id)), [1], query);
	for (const query of ['minAge=0&sni=other', 'openStreams=0&sample=16']) // what is known hides it
		assert.deepEqual(await resume(daemon, query, id), [], query);
}));

test('what a worker dropped is undecided until it is told again, then known of before too', () => withWorker([], async (daemon, worker) => {
	const session = worker.addSession(64, { streams: 0, originSet: ['https://a.example'] });
	worker.event('connect', session.id, session, at(0, 0, 0, false, 1));
	await settled(worker);
	const id = await idOf(daemon, 'connect');
	const stream = await daemon.events('?type=goaway&userAgent=curl*&origin=https://b.example');
	worker.seq += 3;
	worker.notify('events.gap', { count: 3, from: 2, to: 4 }); // one of them told the user agent and the origins
	worker.event('goaway', session.id, { code: 1 }, at(2, 0, 1, true, 2));
	const [dropped, unknown] = await stream.take(2);
	assert.deepEqual([dropped.data.data.reason, unknown.data.data.count, unknown.data.data.reason], ['worker_dropped', null, 'session_unknown']);
	worker.event('goaway', session.id, { code: 2 },
		at(3, 0, 1, true, 2, { userAgent: 'curl/8', originSet: ['https://a.example', 'https://b.example'] }));
	assert.equal((await stream.next()).data.data.code, 2);
	stream.close();
	const again = await resume(daemon, 'userAgent=curl*&origin=https://b.example', id);
	assert.deepEqual(again.map(({ type, data }) => data.code ?? data.reason ?? type), ['worker_dropped', 1, 2]);
}));

test('sessions that began before the daemon did are asked for', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc, { boot: BOOT });
	worker.addSession(64, { userAgent: 'curl/8', streams: 1, originSet: ['https://a.example', 'https://b.example'] });
	worker.addSession(128, { userAgent: null, streams: 1 });
	worker.seq = 9; // nobody heard them
	await worker.start();
	const stream = await daemon.events('?type=goaway&userAgent=curl*&origin=https://b.example');
	worker.event('goaway', `${BOOT}-64`, { code: 1 }, at(9, 0, 1, true, 1)); // before the set grew
	worker.event('goaway', `${BOOT}-128`, { code: 2 }, at(9, 0, 1, true, 2)); // no user agent, ever
	worker.event('goaway', `${BOOT}-64`, { code: 3 }, at(9, 0, 1, true, 2));
	assert.equal((await stream.next()).data.data.code, 3);
	stream.close();
}));

test('a snapshot asks the workers for all of it', () => withWorker([], async (daemon, worker) => {
	const stream = await daemon.events('?snapshot=1&minAge=1.5&idleFor=2&openStreams=3&userAgent=a*&origin=https://a.example&sample=5&sampleBy=peer');
	while ((await stream.next()).event !== 'snapshot')
		continue;
	const { params } = worker.requests.filter(({ method }) => method === 'sessions.list').at(-1);
	assert.deepEqual(params.select, { minAge: 1.5, idleFor: 2, openStreams: 3, userAgent: 'a*', origin: 'https://a.example', sample: 5, sampleBy: 'peer' });
	stream.close();
}));

test('what became of a push is an event of its session, too', () => withWorker([], async (daemon, worker) => {
	const session = worker.addSession(64, { streams: 0 });
	worker.event('connect', session.id, session, at(0, 0, 0, false, 1));
	await settled(worker);
	const id = await idOf(daemon, 'connect');
	worker.update = (...args) => {
		const update = FakeWorker.prototype.update.apply(worker, args);
		Object.assign(update.sessions[0], update.state === 'done' ? at(62, 1, 2, false, 1) : at(61, 0, 3, false, 1));
		return update;
	};
	await daemon.post(`/v1/sessions/${session.id}/altsvc`, { alt: 'clear', origin: 'https://example.org', wait: 'received' });
	const types = async (query) => (await resume(daemon, query, id)).map(({ type, data }) => (type === 'gap' ? data.reason : type));
	for (const [query, expected] of [['minAge=60', ['push.progress', 'push.done']], ['minAge=62', ['push.done']], ['openStreams=3', ['push.progress']],
		['idleFor=2', []], ['origin=https://example.org', ['push.progress', 'push.done']]])
		assert.deepEqual(await types(`type=push.progress,push.done&${query}`), expected, query);
	delete worker.update; // a worker that cannot tell
	await daemon.post(`/v1/sessions/${session.id}/altsvc`, { alt: 'clear', origin: 'https://example.org', wait: 'received' });
	assert.deepEqual(await types('type=push.done&minAge=60'), ['push.done', 'session_unknown']);
}));

test('events of no session are hidden by what sessions are', () => withWorker([], async (daemon, worker) => {
	const streams = await Promise.all(['minAge=0', 'openStreams=0', 'sample=100', 'origin=https://a', 'userAgent=*', 'idleFor=0']
		.map((query) => daemon.events(`?${query}`)));
	const other = new FakeWorker(daemon.rpc, { name: 'edge2' });
	await other.start();
	worker.event('x-mine', undefined, {});
	await settled(worker);
	await other.stop();
	await daemon.stop();
	for (const stream of streams)
		assert.deepEqual((await drain(stream)).map(({ type }) => type), ['bookmark']);
}));
