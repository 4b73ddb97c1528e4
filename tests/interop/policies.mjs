// SPDX-License-Identifier: Apache-2.0
//
// Policies end to end: the daemon, a worker, and Node clients that print nothing but remember what they were told.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { RawClient, frame } from './raw_client.mjs';
import { House, certificateFiles, ending, event, loopback, until } from './support.mjs';

const ALT = 'h2=":8000"; ma=60';
const body = (extra = {}) => ({ select: { sni: 'example.org' }, alt: ALT, origin: 'https://example.org', ...extra });

// A client that keeps the ALTSVC and ORIGIN frames that it got, from the first octet on.
async function connect(house, worker, servername = 'example.org') {
	const client = http2.connect(`https://localhost:${worker.port}`,
		{ ca: certificateFiles().pem, lookup: loopback, servername });
	client.told = [];
	client.on('error', () => {});
	client.on('altsvc', (alt, origin) => client.told.push(`${origin} ${alt}`));
	client.on('origin', (origins) => client.told.push(...origins));
	house.clients.push(client);
	await event(client, 'remoteSettings');
	return client;
}

const put = (house, name, policy) => house.request('PUT', `/v1/policies/${name}`, policy);
const policy = async (house, name) => (await house.get(`/v1/policies/${name}`)).body;
const told = (client, text) => until(`a client told ${text}`, () => client.told.includes(text));

test('live clients and those that come are told, are counted, and are told to forget', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker({ args: ['--origin', 'https://example.org'] });
	const first = await connect(house, worker);
	const other = await connect(house, worker, 'example.com');
	assert.equal((await put(house, 'move', body())).status, 201);
	await told(first, `https://example.org ${ALT}`);
	const second = await connect(house, worker);
	await told(second, `https://example.org ${ALT}`);
	await until('both received', async () => (await policy(house, 'move')).counts.received === 2);
	const { counts, clientsRememberUntil, lastSent, workers } = await policy(house, 'move');
	assert.equal(counts.matched, 2);
	assert.equal(Date.parse(clientsRememberUntil) - Date.parse(lastSent), 60000);
	assert.equal(workers[0].holds, true);

	const why = Object.fromEntries((await house.sessions()).map((session) => [session.servername, session.policies[0]]));
	assert.deepEqual([why['example.org'].policy, why['example.org'].holds, why['example.org'].why], ['move', true, '']);
	assert.deepEqual([why['example.com'].holds, why['example.com'].why], [false, 'sni']);

	const { body: removed } = await house.request('DELETE', '/v1/policies/move');
	assert.equal(removed.state, 'retracting');
	for (const client of [first, second])
		await told(client, 'https://example.org clear');
	const third = await connect(house, worker); // it may have been here before
	await told(third, 'https://example.org clear');
	assert.deepEqual(other.told.filter((text) => text.includes('https://example.org ')), []);
	assert.deepEqual(first.told.filter((text) => text.includes(ALT)).length, 1);
});

test('a rollout goes from a share to everybody, and nobody is told twice', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const clients = [];
	for (let i = 0; i < 20; i++)
		clients.push(await connect(house, worker));
	assert.equal((await put(house, 'p', body({ rollout: { percent: 30 } }))).status, 201);
	await until('a share', async () => {
		const { counts } = await policy(house, 'p');
		return counts.received > 0 && counts.pending === 0 && counts.written === 0;
	});
	const share = clients.filter((client) => client.told.length > 0);
	assert.ok(share.length > 0 && share.length < clients.length, `${share.length} of 20`);
	const { status } = await house.request('PATCH', '/v1/policies/p', { rollout: { percent: 100 } });
	assert.equal(status, 200);
	await until('everybody', () => clients.every((client) => client.told.length > 0));
	assert.ok(clients.every((client) => client.told.length === 1));
});

test('policies are applied while the daemon is away, and not again when it returns', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const first = await connect(house, worker);
	assert.equal((await put(house, 'p', body())).status, 201);
	await told(first, `https://example.org ${ALT}`);
	await house.daemon.kill();
	const second = await connect(house, worker);
	await told(second, `https://example.org ${ALT}`);
	await house.startDaemon();
	await until('the worker is back, with its counts', async () => (await policy(house, 'p')).counts?.received === 2);
	const third = await connect(house, worker);
	await told(third, `https://example.org ${ALT}`);
	for (const client of [first, second, third])
		assert.equal(client.told.length, 1);
	assert.equal((await house.request('DELETE', '/v1/policies/p')).body.state, 'retracting');
	await told(second, 'https://example.org clear');
});

test('one that goes in the second that it came in is taken back all the same', async (t) => {
	const house = await House.open(t);
	const client = await connect(house, await house.worker());
	assert.equal((await put(house, 'p', body())).status, 201);
	await told(client, `https://example.org ${ALT}`);
	assert.equal((await house.request('DELETE', '/v1/policies/p')).body.state, 'retracting');
	await told(client, 'https://example.org clear');
});

// HPACK by hand: GET https / of example.org, as fox/7.
const REQUEST = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x41, 11]), Buffer.from('example.org'),
	Buffer.from([0x7a, 5]), Buffer.from('fox/7')]);

test('ORIGIN is on the wire before the HEADERS of the response that decided it', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const { status } = await put(house, 'speak', { select: { userAgent: 'fox*' }, origins: ['https://example.org'] });
	assert.equal(status, 201);
	await until('the worker holds it', async () => (await policy(house, 'speak')).workers[0]?.holds);
	const raw = await RawClient.connect(worker.port);
	ending(t, () => raw.destroy());
	raw.socket.write(frame(1, 5, 1, REQUEST));
	const at = (type) => raw.frames.findIndex((f) => f.type === type);
	await until('a response', () => at(1) >= 0);
	assert.ok(at(0xc) >= 0 && at(0xc) < at(1), `types ${raw.frames.map((f) => f.type)}`);
});
