/** The few functions of the C library that nothing in Node reaches; sizes and addresses are bigints. */
export interface LibC {
  /** https://man7.org/linux/man-pages/man3/malloc_trim.3.html; 1 where something was returned. */
  malloc_trim(pad: bigint): number;
  /** https://man7.org/linux/man-pages/man2/madvise.2.html; 0 where it was done. */
  madvise(start: bigint, bytes: bigint, advice: number): number;
}

let found: LibC | undefined;

/** Throws where Node has no FFI, which is experimental, or the C library is another one. */
export function libC(): LibC {
  if (found) return found;
  const ffi = process.getBuiltinModule('node:ffi');
  const { functions } = ffi.dlopen(null, {
    malloc_trim: { arguments: ['uint64'], return: 'int32' },
    madvise: { arguments: ['uint64', 'uint64', 'int32'], return: 'int32' },
  });
  found = functions;
  return found;
}
