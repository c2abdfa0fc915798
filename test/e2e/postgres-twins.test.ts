import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { createRole, onServers } from '../harness/pg-suite.js'
import { asSuper, asUser } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

interface Gap {
  readonly what: string
  /** Both act as A; else the incoming login B is a member of A and nothing more. */
  readonly acting?: true
  readonly arrange: readonly string[]
  /** name, outgoing, incoming and whether it stops the rotation. */
  readonly found: readonly (readonly [what: string, outgoing: string, incoming: string, fatal: boolean])[]
}
const table = (name: string, policy: string): readonly string[] => [
  `create table A_${name} (owner text)`,
  `grant select on A_${name} to A`,
  `alter table A_${name} enable row level security`,
  `create policy p on A_${name} ${policy}`,
]
const gaps: readonly Gap[] = [
  { what: 'nothing, where the first one owns nothing and makes nothing', arrange: [], found: [] },
  {
    what: 'a user mapping',
    arrange: ['create foreign data wrapper A_w', 'create server A_s foreign data wrapper A_w', 'create user mapping for A server A_s'],
    found: [['user mapping on server A_s', 'has one', 'lacks it', true]],
  },
  {
    what: 'no user mapping, where both have one',
    arrange: [
      'create foreign data wrapper A_w2',
      'create server A_s2 foreign data wrapper A_w2',
      'create user mapping for A server A_s2',
      'create user mapping for B server A_s2',
    ],
    found: [],
  },
  {
    what: 'default privileges',
    arrange: [
      'create schema A_d',
      'alter default privileges for role A grant select, insert on tables to app_owner',
      'alter default privileges for role A in schema A_d grant execute on functions to public with grant option',
    ].map((text) => text.replace(' to public with grant option', ' to app_owner with grant option')),
    found: [
      ['default privileges of new functions in schema A_d', 'EXECUTE* to app_owner', 'lacks it', true],
      ['default privileges of new tables', 'INSERT to app_owner, SELECT to app_owner', 'lacks it', true],
    ],
  },
  {
    what: 'no default privileges, where both have the same, or they are for the incoming one',
    arrange: [
      'alter default privileges for role A grant select on tables to app_owner',
      'alter default privileges for role B grant select on tables to app_owner',
      'alter default privileges for role A grant insert on tables to B',
    ],
    found: [],
  },
  {
    what: 'a policy that compares the user',
    arrange: table('p', 'using (owner = current_user)'),
    found: [['policy p on table A_p', 'A', 'B', true]],
  },
  {
    what: 'a policy that checks the user when it writes',
    arrange: table('c', 'for insert with check (owner = session_user)'),
    found: [['policy p on table A_c', 'A', 'B', true]],
  },
  { what: 'no policy that only has such words in a text', arrange: table('t', `using (owner = 'CURRENT_USER')`), found: [] },
  {
    what: 'no policy for others',
    arrange: table('o', 'to app_owner using (owner = current_user)'),
    found: [],
  },
  {
    what: 'no policy of a table without row security',
    arrange: [...table('n', 'using (owner = current_user)'), 'alter table A_n disable row level security'],
    found: [],
  },
  {
    what: 'no policy for the owner, unless the table forces it',
    arrange: [
      ...table('u', 'using (owner = current_user)'),
      'alter table A_u owner to A',
      ...table('f', 'using (owner = current_user)'),
      'alter table A_f owner to A',
      'alter table A_f force row level security',
    ],
    found: [['policy p on table A_f', 'A', 'B', true]],
  },
  {
    what: 'no policy, where none binds either of them',
    arrange: [...table('b', 'using (owner = current_user)'), 'alter role A bypassrls', 'alter role B bypassrls'],
    found: [],
  },
  {
    what: 'no policy on the session user, where the role as which both act is bound by none',
    acting: true,
    arrange: [...table('x', 'using (owner = session_user)'), 'alter role A bypassrls'],
    found: [],
  },
  {
    what: 'no policy that only asks for a membership, which both have',
    arrange: table('m', "using (pg_has_role(current_user, 'A', 'member'))"),
    found: [],
  },
  {
    what: 'a policy that takes away from the incoming login alone',
    arrange: [...table('r', 'using (true)'), 'create policy narrow on A_r as restrictive to B using (false)'],
    found: [['policy narrow on table A_r', 'not bound by it', 'bound by it', true]],
  },
  {
    what: 'no default privilege of one schema that the other one gives in all of them',
    arrange: [
      'create schema A_w',
      'alter default privileges for role A in schema A_w grant select on tables to app_owner',
      'alter default privileges for role B grant select on tables to app_owner',
    ],
    found: [],
  },
  {
    what: 'who owns new objects: reported, and no reason to stop',
    arrange: ['create schema A_new authorization A'],
    found: [['owner of new objects', 'A', 'B', false]],
  },
  {
    what: 'of a pair that acts as one role, policies on the session user alone',
    acting: true,
    arrange: [...table('a', 'using (owner = current_user)'), ...table('s', 'using (owner = session_user)')],
    found: [['policy p on table A_s', 'A', 'B', true]],
  },
]

onServers('a member is not a twin', (suite) => {
  before(() => asSuper(suite.server, 'revoke create on schema public from public'))
  for (const [index, gap] of gaps.entries()) {
    it(`named: ${gap.what}`, async () => {
      const { server } = suite
      const [a, b] = [`one_${index}`, `one_${index}_clone`]
      const named = (text: string): string => text.replace(/\bA(?=\b|_)/g, a).replace(/\bB\b/g, b)
      for (const name of [a, b]) await createRole(server, name, firstPassword)
      await asSuper(server, `grant ${a} to ${b}`)
      if (gap.acting) await asSuper(server, `alter role ${b} set role to '${a}'`)
      for (const text of gap.arrange) await asSuper(server, named(text))
      const pair = { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'memory:admin', 'keyturn-grace': '1s' }
      const world = await PostgresWorld.open(server, { policy: pair, value: { username: a } })
      const found = gap.found.map(([what, outgoing, incoming, fatal]) => ({
        what: named(what),
        outgoing: named(outgoing),
        incoming: named(incoming),
        fatal,
      }))
      if (found.some(({ fatal }) => fatal)) {
        await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => {
          for (const { what } of found) assert.ok(cause.message.includes(what), cause.message)
          return cause.code === 'verify_failed'
        })
        await world.store.setPolicy(world.ref, { 'keyturn-differences': 'report' })
        assert.deepEqual(
          (await world.rotate({ kind: 'resume' })).differences,
          found.map((one) => ({ ...one, fatal: false })),
        )
      } else {
        const result = await world.rotate()
        assert.deepEqual([result.outcome, result.differences], ['published', found])
      }
    })
  }

  it('what a policy on the user hides is really hidden, and named both ways', async () => {
    const { server } = suite
    for (const name of ['seen', 'seen_clone']) await createRole(server, name, firstPassword)
    await asSuper(server, "grant seen to seen_clone; create table seen_t as select 'seen' as owner; grant select on seen_t to seen")
    await asSuper(server, 'alter table seen_t enable row level security; create policy p on seen_t using (owner = current_user)')
    const count = (user: string) => asUser<{ n: number }>(server, user, firstPassword, 'select count(*)::int as n from seen_t')
    assert.deepEqual([await count('seen'), await count('seen_clone')], [[{ n: 1 }], [{ n: 0 }]])
    const pair = { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'memory:admin' }
    for (const username of ['seen', 'seen_clone']) {
      const world = await PostgresWorld.open(server, { policy: pair, value: { username } })
      await assert.rejects(world.rotate(), /policy p on table seen_t/)
    }
  })
})
