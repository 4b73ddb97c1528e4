// SPDX-License-Identifier: Apache-2.0
//
// The pushed frames as tshark decodes them from the wire, over TLS, by the worker's key log.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

import { House, ending, has, kill, until } from './support.mjs';

/** Capture a port on lo into a file. Resolves to null, with the reason printed, where that is impossible. */
async function capture(t, port, file) {
	const child = spawn('tshark', ['-i', 'lo', '-f', `tcp port ${port}`, '-w', file, '-q'],
		{ stdio: ['ignore', 'ignore', 'pipe'] });
	const capturing = { child, output: '' };
	child.stderr.on('data', (piece) => (capturing.output += piece));
	capturing.ended = new Promise((resolve) => child.on('close', resolve));
	capturing.ended.then(() => (capturing.over = true));
	ending(t, () => kill(child));
	await until('tshark capturing', () => capturing.over || /Capture started/.test(capturing.output));
	if (!capturing.over) return capturing;
	console.error(`push_tshark: SKIPPED, tshark cannot capture on lo:\n${capturing.output}`);
	return null;
}

/** Run tshark on a capture: one line a packet, fields divided by tabs. Nothing when its end is only half written. */
function decode(file, keylog, port, filter, fields) {
	const { status, stdout } = spawnSync('tshark', [
		'-r', file, '-o', `tls.keylog_file:${keylog}`, '-d', `tcp.port==${port},tls`, '-Y', filter,
		'-T', 'fields', ...fields.flatMap((field) => ['-e', field]),
	], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
	return status === 0 && stdout;
}

const skip = !has('tshark') && 'tshark is not installed';

test('tshark decodes both frames, over TLS with the key log', { skip }, async (t) => {
	const house = await House.open(t);
	const keylog = path.join(house.dir, 'keylog');
	const file = path.join(house.dir, 'capture.pcapng');
	const worker = await house.worker({ args: ['--keylog', keylog] });
	const capturing = await capture(t, worker.port, file);
	if (!capturing) return t.skip('capture on lo is impossible here (needs root or dumpcap rights)');

	const client = await house.client(worker);
	const session = await house.sessionOf(client.socket);
	const at = `/v1/sessions/${session.id}`;
	const altsvc = { alt: 'h2=":8000"; ma=60', origin: 'https://example.org', wait: 'received' };
	assert.equal((await house.post(`${at}/altsvc`, altsvc)).body.outcome, 'received');
	const origin = { origins: ['https://example.com', 'https://example.org'], wait: 'received' };
	assert.equal((await house.post(`${at}/origin`, origin)).body.outcome, 'received');

	// What was captured reaches the file in its own time.
	const fields = ['http2.altsvc.origin', 'http2.altsvc.field_value', 'http2.streamid'];
	const seen = await until('ALTSVC in the capture', () =>
		decode(file, keylog, worker.port, 'http2.type == 10', fields));
	const [seenOrigin, seenAlt, seenStream] = seen.trim().split('\t');
	assert.equal(seenOrigin, altsvc.origin);
	assert.equal(seenAlt.replaceAll('\\"', '"'), altsvc.alt);
	assert.match(seenStream, /^0\b/);
	const origins = await until('ORIGIN in the capture', () =>
		decode(file, keylog, worker.port, 'http2.type == 12', ['http2.origin.origin']));
	assert.equal(origins.trim(), origin.origins.join(','));
	capturing.child.kill('SIGINT');
	await capturing.ended;
});
