// SPDX-License-Identifier: Apache-2.0
//
// What a slip is answered: the field, and the rule that it breaks; and that a slip never means everybody.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Daemon, withDaemon } from './controld_support.mjs';
import { FakeWorker, RpcError } from './fake_worker.mjs';

const daemon = new Daemon();
const altsvc = { alt: 'h3=":443"; ma=60', origin: 'https://example.org' };
let worker, id;

before(async () => {
	await daemon.start();
	worker = new FakeWorker(daemon.rpc);
	({ id } = worker.addSession(1));
	await worker.start();
});

after(() => daemon.end());

test('a selector that would keep nobody out is refused', async () => {
	for (const select of [{}, { label: {} }, { sampleBy: 'peer' }, { label: {}, sampleBy: 'session' }]) {
		for (const [target, body] of [['altsvc', altsvc], ['origin', { origins: [] }], ['goaway', {}], ['drain', { deadline: 1 }]]) {
			const { status, json } = await daemon.post(`/v1/${target}`, { select, ...body });
			assert.deepEqual([status, json.code, json.field], [400, 'ERR_INVALID_ARG_VALUE', 'select'], JSON.stringify(select));
			assert.match(json.detail, /"all":true/);
		}
		const { status, json } = await daemon.request('PUT', '/v1/policies/p', { body: { select, ...altsvc } });
		assert.deepEqual([status, json.field], [400, 'select'], JSON.stringify(select));
	}
	assert.equal(worker.requests.filter((request) => request.method === 'push.start').length, 0);
	const { json } = await daemon.post('/v1/altsvc', { select: { label: {}, encrypted: true }, dryRun: true, ...altsvc });
	assert.equal(json.matched, 1);
});

