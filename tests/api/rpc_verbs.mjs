// SPDX-License-Identifier: Apache-2.0
//
// The verbs of a session over the control protocol, session.goaway to session.setLabels, and
// worker.accept: what the client sees of each, what the answer says, and what is refused.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { Scene, pushScene, rawClient, until, within } from './rpc_support.mjs';

const by = (id) => ({ session }) => session === id;

test('goaway is seen, and closes nothing', async (t) => {
	const { link, client, session } = await pushScene(t);
	const heard = once(client, 'goaway');

	client.request({ ':path': '/', ':method': 'POST' }); // without one, Node's client would leave
	await until('the stream', async () =>
		(await link.result('session.get', { session })).openStreams === 1);
	assert.deepEqual(await link.result('session.goaway',
		{ session, lastStreamID: 5, opaqueData: Buffer.from('bye').toString('base64') }),
	{ closes: false });
	const [code, last, data] = await within(heard, 'GOAWAY');
	assert.deepEqual([code, last, data.toString()], [0, 5, 'bye']);
	assert.equal((await link.result('session.get', { session })).destroyed, false);
});

test('ping measures, and answers when the peer has', async (t) => {
	const { link, client, session } = await pushScene(t);
	const heard = once(client, 'ping');

	const { roundTrip } = await link.result('session.ping', { session, payload: '0102030405060708' });
	assert.ok(roundTrip > 0 && roundTrip < 15000, `${roundTrip}`);
	assert.equal((await within(heard, 'PING'))[0].toString('hex'), '0102030405060708');
	assert.ok((await link.result('session.ping', { session })).roundTrip > 0);
});

test('settings are acknowledged', async (t) => {
	const { link, client, session } = await pushScene(t);
	const heard = once(client, 'remoteSettings');

	const { roundTrip } = await link.result('session.settings', { session,
		settings: { maxConcurrentStreams: 7, enableConnectProtocol: true, customSettings: { 1244: 456 } } });
	assert.ok(roundTrip > 0);
	assert.equal((await within(heard, 'SETTINGS'))[0].maxConcurrentStreams, 7);
	const { localSettings } = await link.result('session.get', { session });
	assert.equal(localSettings.maxConcurrentStreams, 7);
	assert.deepEqual(localSettings.customSettings, { 1244: 456 });
});

test('close lets streams end, destroy does not', async (t) => {
	const { scene, link, client, session } = await pushScene(t);
	const open = client.request({ ':path': '/', ':method': 'POST' });
	await until('the stream', async () =>
		(await link.result('session.get', { session })).openStreams === 1);
	assert.deepEqual(await link.result('session.close', { session }), {});
	const object = await link.result('session.get', { session });
	assert.equal(object.closed, true);
	open.end('last words');
	open.resume();
	await within(once(open, 'close'), 'the response');
	assert.equal((await link.event('close', by(session))).data.reason, 'closed');

	const second = await scene.client();
	const other = (await link.event('connect')).session;
	const ended = new Promise((resolve) => second.on('close', resolve));
	assert.deepEqual(await link.result('session.destroy', { session: other, code: 2 }), {});
	await within(ended, 'the end');
	assert.deepEqual((await link.event('close', by(other))).data.code, 2);
});

test('timeout and window', async (t) => {
	const { link, session } = await pushScene(t);

	assert.deepEqual(await link.result('session.setLocalWindowSize', { session, windowSize: 1 << 20 }), {});
	const { state } = await link.result('session.get', { session });
	assert.equal(state.effectiveLocalWindowSize, 1 << 20);
	assert.deepEqual(await link.result('session.setTimeout', { session, msecs: 1 }), {});
	await link.event('timeout', by(session));
	await link.event('close', by(session));
});

test('an event of the operator\'s comes back as one', async (t) => {
	const { link, session } = await pushScene(t);

	for (const data of [{ a: [1, null] }, 'text', 5, null]) {
		assert.deepEqual(await link.result('session.emit', { session, event: 'x-hello', data }),
			{ listened: false });
		const event = await link.event('x-hello', by(session));
		assert.deepEqual(event.data, data);
	}
	await link.result('session.emit', { session, event: 'x-hello' });
	assert.equal((await link.event('x-hello', by(session))).data, null);
});

test('labels are patched as a whole', async (t) => {
	const { link, session } = await pushScene(t);
	const patch = (labels) => link.result('session.setLabels', { session, labels });

	assert.deepEqual(await patch({ tier: 'gold', region: 'eu' }), { labels: { tier: 'gold', region: 'eu' } });
	assert.deepEqual(await patch({ tier: null, zone: '' }), { labels: { region: 'eu', zone: '' } });
	const full = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, 'v']));
	assert.equal(Object.keys((await patch(full)).labels).length, 32);
	assert.equal((await link.error('session.setLabels', { session, labels: { one: 'more' } })).data.code,
		'ERR_LIMIT');
	assert.deepEqual(Object.keys((await patch({ one: 'more', zone: null })).labels).length, 32);
	const error = await link.error('session.setLabels', { session, labels: { region: 'us', ['k'.repeat(64)]: '' } });
	assert.deepEqual(error.data, { code: 'ERR_INVALID_ARG_VALUE', field: 'labels' });
	assert.equal((await link.result('session.get', { session })).labels.region, 'eu');
	const { sessions } = await link.result('sessions.list', { select: { label: { one: 'more' } } });
	assert.equal(sessions.length, 1);
});

