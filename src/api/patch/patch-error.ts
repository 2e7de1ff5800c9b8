import { ApiError, badRequest } from '../status.ts';

/** 422 as upstream answers for a JSON patch that does not fit; the cause says which operation and why. */
export function patchDoesNotApply(why: string): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'the server rejected our request due to an error in our request',
    reason: 'Invalid',
    details: { causes: [{ reason: 'UnexpectedServerResponse', message: why }] },
    code: 422,
  });
}

/** 400: the patch itself is malformed. */
export const badPatch = badRequest;
