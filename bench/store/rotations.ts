import type { Policy, SecretRef } from '../../shared/core/ports/words.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { createRole } from '../../test/harness/pg-suite.js'
import { asSuper } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { adminPassword, firstPassword } from '../../test/harness/postgres-world.js'
import { floor, type StrategyName } from '../postgres/rotations.js'
import type { CallsMade, Counts, StoreBench } from './world.js'

/** What a rotation costs: the most of any that was counted. */
export interface Measured extends CallsMade {
  readonly strategy: Strategy
  /** A rotation, without the waits for the service's pace. */
  readonly ms: number
  /** The same calls of the service, and the same logins and statement, made bare. */
  readonly msBare: number
  readonly ratio: number
  /** How long a rotation waits for the pace that the service promises, by a clock that does not wait. */
  readonly paceMs: number
}
type Strategy = 'replace' | 'alternate'
export const strategies: readonly Strategy[] = ['replace', 'alternate']

/** What is over the limits, as sentences; empty where nothing is. */
export const overMost =
  (most: Counts) =>
  ({ strategy, ...counts }: Counts & { readonly strategy: Strategy }): readonly string[] =>
    (['calls', 'writes', 'consumerWrites'] as const)
      .filter((kind) => counts[kind] > most[kind])
      .map((kind) => `${strategy}: ${counts[kind]} ${kind}; the limit is ${most[kind]}.`)

/** The system whose password is changed: a PostgreSQL over verified TLS. Absent: one in memory. */
export interface Target {
  readonly server: PostgresServer
  readonly ca: string
}

/** How the secret of a strategy is made, and the same work at the target by hand. */
interface Prepared {
  readonly ref: SecretRef
  rotateTarget(): Promise<void>
}

const bareOf = { replace: 'replace by itself', alternate: 'alternate' } as const satisfies Record<Strategy, StrategyName>

async function prepare(bench: StoreBench, strategy: Strategy, target: Target | undefined): Promise<Prepared> {
  if (target === undefined) return prepareMemory(bench, strategy)
  const { server, ca } = target
  for (const name of [strategy, `${strategy}_clone`, `bare_${strategy}_a`, `bare_${strategy}_b`])
    await createRole(server, name, firstPassword)
  if (strategy === 'alternate') await asSuper(server, 'grant alternate to alternate_clone')
  const place = { engine: 'postgres', host: '127.0.0.1', port: server.port, dbname: 'postgres', sslmode: 'verify-full', ca }
  const pair = { 'keyturn-strategy': 'alternate', 'keyturn-admin': `${bench.prefix}admin` }
  if (strategy === 'alternate') await bench.create('admin', { ...place, username: 'keyturn_admin', password: adminPassword }, {})
  const policy: Policy = { 'keyturn-rotator': 'postgres', ...(strategy === 'alternate' ? pair : {}) }
  const ref = await bench.create(strategy, { ...place, username: strategy, password: firstPassword }, policy)
  const bare = floor({ port: server.port, ca }, bareOf[strategy], `bare_${strategy}`)
  return { ref, rotateTarget: bare.rotate }
}

/** A secret of a target in memory, whose part takes no time. */
export async function prepareMemory(bench: StoreBench, strategy: Strategy): Promise<Prepared> {
  const target = new MemoryTarget()
  target.accounts.set('app_a', firstPassword).set('app_b', '')
  setMemoryTarget(`bench-${strategy}`, target)
  const engine = strategy === 'replace' ? 'memory-a' : 'memory-b'
  const policy: Policy = { 'keyturn-rotator': engine, ...(strategy === 'replace' ? {} : { 'keyturn-pair': 'app_a app_b' }) }
  const ref = await bench.create(strategy, { engine, target: `bench-${strategy}`, username: 'app_a', password: firstPassword }, policy)
  return { ref, rotateTarget: async () => {} }
}

type Counted = CallsMade & Pick<Measured, 'paceMs'>

/** Counts over so many rotations, after a first one that finds no aliases and no older versions. */
export async function counted(bench: StoreBench, ref: SecretRef, turns: number): Promise<Counted> {
  const { clock } = bench
  await bench.rotate(ref)
  const found: Counted[] = []
  for (let turn = 0; turn < turns; turn++) {
    await bench.settle(ref)
    const waitedMs = clock.waitedMs
    found.push({ ...(await bench.count(ref, () => bench.rotate(ref))), paceMs: clock.waitedMs - waitedMs })
  }
  const highest = (of: keyof Counts): number => Math.max(...found.map((one) => one[of]))
  const largest = found.reduce((one, other) => (other.calls > one.calls ? other : one))
  return { ...largest, calls: highest('calls'), writes: highest('writes'), consumerWrites: highest('consumerWrites') }
}

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0
const round = (value: number): number => Number(value.toFixed(2))
async function timed(act: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await act()
  return performance.now() - from
}

/** Rotations of one strategy and the same calls made bare, in turns, so that whatever the machine does meets both. */
async function compare(bench: StoreBench, strategy: Strategy, target: Target | undefined, turns: number): Promise<Measured> {
  const { ref, rotateTarget } = await prepare(bench, strategy, target)
  const counts = await counted(bench, ref, 5)
  await bench.settle(ref)
  const again = await bench.bare(strategy, () => bench.rotate(ref))
  const bare = async (): Promise<void> => {
    await again()
    await rotateTarget()
  }
  await bare()
  const [times, bareTimes]: [number[], number[]] = [[], []]
  for (let turn = 0; turn < turns; turn++) {
    await bench.settle(ref)
    times.push(await timed(() => bench.rotate(ref)))
    bareTimes.push(await timed(bare))
  }
  const [ms, msBare] = [median(times), median(bareTimes)]
  return { strategy, ...counts, ms: round(ms), msBare: round(msBare), ratio: round(ms / msBare) }
}

/** Measures every strategy, each over services of its own. */
export async function measureRotations(
  open: () => Promise<StoreBench>,
  target: Target | undefined,
  turns = 30,
): Promise<readonly Measured[]> {
  const found: Measured[] = []
  for (const strategy of strategies) {
    const bench = await open()
    try {
      found.push(await compare(bench, strategy, target, turns))
    } finally {
      await bench.close()
    }
  }
  return found
}
