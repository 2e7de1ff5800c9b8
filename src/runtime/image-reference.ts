/**
 * The full name of an image as containerd keeps it: `busybox` → `docker.io/library/busybox:latest`. A reference with
 * a tag and a digest keeps both, as upstream (distribution/reference). Rejects what is not a reference.
 */
export function normalizeReference(reference: string): string {
  if (!REFERENCE.test(reference))
    throw new Error(`couldn't parse image name "${reference}": invalid reference format`);
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  const hasDomain = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  let full = hasDomain ? reference : `docker.io/${slash < 0 ? `library/${reference}` : reference}`;
  if (full.startsWith('index.docker.io/')) full = full.replace('index.docker.io/', 'docker.io/');
  if (/^docker\.io\/[^/]+$/.test(full)) full = full.replace('docker.io/', 'docker.io/library/');
  const repository = repositoryOf(full);
  if (repository !== repository.toLowerCase().replace(/^[^/]+/, repository.split('/')[0] ?? '')) {
    throw new Error(`couldn't parse image name "${reference}": repository name must be lowercase`);
  }
  return full === repository ? `${full}:latest` : full;
}

const REFERENCE =
  /^(?:[\w.-]+(?::\d+)?\/)?\w[\w.-]*(?:\/\w[\w.-]*)*(?::\w[\w.-]{0,127})?(?:@[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,})?$/;

/** Domain and path without tag and digest. */
export function repositoryOf(full: string): string {
  const plain = full.split('@')[0] ?? full;
  const colon = plain.lastIndexOf(':');
  return colon > plain.lastIndexOf('/') ? plain.slice(0, colon) : plain;
}

/** `sha256:…`, the id of an image as nodes report it, or a bare hex id. */
export function isImageId(reference: string): boolean {
  return /^(sha256:)?[0-9a-f]{64}$/.test(reference);
}
