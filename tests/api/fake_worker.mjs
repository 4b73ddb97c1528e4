// SPDX-License-Identifier: Apache-2.0
//
// A worker by script: speaks api/rpc.md to the daemon, hosts sessions that are objects in a Map, and does with
// pushes what the test says. Nothing of libh2sess is in it.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { within } from '../common.mjs';

export const newBoot = () => randomBytes(6).toString('hex');

export function sessionObject(worker, n, extra = {}) {
	return {
		id: `${worker.boot}-${n}`, worker: worker.name, peer: { address: '192.0.2.1', port: 50000 + n },
		encrypted: true, alpnProtocol: 'h2', servername: 'example.org', tlsVersion: 'TLSv1.3',
		cipher: 'TLS_AES_128_GCM_SHA256', originSet: ['https://example.org'], connecting: false, closed: false,
		destroyed: false, localSettings: {}, remoteSettings: {}, pendingSettingsAck: false, state: {}, labels: {},
		userAgent: null, createdAt: new Date().toISOString(), idleMs: 0, openStreams: 1, streams: 1, altsvc: [],
		policies: [], altUsed: 0, misdirected: 0, ...extra,
	};
}

export class RpcError extends Error {
	constructor(code, name, data = {}) {
		super(data.message ?? name);
		this.rpc = { code, message: this.message, data: { code: name, ...data, message: undefined } };
	}
}

// Emits 'request' (each that came), 'close', 'filter'.
export class FakeWorker extends EventEmitter {
	constructor(rpc, options = {}) {
		super();
		this.rpc = rpc;
		this.name = options.name ?? 'edge1';
		this.boot = options.boot ?? newBoot();
		this.hello = options.hello ?? {};
		this.sessions = new Map();
		this.pushes = new Map();
		this.seq = 0;
		this.calls = new Map();
		this.lastId = 0;
		this.requests = [];
		// What becomes of a push: 'received', 'written', 'queued', a reason of not_sent, or a function.
		this.fate = options.fate ?? 'received';
		this.handlers = options.handlers ?? {};
	}

	connect() {
		return new Promise((resolve, reject) => {
			this.socket = net.connect(this.rpc);
			this.buffer = '';
			this.socket.setEncoding('utf8');
			this.socket.on('data', (data) => this.#take(data));
			this.socket.on('error', () => {});
			this.socket.on('close', () => {
				for (const call of this.calls.values())
					call.reject(new Error('connection closed'));
				this.calls.clear();
				this.emit('close');
			});
			this.socket.once('connect', resolve);
			this.socket.once('error', reject);
		});
	}

	helloParams() {
		return {
			protocol: { min: 1, max: 1 }, name: this.name, boot: this.boot, succeeds: null, pid: process.pid,
			version: '0.1.0', startedAt: new Date().toISOString(), state: 'running', labels: { region: 'eu' },
			listen: [{ address: '0.0.0.0', port: 443, tls: true }], sessions: this.sessions.size,
			capabilities: ['altsvc', 'origin', 'session', 'fanout', 'policies', 'accept'], certificates: [], lastReload: null, events: this.seq, pushes: [],
			...this.hello,
		};
	}

	// Connect and say hello; the result of hello.
	async start() {
		await this.connect();
		return this.call('hello', this.helloParams());
	}

	stop() {
		const closed = new Promise((resolve) => this.socket.once('close', resolve));
		this.socket.destroy();
		return closed;
	}

	call(method, params) {
		const id = ++this.lastId;
		return within(new Promise((resolve, reject) => {
			this.calls.set(id, { resolve, reject });
			this.send({ id, method, params });
		}), `the answer to ${method}`);
	}

	notify(method, params) {
		this.send({ method, params });
	}

	send(message) {
		this.socket.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
	}

	addSession(n, extra) {
		const session = sessionObject(this, n, extra);
		this.sessions.set(session.id, session);
		return session;
	}

	event(type, session, data = {}, extra = {}) {
		this.notify('event', { seq: ++this.seq, time: new Date().toISOString(), type, session, data, ...extra });
	}

	#take(data) {
		this.buffer += data;
		const lines = this.buffer.split('\n');
		this.buffer = lines.pop();
		for (const line of lines)
			this.#message(JSON.parse(line));
	}

