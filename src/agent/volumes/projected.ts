import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodCertificateProjection } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import { writeAtomically } from './atomic-writer.ts';
import { trustAnchors } from './cluster-trust-bundle.ts';
import { configMapPayload } from './config-map.ts';
import { downwardPayload } from './downward-api.ts';
import { type Payload, safePath } from './payload.ts';
import { secretPayload } from './secret.ts';
import type { VolumeContext, VolumeKind } from './volume.ts';

/**
 * Several sources in one directory; a service account token is renewed when 80 % of its life is over, a certificate when
 * its signer says.
 */
export const projected: VolumeKind = {
  live: true,
  async mount(context) {
    const { sources = [], defaultMode = 0o644 } = context.volume.projected ?? {};
    const all: Payload = new Map();
    let refreshAtMs: number | undefined;
    for (const source of sources) {
      const add = (payload: Payload): void => {
        for (const [path, file] of payload) all.set(path, file);
      };
      if (source.configMap) add(await configMapPayload(context, source.configMap, defaultMode));
      else if (source.secret) add(await secretPayload(context, source.secret, defaultMode));
      else if (source.downwardAPI) add(downwardPayload(context, source.downwardAPI.items ?? [], defaultMode));
      else if (source.serviceAccountToken) {
        const { audience = '', expirationSeconds = 3600, path } = source.serviceAccountToken;
        const given = await context.token(audience, expirationSeconds);
        const file = safePath(path);
        const data =
          given === undefined
            ? await oldToken(join(context.stateDir, file))
            : Buffer.from(given.token, 'utf8');
        all.set(file, { data, ...tokenAccess(context, defaultMode) });
        const due =
          given === undefined
            ? context.nowMs + LIMITS.agent.tokenMissingMs
            : renewAt(context.nowMs, given.expiresAtMs);
        refreshAtMs = refreshAtMs === undefined ? due : Math.min(refreshAtMs, due);
      } else if (source.clusterTrustBundle) {
        const text = trustAnchors(await context.objects.trustBundles(), source.clusterTrustBundle);
        const file = { data: Buffer.from(text, 'utf8'), ...tokenAccess(context, defaultMode) };
        all.set(safePath(source.clusterTrustBundle.path), file);
      } else if (source.podCertificate) {
        const { files, refreshAtMs: due } = await certificateFiles(context, source.podCertificate);
        for (const [path, text] of files)
          all.set(path, { data: Buffer.from(text, 'utf8'), ...tokenAccess(context, defaultMode) });
        refreshAtMs = Math.min(refreshAtMs ?? due, due);
      } else
        throw new Error(`volume ${context.volume.name} projects a source that this node does not support`);
    }
    await writeAtomically(context.stateDir, all, String(context.nowMs));
    return {
      hostPath: context.stateDir,
      ownable: true,
      readOnly: true,
      ...(refreshAtMs === undefined ? {} : { refreshAtMs }),
    };
  },
};

/** Key and chain, together or each in its file. */
async function certificateFiles(
  { volume, certificate }: VolumeContext,
  source: PodCertificateProjection,
): Promise<{ files: readonly (readonly [path: string, text: string])[]; refreshAtMs: number }> {
  const { credentialBundlePath = '', keyPath = '', certificateChainPath = '' } = source;
  const place = `${volume.name}/${credentialBundlePath || keyPath || certificateChainPath}`;
  const { keyPem, chainPem, refreshAtMs } = await certificate(place, source);
  const files = [
    [credentialBundlePath, `${keyPem}${chainPem}`],
    [keyPath, keyPem],
    [certificateChainPath, chainPem],
  ] as const;
  const wanted = files.filter(([path]) => path !== '');
  return { files: wanted.map(([path, text]) => [safePath(path), text] as const), refreshAtMs };
}

/** The one that is there from before the agent was restarted; empty after a reboot. */
function oldToken(file: string): Promise<Buffer> {
  return readFile(file).catch(() => Buffer.alloc(0));
}

/** A token is its reader's alone: 0600 with a known user or a group by fsGroup, else as the volume says (KEP-542). */
function tokenAccess(context: VolumeContext, defaultMode: number): { mode: number; uid?: number } {
  const { spec } = context.pod;
  if (spec?.securityContext?.fsGroup !== undefined) return { mode: 0o640 };
  const users = new Set(
    [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(
      ({ securityContext }) => securityContext?.runAsUser ?? spec?.securityContext?.runAsUser,
    ),
  );
  const [user] = users;
  return users.size === 1 && user !== undefined ? { mode: 0o600, uid: user } : { mode: defaultMode };
}

/** 80 % of what is left, and never in a tight loop when clocks disagree. */
function renewAt(nowMs: number, expiresAtMs: number): number {
  return nowMs + Math.max(60_000, (expiresAtMs - nowMs) * 0.8);
}
