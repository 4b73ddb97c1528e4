// SPDX-License-Identifier: Apache-2.0
//
// A scripted daemon that speaks api/rpc.md to a real worker: what the worker says by itself, what it
// answers, and what it does with a daemon that is away, slow, or wrong.
//
// $H2SESS_BUILD is the build under test (build/). Nothing sleeps but to see that something does not come.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { LINE_MAX, Scene, TIME, ending, get, getMany, pushScene, rawClient, sleep, until, within } from './rpc_support.mjs';

const EVENTS_MAX = 8192; // CONTROL_EVENTS_MAX

/* ---- hello and connections ------------------------------------------------------------------------ */

test('hello says who the worker is', async (t) => {
	const scene = await Scene.open(t, ['--label', 'region=eu']);
	const { hello } = await scene.daemon.up();

	assert.deepEqual(hello.protocol, { min: 1, max: 1 });
	assert.equal(hello.name, 'w1');
	assert.match(hello.boot, /^[a-z0-9]{8,32}$/);
	assert.equal(hello.succeeds, null);
	assert.equal(hello.pid, scene.worker.pid);
	assert.match(hello.version, /^\d+\.\d+\.\d+/);
	assert.match(hello.startedAt, TIME);
	assert.equal(hello.state, 'running');
	assert.deepEqual(hello.labels, { region: 'eu' });
	assert.deepEqual(hello.capabilities, ['altsvc', 'origin', 'session', 'fanout', 'policies',
		'accept']);
	assert.deepEqual(hello.certificates, []);
	assert.equal(hello.lastReload, null);
	assert.equal(hello.events, 0);
	assert.equal(hello.sessions, 0);
	assert.deepEqual(hello.pushes, []);
});

test('listeners come with hello or as an update', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const wanted = { address: '127.0.0.1', port: scene.port, tls: false };
	let { listen } = link.hello;

	while (!listen.length)
		({ listen } = await link.next('listen', ({ method, params }) =>
			method === 'worker.update' && params.listen?.length));
	assert.deepEqual(listen, [wanted]);
});

test('the worker comes back, as the same, at once after a break', async (t) => {
	const scene = await Scene.open(t);
	const first = await scene.daemon.up();

	for (let i = 0; i < 5; i++) {
		const link = scene.daemon.all.at(-1);
		link.socket.destroy();
		const again = await scene.daemon.up(); // how soon it tries: tests/unit/lib_control_link.c
		assert.equal(again.hello.boot, first.hello.boot);
	}
});

test('refused, it tries again with a backoff of at most a second', async (t) => {
	const scene = await Scene.open(t);
	const times = [];

	for (let i = 0; i < 9; i++) {
		const link = await scene.daemon.connection();
		times.push(Date.now());
		link.say({ id: link.helloId, error: { code: -48, message: 'no',
			data: { code: 'ERR_WORKER_NAME_IN_USE' } } });
		link.socket.end();
	}
	const waits = times.slice(1).map((time, i) => time - times[i]);
	assert.ok(Math.max(...waits) < 10000, waits.join()); // exactly: tests/unit/lib_control_link.c
	assert.ok(times.at(-1) - times[0] > 200, waits.join()); // it does not hammer
	await scene.daemon.up();
});

test('a daemon that is away for a while is found again', async (t) => {
	const scene = await Scene.open(t);
	await scene.daemon.up();
	await scene.daemon.vanish();
	const client = await scene.client(); // the worker serves all the same
	await get(client);
	await scene.daemon.listen();
	const link = await scene.daemon.up();
	assert.equal(link.hello.sessions, 1);
});

test('nothing is sent before hello is answered', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.connection();
	await scene.client();
	await sleep(300);
	assert.equal(link.messages.values.length, 0);
	link.say({ id: link.helloId, result: { protocol: 1, filter: { types: [] } } });
	await link.event('connect');
});

