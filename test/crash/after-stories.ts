import type { Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import type { Fault } from '../harness/faults.js'
import type { Deed, Story } from './after.js'

const tokenOf = (name: string): Token => `token-${name}-0123456789-0123456789abcd` as Token

/** A rotation as the platform or a person starts it; the same token again after a crash. */
const rotate =
  (name: string, kind: 'rotate' | 'emergency' | 'rollback' = 'rotate'): Deed =>
  async (story, process) => {
    const { world, setting } = story
    if (kind !== 'rotate') story.pastTokens.add(tokenOf(name))
    if (!setting.serviceDriven || kind !== 'rotate') return world.run(process, { kind, token: tokenOf(name), reason: 'a test' })
    const token = await world.startNative()
    return token === undefined ? undefined : world.runService(process, token)
  }
const announceNow: Deed = (story, process) => story.act(process, (deps) => announce(deps, story.world.ref.shown))
const retireNow: Deed = (story, process) => story.act(process, (deps) => retirePass(deps, story.world.ref.shown))
export const sweepNow: Deed = (story, process) =>
  story.act(process, async (deps) => {
    for await (const _ of sweep(deps)) if (process.dead) return
  })

/** With --yes, as the runbook says; what it leaves open is gone on with. */
export const recoverNow: Deed = (story, process) =>
  story.act(process, async (deps) => {
    const { store, ref } = story.world
    let found = await recover(deps, store, ref.shown, true)
    // It stops after three refused logins of one account, and says with what it continues.
    for (let more = 0; !found.done && found.after !== undefined && more < 5; more++)
      found = await recover(deps, store, ref.shown, true, { after: found.after })
  })
export const platformGoesOn: Deed = async (story, process) => {
  const { pending } = await story.world.store.describe(story.world.ref)
  if (pending !== undefined) await story.world.runService(process, pending.token)
}

type Run = (story: Story, faults?: readonly Fault[]) => Promise<void>
export interface Plot {
  readonly name: string
  /** It leaves states that only a person can judge: then one recover is allowed. */
  readonly mayNeedPerson: boolean
  readonly run: Run
}

/** Rotations, announcements and retirements one after the other, as single commands. */
const plain: Run = async (story, faults = []) => {
  const by = { faults }
  await story.perform(rotate('one'), by)
  await story.perform(announceNow, by)
  await story.perform(retireNow, by)
  await story.perform(retireNow, by)
  await story.perform(rotate('two'), by)
  await story.perform(announceNow, by)
  await story.perform(retireNow, by)
}

/** Everything by sweeps, with a rotation in between. */
const bySweeps: Run = async (story, faults = []) => {
  const by = { faults }
  await story.perform(rotate('one'), by)
  for (let pass = 0; pass < 3; pass++) await story.perform(sweepNow, by)
  await story.perform(rotate('two'), by)
  for (let pass = 0; pass < 2; pass++) await story.perform(sweepNow, by)
}

/** An emergency overtakes a publication that nobody was told of yet. */
const overtaken: Run = async (story, faults = []) => {
  const by = { faults }
  await story.perform(rotate('one'), { ...by, afterMs: 1000 })
  await story.perform(rotate('two', 'emergency'), { ...by, overtakes: true, afterMs: 1000 })
  await story.perform(announceNow, by)
  await story.perform(retireNow, by)
  await story.perform(retireNow, by)
}

/** Back between a publication and its retirement: the credential that was rolled back is the one that is retired. */
const rolledBack: Run = async (story, faults = []) => {
  const by = { faults }
  await story.perform(rotate('one'), { ...by, afterMs: 1000 })
  await story.perform(announceNow, { ...by, afterMs: 1000 })
  await story.perform(rotate('back', 'rollback'), { ...by, overtakes: true, afterMs: 1000 })
  await story.perform(announceNow, by)
  await story.perform(retireNow, by)
  await story.perform(retireNow, by)
  await story.perform(rotate('two'), by)
  await story.perform(sweepNow, by)
}

/** Somebody writes a value past us, which the target accepts. */
const foreign: Run = async (story, faults = []) => {
  const by = { faults }
  // The steps of a platform may write no entry (docs/aws.md, limits), and nobody announced what they published before it was overwritten.
  if (story.setting.serviceDriven) story.journalLost = true
  await story.perform(rotate('one'), { ...by, afterMs: 1000 })
  await story.perform(
    async ({ world }) => {
      if (world.store instanceof MemoryStore) world.store.writeForeign(world.ref, new SecretText(await world.currentText()))
      await world.watch('foreign write')
    },
    { ...by, overtakes: true, afterMs: 1000 },
  )
  await story.perform(sweepNow, by)
  await story.perform(sweepNow, by)
}

/** The target forgets the password: stuck, put right by a person, recovered. */
const recovered: Run = async (story, faults = []) => {
  const by = { faults }
  const { world } = story
  const { username, password } = JSON.parse(world.firstValue) as { username: string; password: string }
  if (world.rotator === 'a') world.target.accounts.set(username, 'changed by hand')
  await story.perform(rotate('one'), { ...by, afterMs: 1000 })
  if (world.rotator === 'a') world.target.accounts.set(username, password)
  await story.perform(recoverNow, { ...by, afterMs: 1000 })
  await story.perform(sweepNow, by)
  await story.perform(sweepNow, by)
}

export const plots: readonly Plot[] = [
  { name: 'plain', mayNeedPerson: false, run: plain },
  { name: 'sweeps', mayNeedPerson: false, run: bySweeps },
  { name: 'overtaken', mayNeedPerson: false, run: overtaken },
  { name: 'rolled back', mayNeedPerson: false, run: rolledBack },
  { name: 'foreign', mayNeedPerson: true, run: foreign },
  { name: 'recovered', mayNeedPerson: true, run: recovered },
]
