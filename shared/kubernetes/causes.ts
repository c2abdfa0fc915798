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

/** A call that was given up, or not begun: the message says after how long, and `next` what to do. */
export class Late extends Error {
  readonly next: string
  constructor(waitedMs: number, cause?: unknown) {
    super(waitedMs > 0 ? `no whole answer within ${waitedMs / 1000} s` : 'the time of this look was over before', { cause })
    const check = 'Check that the API server can be reached from here and is not overloaded'
    this.next = waitedMs > 0 ? `${check}; a consumer may set a longer timeoutMs.` : 'It is asked again in the next look.'
  }
}

/** Why no answer came, in words. With a fix where the next call would fail for the same reason; otherwise the server is only out of reach for now. */
export function causeOf(cause: unknown): { readonly why: string; readonly fix: Fix | undefined } {
  if (cause instanceof Late) return { why: cause.message, fix: undefined }
  const why = systemCodeOf(cause) ?? 'no answer'
  const [, fix] = fixes.find(([codes]) => codes.test(why)) ?? []
  return { why, fix }
}
