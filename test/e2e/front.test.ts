import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board, KEDGE } from './board.ts';

/** What stands before every request, in the packaged executable: audit, health, metrics, priority and fairness. */
const POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: [system:kube-controller-manager, system:kube-scheduler]
  - level: Request
    resources:
      - resources: [configmaps]
`;
let board: Board;
const folder = mkdtempSync(join(tmpdir(), 'kedge-audit-'));
const policy = join(folder, 'policy.yaml');
const log = join(folder, 'logs/audit.log');
beforeAll(async () => {
  writeFileSync(policy, POLICY);
  board = Board.create({ agent: false, flags: ['--audit-policy-file', policy, '--audit-log-path', log] });
  await board.start();
}, 60_000);
afterAll(async () => {
  await board.remove();
  rmSync(folder, { recursive: true });
});

describe('the packaged server', () => {
  it('writes down what the policy asks for, and nothing else', async () => {
    await board.kubectl(['create', 'configmap', 'audited', '--from-literal=a=b']);
    await board.kubectl(['get', 'namespaces']);
    await expect
      .poll(() => (existsSync(log) ? readFileSync(log, 'utf8') : ''), { timeout: 30_000 })
      .toContain('"verb":"create"');
    const events = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const created = events.find(({ verb }) => verb === 'create');
    expect(created).toMatchObject({
      apiVersion: 'audit.k8s.io/v1',
      level: 'Request',
      stage: 'ResponseComplete',
      user: { groups: expect.arrayContaining(['system:masters']) },
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'audited' },
      responseStatus: { code: 201 },
      requestObject: { data: { a: 'b' } },
    });
    expect(events.every(({ objectRef }) => objectRef?.resource === 'configmaps')).toBe(true);
  });

  it('shows health, metrics and who goes where', async () => {
    const { stdout: health } = await board.kubectl(['get', '--raw', '/readyz?verbose']);
    expect(health).toContain('[+]etcd ok\n');
    expect(health).toMatch(/readyz check passed\n$/);
    const { stdout: metrics } = await board.kubectl(['get', '--raw', '/metrics']);
    for (const name of [
      'apiserver_request_duration_seconds_bucket{',
      'workqueue_adds_total{',
      'etcd_request_duration_seconds_count{',
      'apiserver_flowcontrol_nominal_limit_seats{',
      'apiserver_audit_event_total ',
    ])
      expect(metrics).toContain(`\n${name}`);
    const { stdout: schemas } = await board.kubectl(['get', 'flowschemas']);
    expect(schemas).toMatch(/^exempt +exempt +1 +<none> .* False$/m);
  });

  it('says what is wrong with an audit policy', async () => {
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, POLICY.replace('level: Request', 'level: Everything'));
    const flags = board.serverFlags.map((flag) => (flag === policy ? wrong : flag));
    const other = ['--data-dir', join(folder, 'data'), '--https-listen-port', '6444'];
    const { code, stderr } = await board.run([KEDGE, 'server', ...flags, ...other], { timeoutMs: 20_000 });
    expect(code).toBe(2);
    expect(stderr).toContain('rules[1].level: Unsupported value: "Everything"');
  });
});
