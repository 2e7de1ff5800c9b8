/** What `check-config` knows of a machine; gathered by `gather.ts`, judged by `plan.ts`. */
export interface MachineFacts {
  readonly kernel: KernelFacts;
  readonly cgroups: CgroupFacts;
  /** By name; those that are not installed are missing. */
  readonly programs: ReadonlyMap<string, Program>;
  /** File names in the folders where CNI plugins are looked for. */
  readonly cniPlugins: ReadonlySet<string>;
  readonly cniFolders: readonly string[];
  readonly storage: StorageFacts;
  readonly memoryBytes: number;
  readonly nowMs: number;
  readonly config: ConfigFacts;
}

export interface KernelFacts {
  /** `CONFIG_VXLAN` → `y` or `m`; `undefined` where the kernel's configuration cannot be read. */
  readonly options: ReadonlyMap<string, 'y' | 'm'> | undefined;
  /** Modules that lie on the disk or are part of the kernel, with `_` for `-`; `undefined` where no list is. */
  readonly modules: ReadonlySet<string> | undefined;
  /** In use now: names below `/sys/module`. */
  readonly loaded: ReadonlySet<string>;
  readonly fileSystems: ReadonlySet<string>;
  readonly namespaces: ReadonlySet<string>;
  readonly hasSeccomp: boolean;
}

export interface CgroupFacts {
  readonly version: 1 | 2 | undefined;
  readonly controllers: ReadonlySet<string>;
  /** The kernel's command line. */
  readonly cmdline: string;
  /** The file a Raspberry Pi reads it from, where there is one. */
  readonly cmdlineFile: string | undefined;
}

export interface Program {
  readonly path: string;
  /** First line of what it says about itself. */
  readonly version: string | undefined;
}

export interface StorageFacts {
  readonly dataDir: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** `f_type` of statfs(2). */
  readonly type: number;
  readonly isWritable: boolean;
}

export interface ConfigFacts {
  readonly path: string;
  readonly exists: boolean;
  /** Which command it was read for. */
  readonly command: string;
  /** What is wrong with it, in one line. */
  readonly problem: string | undefined;
  readonly snapshotter: string;
}
