// SPDX-License-Identifier: Apache-2.0
//
// What an operator's service manager and files do with the daemon: notifications, sockets handed over, reload,
// the configuration file, --new-token.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { test } from 'node:test';
import { ending, kill, temporary, until, within } from '../common.mjs';
import { Daemon, binary, withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

const manager = path.join(process.env.H2SESS_BUILD ?? 'build', 'tests', 'service_manager_main');

// The daemon below a service manager that hands over these sockets. saw(text) resolves when a line has it.
class Managed extends Daemon {
	constructor(t) {
		super([], { dir: temporary(t) });
		this.t = t;
		this.lines = [];
	}

	startManaged(sockets, args) {
		this.child = spawn(manager, [path.join(this.dir, 'notify'), ...sockets, '--', binary, ...args],
			{ stdio: ['ignore', 'pipe', 'pipe'] });
		this.exit = once(this.child, 'exit');
		ending(this.t, () => kill(this.child));
		readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.lines.push(line));
		this.child.stderr.setEncoding('utf8').on('data', (data) => (this.log += data));
	}

	async saw(text, from = 0) {
		const find = () => this.lines.findIndex((line, i) => i >= from && line.startsWith(text));
		await until(`${text} from the service manager`, () => find() >= 0);
		return find();
	}
}

