// SPDX-License-Identifier: Apache-2.0
//
// The audit: what is in it, what never is, who may read it, what it outlives; and what a full disk does to calls.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Daemon, withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

const altsvc = { alt: 'clear', origin: 'https://example.org' };

async function newest(daemon, n) {
	return (await daemon.get(`/v1/audit?limit=${n}`)).json.audit;
}

test('every call that may change something is in it, with what came of it', () => withDaemon([], { tcp: true }, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc);
	const { id } = worker.addSession(1);
	await worker.start();
	const { read, push, admin } = Object.fromEntries(Object.entries(daemon.tokens).map(([role, { token }]) => [role, token]));
	const made = await daemon.post(`/v1/sessions/${id}/altsvc?wait=received`, altsvc, { token: push });
	await daemon.get('/v1/sessions', { token: read }); // reads are not in it
	await daemon.post(`/v1/sessions/${id}/destroy`, { code: 2 }, { token: read });
	await daemon.post('/v1/altsvc', { select: {} }, { token: push });
	await daemon.post(`/v1/sessions/${id}/emit`, { event: 'x-a', data: { secret: 1 } }, { token: admin });
	await daemon.post('/v1/altsvc', '{', { token: admin });
	await daemon.post('/v1/altsvc', altsvc, { token: 'wrong' }); // of nobody
	await daemon.post('/v1/nowhere', {}, { token: admin });
	const entries = (await newest(daemon, 100)).reverse();
	const brief = entries.map(({ by, role, method, path: at, status, code }) => [by, role, method, at, status, code]);
	assert.deepEqual(brief, [
		['t-push', 'push', 'POST', `/v1/sessions/${id}/altsvc`, 200, undefined],
		['t-read', 'read', 'POST', `/v1/sessions/${id}/destroy`, 403, 'ERR_FORBIDDEN'],
		['t-push', 'push', 'POST', '/v1/altsvc', 400, 'ERR_INVALID_ARG_VALUE'],
		['t-admin', 'admin', 'POST', `/v1/sessions/${id}/emit`, 200, undefined],
		['t-admin', 'admin', 'POST', '/v1/altsvc', 400, 'ERR_INVALID_JSON'],
	]);
	assert.deepEqual([entries[0].push, entries[0].body, entries[0].query], [made.json.push.id, altsvc, { wait: 'received' }]);
	assert.deepEqual(entries[3].body, { event: 'x-a', data: '(not kept)' });
	assert.ok(Math.abs(Date.parse(entries[0].time) - Date.now()) < 60000);
	const text = JSON.stringify(entries);
	for (const token of [read, push, admin])
		assert.ok(!text.includes(token));
	assert.equal((await daemon.get('/v1/audit', { token: push })).status, 403);
}));

test('it comes in pages, newest first', () => withDaemon([], {}, async (daemon) => {
	for (let i = 0; i < 5; i++)
		await daemon.post(`/v1/sessions/none-${i}/ping`);
	const seen = [];
	for (let target = '/v1/audit?limit=2'; target;) {
		const { json } = await daemon.get(target);
		assert.ok(json.audit.length <= 2);
		seen.push(...json.audit.map((entry) => entry.path));
		target = json.next && `/v1/audit?limit=2&cursor=${json.next}`;
	}
	assert.deepEqual(seen, [4, 3, 2, 1, 0].map((i) => `/v1/sessions/none-${i}/ping`));
	for (const query of ['limit=0', 'cursor=x', 'since=1'])
		assert.equal((await daemon.get(`/v1/audit?${query}`)).status, 400);
}));

test('a body that is too long is there by its length', () => withDaemon([], {}, async (daemon) => {
	await daemon.post('/v1/origin', { select: { all: true }, origins: Array(1000).fill('https://example.org') });
	const [entry] = await newest(daemon, 1);
	assert.deepEqual([entry.status, entry.body], [202, undefined]);
	assert.ok(entry.bodyLength > 20000);
}));

test('what was answered is in it after kill -9', async (t) => {
	const daemon = Daemon.of(t);
	daemon.args = ['--state', path.join(daemon.dir, 'state.db')];
	await daemon.start();
	for (let i = 0; i < 20; i++)
		await daemon.post(`/v1/sessions/none-${i}/ping`);
	await daemon.stop('SIGKILL');
	await daemon.start();
	const entries = await newest(daemon, 100);
	assert.deepEqual(entries.map((entry) => entry.path),
		Array.from({ length: 20 }, (_, i) => `/v1/sessions/none-${19 - i}/ping`));
	await daemon.post('/v1/sessions/none-20/ping');
	assert.equal((await newest(daemon, 1))[0].id, '21'); // numbers go on
});

test('a full disk: 503, nothing is begun, reads go on; and it is over when there is room', async (t) => {
	if (!fs.existsSync('/usr/bin/prlimit'))
		return t.skip('no prlimit');
	const daemon = Daemon.of(t);
	daemon.args = ['--state', path.join(daemon.dir, 'state.db')];
	await daemon.start();
	const worker = new FakeWorker(daemon.rpc);
	const { id } = worker.addSession(1);
	await worker.start();
	const send = (key) => daemon.post(`/v1/sessions/${id}/altsvc`, altsvc, { headers: key && { 'Idempotency-Key': key } });
	const limit = (octets) => execFileSync('prlimit', [`--fsize=${octets}`, '--pid', String(daemon.child.pid)]);
	const pushes = () => worker.requests.filter((r) => r.method === 'session.altsvc').length;
	assert.equal((await send('first')).status, 200);
	limit('1024:unlimited');
	const before = pushes();
	const refused = await send('second');
	assert.deepEqual([refused.status, refused.json.code, pushes()], [503, 'ERR_STATE', before]);
	assert.equal((await send()).status, 503);
	assert.equal((await send('first')).status, 503);
	assert.equal(pushes(), before);
	assert.equal((await daemon.get('/v1/sessions')).status, 200);
	limit('unlimited:unlimited');
	let again = await send('second'); // the first write tells that there is room
	if (again.status === 503)
		again = await send('second');
	assert.deepEqual([again.status, pushes()], [200, before + 1]);
	await daemon.says(/state: nothing is kept[^]*state: it is kept again/);
});
