// SPDX-License-Identifier: Apache-2.0
//
// h2sess_origin_of() against Node's `new URL(x).origin` over a corpus that is the same at each run: where
// both accept, they agree byte for byte; what Node refuses, we refuse; where only we refuse, a rule of
// url_idna.c or origin.c says why; what Node takes for an opaque origin, we do.

import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

import { BUILD } from './support.mjs';

const ROUNDS = 40000;

const SEEDS = [
	'https://example.org', 'https://example.org:8111/this', 'https://EXAMPLE.org:443/x',
	'https://bücher.example', 'https://user:pw@ex.org/?q#f', 'ftp://ex.org', 'ws://ex.org:81',
	'blob:https://ex.org/uuid', 'file:///x', 'abc:', 'nope', '', 'https://[::1]:443',
	'https://192.168.1', 'http://0x7f.1', 'http://1.2.3.4.5', 'http://256.1',
	'https://xn--bcher-kva.example', 'https://xn--a', 'https://a..b', 'https://a.b.',
	'http://[1:2::3.4.5.6]', 'https:\\\\ex.org\\x', 'https:ex.org', 'http:////a',
	'https://a%41b.org', 'https://%zz', 'https://a b', 'https://中.example', 'https://faß.de',
	'https://☃.net', 'https://xn--n3h.net', 'https://EXA%4dPLE', 'https://０x7f.1', 'https://a。b',
	'https://-a.org', 'https://a_b.org', 'https://a@b@c:8', 'https://:80', 'https://a:',
	'https://a:0', 'https://a:65536', 'https://a:00080', 'http://a:80', 'foo://bar', 'foo://b r',
	'blob:abc', 'blob:ws://a', 'file://h st/', 'javascript:1', 'http://1..2', 'http://0.0.0.0x',
	'http://09.1', 'http://a.09', 'http://4294967295', 'http://4294967296',
	'http://[::ffff:1.2.3.4]', 'http://[1::2::3]', 'http://[1:2:3:4:5:6:7:8]',
	'http://[1:2:3:4:5:6:7::]', 'http://[::1%25eth0]', 'https://a\u00adb.c', 'https://\u00ad',
	'https://\u200d.x', 'https://ab\u0301.x', 'https://א.x', 'https://1א.x',
	'https://ex.org\\@evil', 'https://xn--ls8h.la', 'https://💩.la', 'https://пример.рф',
	'https://日本語。jp', 'https://xn--ab-1ca', 'https://xn--ab-4vt', 'https://xn--ab-kb5a',
	'https://xn--fxn---hia.de', 'https://xn--4-kqc8t', 'https://xn----8cb53z', 'https://☃\u200d.x',
	'https://שּׂ٠９.2갋', 'https://ל-ื.', 'https://سایت-خوب.ir', 'https://مثال.إختبار', `https://${'a'.repeat(64)}.x`, `https://${'a.'.repeat(200)}x`,
];
const CHARACTERS = [...Array(127).keys()].map((c) => String.fromCharCode(c + 1)).concat(
	['ü', 'ß', '中', '。', '０', '\u00ad', '\u200d', 'א', 'é', 'İ', 'ſ', '№', '💩', '\ufffd', '\u0301']);

function random(seed) {
	let state = seed;
	return (n) => {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		return (state >>> 8) % n;
	};
}

function mutate(pick, text) {
	let s = text;
	for (let k = pick(4) + 1; k > 0; k--) {
		const at = pick(s.length + 1);
		const c = CHARACTERS[pick(CHARACTERS.length)];
		const other = SEEDS[pick(SEEDS.length)];
		s = [
			() => s.slice(0, at) + c + s.slice(at),
			() => s.slice(0, at) + s.slice(at + 1),
			() => s.slice(0, at) + other.slice(pick(other.length + 1)),
			() => s.slice(0, at) + c + s.slice(at + 1),
		][pick(4)]();
	}
	return Buffer.from(s).toString(); // no lone surrogates
}

function corpus() {
	const all = new Set(SEEDS);
	for (const s of ['https://example.org:80/', 'https://a', 'http://1.2.3.4', 'https://[::1]',
		'blob:https://a/b', 'https://ü.x']) {
		for (let i = 0; i <= s.length; i++) {
			for (const c of CHARACTERS) {
				all.add(s.slice(0, i) + c + s.slice(i));
				all.add(s.slice(0, i) + c + s.slice(i + 1));
			}
		}
	}
	for (let c = 0x80; c < 0x3000; c++) all.add(`https://a${String.fromCharCode(c)}b`);
	const pick = random(20260101);
	for (let i = 0; i < ROUNDS; i++) all.add(mutate(pick, SEEDS[pick(SEEDS.length)]));
	return [...all];
}

function ofNode(url) {
	try {
		return new URL(url).origin;
	} catch {
		return null;
	}
}

/** The refusals that url_idna.c and origin.c write down. */
function isWrittenDown(url, origin) {
	const throughIdna = /(^|[./])xn--/i.test(origin) || /[^\0-\x7f]/.test(decodeURISafely(url));
	return throughIdna || /^[\0- ]*blob:/i.test(url);
}

function decodeURISafely(url) {
	return url.replace(/%[89a-f][0-9a-f]/gi, '\u0080');
}

test('origins are what Node takes them for', () => {
	const urls = corpus();
	const lines = urls.map((u) => Buffer.from(u).toString('hex')).join('\n');
	const program = path.join(BUILD, 'tests/origin_of_main');
	const ours = execFileSync(program, { input: `${lines}\n`, maxBuffer: 1e9 }).toString().split('\n');
	const count = { agree: 0, refused: 0, bothRefuse: 0 };
	urls.forEach((url, i) => {
		const node = ofNode(url);
		const what = JSON.stringify([url, node, ours[i]]);
		if (node === null || node === 'null') {
			assert.ok(ours[i].startsWith('!'), what);
			count.bothRefuse++;
			if (node === 'null' && !/[^\0-\x7f]|xn--/i.test(url))
				assert.equal(ours[i], '!ERR_HTTP2_INVALID_ORIGIN', what);
		} else if (ours[i].startsWith('!')) {
			assert.ok(isWrittenDown(url, node), what);
			count.refused++;
		} else {
			assert.equal(ours[i], node, what);
			count.agree++;
		}
	});
	assert.ok(count.agree > 20000 && count.bothRefuse > 10000, JSON.stringify(count));
	assert.ok(count.refused < urls.length / 50, JSON.stringify(count));
});
