import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { sampler } from '../crash/sample.js'
import { Doomed, goOn, type Point, reviving, type Trouble, type Way, ways } from '../harness/aws-doomed.js'
import { AwsWorld, resetRoles } from '../harness/aws-world.js'
import { BrokenLine } from '../harness/pg-wire.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const strategies = ['replace', 'alternate'] as const

describe('the rotation function of AWS dies at every call and every message', { skip }, () => {
  let server: PostgresServer
  let line: BrokenLine
  let doomed: Doomed | undefined
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
    line = await BrokenLine.open(server.port, (text) => doomed?.message(text) ?? 'never')
  })
  after(async () => {
    await line?.close()
    await server?.stop()
    await removeCopies()
  })

  async function open(strategy: (typeof strategies)[number]) {
    await resetRoles(server)
    doomed = undefined
    const world = await AwsWorld.open(server, { remainingMs: 60_000 })
    world.double.now = () => Date.now() + world.skewMs
    const { port } = line
    const admin = world.make('admin', world.value('keyturn_admin', adminPassword, { port }))
    const value =
      strategy === 'replace' ? world.value('app', firstPassword, { port }) : world.value('plain', firstPassword, { port, masterarn: admin })
    const arn = world.make('db', value, { 'keyturn-grace': '1s', 'keyturn-announced': 'a-version-0123456789' })
    reviving(
      world,
      () => doomed,
      () => {
        doomed = undefined
      },
    )
    world.double.fault = () => doomed?.call()
    return { world, arn }
  }
  type Opened = Awaited<ReturnType<typeof open>>

  const works = async (text: string): Promise<boolean> => {
    const { username, password } = JSON.parse(text) as { username: string; password: string }
    return logsIn(server, username, password)
  }
  /** Whatever died: consumers of a pair never notice, and no value that the server takes is lost. */
  async function checkMeanwhile({ world, arn }: Opened, strategy: string, what: string): Promise<void> {
    if (strategy === 'alternate') assert.ok(await works(world.valueOf(arn)), `${what}: current works all the time`)
    const values = [...world.double.find({ SecretId: arn }).versions.values()].flatMap(({ value }) => value ?? [])
    const accepted = await Promise.all(values.map(works))
    assert.ok(accepted.includes(true), `${what}: a stored value works`)
  }

  async function point(strategy: (typeof strategies)[number], trouble: Trouble, at: Point, way: Way, what: string): Promise<void> {
    const opened = await open(strategy)
    const { world, arn } = opened
    const secret = world.double.find({ SecretId: arn })
    doomed = new Doomed(at, trouble, () => {
      for (const tag of [...secret.tags.keys()]) if (tag.startsWith('keyturn')) secret.tags.delete(tag)
    })
    await world.rotate(arn)
    if (doomed?.dead) doomed = undefined
    world.crash()
    await checkMeanwhile(opened, strategy, what)
    await goOn(world, arn, way)
    const stuck = Object.values(world.stagesOf(arn)).flat().includes('KEYTURN_STUCK')
    if (stuck) {
      assert.equal(way, 'stripped', `${what}: stuck`)
      assert.ok((await recover(world.deps(), world.store, `aws:${arn}`, true)).done, what)
    }
    assert.ok(await works(world.valueOf(arn)), `${what}: ${world.said.join('')}`)
    assert.notEqual(world.loginOf(arn).password, firstPassword, `${what}: ${world.said.join('')}`)
    const labels = Object.values(world.stagesOf(arn)).flat()
    assert.deepEqual(
      labels.filter((label) => /PENDING|STUCK|STAGED/.test(label)),
      [],
      what,
    )
    const { password } = world.loginOf(arn)
    assert.ok(!world.said.join('').includes(password) && !world.said.join('').includes(firstPassword), what)
    await world.close()
  }

  for (const strategy of strategies) {
    it(`${strategy}: killed, gone on with by the service, anew, or with AWSPENDING taken away; its tags deleted`, async () => {
      const { world, arn } = await open(strategy)
      const dry = new Doomed(undefined, 'before', () => {})
      doomed = dry
      await world.rotate(arn)
      await world.close()
      assert.equal(dry.calls, strategy === 'replace' ? 8 : 10, 'a first rotation, warm')
      assert.equal(dry.messages.filter((name) => name === 'ALTER ROLE').length, 1)
      let turn = 0
      const sample = sampler(4)
      for (const trouble of ['before', 'after', 'tags deleted'] as const) {
        for (let at = 0; at < dry.calls; at++) {
          const chosen: readonly Way[] = trouble === 'tags deleted' ? ['service'] : ways
          for (const way of chosen.filter(sample.take))
            await point(strategy, trouble, { at, of: 'call' }, way, `${trouble} call ${at}, ${way}`)
        }
      }
      for (const trouble of ['before', 'after'] as const) {
        for (const [at, name] of dry.messages.entries()) {
          const chosen = name === 'ALTER ROLE' ? ways : [ways[turn++ % ways.length] ?? 'service']
          for (const way of chosen.filter(sample.take))
            await point(strategy, trouble, { at, of: 'message' }, way, `${trouble} message ${at} (${name}), ${way}`)
        }
      }
    })
  }
})
