import { equalJson } from '../../../api/json-value.ts';
import type { DaemonSet } from '../../../api/types.gen.ts';

const ANNOTATION = 'deprecated.daemonset.template.generation';

/**
 * Which template of a DaemonSet this is, counted from 1: a field of `extensions/v1beta1` that `apps/v1` shows as an
 * annotation. Pods carry it as a label.
 */
export function templateGeneration({ metadata }: DaemonSet): number {
  const text = metadata.annotations?.[ANNOTATION] ?? '';
  const count = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : 0;
  return Math.max(count, 0);
}

/** As a Go integer it is never missing: who leaves it out says 0, and comes to own it by that. */
export function defaultTemplateGeneration(set: DaemonSet): void {
  if (set.metadata.annotations?.[ANNOTATION] === undefined) write(set, 0);
}

export function startTemplateGeneration(set: DaemonSet): void {
  write(set, Math.max(templateGeneration(set), 1));
}

/** Only a new template moves it, whatever was sent. */
export function carryTemplateGeneration(set: DaemonSet, old: DaemonSet): void {
  const isNew = !equalJson(set.spec?.template, old.spec?.template);
  write(set, templateGeneration(old) + (isNew ? 1 : 0));
}

function write({ metadata }: DaemonSet, count: number): void {
  metadata.annotations = { ...metadata.annotations, [ANNOTATION]: String(count) };
}
