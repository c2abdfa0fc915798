import { RotationError } from '../../core/errors.js'
import type { Hosts } from '../../core/ports/hosts.js'
import type { Administrator } from '../../core/ports/rotator.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'
import { siteOf } from '../../core/shapes/site.js'
import { type Database, isSameOrCopy, lookAt } from './database.js'
import { type Place, placeOf } from './place.js'

/** The tags of secrets that RDS manages: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html */
const databaseTags = {
  'aws:rds:primaryDBInstanceArn': 'instance',
  'aws:rds:primaryDBClusterArn': 'cluster',
} as const

/**
 * Resolves an administrator whose secret names no host (RDS manages it), or another host than the rotated secret. The control plane says which
 * database it is, and whether the other host is the same database (an endpoint, a member, a read replica).
 */
export const resolveAdmin: Hosts['resolve'] = async (admin, rotated, tags) => {
  const shape = readShape(admin.value)
  const mine = siteOf(admin.value)
  const theirs = siteOf(rotated)
  if (shape.kind !== 'json' || mine === undefined || theirs?.host === undefined) return admin
  const place = mine.host === undefined ? placeIn(await tags(), admin) : placeOrNot(admin.value, mine.host)
  if (place === undefined) return admin
  const database = await lookAt(place)
  // Its identifier may name another database than its host.
  if (mine.host !== undefined && !database.hosts.includes(mine.host)) return admin
  const host = mine.host ?? database.hosts[0]
  const port = mine.port ?? database.port
  if (host === undefined || port === undefined) return admin
  const value = new SecretText(JSON.stringify({ ...Object.fromEntries(shape.fields), host, port }))
  const same = database.hosts.includes(theirs.host) || (await isCopy(database, rotated, theirs.host))
  return { ...admin, value, ...(same ? { hosts: [theirs.host] } : {}) }
}

function placeIn(tags: Readonly<Record<string, string>>, { ref }: Administrator): Place {
  for (const [tag, kind] of Object.entries(databaseTags)) {
    const [, , , region, , , id] = tags[tag]?.split(':') ?? []
    if (region !== undefined && id !== undefined) return { kind, id, region }
  }
  throw new RotationError('admin_mismatch', `The administrator's secret ${ref.shown} names no host, and RDS does not manage it.`, {
    field: 'keyturn-admin',
    next: 'Put host and port into it, or name the secret that RDS manages.',
  })
}

/** undefined for a host that does not belong to RDS: then there is no reason to ask. */
function placeOrNot(value: SecretText, host: string): Place | undefined {
  try {
    return placeOf(value, host)
  } catch (cause) {
    if (cause instanceof RotationError && cause.code === 'bad_value') return undefined
    throw cause
  }
}

/** Whether the host is a read replica of this very instance or cluster, as the replica itself says. */
async function isCopy(database: Database, rotated: SecretText, host: string): Promise<boolean> {
  const asked = placeOrNot(rotated, host)
  if (asked === undefined) return false
  const copy = await lookAt(asked)
  return copy.hosts.includes(host) && isSameOrCopy(database, copy)
}
