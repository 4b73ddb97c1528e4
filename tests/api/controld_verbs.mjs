// SPDX-License-Identifier: Apache-2.0
//
// The verbs of a session beside pushes, against a worker by script: what reaches it, what comes back, who may.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Daemon } from './controld_support.mjs';
import { FakeWorker, RpcError } from './fake_worker.mjs';

const daemon = new Daemon([], { tcp: true });
let worker, id;

before(async () => {
	await daemon.start();
	worker = new FakeWorker(daemon.rpc);
	({ id } = worker.addSession(1));
	await worker.start();
});

after(() => daemon.end());

const verb = (name, body, options = {}) =>
	daemon.request(name === 'labels' ? 'PATCH' : 'POST', `/v1/sessions/${id}/${name}`, { body, ...options });

// name, body, method, params, answer
const rows = [
	['goaway', { code: 1, lastStreamID: 7, opaqueData: 'aGk=' }, 'session.goaway',
		{ code: 1, lastStreamID: 7, opaqueData: 'aGk=' }, { closes: false }],
	['goaway', undefined, 'session.goaway', {}, { closes: false }],
	['ping', { payload: '0011223344556677' }, 'session.ping', { payload: '0011223344556677' }, { roundTrip: 1.25 }],
	['settings', { initialWindowSize: 70000, customSettings: { 9: 1 } }, 'session.settings',
		{ settings: { initialWindowSize: 70000, customSettings: { 9: 1 } } }, { roundTrip: 2.5 }],
	['settings', { settings: { enablePush: false } }, 'session.settings', { settings: { enablePush: false } },
		{ roundTrip: 2.5 }],
	['close', {}, 'session.close', {}, {}],
	['destroy', { code: 2 }, 'session.destroy', { code: 2 }, {}],
	['timeout', { msecs: 5000 }, 'session.setTimeout', { msecs: 5000 }, {}],
	['window', { windowSize: 1 << 20 }, 'session.setLocalWindowSize', { windowSize: 1 << 20 }, {}],
	['emit', { event: 'x-hello', data: [1, { a: null }] }, 'session.emit', { event: 'x-hello', data: [1, { a: null }] },
		{ listened: false }],
	['labels', { region: 'us', old: null }, 'session.setLabels', { labels: { region: 'us', old: null } },
		{ labels: { region: 'us' } }],
];

for (const [name, body, method, params, answer] of rows)
	test(`${name} ${JSON.stringify(body)} is ${method}`, async () => {
		const { status, json } = await verb(name, body);
		assert.deepEqual([status, json], [200, answer]);
		const request = worker.requests.at(-1);
		assert.equal(request.method, method);
		assert.deepEqual(request.params, { session: id, ...params });
	});

test('values go through as they are, whatever their type', async () => {
	await verb('destroy', { code: 'x' });
	assert.equal(worker.requests.at(-1).params.code, 'x');
	await verb('settings', { settings: 5 });
	assert.equal(worker.requests.at(-1).params.settings, 5);
	await verb('emit', {});
	assert.deepEqual(worker.requests.at(-1).params, { session: id });
});

test('members that a verb does not have are refused by name', async () => {
	const before = worker.requests.length;
	const bad = [
		['goaway', { lastStreamId: 1 }, 'lastStreamId'], ['ping', { code: 1 }, 'code'], ['close', { code: 0 }, 'code'],
		['settings', { window: 1 }, 'window'], ['settings', { settings: { window: 1 } }, 'window'],
		['settings', { settings: { settings: {} } }, 'settings'],
		['settings', { settings: {}, enablePush: true }, 'settings'], ['timeout', { ms: 1 }, 'ms'],
	];
	for (const [name, body, field] of bad) {
		const { status, json } = await verb(name, body);
		assert.deepEqual([status, json.field], [400, field], `${name} ${JSON.stringify(body)}`);
	}
	assert.equal((await verb('labels', '{"a":"1","a":"2"}')).json.code, 'ERR_DUPLICATE_KEY');
	assert.equal(worker.requests.length, before);
});

test('labels take a merge patch by its own media type, the others do not', async () => {
	const headers = { 'Content-Type': 'application/merge-patch+json; charset=utf-8' };
	assert.equal((await verb('labels', { a: 'b' }, { headers })).status, 200);
	assert.equal((await verb('destroy', {}, { headers })).status, 415);
	assert.equal((await verb('labels', { a: 'b' }, { headers: { 'Content-Type': 'text/plain' } })).status, 415);
});

test('what the worker refuses becomes a problem, and what is gone is gone', async () => {
	worker.handlers['session.settings'] = () => {
		throw new RpcError(-3, 'ERR_OUT_OF_RANGE', { field: 'maxFrameSize' });
	};
	const refused = await verb('settings', { maxFrameSize: 1 });
	assert.deepEqual([refused.status, refused.json.field], [400, 'maxFrameSize']);
	worker.handlers['session.settings'] = () => {
		throw new RpcError(-32602, undefined, { field: 'settings', message: 'unknown member' });
	};
	assert.equal((await verb('settings', {})).status, 400);
	delete worker.handlers['session.settings'];
	const none = await daemon.post(`/v1/sessions/${worker.boot}-99/ping`);
	assert.deepEqual([none.status, none.json.field], [404, 'session']);
});

test('a peer that does not answer a PING in time is 504', async () => {
	worker.handlers['session.ping'] = () => undefined;
	const { status, json } = await daemon.post(`/v1/sessions/${id}/ping?timeout=0.2`);
	delete worker.handlers['session.ping'];
	assert.deepEqual([status, json.code], [504, 'ERR_TIMEOUT']);
	const bad = await daemon.post(`/v1/sessions/${id}/ping?timeout=0`);
	assert.deepEqual([bad.status, bad.json.field], [400, 'timeout']);
});

test('a worker without the verbs is 501, and the answer names the capability', async () => {
	const old = new FakeWorker(daemon.rpc, { name: 'old', hello: { capabilities: ['altsvc'] } });
	const session = old.addSession(1);
	await old.start();
	const { status, json } = await daemon.post(`/v1/sessions/${session.id}/ping`);
	assert.deepEqual([status, json.code], [501, 'ERR_UNSUPPORTED']);
	assert.match(json.detail, /worker old .* session$/);
	assert.equal(old.requests.length, 0);
	await old.stop();
});

test('ping is for push, the rest is for admin', async () => {
	const { read, push, admin } = Object.fromEntries(
		Object.entries(daemon.tokens).map(([role, { token }]) => [role, token]));
	for (const [name, body] of rows) {
		const least = name === 'ping' ? push : admin;
		assert.equal((await verb(name, body, { token: least })).status, 200, name);
		assert.equal((await verb(name, body, { token: name === 'ping' ? read : push })).status, 403, name);
	}
});

test('the index lists every call with its role', async () => {
	const { calls, links } = (await daemon.get('/v1')).json;
	assert.ok(calls.length > 20);
	assert.deepEqual(calls.find((call) => call.path === '/v1/sessions/{id}/ping'),
		{ method: 'POST', path: '/v1/sessions/{id}/ping', role: 'push' });
	for (const { method, path } of calls) {
		const { headers } = await daemon.request('OPTIONS', path.replaceAll(/\{\w+\}/g, 'x'));
		assert.ok(headers.allow.split(', ').includes(method), `${method} ${path}`);
	}
	assert.equal(links.sessions, '/v1/sessions');
});
