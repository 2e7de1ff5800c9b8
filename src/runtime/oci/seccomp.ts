import {
  ALLOWED_PERSONALITIES,
  ALLOWED_SYSCALLS,
  CLONE_NAMESPACE_FLAGS,
  SYSCALLS_BY_CAPABILITY,
} from './seccomp-profile.ts';
import type { OciSeccomp, OciSyscallRule } from './types.ts';

const ENOSYS = 38;

const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  arm: ['SCMP_ARCH_ARM'],
};

/** The `RuntimeDefault` profile for a container with these capabilities; `arch` as `process.arch` names it. */
export function defaultSeccomp(capabilities: readonly string[], arch: string): OciSeccomp {
  const allow = (names: readonly string[]): OciSyscallRule => ({ names, action: 'SCMP_ACT_ALLOW' });
  const syscalls: OciSyscallRule[] = [allow(ALLOWED_SYSCALLS)];
  for (const value of ALLOWED_PERSONALITIES) {
    syscalls.push({
      names: ['personality'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
    });
  }
  if (arch === 'x64') syscalls.push(allow(['arch_prctl', 'modify_ldt']));
  for (const [capability, names] of Object.entries(SYSCALLS_BY_CAPABILITY)) {
    if (capabilities.includes(capability)) syscalls.push(allow(names));
  }
  if (!capabilities.includes('CAP_SYS_ADMIN')) {
    syscalls.push({
      names: ['clone'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: CLONE_NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    });
    // clone3 takes its flags by pointer, which a filter cannot read; ENOSYS makes libc fall back to clone.
    syscalls.push({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS });
  }
  return { defaultAction: 'SCMP_ACT_ERRNO', architectures: ARCHITECTURES[arch] ?? [], syscalls };
}
