// SPDX-License-Identifier: Apache-2.0
//
// Policies over HTTP: what they may say, ETags, durability, what workers are told, how they end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Daemon, withDaemon } from './controld_support.mjs';
import { FakeWorker, RpcError } from './fake_worker.mjs';

const move = (extra = {}) => ({
	select: { all: true }, alt: 'h2=":8000"; ma=60', origin: 'https://example.org', ...extra,
});

// A worker that holds policies: `held` is what it has, by name.
class PolicyWorker extends FakeWorker {
	constructor(rpc, options = {}) {
		super(rpc, { ...options, hello: { capabilities: ['altsvc', 'origin', 'fanout', 'policies'], ...options.hello } });
		this.held = new Map();
		this.reported = new Map();
		this.handlers = {
			'policy.put': (worker, { policy }) => {
				this.held.set(policy.name, policy);
				setImmediate(() => this.report(policy.name, ...(this.reported.get(policy.name) ?? [{}])));
				return {};
			},
			'policy.remove': (worker, { name }) => {
				if (!this.held.delete(name))
					throw new RpcError(-30, 'ERR_NOT_FOUND', { field: 'name' });
				return {};
			},
			'push.start': (worker, params) => {
				assert.equal(params.dryRun, true);
				return { matched: 7, warnings: [{ rule: 'max-age-default', detail: '', sessions: 7 }], refused: {} };
			},
			...options.handlers,
		};
	}

	async start() {
		const result = await super.start();
		this.held = new Map(result.policies.map((policy) => [policy.name, policy]));
		return result;
	}

	// Resolves when the policy that it holds is so.
	async holds(name, test) {
		while (!test(this.held.get(name)))
			await once(this, 'request');
		return this.held.get(name);
	}

	// A real one does so, too, once a second when something changed, first when a policy has come.
	report(policy, counts, lastSent = null) {
		if (!this.held.has(policy))
			return;
		this.reported.set(policy, [counts, lastSent]);
		this.notify('policy.update', {
			policy, revision: this.held.get(policy).revision, matched: 0, pending: 0, written: 0, received: 0, notSent: 0,
			...counts, lastSent,
		});
	}
}

async function withWorker(fn, args = []) {
	await withDaemon(args, {}, async (daemon) => {
		const worker = new PolicyWorker(daemon.rpc);
		await worker.start();
		await fn(daemon, worker);
	});
}

const url = (name) => `/v1/policies/${name}`;
const put = (daemon, name, body, headers = {}) => daemon.request('PUT', url(name), { body, headers });
const patch = (daemon, name, body, headers = {}) => daemon.request('PATCH', url(name), { body, headers });
const settled = (worker) => worker.call('settle', {}).catch(() => {});

test('created, read, listed, changed and removed; workers are told each time', () => withWorker(async (daemon, worker) => {
	const events = await daemon.events('?type=policy.changed');
	const created = await put(daemon, 'b', move({ rollout: { percent: 5, perSecond: 2.5 }, via: 'both', priority: 3 }));
	assert.deepEqual([created.status, created.headers.location], [201, '/v1/policies/b']);
	assert.match(created.headers.etag, /^"[0-9a-f]{16}"$/);
	assert.deepEqual([created.json.name, created.json.state, created.json.revision], ['b', 'active', 1]);
	assert.deepEqual(created.json.rollout, { percent: 5, perSecond: 2.5 });
	assert.deepEqual(created.json.warnings.map((warning) => warning.rule), ['max-age-default']);
	const held = await worker.holds('b', (policy) => policy);
	assert.deepEqual({ ...held, by: undefined }, {
		name: 'b', revision: 1, select: { all: true }, alt: 'h2=":8000"; ma=60', origin: 'https://example.org', priority: 3,
		percent: 5, perSecond: 2.5, paused: false, via: 'both', lint: true, retracting: null, by: undefined,
	});
	assert.match(held.by, /^uid:\d+$/);
	assert.equal((await put(daemon, 'a', move({ lint: 'off' }))).status, 201);
	assert.equal((await worker.holds('a', (policy) => policy)).lint, false);
	const list = await daemon.get('/v1/policies');
	assert.deepEqual(list.json.policies.map((policy) => policy.name), ['a', 'b']);

	const widened = await patch(daemon, 'b', { rollout: { percent: 100 } }, { 'If-Match': created.headers.etag });
	assert.equal(widened.status, 200);
	assert.notEqual(widened.headers.etag, created.headers.etag);
	assert.deepEqual(widened.json.rollout, { percent: 100, perSecond: 2.5 });
	assert.equal((await worker.holds('b', (policy) => policy.revision === 2)).percent, 100);
	const paused = await patch(daemon, 'b', { paused: true, rollout: { perSecond: null } });
	assert.deepEqual([paused.status, paused.json.state, paused.json.rollout.perSecond], [200, 'paused', null]);
	assert.equal((await worker.holds('b', (policy) => policy.revision === 3)).paused, true);
	assert.equal((await daemon.get(url('b'))).headers.etag, paused.headers.etag);

	await settled(worker);
	const removed = await daemon.request('DELETE', url('b')); // never sent: gone at once
	assert.deepEqual([removed.status, removed.json.state], [200, 'removed']);
	await worker.holds('b', (policy) => !policy);
	assert.equal((await daemon.get(url('b'))).status, 404);
	assert.equal((await daemon.request('DELETE', url('b'))).status, 404);
	assert.deepEqual((await events.take(5)).map(({ data }) => [data.data.policy, data.data.change]),
		[['b', 'created'], ['a', 'created'], ['b', 'updated'], ['b', 'updated'], ['b', 'removed']]);
	events.close();
}));

