// Debian's coturn, started by the test with a configuration of its own.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from '../e2e/lib/processes.mjs';

const REALM = 'example.org';

/** `directory`: where its files go. `addresses`: where it listens; peers find relayed addresses at the first one.
 *  `secret`: what credentials are made from; without it `users`, as `name:password`, are let in. `within`: runs it in a
 *  namespace. */
export async function startTurnServer({ directory, addresses, secret, users = [], within }) {
  const file = (name) => join(directory, `${addresses[0]}-${name}`);
  const [certificate, key] = ['turn.pem', 'turn.key'].map(file);
  const names = addresses.map((address) => `IP:${address}`).join(',');
  execFileSync('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=turn'.split(' '),
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', certificate],
  ], { stdio: 'ignore' });
  const config = file('turnserver.conf');
  writeFileSync(config, [
    ...addresses.map((address) => `listening-ip=${address}`),
    `relay-ip=${addresses[0]}`,
    ...['listening-port=3478', 'tls-listening-port=5349', 'min-port=49160', 'max-port=49260'],
    ...['fingerprint', `realm=${REALM}`, 'no-cli', 'no-multicast-peers', `cert=${certificate}`, `pkey=${key}`],
    ...(secret ? ['use-auth-secret', `static-auth-secret=${secret}`] : ['lt-cred-mech', ...users.map((user) => `user=${user}`)]),
    ...['log-file=stdout', 'simple-log', 'verbose', `userdb=${file('turndb')}`, `pidfile=${file('turn.pid')}`],
  ].join('\n'));
  const [command, args] = within('turnserver', ['-c', config]);
  const child = new Child('turn server', command, args);
  await child.line(/IPv4. TLS\/TCP listener opened on|TLS.TCP listener opened/);
  return { child, certificate };
}
