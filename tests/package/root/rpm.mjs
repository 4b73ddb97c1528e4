// SPDX-License-Identifier: Apache-2.0
//
// The rpm packages, installed into a root directory and run from there. The root is a Debian that has the libraries
// which they need; what their scriptlets do on Fedora is done by the same tools, by hand.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { bare, boot, build, connect, push, readme, run } from './support.mjs';

const NEEDED = 'systemd curl nodejs openssl libidn2-0 libinih1 libjansson4 libmicrohttpd12 libnghttp2-14 libsqlite3-0 libssl3 libuv1';

test('the rpm packages, from a root directory', async (t) => {
  const root = bare(t, 'rpm');
  const folder = join(build, 'rpm/RPMS', readdirSync(join(build, 'rpm/RPMS'))[0]);
  const packages = readdirSync(folder).map((name) => join(folder, name));

  await t.test('rpm installs them', () => {
    run(root, `apt-get -q install --no-install-recommends ${NEEDED}`, { network: true });
    execFileSync('rpm', ['--root', root, '--initdb']);
    execFileSync('rpm', ['--root', root, '--nodeps', '--noscripts', '-i', ...packages], { stdio: ['ignore', 'inherit', 'pipe'] });
    assert.ok(existsSync(join(root, 'usr/bin/h2sess-worker')));
    // Debian's dynamic linker does not look there.
    writeFileSync(join(root, 'etc/ld.so.conf.d/lib64.conf'), '/usr/lib64\n');
    run(root, 'ldconfig; systemd-sysusers; systemd-tmpfiles --create h2sess-worker.conf h2sess-controld.conf');
    run(root, 'systemctl enable h2sess-controld.service');
    execFileSync('rpm', ['--root', root, '--nodeps', '-V', 'h2sess-libs', 'h2sess-devel'], { stdio: 'inherit' });
  });

  await t.test("the README's lines lead to a push that a Node client receives", async () => {
    const machine = await boot(root);
    machine.run(readme().configure);
    await push(machine, await connect(t, machine));
  });
});
