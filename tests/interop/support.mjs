// SPDX-License-Identifier: Apache-2.0
//
// What the interop tests share: a worker and a controld of the build under test, on temporary sockets and
// free ports; certificates; the HTTP API; event streams; waiting for what must come.
//
//   const house = await House.open(t);          everything is ended with the test t
//   const worker = await house.worker();        {port, h2c, pid, ...}
//   const client = house.client(worker);        a Node HTTP/2 client, connected
//   const answer = await house.post(`/v1/sessions/${id}/altsvc`, {...});
//
// Nothing sleeps: each wait has a condition and a deadline. Sanitizer reports of any program fail the test.

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';

import { build as BUILD, ending, event, until, within } from '../common.mjs';

export { build as BUILD, ending, event, has, kill, sanitized, sleep, until, within } from '../common.mjs';

/** A certificate for the hosts that the tests speak of, made once a process. */
let certificate;
export function certificateFiles() {
	if (certificate) return certificate;
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'h2sess-cert-'));
	const cert = path.join(dir, 'cert.pem');
	const key = path.join(dir, 'key.pem');
	execFileSync('openssl', [
		'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
		'-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext',
		'subjectAltName=DNS:localhost,DNS:example.org,DNS:example.com,DNS:alt.example.org,IP:127.0.0.1',
	], { stdio: 'ignore' });
	process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
	certificate = { cert, key, pem: fs.readFileSync(cert) };
	return certificate;
}

const STOP_MS = 30000; // that a program may take to its end

/** A program under test: its standard error is kept, its end is awaited. */
class Program {
	constructor(name, args, env = {}) {
		this.name = name;
		this.stderr = '';
		this.child = spawn(path.join(BUILD, 'bin', name), args, {
			stdio: ['ignore', 'ignore', 'pipe'],
			env: { ...process.env, ...env },
		});
		this.child.stderr.on('data', (piece) => (this.stderr += piece));
		this.ended = new Promise((resolve) =>
			this.child.on('close', (code, signal) => resolve({ code, signal })));
		this.child.on('error', (error) => (this.stderr += `${error}\n`));
		this.ended.then((how) => (this.how = how));
	}

	get pid() {
		return this.child.pid;
	}

	/** Wait for the ready file. */
	async ready(file) {
		return until(`${this.name}'s ready file`, () => {
			if (this.how) throw new Error(`${this.name} ended (${this.how.code}): ${this.stderr}`);
			return fs.existsSync(file) && JSON.parse(fs.readFileSync(file, 'utf8'));
		});
	}

	async kill(signal = 'SIGKILL') {
		this.killed = signal;
		this.child.kill(signal);
		return this.ended;
	}

	/** End it in peace, and look at what it left behind. */
	async stop() {
		if (!this.how) {
			this.child.kill('SIGTERM');
			const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
			await this.ended;
			clearTimeout(timer);
		}
		if (/Sanitizer|runtime error:/.test(this.stderr))
			throw new Error(`${this.name}: ${this.stderr}`);
		if (!this.killed && this.how.code !== 0)
			throw new Error(`${this.name} ended with ${this.how.code ?? this.how.signal}: ${this.stderr}`);
	}
}

/** A controld, its workers, and their clients, for one test. */
export class House {
	static async open(t, { daemon = true } = {}) {
		const house = new House();
		ending(t, () => house.close());
		if (daemon) await house.startDaemon();
		return house;
	}