test('SIGTERM is told as draining', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const client = await scene.client();
	client.request({ ':path': '/', ':method': 'POST' }); // keeps it from ending at once
	await link.event('connect');
	scene.worker.kill('SIGTERM');
	await link.next('draining', ({ method, params }) =>
		method === 'worker.update' && params.state === 'draining');
	client.destroy();
});

test('the number of sessions is told, at most once a second', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	await scene.client();
	await scene.client();
	await link.next('sessions', ({ method, params }) =>
		method === 'worker.update' && params.sessions === 2);
});

/* ---- events --------------------------------------------------------------------------------------- */

test('a session is told from connect to close', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const client = await scene.client();
	const connect = await link.event('connect');

	assert.equal(connect.seq, 1);
	assert.match(connect.time, TIME);
	assert.equal(connect.data.id, connect.session);
	assert.equal(connect.data.worker, 'w1');
	assert.deepEqual(connect.data.peer, { address: '127.0.0.1', port: client.socket.localPort });
	assert.equal(connect.data.encrypted, false);
	assert.equal(connect.data.originSet, null);
	await get(client);
	client.goaway(0, 0, Buffer.from('bye'));
	const goaway = await link.event('goaway');
	assert.deepEqual(goaway.data,
		{ code: 0, lastStreamID: 0, opaqueData: Buffer.from('bye').toString('base64') });
	const close = await link.event('close');
	assert.equal(close.session, connect.session);
	assert.equal(close.data.reason, 'closed');
	assert.equal(close.data.streams, 1);
	assert.equal(close.data.createdAt, connect.data.createdAt);
	assert.deepEqual(close.data.peer, connect.data.peer);
});

test('what is on demand comes while it is asked for', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up(['stream']);
	const client = await scene.client();

	await get(client, '/one');
	const stream = await link.event('stream');
	assert.equal(stream.stream, 1);
	assert.equal(stream.data.path, '/one');
	assert.equal(stream.data.method, 'GET');
	assert.equal(stream.data.scheme, 'http');
	assert.equal(stream.data.authority, `127.0.0.1:${scene.port}`);
	assert.equal(stream.data.userAgent, null);
	assert.equal(stream.data.endAfterHeaders, true);
	link.notify('events.filter', { types: ['ping'] });
	await link.result('worker.stats'); // what was sent before it has been heard
	await get(client, '/two');
	client.ping(Buffer.from('12345678'), () => {});
	const next = await link.item();
	assert.equal(next.type, 'ping');
	assert.equal(next.data.payload, Buffer.from('12345678').toString('hex'));
	link.notify('events.filter', { types: [] });
	await link.result('worker.stats');
	await get(client, '/three');
	client.destroy(); // says GOAWAY
	assert.equal((await link.item()).type, 'goaway');
	assert.equal((await link.item()).type, 'close');
});

test('events of a time without a daemon come later, all of them, in order', async (t) => {
	const scene = await Scene.open(t);
	const before = await scene.daemon.up(['stream']);
	const client = await scene.client();

	await before.event('connect');
	await scene.daemon.vanish();
	await getMany(client, 500);
	await scene.daemon.listen();
	const link = await scene.daemon.up(['stream']);
	assert.equal(link.hello.events, 1); // what was handed over already
	for (let seq = 2; seq <= 501; seq++) assert.equal((await link.item()).seq, seq);
});

test('past its bound the worker drops the oldest and says exactly which', async (t) => {
	const scene = await Scene.open(t);
	const before = await scene.daemon.up(['stream']);
	const client = await scene.client();
	const n = EVENTS_MAX + 1500;

	await before.event('connect');
	await scene.daemon.vanish();
	await getMany(client, n);
	await scene.daemon.listen();
	const link = await scene.daemon.up(['stream']);
	assert.equal(link.hello.events, 1);
	const gap = await link.item();
	assert.deepEqual(gap, { count: gap.to - 1, from: 2, to: gap.to });
	assert.ok(gap.count >= 1500);
	for (let seq = gap.to + 1; seq <= n + 1; seq++) assert.equal((await link.item()).seq, seq);
	const stats = await link.result('worker.stats');
	assert.equal(stats.eventsDropped, gap.count);
});

