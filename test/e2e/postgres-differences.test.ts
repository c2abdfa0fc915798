import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { createRole, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

interface Gap {
  readonly what: string
  /** Two logins that act as app_owner; else a plain pair. */
  readonly acting?: true
  /** `A` is the outgoing login, `B` the incoming one. */
  readonly arrange: readonly string[]
  /** Names of differences that must be there, and no others. */
  readonly found: readonly string[]
  readonly incoming?: RegExp
}
const gaps: readonly Gap[] = [
  { what: 'connection limit', arrange: ['alter role A connection limit 20'], found: ['rolconnlimit'], incoming: /^-1$/ },
  { what: 'a setting', arrange: ["alter role A set statement_timeout to '60s'"], found: ['settings'] },
  {
    what: 'another value of a setting',
    arrange: ["alter role A set work_mem to '8MB'", "alter role B set work_mem to '9MB'"],
    found: ['settings'],
  },
  { what: 'a setting for one database', arrange: ["alter role A in database postgres set work_mem to '8MB'"], found: ['settings'] },
  { what: 'valid until', arrange: ["alter role B valid until '2099-01-01'"], found: ['rolvaliduntil'], incoming: /2099|2098/ },
  {
    what: 'valid until, with a setting that writes dates in another way',
    arrange: ["alter role A valid until '2098-01-01'", "alter role B valid until '2099-01-01'", ...setBoth("datestyle to 'German'")],
    found: ['rolvaliduntil'],
  },
  { what: 'createdb', arrange: ['alter role A createdb'], found: ['rolcreatedb'], incoming: /false/ },
  { what: 'createrole', arrange: ['alter role A createrole'], found: ['rolcreaterole'] },
  { what: 'bypassrls', arrange: ['alter role A bypassrls'], found: ['rolbypassrls'] },
  { what: 'replication', arrange: ['alter role A replication'], found: ['rolreplication'] },
  { what: 'a grant on a table', arrange: ['create table B_t ()', 'grant select on B_t to A'], found: ['table B_t'], incoming: /lacks it/ },
  {
    what: 'the right to grant on',
    arrange: ['create table B_o ()', 'grant select on B_o to A with grant option', 'grant select on B_o to B'],
    found: ['table B_o'],
  },
  { what: 'a grant on a column', arrange: ['create table B_c (c int)', 'grant update (c) on B_c to A'], found: ['column c of table B_c'] },
  { what: 'ownership', arrange: ['create table B_own ()', 'alter table B_own owner to A'], found: ['table B_own'] },
  {
    what: 'a function',
    arrange: [
      "create function B_f() returns int language sql as 'select 1'",
      'revoke all on function B_f() from public',
      'grant execute on function B_f() to A',
    ],
    found: ['function B_f()'],
  },
  { what: 'a schema', arrange: ['create schema B_s', 'grant usage on schema B_s to A'], found: ['schema B_s'] },
  {
    what: 'a membership',
    arrange: ['create role B_group nologin', 'grant B_group to A'],
    found: ['role B_group'],
  },
  { what: 'what a membership gives', arrange: ['grant pg_read_all_data to A'], found: ['role pg_read_all_data'] },
  {
    what: 'a default privilege',
    arrange: ['alter default privileges grant select on tables to A'],
    found: ['default privileges on new relations belonging to role postgres'],
  },
  { what: 'a policy', arrange: ['create table B_p ()', 'create policy p on B_p to A using (true)'], found: ['policy p on table B_p'] },
  {
    what: 'nothing, where all is granted to everybody',
    arrange: ['create table B_all ()', 'grant select on B_all to A', 'grant select on B_all to public'],
    found: [],
  },
  { what: 'nothing, where the incoming one has more', arrange: ['create table B_more ()', 'grant all on B_more to B'], found: [] },
  {
    what: 'nothing, where the same settings were made in another order',
    arrange: [
      "alter role A set work_mem to '8MB'",
      "alter role A set search_path to 'x', 'public'",
      "alter role B set search_path to 'x', 'public'",
      "alter role B set work_mem to '8MB'",
    ],
    found: [],
  },
  { what: 'nothing, in an acting pair', acting: true, arrange: [], found: [] },
  {
    what: 'nothing, in a pair that acts as its owner in this database only',
    arrange: [
      'revoke B from A', // what connects them is the role as which both act
      ...['A', 'B'].flatMap((login) => [`grant app_owner to ${login}`, `alter role ${login} in database postgres set role to 'app_owner'`]),
    ],
    found: [],
  },
  {
    what: 'another acting role in another database',
    acting: true,
    arrange: ['create role B_other nologin', 'grant B_other to A, B', "alter role B in database template1 set role to 'B_other'"],
    found: ['current_user in database template1'],
  },
  { what: 'the acting role, never set', acting: true, arrange: ['alter role B reset role'], found: ['current_user', 'settings'] },
  { what: 'a membership of an acting pair', acting: true, arrange: ['grant pg_monitor to A'], found: ['member_of'] },
  {
    what: 'what the outgoing login of an acting pair owns by itself',
    acting: true,
    arrange: ['create table B_mine ()', 'alter table B_mine owner to A'],
    found: ['table B_mine'],
  },
]

function setBoth(text: string): readonly string[] {
  return [`alter role A set ${text}`, `alter role B set ${text}`]
}

onServers('differences between the two logins', (suite) => {
  // As it is from version 15 on: who can make nothing can own nothing new.
  before(() => asSuper(suite.server, 'revoke create on schema public from public'))
  const arrange = async (index: number, { acting, arrange: statements }: Gap, policy: Readonly<Record<string, string>> = {}) => {
    const { server } = suite
    // Plain logins are one pair where the outgoing one is the clone: it inherits the incoming one, and not the other way around.
    const [a, b] = acting ? [`out_${index}`, `in_${index}`] : [`in_${index}_clone`, `in_${index}`]
    for (const name of [a, b]) {
      await createRole(server, name, firstPassword)
      if (acting) await asSuper(server, `grant app_owner to ${name}; alter role ${name} set role to 'app_owner'`)
    }
    const pair = { 'keyturn-grace': '1s', 'keyturn-strategy': 'alternate', 'keyturn-pair': `${a} ${b}`, 'keyturn-admin': 'memory:admin' }
    const world = await PostgresWorld.open(server, { policy: { ...pair, ...policy }, value: { username: a } })
    if (!acting) await asSuper(server, `grant ${b} to ${a}`)
    for (const text of statements) await asSuper(server, named(text, a, b))
    return { world, a, b }
  }
  const named = (text: string, a: string, b: string): string => text.replace(/\bA\b/g, a).replace(/\bB(?=\b|_)/g, b)

  for (const [index, gap] of gaps.entries()) {
    it(`named: ${gap.what}`, async () => {
      const { server } = suite
      const { world, a, b } = await arrange(index, gap, { 'keyturn-differences': 'report' })
      const result = await world.rotate()
      assert.equal(result.outcome, 'published')
      assert.deepEqual(
        [...new Set(result.differences.map(({ what }) => what))].sort(),
        gap.found.map((name) => named(name, a, b)).sort(),
        JSON.stringify(result.differences),
      )
      for (const { incoming, outgoing } of result.differences) {
        assert.notEqual(incoming, outgoing)
        if (gap.incoming) assert.match(incoming, new RegExp(named(gap.incoming.source, a, b)))
      }
      assert.ok(result.differences.every(({ fatal }) => !fatal))
      const { username = '', password = '' } = await world.current()
      assert.equal(username, b)
      assert.ok(await logsIn(server, b, password))
    })
  }

  it('refuse, the default: nothing is published, every difference is in the message; mended, it resumes with the same value', async () => {
    const { server } = suite
    const gap: Gap = {
      what: '',
      arrange: ['alter role A connection limit 20', 'create table B_r ()', 'grant select on B_r to A'],
      found: [],
    }
    const { world, a, b } = await arrange(900, gap)
    const before = published(await world.store.describe(world.ref))
    for (let turn = 0; turn < 2; turn++) {
      await assert.rejects(world.rotate(), (cause: Error & { code?: string; next?: string }) => {
        assert.equal(cause.code, 'verify_failed')
        assert.match(cause.message, /rolconnlimit: outgoing 20, incoming -1/)
        assert.match(cause.message, /table in_900_r: outgoing SELECT, incoming lacks it/)
        return (cause.next ?? '').includes('--resume')
      })
    }
    assert.deepEqual(published(await world.store.describe(world.ref)), before)
    assert.ok(await logsIn(server, a, firstPassword))
    const staged = await pendingOf(world)
    await asSuper(server, `alter role ${b} connection limit 20; grant select on ${b}_r to ${b}`)
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    assert.equal((await world.current()).password, staged?.password)
  })

  it('a superuser does not alternate: refused before anything is set', async () => {
    const { server } = suite
    const { world, a, b } = await arrange(901, { what: '', arrange: [], found: [] })
    await asSuper(server, `alter role ${a} superuser; alter role ${b} superuser; alter role keyturn_admin superuser`)
    try {
      await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => {
        assert.match(cause.message, /superuser/)
        return cause.code === 'bad_policy'
      })
      assert.ok(await logsIn(server, b, firstPassword))
    } finally {
      await asSuper(server, 'alter role keyturn_admin nosuperuser')
    }
  })
})
