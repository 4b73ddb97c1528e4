// SPDX-License-Identifier: Apache-2.0
//
// The calls that answer at once: workers, sessions, pushes to one session, their errors.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Daemon } from './controld_support.mjs';
import { FakeWorker, RpcError, newBoot } from './fake_worker.mjs';

const daemon = new Daemon();
let edge1, edge2;

before(async () => {
	await daemon.start();
	edge2 = new FakeWorker(daemon.rpc, { name: 'edge2' });
	await edge2.start();
	edge1 = new FakeWorker(daemon.rpc, { name: 'edge1' });
	for (let n = 1; n <= 5; n++)
		edge1.addSession(n);
	for (let n = 1; n <= 3; n++)
		edge2.addSession(n);
	await edge1.start();
});

after(() => daemon.end());

test('the index links to what there is', async () => {
	const { status, json, headers } = await daemon.get('/v1');
	assert.equal(status, 200);
	assert.equal(headers['x-content-type-options'], 'nosniff');
	for (const link of Object.values(json.links))
		assert.equal((await daemon.request('HEAD', link)).status, 200, link);
});

test('workers are listed by name, and one can be asked for', async () => {
	const { json } = await daemon.get('/v1/workers');
	assert.deepEqual(json.workers.map((worker) => worker.name), ['edge1', 'edge2']);
	assert.equal(json.workers[0].labels.region, 'eu');
	const one = await daemon.get('/v1/workers/edge2');
	assert.equal(one.json.boot, edge2.boot);
	assert.equal(one.json.counts.sessions, 3);
	assert.equal((await daemon.get(`/v1/workers/${edge1.boot}`)).json.name, 'edge1');
	const none = await daemon.get('/v1/workers/edge9');
	assert.equal(none.status, 404);
	assert.equal(none.headers['content-type'], 'application/problem+json');
	assert.equal(none.json.code, 'ERR_NOT_FOUND');
});

test('worker.update changes what is shown', async () => {
	edge2.notify('worker.update', { state: 'draining', labels: { region: 'us' }, sessions: 7 });
	edge2.notify('worker.update', { state: 5 });
	await edge2.call('nothing.known', {}).catch((error) => assert.equal(error.code, -32601));
	const worker = (await daemon.get('/v1/workers')).json.workers[1];
	assert.equal(worker.state, 'draining');
	assert.equal(worker.labels.region, 'us');
	assert.equal(worker.counts.sessions, 7);
});

test('a list of sessions spans workers and pages', async () => {
	const seen = [];
	let target = '/v1/sessions?limit=2';
	for (let pages = 0; target && pages < 10; pages++) {
		const { status, json } = await daemon.get(target);
		assert.equal(status, 200);
		assert.ok(json.sessions.length <= 2);
		seen.push(...json.sessions.map((session) => session.id));
		target = json.next && `/v1/sessions?limit=2&cursor=${json.next}`;
	}
	assert.deepEqual(seen, [...edge1.sessions.keys(), ...edge2.sessions.keys()]);
	assert.equal((await daemon.get('/v1/sessions')).json.next, null);
	assert.equal((await daemon.get('/v1/sessions?worker=edge2')).json.sessions.length, 3);
});

test('the selector of a query goes to the worker', async () => {
	await daemon.get('/v1/sessions?worker=edge1&label=a=b&label=c=d&sni=*.org&peer=10.0.0.0/8&encrypted=true' +
		`&alpn=h2&origin=https%3A%2F%2Fa.example&minAge=5&idleFor=1.5&openStreams=2&userAgent=curl*&sample=5&sampleBy=peer&ids=${edge1.boot}-1,${edge2.boot}-1,${edge1.boot}-2`);
	const { select } = edge1.requests.findLast((r) => r.method === 'sessions.list').params;
	assert.deepEqual(select, {
		ids: [`${edge1.boot}-1`, `${edge1.boot}-2`], sni: '*.org', peer: '10.0.0.0/8', alpn: 'h2', origin: 'https://a.example',
		userAgent: 'curl*', label: { a: 'b', c: 'd' }, minAge: 5, idleFor: 1.5, openStreams: 2, sample: 5,
		sampleBy: 'peer', encrypted: true,
	});
});

