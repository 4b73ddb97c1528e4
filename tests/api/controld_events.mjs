// SPDX-License-Identifier: Apache-2.0
//
// The event stream: forms, filters, resuming, gaps, snapshots, slow readers, limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

async function withWorker(args, fn) {
	await withDaemon(args, {}, async (daemon) => {
		const worker = new FakeWorker(daemon.rpc);
		await worker.start();
		await fn(daemon, worker);
	});
}

// The daemon has taken everything that the worker said before.
const settled = (worker) => worker.call('settle', {}).catch(() => {});

test('SSE: id, event and data agree', () => withWorker([], async (daemon, worker) => {
	const stream = await daemon.events('?type=connect,close');
	assert.equal(stream.response.headers['content-type'], 'text/event-stream');
	const session = worker.addSession(1);
	worker.event('connect', session.id, session);
	worker.event('goaway', session.id, { code: 0 });
	worker.event('close', session.id, { reason: 'closed' }, { stream: 3 });
	const [connect, close] = await stream.take(2);
	assert.deepEqual([connect.event, connect.id, connect.data.type], ['connect', connect.data.id, 'connect']);
	assert.match(connect.id, /^[a-z0-9]+-\d+$/);
	assert.deepEqual([connect.data.worker, connect.data.session], ['edge1', session.id]);
	assert.deepEqual(connect.data.data, session);
	assert.deepEqual([close.event, close.data.stream, close.data.data], ['close', 3, { reason: 'closed' }]);
	stream.close();
}));

test('NDJSON: one object a line', () => withWorker([], async (daemon, worker) => {
	const stream = await daemon.events('?type=error', { ndjson: true });
	assert.equal(stream.response.headers['content-type'], 'application/x-ndjson');
	worker.event('error', `${worker.boot}-1`, { error: 'line\nbreak', code: 1 });
	const { data } = await stream.next();
	assert.deepEqual([data.type, data.data.error], ['error', 'line\nbreak']);
	stream.close();
}));

test('no type means every type; workers come and go in it', () => withWorker([], async (daemon, worker) => {
	const stream = await daemon.events();
	const other = new FakeWorker(daemon.rpc, { name: 'edge2' });
	await other.start();
	const up = await stream.next();
	assert.deepEqual([up.event, up.data.worker, up.data.data.boot], ['worker.up', 'edge2', other.boot]);
	worker.event('x-mine', undefined, { a: 1 });
	assert.equal((await stream.next()).event, 'x-mine');
	await other.stop();
	const down = await stream.next();
	assert.deepEqual([down.event, down.data.data.boot, down.data.data.sessions], ['worker.down', other.boot, 0]);
	stream.close();
}));

test('once and limit end the stream', () => withWorker([], async (daemon, worker) => {
	for (const [query, n] of [['?type=goaway&once=1', 1], ['?type=goaway&limit=3', 3]]) {
		const stream = await daemon.events(query);
		for (let i = 0; i < 5; i++)
			worker.event('goaway', `${worker.boot}-1`, { code: i });
		const items = await stream.take(n + 1);
		assert.equal(items.pop(), null, query);
		assert.deepEqual(items.map((item) => item.data.data.code), [...Array(n).keys()]);
	}
}));

test('what costs something is recorded while somebody wants it', () => withWorker([], async (daemon, worker) => {
	const first = once(worker, 'filter');
	const stream = await daemon.events('?type=stream');
	assert.deepEqual((await first)[0], { types: ['stream'] });
	const second = once(worker, 'filter');
	const all = await daemon.events();
	assert.deepEqual((await second)[0].types.sort(), ['localSettings', 'ping', 'remoteSettings', 'stream']);
	const late = new FakeWorker(daemon.rpc, { name: 'late' });
	assert.equal((await late.start()).filter.types.length, 4);
	stream.close();
	all.close();
}));

