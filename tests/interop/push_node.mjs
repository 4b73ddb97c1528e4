// SPDX-License-Identifier: Apache-2.0
//
// A Node HTTP/2 client receives what one call of the API pushes: the acceptance of the first issue.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { House, ending, event, until } from './support.mjs';
import { RawClient } from './raw_client.mjs';

const ALT = 'h2=":8000"; ma=60';

/** A house with one worker, one client and its session's path. */
async function scene(t) {
	const house = await House.open(t);
	const worker = await house.worker();
	const client = await house.client(worker);
	const session = await house.sessionOf(client.socket);
	return { house, worker, client, session, at: `/v1/sessions/${session.id}` };
}

/** An open stream: a request whose body does not end. Resolves to it when its response has begun. */
async function openStream(client) {
	const stream = client.request({ ':method': 'POST', ':path': '/open' });
	stream.on('error', () => {});
	stream.write('x');
	await event(stream, 'response');
	return stream;
}

/** Wait for an event of the client while a call of the API is made. */
async function during(client, name, call) {
	const [args, answer] = await Promise.all([event(client, name), call()]);
	return { args, answer };
}

test('altsvc for an origin', async (t) => {
	const { house, client, at } = await scene(t);
	const { args, answer } = await during(client, 'altsvc', () =>
		house.post(`${at}/altsvc`, { alt: ALT, origin: 'https://example.org:8111/this' }));
	assert.deepEqual(args.slice(0, 3), [ALT, 'https://example.org:8111', 0]);
	assert.equal(answer.status, 200);
	assert.match(answer.body.outcome, /^(written|received)$/);
	assert.equal(answer.body.push.matched, 1);
});

test('altsvc on an open stream', async (t) => {
	const { house, client, at } = await scene(t);
	const stream = await openStream(client);
	const { args, answer } = await during(client, 'altsvc', () =>
		house.post(`${at}/altsvc`, { alt: ALT, stream: stream.id }));
	assert.deepEqual(args.slice(0, 3), [ALT, '', stream.id]);
	assert.equal(answer.status, 200);
	assert.match(answer.body.outcome, /^(written|received)$/);
});

test('clear', async (t) => {
	const { house, client, at } = await scene(t);
	const { args } = await during(client, 'altsvc', () =>
		house.post(`${at}/altsvc`, { alt: 'clear', origin: 'https://example.org' }));
	assert.deepEqual(args.slice(0, 3), ['clear', 'https://example.org', 0]);
});

test('origin with two origins, and the set grows', async (t) => {
	const { house, worker, client, at } = await scene(t);
	const { args, answer } = await during(client, 'origin', () =>
		house.post(`${at}/origin`, { origins: ['https://example.com', 'https://example.org/path'] }));
	assert.deepEqual(args[0], ['https://example.com', 'https://example.org']);
	assert.equal(answer.status, 200);
	const set = [`https://localhost:${worker.port}`, 'https://example.com', 'https://example.org'];
	assert.deepEqual(client.originSet, set);
	assert.deepEqual((await house.get(at)).body.originSet, set);

	await during(client, 'origin', () =>
		house.post(`${at}/origin`, { origins: ['https://alt.example.org'] }));
	assert.deepEqual(client.originSet, [...set, 'https://alt.example.org']);
});

test('the event stream shows connect and stream as they happen', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const events = await house.events('?type=connect,stream,close');
	assert.match(events.headers['content-type'], /^text\/event-stream/);
	const client = await house.client(worker);
	const connect = await events.find('connect', (e) => e.type === 'connect');
	assert.equal(connect.worker, 'edge1');
	assert.equal(connect.data.peer.port, client.socket.localPort);
	assert.equal(connect.sse.event, 'connect');
	assert.equal(connect.sse.id, connect.id);

	const stream = client.request({ ':path': '/hello' });
	stream.resume();
	const seen = await events.find('stream', (e) => e.type === 'stream');
	assert.equal(seen.session, connect.session);
	assert.equal(seen.stream, 1);
	assert.equal(seen.data.path, '/hello');
	client.close();
	const closed = await events.find('close', (e) => e.type === 'close');
	assert.equal(closed.session, connect.session);
});

