import pg from 'pg'
import { RotationError } from '../../core/errors.js'
import type { Context } from '../../core/ports/rotator.js'
import { strategyOf } from '../sql/pair.js'
import type { Look } from './look.js'
import type { PostgresValue } from './value.js'

/** Throws where a new password could not log in anyway: the role has expired, or it may not log in and nothing here changes that. target_denied. */
export function assertUsable({ incoming, outgoing }: Look, { policy }: Context<PostgresValue>, { user }: PostgresValue): void {
  const failRole = (why: string, words: string): never => {
    throw new RotationError('target_denied', `The role ${user} ${why}; nothing was changed.`, {
      next: `Run \`ALTER ROLE ${pg.escapeIdentifier(incoming === null ? (outgoing?.rolname ?? user) : user)} ${words};\` as an administrator.`,
    })
  }
  const model = incoming ?? outgoing
  if (model?.expired === true) {
    const whose = incoming === null ? `would expire like ${model.rolname}, whose VALID UNTIL` : 'expired: VALID UNTIL'
    failRole(`${whose} ${model.rolvaliduntil} is over`, "VALID UNTIL 'infinity'")
  }
  if (incoming?.rolcanlogin === false && strategyOf(policy) === 'replace') failRole('may not log in', 'LOGIN')
}
