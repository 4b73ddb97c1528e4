// SPDX-License-Identifier: Apache-2.0
//
// A recorded history: pushes and events while the daemon and the workers are killed (-9) at random moments; then it is
// checked offline that
//
//   - no acknowledged push is lost, and a key that was sent again made no second push, after a restart either;
//   - policies are as their last acknowledged change left them;
//   - no client got a frame twice, each `received` was received, and nothing `not_sent` ever came;
//   - every push comes to an end, and its counts sum up;
//   - events were read in order, each once, and none is missing that no gap spoke of;
//   - each acknowledged push, and each acknowledged change of a policy, stands in the audit.
//
// The seed is printed; H2SESS_SEED=N plays its choices again, not its timing.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';

import { House, certificateFiles, ending, loopback, sleep, until } from './support.mjs';

const CHAOS_MS = 6000;
const CLIENTS = 8;
const seed = Number(process.env.H2SESS_SEED ?? Math.floor(Math.random() * 2 ** 31));

// mulberry32
function generator(state) {
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let x = Math.imul(state ^ (state >>> 15), 1 | state);
		x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
		return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
	};
}

const random = generator(seed);
const below = (n) => Math.floor(random() * n);

// A client that connects again whenever its worker has gone; frames: alt -> how often it came.
class Client {
	constructor(worker) {
		this.worker = worker; // a function: the one that lives now
		this.frames = [];
		this.connect();
	}

	connect() {
		if (this.stopped)
			return;
		const session = http2.connect(`https://localhost:${this.worker().port}`, { ca: certificateFiles().pem, lookup: loopback });
		this.session = session;
		session.on('altsvc', (alt) => this.frames.push(alt));
		session.on('error', () => {});
		session.on('close', () => setTimeout(() => this.connect(), 20).unref());
	}

	stop() {
		this.stopped = true;
		this.session.destroy();
	}
}

class History {
	constructor(house) {
		this.house = house;
		this.pushes = []; // {alt, key, ids, body, answered}
		this.events = [];
		this.running = true;
		this.kills = { daemon: 0, worker: 0 };
		this.policies = new Map(); // name -> the priority that was acknowledged, null: removed
		this.changes = 0; // of policies, acknowledged
	}

	// A request that is made again until the daemon is there; null: the time is over.
	async insist(method, target, body) {
		while (this.running) {
			const answer = await this.house.request(method, target, body).catch(() => null);
			if (answer && answer.status !== 503)
				return answer;
			await sleep(20);
		}
		return null;
	}

	// One change after the other, for sessions that do not exist: nothing is sent. Every one can be made again, and says
	// the same. What was true before the last kill is looked at before the next change.
	async changePolicies() {
		for (let n = 1, seen = 0; this.running; n++) {
			if (this.kills.daemon !== seen && await this.checkPolicies())
				seen = this.kills.daemon;
			const name = `p${below(5)}`, target = `/v1/policies/${name}`, before = this.policies.get(name) ?? null;
			const choice = before === null ? 'PUT' : random() < 0.3 ? 'DELETE' : 'PATCH';
			const body = choice === 'PUT' ? { select: { sni: 'nobody.example' }, alt: 'clear', origin: 'https://example.org', priority: n }
				: choice === 'PATCH' ? { priority: n } : undefined;
			this.policies.delete(name); // until it is answered, either may be true
			const answer = await this.insist(choice, target, body);
			if (!answer)
				return;
			assert.ok(answer.status < 300 || (choice === 'DELETE' && answer.status === 404), `${choice} ${name}: ${answer.status}`);
			this.policies.set(name, choice === 'DELETE' ? null : n);
			this.changes += answer.status < 300;
			await sleep(below(30));
		}
	}

	async checkPolicies() {
		const answer = await this.insist('GET', '/v1/policies');
		if (!answer)
			return false;
		const there = new Map(answer.body.policies.filter((one) => one.state === 'active').map((one) => [one.name, one.priority]));
		for (const [name, priority] of this.policies)
			assert.equal(there.get(name) ?? null, priority, `the policy ${name} is not as it was acknowledged`);
		return true;
	}

	// A key that was answered, sent again to whatever daemon there is now.
	async repeat() {
		const old = this.pushes.filter((record) => record.answers > 0);
		const record = old[below(old.length)];
		if (record)
			await this.make(record.target, record.body, record);
	}