test('If-Match: 428 without, 412 when stale, the same body again is 200', () => withWorker(async (daemon) => {
	const first = await put(daemon, 'p', move());
	const same = await put(daemon, 'p', move({ priority: 0, rollout: { percent: 100 } })); // what the defaults say
	assert.deepEqual([same.status, same.headers.etag, same.json.revision], [200, first.headers.etag, 1]);
	const without = await put(daemon, 'p', move({ priority: 1 }));
	assert.deepEqual([without.status, without.json.code, without.json.field], [428, 'ERR_PRECONDITION_REQUIRED', 'If-Match']);
	for (const etag of ['"0"', 'W/"x"', `W/${first.headers.etag}`, first.headers.etag.slice(1)]) {
		const stale = await put(daemon, 'p', move({ priority: 1 }), { 'If-Match': etag });
		assert.deepEqual([stale.status, stale.json.code], [412, 'ERR_PRECONDITION_FAILED'], etag);
	}
	const second = await put(daemon, 'p', move({ priority: 1 }), { 'If-Match': `"0", ${first.headers.etag}` });
	assert.deepEqual([second.status, second.json.revision], [200, 2]);
	assert.equal((await patch(daemon, 'p', { priority: 2 }, { 'If-Match': first.headers.etag })).status, 412);
	// Nothing would change: a PUT that is sent again is told so, a PATCH that looked at another state is not.
	assert.equal((await put(daemon, 'p', move({ priority: 1 }), { 'If-Match': first.headers.etag })).status, 200);
	assert.equal((await patch(daemon, 'p', { priority: 1 }, { 'If-Match': first.headers.etag })).status, 412);
	assert.equal((await patch(daemon, 'p', {}, { 'If-Match': first.headers.etag })).status, 412);
	assert.equal((await patch(daemon, 'p', {}, { 'If-Match': second.headers.etag })).status, 200);
	assert.equal((await daemon.request('DELETE', url('p'), { headers: { 'If-Match': first.headers.etag } })).status, 412);
	assert.equal((await put(daemon, 'p', move({ priority: 2 }), { 'If-Match': '*' })).status, 200);
	assert.equal((await put(daemon, 'p', move(), { 'If-None-Match': '*' })).status, 412);
	assert.equal((await put(daemon, 'new', move(), { 'If-Match': '"1"' })).status, 412);
	assert.equal((await put(daemon, 'new', move(), { 'If-None-Match': '*' })).status, 201);
	const merge = await daemon.request('PATCH', url('p'), {
		body: { priority: 9 }, headers: { 'Content-Type': 'application/merge-patch+json' },
	});
	assert.deepEqual([merge.status, merge.json.priority], [200, 9]);
	assert.equal((await patch(daemon, 'none', { priority: 9 })).status, 404);
}));