	constructor() {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'h2i-'));
		this.api = path.join(this.dir, 'api.sock');
		this.rpc = path.join(this.dir, 'rpc.sock');
		this.state = path.join(this.dir, 'state.db');
		this.env = {}; // of the programs that are started from now on
		this.programs = [];
		this.clients = [];
		this.streams = [];
		this.count = 0;
	}

	async startDaemon() {
		const ready = path.join(this.dir, `controld-${++this.count}.ready`);
		this.daemon = new Program('h2sess-controld', [
			'--rpc', this.rpc, '--api', `unix:${this.api}`, '--state', this.state, '--ready-file', ready,
		], this.env);
		this.programs.push(this.daemon);
		await this.daemon.ready(ready);
		return this.daemon;
	}

	/** Start a worker and wait until it serves and, if `known`, the daemon knows it. */
	async worker({ name = 'edge1', args = [], app = 'echo', known = true } = {}) {
		const ready = path.join(this.dir, `worker-${++this.count}.ready`);
		const { cert, key } = certificateFiles();
		const program = new Program('h2sess-worker', [
			'--listen', '127.0.0.1:0', '--listen-h2c', '127.0.0.1:0', '--cert', cert, '--key', key,
			'--app', app, '--control', this.rpc, '--name', name, '--drain-timeout', '1',
			'--ready-file', ready, ...args,
		], this.env);
		this.programs.push(program);
		const { listen } = await program.ready(ready);
		program.workerName = name;
		program.port = listen.find((l) => l.tls).port;
		program.h2c = listen.find((l) => !l.tls).port;
		if (this.daemon && known)
			await until(`worker ${name} in the API`, async () =>
				(await this.get('/v1/workers')).body.workers?.some((w) => w.pid === program.pid));
		return program;
	}

	/** A request of the API: {status, headers, body}, body parsed where it is JSON. */
	async request(method, target, body, headers = {}) {
		const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
		const request = http.request({
			socketPath: this.api, method, path: target, agent: false,
			headers: text === undefined ? headers : { 'content-type': 'application/json', ...headers },
		});
		request.end(text);
		const [response] = await event(request, 'response', 90000); // a call may be asked to wait for a minute
		let received = '';
		for await (const piece of response) received += piece;
		const json = /json/.test(response.headers['content-type'] ?? '');
		return {
			status: response.statusCode, headers: response.headers,
			body: json && received ? JSON.parse(received) : received,
		};
	}

	get(target) {
		return this.request('GET', target);
	}

	post(target, body) {
		return this.request('POST', target, body);
	}

	/** Sessions that are live, as the API lists them. */
	async sessions(query = '') {
		const { status, body } = await this.get(`/v1/sessions${query}`);
		if (status !== 200) throw new Error(`GET /v1/sessions: ${status} ${JSON.stringify(body)}`);
		return body.sessions;
	}

	/** The session of a client that connects from this local port. */
	async sessionOf(socket) {
		const port = socket.localPort;
		return until(`a session from port ${port}`, async () =>
			(await this.sessions()).find((s) => s.peer.port === port));
	}

	/** A Node HTTP/2 client on the worker's TLS port, connected. */
	async client(worker, options = {}) {
		const client = http2.connect(`https://localhost:${worker.port}`, {
			ca: certificateFiles().pem, lookup: loopback, ...options,
		});
		client.on('error', () => {});
		this.clients.push(client);
		await event(client, 'remoteSettings');
		return client;
	}

	/** Events as they come: an async iterator of objects, with .close(). */
	async events(query = '', { accept = 'text/event-stream' } = {}) {
		const stream = new EventReader(this.api, `/v1/events${query}`, accept);
		this.streams.push(stream);
		await stream.open();
		return stream;
	}

	async close() {
		for (const stream of this.streams) stream.close();
		for (const client of this.clients) client.destroy();
		const errors = [];
		for (const program of this.programs.reverse())
			await program.stop().catch((error) => errors.push(error));
		fs.rmSync(this.dir, { recursive: true, force: true });
		if (errors.length > 0) throw errors[0];
	}
}

/** The objects of a log of JSON lines; a line that is being written is not one yet. */
export function jsonLines(file) {
	const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
	return text.split('\n').slice(0, -1).map((line) => JSON.parse(line));
}

/** localhost is 127.0.0.1 here, whatever the machine's files say. */
export function loopback(host, options, done) {
	if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
	else done(null, '127.0.0.1', 4);
}

/** GET /v1/events: SSE or NDJSON, into a list that grows. */
class EventReader {
	constructor(socketPath, target, accept) {
		this.list = [];
		this.ndjson = accept !== 'text/event-stream';
		this.request = http.request({ socketPath, path: target, agent: false, headers: { accept } });
		this.request.on('error', () => (this.ended = true));
		this.request.end();
	}

	async open() {
		const [response] = await event(this.request, 'response');
		this.status = response.statusCode;
		this.headers = response.headers;
		let text = '';
		response.setEncoding('utf8');
		response.on('data', (piece) => {
			text += piece;
			text = this.ndjson ? this.takeLines(text) : this.takeMessages(text);
		});
		response.on('error', () => (this.ended = true));
		response.on('close', () => (this.ended = true));
	}

	takeLines(text) {
		const lines = text.split('\n');
		for (const line of lines.slice(0, -1)) if (line) this.list.push(JSON.parse(line));
		return lines.at(-1);
	}

	/** SSE: messages end with an empty line; `id`, `event` and `data` are kept. */
	takeMessages(text) {
		const messages = text.split('\n\n');
		for (const message of messages.slice(0, -1)) {
			const fields = {};
			for (const line of message.split('\n')) {
				const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
				if (name) fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
			}
			if (fields.data) this.list.push({ ...JSON.parse(fields.data), sse: fields });
		}
		return messages.at(-1);
	}

	/** The first event that has come, or will come, for which test() holds. */
	find(what, test, ms) {
		return until(what, () => this.list.find(test), ms);
	}

	close() {
		this.request.destroy();
	}
}
