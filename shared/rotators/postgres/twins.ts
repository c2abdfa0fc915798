import type { Difference } from '../../core/ports/rotator.js'
import { ask } from './ask.js'
import type { Session } from './session.js'

/** The names of the two logins, and the roles as which they act. */
export interface Names {
  readonly from: string
  readonly to: string
  readonly outgoing: string
  readonly incoming: string
}
type Gap = Omit<Difference, 'fatal'> & Partial<Pick<Difference, 'fatal'>>

/**
 * What membership does not give: a login that inherits another one is not its twin. User mappings, default privileges and policies depend on who asks,
 * and new objects belong to whom they were made by. Where both act as one role, only policies on session_user are left.
 */
export async function twinGaps(
  session: Session,
  { roles, shares }: { readonly roles: Names; readonly shares: boolean },
): Promise<readonly Gap[]> {
  const { outgoing, incoming } = roles
  const rows = await ask<Gap & Record<string, unknown>>(session, shares ? sessionQuery : twinsQuery, [
    ...(shares ? [roles.from, roles.to] : [outgoing, incoming]),
    outgoing,
    incoming,
  ])
  const gaps = rows.map(({ what, outgoing: one, incoming: other }) => ({ what, outgoing: one, incoming: other }))
  if (shares) return gaps
  const [maker] = await ask<{ creates: boolean }>(session, makerQuery, [outgoing])
  // It has not happened yet, and whether it matters depends on what the client makes: it is named, and stops nothing.
  const owner = { what: 'owner of new objects', outgoing, incoming, fatal: false }
  return maker?.creates === true ? [...gaps, owner] : gaps
}

const usable = `c.relrowsecurity
 and (has_any_column_privilege($1::name, c.oid, 'SELECT, INSERT, UPDATE') or has_table_privilege($1::name, c.oid, 'DELETE'))`
/** Both work as roles that no policy binds. */
const bypass = `not exists (select from pg_roles where rolname in ($3, $4) and not (rolbypassrls or rolsuper))`

/**
 * Policies that apply to either login, on tables that the outgoing one may use and where row security applies, whose expressions ask for one of
 * these names. Literals and quoted identifiers are taken out first, and so are questions for a membership: memberships are compared by themselves.
 */
const policies = (words: string): string => `
select format('policy %s on table %s', p.polname, p.polrelid::regclass) as what, $1::text as outgoing, $2::text as incoming
from pg_policy p join pg_class c on c.oid = p.polrelid
where ${usable} and not ${bypass}
 and (c.relforcerowsecurity or not (pg_has_role($1::name, c.relowner, 'USAGE') and pg_has_role($2::name, c.relowner, 'USAGE')))
 and exists (select from unnest(p.polroles) o where o = 0 or pg_has_role($1::name, o, 'USAGE') or pg_has_role($2::name, o, 'USAGE'))
 and regexp_replace(regexp_replace(concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
   '''(?:[^'']|'''')*''|"(?:[^"]|"")*"', '', 'g'), 'pg_has_role\\([^()]*\\)', '', 'g') ~ '\\m(${words})\\M'`

/** Policies that only take away, and that bind the incoming login alone. */
const restrictions = `
select format('policy %s on table %s', p.polname, p.polrelid::regclass), 'not bound by it', 'bound by it'
from pg_policy p join pg_class c on c.oid = p.polrelid
where ${usable} and not p.polpermissive and not ${bypass}
 and exists (select from unnest(p.polroles) o where o <> 0 and pg_has_role($2::name, o, 'USAGE'))
 and not exists (select from unnest(p.polroles) o where o = 0 or pg_has_role($1::name, o, 'USAGE'))`

const sessionQuery = `${policies('SESSION_USER|getpgusername')} order by 1 limit 50`

const kinds = `case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas' else 'large objects' end`

// Without an entry of its own for every schema, a role has the grants that are built in, such as EXECUTE for everybody.
const twinsQuery = `
with ends as (select (select oid from pg_roles where rolname = $1::name) as a, (select oid from pg_roles where rolname = $2::name) as b),
 entries as (
  select defaclrole as role, defaclobjtype, defaclnamespace, defaclacl from pg_default_acl, ends where defaclrole in (ends.a, ends.b)
  union all
  select r, k, 0, acldefault((case k when 'S' then 's' else k end)::"char", r) from ends, unnest(array[ends.a, ends.b]) r, unnest('{r,S,f,T,n}'::"char"[]) k
   where not exists (select from pg_default_acl where defaclrole = r and defaclnamespace = 0 and defaclobjtype = k)),
 grants as (
  select d.role, d.defaclobjtype, d.defaclnamespace, x.grantee, x.privilege_type, x.is_grantable, ${kinds} as kind
  from entries d cross join lateral aclexplode(d.defaclacl) x where x.grantee <> d.role)
select * from (
 select format('user mapping on server %s', srvname) as what, 'has one' as outgoing, 'lacks it' as incoming from pg_user_mappings m, ends
  where m.umuser = ends.a and not exists (select from pg_user_mappings o where o.umuser = ends.b and o.srvid = m.srvid)
 union all
 select format('default privileges of new %s%s', g.kind, case when g.defaclnamespace = 0 then '' else format(' in schema %s', g.defaclnamespace::regnamespace) end),
  string_agg(format('%s%s to %s', g.privilege_type, case when g.is_grantable then '*' else '' end, case g.grantee when 0 then 'public' else g.grantee::regrole::text end), ', ' order by g.privilege_type, g.grantee), 'lacks it'
  from grants g, ends where g.role = ends.a and g.grantee <> ends.b and not exists (select from grants o where o.role = ends.b
   and (o.defaclobjtype, o.grantee, o.privilege_type) = (g.defaclobjtype, g.grantee, g.privilege_type) and o.defaclnamespace in (0, g.defaclnamespace)
   and (o.is_grantable or not g.is_grantable))
  group by g.kind, g.defaclnamespace
 union all ${policies('CURRENT_USER|CURRENT_ROLE|SESSION_USER|USER|getpgusername')} union all ${restrictions}) found
order by 1 limit 50`

/** Whether a role may make objects in this database at all. */
const makerQuery = `
select has_database_privilege($1::name, current_database(), 'CREATE')
 or exists (select from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' and has_schema_privilege($1::name, oid, 'CREATE')) as creates`