test('of two that write at once, one is told that the other was first', () => withWorker(async (daemon) => {
	const { headers } = await put(daemon, 'p', move());
	const all = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((priority) =>
		put(daemon, 'p', move({ priority }), { 'If-Match': headers.etag })));
	assert.deepEqual(all.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412, 412, 412]);
	const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
	const made = await Promise.all(names.map((name) => put(daemon, name, move())));
	assert.ok(made.every(({ status }) => status === 201));
	assert.equal((await daemon.get('/v1/policies')).json.policies.length, 41);
}));

test('a body that is wrong is refused with the member that is', () => withWorker(async (daemon, worker) => {
	for (const [body, status, code, field] of [
		[{ ...move(), select: undefined }, 400, 'ERR_INVALID_ARG_TYPE', 'select'],
		[move({ select: {} }), 400, 'ERR_INVALID_ARG_VALUE', 'select'], [move({ select: [] }), 400, 'ERR_INVALID_ARG_TYPE', 'select'],
		[move({ select: { minAge: 1 } }), 400, 'ERR_UNKNOWN_FIELD', 'minAge'],
		[move({ select: { ids: ['a'] } }), 400, 'ERR_UNKNOWN_FIELD', 'ids'],
		[move({ select: { sni: 1 } }), 400, 'ERR_INVALID_ARG_TYPE', 'sni'],
		[move({ select: { label: { a: 1 } } }), 400, 'ERR_INVALID_ARG_TYPE', 'label'],
		[move({ select: { sample: 0 } }), 400, 'ERR_OUT_OF_RANGE', 'sample'],
		[move({ select: { all: false } }), 400, 'ERR_INVALID_ARG_VALUE', 'all'],
		[{ select: { all: true } }, 400, 'ERR_INVALID_ARG_VALUE', 'alt'],
		[{ select: { all: true }, alt: 'clear' }, 400, 'ERR_HTTP2_ALTSVC_INVALID_ORIGIN', 'origin'],
		[move({ origins: [] }), 400, 'ERR_INVALID_ARG_VALUE', 'origins'], [move({ alt: 1 }), 400, 'ERR_INVALID_ARG_TYPE', 'alt'],
		[{ select: { all: true }, origins: [1] }, 400, 'ERR_INVALID_ARG_TYPE', 'origins'],
		[{ select: { all: true }, origins: [], via: 'both' }, 400, 'ERR_INVALID_ARG_VALUE', 'via'],
		[move({ alt: 'nonsense' }), 422, 'ERR_LINT_ALT_GRAMMAR', 'alt'], [move({ alt: 'é' }), 400, 'ERR_INVALID_CHAR', 'alt'],
		[move({ priority: 1.5 }), 400, 'ERR_INVALID_ARG_TYPE', 'priority'], [move({ priority: 2 ** 40 }), 400, 'ERR_OUT_OF_RANGE', 'priority'],
		[move({ rollout: 5 }), 400, 'ERR_INVALID_ARG_TYPE', 'rollout'], [move({ rollout: { percent: 0 } }), 400, 'ERR_OUT_OF_RANGE', 'rollout.percent'],
		[move({ rollout: { percent: 101 } }), 400, 'ERR_OUT_OF_RANGE', 'rollout.percent'],
		[move({ rollout: { per: 1 } }), 400, 'ERR_UNKNOWN_FIELD', 'per'], [move({ rollout: { perSecond: '1' } }), 400, 'ERR_INVALID_ARG_TYPE', 'rollout.perSecond'],
		[move({ via: 'smoke' }), 400, 'ERR_INVALID_ARG_VALUE', 'via'], [move({ lint: 1 }), 400, 'ERR_INVALID_ARG_TYPE', 'lint'],
		[move({ expires: 'tomorrow' }), 400, 'ERR_INVALID_ARG_VALUE', 'expires'],
		[move({ expires: '2026-02-30T00:00:00Z' }), 400, 'ERR_INVALID_ARG_VALUE', 'expires'],
		[move({ expires: '2020-01-01T00:00:00Z' }), 400, 'ERR_OUT_OF_RANGE', 'expires'],
		[move({ paused: 'yes' }), 400, 'ERR_INVALID_ARG_TYPE', 'paused'], [move({ dryRun: 1 }), 400, 'ERR_INVALID_ARG_TYPE', 'dryRun'],
		[move({ wait: 'written' }), 400, 'ERR_UNKNOWN_FIELD', 'wait'],
	]) {
		const { status: got, json } = await put(daemon, 'p', body);
		assert.deepEqual([got, json.code, json.field], [status, code, field], JSON.stringify(body));
	}
	assert.equal((await put(daemon, 'p', move({ alt: 'nonsense' }))).json.rule, 'alt-grammar');
	assert.equal((await put(daemon, 'p', move({ alt: 'nonsense', lint: 'off' }))).status, 201);
	assert.equal((await put(daemon, 'a%20b', move())).json.field, 'name');
	assert.equal((await put(daemon, 'n'.repeat(64), move())).json.field, 'name');
	const { json } = await patch(daemon, 'p', { rollout: { percent: 400 } });
	assert.equal(json.field, 'rollout.percent');
	// A rule that needs the certificates is the workers' to find.
	worker.handlers['push.start'] = () => {
		throw new RpcError(-44, 'ERR_LINT_ORIGIN_NOT_COVERED', { field: 'origin', rule: 'origin-not-covered' });
	};
	const refused = await put(daemon, 'q', move());
	assert.deepEqual([refused.status, refused.json.rule], [422, 'origin-not-covered']);
	assert.equal((await daemon.get(url('q'))).status, 404);
}));

