import type { KubeObject } from '../../../api/resource.ts';
import type { RoleRef, Subject } from '../../../api/types.gen.ts';
import type { Column } from '../../registry/definition.ts';
import { ageColumn, nameColumn, textColumn, wide } from '../columns.ts';

interface AnyBinding extends KubeObject {
  roleRef: RoleRef;
  subjects?: Subject[];
}

const subjectsText = ({ subjects = [] }: AnyBinding, kind: string): string =>
  subjects
    .filter((one) => one.kind === kind)
    .map(({ namespace, name }) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
    .join(', ');

export const bindingColumns: readonly Column<AnyBinding>[] = [
  nameColumn,
  textColumn('Role', 'What the binding grants.', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  ageColumn,
  wide(textColumn('Users', 'Users in the binding.', (object) => subjectsText(object, 'User'))),
  wide(textColumn('Groups', 'Groups in the binding.', (object) => subjectsText(object, 'Group'))),
  wide(
    textColumn('ServiceAccounts', 'Service accounts in the binding.', (object) =>
      subjectsText(object, 'ServiceAccount'),
    ),
  ),
];