test('a daemon that does not read costs no request, and gets its gaps in place', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up(['stream']);
	const client = await scene.client();
	const n = EVENTS_MAX + 6000;

	await link.event('connect');
	link.socket.pause();
	await getMany(client, n);
	link.socket.resume();
	let at = 1;
	let missing = 0;
	while (at < n + 1) {
		const item = await link.item();
		assert.equal(item.from ?? item.seq, at + 1);
		at = item.to ?? item.seq;
		missing += item.count ?? 0;
	}
	assert.equal((await link.result('worker.stats')).eventsDropped, missing);
	assert.ok(missing > 0);
});

/* ---- sessions ------------------------------------------------------------------------------------- */

test('sessions are listed in pages, in order, over all threads', async (t) => {
	const scene = await Scene.open(t, ['--threads', '3']);
	const link = await scene.daemon.up();
	const began = [];

	for (let i = 0; i < 7; i++) {
		await scene.client();
		began.push((await link.event('connect')).session);
	}
	const all = await link.result('sessions.list', { select: { all: true }, limit: 1000, after: null });
	assert.deepEqual(all.sessions.map((s) => s.id), began);
	assert.equal(all.next, null);
	assert.equal(all.total, 7);
	const seen = [];
	for (let after = null, pages = 0; ; pages++) {
		const page = await link.result('sessions.list', { select: {}, limit: 3, after });
		seen.push(...page.sessions.map((s) => s.id));
		if (!page.next) {
			assert.equal(pages, 2);
			break;
		}
		assert.equal(page.sessions.length, 3);
		after = page.next;
	}
	assert.deepEqual(seen, began);
	const two = await link.result('sessions.list',
		{ select: { ids: [began[2], began[5], 'nonsense'] }, limit: 10, after: null });
	assert.deepEqual(two.sessions.map((s) => s.id), [began[2], began[5]]);
	// The cursor may have ended since.
	scene.clients[2].destroy();
	await link.event('close');
	const rest = await link.result('sessions.list', { select: {}, limit: 10, after: began[2] });
	assert.deepEqual(rest.sessions.map((s) => s.id), began.slice(3));
});

test('more sessions than a slice are searched', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const sockets = [];
	ending(t, () => sockets.forEach((socket) => socket.destroy()));

	for (let i = 0; i < 1200; i++) sockets.push(rawClient(scene.port));
	await until('1200 sessions', async () => (await link.result('worker.stats')).sessions === 1200);
	const page = await link.result('sessions.list', { select: { all: true }, limit: 1000, after: null });
	assert.equal(page.total, 1200);
	const rest = await link.result('sessions.list', { select: { all: true }, limit: 1000, after: page.next });
	assert.equal(page.sessions.length + rest.sessions.length, 1200);
	assert.equal(rest.next, null);
	assert.equal(new Set([...page.sessions, ...rest.sessions].map((s) => s.id)).size, 1200);
	const last = rest.sessions.at(-1).id;
	const one = await link.result('sessions.list', { select: { ids: [last] }, limit: 1, after: null });
	assert.deepEqual([one.sessions[0].id, one.next], [last, null]);
});

test('a page ends where its sessions weigh too much, and the next goes on there', async (t) => {
	const scene = await Scene.open(t, ['--threads', '3']);
	const link = await scene.daemon.up();
	const began = [];

	for (let i = 0; i < 20; i++) {
		await scene.client();
		const { session } = await link.event('connect');
		began.push(session);
		for (let n = 0; n < 16; n++)
			await link.result('session.altsvc', {
				push: `p-${i}-${n}`, session, origin: `https://o${n}.example`, alt: `h2="${'x'.repeat(15000)}"`,
				lint: false, receipt: 'written',
			});
	}
	const seen = [];
	let pages = 0;
	for (let after = null; pages === 0 || after; pages++) {
		const page = await link.result('sessions.list', { select: {}, limit: 1000, after });
		assert.ok(page.sessions.length > 0);
		assert.ok(JSON.stringify(page).length < 4 * 1024 * 1024);
		for (const { id, altsvc } of page.sessions) {
			assert.equal(altsvc.length, 16);
			seen.push(id);
		}
		after = page.next;
	}
	assert.deepEqual(seen, began);
	assert.equal(pages, 2);
});

