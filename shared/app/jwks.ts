import { createHash } from 'node:crypto'
import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { SecretStore } from '../core/ports/store.js'
import { PublicText } from '../core/public-key.js'
import type { SecretText } from '../core/secret-text.js'
import { answerError } from './function-log.js'
import type { Environment } from './platform.js'

/** What counts of a verifier's request; `ifNoneMatch` as the header has it. */
export interface SetRequest {
  readonly method: string
  readonly path: string
  readonly ifNoneMatch?: string | undefined
}
/** What the platform sends back; only a GET that is answered with 200 has a body. */
export interface SetAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Where verifiers look for a set: https://www.rfc-editor.org/rfc/rfc8615 names the folder, OpenID Connect Discovery the file in its examples. */
const paths = ['/', '/.well-known/jwks.json', '/jwks.json']
const maxAgeSecondsDefault = 300

/** Parses KEYTURN_JWKS_MAX_AGE, in seconds. It must not exceed keyturn-max-age of the source. bad_config. */
export function maxAgeOf(text: string | undefined): number {
  if (text === undefined || text === '') return maxAgeSecondsDefault
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new RotationError('bad_config', 'KEYTURN_JWKS_MAX_AGE must be a whole number of seconds.', {
    field: 'KEYTURN_JWKS_MAX_AGE',
    next: "Correct the function's environment.",
  })
}

/** Answers with the set: public members only, without expired keys. bad_value for a companion that is not a set. */
export function answerSet({ method, path, ifNoneMatch }: SetRequest, companion: SecretText, now: number, maxAgeSeconds: number): SetAnswer {
  if (!paths.includes(path)) return { statusCode: 404, headers: { 'cache-control': 'no-store' }, body: '' }
  if (method !== 'GET' && method !== 'HEAD') return { statusCode: 405, headers: { allow: 'GET, HEAD' }, body: '' }
  const served = PublicText.servedFrom(companion.reveal(), now)
  if (served === undefined)
    throw new RotationError('bad_value', 'The companion holds no public set.', {
      next: 'Rotate its source, or run keyturn sweep: both write it.',
    })
  const body = String(served)
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const headers = { 'cache-control': `public, max-age=${maxAgeSeconds}`, etag, 'content-type': 'application/jwk-set+json' }
  if (isKnown(etag, ifNoneMatch)) return { statusCode: 304, headers, body: '' }
  return { statusCode: 200, headers, body: method === 'HEAD' ? '' : body }
}

function isKnown(etag: string, ifNoneMatch = ''): boolean {
  const known = ifNoneMatch.split(',').map((one) => one.trim().replace(/^W\//, ''))
  return known.includes(etag) || known.includes('*')
}

/** Says nothing about what happened, because anybody may ask. */
export const unavailable: SetAnswer = { statusCode: 503, headers: { 'cache-control': 'no-store', 'retry-after': '30' }, body: '' }

/** How long a warm instance uses the companion without reading it again, since calls to the service cost. While it does not answer, five minutes. */
const keptMs = 30_000
const keptMsMax = 300_000

/** Keeps the companion for a short time after it was read. */
export class KeptCompanion {
  readonly #read: () => Promise<SecretText>
  readonly #env: Env
  #kept: { readonly text: SecretText; readonly at: number } | undefined

  constructor(read: () => Promise<SecretText>, env: Env) {
    this.#read = read
    this.#env = env
  }

  /** Throws what reading threw if nothing is kept, or if it is too old. */
  async current(): Promise<SecretText> {
    const now = this.#env.now()
    const kept = this.#kept
    if (kept !== undefined && now - kept.at <= keptMs) return kept.text
    try {
      const text = await this.#read()
      this.#kept = { text, at: now }
      return text
    } catch (cause) {
      if (kept === undefined || now - kept.at > keptMsMax) throw cause
      answerError(cause, this.#env) // into the log
      return kept.text
    }
  }
}

/** Answers verifiers with the companion that KEYTURN_JWKS names, from a store that is opened at the first request. A failure is logged and answered with 503. */
export function setServer(
  environment: Environment,
  env: Env,
  open: () => Pick<SecretStore, 'readCurrent'>,
): (request: SetRequest) => Promise<SetAnswer> {
  let store: Pick<SecretStore, 'readCurrent'> | undefined
  const companion = new KeptCompanion(async () => {
    store ??= open()
    return (await store.readCurrent(environment.KEYTURN_JWKS ?? '')).value
  }, env)
  return async (request) => {
    try {
      return answerSet(request, await companion.current(), env.now(), maxAgeOf(environment.KEYTURN_JWKS_MAX_AGE))
    } catch (cause) {
      answerError(cause, env) // into the log
      return unavailable
    }
  }
}
