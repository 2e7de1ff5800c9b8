import { describe, expect, it } from 'vitest';
import { printTable, type ServerTable } from './table.ts';

const table: ServerTable = {
  columnDefinitions: [{ name: 'Name' }, { name: 'Ready' }, { name: 'Node', priority: 1 }],
  rows: [
    {
      cells: ['web', '1/1', 'board'],
      object: { metadata: { namespace: 'default', labels: { a: 'b', c: 'd' } } },
    },
    { cells: ['database', null, 'board'], object: { metadata: { namespace: 'kube-system' } } },
  ],
};
const plain = { wide: false, withNamespace: false, showLabels: false, headers: true, prefix: '' };

describe('printTable', () => {
  it('lays columns out as kubectl does', () => {
    expect(printTable(table, plain)).toBe('NAME       READY\nweb        1/1\ndatabase   <none>\n');
  });
  it('adds wide columns, namespaces, labels and prefixes on demand', () => {
    const text = printTable(table, {
      wide: true,
      withNamespace: true,
      showLabels: true,
      headers: false,
      prefix: 'pod/',
    });
    expect(text).toBe(
      'default       pod/web        1/1      board   a=b,c=d\nkube-system   pod/database   <none>   board   <none>\n',
    );
  });
});
