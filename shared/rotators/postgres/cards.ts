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
  /** The role that a login acts as by ALTER ROLE … SET role. A setting for this database takes precedence over one for all. */
  readonly acts: string | null
  /** By database; `*` for all of them. */
  readonly settings: Readonly<Record<string, readonly string[] | null>>
  readonly [attribute: string]: unknown
}

const validUntil = "nullif(r.rolvaliduntil, 'infinity')"
const columnOf = (name: string): string => (name === 'rolvaliduntil' ? `${validUntil}::text as rolvaliduntil` : `r.${name}`)
/** Epoch milliseconds. JSON holds no '-infinity'; such a role is expired anyway. */
export const endColumn = `extract(epoch from nullif(${validUntil}, '-infinity'))::float8 * 1000 as expires`

/** The columns of a card, where `r` is a row of pg_roles. */
export const cardColumns = `r.rolname, ${attributes.map(columnOf).join(', ')},
 coalesce(r.rolvaliduntil <= now(), false) as expired, ${endColumn},
 (select nullif(nullif(substr(c, 6), 'none'), r.rolname) from pg_db_role_setting s cross join lateral unnest(s.setconfig) c
   where s.setrole = r.oid and c like 'role=%' and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
   order by s.setdatabase desc limit 1) as acts,
 (select coalesce(jsonb_object_agg(coalesce(d.datname, '*'), s.setconfig), '{}') from pg_db_role_setting s
   left join pg_database d on d.oid = s.setdatabase where s.setrole = r.oid) as settings`

/** One card as JSON, of the role that a parameter or an expression names; null where there is none. */
export const cardOf = (name: string): string =>
  `(select to_jsonb(c) from (select ${cardColumns} from pg_roles r where r.rolname = ${name}) c)`
