import { describe, expect, it } from 'vitest';
import { parseFlags } from '../parse.ts';
import { serverCommand } from './command.ts';
import { type ServerConfig, serverConfig } from './config.ts';

async function configOf(...argv: string[]): Promise<ServerConfig> {
  const values = await parseFlags(serverCommand, ['--config', '/dev/null', ...argv], {});
  if (values === undefined) throw new Error('help was printed');
  return serverConfig(values);
}

describe('serverConfig', () => {
  it('fills in what the machine knows', async () => {
    const { node, kubeconfig, nodePorts } = await configOf('--node-name', 'pi', '--node-ip', '192.0.2.7');
    expect(node).toMatchObject({ name: 'pi', ip: '192.0.2.7', labels: {}, taints: [] });
    expect(kubeconfig.mode).toBe(0o600);
    expect(nodePorts).toEqual({ from: 30_000, to: 32_767 });
  });

  it.each([
    [[], 'vxlan'],
    [['--overlay', 'none'], 'none'],
    [['--flannel-backend', 'host-gw'], 'host-gw'],
  ])('%j: overlay %s', async (argv, overlay) => {
    expect((await configOf(...argv)).cluster.overlay).toBe(overlay);
  });

  it.each([
    [['--overlay', 'wireguard-native'], /must be one of vxlan, host-gw, none/],
    [['--node-label', 'place=roof', '--node-label', 'node.kubernetes.io/instance-type=pi5'], undefined],
    [['--node-label', 'node-role.kubernetes.io/worker=true'], /may not give itself labels of kubernetes.io/],
    [['--node-label', 'roof'], /must be key=value/],
    [['--node-taint', 'a=b:Never'], /--node-taint must be/],
    [['--cluster-dns', '10.44.0.10'], /does not lie in --service-cidr 10.43.0.0\/16/],
    [['--https-listen-port', '70000'], /must be a port from 1 to 65535/],
    [['--service-node-port-range', '9-1'], /must be two ports/],
    [['--write-kubeconfig-mode', '999'], /must be an octal mode/],
    [['--node-name', 'My_Board'], /is not a valid node name/],
    [['--token', 'a', '--token-file', '/b'], /not both/],
  ])('%j: %s', async (argv, problem) => {
    const config = configOf('--node-ip', '192.0.2.7', '--node-name', 'pi', ...argv);
    if (problem === undefined) await expect(config).resolves.toMatchObject({ node: { name: 'pi' } });
    else await expect(config).rejects.toThrow(problem);
  });
});
