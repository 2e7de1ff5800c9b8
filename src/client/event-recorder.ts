import type { KubeObject } from '../api/resource.ts';

/** Writes core/v1 Events as client-go's recorder: correlated, counted, bounded, never awaited, never throwing. */
export interface EventRecorder {
  event(
    about: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void;
  /** The same recorder with another `source.component` and, for agents, `source.host`. */
  for(component: string, host?: string): EventRecorder;
  /** Sends what waits. */
  flush(): Promise<void>;
}
