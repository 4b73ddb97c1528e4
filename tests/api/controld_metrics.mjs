// SPDX-License-Identifier: Apache-2.0
//
// /metrics as promtool would read it, its values, and that each metric that the example alerts name is there.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { until } from '../common.mjs';
import { withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';
import { parseYaml } from './yaml.mjs';

// name -> {type, help, samples: [{labels, value}]}; every rule of the text format that we could break is checked.
function parseMetrics(text) {
	const metrics = new Map();
	assert.ok(text.endsWith('\n') && !text.includes('\n\n'));
	let last;
	for (const line of text.trimEnd().split('\n')) {
		const head = /^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$/.exec(line);
		if (head) {
			const [, kind, name, rest] = head;
			if (kind === 'HELP') {
				assert.ok(!metrics.has(name), `${name} stands twice`);
				assert.match(rest, /^[A-Z][^\\]*\.$/);
				metrics.set(name, { help: rest, samples: [] });
			} else {
				assert.ok(metrics.has(name) && !metrics.get(name).type, line);
				assert.match(rest, /^(counter|gauge)$/);
				metrics.get(name).type = rest;
			}
			last = name;
			continue;
		}
		const [, name, inner = '', value] = /^([a-z_:][a-z0-9_:]*)(?:\{([^}]*)\})? (-?\d+(?:\.\d+)?)$/.exec(line) ?? assert.fail(line);
		assert.equal(name, last, 'samples stand below their TYPE');
		const labels = Object.fromEntries(inner.split(/,(?=[a-z])/).filter(Boolean).map((pair) => {
			const [, key, text_] = /^([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"$/.exec(pair) ?? assert.fail(pair);
			return [key, text_];
		}));
		const { samples, type } = metrics.get(name);
		assert.ok(!samples.some((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels)), `${line} stands twice`);
		assert.ok(!('session' in labels) && (type !== 'counter' || (name.endsWith('_total') && Number(value) >= 0)), line);
		samples.push({ labels, value: Number(value) });
	}
	for (const [name, { type }] of metrics)
		assert.ok(type, name);
	return metrics;
}

const value = (metrics, name, labels = {}) =>
	metrics.get(name).samples.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;

test('metrics: their form, their names, their values', () => withDaemon(['--event-streams', '1'], {}, async (daemon) => {
	const notAfter = ['2031-05-06T07:08:09.000Z', '2030-01-01T00:00:00.000Z'];
	const worker = new FakeWorker(daemon.rpc, { hello: { capabilities: ['altsvc'], certificates: notAfter.map((end) => ({ names: ['a'], notAfter: end })) } });
	const { id } = worker.addSession(1);
	await worker.start();
	await new FakeWorker(daemon.rpc, { name: 'bare', hello: { capabilities: [] } }).start();
	await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x', wait: 'received' });
	await daemon.request('PUT', '/v1/policies/p', { body: { select: { all: true }, origins: [], paused: true } });
	const stream = await daemon.events('?type=goaway');
	assert.equal((await daemon.get('/v1/events')).status, 503);
	assert.equal((await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'x'.repeat(1 << 20) })).status, 413);

	const { headers, text } = await daemon.get('/metrics');
	assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
	const metrics = parseMetrics(text);
	for (const [name, expected, labels] of [
		['h2sess_workers', 2], ['h2sess_sessions', 1, { worker: 'edge1' }], ['h2sess_sessions', 0, { worker: 'bare' }],
		['h2sess_event_streams', 1], ['h2sess_alt_used_total', 6], ['h2sess_misdirected_total', 4], ['h2sess_limit_total', 2, { limit: 'flood' }],
		['h2sess_limit_total', 1, { limit: 'event_streams' }], ['h2sess_limit_total', 1, { limit: 'body' }],
		...['pushes', 'push_results', 'push_warnings', 'rpc_connections', 'rpc_queue', 'rpc_calls'].map((limit) => ['h2sess_limit_total', 0, { limit }]),
		['h2sess_sessions_total', 1], ['h2sess_policies', 1, { state: 'paused' }],
		['h2sess_policies', 0, { state: 'active' }], ['h2sess_event_gaps_total', 0],
		['h2sess_certificate_not_after_seconds', Date.parse(notAfter[1]) / 1000, { worker: 'edge1' }],
		['h2sess_certificate_not_after_seconds', undefined, { worker: 'bare' }],
		['h2sess_push_frames_total', 1, { kind: 'altsvc', outcome: 'received', reason: '' }],
	])
		assert.equal(value(metrics, name, labels), expected, `${name} ${JSON.stringify(labels)}`);
	stream.close();
}));

