/**
 * A short name for the content of a pod template. Upstream hashes Go's print of its own structs, which nobody else can
 * reproduce; clients only need it stable, and `kubectl` never computes it. Keys are sorted, so that the order in which
 * fields arrived does not matter.
 */
export function templateHash(content: unknown, collisionCount = 0): string {
  let hash = 0x811c9dc5;
  const bytes = Buffer.from(canonicalJson(content) + (collisionCount > 0 ? `#${collisionCount}` : ''));
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return safeEncode(String(hash));
}

/** No vowels and no 0, 1, 3: never spells a word, never mistaken for another (apimachinery's rand). */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

function safeEncode(text: string): string {
  return [...text].map((letter) => SAFE[letter.charCodeAt(0) % SAFE.length]).join('');
}

/** JSON with sorted keys; null, undefined and empty lists count as absent. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? 'null';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, inner]) => [key, sorted(inner)] as const)
    .filter(([, inner]) => inner !== undefined && inner !== null);
  // emptyDir: {} chooses a volume type: an object that was given counts, even when nothing is in it.
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
