import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { RotationError } from '../../shared/core/errors.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { createRole, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { asSuper, asUser, loginsIn, logsIn } from '../harness/postgres-client.js'
import { adminPassword, firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const alternate: Policy = { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'memory:admin', 'keyturn-grace': '1s' }
const later = 60_000

onServers('the second login of a pair is made', (suite) => {
  const open = (username: string, policy: Policy = {}) =>
    PostgresWorld.open(suite.server, { policy: { ...alternate, ...policy }, value: { username } })
  const exists = async (name: string): Promise<boolean> =>
    (await asSuper(suite.server, 'select from pg_roles where rolname = $1', [name])).length > 0
  const as = <R extends Record<string, unknown>>({ username = '', password = '' }: Record<string, string>, text: string) =>
    asUser<R>(suite.server, username, password, text)
  const refused = async (world: PostgresWorld, check: (cause: RotationError) => void): Promise<void> => {
    const before = published(await world.store.describe(world.ref))
    await assert.rejects(world.rotate(), (cause: RotationError) => {
      check(cause)
      return true
    })
    assert.deepEqual(published(await world.store.describe(world.ref)), before)
  }

  it('acts as the first one, so that both own the same; two connections; there and back', async () => {
    const { server } = suite
    await createRole(server, 'solo', firstPassword)
    await asSuper(server, 'create schema solo authorization solo')
    const world = await open('solo')
    server.clearLog()
    const result = await world.rotate()
    assert.deepEqual([result.outcome, result.differences], ['published', []])
    assert.deepEqual(loginsIn(server.log), { accepted: 2, refused: 0 })
    const second = await world.current()
    assert.equal(second.username, 'solo_clone')
    assert.deepEqual(await as(second, 'select session_user::text, current_user::text'), [
      { session_user: 'solo_clone', current_user: 'solo' },
    ])
    await as(second, 'create table solo.made (a int)')
    world.skewMs += later
    assert.deepEqual((await world.rotate()).differences, [])
    const first = await world.current()
    assert.equal(first.username, 'solo')
    await as(first, 'drop table solo.made')
    world.skewMs += later
    assert.equal((await world.rotate()).outcome, 'published')
    assert.equal((await world.current()).username, 'solo_clone')
  })

  it('acts as the owner role of the first one', async () => {
    const { server } = suite
    await createRole(server, 'half_a', firstPassword)
    await asSuper(server, `grant app_owner to half_a; alter role half_a set role to 'app_owner'; grant pg_monitor to half_a`)
    const world = await open('half_a', { 'keyturn-pair': 'half_a half_b' })
    await withAdminOn(['app_owner'], async () => {
      await refusedOrPublished(world)
    })
  })

  /** pg_monitor is a role that this administrator may not give from version 16 on: then the difference is named, and nothing is published. */
  async function refusedOrPublished(world: PostgresWorld): Promise<void> {
    if (suite.major < 16) {
      assert.deepEqual((await world.rotate()).differences, [])
    } else {
      await refused(world, ({ code, message }) => assert.match(`${code} ${message}`, /verify_failed .*member_of: outgoing .*pg_monitor/))
      await asSuper(suite.server, 'grant pg_monitor to half_b')
      assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    }
    const second = await world.current()
    assert.deepEqual(await as(second, 'select current_user::text as name'), [{ name: 'app_owner' }])
  }
  async function withAdminOn(roles: readonly string[], act: () => Promise<void>): Promise<void> {
    const { server, major } = suite
    if (major < 16) return act()
    for (const role of roles) await asSuper(server, `grant ${role} to keyturn_admin with admin option, inherit false, set false`)
    try {
      await act()
    } finally {
      for (const role of roles) await asSuper(server, `revoke ${role} from keyturn_admin cascade`)
    }
  }

  it('takes over limits, settings of each database, expiry and comment', async () => {
    const { server } = suite
    await createRole(server, 'rich', firstPassword, "connection limit 7 valid until '2099-05-06' createdb")
    await asSuper(
      server,
      `alter role rich set search_path to 'a, b', "$user", public; alter role rich set application_name to 'o''hare; drop table x';
       alter role rich in database postgres set work_mem to '8MB'; alter role rich set datestyle to 'German, DMY'; comment on role rich is 'of ''team'' one'`,
    )
    const world = await open('rich')
    assert.deepEqual((await world.rotate()).differences, [])
    const rows = await asSuper(
      server,
      `select rolconnlimit, rolvaliduntil::date::text as until, rolcreatedb, shobj_description(oid, 'pg_authid') as comment,
        (select array_agg(d || c order by d || c) from (select coalesce(setdatabase, 0)::text || ' ' as d, unnest(setconfig) as c from pg_db_role_setting where setrole = r.oid) s where c not like 'role=%') as settings
       from pg_roles r where rolname like 'rich%' order by rolname`,
    )
    assert.equal(rows.length, 2)
    assert.deepEqual({ ...rows[1], rolcreatedb: true }, rows[0])
    assert.equal(rows[1]?.rolcreatedb, false)
    const second = await world.current()
    await as(second, 'create database rich_made')
  })

  it('a setting that the administrator may not give is named; given by somebody else, the rotation goes on', async () => {
    const { server } = suite
    await createRole(server, 'watched', firstPassword)
    await asSuper(server, "alter role watched set log_statement to 'ddl'; alter role watched set app.tenant to 'one'")
    const world = await open('watched')
    await refused(world, ({ code, message }) =>
      assert.match(`${code} ${message}`, /^verify_failed .*settings: outgoing .*app.tenant=one.*log_statement=ddl/),
    )
    await asSuper(server, "alter role watched_clone set log_statement to 'ddl'; alter role watched_clone set app.tenant to 'one'")
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
  })

  it('a login of somebody else is refused and stays as it is; as a member it takes its turn', async () => {
    const { server } = suite
    for (const name of ['mine', 'mine_clone']) await createRole(server, name, firstPassword, name === 'mine' ? '' : 'connection limit 3')
    const world = await open('mine')
    await refused(world, ({ code, field, message, next }) => {
      assert.deepEqual([code, field], ['bad_policy', 'keyturn-pair'])
      assert.match(message, /mine_clone.* is not a member of mine/)
      assert.match(next, /GRANT "mine" TO "mine_clone"/)
    })
    assert.ok(await logsIn(server, 'mine_clone', firstPassword))
    await asSuper(server, 'grant mine to mine_clone; alter role mine connection limit 3')
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    assert.ok(!(await logsIn(server, 'mine_clone', firstPassword)))
  })

  const strangers: readonly (readonly [string, string, readonly string[]])[] = [
    ['that was set to act as the first one, and may not', 'S', ["alter role S_clone set role to 'S'"]],
    ['that lost the acting role', 'S', ["alter role S set role to 'app_owner'", 'grant app_owner to S']],
    ['that is a group of the first one', 'S S_group', ['create role S_group nologin', 'grant S_group to S']],
    ['that is a login of which the first one is a member', 'S S_group', ['create role S_group login', 'grant S_group to S']],
  ]
  for (const [index, [what, pair, statements]] of strangers.entries()) {
    it(`a login is refused and stays as it is: one ${what}`, async () => {
      const { server } = suite
      const [first, second] = [`str${index}`, pair === 'S' ? `str${index}_clone` : `str${index}_group`]
      await createRole(server, first, firstPassword)
      if (pair === 'S') await createRole(server, second, firstPassword)
      for (const text of statements) await asSuper(server, text.replaceAll('S', first))
      const before = await asSuper(server, 'select rolpassword, rolcanlogin from pg_authid where rolname = $1', [second])
      const world = await open(first, {
        'keyturn-differences': 'report',
        ...(pair === 'S' ? {} : { 'keyturn-pair': pair.replaceAll('S', first) }),
      })
      await refused(world, ({ code, field }) => assert.deepEqual([code, field], ['bad_policy', 'keyturn-pair']))
      assert.deepEqual(await asSuper(server, 'select rolpassword, rolcanlogin from pg_authid where rolname = $1', [second]), before)
    })
  }

  it('a clone that somebody else has made again is refused, although the secret held one of that name before', async () => {
    const { server } = suite
    await createRole(server, 'again', firstPassword)
    const world = await open('again')
    for (let turn = 0; turn < 2; turn++) {
      await world.rotate()
      world.skewMs += later
    }
    await asSuper(server, 'drop role again_clone')
    await createRole(server, 'again_clone', firstPassword)
    await refused(world, ({ code }) => assert.equal(code, 'bad_policy'))
    assert.ok(await logsIn(server, 'again_clone', firstPassword))
  })

  it('a role that the first login names and may not act as is given to nobody', async () => {
    const { server, major } = suite
    await createRole(server, 'greedy', firstPassword)
    await asSuper(server, 'create role mighty nologin createrole')
    if (major >= 16) await asSuper(server, 'grant mighty to keyturn_admin with admin option, inherit false, set false')
    const [set] = major >= 16 ? [' with set false'] : []
    if (set) await asSuper(server, `create role shut nologin; grant shut to greedy${set}; grant shut to keyturn_admin with admin option`)
    for (const named of ['mighty', ...(set ? ['shut'] : []), 'pg_execute_server_program']) {
      await asUser(server, 'greedy', firstPassword, `alter role greedy set role to '${named}'`)
      const world = await open('greedy', { 'keyturn-differences': 'report' })
      assert.equal((await world.rotate()).outcome, 'published', named)
      const second = await world.current()
      assert.deepEqual(await as(second, 'select current_user::text as name'), [{ name: 'greedy' }])
      const [held] = await asSuper(
        server,
        "select exists (select from pg_auth_members m where m.member = 'greedy_clone'::regrole and m.roleid <> 'greedy'::regrole) as more",
      )
      assert.deepEqual(held, { more: false })
      await asSuper(server, 'drop role greedy_clone')
    }
  })

  it('works as the first login works in each database, and looks at the database of the secret', async () => {
    const { server } = suite
    await asSuper(server, 'create database shop_1')
    await createRole(server, 'two_faced', firstPassword, 'createdb noinherit')
    await asSuper(
      server,
      `create role face_1 nologin; create role face_2 nologin; grant face_1, face_2 to two_faced;
       alter role two_faced in database shop_1 set role to 'face_1'; alter role two_faced in database template1 set role to 'face_2'`,
    )
    await withAdminOn(['face_1', 'face_2'], async () => {
      const world = await PostgresWorld.open(server, { policy: alternate, value: { username: 'two_faced', dbname: 'shop_1' } })
      assert.deepEqual((await world.rotate()).differences, [])
      const { username = '', password = '' } = await world.current()
      const who = async (database: string) =>
        (await asUser(server, username, password, 'select current_user::text as name', [], database))[0]
      assert.deepEqual([await who('shop_1'), await who('postgres')], [{ name: 'face_1' }, { name: 'two_faced' }])
      world.skewMs += later
      assert.deepEqual((await world.rotate()).differences, [])
      await asSuper(server, 'drop role two_faced_clone')
    })
  })

  it('an administrator that acts as a role with the right', async () => {
    const { server, major } = suite
    await createRole(server, 'byother', firstPassword)
    await asSuper(
      server,
      `create role dba nologin createrole; create role acting_admin login password '${adminPassword}'; grant dba to acting_admin`,
    )
    await asSuper(server, `alter role acting_admin set role to 'dba'`)
    if (major >= 16) await asSuper(server, 'grant byother to dba with admin option, inherit false, set false')
    const world = await PostgresWorld.open(server, {
      policy: alternate,
      value: { username: 'byother' },
      adminValue: { username: 'acting_admin' },
    })
    assert.deepEqual((await world.rotate()).differences, [])
  })

  it("never with a superuser's attributes", async () => {
    const { server } = suite
    await createRole(server, 'root', firstPassword)
    await asSuper(server, 'alter role root superuser')
    await refused(await open('root'), ({ code, message }) => assert.match(`${code} ${message}`, /^bad_policy .*root is a superuser/))
    assert.equal(await exists('root_clone'), false)
    await createRole(server, 'rootly', firstPassword)
    await asSuper(server, "grant root to rootly; alter role rootly set role to 'root'")
    await refused(await open('rootly'), ({ code, message }) => assert.match(`${code} ${message}`, /^bad_policy .*root.* superuser/))
    assert.equal(await exists('rootly_clone'), false)
  })

  it('a name that the server would cut is refused before anything is done', async () => {
    const { server } = suite
    const long = 'é'.repeat(29)
    await createRole(server, long, firstPassword)
    await refused(await open(long), ({ code, field }) => assert.deepEqual([code, field], ['bad_policy', 'keyturn-pair']))
    assert.equal((await asSuper(server, "select from pg_roles where rolname like 'éé%'")).length, 1)
  })

  it('an administrator without the right gets the one statement to run, and nothing is half done', async () => {
    const { server, major } = suite
    await asSuper(server, `create role poor login password '${firstPassword}'`)
    const world = await open('poor')
    if (major < 16) await asSuper(server, 'alter role keyturn_admin nocreaterole')
    let statement = ''
    try {
      await refused(world, ({ code, next }) => {
        assert.equal(code, 'target_denied')
        statement = /(?:GRANT|ALTER ROLE) [^;]*;/.exec(next)?.[0] ?? ''
      })
      assert.equal(await exists('poor_clone'), false)
      assert.match(
        statement,
        major < 16 ? /^ALTER ROLE "keyturn_admin" CREATEROLE;$/ : /^GRANT "poor" TO "keyturn_admin" WITH ADMIN OPTION/,
      )
    } finally {
      await asSuper(server, statement)
    }
    const staged = await pendingOf(world)
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    assert.equal((await world.current()).password, staged?.password)
  })

  it('adopt with pair=auto makes it ahead, and nobody can log in with it before its first rotation; repeated it changes nothing', async () => {
    const { server } = suite
    await createRole(server, 'ahead', firstPassword)
    const world = await open('ahead')
    const state = () =>
      asSuper(
        server,
        "select rolcanlogin, pg_has_role('ahead_clone', 'ahead', 'MEMBER') as member from pg_roles where rolname = 'ahead_clone'",
      )
    const once = await adopt(world.deps(), world.store, world.ref.shown, {})
    assert.deepEqual([once.made, await state()], [undefined, []])
    const looked = await adopt(world.deps(), world.store, world.ref.shown, { 'keyturn-pair': 'auto' })
    assert.equal(looked.made, 'Made the login ahead_clone, which cannot log in before its first rotation')
    assert.deepEqual(await state(), [{ rolcanlogin: false, member: true }])
    const again = await adopt(world.deps(), world.store, world.ref.shown, { 'keyturn-pair': 'auto' })
    assert.equal(again.made, undefined)
    assert.deepEqual((await world.rotate()).differences, [])
    assert.deepEqual(await state(), [{ rolcanlogin: true, member: true }])
  })

  it('adopt that cannot make it changes nothing, not even the policy', async () => {
    const { server } = suite
    for (const name of ['taken', 'taken_clone']) await createRole(server, name, firstPassword)
    const world = await open('taken')
    const before = (await world.store.describe(world.ref)).policy
    await assert.rejects(adopt(world.deps(), world.store, world.ref.shown, { 'keyturn-pair': 'auto' }), { code: 'bad_policy' })
    assert.deepEqual((await world.store.describe(world.ref)).policy, before)
  })

  it('names of every form', async () => {
    const { server } = suite
    for (const name of ['Upper "q" \'s\' \\', 'user', 'ünï-@$;', '1 2']) {
      await createRole(server, name, firstPassword)
      const world = await open(name)
      assert.deepEqual((await world.rotate()).differences, [], name)
      const second = await world.current()
      assert.deepEqual(await as(second, 'select current_user::text as name'), [{ name }])
    }
  })
})