test('wait done: of many sessions, in the body and in the query', async () => {
	for (const [query, more] of [['', { wait: 'done' }], ['?wait=done', {}]]) {
		const { status, json } = await daemon.post(`/v1/altsvc${query}`, { select: { all: true }, ...altsvc, ...more });
		assert.deepEqual([status, json.push.state, json.push.received], [200, 'done', 1]);
	}
	const written = { select: { all: true }, ...altsvc, wait: 'done', receipt: 'written' };
	assert.deepEqual((await daemon.post('/v1/altsvc', written)).json.push.state, 'done');
	const { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc`, { ...altsvc, wait: 'done' });
	assert.deepEqual([status, json.field, json.detail], [400, 'wait', 'written or received']);
});

// target, field, code, detail
const queries = [
	['sessions?limit=0', 'limit', 'ERR_OUT_OF_RANGE', 'from 1 to 1000'],
	['sessions?limit=-1', 'limit', 'ERR_OUT_OF_RANGE', 'from 1 to 1000'],
	['sessions?minAge=-1', 'minAge', 'ERR_OUT_OF_RANGE', 'from 0 to 1000000000'],
	['sessions?openStreams=-1', 'openStreams', 'ERR_OUT_OF_RANGE', 'from 0 to 2147483647'],
	['sessions?sample=101', 'sample', 'ERR_OUT_OF_RANGE', 'from 0 to 100'],
	['sessions?sample=0', 'sample', 'ERR_OUT_OF_RANGE', /over 0 and up to 100/],
	['sessions?label=a=b&label=a=c', 'label', 'ERR_INVALID_ARG_VALUE', /another value of a key/],
	['sessions?label=a', 'label', 'ERR_INVALID_ARG_VALUE', /not KEY=VALUE/],
	['sessions?minAge=0x10', 'minAge', 'ERR_INVALID_ARG_TYPE', 'not a number'],
	['sessions?minAge=nan', 'minAge', 'ERR_INVALID_ARG_TYPE', 'not a number'],
	['sessions?minAge=1e', 'minAge', 'ERR_INVALID_ARG_TYPE', 'not a number'],
	['events?wait=301', 'wait', 'ERR_OUT_OF_RANGE', 'from 0 to 300'],
	['pushes/p-1?timeout=61', 'timeout', 'ERR_OUT_OF_RANGE', 'from 0 to 60'],
];

test('a parameter out of its range is told the range', async () => {
	const { json: made } = await daemon.post('/v1/altsvc', { select: { all: true }, ...altsvc });
	for (const [target, field, code, detail] of queries) {
		const { status, json } = await daemon.get(`/v1/${target.replace('p-1', made.push.id)}`);
		assert.deepEqual([status, json.field, json.code], [400, field, code], target);
		assert.ok(detail instanceof RegExp ? detail.test(json.detail) : json.detail === detail, `${target}: ${json.detail}`);
	}
	for (const query of ['minAge=1e-9', 'label=a=b&label=a=b', 'label=a=b&label=b=a'])
		assert.equal((await daemon.get(`/v1/sessions?${query}`)).status, 200, query);
});

// more of a body, field, code, detail
const bodies = [
	[{ timeout: 61 }, 'timeout', 'ERR_OUT_OF_RANGE', /^from 0 to 60$/],
	[{ deadline: 0 }, 'deadline', 'ERR_OUT_OF_RANGE', /^from 0\.001 to 604800$/],
	[{ perSecond: -1 }, 'perSecond', 'ERR_OUT_OF_RANGE', /^from 0\.001 to /],
	[{ lint: 'maybe' }, 'lint', 'ERR_INVALID_ARG_VALUE', /^on or off$/],
	[{ receipt: 'no' }, 'receipt', 'ERR_INVALID_ARG_VALUE', /^received or written$/],
	[{ select: { peer: 5 } }, 'peer', 'ERR_INVALID_ARG_TYPE', /CIDR/],
	[{ select: { sample: 101 } }, 'sample', 'ERR_OUT_OF_RANGE', /up to 100/],
	[{ select: { openStreams: 1.5 } }, 'openStreams', 'ERR_INVALID_ARG_TYPE', /an integer/],
	[{ select: { idleFor: -1 } }, 'idleFor', 'ERR_OUT_OF_RANGE', /^from 0 to 1000000000$/],
];

test('a member that is wrong is told its rule', async () => {
	for (const [more, field, code, detail] of bodies) {
		const { status, json } = await daemon.post('/v1/altsvc', { select: { all: true }, ...altsvc, ...more });
		assert.deepEqual([status, json.field, json.code], [400, field, code], JSON.stringify(more));
		assert.match(json.detail ?? '', detail, JSON.stringify(more));
	}
});

test('what a worker refuses is told its rule, too', async () => {
	const refusals = [
		['stream', -4, 'ERR_OUT_OF_RANGE', 'The value is out of range', /from 1 to 2147483647/],
		['alt', -3, 'ERR_INVALID_ARG_TYPE', 'The value has the wrong type', /printable ASCII/],
		['origin', -6, 'ERR_INVALID_URL', 'Invalid URL', /^an absolute URL/],
		['origin', -6, 'ERR_INVALID_URL', 'of its own', /^of its own$/],
	];
	for (const [field, number, code, message, detail] of refusals) {
		worker.handlers['session.altsvc'] = () => {
			throw new RpcError(number, code, { field, message });
		};
		const { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc`, altsvc);
		assert.deepEqual([status, json.field, json.code], [400, field, code]);
		assert.match(json.detail ?? '', detail);
	}
	delete worker.handlers['session.altsvc'];
	const { json } = await daemon.post('/v1/altsvc', { select: { all: true }, ...altsvc, stream: 1 });
	assert.deepEqual([json.code, json.field, json.detail], ['ERR_UNKNOWN_FIELD', 'stream', undefined]);
});

