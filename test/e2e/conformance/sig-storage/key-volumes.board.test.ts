import { expect } from 'vitest';
import type { ConfigMap, Secret, Volume } from '../../../../src/api/types.gen.ts';
import { area, type DefineSpec } from '../area.ts';
import { mounted, outputOf, printed } from '../pod-output.ts';
import { pod } from '../pods.ts';
import type { SpecContext } from '../spec-context.ts';

/** ConfigMaps and Secrets in volumes, by themselves and projected: the same specs under four names. */
interface Kind {
  readonly area: string;
  /** Mode of item files is spelled differently in the names of secrets. */
  readonly item: 'Item mode' | 'Item Mode';
  readonly multiple: string;
  readonly create: (context: SpecContext, name: string, data: Record<string, string>) => Promise<unknown>;
  readonly update: (context: SpecContext, name: string, data: Record<string, string>) => Promise<unknown>;
  readonly delete: (context: SpecContext, name: string) => Promise<unknown>;
  readonly volume: (name: string, options?: Options) => Volume;
}
interface Options {
  readonly items?: readonly { key: string; path: string; mode?: number }[];
  readonly defaultMode?: number;
  readonly optional?: boolean;
}

const encoded = (data: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );

const mapVerbs = {
  create: ({ configMaps }: SpecContext, name: string, data: Record<string, string>) =>
    configMaps.create({ metadata: { name }, data }),
  update: ({ configMaps }: SpecContext, name: string, data: Record<string, string>) =>
    configMaps.modify(name, (map: ConfigMap) => {
      map.data = data;
    }),
  delete: ({ configMaps }: SpecContext, name: string) => configMaps.delete(name),
};
const secretVerbs = {
  create: ({ secrets }: SpecContext, name: string, data: Record<string, string>) =>
    secrets.create({ metadata: { name }, data: encoded(data) }),
  update: ({ secrets }: SpecContext, name: string, data: Record<string, string>) =>
    secrets.modify(name, (secret: Secret) => {
      secret.data = encoded(data);
    }),
  delete: ({ secrets }: SpecContext, name: string) => secrets.delete(name),
};
const listed = ({ items, ...options }: Options) => ({ ...options, ...(items ? { items: [...items] } : {}) });
/** A projected volume has the mode, its sources the rest. */
const projected = (source: object, { defaultMode, ...options }: Options): Volume => {
  const [[field, named]] = Object.entries(source) as [[string, object]];
  const projection = { [field]: { ...named, ...listed(options) } };
  return {
    name: 'volume',
    projected: { sources: [projection], ...(defaultMode === undefined ? {} : { defaultMode }) },
  };
};

const KINDS: readonly Kind[] = [
  {
    ...mapVerbs,
    area: 'ConfigMap',
    item: 'Item mode',
    multiple: 'should be consumable in multiple volumes in the same pod [NodeConformance]',
    volume: (name, options = {}) => ({ name: 'volume', configMap: { name, ...listed(options) } }),
  },
  {
    ...mapVerbs,
    area: 'Projected configMap',
    item: 'Item mode',
    multiple: 'should be consumable in multiple volumes in the same pod [NodeConformance]',
    volume: (name, options = {}) => projected({ configMap: { name } }, options),
  },
  {
    ...secretVerbs,
    area: 'Secrets',
    item: 'Item Mode',
    multiple: 'should be consumable in multiple volumes in a pod [NodeConformance]',
    volume: (secretName, options = {}) => ({ name: 'volume', secret: { secretName, ...listed(options) } }),
  },
  {
    ...secretVerbs,
    area: 'Projected secret',
    item: 'Item Mode',
    multiple: 'should be consumable in multiple volumes in a pod [NodeConformance]',
    volume: (name, options = {}) => projected({ secret: { name } }, options),
  },
];

