// SPDX-License-Identifier: Apache-2.0
//
// Starts the daemon for a test, in a directory of its own, and talks HTTP to it.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { build, ending, until, within } from '../common.mjs';

export const binary = path.join(build, 'bin', 'h2sess-controld');
const STOP_MS = 30000; // that the daemon may take to its end
const CALL_MS = 100000; // a call may be asked to wait for a minute
const TEST_MS = 150000; // less than tests/run lets a file take

export class Daemon {
	/** One that ends with the test t. */
	static of(t, args, options) {
		const daemon = new Daemon(args, options);
		ending(t, () => daemon.end());
		return daemon;
	}

	constructor(args = [], options = {}) {
		this.dir = options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'hc-'));
		this.rpc = path.join(this.dir, 'rpc.sock');
		this.socketPath = path.join(this.dir, 'api.sock');
		this.tokenFile = path.join(this.dir, 'tokens');
		this.args = args;
		this.log = '';
		this.tcp = options.tcp ?? false;
	}

	static token(role, name) {
		const [token, line] = execFileSync(binary, ['--new-token', role, name], { encoding: 'utf8' }).split('\n');
		return { token, line };
	}

	async start() {
		const ready = path.join(this.dir, 'ready');
		const args = ['--rpc', this.rpc, '--api', `unix:${this.socketPath}`, '--ready-file', ready, ...this.args];
		if (!this.args.includes('--state'))
			args.push('--no-state');
		if (this.tcp) {
			this.tokens = Object.fromEntries(
				['read', 'push', 'admin'].map((role) => [role, Daemon.token(role, `t-${role}`)]));
			fs.writeFileSync(this.tokenFile, Object.values(this.tokens).map((t) => `${t.line}\n`).join(''));
			args.push('--api', '127.0.0.1:0', '--token-file', this.tokenFile);
		}
		fs.rmSync(ready, { force: true });
		this.child = spawn(this.binary ?? binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
		this.child.stderr.setEncoding('utf8').on('data', (data) => (this.log += data));
		this.ended = new Promise((resolve) => this.child.on('close', resolve));
		this.ready = await until('the ready file of the daemon', () => {
			if (this.hasEnded())
				throw new Error(`the daemon ended: ${this.child.exitCode ?? this.child.signalCode}: ${this.log}`);
			return fs.existsSync(ready) && JSON.parse(fs.readFileSync(ready, 'utf8'));
		});
		this.port = this.ready.api.find((api) => api.port)?.port;
		return this;
	}

	hasEnded() {
		return this.child.exitCode !== null || this.child.signalCode !== null;
	}

	/** Wait until the log has a text or pattern: what the daemon wrote before an answer may come after it. */
	async says(what) {
		const pattern = what instanceof RegExp ? what : RegExp(what.replace(/[^\w ]/g, '\\$&'));
		await until(`${pattern} in the log of the daemon`, () => pattern.test(this.log));
		return this.log;
	}

	/** End it, unless it has ended. Its log is whole then. */
	async stop(signal = 'SIGTERM') {
		this.child.kill(signal);
		const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
		await this.ended;
		clearTimeout(timer);
		return this.child.exitCode;
	}

	/** The end of the test: it stops in peace, unless the test killed it. */
	async end() {
		if (this.child) {
			const wasKilled = this.child.signalCode === 'SIGKILL';
			const code = await this.stop();
			if (code !== 0 && !wasKilled)
				throw new Error(`the daemon ended with ${code ?? this.child.signalCode}: ${this.log}`);
		}
		fs.rmSync(this.dir, { recursive: true, force: true });
	}

	// {status, headers, text, json}
	request(method, target, { body, headers = {}, token, agent } = {}) {
		const tcp = token !== undefined;
		const options = { method, path: target, headers: { ...headers }, agent: agent ?? false };
		if (tcp)
			Object.assign(options, { host: '127.0.0.1', port: this.port });
		else
			options.socketPath = this.socketPath;
		if (token)
			options.headers.Authorization ??= `Bearer ${token}`;
		const data = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
		if (data !== undefined)
			options.headers['Content-Type'] ??= 'application/json';
		return within(new Promise((resolve, reject) => {
			const request = http.request(options, async (response) => {
				let text = '';
				response.setEncoding('utf8');
				try {
					for await (const piece of response)
						text += piece;
				} catch (error) {
					reject(error);
					return;
				}
				const json = /json/.test(response.headers['content-type'] ?? '') &&
					!/ndjson/.test(response.headers['content-type']) && text ? JSON.parse(text) : undefined;
				resolve({ status: response.statusCode, headers: response.headers, text, json });
			});
			request.on('error', reject);
			request.end(data);
		}), `the answer to ${method} ${target}`, CALL_MS);
	}

	get(target, options) {
		return this.request('GET', target, options);
	}

	post(target, body, options = {}) {
		return this.request('POST', target, { ...options, body });
	}

	// Send octets, collect what comes until the other side closes.
	raw(octets, { tcp = false, half = false } = {}) {
		return within(new Promise((resolve, reject) => {
			const socket = tcp ? net.connect(this.port, '127.0.0.1') : net.connect(this.socketPath);
			let text = '';
			socket.setEncoding('latin1').on('data', (data) => (text += data));
			socket.on('error', (error) => (text ? resolve(text) : reject(error)));
			socket.on('close', () => resolve(text));
			socket.write(octets);
			if (half)
				socket.end();
		}), 'the end of a raw connection');
	}

	events(query = '', options = {}) {
		return EventStream.open(this, `/v1/events${query}`, options);
	}
}

