import type { AnyRotator } from '../../../core/ports/rotator.js'
import type { Policy } from '../../../core/ports/words.js'
import { SecretText } from '../../../core/secret-text.js'
import { isGiven } from '../../../core/shapes/given.js'
import { readShape, writeLogin } from '../../../core/shapes/index.js'
import { jsonFields, replaceFields } from '../../../core/shapes/json.js'
import { failParts } from './policy.js'

/** The fields of a login in a value of its own, and the names that each may have beside other fields. */
const names: Readonly<Record<string, readonly string[]>> = {
  engine: ['engine'],
  host: ['host', 'hostname'],
  port: ['port'],
  username: ['username', 'user', 'login'],
  dbname: ['dbname', 'database', 'name', 'db'],
  sslmode: ['sslmode'],
  ssl: ['ssl'],
  ca: ['ca'],
  url: ['url', 'uri', 'dsn'],
}

/**
 * A login that is beside others, as a value of its own. For `db-password` it takes the fields `db-host`, `db-user` … and `db-url`, or else the
 * fields without `db-` in front.
 */
export function viewOf(text: SecretText, field: string): SecretText {
  const shape = readShape(text)
  if (shape.kind !== 'json') return failParts('is for values that are JSON objects', 'Put the value again as JSON.')
  const front = field.replace(/(pass|password|passwd|pwd|secret)$/i, '')
  const find = (all: readonly string[]): unknown => {
    const candidates = [...all.map((name) => front + name), ...all]
    const there = candidates.map((name) => shape.fields.get(name)).filter((value) => value !== undefined)
    return there.find(isGiven) ?? there[0]
  }
  const found = Object.entries(names).map(([name, all]) => [name, find(all)] as const)
  const login = Object.fromEntries(found.filter(([, value]) => value !== undefined))
  return new SecretText(JSON.stringify({ ...login, password: shape.fields.get(field) }))
}

/** Writes the new login where the old one is: in its own field, in fields that are named so, and in every connection URL of that login. */
export function writeView(text: SecretText, field: string, rotator: AnyRotator, next: unknown): SecretText {
  const before = viewOf(text, field)
  const from = loginOf(before)
  const to = loginOf(rotator.render(before, next))
  if (from.user === to.user && from.password === to.password) return text
  const own = jsonFields(text.reveal()).find(({ name }) => name === field)
  const placed = own === undefined ? text.reveal() : replaceFields(text.reveal(), new Map([[field, to.password]]))
  return writeLogin(new SecretText(placed), from, to)
}

function loginOf(view: SecretText): { readonly user: string; readonly password: string } {
  const { username, password } = JSON.parse(view.reveal()) as { readonly username?: string; readonly password?: string }
  return { user: username ?? '', password: password ?? '' }
}

/** Parses one part as if it were a secret of its own. bad_value, also for a connection URL beside it of which clients read different logins. */
export function parseView(text: SecretText, field: string, rotator: AnyRotator, policy: Policy): unknown {
  const view = viewOf(text, field)
  if (rotator.assertClear) {
    const beside = jsonFields(text.reveal()).filter(({ value }) => typeof value === 'string' && value.includes('://'))
    const urls = Object.fromEntries(beside.map(({ name, value }) => [name, value]))
    rotator.assertClear(new SecretText(JSON.stringify({ ...urls, ...(JSON.parse(view.reveal()) as object) })))
  }
  return rotator.parse(view, policy)
}
