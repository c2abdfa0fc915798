import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { RotationError } from '../../shared/core/errors.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { createRole, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { asSuper, asUser, loginsIn, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

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

  it('a login that the secret held before takes its turn without a membership', async () => {
    const { server } = suite
    for (const name of ['left', 'right']) await createRole(server, name, firstPassword)
    const world = await open('right', { 'keyturn-pair': 'left right', 'keyturn-differences': 'report' })
    const value = JSON.parse(await world.currentText()) as Record<string, string>
    await world.rotate({ kind: 'put' }, new SecretText(JSON.stringify({ ...value, username: 'left' })))
    world.skewMs += later
    assert.equal((await world.rotate()).outcome, 'published')
    assert.equal((await world.current()).username, 'right')
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