test('since and Last-Event-ID resume without loss and without repetition', () => withWorker([], async (daemon, worker) => {
	const session = `${worker.boot}-1`;
	const first = await daemon.events('?type=goaway&limit=2');
	for (let i = 0; i < 6; i++)
		worker.event('goaway', session, { code: i });
	const seen = await first.take(2);
	const last = seen[1].id;
	await settled(worker);
	for (const [query, headers] of [[`&since=${last}`, {}], ['', { 'Last-Event-ID': last }],
		[`&since=${seen[0].id}`, { 'Last-Event-ID': last }]]) {
		const stream = await daemon.events(`?type=goaway${query}`, { headers });
		assert.deepEqual((await stream.take(4)).map((item) => item.data.data.code), [2, 3, 4, 5]);
		stream.close();
	}
}));

test('an id that this log never gave begins with a gap', () => withWorker([], async (daemon, worker) => {
	worker.event('goaway', `${worker.boot}-1`, { code: 1 });
	await settled(worker);
	const { id } = await (await daemon.events('?type=goaway&since=x-1&limit=1')).next();
	const epoch = id.split('-')[0];
	for (const since of ['x-1', 'nonsense', `${epoch}-999999`, `${epoch}-`, `${epoch}--1`, `other-${1}`]) {
		const stream = await daemon.events(`?type=goaway&since=${since}`);
		const [gap, event] = await stream.take(2);
		assert.equal(gap.event, 'gap', since);
		assert.equal(gap.data.data.count, 0);
		assert.equal(gap.data.data.reason, 'unknown_id');
		assert.equal(event.data.data.code, 1);
		stream.close();
	}
}));

test('what the log dropped is counted by the filter of the reader', () => withWorker(['--event-log', '16'],
	async (daemon, worker) => {
		const session = `${worker.boot}-1`;
		worker.event('goaway', session, { code: -1 });
		const { id } = await (await daemon.events('?type=goaway&limit=1&since=x-1')).take(2).then((items) => items[1]);
		for (let i = 0; i < 100; i++)
			worker.event(i % 4 === 0 ? 'goaway' : 'error', session, { code: i });
		await settled(worker);
		const stream = await daemon.events(`?type=goaway&since=${id}`);
		const [gap, next] = await stream.take(2);
		assert.deepEqual([gap.event, gap.data.data.count, gap.data.data.reason], ['gap', 21, 'dropped']);
		assert.equal(next.data.data.code, 84);
		const seq = (text) => Number(text.split('-')[1]);
		assert.equal(seq(gap.data.data.from), seq(id) + 1);
		assert.equal(seq(gap.data.data.to), seq(id) + 84);
		const resumed = await daemon.events(`?type=goaway&since=${gap.id}`); // the gap's own id is good to resume from
		assert.equal((await resumed.next()).data.data.code, 84);
		assert.match((await daemon.get('/metrics')).text, /^h2sess_event_gaps_total [1-9]/m);
		stream.close();
		resumed.close();
	}));

test('a time without records is a gap without a number', () => withWorker([], async (daemon, worker) => {
	worker.event('goaway', `${worker.boot}-1`, { code: 1 });
	await settled(worker);
	const { id } = (await (await daemon.events('?type=goaway&limit=1&since=x-1')).take(2))[1];
	const stream = await daemon.events(`?type=stream&since=${id}`);
	const { event, data } = await stream.next();
	assert.deepEqual([event, data.data.count, data.data.reason], ['gap', null, 'not_recorded']);
	const other = await daemon.events(`?type=goaway&since=${id}`);
	worker.event('goaway', `${worker.boot}-1`, { code: 2 });
	assert.equal((await other.next()).data.data.code, 2);
	stream.close();
	other.close();
}));

test('what a worker dropped is a gap in the log', () => withWorker([], async (daemon, worker) => {
	const stream = await daemon.events('?type=goaway');
	worker.notify('events.gap', { count: 5, from: 1, to: 5 });
	const { event, data } = await stream.next();
	assert.deepEqual([event, data.data], ['gap', { count: 5, from: 1, to: 5, reason: 'worker_dropped' }]);
	worker.seq = 9; // four that nobody heard while the connection was away
	await worker.stop();
	await worker.start();
	const missed = await stream.next();
	assert.deepEqual(missed.data.data, { count: 4, from: 6, to: 9, reason: 'not_connected' });
	stream.close();
}));

