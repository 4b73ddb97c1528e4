// SPDX-License-Identifier: Apache-2.0
//
// Two workers, 5,000 live sessions: what is asked for all of them is accounted for session by session, also when the
// daemon or a worker is killed (-9) in the middle.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { test } from 'node:test';

import { BUILD, House, ending, kill, sanitized, until, within } from './support.mjs';

const EACH = 2500;
const ALL = 2 * EACH;
const ORIGIN = 'https://example.org';

/** tests/bench/clients.c: many clients in one thread; a line asks, a line answers. */
class Clients {
	constructor(t, port) {
		this.child = spawn(path.join(BUILD, 'tests', 'bench', 'clients'), ['h2c', `${port}`], { stdio: ['pipe', 'pipe', 'ignore'] });
		this.child.stdin.on('error', () => {});
		this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
		ending(t, () => kill(this.child));
	}

	async ask(what) {
		this.child.stdin.write(`${what}\n`);
		return (await within(this.lines.next(), `the answer to ${what}`, 120000)).value;
	}
}

/** Every page of a list. */
async function pages(house, target, name) {
	const all = [];
	for (let next = ''; next !== null;) {
		const { status, body } = await house.get(`${target}${target.includes('?') ? '&' : '?'}limit=1000${next && `&cursor=${next}`}`);
		assert.equal(status, 200);
		assert.ok(body[name].length <= 1000);
		all.push(...body[name]);
		({ next } = body);
	}
	return all;
}

const sum = ({ queued, written, received, notSent, unknown }) => queued + written + received + notSent + unknown;

/** The outcomes of a push: one a session, and as many of each as the push counts. */
async function outcomes(house, push) {
	const list = await pages(house, `/v1/pushes/${push.id}/sessions`, 'sessions');
	const count = (outcome) => list.filter((one) => one.outcome === outcome).length;
	assert.equal(new Set(list.map((one) => one.session)).size, list.length);
	assert.equal(list.length, push.matched);
	assert.equal(sum(push), push.matched);
	assert.deepEqual({ queued: count('queued'), written: count('written'), received: count('received'),
		notSent: count('not_sent'), unknown: count('unknown') },
	{ queued: push.queued, written: push.written, received: push.received, notSent: push.notSent, unknown: push.unknown });
	return list;
}

const ended = async (house, id) => (await house.get(`/v1/pushes/${id}?wait=done&timeout=60`)).body.push;
const push = (house, n, more) => house.post('/v1/altsvc', { select: { all: true }, alt: `h2=":${n}"`, origin: ORIGIN, ...more });

test('5,000 sessions are told, listed and accounted for, whoever is killed', {
	skip: sanitized && 'what it looks at is the number of sessions; history.mjs has the same kills under sanitizers',
}, async (t) => {
	const house = await House.open(t);
	const workers = [await house.worker({ name: 'edge1' }), await house.worker({ name: 'edge2' })];
	const crowds = workers.map((worker) => new Clients(t, worker.h2c));
	assert.deepEqual(await Promise.all(crowds.map((crowd) => crowd.ask(`open ${EACH}`))), Array(2).fill(`opened ${EACH}`));
	const live = new Set((await pages(house, '/v1/sessions', 'sessions')).map((session) => session.id));
	assert.equal(live.size, ALL);

	// All of them, and each says that it got it.
	await Promise.all(crowds.map((crowd) => crowd.ask('expect')));
	const { status, body: told } = await push(house, 1, { wait: 'received', timeout: 60 });
	assert.deepEqual([status, told.push.state, told.push.received], [200, 'done', ALL]);
	for (const line of await Promise.all(crowds.map((crowd) => crowd.ask('await'))))
		assert.match(line, /^received /);
	assert.ok((await outcomes(house, told.push)).every((one) => live.has(one.session)));

	// A share, and a larger one that holds it.
	const share = async (n, sample) => {
		const { body } = await push(house, n, { select: { sample }, wait: 'received', timeout: 60 });
		return (await outcomes(house, body.push)).map((one) => one.session);
	};
	const few = await share(2, 5), more = new Set(await share(3, 25));
	assert.ok(few.length > 0 && more.size < ALL && few.every((id) => more.has(id)), `${few.length} of ${more.size}`);

	// The daemon dies while they are told: the workers go on, and it counts on.
	const { body: orphan } = await push(house, 4, { perSecond: 2 * ALL });
	await house.daemon.kill();
	await house.startDaemon();
	await until('both workers', async () => (await house.get('/v1/workers')).body.workers?.length === 2);
	const counted = await ended(house, orphan.push.id);
	assert.deepEqual([counted.state, counted.received], ['done', ALL]);
	assert.deepEqual(new Set((await outcomes(house, counted)).map((one) => one.session)), live);

	// A worker dies while they are told: what it had not said is unknown, all else is known.
	const { body: half } = await push(house, 5, { perSecond: 2 * ALL });
	await until('some were told', async () => (await house.get(`/v1/pushes/${half.push.id}`)).body.push.received > 0);
	await workers[1].kill();
	const torn = await ended(house, half.push.id);
	assert.deepEqual([torn.state, torn.matched], ['done', ALL]);
	const list = await outcomes(house, torn);
	const boot = (await house.get('/v1/workers/edge1')).body.boot;
	assert.ok(torn.unknown > 0);
	assert.ok(list.every((one) => one.outcome === (one.session.startsWith(`${boot}-`) ? 'received' : one.outcome)));
	assert.equal((await pages(house, '/v1/sessions', 'sessions')).length, EACH);
});
