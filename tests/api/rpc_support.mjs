// SPDX-License-Identifier: Apache-2.0
//
// A scripted daemon that speaks api/rpc.md, a real worker, and clients: what the tests of the worker's
// side share.
//
// $H2SESS_BUILD is the build under test (build/). Nothing sleeps but to see that something does not come.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import path from 'node:path';

import { build, ending, event, temporary, until, within } from '../common.mjs';

export { build as BUILD, ending, sleep, until, within } from '../common.mjs';
const WORKER = path.join(build, 'bin', 'h2sess-worker');
const STOP_MS = 30000; // that the worker may take to its end
export const LINE_MAX = 4 * 1024 * 1024;

/** Values that come one after the other, and those who wait for the next. */
export class Queue {
	constructor() {
		this.values = [];
		this.waiting = [];
		this.ended = false;
	}

	put(value) {
		const taker = this.waiting.shift();
		if (taker) taker(value);
		else this.values.push(value);
	}

	end() {
		this.ended = true;
		for (const taker of this.waiting.splice(0)) taker(undefined);
	}

	/** The next value; undefined at the end. */
	next(what, ms) {
		if (this.values.length) return Promise.resolve(this.values.shift());
		if (this.ended) return Promise.resolve(undefined);
		return within(new Promise((resolve) => this.waiting.push(resolve)), what, ms);
	}
}

/** The daemon's end of one connection. */
export class Link {
	constructor(socket) {
		this.socket = socket;
		this.messages = new Queue(); // what is no answer to a request of ours
		this.answers = new Map();
		this.lastId = 100;
		this.rest = '';
		socket.setEncoding('utf8');
		socket.on('data', (piece) => this.feed(piece));
		socket.on('error', () => {});
		this.closed = new Promise((resolve) => socket.on('close', resolve));
		this.closed.then(() => {
			this.messages.end();
			for (const answer of this.answers.values()) answer({});
		});
	}

	feed(piece) {
		const lines = (this.rest + piece).split('\n');
		this.rest = lines.pop();
		for (const line of lines) {
			assert.ok(Buffer.byteLength(line) < LINE_MAX);
			this.take(JSON.parse(line));
		}
	}

	take(message) {
		assert.equal(message.jsonrpc, '2.0');
		const answer = !message.method && this.answers.get(message.id);
		if (answer) {
			this.answers.delete(message.id);
			answer(message);
		} else {
			this.messages.put(message);
		}
	}

	say(message) {
		this.socket.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
	}

	notify(method, params) {
		this.say({ method, params });
	}

	/** Ask, and give the whole answer: {result} or {error}. */
	ask(method, params = {}) {
		const id = ++this.lastId;
		const answer = new Promise((resolve) => this.answers.set(id, resolve));
		this.say({ id, method, params });
		return within(answer, `the answer to ${method}`);
	}

	async result(method, params) {
		const answer = await this.ask(method, params);
		assert.equal(answer.error, undefined, JSON.stringify(answer.error));
		return answer.result;
	}

	async error(method, params) {
		const answer = await this.ask(method, params);
		assert.ok(answer.error, `${method} ${JSON.stringify(params)}: ${JSON.stringify(answer.result)}`);
		return answer.error;
	}

	/** The next message for which `wanted` holds; others are dropped. */
	async message(what, wanted) {
		for (;;) {
			const message = await this.messages.next(what);
			assert.ok(message, `the link closed before ${what}`);
			if (wanted(message)) return message;
		}
	}

	async next(what, wanted) {
		return (await this.message(what, wanted)).params;
	}

	event(type, wanted = () => true) {
		return this.next(`event ${type}`, ({ method, params }) =>
			method === 'event' && params.type === type && wanted(params));
	}

	/** The next event or gap. */
	item() {
		return this.next('an event', ({ method }) => method === 'event' || method === 'events.gap');
	}

	update(push, outcome) {
		return this.next(`${push} ${outcome}`, ({ method, params }) =>
			method === 'push.update' && params.push === push && params.sessions[0].outcome === outcome);
	}
}

/** The daemon: it accepts, and answers hellos when told to. */
export class Daemon {
	constructor(file) {
		this.path = file;
		this.links = new Queue();
		this.all = [];
	}