test('a long poll has what there is, or what comes, or nothing', () => withWorker([], async (daemon, worker) => {
	worker.event('goaway', `${worker.boot}-1`, { code: 1 });
	await settled(worker);
	const { id } = (await (await daemon.events('?type=goaway&limit=1&since=x-1')).take(2))[1];
	const poll = (since, wait) => daemon.get(`/v1/events?type=goaway&since=${since}&wait=${wait}`,
		{ headers: { Accept: 'application/x-ndjson' } });
	const begin = Date.now();
	const longer = poll(id, 0.5); // the first to be over is not the first that came
	for (let i = 0; i < 50; i++)
		assert.equal((await poll(id, 0.01)).text, '');
	assert.ok(Date.now() - begin < 20000); // each ends by itself, not with a tick of a second
	assert.equal((await longer).text, '');
	const waiting = poll(id, 20);
	worker.event('goaway', `${worker.boot}-1`, { code: 2 });
	assert.equal(JSON.parse((await waiting).text).data.code, 2);
	const again = (await poll(id, 20)).text.trim().split('\n');
	assert.equal(again.length, 1);
	const gap = (await poll('x-1', 20)).text.trim().split('\n').map((line) => JSON.parse(line).type);
	assert.equal(gap[0], 'gap');
}));

test('a snapshot shows each live session once, then what changes', () => withWorker([], async (daemon, worker) => {
	const other = new FakeWorker(daemon.rpc, { name: 'edge2' });
	for (let n = 1; n <= 250; n++)
		worker.addSession(n);
	other.addSession(1);
	await other.start();
	// A session begins while the list is made: its event comes before the page that has it.
	worker.handlers['sessions.list'] = (w, params) => {
		if (params.after && !w.sessions.has(`${w.boot}-251`)) {
			const session = w.addSession(251);
			w.event('connect', session.id, session);
		}
		return FakeWorker.defaults['sessions.list'](w, params);
	};
	const stream = await daemon.events('?type=connect&snapshot=1');
	const items = await stream.take(253);
	const end = items.pop();
	assert.deepEqual([end.event, end.id, end.data.data], ['snapshot', undefined, { count: 252 }]);
	assert.ok(items.every((item) => item.event === 'session' && item.id === undefined));
	assert.equal(new Set(items.map((item) => item.data.session)).size, 252);
	const session = worker.addSession(252);
	worker.event('connect', session.id, session);
	const next = await stream.next();
	assert.deepEqual([next.event, next.data.session], ['connect', session.id]);
	stream.close();
}));

test('unknown types and values are refused', () => withWorker([], async (daemon) => {
	for (const [query, field] of [['type=nope', 'type'], ['type=connect,nope', 'type'], ['once=2', 'once'], ['limit=0', 'limit'],
		['wait=x', 'wait'], ['wait=1e3', 'wait'], ['snapshot=yes', 'snapshot'], ['since=a&since=b', 'since'], ['foo=1', 'foo']]) {
		const { status, json } = await daemon.get(`/v1/events?${query}`);
		assert.deepEqual([status, json.field], [400, field], query);
	}
	assert.equal((await daemon.request('HEAD', '/v1/events')).status, 200);
}));

test('readers take half of the places for x- names, and the hosts have the rest', () => withWorker([], async (daemon, worker) => {
	const session = worker.addSession(1);
	const names = Array.from({ length: 64 }, (_, i) => `x-${i}`);
	const poll = (type) => daemon.get(`/v1/events?wait=0&since=none&type=${type}`);
	assert.equal((await poll(names.slice(0, 32))).status, 200);
	assert.equal((await poll(names)).status, 200);
	const { status, json } = await poll('x-64');
	assert.deepEqual([status, json.code, json.field], [503, 'ERR_BUSY', 'type']);
	assert.match((await daemon.get('/metrics')).text, /^h2sess_limit_total\{limit="event_types"\} 1$/m);
	const stream = await daemon.events(`?type=x-1,connect`);
	worker.event('x-new', session.id, {});
	worker.event('x-1', session.id, {});
	assert.equal((await stream.next()).event, 'x-1');
	stream.close();
	assert.match((await poll('x-new')).text, /"type":"x-new"/); // a name that is in use costs nothing
}));