// Reads SSE or NDJSON; next() resolves with {id, event, data} or null at the end.
export class EventStream {
	static open(daemon, target, { headers = {}, ndjson = false, token } = {}) {
		const to = token ? { host: '127.0.0.1', port: daemon.port } : { socketPath: daemon.socketPath };
		if (token)
			headers = { Authorization: `Bearer ${token}`, ...headers };
		return new Promise((resolve, reject) => {
			const request = http.get({
				...to, path: target, agent: false,
				headers: { Accept: ndjson ? 'application/x-ndjson' : 'text/event-stream', ...headers },
			}, (response) => resolve(new EventStream(request, response, ndjson)));
			request.on('error', reject);
		});
	}

	constructor(request, response, ndjson) {
		Object.assign(this, { request, response, ndjson, status: response.statusCode, items: [], waiting: [] });
		let text = '';
		const mark = ndjson ? '\n' : '\n\n';
		response.setEncoding('utf8');
		response.on('data', (data) => {
			const blocks = (text + data).split(mark);
			text = blocks.pop();
			for (const block of blocks)
				this.#put(this.#parse(block));
		});
		const end = () => {
			this.ended = true;
			this.#put(null);
		};
		response.on('end', end).on('error', end);
		request.on('error', end);
	}

	#parse(block) {
		if (this.ndjson)
			return block ? { data: JSON.parse(block) } : undefined;
		const fields = {};
		for (const line of block.split('\n')) {
			const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
			if (name && name !== 'retry')
				fields[name] = name === 'data' ? JSON.parse(value) : value;
		}
		return fields.data ? fields : undefined;
	}

	#put(item) {
		if (item === undefined)
			return;
		if (this.waiting.length)
			this.waiting.shift()(item);
		else
			this.items.push(item);
	}

	next() {
		if (this.items.length)
			return Promise.resolve(this.items[0] === null ? null : this.items.shift());
		return within(new Promise((resolve) => this.waiting.push(resolve)), 'the next event');
	}

	async take(n) {
		const all = [];
		while (all.length < n)
			all.push(await this.next());
		return all;
	}

	close() {
		this.request.destroy();
	}
}

// Start a daemon, and end it, around fn(), which fails rather than hang.
export async function withDaemon(args, options, fn) {
	const daemon = new Daemon(args, options);
	try {
		await daemon.start();
		await within(fn(daemon), 'the end of the test', TEST_MS);
	} finally {
		await daemon.end();
	}
}