test('what is wrong is named', async (t) => {
	const { link, session } = await pushScene(t);
	const TYPE = 'ERR_INVALID_ARG_TYPE';
	const VALUE = 'ERR_INVALID_ARG_VALUE';
	const RANGE = 'ERR_OUT_OF_RANGE';
	const rows = [
		['session.goaway', { code: '1' }, TYPE, 'code'],
		['session.goaway', { code: -1 }, RANGE, 'code'],
		['session.goaway', { code: 2 ** 32 }, RANGE, 'code'],
		['session.goaway', { lastStreamID: 2 }, RANGE, 'lastStreamID'],
		['session.goaway', { lastStreamID: 2 ** 31 }, RANGE, 'lastStreamID'],
		['session.goaway', { opaqueData: 5 }, TYPE, 'opaqueData'],
		['session.goaway', { opaqueData: 'a' }, VALUE, 'opaqueData'],
		['session.goaway', { opaqueData: 'a===' }, VALUE, 'opaqueData'],
		['session.goaway', { opaqueData: 'YQ==YQ==' }, VALUE, 'opaqueData'],
		['session.ping', { payload: 'xx' }, 'ERR_HTTP2_PING_LENGTH', 'payload'],
		['session.ping', { payload: 5 }, TYPE, 'payload'],
		['session.settings', {}, TYPE, 'settings'],
		['session.settings', { settings: { nope: 1 } }, VALUE, 'nope'],
		['session.settings', { settings: { enablePush: 1 } }, 'ERR_HTTP2_INVALID_SETTING_VALUE', 'enablePush'],
		['session.settings', { settings: { maxFrameSize: '1' } }, 'ERR_HTTP2_INVALID_SETTING_VALUE', 'maxFrameSize'],
		['session.settings', { settings: { maxFrameSize: 1 } }, 'ERR_HTTP2_INVALID_SETTING_VALUE', 'settings'],
		['session.settings', { settings: { customSettings: { x: 1 } } }, 'ERR_HTTP2_INVALID_SETTING_VALUE',
			'customSettings'],
		['session.setTimeout', {}, TYPE, 'msecs'],
		['session.setTimeout', { msecs: -1 }, RANGE, 'msecs'],
		['session.setLocalWindowSize', { windowSize: 2 ** 31 }, RANGE, 'windowSize'],
		['session.emit', { event: 'close' }, 'ERR_UNKNOWN_EVENT', 'event'],
		['session.emit', { event: 'x-' }, 'ERR_UNKNOWN_EVENT', 'event'],
		['session.emit', { event: `x-${'y'.repeat(63)}` }, 'ERR_UNKNOWN_EVENT', 'event'],
		['session.emit', { event: 'x-a\nid: 1' }, 'ERR_UNKNOWN_EVENT', 'event'],
		['session.emit', { event: 'x-a,x-b' }, 'ERR_UNKNOWN_EVENT', 'event'],
		['session.emit', { event: 'x-\u00e9' }, 'ERR_UNKNOWN_EVENT', 'event'],
		['session.emit', { data: 1 }, TYPE, 'event'],
		['session.setLabels', { labels: { a: 1 } }, TYPE, 'labels'],
		['session.setLabels', {}, TYPE, 'labels'],
	];

	for (const [method, params, code, field] of rows) {
		const error = await link.error(method, { session, ...params });
		assert.deepEqual(error.data, { code, field }, `${method} ${JSON.stringify(params)}`);
	}
	for (const method of ['goaway', 'ping', 'close', 'destroy'].map((name) => `session.${name}`)) {
		assert.deepEqual((await link.error(method, { session: `${session}9` })).data,
			{ code: 'ERR_NOT_FOUND', field: 'session' });
		assert.equal((await link.error(method, {})).data.field, 'session');
		assert.equal((await link.error(method, { session, x: 1 })).code, -32602);
	}
});

test('a peer that never answers holds up nobody', async (t) => {
	const scene = await Scene.open(t);
	const link = await scene.daemon.up();
	const socket = rawClient(scene.port);
	const { session } = await link.event('connect');
	await until('its preface', async () => !(await link.result('session.get', { session })).connecting);

	const cancelled = link.error('session.ping', { session });
	assert.deepEqual(await link.result('session.destroy', { session }), {});
	assert.equal((await cancelled).data.code, 'ERR_HTTP2_PING_CANCEL');
	socket.destroy();
	// And one is still waiting when the worker is told to end: the scene's close awaits its exit.
	const second = rawClient(scene.port);
	const other = (await link.event('connect')).session;
	await until('its preface', async () =>
		!(await link.result('session.get', { session: other })).connecting);
	link.ask('session.ping', { session: other }).catch(() => {});
	await link.result('session.get', { session: other });
	scene.clients.push(second);
});

test('connections are refused, and taken again', async (t) => {
	const { scene, link, client, session } = await pushScene(t);

	assert.deepEqual(await link.result('worker.accept', { accepting: false }), {});
	const socket = net.connect(scene.port, '127.0.0.1');
	socket.on('error', () => {});
	await within(once(socket, 'close'), 'the refusal');
	assert.ok((await link.result('session.ping', { session })).roundTrip > 0); // sessions go on
	assert.equal(client.closed, false);
	await link.result('worker.accept', { accepting: true });
	await scene.client();
	assert.equal((await link.error('worker.accept', { accepting: 1 })).data.field, 'accepting');
});
