import { newVersionId } from '../../core/ids.js'
import type { Env } from '../../core/ports/env.js'
import type { Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { type Cell, stateOf } from './cell.js'
import { writeJournal } from './parts.js'
import type { Profile } from './profiles.js'

/** The platform begins a rotation of its own, with an empty placeholder under its token. It continues one that is not finished. */
export function begin(cell: Cell, profile: Profile, env: Env): Token {
  const unfinished = stateOf(cell, profile).pending
  if (unfinished !== undefined) return unfinished.token // "A previous rotation isn't complete. That rotation will be reattempted."
  const token = Buffer.from(env.random(16)).toString('hex') as Token
  const id = token as string as VersionId
  cell.staged.set(id, { id, token, base: cell.current, createdAt: env.now(), hasValue: false })
  cell.label = token
  return token
}

/** An operator removes the pending mark. */
export function strip(cell: Cell): void {
  delete cell.label
  const { rotation, ...journal } = cell.journal ?? { retiring: [] }
  if (rotation?.staged === undefined || rotation.published !== undefined) return
  const { staged: _, intent: __, ...rest } = rotation
  writeJournal(cell, { ...journal, rotation: rest })
}

/** Somebody writes a value past the engine. */
export function writePast(cell: Cell, value: SecretText, env: Env): VersionId {
  const id = newVersionId(env.now(), env.random(6))
  cell.versions.set(id, { id, createdAt: env.now(), hasValue: true, value })
  cell.previous = cell.current
  cell.current = id
  cell.publishedAt = env.now()
  return id
}
