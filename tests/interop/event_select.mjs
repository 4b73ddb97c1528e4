// SPDX-License-Identifier: Apache-2.0
//
// Whose events, with real workers and clients: what a reader is shown while it happens is what he finds when he resumes, also after
// the daemon was killed, and what happened while it was away is chosen by what sessions were then.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { House, event, until } from './support.mjs';

async function get(client, path, agent) {
	const stream = client.request({ ':path': path, ...(agent && { 'user-agent': agent }) });
	stream.resume();
	await event(stream, 'close');
}

// The paths of the requests that this choice finds in the log after an id.
async function found(house, since, query) {
	const { body } = await house.get(`/v1/events?type=stream&since=${since}&wait=0.01&${query}`);
	return [...body.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json))
		.map(({ type, data }) => (type === 'gap' ? data.reason : data.path));
}

test('events are chosen by what their sessions were', async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const all = await house.events('?type=connect,stream');
	const [one, two] = [await house.client(worker), await house.client(worker)];
	const { id } = await house.sessionOf(one.socket);
	await until('both', () => all.list.filter(({ type }) => type === 'connect').length === 2);
	const since = all.list.at(-1).id;

	await get(one, '/a', 'curl/8');
	one.request({ ':path': '/held', ':method': 'POST' });
	await get(two, '/b', 'wget/1');
	await get(one, '/c');
	const origins = ['https://localhost:4433'];
	assert.equal((await house.post(`/v1/sessions/${id}/origin`, { origins, lint: 'off', wait: 'received' })).status, 200);
	await get(one, '/d');
	await get(two, '/e');
	await until('six requests', () => all.list.filter(({ type }) => type === 'stream').length === 6);

	const choices = [
		['userAgent=CURL*', ['/a', '/held', '/c', '/d']], ['userAgent=wget*', ['/b', '/e']], ['openStreams=2', ['/c', '/d']],
		[`origin=${origins[0]}/x`, ['/d']], ['origin=https://nobody.example', []], ['minAge=0&idleFor=0', ['/a', '/held', '/b', '/c', '/d', '/e']],
		['minAge=3600', []], [`worker=${id.split('-')[0]}&userAgent=*`, ['/a', '/held', '/b', '/c', '/d', '/e']], ['sample=100&openStreams=2', ['/c', '/d']],
	];
	const sorted = (paths) => [...paths].sort(); // of two sessions at once
	const look = (rows) => Promise.all(rows.map(async ([query, paths]) =>
		assert.deepEqual(sorted(await found(house, since, query)), sorted(paths), query)));
	await look(choices);

	await house.daemon.kill('SIGKILL');
	await get(one, '/away'); // the worker keeps it: streams are recorded for a while yet
	await house.startDaemon();
	const again = await house.events(`?type=stream&since=${since}&userAgent=curl*`);
	await until('what happened meanwhile', () => again.list.some(({ data }) => data?.path === '/away'));
	assert.deepEqual(again.list.filter(({ type }) => type === 'stream').map(({ data }) => data.path), ['/a', '/held', '/c', '/d', '/away']);
	assert.deepEqual(again.list.filter(({ type, data }) => type === 'gap' && data.reason === 'session_unknown'), []);
	const known = await found(house, since, `origin=${origins[0]}`);
	assert.deepEqual(known.filter((path) => path.startsWith('/')), ['/d', '/away']);
});
