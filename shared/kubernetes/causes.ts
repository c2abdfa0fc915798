import { systemCodeOf } from '../core/errors.js'

/** A setting of the cluster that has to be corrected. */
export interface Fix {
  readonly field: string
  readonly next: string
}

const fixes: readonly (readonly [codes: RegExp, fix: Fix])[] = [
  [
    /^(UNABLE_TO_|ERR_TLS_|CERT_|SELF_SIGNED_|DEPTH_ZERO_)/,
    { field: 'ca', next: 'Give the CA of this cluster as ca, and use a host name from its certificate in server.' },
  ],
  [/^ERR_INVALID_CHAR$/, { field: 'token', next: 'Give the token as one word, without a line break.' }],
]

/** A call that was given up: the message says after how long. */
export class Late extends Error {
  constructor(waitedMs: number, cause?: unknown) {
    super(waitedMs > 0 ? `no whole answer within ${waitedMs / 1000} s` : 'the time of this look was over before', { cause })
  }
}

/** Why no answer came, in words. With a fix where the next call would fail for the same reason; otherwise the server is only out of reach for now. */
export function causeOf(cause: unknown): { readonly why: string; readonly fix: Fix | undefined } {
  if (cause instanceof Late) return { why: cause.message, fix: undefined }
  const why = systemCodeOf(cause) ?? 'no answer'
  const [, fix] = fixes.find(([codes]) => codes.test(why)) ?? []
  return { why, fix }
}
