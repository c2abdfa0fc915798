import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { SecretText } from '../../core/secret-text.js'

/** `{"engine":"memory-…","target":"…","username":"…","password":"…"}`; a key has its id in username and its secret in password. */
export interface MemoryValue {
  readonly target: string
  readonly user: string
  readonly password: SecretText
  /** Class F only: the keys that verifiers accept, newest first; `user` is the one that signs. */
  readonly ring: readonly { readonly kid: string; readonly key: SecretText }[]
}

const text = v.pipe(v.string(), v.nonEmpty())
/** As one of several parts it has its target in the field `host`. */
const named = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'host' in value && !('target' in value) ? { ...value, target: value.host } : value
const form = v.object({ target: text, username: text, password: text, ring: v.optional(v.array(v.object({ kid: text, key: text })), []) })

/** Reads a value; `host` counts as `target` where that is absent. bad_value with the field, for text that is not JSON with the field `value`. */
export function parseMemoryValue(value: SecretText): MemoryValue {
  const result = v.safeParse(form, named(json(value)))
  if (!result.success) {
    const field = result.issues[0].path?.map(({ key }) => String(key)).join('.') ?? 'value'
    throw new RotationError('bad_value', `The field ${field} is missing or not a text.`, {
      field,
      next: 'Put a value with target, username and password.',
    })
  }
  const { target, username, password, ring } = result.output
  return {
    target,
    user: username,
    password: new SecretText(password),
    ring: ring.map(({ kid, key }) => ({ kid, key: new SecretText(key) })),
  }
}

function json(value: SecretText): unknown {
  try {
    return JSON.parse(value.reveal())
  } catch {
    throw new RotationError('bad_value', 'The value is not JSON.', {
      field: 'value',
      next: 'Put a value with target, username and password.',
    }) // the parser's message quotes the value
  }
}

/** Writes login and ring into `shape`; its other fields stay. An empty ring leaves the one in `shape` as it is. */
export function renderMemoryValue(shape: SecretText, next: MemoryValue): SecretText {
  const fields = JSON.parse(shape.reveal()) as Record<string, unknown>
  const ring = next.ring.length === 0 ? {} : { ring: next.ring.map(({ kid, key }) => ({ kid, key: key.reveal() })) }
  return new SecretText(JSON.stringify({ ...fields, username: next.user, password: next.password.reveal(), ...ring }))
}