test('list arguments are checked', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const rows = [
		[{ select: {}, limit: 0, after: null }, 'ERR_OUT_OF_RANGE', 'limit'],
		[{ select: {}, limit: 1001, after: null }, 'ERR_OUT_OF_RANGE', 'limit'],
		[{ select: {}, limit: '5', after: null }, 'ERR_INVALID_ARG_TYPE', 'limit'],
		[{ select: {}, limit: 5, after: 7 }, 'ERR_INVALID_ARG_TYPE', 'after'],
		[{ select: {}, limit: 5, after: 'otherboot-1' }, 'ERR_INVALID_ARG_VALUE', 'after'],
	];

	for (const [params, code, field] of rows) {
		const error = await link.error('sessions.list', params);
		assert.deepEqual(error.data, { code, field }, JSON.stringify(params));
	}
	const unknown = await link.error('sessions.list', { select: {}, limit: 5, after: null, x: 1 });
	assert.equal(unknown.code, -32602);
	assert.equal(unknown.data.field, 'x');
	assert.ok((await link.error('sessions.list', { select: { nope: 1 }, limit: 5 })).data.field);
});

test('a session object has what rpc.md says', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const client = await scene.client();
	const { session } = await link.event('connect');

	const open = client.request({ ':path': '/open', ':method': 'POST', 'user-agent': 'b\xfccher/1' });
	await until('the stream', async () =>
		(await link.result('session.get', { session })).openStreams === 1);
	const object = await link.result('session.get', { session });
	assert.deepEqual(Object.keys(object).sort(), ['alpnProtocol', 'altUsed', 'altsvc', 'cipher', 'closed',
		'connecting', 'createdAt', 'destroyed', 'encrypted', 'id', 'idleMs', 'labels', 'localSettings',
		'misdirected', 'openStreams', 'originSet', 'peer', 'pendingSettingsAck', 'policies',
		'remoteSettings', 'servername', 'state', 'streams', 'tlsVersion', 'userAgent', 'worker']);
	assert.equal(object.alpnProtocol, 'h2c');
	assert.equal(object.connecting, false);
	assert.equal(object.userAgent, 'bücher/1');
	assert.equal(object.streams, 1);
	assert.deepEqual(object.policies, []);
	assert.equal(object.remoteSettings.initialWindowSize, 65535);
	assert.equal(typeof object.remoteSettings.enablePush, 'boolean');
	assert.deepEqual(Object.keys(object.state).sort(), ['deflateDynamicTableSize',
		'effectiveLocalWindowSize', 'effectiveRecvDataLength', 'inflateDynamicTableSize',
		'lastProcStreamID', 'localWindowSize', 'nextStreamID', 'outboundQueueSize', 'remoteWindowSize']);
	const { streams } = await link.result('session.streams', { session });
	assert.equal(streams.length, 1);
	assert.equal(streams[0].id, 1);
	assert.equal(streams[0].state, 'open');
	assert.equal(streams[0].method, 'POST');
	assert.equal(streams[0].path, '/open');
	assert.equal(streams[0].authority, `127.0.0.1:${scene.port}`);
	open.close();
	for (const method of ['session.get', 'session.streams']) {
		const error = await link.error(method, { session: `${session}9` });
		assert.deepEqual(error.data, { code: 'ERR_NOT_FOUND', field: 'session' });
		assert.equal((await link.error(method, {})).data.code, 'ERR_INVALID_ARG_TYPE');
	}
});

/* ---- pushes --------------------------------------------------------------------------------------- */

