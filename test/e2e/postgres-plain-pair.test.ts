import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createRole, onServers } from '../harness/pg-suite.js'
import { asSuper, asUser } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const alternate = { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'memory:admin', 'keyturn-grace': '1s' }

onServers(
  'a server that ignores the acting role gets a plain clone',
  (suite) => {
    it('which inherits the first login, has its attributes, settings and memberships, and makes tables that the first one may use', async () => {
      const { server } = suite
      await createRole(server, 'app1', firstPassword, "connection limit 7 valid until '2099-05-06' createrole createdb bypassrls")
      await asSuper(
        server,
        `alter role keyturn_admin createdb bypassrls; create schema app1 authorization app1;
         alter role app1 in database postgres set search_path to app1, public; alter role app1 set work_mem to '8MB';
         grant app_owner to app1; grant app_owner to keyturn_admin with admin option, inherit false, set false;
         alter default privileges for role app1 grant select on tables to app_owner;
         alter default privileges for role app1 revoke execute on functions from public;
         alter default privileges for role app1 in schema app1 grant usage on sequences to app_owner with grant option`,
      )
      const world = await PostgresWorld.open(server, { policy: alternate, value: { username: 'app1' } })
      const result = await world.rotate()
      const owner = { what: 'owner of new objects', outgoing: 'app1', incoming: 'app1_clone', fatal: false }
      assert.deepEqual([result.outcome, result.differences], ['published', [owner]])
      const { username = '', password = '' } = await world.current()
      const [identity] = await asUser(server, username, password, 'select current_user::text as name')
      assert.deepEqual(identity, { name: 'app1_clone' })
      await asUser(server, username, password, 'create table app1.made (a int)')
      assert.deepEqual(await asUser(server, 'app1', firstPassword, 'select * from app1.made'), [])
      const [member] = await asSuper(server, "select pg_has_role('keyturn_admin', 'app1_clone', 'USAGE') as yes")
      assert.deepEqual(member, { yes: false })
      await asUser(server, username, password, "create function app1.f() returns int language sql as 'select 1'")
      const [open] = await asSuper(server, "select has_function_privilege('plain', 'app1.f()', 'EXECUTE') as yes")
      assert.deepEqual(open, { yes: false })
      const groups = await asSuper(
        server,
        "select g.rolname as name from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = 'app1_clone'::regrole order by 1",
      )
      assert.deepEqual(groups, [{ name: 'app1' }, { name: 'app_owner' }])
    })

    it('what it made is named before the first login takes its turn again', async () => {
      const { server } = suite
      await createRole(server, 'app2', firstPassword)
      await asSuper(server, 'create schema app2 authorization app2')
      const world = await PostgresWorld.open(server, { policy: alternate, value: { username: 'app2' } })
      await world.rotate()
      const { username = '', password = '' } = await world.current()
      await asUser(server, username, password, 'create table app2.made (a int)')
      world.skewMs += 60_000
      await assert.rejects(world.rotate(), /one\. table made: outgoing OWNER, incoming lacks it\.$/)
    })

    it('a first login that names an owner works as itself there, and so does its clone, which is ready for a server that has the setting', async () => {
      const { server } = suite
      await createRole(server, 'app4', firstPassword, 'noinherit')
      await asSuper(
        server,
        `create role own4 nologin; grant own4 to app4; alter role app4 set role to 'own4';
         grant own4 to keyturn_admin with admin option, inherit false, set false`,
      )
      const world = await PostgresWorld.open(server, { policy: alternate, value: { username: 'app4' } })
      assert.deepEqual((await world.rotate()).differences, [])
      const { username = '', password = '' } = await world.current()
      assert.deepEqual(await asUser(server, username, password, 'select current_user::text as name'), [{ name: 'app4_clone' }])
      const [set] = await asSuper(server, "select setconfig from pg_db_role_setting where setrole = 'app4_clone'::regrole")
      assert.deepEqual(set, { setconfig: ['role=own4'] })
    })

    it('a pair that is meant to act as an owner is compared as it is', async () => {
      const { server } = suite
      for (const name of ['both_a', 'both_b']) {
        await createRole(server, name, firstPassword)
        await asSuper(server, `grant app_owner to ${name}; alter role ${name} set role to 'app_owner'`)
      }
      const policy = { ...alternate, 'keyturn-pair': 'both_a both_b' }
      const world = await PostgresWorld.open(server, { policy, value: { username: 'both_a' } })
      assert.deepEqual(
        (await world.rotate()).differences.filter(({ fatal }) => fatal),
        [],
      )
    })

    it('an attribute that the administrator does not have is named', async () => {
      const { server } = suite
      await createRole(server, 'app3', firstPassword, 'replication')
      await asSuper(server, 'alter role keyturn_admin nocreatedb nobypassrls')
      const world = await PostgresWorld.open(server, { policy: alternate, value: { username: 'app3' } })
      await assert.rejects(world.rotate(), /rolreplication: outgoing true, incoming false/)
    })
  },
  () => ({}),
  [16.5],
)