test('over the limit of streams: 503, and everything else answers', () => withWorker(['--event-streams', '3'],
	async (daemon) => {
		const streams = await Promise.all([1, 2, 3].map(() => daemon.events('?type=goaway')));
		const refused = await daemon.get('/v1/events');
		assert.equal(refused.status, 503);
		assert.ok(Number(refused.headers['retry-after']) > 0);
		assert.equal(refused.json.code, 'ERR_TOO_MANY_STREAMS');
		for (const target of ['/healthz', '/metrics', '/v1/workers'])
			assert.equal((await daemon.get(target)).status, 200, target);
		streams[0].close(); // the place comes back when the daemon has noticed
		for (;;) {
			const stream = await daemon.events('?type=goaway');
			if (stream.status === 200)
				break;
			stream.close();
		}
		streams.slice(1).forEach((stream) => stream.close());
	}));

test('a reader that does not read costs the others nothing, and is told what it missed',
	() => withWorker(['--event-log', '64'], async (daemon, worker) => {
		const slow = net.connect(daemon.socketPath);
		slow.write('GET /v1/events?type=goaway HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n');
		await once(slow, 'readable');
		const fast = await daemon.events('?type=goaway');
		const fill = 'f'.repeat(8192);
		const total = 400;
		let sent = 0;
		while (sent < total) { // in steps that the fast reader keeps up with
			for (let i = 0; i < 20; i++)
				worker.event('goaway', `${worker.boot}-1`, { code: sent++, fill });
			await fast.take(20);
		}
		let text = '';
		slow.setEncoding('utf8').on('data', (data) => (text += data));
		worker.event('goaway', `${worker.boot}-1`, { code: 'last' });
		const seen = () => text.includes('"code":"last"');
		while (!seen())
			await once(slow, 'data');
		const lines = [...text.matchAll(/^\{.*\}$/gm)].map(([line]) => JSON.parse(line));
		const gaps = lines.filter((line) => line.type === 'gap');
		assert.ok(gaps.length >= 1);
		const missed = gaps.reduce((sum, gap) => sum + gap.data.count, 0);
		assert.equal(lines.length - gaps.length + missed, total + 1);
		slow.destroy();
		fast.close();
	}));

test('when the daemon stops, every stream is told and ends', () => withWorker([], async (daemon) => {
	const sse = await daemon.events();
	const lines = await daemon.events('?type=goaway', { ndjson: true });
	assert.equal(await daemon.stop(), 0);
	for (const stream of [sse, lines]) {
		const { data } = await stream.next();
		assert.deepEqual([data.type, data.data.reason], ['bookmark', 'stopping']);
		assert.equal(await stream.next(), null);
		assert.ok(stream.response.complete);
	}
}));

test('pushes tell how they go on', () => withWorker([], async (daemon, worker) => {
	const session = worker.addSession(1);
	const stream = await daemon.events('?type=push.progress,push.done');
	const { json } = await daemon.post(`/v1/sessions/${session.id}/altsvc`, { alt: 'x', wait: 'received' });
	const [progress, done] = await stream.take(2);
	assert.deepEqual([progress.event, progress.data.data.outcome], ['push.progress', 'written']);
	assert.deepEqual([done.event, done.data.data.outcome, done.data.data.id], ['push.done', 'received', json.push.id]);
	assert.equal(done.data.session, session.id);
	stream.close();
}));

test('many readers get everything in order', () => withWorker([], async (daemon, worker) => {
	const streams = await Promise.all(Array.from({ length: 100 }, () => daemon.events('?type=goaway&limit=200')));
	for (let i = 0; i < 200; i++)
		worker.event('goaway', `${worker.boot}-1`, { code: i });
	const all = await Promise.all(streams.map((stream) => stream.take(201)));
	for (const items of all) {
		assert.equal(items.pop(), null);
		assert.deepEqual(items.map((item) => item.data.data.code), [...Array(200).keys()]);
	}
}));

