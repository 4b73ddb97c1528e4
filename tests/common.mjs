// SPDX-License-Identifier: Apache-2.0
//
// What every test in JavaScript shares: where things are, waiting with a deadline, and ending what was started.
//
//   await until('a ready file', () => fs.existsSync(file));       asks again until it is so
//   const [data] = await event(socket, 'data');                   once, with a deadline
//   ending(t, () => child.kill());                                last started, first ended
//
// A wait that fails says for what. Deadlines are far beyond what a slow machine needs: they are there so that a test that
// fails says so, and never for how quick a program is.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const build = path.resolve(root, process.env.H2SESS_BUILD || 'build');
export const sanitized = /asan|tsan/.test(build);

const DEADLINE_MS = 40000; // several of them in a row are over before tests/run ends the whole file

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Wait until probe() gives something, asking again every few milliseconds. What probe() throws ends the wait. */
export async function until(what, probe, ms = DEADLINE_MS) {
	const end = Date.now() + ms;
	for (;;) {
		const late = Date.now() > end; // before it is asked the last time: it may have been this process that was late
		const value = await probe();
		if (value) return value;
		if (late) throw new Error(`never came: ${what}`);
		await sleep(10);
	}
}

/** What the promise gives, if it does in time. */
export function within(promise, what, ms = DEADLINE_MS) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`never came: ${what}`)), ms);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** An event of an emitter: its arguments. */
export const event = (emitter, name, ms) => within(once(emitter, name), `the event ${name}`, ms);

const ends = new WeakMap();

/**
 * Call end() when the test t is over, whatever came of it. What was started last is ended first, since it may stand on what was
 * there before: a directory goes after the programs that write into it. (Hooks of t.after() run in the order in which they were
 * given, and one that fails stops the rest.) The first failure is the test's, after all has been ended.
 */
export function ending(t, end) {
	if (ends.has(t)) {
		ends.get(t).push(end);
		return;
	}
	const stack = [end];
	ends.set(t, stack);
	t.after(async () => {
		const failures = [];
		while (stack.length)
			await Promise.resolve().then(stack.pop()).catch((error) => failures.push(error));
		if (failures.length) throw failures[0];
	});
}

/** Kill a program and wait for its end; one that has ended is left alone. Its pipes may be held by others: they are let go. */
export async function kill(child, signal = 'SIGKILL') {
	if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
		const ended = new Promise((resolve) => child.once('exit', resolve));
		child.kill(signal);
		await within(ended, `the end of ${child.spawnfile}`);
	}
	for (const pipe of child.stdio) pipe?.destroy();
}

/** A directory for the test t alone. */
export function temporary(t, { below = os.tmpdir() } = {}) {
	const dir = fs.mkdtempSync(path.join(below, 't-'));
	ending(t, () => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 10 }));
	return dir;
}

export function has(program) {
	return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}
