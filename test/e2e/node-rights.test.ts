import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Board, IMAGE } from './board.ts';

/** The board's own agent has the rights of a node and no others; here they are enough, and no more than enough. */
const board = Board.create();
const AS_NODE = ['--as=system:node:board', '--as-group=system:nodes', '--as-group=system:authenticated'];

const claim = (folder: string): string => `
apiVersion: v1
kind: PersistentVolume
metadata: {name: roof}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: ${folder}, type: DirectoryOrCreate}
  claimRef: {namespace: default, name: data}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", volumeName: roof, resources: {requests: {storage: 1Gi}}}
`;
const pod = `
apiVersion: v1
kind: Pod
metadata: {name: writer, namespace: default}
spec:
  containers:
  - name: main
    image: ${IMAGE}
    command: [sh, -c, "echo $WORD > /data/word; sleep 1000"]
    env: [{name: WORD, valueFrom: {secretKeyRef: {name: used, key: word}}}]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`;

beforeAll(async () => {
  await board.start();
  for (const name of ['used', 'foreign'])
    await board.ok(['create', 'secret', 'generic', name, '--from-literal=word=rain']);
});
afterAll(() => board.remove());

describe('a node', () => {
  it('reads what its pods name: a Secret, a claim, the volume behind it', async () => {
    const folder = join(board.folder, 'volume');
    await board.apply(claim(folder));
    // Bound by hand, so that this test is about nothing but reading.
    const uid = await board.ok(['get', 'pvc', 'data', '-o', 'jsonpath={.metadata.uid}']);
    await board.ok(['patch', 'pv', 'roof', '--type=merge', '-p', `{"spec":{"claimRef":{"uid":"${uid}"}}}`]);
    for (const [kind, name] of [
      ['pvc', 'data'],
      ['pv', 'roof'],
    ] as const)
      await board.ok([
        ...['patch', kind, name, '--subresource=status', '--type=merge'],
        ...['-p', '{"status":{"phase":"Bound"}}'],
      ]);
    await board.ok(['annotate', 'pvc', 'data', 'pv.kubernetes.io/bind-completed=yes']);
    await board.apply(pod);
    const word = join(folder, 'word');
    await board.until('the pod to write', () => existsSync(word) && readFileSync(word, 'utf8') === 'rain\n');
    expect(board.log).not.toMatch(/forbidden/i);
  });

  it.each([
    [['get', 'secret', 'used'], true],
    [['get', 'pvc', 'data'], true],
    [['get', 'pv', 'roof'], true],
    [['get', 'nodes'], true],
    [['label', 'node', 'board', 'place=roof'], true],
    [['get', 'secret', 'foreign'], false],
    [['get', 'secrets'], false],
    [['get', 'secrets', '--field-selector', 'type!=\\,metadata.name=used'], false],
    [['get', 'pv'], false],
    [['label', 'node', 'board', 'node-role.kubernetes.io/control-plane='], false],
    [['taint', 'node', 'board', 'a=b:NoSchedule'], false],
    [['delete', 'node', 'board'], false],
    [['create', 'configmap', 'mine'], false],
    [['create', 'token', 'default'], false],
  ] as const)('%j: %s', async (args, isAllowed) => {
    const { code, stderr } = await board.kubectl([...args, ...AS_NODE]);
    expect(stderr).toEqual(isAllowed ? '' : expect.stringMatching(/forbidden/i));
    expect(code).toBe(isAllowed ? 0 : 1);
  });
});