test('a push is answered, followed and remembered', async (t) => {
	const { link, client, session } = await pushScene(t);
	const heard = once(client, 'altsvc');
	const params = { push: 'p-1', session, alt: 'h2=":8000"; ma=60', origin: 'https://Example.org:443/x',
		lint: true, receipt: 'received', deadlineMs: 5000, by: 'alice' };

	const result = await link.result('session.altsvc', params);
	assert.deepEqual(result, { outcome: 'queued', reason: '', warnings: [] });
	const update = await link.update('p-1', 'received');
	assert.equal(update.sessions[0].at.openStreams, 0); // rpc_events.mjs has the rest of it
	delete update.sessions[0].at;
	assert.deepEqual(update, { push: 'p-1', state: 'done', matched: 1, queued: 0, written: 0, received: 1,
		notSent: 0, unknown: 0, sessions: [{ session, outcome: 'received', reason: '' }] });
	assert.deepEqual(await within(heard, 'ALTSVC'), ['h2=":8000"; ma=60', 'https://example.org', 0]);
	const { altsvc } = await link.result('session.get', { session });
	assert.match(altsvc[0].when, TIME);
	delete altsvc[0].when;
	assert.deepEqual(altsvc, [{ origin: 'https://example.org', alt: 'h2=":8000"; ma=60', by: 'alice',
		push: 'p-1', outcome: 'received' }]);
});

test('a repeated push is answered as before, and sent once', async (t) => {
	const { link, client, session } = await pushScene(t);
	let frames = 0;
	client.on('altsvc', () => frames++);
	const params = { push: 'p-1', session, alt: 'clear', origin: 'https://example.org' };

	const answers = await Promise.all([1, 2, 3].map(() => link.result('session.altsvc', params)));
	await link.update('p-1', 'received');
	answers.push(await link.result('session.altsvc', params));
	answers.push(await link.result('session.altsvc', { ...params, alt: 'h2=":1"' }));
	for (const answer of answers) assert.deepEqual(answer, answers[0]);
	await new Promise((resolve) => client.ping(resolve));
	assert.equal(frames, 1);
	// A refused one is not remembered.
	const refused = { ...params, push: 'p-2', origin: 'nope' };
	assert.equal((await link.error('session.altsvc', refused)).data.code, 'ERR_INVALID_URL');
	await link.result('session.altsvc', { ...params, push: 'p-2' });
});

test('written is the last word where no receipt is wanted', async (t) => {
	const { link, session } = await pushScene(t);
	await link.result('session.altsvc',
		{ push: 'p-1', session, alt: 'clear', origin: 'https://a.org', receipt: 'written' });
	assert.equal((await link.update('p-1', 'written')).state, 'done');
});

test('streams and origins can be pushed to', async (t) => {
	const { link, client, session } = await pushScene(t);
	client.request({ ':path': '/', ':method': 'POST' });
	await until('the stream', async () =>
		(await link.result('session.get', { session })).openStreams === 1);
	const heard = once(client, 'altsvc');
	await link.result('session.altsvc', { push: 's-1', session, alt: 'clear', stream: 1 });
	assert.deepEqual(await within(heard, 'ALTSVC'), ['clear', '', 1]);
	await link.result('session.altsvc', { push: 's-2', session, alt: 'clear', stream: 99 });
	const update = await link.update('s-2', 'not_sent');
	assert.equal(update.sessions[0].reason, 'STREAM_CLOSED');
	assert.equal(update.notSent, 1);
	const { warnings } = await link.result('session.origin',
		{ push: 'o-1', session, origins: ['https://a.org', 'https://b.org:444/x'] });
	assert.deepEqual(warnings.map((w) => w.rule), ['origin-on-cleartext']);
	assert.ok(warnings[0].detail);
	await link.update('o-1', 'received');
	await link.result('session.origin', { push: 'o-2', session, origins: [], lint: false });
	await link.update('o-2', 'received');
});