test('a policy: origins before alt, as in Node, with no worker there as well', () => withDaemon([], {}, async (alone) => {
	const put = async (name, body) => (await alone.request('PUT', `/v1/policies/${name}`, { body })).json;
	const all = { select: { all: true } };
	const rows = [
		[{ alt: 5, origin: 'nope' }, 'origin', 'ERR_INVALID_URL'], [{ alt: 5, origin: 'file:///x' }, 'origin', 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN'],
		[{ alt: 5, origin: null }, 'origin', 'ERR_INVALID_ARG_TYPE'], [{ alt: 5, origin: 'https://example.org' }, 'alt', 'ERR_INVALID_ARG_TYPE'],
		[{ alt: 'clear', origin: 'nope' }, 'origin', 'ERR_INVALID_URL'], [{ origins: ['https://a.example', 'nope'] }, 'origins', 'ERR_INVALID_URL'],
		[{ origins: ['foo://bar'] }, 'origins', 'ERR_HTTP2_INVALID_ORIGIN'], [{ origins: [5] }, 'origins', 'ERR_INVALID_ARG_TYPE'],
	];
	for (const [more, field, code] of rows) {
		const json = await put('p', { ...all, ...more });
		assert.deepEqual([json.status, json.field, json.code], [400, field, code], JSON.stringify(more));
	}
	const { field, detail } = await put('p', { ...all, ...altsvc, rollout: { percent: 101 } });
	assert.deepEqual([field, detail], ['rollout.percent', 'from 0 to 100']);
	assert.equal((await put('p', { ...all, ...altsvc, via: 'x' })).detail, 'frame, header or both');
	for (const name of ['.', '..', '%2e%2E'])
		assert.deepEqual([(await put(name, { ...all, ...altsvc })).field], ['name'], name);
	assert.deepEqual((await alone.get('/v1/policies')).json.policies, []);
	assert.equal((await put('p', { ...all, alt: 'clear', origin: `https://${'a.'.repeat(100)}example` })).state, 'active');
}));

test('a push that no worker is asked for is checked all the same', () => withDaemon([], {}, async (alone) => {
	const rows = [
		['altsvc', { alt: 5, origin: 'nope' }, 400, 'ERR_INVALID_URL', 'origin'], ['altsvc', { alt: 5 }, 400, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN', 'origin'],
		['altsvc', { alt: 'x', origin: null }, 400, 'ERR_INVALID_ARG_TYPE', 'origin'], ['altsvc', { origin: altsvc.origin }, 400, 'ERR_INVALID_ARG_TYPE', 'alt'],
		['altsvc', { ...altsvc, alt: 'a\u00e9' }, 400, 'ERR_INVALID_CHAR', 'alt'], ['altsvc', { ...altsvc, alt: '' }, 400, 'ERR_INVALID_ARG_VALUE', 'alt'],
		['altsvc', { ...altsvc, alt: 'CLEAR' }, 422, 'ERR_LINT_ALT_GRAMMAR', 'alt'], ['origin', {}, 400, 'ERR_INVALID_ARG_TYPE', 'origins'],
		['origin', { origins: [altsvc.origin, 'nope'] }, 400, 'ERR_INVALID_URL', 'origins'],
		['origin', { origins: ['foo://bar'] }, 400, 'ERR_HTTP2_INVALID_ORIGIN', 'origins'], ['goaway', { code: -1 }, 400, 'ERR_OUT_OF_RANGE', 'code'],
		['goaway', { lastStreamID: 2 ** 31 }, 400, 'ERR_OUT_OF_RANGE', 'lastStreamID'], ['goaway', { code: 'x' }, 400, 'ERR_INVALID_ARG_TYPE', 'code'],
		['drain', { deadline: 1, alt: 'clear' }, 400, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN', 'origin'],
	];
	for (const more of [{}, { dryRun: true }])
		for (const [verb, body, ...expected] of rows) {
			const { status, json } = await alone.post(`/v1/${verb}`, { select: { all: true }, ...body, ...more });
			assert.deepEqual([status, json.code, json.field], expected, `${verb} ${JSON.stringify(body)}`);
		}
	assert.deepEqual((await alone.get('/v1/pushes')).json.pushes, []);
	const good = [['altsvc', { ...altsvc, alt: 'CLEAR', lint: 'off' }], ['origin', { origins: [] }], ['goaway', { code: 2 }], ['drain', { deadline: 1 }],
		['drain', { deadline: 1, ...altsvc }]];
	for (const [verb, body] of good)
		assert.equal((await alone.post(`/v1/${verb}`, { select: { all: true }, ...body })).status, 202, verb);
	// The ids are of no worker that is there.
	assert.equal((await daemon.post('/v1/altsvc', { select: { ids: ['none-1'] }, alt: 5, origin: 'nope' })).json.code, 'ERR_INVALID_URL');
}));

test('a type of event that would break the lines of a stream is not taken', async () => {
	const stream = await daemon.events();
	for (const type of ['x-a\nid: 1', 'x-a b', 'x-a,b', 'x-\u00e9', `x-${'a'.repeat(63)}`, `x-${'a'.repeat(62)}`])
		worker.event(type, id, {});
	const { event, data } = await stream.next();
	assert.deepEqual([event, data.type], [`x-${'a'.repeat(62)}`, `x-${'a'.repeat(62)}`]);
	stream.close();
	await daemon.says('which is no event that it may say');
});

test('header fields that say one thing stand once', async () => {
	for (const name of ['Idempotency-Key', 'Last-Event-ID']) {
		const answer = await daemon.raw(`GET /healthz HTTP/1.1\r\nHost: x\r\n${name}: a\r\n${name}: b\r\nConnection: close\r\n\r\n`);
		assert.match(answer, /^HTTP\/1\.1 400 [^]*ERR_BAD_FRAMING[^]*may stand once/, name);
	}
});
