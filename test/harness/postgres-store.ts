import assert from 'node:assert/strict'
import { codeOf } from '../../shared/core/errors.js'
import type { RotationRequest } from '../../shared/core/ports/words.js'
import { sampler } from '../crash/sample.js'
import { type FaultMode, isReading, startProcess } from './faults.js'
import { loginsIn, logsIn } from './postgres-client.js'
import { mayFail, PostgresPoint, type Strategy } from './postgres-point.js'
import { binariesOf, PostgresServer, removeCopies } from './postgres-server.js'
import { arrangeRoles, firstPassword } from './postgres-world.js'
import type { Watched } from './stores.js'
import { type Kit, suite } from './suite.js'
import { laterMs } from './world.js'

const postgresSkip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const strategies: readonly Strategy[] = [
  { name: 'replace', users: ['app'], policy: {} },
  {
    name: 'alternate',
    users: ['app_a', 'app_b'],
    policy: { 'keyturn-strategy': 'alternate', 'keyturn-pair': 'app_a app_b', 'keyturn-admin': 'memory:admin' },
  },
]
/** A crash after a read is the crash before the next call. */
const troublesOf = (effect: string): readonly FaultMode[] => (isReading(effect) ? ['before', 'lost'] : ['before', 'after', 'lost'])
const ways = ['same token', 'resume', 'new request'] as const
type Way = (typeof ways)[number]

interface Point {
  readonly strategy: Strategy
  readonly at: number
  readonly mode: FaultMode
  readonly way: Way
}

/**
 * A store with a real PostgreSQL behind it: a rotation that is killed at each of its calls, and each answer lost. `share`: one of so many points is
 * tried.
 */
export function postgresPoints(title: string, open: () => Watched, skip: string | false, share: number): void {
  suite(title, skip || postgresSkip, ({ after, before, it }) => tests(open(), share, { after, before, it }))
}

function tests(watched: Watched, share: number, { after, before, it }: Pick<Kit, 'after' | 'before' | 'it'>): void {
  const setting = { name: watched.name, serviceDriven: false, openStore: watched.openReads ?? watched.open }
  let server: PostgresServer
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await watched.close?.()
    await server?.stop()
    await removeCopies()
  })
  const open = (strategy: Strategy) => PostgresPoint.open(server, setting, strategy)
  const works = (text: string): Promise<boolean> => {
    const { username, password } = JSON.parse(text) as { username: string; password: string }
    return logsIn(server, username, password)
  }

  /**
   * Readers look after every call: what is new to them works on the server, and with two logins everything that they ever get works until the end.
   */
  function watchReaders(
    point: PostgresPoint,
    strategy: Strategy,
  ): { readonly seen: ReadonlySet<string>; readonly broken: readonly string[] } {
    const readers = watched.readers?.(point) ?? (() => [])
    const seen = new Set<string>()
    const broken: string[] = []
    point.watch = async (name) => {
      const { current } = await point.store.describe(point.ref)
      for (const { reader, text } of readers(current?.id)) {
        if (text === undefined) broken.push(`the reader of ${reader} got nothing after ${name}`)
        if (text === undefined || seen.has(text)) continue
        const isFirst = (JSON.parse(text) as { password: string }).password === firstPassword
        if ((!isFirst || strategy.users.length > 1) && !(await works(text))) broken.push(`${reader} is refused after ${name}`)
        seen.add(text)
      }
    }
    return { seen, broken }
  }

  async function run({ strategy, at, mode, way }: Point, what: string): Promise<void> {
    const point = await open(strategy)
    const { seen, broken } = watchReaders(point, strategy)
    await mayFail(what, point.run(startProcess('first', [{ at, mode }])))
    point.env.time += laterMs
    server.clearLog()
    const requests: Readonly<Record<Way, Partial<RotationRequest>>> = {
      'same token': { token: point.token },
      resume: { kind: 'resume' },
      'new request': {},
    }
    await point
      .run(startProcess('next'), requests[way])
      .catch((cause: unknown) => assert.ok(way !== 'same token' && codeOf(cause) === 'held', `${what}: ${codeOf(cause)}`))
    assert.ok(loginsIn(server.log).refused <= 1, `${what}: at most one refused login`)
    const { username, password } = await point.current()
    assert.ok(await logsIn(server, username, password), `${what}: the stored current value logs in`)
    if (strategy.users.length > 1) for (const text of seen) assert.ok(await works(text), `${what}: what readers got works`)
    assert.deepEqual(broken, [], what)
    if (way === 'same token') assert.equal((await point.store.describe(point.ref)).current?.ours, point.token, what)
  }

  const sample = sampler(share)
  for (const strategy of strategies) {
    it(`${strategy.name}: killed at every call, and every answer lost`, async () => {
      const dry = startProcess('dry')
      await (await open(strategy)).run(dry)
      assert.ok(dry.effects.includes('apply') && dry.effects.filter(isReading).length > 5, dry.effects.join(' '))
      for (const [at, name] of dry.effects.entries()) {
        for (const [index, mode] of troublesOf(name).entries()) {
          const way = ways[(at + index) % ways.length] ?? 'same token'
          if (sample.take()) await run({ strategy, at, mode, way }, `${mode} ${at} ${name}, ${way}`)
        }
      }
    })
  }
}