test('dryRun says whom it would reach, and keeps nothing', () => withWorker(async (daemon, worker) => {
	const other = new PolicyWorker(daemon.rpc, { name: 'edge2' });
	await other.start();
	const both = await put(daemon, 'p', move({ dryRun: true }));
	assert.deepEqual([both.status, both.json.matched, both.json.dryRun], [200, 14, true]);
	const left = Date.parse(both.json.clientsRememberUntil) - Date.now();
	assert.ok(left > 50000 && left <= 60000);
	const one = await put(daemon, 'p', move({ select: { worker: 'edge2', sni: '*.org' }, dryRun: true }));
	assert.equal(one.json.matched, 7);
	assert.deepEqual(other.requests.at(-1).params.select, { sni: '*.org' });
	assert.equal((await daemon.get('/v1/policies')).json.policies.length, 0);
	assert.equal(worker.held.size, 0);
}));

test('one that is being taken back can be put again', () => withWorker(async (daemon, worker) => {
	await put(daemon, 'p', move());
	await worker.holds('p', (policy) => policy);
	worker.report('p', { matched: 1, received: 1 }, new Date().toISOString());
	await settled(worker);
	assert.equal((await daemon.request('DELETE', url('p'))).json.state, 'retracting');
	const again = await put(daemon, 'p', move());
	assert.deepEqual([again.status, again.json.state, again.json.retractingUntil], [201, 'active', null]);
	assert.ok(again.json.revision > 2);
	assert.ok(again.json.lastSent);
	assert.equal((await worker.holds('p', (policy) => policy.revision === again.json.revision)).retracting, null);
}));

test('ORIGIN cannot be taken back, and DELETE says so', () => withWorker(async (daemon, worker) => {
	const made = await put(daemon, 'o', { select: { encrypted: true }, origins: ['https://example.com'] });
	assert.equal(made.status, 201);
	await worker.holds('o', (policy) => policy);
	worker.report('o', { matched: 1, received: 1 }, new Date().toISOString());
	await settled(worker);
	assert.equal((await daemon.get(url('o'))).json.clientsRememberUntil, null);
	const { status, json } = await daemon.request('DELETE', url('o'));
	assert.deepEqual([status, json.state, json.warnings[0].rule], [200, 'removed', 'origin-stays']);
	await worker.holds('o', (policy) => !policy);
}));

test('a worker that is lost before it said what it sent may have sent it', () => withDaemon([], {}, async (daemon) => {
	const hold = (worker, { policy }) => {
		worker.held.set(policy.name, policy);
		return {};
	};
	const silent = new PolicyWorker(daemon.rpc, { handlers: { 'policy.put': hold } });
	await silent.start();
	await put(daemon, 'p', move({ alt: 'h2=":8000"; ma=600' }));
	await silent.holds('p', (policy) => policy);
	assert.equal((await daemon.get(url('p'))).json.lastSent, null);
	await silent.stop();
	await daemon.says(/worker edge1 .* is gone/);
	const { json } = await daemon.request('DELETE', url('p'));
	assert.equal(json.state, 'retracting');
	assert.ok(Date.parse(json.retractingUntil) - Date.now() > 500e3, json.retractingUntil);
}));

