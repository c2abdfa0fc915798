import pg from 'pg'
import { ask } from './ask.js'
import { mayGrant } from './look.js'
import type { Session } from './session.js'

/** What a second login takes over from the first one, as far as the administrator may give it. The comparison names what it may not. */
export interface Copies {
  readonly settings: readonly Setting[]
  readonly memberships: readonly Membership[]
  readonly defaults: readonly DefaultPrivilege[]
  /** Kinds of new objects, as pg_default_acl names them, from which everybody would be kept out. */
  readonly closed: readonly string[]
  readonly comment: string | null
  /** A role that the administrator makes is one that it inherits, by its own setting. */
  readonly grantsItself: boolean
}
interface Setting {
  /** null: for every database. */
  readonly database: string | null
  readonly name: string
  readonly value: string
}
interface Membership {
  readonly role: string
  readonly admin: boolean
  /** null before version 16, where the role's own attribute decides. */
  readonly inherit: boolean | null
  readonly set: boolean | null
}
/** One grant of ALTER DEFAULT PRIVILEGES FOR ROLE the first login, in this database. */
interface DefaultPrivilege {
  readonly schema: string | null
  readonly object: string
  readonly privilege: string
  /** null: PUBLIC. */
  readonly grantee: string | null
  readonly option: boolean
}

const privileged = `(select rolsuper from pg_roles where rolname = current_user)`
/** A parameter that the server does not know, such as app.tenant, is for superusers. From version 15 on, the right to set one can be granted. */
const maySet = (version: number): string => {
  const granted = version >= 150_000 ? ` or has_parameter_privilege(current_user, s.name, 'SET')` : ''
  const known = `exists (select from pg_settings k where lower(k.name) = lower(s.name) and k.context in ('user', 'backend'))`
  return `(${privileged} or s.name = 'role' or ${known}${granted})`
}
const copiesQuery = (version: number): string => `
with base as (select oid from pg_roles where rolname = $1),
 s as (select d.datname as database, split_part(c, '=', 1) as name, substr(c, strpos(c, '=') + 1) as value
   from base join pg_db_role_setting z on z.setrole = base.oid cross join lateral unnest(z.setconfig) c left join pg_database d on d.oid = z.setdatabase),
 m as (select g.rolname as role, bool_or(m.admin_option) as admin, bool_or((to_jsonb(m)->>'inherit_option')::boolean) as inherit,
     bool_or((to_jsonb(m)->>'set_option')::boolean) as set
   from base join pg_auth_members m on m.member = base.oid join pg_roles g on g.oid = m.roleid where ${mayGrant('g')} group by 1),
 a as (select n.nspname as schema, d.defaclobjtype as object, x.privilege_type as privilege, r.rolname as grantee, x.is_grantable as option
   from base join pg_default_acl d on d.defaclrole = base.oid left join pg_namespace n on n.oid = d.defaclnamespace
   cross join lateral aclexplode(d.defaclacl) x left join pg_roles r on r.oid = x.grantee
   where x.grantee <> base.oid and (x.grantee = 0 or r.oid is not null))
select coalesce((select jsonb_agg(to_jsonb(s) order by database nulls first, name) from s where ${maySet(version)}), '[]') as settings,
 coalesce((select jsonb_agg(to_jsonb(m) order by role) from m), '[]') as memberships,
 coalesce((select jsonb_agg(to_jsonb(a)) from a), '[]') as defaults,
 array(select d.defaclobjtype::text from base join pg_default_acl d on d.defaclrole = base.oid where d.defaclnamespace = 0 and d.defaclobjtype in ('f', 'T')
   and not exists (select from aclexplode(d.defaclacl) x where x.grantee = 0)) as closed,
 (select shobj_description(oid, 'pg_authid') from base) as comment,
 coalesce(current_setting('createrole_self_grant', true), '') ~ 'inherit' as "grantsItself"`

/** Reads what `user` has and a second login needs, too. */
export async function copiesOf(session: Session, user: string, version: number): Promise<Copies> {
  const [copies] = await ask<Copies & Record<string, unknown>>(session, copiesQuery(version), [user])
  return copies ?? { settings: [], memberships: [], defaults: [], closed: [], comment: null, grantsItself: false }
}

/** Parameters that hold a list of names: each is quoted by itself. In one literal they would be one name with commas in it. */
const lists = new Set([
  'search_path',
  'temp_tablespaces',
  'local_preload_libraries',
  'session_preload_libraries',
  'shared_preload_libraries',
  'unix_socket_directories',
])

/** The statement that gives a role one setting. A custom parameter has parts: `app.tenant`. */
export function settingStatement(role: string, { database, name, value }: Setting): string {
  const parameter = name.split('.').map(pg.escapeIdentifier).join('.')
  const where = database === null ? '' : ` IN DATABASE ${pg.escapeIdentifier(database)}`
  const values = lists.has(name.toLowerCase()) ? elements(value) : [value]
  return `ALTER ROLE ${pg.escapeIdentifier(role)}${where} SET ${parameter} TO ${values.map(pg.escapeLiteral).join(', ')}`
}

/** The names in a list, as the server writes it: those that need quotes are in double quotes. */
function elements(text: string): readonly string[] {
  const found = [...text.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '')
  return found.length === 0 ? [''] : found
}

/** The statement that makes a role a member of another one, with the options of `membership`. */
export function membershipStatement(role: string, { role: group, admin, inherit, set }: Membership): string {
  const grant = `GRANT ${pg.escapeIdentifier(group)} TO ${pg.escapeIdentifier(role)}`
  if (inherit === null) return admin ? `${grant} WITH ADMIN OPTION` : grant
  return `${grant} WITH ADMIN ${admin}, INHERIT ${inherit}, SET ${set}`
}

const objects: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
}

/** The statements by which new objects of `role` get the grants that new objects of the first login get, and by which that one may use them. */
export function defaultStatements(role: string, first: string, { defaults, closed }: Copies): readonly string[] {
  const start = `ALTER DEFAULT PRIVILEGES FOR ROLE ${pg.escapeIdentifier(role)}`
  const copied = defaults.flatMap(({ schema, object, privilege, grantee, option }) => {
    const kind = objects[object]
    if (kind === undefined || grantee === role) return []
    const where = schema === null ? '' : ` IN SCHEMA ${pg.escapeIdentifier(schema)}`
    const to = grantee === null ? 'PUBLIC' : pg.escapeIdentifier(grantee)
    return [`${start}${where} GRANT ${privilege} ON ${kind} TO ${to}${option ? ' WITH GRANT OPTION' : ''}`]
  })
  const back = ['TABLES', 'SEQUENCES', 'FUNCTIONS', 'TYPES', 'SCHEMAS'].map(
    (kind) => `${start} GRANT ALL ON ${kind} TO ${pg.escapeIdentifier(first)}`,
  )
  const shut = closed.map((object) => `${start} REVOKE ALL ON ${objects[object]} FROM PUBLIC`)
  return [...shut, ...copied, ...back]
}
