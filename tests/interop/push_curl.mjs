// SPDX-License-Identifier: Apache-2.0
//
// curl as a client: its requests work, and its session is listed while it lives.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';

import { House, certificateFiles, ending, has, kill, until } from './support.mjs';

function startCurl(args) {
	const child = spawn('curl', ['-sS', '--max-time', '20', ...args]);
	const curl = { child, output: '', errors: '' };
	child.stdout.on('data', (piece) => (curl.output += piece));
	child.stderr.on('data', (piece) => (curl.errors += piece));
	child.stdin.on('error', () => {});
	curl.ended = new Promise((resolve) => child.on('close', resolve));
	return curl;
}

function tlsArguments(worker) {
	return ['--http2', '--cacert', certificateFiles().cert, '--resolve',
		`localhost:${worker.port}:127.0.0.1`];
}

const skip = !has('curl') && 'curl is not installed';

test('a request of curl --http2 is served over HTTP/2', { skip }, async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const curl = startCurl([...tlsArguments(worker), '-w', '\n%{http_version} %{http_code}',
		`https://localhost:${worker.port}/path?q`]);
	assert.equal(await curl.ended, 0, curl.errors);
	const [body, facts] = curl.output.trim().split(/\n(?=2 )/);
	assert.equal(facts, '2 200');
	assert.equal(JSON.parse(body).path, '/path?q');
});

test('a request with prior knowledge is served in cleartext', { skip }, async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	const curl = startCurl(['--http2-prior-knowledge', '-d', 'hello',
		`http://127.0.0.1:${worker.h2c}/`]);
	assert.equal(await curl.ended, 0, curl.errors);
	assert.equal(curl.output, 'hello');
});

test('the session of curl is listed while it lives, and takes a push', { skip }, async (t) => {
	const house = await House.open(t);
	const worker = await house.worker();
	// Slowly, so that there is time; a curl that waits for its input would not read the socket.
	const body = 'x'.repeat(100000);
	const curl = startCurl([...tlsArguments(worker), '--limit-rate', '50k', '-d', '@-',
		`https://localhost:${worker.port}/upload`]);
	curl.child.stdin.end(body);
	ending(t, () => kill(curl.child));
	const session = await until('the session of curl', async () =>
		(await house.sessions()).find((s) => s.userAgent?.startsWith('curl/')));
	assert.equal(session.alpnProtocol, 'h2');
	assert.equal(session.servername, 'localhost');
	assert.equal(session.encrypted, true);
	const answer = await house.post(`/v1/sessions/${session.id}/altsvc`,
		{ alt: 'clear', origin: 'https://example.org', wait: 'received' });
	assert.equal(answer.body.outcome, 'received'); // read, not acted upon: curl ignores the frame
	assert.equal(await curl.ended, 0, curl.errors);
	assert.equal(curl.output, body);
	await until('an end of the session', async () => (await house.sessions()).length === 0);
	const gone = await house.get(`/v1/sessions/${session.id}`);
	assert.ok([404, 410].includes(gone.status), `${gone.status}`);
});