	async listen() {
		fs.rmSync(this.path, { force: true });
		this.server = net.createServer((socket) => {
			const link = new Link(socket);
			this.all.push(link);
			this.links.put(link);
		});
		this.server.listen(this.path);
		await once(this.server, 'listening');
	}

	/** As if the process had been killed. */
	async vanish() {
		for (const link of this.all.splice(0)) link.socket.destroy();
		this.server.close();
		await once(this.server, 'close');
		for (const link of this.links.values.splice(0)) link.socket.destroy();
	}

	/** The next connection, with its hello, not answered. */
	async connection() {
		const link = await this.links.next('a connection');
		const message = await link.messages.next('hello');
		if (!message) return this.connection();
		assert.equal(message.method, 'hello');
		link.helloId = message.id;
		link.hello = message.params;
		return link;
	}

	/** The next connection, its hello answered, and the answer heard by every thread; more: further members of the answer. */
	async up(types = [], more = {}) {
		const link = await this.connection();
		link.say({ id: link.helloId, result: { protocol: 1, filter: { types }, ...more } });
		await link.result('worker.stats');
		return link;
	}
}

/** A worker and a daemon for one test. */
export class Scene {
	static async open(t, args = []) {
		const scene = new Scene();
		scene.dir = temporary(t);
		scene.daemon = new Daemon(path.join(scene.dir, 'rpc.sock'));
		scene.clients = [];
		ending(t, () => scene.daemon.vanish());
		await scene.daemon.listen();
		ending(t, () => scene.stop());
		await scene.start(args);
		return scene;
	}

	async start(args) {
		const ready = path.join(this.dir, 'ready');
		this.stderr = '';
		const app = args.includes('--app') ? [] : ['--app', 'echo'];
		this.worker = spawn(WORKER, ['--listen-h2c', '127.0.0.1:0', ...app, '--control',
			this.daemon.path, '--name', 'w1', '--ready-file', ready, ...args],
		{ stdio: ['ignore', 'ignore', 'pipe'] });
		this.worker.stderr.on('data', (piece) => (this.stderr += piece));
		this.exit = once(this.worker, 'close');
		const text = await until('the ready file', () => {
			assert.equal(this.worker.exitCode, null, this.stderr);
			return fs.existsSync(ready) && fs.readFileSync(ready, 'utf8');
		});
		const { listen } = JSON.parse(text);
		this.port = listen.find(({ tls }) => !tls).port;
		this.tlsPort = listen.find(({ tls }) => tls)?.port;
	}

	/** A client whose session the worker has; over TLS when options say so. */
	async client(options) {
		const client = options ? http2.connect(`https://127.0.0.1:${this.tlsPort}`, { rejectUnauthorized: false, ...options })
			: http2.connect(`http://127.0.0.1:${this.port}`);
		client.on('error', () => {});
		this.clients.push(client);
		await event(client, 'remoteSettings');
		return client;
	}

	async stop() {
		for (const client of this.clients) client.destroy();
		this.worker.kill('SIGTERM');
		const timer = setTimeout(() => this.worker.kill('SIGKILL'), STOP_MS);
		await this.exit;
		clearTimeout(timer);
		assert.doesNotMatch(this.stderr, /Sanitizer|runtime error:/);
		assert.equal(this.worker.exitCode, 0, this.stderr);
	}
}

/** Ask for `path` and read the whole answer. */
export async function get(client, file = '/', headers = {}) {
	const stream = client.request({ ':path': file, ...headers });
	stream.resume();
	await event(stream, 'close');
}

/** n requests, some at a time. */
export async function getMany(client, n) {
	let left = n;
	const run = async () => {
		while (left-- > 0) await get(client);
	};
	await Promise.all(Array.from({ length: 50 }, run));
}

export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export async function pushScene(t, args) {
	const scene = await Scene.open(t, args);
	const link = await scene.daemon.up();
	const client = await scene.client();
	const { session } = await link.event('connect');
	return { scene, link, client, session };
}

/** An HTTP/2 client that says its preface and then nothing: no PING is answered. */
export function rawClient(port) {
	const socket = net.connect(port, '127.0.0.1');
	socket.on('error', () => {});
	socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
	socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0])); // SETTINGS, ACK
	socket.resume();
	return socket;
}