test('malformed queries are refused with the name of the parameter', async () => {
	const bad = {
		'limit=0': 'limit', 'limit=1001': 'limit', 'limit=x': 'limit', 'limit=1&limit=2': 'limit', 'cursor=!!': 'cursor',
		'colour=red': 'colour', 'sample=0': 'sample', 'sample=101': 'sample', 'encrypted=maybe': 'encrypted',
		'label=x': 'label', 'minAge=-1': 'minAge', 'openStreams=1.5': 'openStreams', 'all=false': 'all',
		'push=p-none': 'push', 'sampleBy=moon': 'sampleBy', 'sni=%00': 'sni', 'sni=%zz': 'sni', 'sni=%ff': 'sni',
	};
	for (const [query, field] of Object.entries(bad)) {
		const { status, json } = await daemon.get(`/v1/sessions?${query}`);
		assert.equal(status, 400, query);
		assert.equal(json.field, field, query);
		assert.match(json.code, /^ERR_/);
	}
});

test('one session, its streams, and those that are not there', async () => {
	const [id] = edge1.sessions.keys();
	assert.equal((await daemon.get(`/v1/sessions/${id}`)).json.id, id);
	assert.deepEqual((await daemon.get(`/v1/sessions/${id}/streams`)).json, { streams: [] });
	for (const unknown of [`${edge1.boot}-99`, 'nobody-1', 'x', '-', 'a-'])
		assert.equal((await daemon.get(`/v1/sessions/${unknown}`)).status, 404, unknown);
});

test('a session that ended is 410 with when and why', async () => {
	const session = edge1.addSession(50);
	const stream = await daemon.events('?type=close&once=1');
	edge1.sessions.delete(session.id);
	edge1.event('close', session.id, { reason: 'ERR_TIMEOUT', code: 0 });
	const { data } = await stream.next();
	const { status, json } = await daemon.get(`/v1/sessions/${session.id}`);
	assert.equal(status, 410);
	assert.equal(json.closedAt, data.time);
	assert.equal(json.reason, 'ERR_TIMEOUT');
	const pushed = await daemon.post(`/v1/sessions/${session.id}/altsvc`, { alt: 'clear', origin: 'https://a.org' });
	assert.equal(pushed.status, 410);
	assert.equal(pushed.json.reason, 'ERR_TIMEOUT');
});

