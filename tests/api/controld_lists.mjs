// SPDX-License-Identifier: Apache-2.0
//
// GET /v1/sessions passes on what workers wrote: as it came where that is beyond doubt, else as it was understood;
// and a worker that writes what is no answer is refused as ever.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { withDaemon } from './controld_support.mjs';
import { FakeWorker } from './fake_worker.mjs';

// A worker whose answer to sessions.list is this text; `(id)` makes the whole line of it.
async function answering(daemon, name, result, line = (id) => `{"jsonrpc":"2.0","id":${id},"result":${result}}`) {
	const worker = new FakeWorker(daemon.rpc, { name });
	worker.handlers['sessions.list'] = (w, params, { id }) => void w.socket.write(line(id) + '\n');
	await worker.start();
	return worker;
}

const list = (sessions, next = 'null') => `{"sessions":${sessions},"next":${next},"total":9}`;

test('what a worker wrote is passed on, in its order', () => withDaemon([], {}, async (daemon) => {
	const plain = '{"id":"b-1","z":{"k":"\\u00e9 \\ud83d\\ude00 é"},"a":[1.5,-0,1E5,12345678901234567],"":null}';
	const worker = await answering(daemon, 'edge1', list(`[${plain}, {"id":"b-2"}]`));
	const { status, text, headers } = await daemon.get('/v1/sessions');
	assert.equal(status, 200);
	assert.equal(headers['content-type'], 'application/json');
	assert.equal(text, `{"sessions":[${plain}, {"id":"b-2"}],"next":null}\n`);
	await worker.stop();
}));

test('what is not beyond doubt is read, and put together with what is', () => withDaemon([], {}, async (daemon) => {
	const deep = '['.repeat(40) + ']'.repeat(40);
	const keys = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, i]));
	const sessions = [`{"i\\u0064":"b-1"}`, '{"r":4.1600000000000001}', `{"deep":${deep}}`, JSON.stringify(keys), '{"n":1e100}'];
	for (const [i, session] of sessions.entries())
		await answering(daemon, `edge${i}`, list(`[ ${session} ]`));
	await answering(daemon, 'edge9', list('[{"id":"last"}]'));
	const { json, text } = await daemon.get('/v1/sessions');
	assert.deepEqual(json.sessions, [...sessions.map((session) => JSON.parse(session)), { id: 'last' }]);
	assert.match(text, /"r":4\.16\}/);
	assert.equal(json.next, null);
}));

test('pages without sessions, and with a next that has escapes', () => withDaemon([], {}, async (daemon) => {
	const asked = [];
	const pages = { null: list('[]', '"\\u0061\\"b"'), 'a"b': list('[{"id":"1"}]', '"c"'), c: list('[ ]') };
	const worker = new FakeWorker(daemon.rpc, { name: 'edge1' });
	worker.handlers['sessions.list'] = (w, { after, limit }, { id }) => {
		asked.push([after, limit]);
		w.socket.write(`{"jsonrpc":"2.0","id":${id},"result":${pages[after]}}\n`);
	};
	await worker.start();
	await answering(daemon, 'edge4', list('[{"id":"2"}]'));
	const { text } = await daemon.get('/v1/sessions?limit=5');
	assert.equal(text, '{"sessions":[{"id":"1"},{"id":"2"}],"next":null}\n');
	assert.deepEqual(asked, [[null, 5], ['a"b', 5], ['c', 4]]);
}));

test('what is no page is 502 and names the worker, so that no list is short without a word', () => withDaemon([], {}, async (daemon) => {
	const id = (octets) => `"${'x'.repeat(octets)}"`;
	const deep = '['.repeat(40) + ']'.repeat(40); // this one is parsed
	const wrong = ['[1,2]', '7', '{}', '{"sessions":{"id":1},"next":null}', '{"next":null}', '{"sessions":[]}', list('[]', '7'), list('[]', '""'),
		list('[]', id(128)), list('[]', '"a"') /* for ever */, list(`[${deep}]`, id(128)), list(`[${deep}]`, '{}'), `{"deep":${deep},"next":null}`];
	for (const result of wrong) {
		const worker = await answering(daemon, 'edge1', result);
		const { status, json } = await daemon.get('/v1/sessions');
		assert.deepEqual([status, json.code, json.detail], [502, 'ERR_WORKER_FAILED', 'edge1: its `sessions` or `next` is none'], result);
		await worker.stop();
	}
	await daemon.says(/worker edge1: a page of sessions is not one/);
	const worker = await answering(daemon, 'edge1', list('[{"id":"1"}]', id(127)));
	const { json } = await daemon.get('/v1/sessions?limit=1');
	assert.equal(Buffer.from(json.next, 'base64url').toString().split('/')[2], 'x'.repeat(127));
	await worker.stop();
}));

test('a page ends where it is large, and the next one goes on', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc, { name: 'edge1' });
	const text = 'x'.repeat(4_000_000);
	worker.handlers['sessions.list'] = (w, { after }) => {
		const n = Number(after ?? 0) + 1;
		return { sessions: [{ id: `${n}`, text }], next: n < 7 ? `${n}` : null };
	};
	await worker.start();
	const { json } = await daemon.get('/v1/sessions?limit=1000');
	assert.deepEqual(json.sessions.map(({ id }) => id), ['1', '2', '3', '4', '5']);
	const rest = (await daemon.get(`/v1/sessions?limit=1000&cursor=${json.next}`)).json;
	assert.deepEqual([rest.sessions.map(({ id }) => id), rest.next], [['6', '7'], null]);
	await worker.stop();
}));

test('a line that is wrong closes the connection, as any other', async () => {
	const wrong = {
		'not JSON': () => '{"jsonrpc":"2.0"',
		'a key twice': (id) => `{"jsonrpc":"2.0","id":${id},"result":${list('[{"id":"1","id":"2"}]')}}`,
		'half a surrogate pair': (id) => `{"jsonrpc":"2.0","id":${id},"result":${list('["\\ud83d"]')}}`,
		'another version': (id) => `{"jsonrpc":"1.0","id":${id},"result":{}}`,
		'result and error': (id) => `{"jsonrpc":"2.0","id":${id},"result":{},"error":null}`,
	};
	await withDaemon([], {}, async (daemon) => {
		for (const [what, line] of Object.entries(wrong)) {
			const worker = await answering(daemon, 'edge1', '', line);
			const closed = once(worker, 'close');
			const { status, json } = await daemon.get('/v1/sessions');
			assert.deepEqual([status, json.detail], [503, 'edge1'], what);
			await closed;
		}
	});
});

test('answers to other calls, and lines that answer nothing, pass by a list under way', () => withDaemon([], {}, async (daemon) => {
	const worker = new FakeWorker(daemon.rpc, { name: 'edge1' });
	const { id: session } = worker.addSession(1);
	let listed;
	worker.handlers['sessions.list'] = (w, params, { id }) => void (listed = id);
	await worker.start();
	const asked = once(worker, 'request');
	const answer = daemon.get('/v1/sessions');
	await asked;
	worker.send({ id: 4_000_000, result: {} });
	worker.event('goaway', session, { code: 1 });
	assert.equal((await daemon.get(`/v1/sessions/${session}`)).json.id, session);
	worker.send({ id: listed, error: { code: -30, message: 'no', data: { code: 'ERR_INTERNAL' } } });
	assert.notEqual((await answer).status, 200);
	worker.handlers['sessions.list'] = FakeWorker.defaults['sessions.list'];
	assert.equal((await daemon.get('/v1/sessions')).json.sessions[0].id, session);
}));
