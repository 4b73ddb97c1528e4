// SPDX-License-Identifier: Apache-2.0
//
// The wall clock is set while everything runs, a day forward and two days back: durations go on as they were, dates are
// looked at again, nothing is lost, and nothing comes twice.
//
// libfaketime moves CLOCK_REALTIME of the programs by what a file says, and leaves CLOCK_MONOTONIC alone: what
// clock_settime() does to a machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

import { House, event, until } from './support.mjs';

const DAY_S = 24 * 3600;
const ORIGIN = 'https://example.org';

class Clock {
	constructor(house) {
		this.file = path.join(house.dir, 'clock');
		this.set(0);
		house.env = {
			LD_PRELOAD: execFileSync('faketime', ['-m', '-f', '+0', 'sh', '-c', 'printf %s "$LD_PRELOAD"'], { encoding: 'utf8' }),
			FAKETIME_TIMESTAMP_FILE: this.file, FAKETIME_NO_CACHE: '1',
			FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_RANDOM: '1',
			// The sanitizer need not be the first library: its calls are in the program.
			ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
		};
	}

	/** So many seconds from the real time. */
	set(seconds) {
		fs.writeFileSync(`${this.file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
		fs.renameSync(`${this.file}.new`, this.file);
		this.offset = seconds;
	}

	/** The programs' time, so many seconds from now. */
	time(seconds = 0) {
		return new Date(Date.now() + (this.offset + seconds) * 1000).toISOString();
	}
}

/** What a client was sent. */
async function watcher(house, worker) {
	const values = [];
	const client = await house.client(worker);
	client.on('altsvc', (alt) => values.push(alt));
	return { client, values, session: await house.sessionOf(client.socket) };
}

const fence = (client) => new Promise((resolve, reject) => client.ping((error) => (error ? reject(error) : resolve())));

async function scene(t) {
	const house = await House.open(t, { daemon: false });
	const clock = new Clock(house);
	await house.startDaemon();
	return { house, clock, worker: await house.worker() };
}

const steps = [['forward', DAY_S], ['back', -DAY_S]];

describe('the wall clock is set', { concurrency: 3 }, () => {
	test('pushes, events, keys and sessions do not mind', async (t) => {
		const { house, clock, worker } = await scene(t);
		const { client, values, session } = await watcher(house, worker);
		const others = await Promise.all([1, 2, 3].map(() => watcher(house, worker)));
		const events = await house.events('?type=push.done,connect,x-step');
		const first = await house.request('POST', `/v1/sessions/${session.id}/altsvc`, { alt: 'h2=":1"', origin: ORIGIN },
			{ 'idempotency-key': 'first' });
		const ids = [first.body.push.id];

		assert.equal(first.status, 200);
		for (const [name, offset] of steps) {
			// Paced, and the clock is set meanwhile: its deadline neither comes early nor holds it up.
			const { body: running } = await house.post('/v1/altsvc', { select: { all: true }, alt: `h2=":${ids.length + 1}"`,
				origin: ORIGIN, perSecond: 4, deadline: 30, wait: 'written', timeout: 0.01 });
			assert.equal(running.push.state, 'running');
			const waiting = house.get(`/v1/pushes/${running.push.id}?wait=done&timeout=20`);
			clock.set(offset);
			const { body: done } = await waiting;
			assert.deepEqual([done.push.state, done.push.received, done.timedOut], ['done', 4, undefined], name);
			ids.push(running.push.id);

			// A wait ends when its time is over, not before and not a day later.
			const began = performance.now();
			const poll = await house.get(`/v1/events?type=x-none&once=1&wait=1&since=${events.list.at(-1)?.id ?? 'x-0'}`);
			assert.equal(poll.status, 200);
			assert.ok(performance.now() - began < 20000);

			const again = await house.request('POST', `/v1/sessions/${session.id}/altsvc`, { alt: 'h2=":1"', origin: ORIGIN },
				{ 'idempotency-key': 'first' });
			assert.deepEqual([again.status, again.body], [200, first.body], name);
			const { body: same } = await house.get(`/v1/sessions/${session.id}`);
			assert.equal(same.createdAt, session.createdAt, name);
			assert.equal((await house.sessions('?minAge=3600')).length, 0, name);
			const { status } = await house.post(`/v1/sessions/${session.id}/emit`, { event: 'x-step', data: name });
			assert.ok(status < 300, `${status}`);
			const told = await events.find('the event', (one) => one.type === 'x-step' && one.data === name);
			assert.ok(Math.abs(Date.parse(told.time) - Date.parse(clock.time())) < 60000, `${told.time} after ${name}`);
		}
		await fence(client);
		assert.deepEqual(values, ['h2=":1"', 'h2=":2"', 'h2=":3"']);
		for (const other of others)
			assert.deepEqual(other.values, ['h2=":2"', 'h2=":3"']);

		// The log holds all of it, in order, for who comes back; and again after a restart.
		const numbers = (list) => list.filter((one) => one.id).map((one) => Number(one.id.split('-')[1]));
		const seen = numbers(events.list);
		assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
		const rest = await house.events(`?type=push.done,connect,x-step&since=${events.list[0].id}`);
		await until('the same events', () => numbers(rest.list).length === seen.length - 1);
		assert.equal(rest.list.filter((one) => one.type === 'gap').length, 0);
		await house.daemon.kill();
		await house.startDaemon();
		const restarted = await house.events(`?type=push.done,connect,x-step&since=${events.list[0].id}`);
		await until('the same events again', () => restarted.list.some((one) => one.data === 'back'));
		assert.deepEqual(numbers(restarted.list).slice(0, seen.length - 1), seen.slice(1));
		assert.deepEqual((await house.get('/v1/pushes')).body.pushes.map(({ id }) => id).sort(), [...ids].sort());
	});

	test('a date is looked at again: a policy expires by the new clock', async (t) => {
		const { house, clock, worker } = await scene(t);
		const before = await watcher(house, worker);
		const put = (name, origin, seconds) => house.request('PUT', `/v1/policies/${name}`,
			{ select: { all: true }, alt: 'h2=":8"; ma=3600', origin, expires: clock.time(seconds) });
		const state = async (name) => (await house.get(`/v1/policies/${name}`)).body.state;

		assert.equal((await put('soon', ORIGIN, DAY_S / 2)).status, 201);
		assert.equal((await put('late', 'https://example.com', 3 * DAY_S)).status, 201);
		await until('both values', () => before.values.length === 2);
		clock.set(DAY_S);
		await until('it has expired', async () => (await state('soon')) === 'expired');
		assert.equal(await state('late'), 'active');
		await until('it is taken back', () => before.values.includes('clear'));
		await fence(before.client);
		assert.deepEqual(before.values, ['h2=":8"; ma=3600', 'h2=":8"; ma=3600', 'clear']);

		// Without a daemon too: the worker has a clock of its own.
		await house.daemon.kill();
		clock.set(4 * DAY_S);
		await until('the other one is taken back', () => before.values.length === 4);
		assert.equal(before.values[3], 'clear');
	});

	test('a duration stays one: what is taken back is taken back for as long as clients remember', async (t) => {
		const { house, clock, worker } = await scene(t);
		const before = await watcher(house, worker);
		const put = await house.request('PUT', '/v1/policies/p',
			{ select: { all: true }, alt: 'h2=":8"; ma=3600', origin: ORIGIN });
		const policy = async () => (await house.get('/v1/policies/p')).body;
		const left = async () => (Date.parse((await policy()).retractingUntil) - Date.parse(clock.time())) / 1000;

		assert.equal(put.status, 201);
		await until('the value', () => before.values.length === 1);
		await until('it is known that it was sent', async () => (await policy()).lastSent);
		before.client.destroy();
		await until('it is gone', async () => (await house.sessions()).length === 0);
		clock.set(DAY_S); // an hour after it was sent, to a clock that tells dates
		assert.equal((await house.request('DELETE', '/v1/policies/p')).status, 200);
		assert.ok(Math.abs((await left()) - 3600) < 60, `${await left()}`);
		for (const [name, offset] of [['forward', 3 * DAY_S], ['back', -DAY_S]]) {
			clock.set(offset);
			await until('the end has moved', async () => Math.abs((await left()) - 3600) < 60);
			const after = await watcher(house, worker);
			await until(`it is cleared for who comes, ${name}`, () => after.values.length > 0);
			assert.deepEqual(after.values, ['clear'], name);
		}
		await house.daemon.kill();
		clock.set(0);
		const alone = await house.client(worker);
		const [value] = await event(alone, 'altsvc');
		assert.equal(value, 'clear');
		clock.set(-2 * DAY_S);
		await house.startDaemon(); // what it left in the file is from tomorrow
		assert.ok((await left()) < 3700, `${await left()}`);
	});
});
