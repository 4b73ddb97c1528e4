// SPDX-License-Identifier: Apache-2.0
//
// The Debian packages in a bare Debian 12: installed, run by a systemd and without one, pushed through as the README
// says word for word, upgraded, removed, purged.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { bare, boot, build, connect, push, readme, run, start, until } from './support.mjs';

const debs = join(build, 'deb');

// apt install, as the README says, in a directory that has build/deb.
function install(root) {
  mkdirSync(join(root, 'srv/h2sess/build'), { recursive: true });
  cpSync(debs, join(root, 'srv/h2sess/build/deb'), { recursive: true });
  run(root, `cd /srv/h2sess\n${readme().install}`, { network: true });
}

// The same packages as a version that comes next, in ROOT/srv/next.
function makeNext(root) {
  const work = mkdtempSync(join(tmpdir(), 'next-'));
  mkdirSync(join(root, 'srv/next'));
  for (const name of readdirSync(debs).filter((file) => /\.deb$/.test(file))) {
    const dir = join(work, name);
    execFileSync('dpkg-deb', ['-R', join(debs, name), dir]);
    const control = join(dir, 'DEBIAN/control');
    const text = readFileSync(control, 'utf8');
    const version = text.match(/^Version: (.*)$/m)[1];
    writeFileSync(control, text.replaceAll(version, `${version}+next`));
    execFileSync('dpkg-deb', ['--root-owner-group', '-b', dir, join(root, 'srv/next', name)], { stdio: 'ignore' });
  }
  rmSync(work, { recursive: true });
}

const pid = (machine, unit) => machine.run(`systemctl show -P MainPID ${unit}`).trim();
const state = (machine, unit) => machine.run(`systemctl is-active ${unit} || :`).trim();

