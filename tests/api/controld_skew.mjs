// SPDX-License-Identifier: Apache-2.0
//
// Workers of other versions: older ones that speak an older protocol, or ours with fewer capabilities or members, and
// newer ones. Who cannot be understood is told why; who can be is served as far as it goes, and the rest is refused by
// name. Its events go on all the while.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Daemon } from './controld_support.mjs';
import { FakeWorker, newBoot } from './fake_worker.mjs';

const settled = (worker) => worker.call('settle', {}).catch(() => {});
const altsvc = { alt: 'h2=":8000"; ma=60', origin: 'https://example.org' };
const everybody = { select: { all: true } };

let daemon, old, id;

before(async () => {
	daemon = await new Daemon().start();
	// What a worker of the first version would say, and no more.
	old = new FakeWorker(daemon.rpc, { name: 'old' });
	old.helloParams = () => ({ protocol: { min: 0, max: 1 }, name: 'old', boot: old.boot });
	({ id } = old.addSession(1, { aura: 'blue' }));
	assert.equal((await old.start()).protocol, 1);
});
after(async () => {
	await old.stop();
	await daemon.end();
});

test('only an older protocol, only a newer one: refused with both ranges, and said', async () => {
	for (const [name, min, max] of [['ancient', 0, 0], ['modern', 2, 9], ['reversed', 3, 0], ['negative', -5, -1]]) {
		const worker = new FakeWorker(daemon.rpc, { name, hello: { protocol: { min, max }, capabilities: ['altsvc'] } });
		await assert.rejects(worker.start(), (error) => error.data.code === 'ERR_PROTOCOL_VERSION' &&
			error.data.field === 'protocol' && error.message === `the worker speaks ${min} to ${max}, the daemon 1 to 1`);
		await daemon.says(new RegExp(`hello of ${name} refused: ERR_PROTOCOL_VERSION .* speaks ${min} to ${max}`));
	}
	assert.deepEqual((await daemon.get('/v1/workers')).json.workers.map((one) => one.name), ['old']);
});

test('ranges that meet are enough, whatever else a newer one says', async () => {
	for (const [min, max] of [[1, 1], [0, 1], [1, 99], [-3, 1e9]]) {
		const worker = new FakeWorker(daemon.rpc, { name: 'other', boot: newBoot(), hello: {
			protocol: { min, max, preferred: max }, capabilities: ['altsvc', 'telepathy', 7, null], mood: { fine: true },
		} });
		assert.equal((await worker.start()).protocol, 1, `${min} to ${max}`);
		await worker.stop();
	}
});

test('what it did not say has a value all the same', async () => {
	const { json } = await daemon.get('/v1/workers/old');
	assert.deepEqual([json.pid, json.version, json.state, json.listen, json.labels, json.capabilities, json.certificates,
		json.lastReload], [null, null, 'running', [], {}, [], [], null]);
	assert.equal((await daemon.get('/v1/sessions')).json.sessions[0].id, id);
	assert.equal((await daemon.get(`/v1/sessions/${id}`)).json.aura, 'blue'); // and what nobody here knows is shown
	assert.equal((await daemon.get(`/v1/sessions/${id}/streams`)).status, 200);
	assert.match((await daemon.get('/metrics')).text, /^h2sess_sessions\{worker="old"\} /m);
});

test('every verb that it does not have is 501, names it, and never reaches it', async () => {
	const verbs = [
		['POST', 'altsvc', altsvc, 'altsvc'], ['POST', 'origin', { origins: [] }, 'origin'], ['POST', 'goaway', {}, 'session'],
		['POST', 'ping', undefined, 'session'], ['POST', 'settings', { settings: {} }, 'session'],
		['POST', 'close', undefined, 'session'], ['POST', 'destroy', undefined, 'session'],
		['POST', 'timeout', { msecs: 1 }, 'session'],
		['POST', 'window', { windowSize: 70000 }, 'session'], ['POST', 'emit', { event: 'x-a', data: 1 }, 'session'],
		['PATCH', 'labels', { a: 'b' }, 'session'],
	];
	const asked = old.requests.length;

	for (const [method, verb, body, capability] of verbs) {
		const { status, json } = await daemon.request(method, `/v1/sessions/${id}/${verb}`, { body });
		assert.deepEqual([status, json.code], [501, 'ERR_UNSUPPORTED'], `${verb}: ${JSON.stringify(json)}`);
		assert.equal(json.detail, `worker old does not have the capability ${capability}`, verb);
	}
	assert.equal(old.requests.length, asked);
});

test('many at once: 501 where it is the only one, a warning where another one can', async () => {
	const calls = [['altsvc', altsvc], ['origin', { origins: ['https://example.org'] }], ['goaway', {}],
		['drain', { deadline: 1, stopAccepting: true }]];
	const asked = old.requests.length, { pushes } = (await daemon.get('/v1/pushes')).json;

	for (const [name, body] of calls) {
		for (const more of [{}, { dryRun: true }]) {
			const { status, json } = await daemon.post(`/v1/${name}`, { ...everybody, ...body, ...more });
			assert.deepEqual([status, json.code, json.detail],
				[501, 'ERR_UNSUPPORTED', 'worker old does not have the capability fanout'], name);
		}
	}
	assert.deepEqual((await daemon.get('/v1/pushes')).json.pushes, pushes); // none was made

	// One that can push to many, and cannot refuse connections.
	const edge = new FakeWorker(daemon.rpc, { hello: { capabilities: ['fanout'] } });
	edge.addSession(1);
	await edge.start();
	for (const [name, body] of calls) {
		const { status, json } = await daemon.post(`/v1/${name}`, { ...everybody, ...body, wait: 'received' });
		assert.deepEqual([status, json.push.matched], [200, 1], name);
		const cannot = json.warnings.filter(({ rule }) => rule === 'capability');
		assert.deepEqual(cannot.map(({ rule, detail }) => [rule, detail.split(':')[0]]).sort(), [
			...(name === 'drain' ? [['capability', 'worker edge1 does not have the capability accept']] : []),
			['capability', 'worker old does not have the capability fanout'],
		], name);
	}
	const named = await daemon.post('/v1/altsvc', { select: { worker: 'old' }, ...altsvc });
	assert.equal(named.status, 501);
	const own = await daemon.post('/v1/altsvc', { select: { ids: [id] }, ...altsvc });
	assert.equal(own.status, 501);
	assert.equal(old.requests.length, asked);
	await edge.stop();
});

test('a policy is kept for those that can, and it is not said that it holds it', async () => {
	const { status } = await daemon.request('PUT', '/v1/policies/p', { body: { ...everybody, ...altsvc } });
	assert.equal(status, 201);
	await settled(old);
	const { json } = await daemon.get('/v1/policies/p');
	assert.deepEqual([json.state, json.workers], ['active', []]);
	assert.ok(!old.requests.some((request) => request.method.startsWith('policy.')));
	assert.equal((await daemon.request('DELETE', '/v1/policies/p')).json.state, 'removed');
});

test('its events go on, also those of a type that is not known here', async () => {
	const events = await daemon.events('?type=goaway,worker.mood,levitation&type=goaway');
	assert.equal(events.status, 400); // of a type that nobody can know
	events.close();
	const stream = await daemon.events('?type=goaway');
	old.event('levitation', id, { height: 3 });
	old.notify('worker.mood', { mood: 'better' });
	old.event('goaway', id, { code: 0, unheardOf: [1] }, { unheardOf: true });
	const told = await stream.next();
	assert.deepEqual([told.event, told.data.session, told.data.data], ['goaway', id, { code: 0, unheardOf: [1] }]);
	stream.close();
});