test('HTTP/1.0 readers are served too', () => withWorker([], async (daemon, worker) => {
	const socket = net.connect(daemon.socketPath);
	socket.write('GET /v1/events?once=1&type=goaway HTTP/1.0\r\n\r\n');
	await once(socket, 'readable');
	worker.event('goaway', `${worker.boot}-1`, { code: 1 });
	let text = '';
	for await (const data of socket)
		text += data;
	assert.match(text, /event: goaway/);
}));

// Events of these sessions that a reader with this query is shown, told by their codes.
async function shown(daemon, worker, query, sessions) {
	const stream = await daemon.events(`?type=goaway&${query}`);
	sessions.forEach((session, code) => worker.event('goaway', session, { code }));
	const all = await daemon.events('?type=goaway,worker.up');
	const end = new FakeWorker(daemon.rpc, { name: 'end' });
	await end.start();
	await all.next();
	await end.stop();
	all.close();
	await daemon.get('/healthz');
	const seen = [];
	while (stream.items.length)
		seen.push((await stream.next()).data.data.code);
	stream.close();
	return seen;
}

test('whose events: by id, worker, label, name, address, encryption and protocol', () => withWorker([], async (daemon, worker) => {
	const extras = [
		{ labels: { tier: 'gold', site: 'a' }, servername: 'www.example.org', peer: { address: '192.0.2.17', port: 1 } },
		{ labels: { tier: 'gold' }, servername: 'WWW.example.com', peer: { address: '2001:db8::1', port: 1 } },
		{ labels: {}, servername: null, encrypted: false, alpnProtocol: 'h2c', peer: { address: '198.51.100.1', port: 1 } },
	];
	const sessions = extras.map((extra, i) => worker.addSession(i + 1, extra));
	const ids = sessions.map(({ id }) => id);
	sessions.forEach((session) => worker.event('connect', session.id, session));
	await settled(worker);
	for (const [query, codes] of [
		[`ids=${ids[1]}`, [1]], [`ids=${ids[0]},${ids[2]}`, [0, 2]], ['label=tier=gold', [0, 1]], ['label=tier=gold&label=site=a', [0]],
		['label=tier=silver', []], ['sni=www.*', [0, 1]], ['sni=*.example.???', [0, 1]], ['sni=*', [0, 1]], ['sni=www.example.org', [0]],
		['peer=192.0.2.0/24', [0]], ['peer=2001:db8::/32', [1]], ['peer=198.51.100.1', [2]], ['peer=0.0.0.0/0', [0, 2]], ['peer=::ffff:192.0.2.17', [0]],
		['encrypted=true', [0, 1]], ['encrypted=false&alpn=h2c', [2]], ['worker=other', []], [`worker=${worker.boot}x`, []], [`ids=${ids[0]}&encrypted=false`, []],
	])
		assert.deepEqual(await shown(daemon, worker, query, ids), codes, query);
	for (const name of ['edge1', worker.boot])
		assert.deepEqual((await shown(daemon, worker, `worker=${name}`, ids)).slice(0, 3), [0, 1, 2]);
	for (const [query, field] of [['minAge=-1', 'minAge'], ['userAgent=', 'userAgent'], ['sample=0', 'sample'], ['openStreams=1.5', 'openStreams'],
		['peer=nonsense', 'peer'], ['peer=10.0.0.0/33', 'peer'], ['label=x', 'label'], ['origin=nonsense', 'origin'], ['sampleBy=x', 'sampleBy']]) {
		const { status, json } = await daemon.get(`/v1/events?${query}`);
		assert.deepEqual([status, json.field], [400, field], query);
	}
}));