test('policies, their ETags and what is taken back outlive kill -9', async (t) => {
	const daemon = Daemon.of(t);
	daemon.args = ['--state', path.join(daemon.dir, 'state.db')];
	await daemon.start();
	const worker = new PolicyWorker(daemon.rpc);
	await worker.start();
	const { headers } = await put(daemon, 'stays', move({ rollout: { percent: 5 } }));
	await put(daemon, 'goes', move());
	await put(daemon, 'back', move({ priority: 1 }));
	await worker.holds('back', (policy) => policy);
	worker.report('back', { matched: 1, received: 1 }, new Date().toISOString());
	await settled(worker);
	await daemon.request('DELETE', url('goes'));
	const back = await daemon.request('DELETE', url('back'));
	await daemon.stop('SIGKILL');
	await daemon.start();
	const { json } = await daemon.get('/v1/policies');
	assert.deepEqual(json.policies.map(({ name, state }) => [name, state]), [['back', 'retracting'], ['stays', 'active']]);
	assert.equal(json.policies[0].retractingUntil, back.json.retractingUntil);
	assert.equal((await daemon.get(url('stays'))).headers.etag, headers.etag);
	assert.equal((await patch(daemon, 'stays', { rollout: { percent: 100 } }, { 'If-Match': headers.etag })).status, 200);
	const result = await worker.start();
	assert.deepEqual(result.policies.map(({ name, revision, percent }) => [name, revision, percent]),
		[['back', 2, 100], ['stays', 2, 100]]);
});

test('a worker that refuses, one that lags, and one that cannot', () => withWorker(async (daemon, worker) => {
	let answers = 0;
	const lagging = new PolicyWorker(daemon.rpc, {
		name: 'lagging', handlers: { 'policy.put': (w, { policy }) => (++answers, lagging.held.set(policy.name, policy), {}) },
	});
	const refusing = new PolicyWorker(daemon.rpc, {
		name: 'refusing', handlers: { 'policy.put': () => {
			throw new RpcError(-29, 'ERR_LIMIT', { field: 'policy' });
		} },
	});
	const old = new FakeWorker(daemon.rpc, { name: 'old', hello: { capabilities: ['altsvc'] } });
	await lagging.start();
	await refusing.start();
	assert.deepEqual((await old.start()).policies, []);
	await put(daemon, 'p', move());
	await Promise.all([worker, lagging].map((one) => one.holds('p', (policy) => policy)));
	await Promise.all([worker, lagging, refusing].map(settled));
	const { json } = await daemon.get(url('p'));
	assert.deepEqual(json.workers.map(({ worker: name, holds, problem }) => [name, holds, problem?.code]).sort(),
		[['edge1', true, undefined], ['lagging', true, undefined], ['refusing', false, 'ERR_LIMIT']]);
	assert.ok(!old.requests.some(({ method }) => method.startsWith('policy.')));
	// Away, and back: the list of hello is what it has.
	await lagging.stop();
	await patch(daemon, 'p', { priority: 5 });
	assert.equal((await lagging.start()).policies[0].priority, 5);
	assert.equal(answers, 1);
}));

test('the number and the size of policies are bounded, and it is said', () => withDaemon([], {}, async (daemon) => {
	const all = await Promise.all(Array.from({ length: 257 }, (_, i) => put(daemon, `p${i}`, move())));
	assert.deepEqual(all.map(({ status }) => status).sort().slice(-2), [201, 429]);
	const refused = all.find(({ status }) => status === 429);
	assert.deepEqual([refused.json.code, refused.json.field], ['ERR_LIMIT', 'policies']);
	assert.match((await daemon.get('/metrics')).text, /^h2sess_limit_total\{limit="policies"\} 1$/m);
	const large = { select: { all: true }, origins: Array.from({ length: 1000 }, (_, i) => `https://${'h'.repeat(600)}${i}`) };
	const statuses = [];
	for (let i = 0; i < 6; i++)
		statuses.push((await put(daemon, `p${i}`, large, { 'If-Match': '*' })).status);
	assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
}));