test('arguments are refused in Node\'s order', async (t) => {
	const { link, session } = await pushScene(t);
	const url = 'https://example.org';
	const TYPE = 'ERR_INVALID_ARG_TYPE';
	const RANGE = 'ERR_OUT_OF_RANGE';
	const ORIGIN = 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN';
	const rows = [
		[{ alt: 'clear' }, ORIGIN, 'origin'],
		[{ alt: 'clear', origin: url, stream: 1 }, ORIGIN, 'origin'],
		[{ alt: 5 }, ORIGIN, 'origin'],
		[{ alt: 5, origin: 'nope' }, 'ERR_INVALID_URL', 'origin'],
		[{ alt: 5, origin: url }, TYPE, 'alt'],
		[{ origin: url }, TYPE, 'alt'],
		[{ alt: null, origin: url }, TYPE, 'alt'],
		[{ alt: 'clear', origin: null }, TYPE, 'origin'],
		[{ alt: 'clear', origin: 5 }, TYPE, 'origin'],
		[{ alt: 'clear', origin: { origin: url } }, TYPE, 'origin'],
		[{ alt: 'clear', origin: '' }, 'ERR_INVALID_URL', 'origin'],
		[{ alt: 'clear', origin: 'file:///x' }, ORIGIN, 'origin'],
		[{ alt: 'clear', stream: null }, TYPE, 'stream'],
		[{ alt: 'clear', stream: '1' }, TYPE, 'stream'],
		[{ alt: 'clear', stream: 0 }, RANGE, 'stream'],
		[{ alt: 'clear', stream: -1 }, RANGE, 'stream'],
		[{ alt: 'clear', stream: 1.5 }, RANGE, 'stream'],
		[{ alt: 'clear', stream: 2147483648 }, RANGE, 'stream'],
		[{ alt: 5, stream: 0 }, RANGE, 'stream'],
		[{ alt: 'a\\b', origin: url }, 'ERR_INVALID_CHAR', 'alt'],
		[{ alt: 'a\u00e9b', origin: url }, 'ERR_INVALID_CHAR', 'alt'],
		[{ alt: '', origin: url }, 'ERR_INVALID_ARG_VALUE', 'alt'],
		[{ alt: 'x'.repeat(16400), origin: url }, 'ERR_HTTP2_ALTSVC_LENGTH', 'alt'],
		[{ alt: 'garbage ,,,', origin: url, lint: true }, 'ERR_LINT_ALT_GRAMMAR', 'alt', 'alt-grammar'],
		[{ origins: 'https://a.org' }, TYPE, 'origins'],
		[{}, TYPE, 'origins', undefined, 'session.origin'],
		[{ origins: [url, 5] }, TYPE, 'origins'],
		[{ origins: ['bad url', 5] }, 'ERR_INVALID_URL', 'origins'],
		[{ origins: ['foo://bar'] }, 'ERR_HTTP2_INVALID_ORIGIN', 'origins'],
		[{ origins: ['http://a.org'], lint: true }, 'ERR_LINT_ORIGIN_NOT_HTTPS', 'origins',
			'origin-not-https'],
	];

	for (const [params, code, field, rule, method] of rows) {
		const name = method ?? (params.origins ? 'session.origin' : 'session.altsvc');
		const error = await link.error(name, { push: 'p', session, lint: false, ...params });
		assert.deepEqual(error.data, { code, field, ...(rule && { rule }) }, JSON.stringify(params));
	}
});

