// SPDX-License-Identifier: Apache-2.0
//
// `nghttp -nv` prints the pushed frames: a witness that is neither Node nor ours.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';

import { House, ending, has, kill, until } from './support.mjs';

/** nghttp on a session that stays open: its windows are shut, so the response cannot end. */
function startNghttp(url) {
	const child = spawn('nghttp', ['-nv', '-w', '0', url], { stdio: ['ignore', 'pipe', 'pipe'] });
	const nghttp = { child, output: '' };
	child.stdout.on('data', (piece) => (nghttp.output += piece));
	child.stderr.on('data', (piece) => (nghttp.output += piece));
	nghttp.ended = new Promise((resolve) => child.on('close', resolve));
	return nghttp;
}

/** What nghttp printed of the first frame of a type: its head and the indented lines below it. */
function printed(output, type) {
	const plain = output.replace(/\x1b\[[0-9;]*m/g, '');
	const found = new RegExp(`recv ${type} frame.*\\n(?: +.*\\n)*`).exec(plain);
	return found?.[0];
}

async function check(t, scheme) {
	const house = await House.open(t);
	const worker = await house.worker();
	const port = scheme === 'https' ? worker.port : worker.h2c;
	const nghttp = startNghttp(`${scheme}://127.0.0.1:${port}/`);
	ending(t, () => kill(nghttp.child));
	const [session] = await until('the session of nghttp', async () => {
		const sessions = await house.sessions();
		return sessions.length === 1 && sessions[0].openStreams === 1 && sessions;
	});
	assert.match(session.userAgent, /^nghttp2\//);
	const at = `/v1/sessions/${session.id}`;
	const altsvc = await house.post(`${at}/altsvc`,
		{ alt: 'h2=":8000"; ma=60', origin: 'https://example.org', wait: 'received' });
	assert.equal(altsvc.body.outcome, 'received');
	const origin = await house.post(`${at}/origin`,
		{ origins: ['https://example.com', 'https://example.org'], wait: 'received' });
	assert.equal(origin.body.outcome, 'received');

	const stopped = worker.stop(); // ends nghttp in peace, so that it prints what it holds back
	await nghttp.ended;
	await stopped;
	const first = printed(nghttp.output, 'ALTSVC');
	assert.ok(first, nghttp.output);
	assert.match(first, /stream_id=0/);
	assert.match(first, /\[https:\/\/example\.org\].*h2=":8000"; ma=60/s);
	const second = printed(nghttp.output, 'ORIGIN');
	assert.ok(second, nghttp.output);
	assert.match(second, /\[https:\/\/example\.com\]\s+\[https:\/\/example\.org\]/);
	assert.match(nghttp.output, /recv GOAWAY frame/);
}

const skip = !has('nghttp') && 'nghttp is not installed (package nghttp2-client)';

test('nghttp prints both frames, over TLS', { skip }, (t) => check(t, 'https'));
test('nghttp prints both frames, in cleartext', { skip }, (t) => check(t, 'http'));
