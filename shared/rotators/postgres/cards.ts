/** The attributes of a role, as pg_roles names them. */
export const attributes = [
  'rolsuper',
  'rolinherit',
  'rolcreaterole',
  'rolcreatedb',
  'rolcanlogin',
  'rolreplication',
  'rolbypassrls',
  'rolconnlimit',
  'rolvaliduntil',
] as const

/** What the server says of one role; any role may read it. */
export interface Card {
  readonly rolname: string
  readonly rolsuper: boolean
  readonly rolcreaterole: boolean
  readonly rolcreatedb: boolean
  readonly rolcanlogin: boolean
  readonly rolreplication: boolean
  readonly rolbypassrls: boolean
  /** -1: no limit. */
  readonly rolconnlimit: number
  /** As the server writes it; null: no end. */
  readonly rolvaliduntil: string | null
  /** By the clock of the server. Then it refuses every password of the role, in the words for a wrong one. */
  readonly expired: boolean
  /** Epoch milliseconds; null: no end. */
  readonly expires: number | null
  /** As which role a login works, by database, and `*` for all others. Itself where it may not act as the role that the setting names. */
  readonly acting: Readonly<Record<string, string>>
  /** The roles that its settings name and as which it may act, also where this release of the server ignores that. */
  readonly named: readonly string[]
  /** By database; `*` for all of them. */
  readonly settings: Readonly<Record<string, readonly string[] | null>>
  readonly [attribute: string]: unknown
}

const validUntil = "nullif(r.rolvaliduntil, 'infinity')"
const columnOf = (name: string): string => (name === 'rolvaliduntil' ? `${validUntil}::text as rolvaliduntil` : `r.${name}`)
/** Epoch milliseconds. JSON holds no '-infinity'; such a role is expired anyway. */
export const endColumn = `extract(epoch from nullif(${validUntil}, '-infinity'))::float8 * 1000 as expires`

/** Releases that ignore ALTER ROLE … SET role: the first correction of CVE-2024-10978. The next ones repaired it. */
export const ignoring: readonly number[] = [140_014, 150_009, 160_005, 170_001]
const version = `current_setting('server_version_num')::int`
/** Whether the server lets `r` act as `t`. A login may name every role in its setting. The right to SET is one of its own from version 16 on. */
const mayAct = `pg_has_role(r.oid, t.oid, case when ${version} >= 160000 then 'SET' else 'MEMBER' end)`

/** The columns of a card, where `r` is a row of pg_roles. */
export const cardColumns = `r.rolname, ${attributes.map(columnOf).join(', ')},
 coalesce(r.rolvaliduntil <= now(), false) as expired, ${endColumn},
 (select coalesce(jsonb_object_agg(coalesce(d.datname, '*'), coalesce(t.rolname, r.rolname)), '{}') from pg_db_role_setting s cross join lateral unnest(s.setconfig) c
   left join pg_database d on d.oid = s.setdatabase left join pg_roles t on t.rolname = substr(c, 6) and ${mayAct} and ${version} not in (${ignoring.join(', ')})
   where s.setrole = r.oid and c like 'role=%') as acting,
 (select coalesce(jsonb_agg(distinct t.rolname), '[]') from pg_db_role_setting s cross join lateral unnest(s.setconfig) c
   join pg_roles t on t.rolname = substr(c, 6) and ${mayAct} where s.setrole = r.oid and c like 'role=%') as named,
 (select coalesce(jsonb_object_agg(coalesce(d.datname, '*'), s.setconfig), '{}') from pg_db_role_setting s
   left join pg_database d on d.oid = s.setdatabase where s.setrole = r.oid) as settings`

/** One card as JSON, of the role that a parameter or an expression names; null where there is none. */
export const cardOf = (name: string): string =>
  `(select to_jsonb(c) from (select ${cardColumns} from pg_roles r where r.rolname = ${name}) c)`

/** The role as which a login works in a database. */
export const actsIn = ({ acting, rolname }: Card, database: string): string => acting[database] ?? acting['*'] ?? rolname