test('a worker is chosen with what is of it and of no session, by name or boot id', () => withWorker([], async (daemon) => {
	const boot = 'k3v9x2m1qp7a';
	const streams = [await daemon.events('?worker=edge2'), await daemon.events(`?worker=${boot}`)];
	for (const options of [{ name: 'edge3' }, { name: 'edge2', boot }]) {
		const worker = new FakeWorker(daemon.rpc, options);
		await worker.start();
		worker.notify('events.gap', { count: 1, from: 1, to: 1 });
		await settled(worker);
		await worker.stop();
	}
	for (const stream of streams) {
		assert.deepEqual((await stream.take(3)).map(({ data }) => [data.type, data.worker]),
			[['worker.up', 'edge2'], ['gap', 'edge2'], ['worker.down', 'edge2']]);
		stream.close();
	}
}));

test('labels that change change who is seen', () => withWorker([], async (daemon, worker) => {
	const session = worker.addSession(1);
	worker.event('connect', session.id, session);
	worker.handlers['session.setLabels'] = (w, { labels }) => ({ labels: Object.assign(session.labels, labels) });
	worker.hello = { capabilities: ['altsvc', 'origin', 'session'] };
	await worker.stop();
	await worker.start();
	const stream = await daemon.events('?label=tier=gold&type=goaway');
	worker.event('goaway', session.id, { code: 1 });
	await settled(worker);
	assert.equal((await daemon.request('PATCH', `/v1/sessions/${session.id}/labels`, { body: { tier: 'gold' } })).status, 200);
	worker.event('goaway', session.id, { code: 2 });
	assert.equal((await stream.next()).data.data.code, 2);
	stream.close();
}));

test('sessions that began before the daemon did are asked for, once', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc);
	for (let n = 1; n <= 250; n++)
		worker.addSession(n, { servername: n === 249 ? 'here.example' : 'there.example' });
	worker.seq = 250; // their connects, that nobody heard
	await worker.start();
	const lists = () => worker.requests.filter(({ method }) => method === 'sessions.list').length;
	for (let i = 0; i < 2; i++) {
		const stream = await daemon.events('?type=goaway&sni=here.*');
		worker.event('goaway', `${worker.boot}-1`, { code: 1 });
		worker.event('goaway', `${worker.boot}-249`, { code: 2 });
		assert.equal((await stream.next()).data.data.code, 2);
		assert.equal(lists(), 5);
		stream.close();
	}
	// What nobody can know is a gap, not silence.
	const stream = await daemon.events('?type=goaway&sni=here.*');
	worker.event('goaway', `${worker.boot}-999`, { code: 3 });
	const { data } = await stream.next();
	assert.deepEqual([data.type, data.data.count, data.data.reason], ['gap', null, 'session_unknown']);
	stream.close();
}));

test('what the log dropped is counted for whom the reader chose', () => withWorker(['--event-log', '16'], async (daemon, worker) => {
	const [one, two] = [1, 2].map((n) => worker.addSession(n, { labels: { n: String(n) } }));
	for (const session of [one, two])
		worker.event('connect', session.id, session);
	await settled(worker);
	const { id } = (await (await daemon.events('?type=connect&limit=2&since=x-1')).take(3))[2];
	for (let i = 0; i < 90; i++)
		worker.event('goaway', i % 3 ? one.id : two.id, { code: i });
	await settled(worker);
	for (const [query, count] of [[`ids=${two.id}`, 25], ['label=n=1', 49], ['worker=edge1', 74], ['worker=other', undefined]]) {
		const stream = await daemon.events(`?type=goaway&since=${id}&wait=0.01&${query}`);
		assert.equal((await stream.next())?.data.data.count, count, query);
		stream.close();
	}
}));

test('a snapshot is of those that the reader chose', () => withWorker([], async (daemon, worker) => {
	for (let n = 1; n <= 3; n++)
		worker.addSession(n);
	const stream = await daemon.events(`?snapshot=1&sni=x.example&label=a=b&limit=1`);
	while ((await stream.next()).event !== 'snapshot')
		continue;
	const { params } = worker.requests.filter(({ method }) => method === 'sessions.list').at(-1);
	assert.deepEqual(params.select, { sni: 'x.example', label: { a: 'b' } });
	stream.close();
}));
