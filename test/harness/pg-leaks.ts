import assert from 'node:assert/strict'
import { inspect } from 'node:util'

/** Each form in which a secret could stand in a text. Made anew here: the redactor's own list is what is under test. */
export function formsOf(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1)
  const bytes = Buffer.from(secret)
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '')
    return text.slice(shift === 0 ? 0 : shift + 1, -2)
  })
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    encodeURIComponent(secret).replaceAll("'", '%27'),
    new URLSearchParams({ a: secret }).toString().slice(2),
    json,
    JSON.stringify(json).slice(1, -1),
    secret.replaceAll("'", "''"),
    secret.replaceAll("'", "''").replaceAll('\\', '\\\\'),
    secret.replaceAll("'", "\\'"),
    secret.replaceAll('"', '""'),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    bytes.toString('hex'),
  ]
  return [...new Set(forms)]
}

/** Nothing of these secrets in this text, in no form. The message names neither. */
export function assertClean(secrets: readonly string[], text: string, where: string): void {
  for (const [index, secret] of secrets.entries()) {
    const form = formsOf(secret).findIndex((candidate) => text.includes(candidate))
    assert.equal(form, -1, `secret ${index} stands in ${where}, in its form ${form}`)
  }
}

/** Everything that a logger could print of an error. */
export function printed(cause: unknown): string {
  const parts = [inspect(cause, { depth: 9, showHidden: true, getters: true }), JSON.stringify(cause), String(cause)]
  for (let error: unknown = cause; error instanceof Error; error = error.cause) {
    parts.push(error.stack ?? '', error.message, JSON.stringify(error), JSON.stringify(error, Object.getOwnPropertyNames(error)))
  }
  return parts.join('\n')
}
