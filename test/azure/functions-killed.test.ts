import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { SecretText } from '../../shared/core/secret-text.js'
import { whole } from '../crash/sample.js'
import { AzurePackage } from '../harness/azure-app.js'
import { AzureFleet } from '../harness/azure-fleet.js'
import { azuriteSkip } from '../harness/azurite.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { suite } from '../harness/suite.js'

/** How many; KEYTURN_ENDS says another number. */
const ends = Number(process.env.KEYTURN_ENDS || (whole ? 8 : 3))
const seed = process.env.KEYTURN_SEED ?? 'killed'
/** From 0 to 1, for one question about the n-th end of this seed. */
const drawn = (question: string, n: number): number =>
  createHash('sha256').update(`${seed}/${question}/${n}`).digest().readUInt16BE(0) / 2 ** 16
const dayMs = 86_400_000
const leaseMs = 16 * 60_000

const login = (text: string) => JSON.parse(text) as { readonly username: string; readonly password: string }
const skip = azuriteSkip || (binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS')

suite('workers of Azure that end at random moments', skip, ({ after, before, it }) => {
  let server: PostgresServer
  let made: AzurePackage
  let fleet: AzureFleet
  const untested: string[] = []
  let calls = 0
  let moment: { readonly at: number; readonly come: () => void } | undefined

  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
    made = await AzurePackage.make('postgres')
    fleet = await AzureFleet.open(made)
    const place = { engine: 'postgres', host: '127.0.0.1', port: server.port, dbname: 'postgres', sslmode: 'disable' }
    const value = JSON.stringify({ ...place, username: 'app', password: firstPassword })
    const policy = { 'keyturn-rotator': 'postgres', 'keyturn-strategy': 'replace', 'keyturn-every': '30d' }
    await fleet.project.admin().create('db', new SecretText(value), policy)
    fleet.waiting.length = 0
    const { vault } = fleet.project
    const tell = vault.onEvent
    vault.onEvent = (event) => {
      tell(event)
      if (event.eventType.endsWith('NewVersionCreated') && event.subject === 'db') looks.push(read(published().length - 1))
    }
    vault.fault = onCall
  })
  after(async () => {
    await fleet?.close()
    await made?.close()
    await server?.stop()
    await removeCopies()
  })

  const works = (text: string): Promise<boolean> => logsIn(server, login(text).username, login(text).password)
  const published = (): readonly string[] => fleet.project.vault.versions('db').map(({ value }) => value)
  const looks: Promise<void>[] = []
  function onCall(): undefined {
    calls++
    if (moment !== undefined && calls >= moment.at) moment.come()
  }
  /** Whoever reads a version as soon as it is there logs in with it. */
  async function read(version: number): Promise<void> {
    const text = published()[version] ?? ''
    if (!(await works(text))) untested.push(`version ${version}`)
  }
  const comes = (after: number): Promise<void> =>
    new Promise((resolve) => {
      moment = { at: calls + after, come: resolve }
    })
  /** As the platform ends a worker: by the host, by a signal, or not at all in order. */
  async function end(n: number): Promise<void> {
    moment = undefined
    const { worker } = fleet.host
    const how = drawn('how', n)
    if (how < 0.3) await worker.terminate()
    else await worker.signal(how < 0.6 ? 'SIGTERM' : 'SIGKILL')
    await fleet.host.restart()
  }

  it(`${ends} of them: each version's notice ends in one rotation, and no value was ever current that does not log in`, async () => {
    for (let n = 0; n < ends; n++) {
      const before = published().length
      const came = comes(1 + Math.floor(24 * drawn('moment', n)))
      await fleet.move(30 * dayMs + 60_000)
      assert.ok(n === 0 || fleet.waiting.some(({ name }) => name === 'rotate'), 'the vault gives notice by itself')
      const delivered = fleet.deliver(2)
      if (n === 0) await fleet.host.timer('sweep') // the first version has no expiry of ours
      await came
      await end(n)
      await delivered
      for (let passes = 0; published().length === before; passes++) {
        assert.ok(passes < 10, `after ${passes} leases: ${fleet.host.log.slice(-2000)}`)
        await fleet.move(leaseMs)
        await fleet.deliver()
        await fleet.settled()
      }
      await fleet.settled()
      assert.equal(published().length, before + 1)
      assert.ok(await works(published().at(-1) ?? ''), `${n}: current logs in`)
    }
    await Promise.all(looks)
    assert.deepEqual([looks.length, untested], [ends, []])
    assert.equal(await fleet.project.waiting('keyturn-work-poison'), 0)
    for (const text of published()) assert.ok(!fleet.host.log.includes(login(text).password))
  })
})