const DATA = { 'data-1': 'value-1', 'data-2': 'value-2', 'data-3': 'value-3' };
const MAPPED = [{ key: 'data-2', path: 'path/to/data-2' }];
const shows = (file: string) => `cat /etc/volume/${file}; echo; stat -L -c %A /etc/volume/${file}`;
/** Prints files again and again, the way upstream's watcher of a mounted file does. */
const follow = (...files: string[]): string =>
  `while true; do for f in ${files.join(' ')}; do echo "$f=$(cat $f 2>&1)"; done; echo --; sleep 0.5; done`;

for (const kind of KINDS) {
  area('sig-storage', kind.area, (spec) => {
    const consumes = (
      text: string,
      options: Options,
      file: string,
      expected: string,
      security: object = {},
    ) =>
      spec(text, async (context) => {
        await kind.create(context, 'source', DATA);
        const { container, spec: fields } = mounted(kind.volume('source', options));
        const output = await outputOf(context, {
          run: shows(file),
          container,
          spec: { ...fields, ...security },
        });
        expect(output).toBe(expected);
      });
    const user = { securityContext: { runAsUser: 1000 } };
    consumes(
      'should be consumable from pods in volume [NodeConformance]',
      {},
      'data-1',
      'value-1\n-rw-r--r--\n',
    );
    consumes(
      'should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance]',
      { defaultMode: 0o400 },
      'data-1',
      'value-1\n-r--------\n',
    );
    consumes(
      'should be consumable from pods in volume with mappings [NodeConformance]',
      { items: MAPPED },
      'path/to/data-2',
      'value-2\n-rw-r--r--\n',
    );
    consumes(
      `should be consumable from pods in volume with mappings and ${kind.item} set [LinuxOnly] [NodeConformance]`,
      { items: MAPPED.map((item) => ({ ...item, mode: 0o400 })) },
      'path/to/data-2',
      'value-2\n-r--------\n',
    );
    if (kind.item === 'Item mode') {
      consumes(
        'should be consumable from pods in volume as non-root [NodeConformance]',
        {},
        'data-1',
        'value-1\n-rw-r--r--\n',
        user,
      );
      consumes(
        'should be consumable from pods in volume with mappings as non-root [NodeConformance]',
        { items: MAPPED },
        'path/to/data-2',
        'value-2\n-rw-r--r--\n',
        user,
      );
      updates(spec, kind);
    } else {
      consumes(
        'should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly] [NodeConformance]',
        { defaultMode: 0o440 },
        'data-1',
        'value-1\n-r--r-----\n',
        { securityContext: { runAsUser: 1000, fsGroup: 1001 } },
      );
    }
    spec(kind.multiple, async (context) => {
      await kind.create(context, 'source', DATA);
      const volumes = ['one', 'two'].map((name) => ({ ...kind.volume('source'), name }));
      const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/etc/${name}`, readOnly: true }));
      const run = 'cat /etc/one/data-1; echo; cat /etc/two/data-1';
      expect(await outputOf(context, { run, container: { volumeMounts }, spec: { volumes } })).toBe(
        'value-1\nvalue-1',
      );
    });
    optionalUpdates(spec, kind);
  });
}

function updates(spec: DefineSpec, kind: Kind): void {
  spec(
    'updates should be reflected in volume [NodeConformance]',
    async (context) => {
      await kind.create(context, 'source', { 'data-1': 'value-1' });
      const { container, spec: fields } = mounted(kind.volume('source'));
      const command = ['sh', '-c', follow('/etc/volume/data-1')];
      await context.pods.create(
        pod('follower', { ...container, command }, { ...fields, terminationGracePeriodSeconds: 0 }),
      );
      await printed(context, 'follower', 'data-1=value-1');
      await kind.update(context, 'source', { 'data-1': 'value-2' });
      await printed(context, 'follower', 'data-1=value-2');
    },
    { timeoutMs: 180_000 },
  );
}

/** One source goes, one changes, one comes, all of them optional. */
function optionalUpdates(spec: DefineSpec, kind: Kind): void {
  spec(
    'optional updates should be reflected in volume [NodeConformance]',
    async (context) => {
      await kind.create(context, 'going', { 'data-1': 'value-1' });
      await kind.create(context, 'changing', { 'data-1': 'value-1' });
      const names = ['going', 'changing', 'coming'];
      const volumes = names.map((name) => ({ ...kind.volume(name, { optional: true }), name }));
      const volumeMounts = names.map((name) => ({ name, mountPath: `/etc/${name}`, readOnly: true }));
      const command = ['sh', '-c', follow('/etc/going/data-1', '/etc/changing/data-3', '/etc/coming/data-1')];
      const fields = { volumes, terminationGracePeriodSeconds: 0 };
      await context.pods.create(pod('follower', { volumeMounts, command }, fields));
      await printed(context, 'follower', '/etc/going/data-1=value-1');
      await printed(context, 'follower', /coming\/data-1=cat: .*No such file/);
      await kind.delete(context, 'going');
      await kind.update(context, 'changing', { 'data-3': 'value-3' });
      await kind.create(context, 'coming', { 'data-1': 'value-1' });
      await printed(context, 'follower', '/etc/coming/data-1=value-1');
      await printed(context, 'follower', '/etc/changing/data-3=value-3');
      await printed(context, 'follower', /going\/data-1=cat: .*No such file/);
    },
    { timeoutMs: 180_000 },
  );
}

area('sig-storage', 'ConfigMap', (spec) => {
  spec('binary data should be reflected in volume [NodeConformance]', async (context) => {
    const binary = Buffer.from([0xde, 0xca, 0xfe, 0xba, 0xd0, 0xfe, 0xff]);
    await context.configMaps.create({
      metadata: { name: 'source' },
      data: { 'data-1': 'value-1' },
      binaryData: { 'dump.bin': binary.toString('base64') },
    });
    const { container, spec: fields } = mounted({ name: 'volume', configMap: { name: 'source' } });
    const run = 'cat /etc/volume/data-1; echo; hexdump -C /etc/volume/dump.bin | head -1';
    const output = await outputOf(context, { run, container, spec: fields });
    expect(output).toMatch(/^value-1\n0+ {2}de ca fe ba d0 fe ff/);
  });
});

area('sig-storage', 'Secrets', (spec) => {
  spec(
    'should be able to mount in a volume regardless of a different secret existing with same name in different namespace [NodeConformance]',
    async (context) => {
      const other = await context.newNamespace();
      await context.secrets.create({ metadata: { name: 'source' }, data: encoded({ 'data-1': 'value-1' }) });
      const elsewhere = context.resource<Secret>('v1', 'secrets', other);
      await elsewhere.create({
        metadata: { name: 'source' },
        data: encoded({ this_should_not_match_content_of_other_secret: 'value' }),
      });
      const { container, spec: fields } = mounted({ name: 'volume', secret: { secretName: 'source' } });
      expect(
        await outputOf(context, { run: 'ls /etc/volume; cat /etc/volume/data-1', container, spec: fields }),
      ).toBe('data-1\nvalue-1');
    },
  );
});

area('sig-storage', 'Projected combined', (spec) => {
  spec(
    'should project all components that make up the projection API [Projection] [NodeConformance]',
    async (context) => {
      await context.configMaps.create({
        metadata: { name: 'map' },
        data: { 'configmap-data': 'configmap-value-1' },
      });
      await context.secrets.create({
        metadata: { name: 'secret' },
        data: encoded({ 'secret-data': 'secret-value-1' }),
      });
      const sources = [
        { downwardAPI: { items: [{ path: 'podname', fieldRef: { fieldPath: 'metadata.name' } }] } },
        { secret: { name: 'secret' } },
        { configMap: { name: 'map' } },
      ];
      const { container, spec: fields } = mounted({ name: 'all', projected: { sources } }, '/all');
      const run = 'cat /all/podname; echo; cat /all/secret-data; echo; cat /all/configmap-data';
      expect(await outputOf(context, { run, container, spec: fields })).toBe(
        'script\nsecret-value-1\nconfigmap-value-1',
      );
    },
  );
});
