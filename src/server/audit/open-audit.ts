import { readFileSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { Audit } from './audit.ts';
import { AuditLog } from './log-file.ts';
import { parsePolicy } from './policy.ts';

export interface AuditConfig {
  /** File with an `audit.k8s.io/v1` Policy. */
  readonly policyFile: string;
  /** `-` is standard output. */
  readonly logPath: string;
  readonly maxAgeDays: number;
  readonly maxBackups: number;
  readonly maxSizeMiB: number;
}

/** Reads the policy and is ready to write. Throws an `Error` that names the file. */
export function openAudit(config: AuditConfig, clock: Clock, log: Logger): Audit {
  const { policyFile, logPath, maxAgeDays, maxBackups, maxSizeMiB } = config;
  let policy: ReturnType<typeof parsePolicy>;
  try {
    policy = parsePolicy(readFileSync(policyFile, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`audit policy ${policyFile} ${why}`, { cause });
  }
  const maxSizeBytes = maxSizeMiB * 1024 * 1024;
  const file = new AuditLog({ path: logPath, maxAgeDays, maxBackups, maxSizeBytes, clock, log });
  return new Audit({ policy, log: file, clock });
}
