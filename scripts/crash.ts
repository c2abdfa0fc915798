import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { afterFaults, afterPairs, clockFaults, emptyAfterTally } from '../test/crash/after-run.js'
import type { Setting } from '../test/crash/matrix.js'
import { crashPairs, emptyTally, readFaults, singleFaults } from '../test/crash/run.js'
import { type SelfIssuedTally, selfIssuedFaults, tales } from '../test/crash/self-issued.js'
import { byAnswerSettings, memorySettings, realSettings } from '../test/crash/settings.js'

/**
 * Runs the crash matrix alone: `npm run test:crash -- --json` ends with one object on one line; exit 1 if a promise was broken. Two processes share
 * the settings. All single faults run; of a store whose calls go over a wire, one in twenty. Of the pairs of crashes after a publication one in eight
 * runs, drawn by KEYTURN_SEED; of the points of real stores after a publication, one in ten (over a wire one in 800); of self-issued credentials, all
 * single faults and some pairs. The two profiles without a condition have their rules in one place: after a publication each runs a third of the points,
 * drawn apart.
 *
 * `--whole` runs everything else, except for the pairs of self-issued credentials, of which it runs one in twelve, and for a store over a wire: it runs
 * all its single faults and single failing reads, one point after a publication in 80, and one read that fails after a crash in 128. Of a store whose
 * journal goes through a server of its own (Azure) it always runs an eighth of that.
 * `--share N` runs one in N of what comes after a publication, of the memory store and of stores on this machine, and of the pairs of self-issued credentials;
 * of their single faults one in two, and of the pairs of crashes where the target refuses the first value one in four.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    whole: { type: 'boolean', default: false },
    share: { type: 'string', default: '1' },
    part: { type: 'string' },
  },
})
const parts = 2
const share = Number(values.share)
if (!Number.isInteger(share) || share < 1) throw new Error('--share must be a whole number from 1 on.')
const pairsEvery = values.whole ? 1 : 8
const realPointsEvery = values.whole ? 1 : 10
const wireEvery = ({ drawn = 1 }: Setting): number => (values.whole ? drawn : 20 * drawn)
const wireFactor = 80
const readsEvery = values.whole ? 1 : 160
const crashedReadsEvery = values.whole ? 128 : 160
const selfIssuedEvery = share > 1 ? 2 : 1
const refusedPairsEvery = share > 1 ? 4 : 1
const selfIssuedPairsEvery = (values.whole ? 12 : 32) * selfIssuedEvery * selfIssuedEvery

type Counts = Record<'points' | 'lockouts' | 'lost' | 'untestedVisible' | 'lostEvents' | 'retiredInUse' | 'other', number>

/** Says, when it is called, how many points a setting had and what they cost. */
function progress(name: string, points: () => number): () => void {
  const [before, since] = [points(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(since)
    console.error(`${name.padEnd(28)} ${String(points() - before).padStart(6)} points ${((user + system) / 1e6).toFixed(0).padStart(5)} s`)
  }
}

async function onePart(part: number): Promise<{ counts: Counts; traces: readonly string[] }> {
  const [tally, after] = [emptyTally(), emptyAfterTally()]
  const mine = <T>(all: readonly T[]): readonly T[] => all.filter((_, index) => index % parts === part)
  for (const setting of mine(memorySettings())) {
    const say = progress(setting.name, () => tally.points + after.points)
    await singleFaults(tally, setting)
    await crashPairs(tally, setting, setting.refuseFirst ? refusedPairsEvery : 1)
    if (!setting.refuseFirst) {
      const every = share * (setting.disturb === undefined ? 1 : 3)
      await afterFaults(after, setting, every)
      await afterPairs(after, setting, pairsEvery * every)
      await clockFaults(after, setting, pairsEvery * 2 * every)
    }
    say()
  }
  for (const setting of mine(realSettings())) {
    const say = progress(setting.name, () => tally.points + after.points)
    await singleFaults(tally, setting, setting.slow ? wireEvery(setting) : 1)
    const { drawn = 1 } = setting
    await readFaults(tally, setting, readsEvery * drawn, crashedReadsEvery * drawn)
    await afterFaults(after, setting, realPointsEvery * (setting.slow ? wireFactor * drawn : share))
    say()
  }
  for (const setting of mine(byAnswerSettings())) {
    await singleFaults(tally, setting, setting.slow ? wireEvery(setting) : 1)
    if (setting.memory) await crashPairs(tally, setting, pairsEvery)
  }
  const own: SelfIssuedTally = { points: 0, broken: [] }
  const say = progress('self-issued', () => own.points)
  for (const tale of mine(tales)) await selfIssuedFaults(own, tale, selfIssuedEvery, selfIssuedPairsEvery)
  say()
  const { lockouts, lost, untestedVisible, other } = tally.broken
  const counts = {
    points: tally.points + after.points + own.points,
    lockouts: lockouts.length + after.broken.lockouts.length,
    lost: lost.length,
    untestedVisible: untestedVisible.length,
    lostEvents: after.broken.lostEvents.length,
    retiredInUse: after.broken.retiredInUse.length,
    other: other.length + after.broken.other.length + own.broken.length,
  }
  return { counts, traces: [...tally.traces, ...after.traces, ...own.broken].slice(0, 50) }
}

async function inProcess(part: number): Promise<{ counts: Counts; traces: readonly string[] }> {
  const child = spawn(
    process.execPath,
    [
      '--max-semi-space-size=64',
      fileURLToPath(import.meta.url),
      ...['--part', String(part), '--share', values.share],
      ...(values.whole ? ['--whole'] : []),
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const said = await text(child.stdout)
  if (said.trim() === '') throw new Error(`part ${part} of the matrix ended without an answer`)
  return JSON.parse(said) as { counts: Counts; traces: readonly string[] }
}

if (values.part !== undefined) {
  console.log(JSON.stringify(await onePart(Number(values.part))))
} else {
  const found = await Promise.all(Array.from({ length: parts }, (_, part) => inProcess(part)))
  for (const trace of found.flatMap(({ traces }) => traces).slice(0, 50)) console.log(trace)
  const sum = (key: keyof Counts): number => found.reduce((total, { counts }) => total + counts[key], 0)
  const keys = ['points', 'lockouts', 'lost', 'untestedVisible', 'lostEvents', 'retiredInUse', 'other'] as const
  const result = Object.fromEntries(keys.map((key) => [key, sum(key)]))
  console.log(values.json ? JSON.stringify(result) : keys.map((key) => `${key} ${result[key]}`).join(' · '))
  process.exitCode = keys.slice(1).some((key) => (result[key] ?? 0) > 0) ? 1 : 0
}