test('a service manager is told READY, RELOADING, WATCHDOG and STOPPING, and hands over sockets by name', async (t) => {
	const daemon = new Managed(t);
	const metrics = path.join(daemon.dir, 'ready');
	daemon.startManaged([`rpc=unix:${daemon.rpc}`, `api=unix:${daemon.socketPath}`, 'metrics=tcp', 'other=tcp'], [
		'--no-state', '--rpc', '/nonexistent/rpc.sock', '--api', 'unix:/nonexistent/api.sock,role=read',
		'--metrics', '127.0.0.1:1', '--ready-file', metrics]);
	await daemon.saw('READY=1');
	const ready = JSON.parse(fs.readFileSync(metrics, 'utf8'));
	assert.deepEqual(ready.api, [{ path: daemon.socketPath }]);
	assert.equal(ready.rpc, daemon.rpc);
	assert.equal(ready.metrics.port, Number(daemon.lines.find((line) => line.startsWith('port ')).slice(5)));
	await daemon.says(/descriptor 6 of the service manager fits no listener/);
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	assert.equal((await daemon.get('/v1/workers')).json.workers.length, 1);
	const { id } = worker.addSession(1);
	assert.equal((await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x' })).status, 403); // the role is the option's
	await daemon.saw('WATCHDOG=1', await daemon.saw('WATCHDOG=1') + 1);
	daemon.child.kill('SIGHUP');
	const reloading = await daemon.saw('RELOADING=1');
	assert.ok(await daemon.saw('MONOTONIC_USEC=', reloading) > reloading);
	await daemon.saw('READY=1', reloading);
	daemon.child.kill('SIGTERM');
	await daemon.saw('STOPPING=1');
	assert.deepEqual(await within(daemon.exit, 'its end'), [0, null]);
	assert.ok(fs.existsSync(daemon.socketPath)); // it is the service manager's
});

test('sockets are handed over by address, whatever their names', async (t) => {
	const daemon = new Managed(t);
	daemon.startManaged([`a=unix:${daemon.socketPath}`, `b=unix:${daemon.rpc}`],
		['--no-state', '--rpc', daemon.rpc, '--api', `unix:${daemon.socketPath}`]);
	await daemon.saw('READY=1');
	assert.equal((await daemon.get('/healthz')).status, 200);
	assert.equal(fs.existsSync(`${daemon.rpc}.lock`), false);
	assert.doesNotMatch(daemon.log, /fits no listener/);
	daemon.child.kill('SIGTERM');
	await within(daemon.exit, 'its end');
});

test('SIGHUP takes configuration and tokens anew; a bad one keeps the old, and says so', async (t) => {
	const daemon = Daemon.of(t, [], { tcp: true });
	const config = path.join(daemon.dir, 'controld.conf');
	fs.writeFileSync(config, 'api-host = one.example\n');
	daemon.args = ['--config', config];
	await daemon.start();
	const get = (token, host = `127.0.0.1:${daemon.port}`) => daemon.get('/v1', { token, headers: { Host: host } });
	const reload = async (text) => {
		daemon.log = '';
		daemon.child.kill('SIGHUP');
		return daemon.says(text);
	};
	const { token } = daemon.tokens.read;
	const next = Daemon.token('read', 'next');
	assert.equal((await get(token, 'one.example')).status, 200);

	fs.writeFileSync(config, 'api-host = two.example\nevent-streams = 5\n');
	fs.writeFileSync(daemon.tokenFile, `${next.line}\n`);
	assert.match(await reload('reload: done, 1 tokens'), /event-streams has changed and needs a restart/);
	assert.equal((await get(token)).status, 401);
	assert.equal((await get(next.token)).status, 200);
	assert.equal((await get(next.token, 'two.example')).status, 200);
	assert.equal((await get(next.token, 'one.example')).status, 421);

	for (const [file, text, why] of [[config, 'api-host = three.example\nnonsense = 1\n', /controld\.conf:2: nonsense: no such key/],
		[daemon.tokenFile, 'admin nothash name\n', /tokens:1: not `ROLE/]]) {
		const before = fs.readFileSync(file, 'utf8');
		fs.writeFileSync(file, text);
		assert.match(await reload('the old configuration and tokens are kept'), why);
		assert.equal((await get(next.token, 'two.example')).status, 200);
		fs.writeFileSync(file, before);
	}
	assert.equal((await daemon.get('/healthz')).status, 200);
});

test('the configuration file: every flag is a key, and a mistake is named with its line', async (t) => {
	const daemon = Daemon.of(t);
	const config = path.join(daemon.dir, 'c.conf');
	const ready = path.join(daemon.dir, 'ready');
	const run = (text) => {
		fs.writeFileSync(config, text);
		return spawnSync(binary, ['--config', config], { encoding: 'utf8' });
	};
	const help = spawnSync(binary, ['--help'], { encoding: 'utf8' }).stdout;
	const flags = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name)
		.filter((name) => !['new-token', 'version', 'help', 'config'].includes(name));
	assert.ok(flags.length >= 12);
	for (const flag of flags)
		assert.doesNotMatch(run(`${flag} = \nno-such-key = 1\n`).stderr, new RegExp(`: ${flag}: no such key`), flag);
	for (const [text, why] of [
		['; comment\n\nrcp = /x\n', 'c.conf:3: rcp: no such key'], ['[other]\nrpc = /x\n', 'c.conf:2: other: no such section'],
		['event-log = 3\n', 'c.conf:1: event-log: not a number from 16'], ['[controld]\nno-state = maybe\n', 'c.conf:2: no-state: not yes or no'],
		['api = 0.0.0.0:1\n', 'c.conf:1: api: TCP listeners are for loopback'], ['api = unix:/x,role=god\n', 'c.conf:1: api: no such role'],
		['rpc = /x\nnonsense\n', 'line 2 is not `key = value`'], ['config = /x\n', 'c.conf:1: config: no such key'],
		['api = unix:/x,mode=999\n', 'c.conf:1: api: not an octal mode'], ['rpc-user = no-such-user\n', 'c.conf:1: rpc-user: no such user']]) {
		const { status, stderr } = run(text);
		assert.deepEqual([status, stderr.includes(why)], [2, true], `${text}: ${stderr}`);
		assert.equal(stderr.trim().split('\n').length, 1);
	}
	fs.writeFileSync(config, `[controld]\nrpc = ${daemon.rpc}\napi = unix:${daemon.dir}/other.sock\nno-state = yes\nready-file = ${ready}\n`);
	daemon.args = ['--config', config];
	await daemon.start(); // the command line's --api replaces the file's
	assert.deepEqual(daemon.ready.api, [{ path: daemon.socketPath }]);
});

test('Unix sockets: mode, role, and who owns what is there', (t) => withDaemon([], {}, async (daemon) => {
	const mode = (file) => fs.statSync(file).mode & 0o777;
	assert.equal(mode(daemon.socketPath), 0o660);
	assert.equal(mode(daemon.rpc), 0o660);
	const reader = path.join(daemon.dir, 'reader.sock');
	const second = Daemon.of(t, ['--api', `unix:${reader},role=read,mode=0600`]);
	await second.start();
	assert.equal(mode(reader), 0o600);
	const { status } = await new Promise((resolve) => {
		second.socketPath = reader;
		resolve(second.post('/v1/sessions/x-1/altsvc', { alt: 'x' }));
	});
	assert.equal(status, 403);
	fs.chmodSync(daemon.dir, 0o777);
	const open = spawnSync(binary, ['--no-state', '--rpc', path.join(daemon.dir, 'r'), '--api', `unix:${daemon.dir}/a`], { encoding: 'utf8' });
	assert.deepEqual([open.status, /everybody may write there/.test(open.stderr)], [1, true]);
	const group = spawnSync(binary, ['--no-state', '--rpc', `${second.dir}r,group=no-such-group`], { encoding: 'utf8' });
	assert.match(group.stderr, /no such group/);
	fs.rmSync(`${second.dir}r.lock`, { force: true });
}));

test('events older than the log may hold are dropped, and counted', () => withDaemon(['--event-log-age', '1'], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	const stream = await daemon.events('?type=goaway');
	for (let i = 0; i < 7; i++)
		worker.event('goaway', `${worker.boot}-1`, { code: i });
	const items = await stream.take(7);
	for (;;) { // until the log has let go of them
		const resumed = await daemon.events(`?type=goaway&since=${items[0].id}&wait=0`);
		const first = await resumed.next();
		resumed.close();
		if (first?.event !== 'gap')
			continue;
		if (first.data.data.count < 6)
			continue;
		assert.deepEqual([first.data.data.count, first.data.data.reason], [6, 'dropped']);
		break;
	}
	stream.close();
}));

test('what a flag names and is not what it should be is exit status 2 and one line; what may pass is 1', async (t) => {
	const dir = temporary(t);
	const file = (name, content) => {
		fs.writeFileSync(path.join(dir, name), content, { mode: 0o600 });
		return path.join(dir, name);
	};
	const kept = new Daemon(['--state', path.join(dir, 'state.db')]);
	await kept.start();
	await kept.end();
	const version = (n) => { // the user_version of a database
		const octets = fs.readFileSync(path.join(dir, 'state.db'));
		octets.writeUInt32BE(n, 60);
		return octets;
	};
	const rows = [
		[2, /: file is not a database$/, '--state', file('text', 'this is a text, and long enough to be one '.repeat(30))],
		[2, /: schema 99 is later than ours, \d+$/, '--state', file('later', version(99))],
		[2, /: a database of another program$/, '--state', file('foreign', version(0))],
		[2, /tokens:1: not `ROLE SHA256-HEX NAME`$/, '--no-state', '--token-file', file('tokens', 'admin nonsense x\n')],
		[2, /none: No such file or directory$/, '--no-state', '--token-file', path.join(dir, 'none')],
		[1, /unable to open database file$/, '--state', dir],
	];
	const content = (name) => { // with what says how a database keeps its journal: others' files are left as they are
		const octets = fs.readFileSync(path.join(dir, name));
		octets.fill(1, 18, 20);
		fs.writeFileSync(path.join(dir, name), octets);
		return octets;
	};
	const foreign = content('foreign');
	for (const [status, line, ...args] of rows) {
		const run = spawnSync(binary, ['--rpc', path.join(dir, 'rpc'), '--api', `unix:${path.join(dir, 'api')}`, ...args],
			{ encoding: 'utf8', timeout: 40000 });
		assert.equal(run.status, status, `${args}: ${run.stderr}`);
		assert.match(run.stderr, /^[^\n]*\n$/);
		assert.match(run.stderr.trim(), line);
	}
	assert.deepEqual(fs.readFileSync(path.join(dir, 'foreign')), foreign);
});