test('the event stream as NDJSON, filtered by type', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const events = await house.events('?type=close', { accept: 'application/x-ndjson' });
	const client = await house.client(worker);
	const session = await house.sessionOf(client.socket);
	client.destroy();
	const closed = await events.find('close', (e) => e.session === session.id);
	assert.equal(closed.type, 'close');
	assert.deepEqual([...new Set(events.list.map((e) => e.type))], ['close']);
});

test('wait=received', async (t) => {
	const { house, at } = await scene(t);
	for (const [target, wait] of [[`${at}/altsvc`, 'received'], [`${at}/altsvc?wait=received`]]) {
		const answer = await house.post(target, { alt: 'clear', origin: 'https://example.org', wait });
		assert.equal(answer.status, 200);
		assert.equal(answer.body.outcome, 'received');
		assert.equal(answer.body.push.received, 1);
		assert.equal(answer.body.push.state, 'done');
		assert.equal(answer.body.timedOut, undefined);
	}
});

test('a push to a closed stream is not sent', async (t) => {
	const { house, client, at } = await scene(t);
	const stream = client.request({ ':path': '/' });
	stream.resume();
	await event(stream, 'close');
	for (const id of [stream.id, 99, 2147483647]) {
		const answer = await house.post(`${at}/altsvc`, { alt: ALT, stream: id });
		assert.equal(answer.status, 200);
		assert.equal(answer.body.outcome, 'not_sent');
		assert.equal(answer.body.reason, 'STREAM_CLOSED');
		assert.deepEqual(
			[answer.body.push.notSent, answer.body.push.written, answer.body.push.queued], [1, 0, 0]);
	}
});

test('a client that withholds the PING ACK stays written', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const raw = await RawClient.connect(worker.port);
	ending(t, () => raw.destroy());
	const session = await house.sessionOf(raw.socket);
	const answer = await house.post(`/v1/sessions/${session.id}/altsvc`,
		{ alt: ALT, origin: 'https://example.org', wait: 'received', timeout: 1 });
	assert.equal(answer.status, 200);
	assert.equal(answer.body.timedOut, true);
	assert.equal(answer.body.outcome, 'written');
	assert.equal(answer.body.push.received, 0);
	assert.equal(answer.body.push.written, 1);
	const frames = raw.frames.map((f) => f.type);
	assert.ok(frames.indexOf(0xa) >= 0 && frames.indexOf(0xa) < frames.indexOf(0x6));

	raw.acknowledgePings();
	await until('received', async () => {
		const { body } = await house.get(`/v1/sessions/${session.id}`);
		return body.altsvc.some((a) => a.outcome === 'received');
	});
});

