import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { sampler } from '../crash/sample.js'
import { Doomed, goOn, reviving, ways } from '../harness/aws-doomed.js'
import { AwsWorld, resetRoles } from '../harness/aws-world.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { RdsDouble } from '../harness/rds.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('the rotation function dies at every call of either service while RDS changes its master password', { skip }, () => {
  let server: PostgresServer
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await server?.stop()
    await removeCopies()
  })

  async function open() {
    await resetRoles(server)
    const world = await AwsWorld.open(server, { remainingMs: 300_000 })
    world.double.now = () => Date.now() + world.skewMs
    const rds = await RdsDouble.open()
    rds.now = world.double.now
    rds.onEffect = async ({ masterUser }, password) => void (await asSuper(server, `alter role ${masterUser} password '${password}'`))
    const place = { kind: 'instance', id: 'main', host: '127.0.0.1', port: server.port } as const
    rds.databases.push({ ...place, engine: 'postgres', status: 'available', masterUser: 'app' })
    const arn = world.make('master', world.value('app', firstPassword, { dbInstanceIdentifier: 'main' }), { 'keyturn-rotator': 'rds' })
    const close = async (): Promise<void> => {
      await world.close()
      await rds.close()
    }
    return { world, rds, arn, close }
  }
  type Opened = Awaited<ReturnType<typeof open>>

  function doom({ world, rds }: Opened, at: number | undefined, trouble: 'before' | 'after'): Doomed {
    let doomed: Doomed | undefined = new Doomed(at === undefined ? undefined : { at, of: 'call' }, trouble, () => {})
    reviving(
      world,
      () => doomed,
      () => {
        doomed = undefined
      },
    )
    world.double.fault = () => doomed?.call()
    rds.fault = () => doomed?.call()
    return doomed
  }

  const works = async (text: string): Promise<boolean> => {
    const { username, password } = JSON.parse(text) as { username: string; password: string }
    return logsIn(server, username, password)
  }

  it('killed before and after each, gone on with by the service, anew, or with AWSPENDING taken away', async () => {
    const dry = await open()
    const { calls } = await (async () => {
      const doomed = doom(dry, undefined, 'before')
      await dry.world.rotate(dry.arn)
      return doomed
    })()
    assert.ok(await works(dry.world.valueOf(dry.arn)))
    assert.equal(calls, dry.world.double.calls.length + dry.rds.calls.length)
    await dry.close()
    assert.ok(calls > 12, `${calls} calls`)
    const sample = sampler(4)
    for (const trouble of ['before', 'after'] as const)
      for (let at = 0; at < calls; at++)
        for (const way of ways.filter(sample.take)) {
          const what = `${trouble} call ${at}, ${way}`
          const opened = await open()
          const { world, rds, arn } = opened
          doom(opened, at, trouble)
          await world.rotate(arn)
          world.crash()
          doom(opened, undefined, 'before')
          const values = [...world.double.find({ SecretId: arn }).versions.values()].flatMap(({ value }) => value ?? [])
          assert.ok((await Promise.all(values.map(works))).includes(true), `${what}: a stored value works`)
          await goOn(world, arn, way)
          // The function may not list versions without a label; a person may.
          if (way === 'stripped' && !(await works(world.valueOf(arn)))) {
            assert.match(world.said.join(''), /target_denied: .*keyturn recover/, what)
            const { done, action } = await recover(world.deps(), world.store, `aws:${arn}`, true)
            assert.ok(done, `${what}: ${JSON.stringify(action)} ${world.said.join('')}`)
          }
          assert.ok(await works(world.valueOf(arn)), `${what}: ${world.said.join('')}`)
          assert.notEqual(world.loginOf(arn).password, firstPassword, `${what}: ${world.said.join('')}`)
          const labels = Object.values(world.stagesOf(arn)).flat()
          assert.deepEqual(
            labels.filter((label) => /PENDING|STUCK|STAGED/.test(label)),
            [],
            what,
          )
          assert.ok(rds.calls.filter(({ action }) => action.startsWith('Modify')).length <= 2, what)
          await opened.close()
        }
  })
})
