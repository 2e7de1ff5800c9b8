import ipaddr from 'ipaddr.js';
import { OVERLAY_MODES, type OverlayMode } from '../../network/overlay/plan.ts';

/** What all boards of a cluster must agree on. The server says it; a board that joins asks (`SETTINGS_PATH`). */
export interface ClusterSettings {
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  readonly clusterDNS: string;
  readonly clusterDomain: string;
  /** How pods of different boards reach each other, where a board can do that. */
  readonly overlay: OverlayMode;
}

/** Reads what a server answered or a file holds. Throws an `Error` that names what is missing or wrong. */
export function parseClusterSettings(text: string): ClusterSettings {
  const given = JSON.parse(text) as Partial<Record<keyof ClusterSettings, unknown>> | null;
  const wrong = Object.entries(VALID).find(([name, isValid]) => {
    const value = given?.[name as keyof ClusterSettings];
    return typeof value !== 'string' || !isValid(value);
  });
  if (wrong) throw new Error(`the cluster's settings lack a usable ${wrong[0]}`);
  const { clusterCIDR, serviceCIDR, clusterDNS, clusterDomain, overlay } = given as ClusterSettings;
  return { clusterCIDR, serviceCIDR, clusterDNS, clusterDomain, overlay };
}

const VALID = {
  clusterCIDR: ipaddr.isValidCIDR,
  serviceCIDR: ipaddr.isValidCIDR,
  clusterDNS: ipaddr.isValid,
  clusterDomain: (value: string) => /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(value),
  overlay: (value: string) => OVERLAY_MODES.some((mode) => mode === value),
} as const satisfies Record<keyof ClusterSettings, (value: string) => boolean>;