test('the rest of a push is checked too', async (t) => {
	const { link, session } = await pushScene(t);
	const good = { push: 'p-1', session, alt: 'clear', origin: 'https://a.org' };
	const rows = [
		[{ push: undefined }, 'ERR_INVALID_ARG_TYPE', 'push'],
		[{ push: '' }, 'ERR_INVALID_ARG_VALUE', 'push'],
		[{ push: 'x'.repeat(65) }, 'ERR_INVALID_ARG_VALUE', 'push'],
		[{ session: 1 }, 'ERR_INVALID_ARG_TYPE', 'session'],
		[{ session: 'nonsense' }, 'ERR_NOT_FOUND', 'session'],
		[{ lint: 'on' }, 'ERR_INVALID_ARG_TYPE', 'lint'],
		[{ receipt: 'maybe' }, 'ERR_INVALID_ARG_VALUE', 'receipt'],
		[{ deadlineMs: 0 }, 'ERR_OUT_OF_RANGE', 'deadlineMs'],
		[{ deadlineMs: 1.5 }, 'ERR_INVALID_ARG_TYPE', 'deadlineMs'],
		[{ by: 7 }, 'ERR_INVALID_ARG_TYPE', 'by'],
		[{ by: 'x'.repeat(256) }, 'ERR_INVALID_ARG_VALUE', 'by'],
	];

	for (const [change, code, field] of rows) {
		const error = await link.error('session.altsvc', { ...good, ...change });
		assert.deepEqual(error.data, { code, field }, JSON.stringify(change));
	}
	const unknown = await link.error('session.altsvc', { ...good, origins: [] });
	assert.deepEqual([unknown.code, unknown.data.field], [-32602, 'origins']);
	await link.result('session.altsvc', good);
});

test('hello tells of the pushes that may have been missed', async (t) => {
	const { scene, link, session } = await pushScene(t);
	const silent = rawClient(scene.port);
	ending(t, () => silent.destroy());
	const { session: mute } = await link.event('connect');
	const push = { alt: 'clear', origin: 'https://a.org' };

	await link.result('session.altsvc', { push: 'done', session, ...push });
	await link.update('done', 'received');
	await link.result('session.altsvc', { push: 'running', session: mute, ...push });
	await link.update('running', 'written');
	link.socket.destroy();
	const second = await scene.daemon.connection();
	assert.deepEqual(second.hello.pushes.map((p) => [p.push, p.state, p.sessions[0].outcome]),
		[['done', 'done', 'received'], ['running', 'running', 'written']]);
	second.socket.destroy(); // without an answer: who knows what it has read
	const third = await scene.daemon.up();
	assert.equal(third.hello.pushes.length, 2);
	third.socket.destroy();
	const fourth = await scene.daemon.up();
	assert.deepEqual(fourth.hello.pushes.map((p) => p.push), ['running']);
	silent.destroy();
	await fourth.next('the end of it', ({ method, params }) =>
		method === 'push.update' && params.push === 'running' && params.state === 'done');
});

test('cancelling says how many will not be sent', async (t) => {
	const { link, session } = await pushScene(t);
	const none = await link.error('push.cancel', { push: 'p-0' });
	assert.deepEqual(none.data, { code: 'ERR_NOT_FOUND', field: 'push' });
	await link.result('session.altsvc', { push: 'p-1', session, alt: 'clear', origin: 'https://a.org' });
	await link.update('p-1', 'received');
	assert.deepEqual(await link.result('push.cancel', { push: 'p-1' }), { cancelled: 0 });
});

test('what a peer does not take waits, can be cancelled, and runs out of time', async (t) => {
	const { scene, link } = await pushScene(t);
	const stuck = rawClient(scene.port);
	ending(t, () => stuck.destroy());
	stuck.pause();
	const { session } = await link.event('connect');
	const push = { session, alt: 'x'.repeat(16000), origin: 'https://a.org', lint: false };
	const n = 500; // more than the socket's buffers hold

	await Promise.all(Array.from({ length: n }, (_, i) =>
		link.result('session.altsvc', { push: `q-${i}`, ...push })));
	const late = await link.result('session.altsvc', { push: 'late', ...push, deadlineMs: 200 });
	assert.equal(late.outcome, 'queued');
	const update = link.update('late', 'not_sent');
	assert.equal((await update).sessions[0].reason, 'DEADLINE');
	assert.deepEqual(await link.result('push.cancel', { push: `q-${n - 1}` }), { cancelled: 1 });
	assert.equal((await link.update(`q-${n - 1}`, 'not_sent')).sessions[0].reason, 'CANCELLED');
	assert.deepEqual(await link.result('push.cancel', { push: `q-${n - 1}` }), { cancelled: 0 });
	stuck.destroy();
	const gone = await link.next('the end of the last', ({ method, params }) =>
		method === 'push.update' && params.push === `q-${n - 2}` && params.state === 'done');
	assert.deepEqual([gone.sessions[0].outcome, gone.sessions[0].reason], ['not_sent', 'SESSION_GONE']);
});