test('reading is for everybody, changing for administrators', async (t) => {
	const daemon = await Daemon.of(t, [], { tcp: true }).start();
	const as = (role, method, body) => daemon.request(method, url('p'), { token: daemon.tokens[role].token, body });
	assert.equal((await as('push', 'PUT', move())).status, 403);
	assert.equal((await as('admin', 'PUT', move())).status, 201);
	assert.equal((await as('read', 'GET')).json.by, 't-admin');
	assert.equal((await as('push', 'DELETE')).status, 403);
	const options = await as('read', 'OPTIONS');
	assert.equal(options.headers.allow, 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS');
	assert.equal((await as('admin', 'POST', move())).status, 405);
});

// Seconds have to go by, so they do for all of these at once.
describe('what time brings', { concurrency: 3 }, () => {
	test('what was sent is taken back until clients have forgotten it', () => withWorker(async (daemon, worker) => {
		const events = await daemon.events('?type=policy.changed');
		await put(daemon, 'p', move({ alt: 'h2=":8000"; ma=4' }));
		await worker.holds('p', (policy) => policy);
		const sent = new Date();
		worker.report('p', { matched: 3, pending: 1, received: 2 }, sent.toISOString());
		await settled(worker);
		const { json } = await daemon.get(url('p'));
		assert.deepEqual(json.counts, { matched: 3, pending: 1, written: 0, received: 2, notSent: 0 });
		assert.equal(json.lastSent, sent.toISOString());
		assert.equal(Date.parse(json.clientsRememberUntil), sent.getTime() + 4000);
		assert.deepEqual(json.workers, [{ worker: 'edge1', boot: worker.boot, holds: true }]);
		const removed = await daemon.request('DELETE', url('p'));
		assert.deepEqual([removed.status, removed.json.state], [200, 'retracting']);
		const held = await worker.holds('p', (policy) => policy.retracting);
		assert.equal(held.retracting, removed.json.retractingUntil);
		assert.equal((await daemon.get('/v1/policies')).json.policies[0].state, 'retracting');
		assert.equal((await daemon.request('DELETE', url('p'))).status, 200);
		assert.equal((await patch(daemon, 'p', { paused: true })).status, 409);
		// A session that was about to be told: it is remembered for longer.
		const later = new Date(Date.parse(held.retracting) - 4000 + 500);
		worker.report('p', {}, later.toISOString());
		assert.equal((await worker.holds('p', (policy) => policy?.retracting !== held.retracting)).retracting,
			new Date(later.getTime() + 4000).toISOString());
		await worker.holds('p', (policy) => !policy);
		assert.ok(Date.now() >= later.getTime() + 4000);
		assert.equal((await daemon.get(url('p'))).status, 404);
		assert.deepEqual((await events.take(3)).map(({ data }) => data.data.change), ['created', 'removed', 'gone']);
		events.close();
	}));

	test('an expired one is taken back by itself', () => withWorker(async (daemon, worker) => {
		const events = await daemon.events('?type=policy.changed');
		const expires = new Date(Date.now() + 4000).toISOString().replace('Z', '+00:00');
		const { json } = await put(daemon, 'p', move({ expires, alt: 'h2=":8000"; ma=1' }));
		assert.equal(json.expires, expires);
		const held = await worker.holds('p', (policy) => policy);
		assert.equal(held.expires, expires);
		worker.report('p', { matched: 1, received: 1 }, new Date().toISOString());
		const changes = (await events.take(3)).map(({ data }) => data.data);
		assert.deepEqual(changes.map(({ change }) => change), ['created', 'expired', 'gone']);
		assert.equal(changes[1].state, 'expired');
		await worker.holds('p', (policy) => !policy);
		events.close();
	}));

	test('an expired one that reached nobody is gone at once', () => withWorker(async (daemon, worker) => {
		const events = await daemon.events('?type=policy.changed');
		await put(daemon, 'p', move({ expires: new Date(Date.now() + 4000).toISOString(), alt: 'h2=":8000"; ma=86400' }));
		await worker.holds('p', (policy) => policy);
		worker.report('p', {}, null);
		const changes = (await events.take(2)).map(({ data }) => data.data);
		assert.deepEqual(changes.map(({ change }) => change), ['created', 'expired']);
		assert.equal((await daemon.get(url('p'))).status, 404);
		await worker.holds('p', (policy) => !policy);
		events.close();
	}));
});