test('a push answers when it is written, or received', async () => {
	const [id] = edge1.sessions.keys();
	edge1.fate = 'written';
	let { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc`,
		{ alt: 'h2=":8000"', origin: 'https://example.org' });
	assert.equal(status, 200);
	assert.equal(json.outcome, 'written');
	assert.equal(json.reason, '');
	assert.deepEqual(json.warnings, []);
	const { push } = json;
	assert.deepEqual([push.state, push.matched, push.queued, push.written, push.received, push.notSent, push.unknown],
		['running', 1, 0, 1, 0, 0, 0]);
	const sent = edge1.requests.at(-1).params;
	assert.deepEqual([sent.push, sent.session, sent.alt, sent.origin, sent.lint, sent.receipt],
		[push.id, id, 'h2=":8000"', 'https://example.org', true, 'received']);
	const waiting = daemon.get(`/v1/pushes/${push.id}?wait=done`);
	edge1.settle(push.id, id, 'received');
	assert.equal((await waiting).json.outcome, 'received');
	edge1.settle(push.id, id, 'written'); // never back
	edge1.fate = 'received';
	({ json } = await daemon.post(`/v1/sessions/${id}/origin?wait=received`, { origins: ['https://a.org'] }));
	assert.equal(json.outcome, 'received');
	assert.equal(json.push.state, 'done');
	assert.equal((await daemon.get(`/v1/pushes/${push.id}`)).json.outcome, 'received');
});

test('everything that is the worker\'s goes through as it is', async () => {
	const [id] = edge1.sessions.keys();
	edge1.fate = 'received';
	for (const body of [{}, { alt: 5, origin: null }, { alt: [1], stream: 1.5 }, { stream: '1' }, { alt: {}, origin: {} }]) {
		await daemon.post(`/v1/sessions/${id}/altsvc`, body);
		const { alt, origin, stream } = edge1.requests.at(-1).params;
		assert.deepEqual(JSON.parse(JSON.stringify({ alt, origin, stream })), body);
	}
	assert.equal((await daemon.request('POST', `/v1/sessions/${id}/altsvc`)).status, 200); // no body at all
});

test('deadline, lint, receipt and by reach the worker', async () => {
	const [id] = edge1.sessions.keys();
	await daemon.post(`/v1/sessions/${id}/altsvc`,
		{ alt: 'clear', origin: 'https://a.org', lint: 'off', receipt: 'written', deadline: 1.5, timeout: 2 });
	const { lint, receipt, deadlineMs, by } = edge1.requests.at(-1).params;
	assert.deepEqual([lint, receipt, deadlineMs, by], [false, 'written', 1500, `uid:${process.getuid()}`]);
});

test('malformed pushes are refused with the name of the field', async () => {
	const [id] = edge1.sessions.keys();
	const before = edge1.requests.length;
	const bad = [
		['{"alt":"x","alt":"y"}', 'alt', 'ERR_DUPLICATE_KEY'], ['{"alt":{"a":1,"a":2}}', 'a', 'ERR_DUPLICATE_KEY'],
		['{"wat":1}', 'wat', 'ERR_UNKNOWN_FIELD'], ['{"origins":[]}', 'origins', 'ERR_UNKNOWN_FIELD'],
		['{"select":{}}', 'select', 'ERR_UNKNOWN_FIELD'], ['[]', undefined, 'ERR_INVALID_JSON'],
		['{', undefined, 'ERR_INVALID_JSON'], ['{} {}', undefined, 'ERR_INVALID_JSON'],
		['{"alt":"\\u0000"}', undefined, 'ERR_INVALID_JSON'], ['[['.repeat(40000), undefined, 'ERR_INVALID_JSON'],
		['{"lint":"maybe"}', 'lint', 'ERR_INVALID_ARG_VALUE'], ['{"lint":true}', 'lint', 'ERR_INVALID_ARG_TYPE'],
		['{"wait":"done"}', 'wait', 'ERR_INVALID_ARG_VALUE'], ['{"timeout":61}', 'timeout', 'ERR_OUT_OF_RANGE'],
		['{"timeout":"5"}', 'timeout', 'ERR_INVALID_ARG_TYPE'], ['{"deadline":0}', 'deadline', 'ERR_OUT_OF_RANGE'],
		['{"receipt":"x"}', 'receipt', 'ERR_INVALID_ARG_VALUE'],
		['{"receipt":"written","wait":"received"}', 'wait', 'ERR_INVALID_ARG_VALUE'],
	];
	for (const [body, field, code] of bad) {
		const { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc`, body);
		assert.deepEqual([status, json.field, json.code], [400, field, code], body.slice(0, 60));
	}
	const both = await daemon.post(`/v1/sessions/${id}/altsvc?wait=written`, { wait: 'written' });
	assert.deepEqual([both.status, both.json.field], [400, 'wait']);
	assert.equal(edge1.requests.length, before);
});

