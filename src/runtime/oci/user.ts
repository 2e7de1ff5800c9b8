import type { ResolvedUser } from './spec.ts';

/** What a container asks for and what its image says. */
export interface UserRequest {
  /** `USER` of the image: `name`, `uid`, `name:group`, `uid:gid`. */
  readonly imageUser: string;
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly supplementalGroups: readonly number[];
  /** Contents of the image's files; empty where it has none. */
  readonly passwd: string;
  readonly group: string;
}

/**
 * Turns names into numbers as containerd's CRI does: `runAsUser` wins over the image; the primary group comes from
 * `runAsGroup`, the image's `:group`, or the user's entry in /etc/passwd, else 0; the groups that /etc/group lists
 * the user in are added. Rejects a name that the image does not define.
 */
export function resolveUser(request: UserRequest): ResolvedUser {
  const [userName = '', groupName] =
    request.runAsUser === undefined ? request.imageUser.split(':') : [String(request.runAsUser)];
  const entry = findUser(request.passwd, userName || '0');
  if (!entry && !/^\d+$/.test(userName || '0')) {
    throw new Error(`unable to find user ${userName}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? Number(userName);
  const gid = request.runAsGroup ?? groupId(request.group, groupName) ?? entry?.gid ?? 0;
  const member = entry === undefined ? [] : groupsOf(request.group, entry.name);
  const additional = new Set([gid, ...member, ...request.supplementalGroups]);
  return { uid, gid, additionalGids: [...additional] };
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

function findUser(passwd: string, user: string): PasswdEntry | undefined {
  const entries = lines(passwd).map(
    ([name = '', , uid, gid]): PasswdEntry => ({ name, uid: Number(uid), gid: Number(gid) }),
  );
  return entries.find(({ name }) => name === user) ?? entries.find(({ uid }) => String(uid) === user);
}

function groupId(group: string, wanted: string | undefined): number | undefined {
  if (wanted === undefined || wanted === '') return undefined;
  const found = lines(group).find(([name]) => name === wanted);
  if (found) return Number(found[2]);
  if (/^\d+$/.test(wanted)) return Number(wanted);
  throw new Error(`unable to find group ${wanted}: no matching entries in group file`);
}

function groupsOf(group: string, user: string): number[] {
  return lines(group)
    .filter(([, , , members]) => (members ?? '').split(',').includes(user))
    .map(([, , gid]) => Number(gid));
}

function lines(file: string): string[][] {
  return file
    .split('\n')
    .filter((line) => line.includes(':') && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