	// A request that is made again until it is answered; every answer is of the same push.
	async make(target, body, record) {
		while (this.running) {
			try {
				const { status, body: answer } = await this.house.request('POST', target, body, { 'idempotency-key': record.key });
				record.statuses.push(status);
				if (status < 300) {
					record.ids.add(answer.push.id);
					record.answers++;
					if (record.answers === 1 && random() < 0.2)
						continue; // a nervous client
					return;
				}
				if (status !== 503)
					return;
			} catch {
				record.broken++;
			}
			await sleep(20);
		}
	}

	async push(n) {
		const record = { alt: `h2=":${n + 1}"; ma=1`, key: `key-${n}`, ids: new Set(), statuses: [], answers: 0, broken: 0 };
		const body = { alt: record.alt, origin: 'https://example.org', wait: random() < 0.5 ? 'written' : 'received', timeout: 1 };
		let target = '/v1/altsvc';
		if (random() < 0.5) {
			body.select = { all: true };
			if (random() < 0.5)
				body.perSecond = 10 + below(200);
			if (random() < 0.5)
				delete body.wait;
		} else {
			const sessions = await this.house.sessions().catch(() => []);
			if (sessions.length === 0)
				return;
			target = `/v1/sessions/${sessions[below(sessions.length)].id}/altsvc`;
		}
		this.pushes.push(Object.assign(record, { target, body }));
		await this.make(target, body, record);
	}

	async pushForever(first) {
		for (let n = first; this.running; n += 4) {
			await this.push(n).catch(() => {});
			await sleep(below(30));
		}
	}

	// One reader that comes back with the last id that it saw.
	async read() {
		let last;
		while (this.running || this.drainReader) {
			try {
				const stream = await this.house.events(last ? `?since=${last}` : '');
				for (let at = 0; (this.running || this.drainReader) && !stream.ended;) {
					for (; at < stream.list.length; at++) {
						const one = stream.list[at];
						this.events.push(one);
						last = one.id ?? last;
					}
					await sleep(10);
				}
				stream.close();
			} catch {
				await sleep(20);
			}
		}
	}

	async kill(workers) {
		while (this.running) {
			await sleep(300 + below(900));
			if (random() < 0.6) {
				this.kills.daemon++;
				await this.house.daemon.kill('SIGKILL');
				await sleep(below(200));
				await this.house.startDaemon();
				await this.repeat();
			} else {
				this.kills.worker++;
				const at = below(workers.length);
				await workers[at].kill('SIGKILL');
				workers[at] = await this.house.worker({ name: workers[at].workerName, known: false });
			}
		}
	}
}

async function end(house, id) {
	for (;;) {
		const { status, body } = await house.get(`/v1/pushes/${id}?wait=done&timeout=30`);
		if (status !== 200 || body.push.state !== 'running')
			return { status, ...body };
	}
}

async function outcomes(house, id) {
	const all = [];
	for (let next = ''; next !== null;) {
		const { body } = await house.get(`/v1/pushes/${id}/sessions?limit=1000${next && `&cursor=${next}`}`);
		all.push(...body.sessions);
		({ next } = body);
	}
	return all;
}

async function checkPushes(house, history, frames) {
	let done = 0;
	for (const record of history.pushes) {
		const came = frames.get(record.alt) ?? 0;
		assert.ok(record.ids.size <= 1, `two pushes of ${record.key}: ${[...record.ids]}`);
		if (record.ids.size === 0)
			continue;
		const [id] = record.ids;
		const { status, push, warnings } = await end(house, id);
		assert.equal(status, 200, `the acknowledged push ${id} is lost`);
		const sum = push.queued + push.written + push.received + push.notSent + push.unknown;
		assert.equal(sum, push.matched, JSON.stringify(push));
		assert.equal(push.queued, 0);
		const sessions = await outcomes(house, id);
		const known = (outcome) => sessions.filter((one) => one.outcome === outcome).length;
		assert.ok(came >= push.received, `${id}: ${came} came, ${push.received} received`);
		// A worker that died before anybody had written down how many sessions it would tell: then that is said.
		const lost = !push.session && warnings.some(({ rule }) => rule === 'WORKER_LOST');
		assert.ok(came <= push.matched - push.notSent || lost, `${id}: ${came} came: ${JSON.stringify([push, warnings])}`);
		assert.deepEqual([known('received'), known('not_sent')], [push.received, push.notSent], JSON.stringify([push, sessions]));
		done++;
	}
	return done;
}