	#message(message) {
		if (!message.method) {
			const call = this.calls.get(message.id);
			this.calls.delete(message.id);
			if (message.error)
				(call ?? { reject: (e) => this.emit('refused', e) }).reject(
					Object.assign(new Error(message.error.message), message.error));
			else
				call?.resolve(message.result);
			return;
		}
		if (message.method === 'events.filter') {
			this.filter = message.params;
			this.emit('filter', message.params);
			return;
		}
		this.requests.push(message);
		this.#answer(message);
		this.emit('request', message);
	}

	#answer(message) {
		const handler = this.handlers[message.method] ?? FakeWorker.defaults[message.method];
		try {
			const result = handler(this, message.params, message);
			if (result !== undefined)
				this.send({ id: message.id, result });
		} catch (error) {
			if (!error.rpc)
				throw error;
			this.send({ id: message.id, error: error.rpc });
		}
	}

	find(id) {
		const session = this.sessions.get(id);
		if (!session)
			throw new RpcError(-30, 'ERR_NOT_FOUND', { field: 'session' });
		return session;
	}

	update(push, session, outcome, reason = '', state) {
		const counts = { queued: 0, written: 0, received: 0, notSent: 0, unknown: 0 };
		counts[outcome === 'not_sent' ? 'notSent' : outcome] = 1;
		state ??= outcome === 'received' || outcome === 'not_sent' ? 'done' : 'running';
		return { push, state, matched: 1, ...counts, sessions: [{ session, outcome, reason }] };
	}

	settle(push, session, outcome, reason) {
		this.notify('push.update', this.update(push, session, outcome, reason));
	}

	static push(worker, params, message) {
		worker.find(params.session);
		const fate = worker.fate;
		if (typeof fate === 'function')
			return fate(worker, params, message);
		queueMicrotask(() => {
			if (fate === 'written' || fate === 'received')
				worker.settle(params.push, params.session, 'written');
			if (fate === 'received' && params.receipt !== 'written')
				worker.settle(params.push, params.session, 'received');
			else if (fate !== 'queued' && fate !== 'written' && fate !== 'received')
				worker.settle(params.push, params.session, 'not_sent', fate);
		});
		return { outcome: 'queued', reason: '', warnings: [] };
	}

	// The sessions that a selector means: ids, label and all are enough for tests.
	match(select) {
		return [...this.sessions.values()].filter((session) =>
			(!select.ids || select.ids.includes(session.id)) &&
			Object.entries(select.label ?? {}).every(([key, value]) => session.labels[key] === value));
	}

	// push.update of a fan-out: outcome of each session in a Map id -> [outcome, reason].
	tellMany(push, outcomes, state, extra = {}) {
		const counts = { queued: 0, written: 0, received: 0, notSent: 0, unknown: 0 };
		const changes = new Map();
		for (const [id, [outcome, reason = '']] of outcomes) {
			counts[outcome === 'not_sent' ? 'notSent' : outcome]++;
			const key = `${outcome}/${reason}`;
			if (!changes.has(key))
				changes.set(key, { outcome, reason, numbers: [] });
			changes.get(key).numbers.push(Number(id.split('-')[1]));
		}
		this.notify('push.update', { push, state, matched: outcomes.size, ...counts, changes: [...changes.values()], ...extra });
	}

	static start(worker, params) {
		const matched = worker.match(params.select);
		const warnings = worker.warnings ?? [];
		if (params.dryRun)
			return { matched: matched.length, warnings, refused: worker.refused ?? {} };
		const outcomes = new Map(matched.map((session) => [session.id, ['queued']]));
		worker.pushes.set(params.push, outcomes);
		const set = (fate) => {
			for (const id of outcomes.keys())
				outcomes.set(id, fate === 'written' || fate === 'received' || fate === 'queued' ? [fate] : ['not_sent', fate]);
		};
		queueMicrotask(() => {
			if (worker.fate === 'queued')
				return;
			set('written');
			worker.tellMany(params.push, outcomes, 'running');
			if (worker.fate === 'written' && params.receipt !== 'written')
				return;
			set(params.receipt === 'written' ? 'written' : worker.fate);
			worker.tellMany(params.push, outcomes, 'done');
		});
		return { matched: matched.length, warnings, refused: {} };
	}

	static cancel(worker, { push }) {
		const outcomes = worker.pushes.get(push);
		if (!outcomes)
			return { cancelled: 1 };
		let cancelled = 0;
		for (const [id, [outcome]] of outcomes)
			if (outcome === 'queued') {
				outcomes.set(id, ['not_sent', 'CANCELLED']);
				cancelled++;
			}
		queueMicrotask(() => worker.tellMany(push, outcomes, 'cancelled'));
		return { cancelled };
	}

	static defaults = {
		'sessions.list': (worker, { limit, after }) => {
			const all = [...worker.sessions.values()];
			const n = (id) => Number(id.split('-')[1]);
			const rest = all.filter((s) => !after || n(s.id) > n(after));
			const page = rest.slice(0, limit);
			return { sessions: page, next: rest.length > limit ? page.at(-1).id : null, total: all.length };
		},
		'session.get': (worker, { session }) => worker.find(session),
		'session.streams': (worker, { session }) => (worker.find(session), { streams: [] }),
		'session.altsvc': (worker, params, message) => FakeWorker.push(worker, params, message),
		'session.origin': (worker, params, message) => FakeWorker.push(worker, params, message),
		'session.goaway': (worker, { session }) => (worker.find(session), { closes: false }),
		'session.ping': (worker, { session }) => (worker.find(session), { roundTrip: 1.25 }),
		'session.settings': (worker, { session }) => (worker.find(session), { roundTrip: 2.5 }),
		'session.close': (worker, { session }) => (worker.find(session), {}),
		'session.destroy': (worker, { session }) => (worker.find(session), {}),
		'session.setTimeout': (worker, { session }) => (worker.find(session), {}),
		'session.setLocalWindowSize': (worker, { session }) => (worker.find(session), {}),
		'session.emit': (worker, { session }) => (worker.find(session), { listened: false }),
		'session.setLabels': (worker, { session, labels }) => {
			const one = worker.find(session);
			for (const [key, value] of Object.entries(labels))
				if (value === null) delete one.labels[key];
				else one.labels[key] = value;
			return { labels: one.labels };
		},
		'push.start': (worker, params) => FakeWorker.start(worker, params),
		'push.cancel': (worker, params) => FakeWorker.cancel(worker, params),
		'worker.accept': (worker, { accepting }) => ((worker.accepting = accepting), {}),
		'worker.stats': (worker) => ({
			sessions: worker.sessions.size, sessionsTotal: worker.sessions.size, streamsTotal: 0, misdirected: 2,
			altUsed: 3, bytesReceived: 0, bytesSent: 0, limits: { flood: 1 }, eventsDropped: 0,
		}),
	};
}