test('installed, served, upgraded, removed, purged, with systemd', async (t) => {
  const root = bare(t, 'debian');
  let machine, client;

  await t.test('apt installs the packages into a bare root', () => {
    install(root);
    const conffiles = run(root, "dpkg-query -W -f '${Conffiles}' h2sess-worker h2sess-controld");
    for (const file of ['/etc/h2sess/controld.conf', '/etc/h2sess/worker/default.conf', '/etc/logrotate.d/h2sess',
      '/etc/needrestart/conf.d/h2sess.conf'])
      assert.ok(conffiles.includes(` ${file} `), file);
    assert.equal(run(root, "stat -c '%a %U %G' /etc/h2sess/tls /var/lib/h2sess"),
      '2750 root _h2sess-worker\n750 _h2sess-controld _h2sess-controld\n');
    run(root, 'perl -c /etc/needrestart/conf.d/h2sess.conf 2>&1');
  });

  await t.test('systemd runs the daemon, with its sockets', async () => {
    machine = await boot(root);
    await until('the daemon', () => state(machine, 'h2sess-controld.service') === 'active');
    assert.equal(machine.run("stat -c '%a %U %G' /run/h2sess /run/h2sess/api.sock /run/h2sess-rpc /run/h2sess-rpc/rpc.sock"),
      '750 _h2sess-controld h2sess\n660 _h2sess-controld h2sess\n' +
      '750 _h2sess-controld h2sess-rpc\n660 _h2sess-controld h2sess-rpc\n');
    assert.match(machine.run('systemctl is-system-running || :'), /^running/);
  });

  await t.test("the README's lines lead to a push that a Node client receives", async () => {
    machine.run(readme().configure);
    client = await connect(t, machine);
    await push(machine, client);
  });

  await t.test('the daemons run as their own users, and a worker does not reach the API', () => {
    for (const [unit, user] of [['h2sess-controld.service', '_h2sess-controld'], ['h2sess-worker@default.service', '_h2sess-worker']])
      assert.equal(machine.run(`stat -c %U /proc/${pid(machine, unit)}`).trim(), user);
    const reach = (user, groups) => machine.run(`setpriv --reuid=${user} --regid=${user} ${groups} \
      curl -s -o /dev/null --unix-socket /run/h2sess/api.sock http://localhost/v1/sessions && echo reached || echo refused`).trim();
    assert.equal(reach('_h2sess-worker', '--init-groups'), 'refused');
    assert.equal(reach('_h2sess-worker', '--groups=h2sess'), 'reached');
  });

  await t.test('a reload takes the new certificate, and ends no session', async () => {
    const serial = () => machine.run('openssl s_client -connect 127.0.0.1:8443 -alpn h2 </dev/null 2>/dev/null | openssl x509 -noout -serial');
    const before = serial();
    machine.run(readme().configure.split('systemctl')[0]);
    machine.run('systemctl reload h2sess-worker@default h2sess-controld');
    await until('another certificate', () => serial() !== before);
    assert.equal(client.ended, false);
  });

  await t.test('an upgrade restarts the daemon and no worker, and keeps configuration and state', async () => {
    const before = { daemon: pid(machine, 'h2sess-controld'), worker: pid(machine, 'h2sess-worker@default') };
    for (const file of ['worker/default.conf', 'controld.conf']) appendFileSync(join(root, 'etc/h2sess', file), '# kept\n');
    const inode = machine.run('stat -c %i /var/lib/h2sess/state.db');
    makeNext(root);
    machine.run('dpkg -i /srv/next/*.deb');
    assert.match(machine.run("dpkg-query -W -f '${Version}' h2sess-worker"), /next$/);
    await until('the new daemon', () => state(machine, 'h2sess-controld') === 'active' && pid(machine, 'h2sess-controld') !== before.daemon);
    assert.equal(pid(machine, 'h2sess-worker@default'), before.worker);
    for (const file of ['worker/default.conf', 'controld.conf'])
      assert.match(readFileSync(join(root, 'etc/h2sess', file), 'utf8'), /# kept\n$/);
    assert.equal(machine.run('stat -c %i /var/lib/h2sess/state.db'), inode);
    await until('the worker at the new daemon', () => /"id"/.test(machine.run(
      'curl -s --unix-socket /run/h2sess/api.sock http://localhost/v1/sessions')));
    assert.equal(client.ended, false);
    await push(machine, client);
  });

  await t.test('SIGUSR2 puts a successor in its place, and loses no session', async () => {
    const before = pid(machine, 'h2sess-worker@default');
    machine.run('systemctl kill -s USR2 --kill-whom=main h2sess-worker@default');
    await until('the successor', () => pid(machine, 'h2sess-worker@default') !== before);
    assert.equal(state(machine, 'h2sess-worker@default'), 'active');
    assert.equal(client.ended, false);
    client = await connect(t, machine);
    await push(machine, client);
  });

  await t.test('removal stops both and keeps configuration and state', async () => {
    machine.run("dpkg -r $(dpkg-query -W -f '${Package} ' '*h2sess*')");
    await until('the end', () => client.ended);
    for (const unit of ['h2sess-worker@default', 'h2sess-controld', 'h2sess-controld.socket'])
      assert.notEqual(state(machine, unit), 'active', unit);
    for (const file of ['etc/h2sess/worker/default.conf', 'etc/h2sess/controld.conf', 'var/lib/h2sess/state.db'])
      assert.ok(existsSync(join(root, file)), file);
  });

  await t.test('a purge leaves the certificates alone', () => {
    machine.run("dpkg -P $(dpkg-query -W -f '${Package} ' '*h2sess*')");
    for (const file of ['etc/h2sess/worker', 'etc/h2sess/controld.conf', 'var/lib/h2sess', 'etc/logrotate.d/h2sess'])
      assert.ok(!existsSync(join(root, file)), file);
    assert.ok(existsSync(join(root, 'etc/h2sess/tls/default.key')));
  });
});

test('served without systemd, each as its own user', async (t) => {
  const root = bare(t, 'debian-by-hand');
  install(root);
  const lines = readme();
  // All of it in one shell: namespaces of a chroot's processes end with their first one.
  const script = `${lines.configure.replace(/^systemctl.*$/m, '')}\n${lines.byHand}
    until curl -s --unix-socket /run/h2sess/api.sock http://localhost/v1/workers | grep -q '"state":"running"'; do sleep 0.2; done
    (${lines.client}) &
    until curl -s --unix-socket /run/h2sess/api.sock http://localhost/v1/sessions | grep -q '"id"'; do sleep 0.2; done
    ${lines.push}
    sleep 1`;
  const child = start(root, `timeout 60 sh -c '${script.replaceAll("'", "'\\''")}'`);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (some) => { text += some; });
  await new Promise((done) => child.on('exit', done));
  assert.equal(text.match(/"outcome":"received"/g)?.length, 2, text);
  assert.match(text, /altsvc h2=":8000"; ma=60 https:\/\/example\.org\n/);
  assert.match(text, /origin https:\/\/www\.example\.org\n/);
});