// What the daemon says to this reader alone: its id is only how far the reader is.
const isOwn = (one) => one.type === 'bookmark' || one.type === 'snapshot' || (one.type === 'gap' && !one.worker);

function checkEvents(read, log) {
	const events = read.filter((one) => !isOwn(one));
	const number = (one) => Number(one.id.split('-')[1]);
	for (let i = 1; i < events.length; i++)
		assert.ok(number(events[i]) > number(events[i - 1]), `${events[i - 1].id} before ${events[i].id}`);
	const seen = new Set(events.map((one) => one.id));
	const missing = log.filter((one) => !isOwn(one) && number(one) > number(events[0]) &&
		number(one) < number(events.at(-1)) && !seen.has(one.id));
	const told = read.filter((one) => isOwn(one) && one.type === 'gap').reduce((sum, one) => sum + (one.data.count ?? 0), 0);
	assert.equal(missing.length, told, `missing: ${missing.map((one) => one.id)}`);
	return events.length;
}

test('nothing acknowledged is lost, nothing comes twice, and everything is accounted for', async (t) => {
	t.diagnostic(`H2SESS_SEED=${seed}`);
	const house = await House.open(t);
	const workers = [await house.worker({ name: 'edge1' }), await house.worker({ name: 'edge2' })];
	const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(() => workers[i % 2]));
	ending(t, () => clients.forEach((client) => client.stop()));
	await until('every session', async () => (await house.sessions()).length === CLIENTS);
	const history = new History(house);
	const reader = history.read();
	const actors = [...[0, 1, 2, 3].map((n) => history.pushForever(n)), history.changePolicies(), history.kill(workers)];
	ending(t, () => {
		Object.assign(history, { running: false, drainReader: false });
		return Promise.allSettled([reader, ...actors]);
	});
	await sleep(CHAOS_MS);
	await until('enough of it', () => history.kills.daemon + history.kills.worker >= 3 &&
		history.pushes.filter((record) => record.ids.size).length > 20, 40000);
	history.drainReader = true;
	history.running = false;
	await Promise.all(actors);
	await until('both workers', async () => (await house.get('/v1/workers')).body.workers?.length === 2);
	history.running = true;
	await history.checkPolicies();
	history.running = false;

	const frames = new Map();
	const acknowledged = history.pushes.filter((record) => record.ids.size);
	for (const record of acknowledged)
		await end(house, [...record.ids][0]);
	for (const client of clients) {
		const mine = client.frames;
		assert.equal(new Set(mine).size, mine.length, `a frame came twice: ${mine}`);
		for (const alt of mine)
			frames.set(alt, (frames.get(alt) ?? 0) + 1);
	}
	const pushes = await checkPushes(house, history, frames);

	const complete = await house.events('?since=x-0');
	const newest = await until('the log', () => complete.list.at(-1));
	await until('the reader is there', () => history.events.some((one) => one.id === newest.id));
	history.drainReader = false;
	await reader;
	const events = checkEvents(history.events, complete.list);

	const entries = [];
	for (let next = ''; next !== null;) {
		const { body } = await house.get(`/v1/audit?limit=1000${next && `&cursor=${next}`}`);
		entries.push(...body.audit);
		({ next } = body);
	}
	const audited = new Set(entries.map((entry) => entry.push));
	const changes = entries.filter((entry) => entry.path.startsWith('/v1/policies/') && entry.status < 300).length;
	assert.ok(changes >= history.changes, `${changes} changes of policies in the audit, ${history.changes} were acknowledged`);
	for (const record of acknowledged)
		assert.ok(audited.has([...record.ids][0]), `not in the audit: ${[...record.ids]}`);
	t.diagnostic(`${history.kills.daemon} kills of the daemon, ${history.kills.worker} of workers; ` +
		`${pushes} pushes, ${history.changes} changes of policies, ${events} events`);
	assert.ok(pushes > 20);
});
