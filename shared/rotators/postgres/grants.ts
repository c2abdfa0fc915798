import pg from 'pg'
import { RotationError } from '../../core/errors.js'
import type { Look } from './look.js'

/** The one statement that lets `admin` change these roles from version 16 on; before, CREATEROLE is enough. */
export function grantOf(roles: readonly string[], admin: string): string {
  const names = [...new Set(roles)].map(pg.escapeIdentifier).join(', ')
  return `GRANT ${names} TO ${pg.escapeIdentifier(admin)} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;`
}

/** Throws target_denied with the statement to run where the administrator may not make a login beside the outgoing one. */
export function failAdmin({ me, outgoing, roles }: Look): void {
  const admin = me.rolname
  const granted = [outgoing?.rolname, ...Object.values(outgoing?.acting ?? {})]
  const withoutAdmin = roles.filter(({ role, mayGrant }) => !mayGrant && granted.includes(role)).map(({ role }) => role)
  if (!me.rolsuper && !me.rolcreaterole) {
    throw new RotationError('target_denied', `${admin} may not make the second login: it has no CREATEROLE.`, {
      field: 'keyturn-admin',
      next: `Run \`ALTER ROLE ${pg.escapeIdentifier(admin)} CREATEROLE;\` as a superuser.`,
    })
  }
  if (withoutAdmin.length === 0) return
  throw new RotationError(
    'target_denied',
    `${admin} may not make the second login: it has no ADMIN OPTION on ${withoutAdmin.join(' and ')}.`,
    {
      field: 'keyturn-admin',
      next: `Run \`${grantOf(withoutAdmin, admin)}\` once, as a superuser or as somebody with ADMIN OPTION on them.`,
    },
  )
}