test('the manual page has each metric, and each limit of the daemon', () => withDaemon([], {}, async (daemon) => {
	const metrics = parseMetrics((await daemon.get('/metrics')).text);
	const page = fs.readFileSync('packaging/common/man/h2sess-controld.8', 'utf8');
	for (const name of metrics.keys())
		assert.match(page, new RegExp(`Ql ${name}\\b`), name);
	const labels = [...metrics.get('h2sess_limit_total').samples.map(({ labels }) => labels.limit),
		...metrics.get('h2sess_forgotten_total').samples.map(({ labels }) => labels.what)];
	assert.ok(labels.length >= 20);
	for (const label of labels)
		assert.match(page, new RegExp(`^\\.Cm ${label}\\b`, 'm'), label);
}));

test('counters never fall, whoever comes and goes', () => withDaemon([], {}, async (daemon) => {
	// A name of the daemon's own would stand there twice.
	const stats = (n) => () =>
		({ sessions: 0, sessionsTotal: n, streamsTotal: n, misdirected: n, altUsed: n, limits: { flood: n, body: n } });
	const read = async () => {
		const metrics = parseMetrics((await daemon.get('/metrics')).text);
		return [value(metrics, 'h2sess_alt_used_total'), value(metrics, 'h2sess_limit_total', { limit: 'flood' })];
	};
	const first = new FakeWorker(daemon.rpc, { handlers: { 'worker.stats': stats(5) } });
	await first.start();
	assert.deepEqual(await read(), [5, 5]);
	assert.deepEqual(await read(), [5, 5]);
	first.handlers['worker.stats'] = stats(7);
	assert.deepEqual(await read(), [7, 7]);
	await first.stop();
	await new FakeWorker(daemon.rpc, { handlers: { 'worker.stats': stats(2) } }).start(); // another boot: from 0
	assert.deepEqual(await read(), [9, 9]);
}));

test('a frame is counted once: a worker that comes back says what became of it', () => withDaemon([], {}, async (daemon) => {
	const frames = async () => [...(await daemon.get('/metrics')).text.matchAll(/^h2sess_push_frames_total\{(.*)\} (\d+)$/mg)]
		.map(([, labels, n]) => `${labels.replaceAll(/\w+=|"/g, '')} ${n}`);
	const worker = new FakeWorker(daemon.rpc, { fate: 'written' });
	const { id } = worker.addSession(1);
	const state = async (push) => (await daemon.get(`/v1/pushes/${push.id}`)).json.push;
	await worker.start();
	const one = (await daemon.post(`/v1/sessions/${id}/altsvc`, { alt: 'clear', origin: 'https://example.org' })).json.push;
	const many = (await daemon.post('/v1/altsvc', { select: { all: true }, alt: 'clear', origin: 'https://example.org' })).json.push;
	for (const push of [one, many])
		await until('it is written', async () => (await state(push)).written === 1);
	await worker.stop();
	for (const push of [one, many])
		await until('it is unknown', async () => (await state(push)).unknown === 1);
	assert.deepEqual(await frames(), []); // it may come back
	const told = { queued: 0, written: 0, received: 1, notSent: 0, unknown: 0, matched: 1, state: 'done' };
	worker.hello.pushes = [
		{ push: one.id, ...told, sessions: [{ session: id, outcome: 'received', reason: '' }] },
		{ push: many.id, ...told, changes: [{ outcome: 'received', reason: '', numbers: [1] }] },
	];
	await worker.start();
	for (const push of [one, many])
		await until('it is received', async () => (await state(push)).received === 1);
	// Each may be counted at once, or when its ten seconds are over: never as unknown, never twice.
	assert.ok((await frames()).every((line) => /^altsvc,received, [12]$/.test(line)), `${await frames()}`);
}));

test('the example alerts speak of metrics that there are', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc);
	await worker.start();
	const metrics = parseMetrics((await daemon.get('/metrics')).text);
	const { groups } = parseYaml(fs.readFileSync('packaging/common/alerts.yml', 'utf8'));
	const rules = groups.flatMap((group) => group.rules);
	assert.ok(rules.length >= 5);
	for (const rule of rules) {
		assert.match(rule.alert, /^H2sess[A-Za-z]+$/);
		assert.ok(rule.annotations.summary && rule.labels.severity, rule.alert);
		const names = rule.expr.match(/h2sess_\w+/g);
		assert.ok(names?.length, rule.alert);
		for (const name of names)
			assert.ok(metrics.has(name), `${rule.alert}: there is no ${name}`);
		const depth = [...rule.expr].reduce((n, c) => n + (c === '(' ? 1 : c === ')' ? -1 : 0), 0);
		assert.equal(depth, 0, rule.expr);
	}
}));
