// SPDX-License-Identifier: Apache-2.0
//
// Readers that have much to count or to pass over: it takes many turns of the daemon's loop, during which it serves others, and ends
// with what it would have ended with in one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

const MANY = 20000; // some turns for one reader (controld/turns.h), more for several

const settled = (worker) => worker.call('settle', {}).catch(() => {});

// A daemon that heard a connect, whose id is `since`, then MANY events of three sessions: every fifth is a goaway.
async function withMany(args, fn) {
	await withDaemon(args, {}, async (daemon) => {
		const worker = new FakeWorker(daemon.rpc);
		await worker.start();
		await settled(worker);
		const first = await daemon.events('?type=connect&limit=1');
		const sessions = [1, 2, 3].map((n) => worker.addSession(n, { streams: 0 }));
		const agents = ['Mozilla/5.0 Firefox/128.0', 'curl/8', 'Mozilla/5.0 Chrome/126'];
		sessions.forEach((session) => worker.event('connect', session.id, session, { at: { requested: false } }));
		const { id } = await first.next();
		for (let i = 0; i < MANY; i++)
			worker.event(i % 5 ? 'error' : 'goaway', sessions[i % 3].id, { code: i }, { at: { requested: true, userAgent: agents[i % 3] } });
		await settled(worker);
		await fn(daemon, worker, id);
	});
}

const numbers = (from) => Array.from({ length: MANY - from }, (_, i) => from + i);
const dropped = numbers(0).slice(0, MANY - 16);
const isFirefox = (i) => i % 3 === 0;
const isGoaway = (i) => i % 5 === 0;

test('several readers count at once, each exactly; who leaves meanwhile takes nothing along', () => withMany(['--event-log', '16'],
	async (daemon, worker, since) => {
		const choices = [ // and which of the codes are shown
			['type=goaway,error&userAgent=*firefox*', isFirefox], ['type=goaway', isGoaway], ['type=goaway&userAgent=*Firefox*', (i) => isFirefox(i) && isGoaway(i)],
			['type=error&userAgent=*', (i) => !isGoaway(i)], ['type=connect', () => false],
		];
		const leaving = await Promise.all(choices.map(([query]) => daemon.events(`?since=${since}&${query}`)));
		leaving.forEach((stream) => stream.close());
		const streams = await Promise.all([0, 1, 2].flatMap(() => choices).map(async (choice) => [choice, await daemon.events(`?since=${since}&${choice[0]}`)]));
		assert.equal((await daemon.get('/v1/workers')).status, 200);
		for (const [[query, wanted], stream] of streams) {
			const connects = query === 'type=connect' ? 2 : 0;
			const { data: { type, data, id } } = await stream.next();
			assert.deepEqual([type, data.count, data.reason], ['gap', dropped.filter(wanted).length + connects, 'dropped'], query);
			assert.equal(data.to, id);
			for (const code of numbers(MANY - 16).filter(wanted))
				assert.equal((await stream.next()).data.data.code, code, query);
		}
		streams.forEach(([, stream]) => stream.close());
	}));

test('a gap is the answer to a long poll, however long it was counted', () => withMany(['--event-log', '16'], async (daemon, worker, since) => {
	const lines = async (query) => (await daemon.get(`/v1/events?wait=300&${query}`, { headers: { Accept: 'application/x-ndjson' } }))
		.text.trim().split('\n').map((line) => JSON.parse(line)).map(({ type, data }) => (type === 'gap' ? data : data.code));
	const [gap, ...more] = await lines(`since=${since}&type=goaway`);
	assert.deepEqual([gap.count, gap.reason], [dropped.filter(isGoaway).length, 'dropped']);
	assert.deepEqual(more, numbers(MANY - 16).filter(isGoaway));
	const [unknown] = await lines('since=x-1&type=goaway&userAgent=curl*');
	assert.deepEqual([unknown.count, unknown.reason], [dropped.filter((i) => isGoaway(i) && i % 3 === 1).length, 'unknown_id']);
	const [once, event] = await lines(`since=${since}&type=goaway&once=1`);
	assert.deepEqual([once.count, event], [gap.count, more[0]]);
}));

test('a reader from whom nearly all is hidden gets the rest, resumed, polling and asleep', () => withMany([], async (daemon, worker, since) => {
	const live = await daemon.events('?type=close');
	const resumed = await daemon.events(`?type=close&since=${since}`);
	const poll = (query) => daemon.get(`/v1/events?since=${since}&wait=${query}`, { headers: { Accept: 'application/x-ndjson' } });
	assert.equal((await poll('0&type=close')).text, '');
	const first = (await poll('300&type=connect')).text.trim().split('\n'); // what is hidden behind them is no reason to wait
	assert.deepEqual(first.map((line) => JSON.parse(line).type), ['connect', 'connect']);
	for (let i = 0; i < MANY / 4; i++)
		worker.event('error', `${worker.boot}-1`, { code: i });
	worker.event('close', `${worker.boot}-1`, { reason: 'last' });
	for (const stream of [live, resumed]) {
		let item;
		do
			item = await stream.next();
		while (item.event === 'bookmark');
		assert.equal(item.data.data.reason, 'last');
		stream.close();
	}
}));

test('a daemon that stops while it counts tells where to resume', () => withMany(['--event-log', '16'], async (daemon, worker, since) => {
	const streams = await Promise.all(Array.from({ length: 50 }, () => daemon.events(`?type=goaway&userAgent=*Firefox*&since=${since}`)));
	assert.equal(await daemon.stop(), 0);
	for (const stream of streams) {
		const items = [];
		for (let item; (item = await stream.next());)
			items.push(item.data);
		const last = items.pop();
		assert.deepEqual([last.type, last.data.reason], ['bookmark', 'stopping']);
		if (items.length)
			assert.equal(items[0].data.count, dropped.filter((i) => isFirefox(i) && isGoaway(i)).length);
		else
			assert.equal(last.id, since);
		assert.ok(stream.response.complete);
	}
}));
