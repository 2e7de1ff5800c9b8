import { type BoardNetwork, type NetworkPicture, NoVxlanError, type OverlayKernel } from './kernel.ts';
import { NOTHING, type OverlayState } from './state.ts';

/** A kernel's network in memory. */
export class FakeOverlayKernel implements OverlayKernel {
  state: OverlayState = NOTHING;
  networks: readonly BoardNetwork[] = [{ address: '192.0.2.1', cidr: '192.0.2.1/24', mtu: 1500 }];
  hasVxlan = true;
  /** The next change is refused with this. */
  failure: Error | undefined;
  /** So does the next look for routes. */
  lookFailure: Error | undefined;
  reads = 0;

  async read(): Promise<NetworkPicture> {
    this.reads++;
    return { state: this.state, networks: this.networks };
  }

  async change(_: OverlayState, to: OverlayState): Promise<boolean> {
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure;
    if (to.device && !this.hasVxlan) throw new NoVxlanError('the kernel has no vxlan');
    this.state = to;
    return true;
  }

  async hasRoutes({ routes }: OverlayState): Promise<boolean> {
    const { lookFailure } = this;
    this.lookFailure = undefined;
    if (lookFailure) throw lookFailure;
    return [...routes.keys()].every((range) => this.state.routes.has(range));
  }
}