test('what the worker refuses becomes a problem with its code, field and rule', async () => {
	const [id] = edge1.sessions.keys();
	const cases = [
		[new RpcError(-6, 'ERR_INVALID_URL', { field: 'origin' }), 400],
		[new RpcError(-7, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN', {}), 400],
		[new RpcError(-42, 'ERR_LINT_ALT_GRAMMAR', { field: 'alt', rule: 'alt-grammar' }), 422],
		[new RpcError(-28, 'ERR_BACKLOGGED', {}), 503],
		[new RpcError(-999, 'ERR_FROM_THE_FUTURE', {}), 502],
		[new RpcError(-30, 'ERR_NOT_FOUND', { field: 'session' }), 404],
	];
	for (const [error, expected] of cases) {
		edge1.fate = () => {
			throw error;
		};
		const { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' });
		assert.equal(status, expected);
		if (expected < 500 || expected === 503) {
			assert.equal(json.code, error.rpc.data.code);
			assert.equal(json.rule, error.rpc.data.rule);
		}
	}
	edge1.fate = 'received';
	const { json } = await daemon.get('/v1/pushes?limit=1');
	assert.ok(!cases.some(([error]) => json.pushes[0].reason === error.message)); // refused ones are no pushes
});

test('warnings come with the answer', async () => {
	const [id] = edge1.sessions.keys();
	edge1.fate = (worker, params) => {
		worker.settle(params.push, params.session, 'received'); // before its answer
		return { outcome: 'queued', reason: '', warnings: [{ rule: 'max-age-default', detail: 'a day' }] };
	};
	const { json } = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' });
	assert.deepEqual([json.outcome, json.warnings], ['received', [{ rule: 'max-age-default', detail: 'a day' }]]);
	edge1.fate = 'received';
});

test('not_sent ends a wait at once, with its reason', async () => {
	const [id] = edge1.sessions.keys();
	edge1.fate = 'STREAM_CLOSED';
	const { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc?wait=received`, { alt: 'x', stream: 3 });
	assert.deepEqual([status, json.outcome, json.reason, json.push.notSent], [200, 'not_sent', 'STREAM_CLOSED', 1]);
	const { json: list } = await daemon.get(`/v1/pushes/${json.push.id}/sessions`);
	assert.deepEqual(list, { sessions: [{ session: id, outcome: 'not_sent', reason: 'STREAM_CLOSED' }], next: null });
	edge1.fate = 'received';
});

test('a wait that runs out says so, and the push goes on', async () => {
	const [id] = edge1.sessions.keys();
	edge1.fate = 'written';
	const { status, json } = await daemon.post(`/v1/sessions/${id}/altsvc?wait=received&timeout=0.05`, { alt: 'x' });
	assert.deepEqual([status, json.timedOut, json.outcome, json.push.state], [200, true, 'written', 'running']);
	edge1.fate = 'queued';
	const none = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x', timeout: 0 });
	assert.equal(none.json.timedOut, true);
	const later = daemon.get(`/v1/pushes/${none.json.push.id}?wait=done&timeout=10`);
	edge1.settle(none.json.push.id, id, 'received');
	assert.equal((await later).json.push.state, 'done');
	edge1.fate = 'received';
});

test('pushes are listed newest first, by session, in pages', async () => {
	const id = [...edge1.sessions.keys()][2];
	const ids = [];
	for (let i = 0; i < 3; i++)
		ids.unshift((await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' })).json.push.id);
	const first = await daemon.get(`/v1/pushes?session=${id}&limit=2`);
	assert.deepEqual(first.json.pushes.map((push) => push.id), ids.slice(0, 2));
	const rest = await daemon.get(`/v1/pushes?session=${id}&limit=2&cursor=${first.json.next}`);
	assert.deepEqual(rest.json.pushes.map((push) => push.id), ids.slice(2));
	assert.equal((await daemon.get('/v1/pushes?cursor=p-none')).status, 400);
	const reached = await daemon.get(`/v1/sessions?push=${ids[0]}&worker=edge1`);
	assert.equal(reached.status, 200);
	assert.deepEqual(edge1.requests.at(-1).params.select, { ids: [id] });
});

test('DELETE cancels what has not left', async () => {
	const [id] = edge1.sessions.keys();
	edge1.fate = 'queued';
	const { json } = await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x', timeout: 0 });
	const gone = await daemon.request('DELETE', `/v1/pushes/${json.push.id}`);
	assert.deepEqual([gone.status, gone.json.push.state, gone.json.outcome, gone.json.reason],
		[200, 'cancelled', 'not_sent', 'CANCELLED']);
	const again = await daemon.request('DELETE', `/v1/pushes/${json.push.id}`);
	assert.equal(again.json.push.state, 'cancelled');
	assert.equal((await daemon.request('DELETE', '/v1/pushes/p-none')).status, 404);
	edge1.fate = 'received';
});

test('an Idempotency-Key makes one push, however often it is sent', async () => {
	const [id] = edge1.sessions.keys();
	const headers = { 'Idempotency-Key': 'key-1' };
	const send = (body, key = headers) => daemon.post(`/v1/sessions/${id}/altsvc`, body, { headers: key });
	const count = () => edge1.requests.filter((r) => r.method === 'session.altsvc').length;
	const before = count();
	const [a, b] = await Promise.all([send({ alt: 'x' }), send({ alt: 'x' })]);
	const c = await send({ alt: 'x' });
	assert.equal(count(), before + 1);
	assert.deepEqual([a.json.push.id, b.json.push.id], [c.json.push.id, c.json.push.id]);
	assert.ok([a.text, b.text].includes(c.text)); // the same answer
	const other = await send({ alt: 'y' });
	assert.deepEqual([other.status, other.json.code], [422, 'ERR_IDEMPOTENCY_KEY_REUSED']);
	edge1.fate = () => {
		throw new RpcError(-6, 'ERR_INVALID_URL', { field: 'origin' });
	};
	const refused = await send({ alt: 'z' }, { 'Idempotency-Key': 'key-2' });
	edge1.fate = 'received';
	const refusedAgain = await send({ alt: 'z' }, { 'Idempotency-Key': 'key-2' });
	assert.deepEqual([refused.status, refusedAgain.status], [400, 400]);
});

test('metrics are Prometheus text', async () => {
	const { status, text, headers } = await daemon.get('/metrics');
	assert.equal(status, 200);
	assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
	assert.match(text, /^h2sess_sessions\{worker="edge1"\} 5$/m);
	assert.match(text, /^h2sess_push_frames_total\{kind="altsvc",outcome="not_sent",reason="STREAM_CLOSED"\} 1$/m);
	assert.match(text, /^h2sess_limit_total\{limit="flood"\} 2$/m);
	assert.match(text, /^h2sess_alt_used_total 6$/m);
	assert.match(text, /^h2sess_misdirected_total 4$/m);
	assert.match(text, /^h2sess_event_gaps_total \d+$/m);
	const again = (await daemon.get('/metrics')).text;
	assert.match(again, /^h2sess_alt_used_total 6$/m);
});

test('the contract is served, and the daemon is well and ready', async () => {
	assert.match((await daemon.get('/openapi.yaml')).text, /^openapi: 3\.1/);
	assert.equal((await daemon.get('/healthz')).json.status, 'ok');
	assert.equal((await daemon.get('/readyz')).json.ready, true);
});

test('what has a path but not the method, and what has neither', async () => {
	const post = await daemon.request('POST', '/v1/workers');
	assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD, OPTIONS']);
	const options = await daemon.request('OPTIONS', '/v1/sessions/x/altsvc');
	assert.deepEqual([options.status, options.headers.allow], [204, 'POST, OPTIONS']);
	assert.equal((await daemon.request('OPTIONS', '*')).status, 204);
	assert.equal((await daemon.request('TRACE', '/v1')).status, 405);
	const head = await daemon.request('HEAD', '/v1/workers');
	assert.deepEqual([head.status, head.text], [200, '']);
	assert.ok(Number(head.headers['content-length']) > 2);
	for (const target of ['/', '/v2', '/v1/', '/v1/workers/', '/v1//workers', '/v1/./workers', '/v1/x/../workers',
		'/v1%2Fworkers', '/v1/rules', '/V1'])
		assert.equal((await daemon.get(target)).status, 404, target);
});