// Node's order of the checks, and its names (rows 8 to 26 and 41 to 44), as JSON has them.
const REFUSED = [
	['row 09', 'altsvc', { alt: ALT, origin: 'nope' }, 400, 'ERR_INVALID_URL'],
	['row 09', 'altsvc', { alt: ALT, origin: '' }, 400, 'ERR_INVALID_URL'],
	['row 08', 'altsvc', { alt: ALT, origin: 'file:///x' }, 400, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN'],
	['row 19', 'altsvc', { alt: ALT }, 400, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN'],
	['row 19', 'altsvc', { alt: ALT, origin: 'https://example.org', stream: 1 }, 400,
		'ERR_HTTP2_ALTSVC_INVALID_ORIGIN'],
	['row 14', 'altsvc', { alt: ALT, origin: null }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 14', 'altsvc', { alt: ALT, origin: true }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 14', 'altsvc', { alt: ALT, origin: 5 }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 14', 'altsvc', { alt: ALT, origin: { origin: 5 } }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 15', 'altsvc', { alt: ALT, stream: 0 }, 400, 'ERR_OUT_OF_RANGE'],
	['row 15', 'altsvc', { alt: ALT, stream: -1 }, 400, 'ERR_OUT_OF_RANGE'],
	['row 15', 'altsvc', { alt: ALT, stream: 1.5 }, 400, 'ERR_OUT_OF_RANGE'],
	['row 15', 'altsvc', { alt: ALT, stream: 4294967296 }, 400, 'ERR_OUT_OF_RANGE'],
	['row 16', 'altsvc', { alt: ALT, stream: 2147483648 }, 400, 'ERR_OUT_OF_RANGE'],
	['row 26', 'altsvc', { alt: 5, origin: 'https://example.org' }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 26', 'altsvc', { alt: 5, origin: 'nope' }, 400, 'ERR_INVALID_URL'],
	['row 24', 'altsvc', { alt: 'a\\b', origin: 'https://example.org', lint: 'off' }, 400, 'ERR_INVALID_CHAR'],
	['row 24', 'altsvc', { alt: 'a\0b', origin: 'https://example.org', lint: 'off' }, 400, 'ERR_INVALID_JSON'],
	['row 25', 'altsvc', { alt: 'a\u00e9b', origin: 'https://example.org', lint: 'off' }, 400, 'ERR_INVALID_CHAR'],
	['row 40', 'origin', { origins: ['https://a\0b', 'https://c.org'] }, 400, 'ERR_INVALID_JSON'],
	['row 43', 'origin', { origins: [0] }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 43', 'origin', { origins: [true] }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 43', 'origin', { origins: [null] }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 43', 'origin', { origins: [{ origin: 5 }] }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 43', 'origin', { origins: 'https://a.org' }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 43', 'origin', { origins: [['https://a.org']] }, 400, 'ERR_INVALID_ARG_TYPE'],
	['row 44', 'origin', { origins: ['https://example.org', 'bad url'] }, 400, 'ERR_INVALID_URL'],
	['row 41', 'origin', { origins: ['foo://bar'] }, 400, 'ERR_HTTP2_INVALID_ORIGIN'],
	['row 21, with lint', 'altsvc', { alt: 'garbage ,,,', origin: 'https://example.org' }, 422, 'ERR_LINT_ALT_GRAMMAR'],
	['lint', 'origin', { origins: ['http://example.org'] }, 422, 'ERR_LINT_ORIGIN_NOT_HTTPS'],
	['lint', 'origin', { origins: ['https://elsewhere.example'] }, 422, 'ERR_LINT_ORIGIN_NOT_COVERED'],
];

test('what Node refuses is refused by its name, and nothing is sent', async (t) => {
	const { house, client, at } = await scene(t);
	const seen = [];
	client.on('altsvc', (...args) => seen.push(args));
	client.on('origin', (...args) => seen.push(args));
	for (const [row, verb, body, status, code] of REFUSED) {
		const answer = await house.post(`${at}/${verb}`, body);
		assert.equal(answer.body.code, code, `${row}: ${JSON.stringify(body)}`);
		assert.equal(answer.status, status, `${row}: ${JSON.stringify(body)}`);
		assert.match(answer.headers['content-type'], /^application\/problem\+json/);
	}
	await house.post(`${at}/altsvc`, { alt: 'clear', origin: 'https://example.org', wait: 'received' });
	assert.equal(seen.length, 1);
});

test('with lint off it is Node that decides', async (t) => {
	const { house, client, at } = await scene(t);
	const { args } = await during(client, 'altsvc', () =>
		house.post(`${at}/altsvc`,
			{ alt: 'total garbage ,,,', origin: 'https://elsewhere.example', lint: 'off' }));
	assert.deepEqual(args.slice(0, 2), ['total garbage ,,,', 'https://elsewhere.example']);
});