/* ---- a daemon that is wrong ----------------------------------------------------------------------- */

test('what is no message is answered with an error and ends the connection', async (t) => {
	const scene = await Scene.open(t);
	const rows = [['nonsense\n', -32700], ['{"jsonrpc":"2.0","jsonrpc":"2.0"}\n', -32700],
		['[]\n', -32600], ['{"jsonrpc":"2.0","id":"x","method":"worker.stats"}\n', -32600],
		['{"jsonrpc":"2.0","id":1,"method":"worker.stats","params":[]}\n', -32600]];

	for (const [line, code] of rows) {
		const link = await scene.daemon.up();
		link.socket.write(line);
		const error = await link.message('an error', ({ error: e }) => e);
		assert.equal(error.id, null);
		assert.equal(error.error.code, code, line);
		await within(link.closed, 'the end of the connection');
	}
});

test('a line that is too long ends the connection before it is whole', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const piece = Buffer.alloc(65536, ' ');

	for (let sent = 0; sent < 3 * LINE_MAX && !link.socket.destroyed; sent += piece.length)
		await new Promise((resolve) => link.socket.write(piece, resolve));
	await within(link.closed, 'the end of the connection');
	const again = await scene.daemon.up();
	// The longest line that is allowed.
	const head = '{"jsonrpc":"2.0","id":7,"method":"worker.stats","params":{}';
	again.socket.write(head + ' '.repeat(LINE_MAX - head.length - 2) + '}\n');
	const answer = await again.message('an answer', ({ id }) => id === 7); // what it tells by itself may come first
	assert.ok(answer.result);
});

test('lines may come octet by octet, and many at once', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const line = '{"jsonrpc":"2.0","id":7,"method":"worker.stats"}\n';

	link.socket.setNoDelay?.(true);
	for (const octet of line) await new Promise((resolve) => link.socket.write(octet, resolve));
	const answer = () => link.message('an answer', ({ id }) => id === 7);
	await answer();
	link.socket.write(line.repeat(50));
	for (let i = 0; i < 50; i++) await answer();
});

test('what is unknown is refused, or passed over', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();

	for (const method of ['no.such', 'hello', 'event', 'push.update', 'events.filter'])
		assert.equal((await link.error(method)).code, -32601, method);
	link.notify('no.such', {});
	link.notify('worker.stats', {});
	link.notify('events.filter', { types: 'stream', x: 1 });
	link.say({ id: 4711, result: {} });
	const stats = await link.result('worker.stats');
	assert.equal(stats.sessions, 0);
	assert.equal(typeof stats.limits.max_sessions, 'number');
	for (const name of ['sessionsTotal', 'streamsTotal', 'misdirected', 'altUsed', 'bytesReceived',
		'bytesSent', 'eventsDropped'])
		assert.equal(typeof stats[name], 'number', name);
});

test('requests without end are answered, each one', async (t) => {
	const { link, session } = await pushScene(t);
	const answers = await Promise.all(Array.from({ length: 2000 }, (_, i) =>
		i % 2 ? link.ask('session.get', { session }) : link.ask('sessions.list', { select: {}, limit: 1000 })));
	const refused = answers.filter((answer) => answer.error);

	assert.equal(answers.length, 2000);
	for (const { error } of refused) assert.equal(error.data.code, 'ERR_LIMIT');
	assert.ok(answers.length - refused.length > 0);
	await link.result('session.get', { session });
});
