import type { VersionId } from '../../shared/core/ports/words.js'
import type { Readers } from '../harness/stores.js'
import type { World } from '../harness/world.js'

/** What went wrong in a run, by the promise it breaks. */
export interface Broken {
  readonly lockouts: string[]
  readonly lost: string[]
  readonly untestedVisible: string[]
  readonly other: string[]
}
export const nothingBroken = (): Broken => ({ lockouts: [], lost: [], untestedVisible: [], other: [] })

/**
 * Looks after every single effect: P1, P3 and P4, and that no value which the target accepts is gone from the store. `alone`: nobody else acts. Where a
 * person published, or deleted what is staged, an unpublished value of the other account may go: what is stored as current works, or the end shows it.
 */
export function watchPromises(world: World, broken: Broken, alone: boolean, readers?: Readers): void {
  let seen = world.firstValue
  const isTested = (text: string): boolean => text === world.firstValue || world.writtenByHand.has(text) || provenBefore(world, text)
  world.watch = async (name) => {
    const current = await world.currentText()
    if (current !== seen && !isTested(current)) broken.untestedVisible.push(`after ${name}`)
    seen = current
    if (readers !== undefined) await watchReaders(world, broken, readers, isTested, name)
    // A store that reads two things at once lets somebody act between our look at its current value and that at the target.
    const isRefused = world.rotator !== 'a' && !world.accepts(current) && (await world.currentText()) === current
    if (isRefused && !world.accepts(current)) broken.lockouts.push(`current is refused after ${name} (P4)`)
    if (alone && (world.rotator === 'a' || world.rotator === 'b')) {
      const kept = await storedPasswords(world)
      for (const [user, password] of world.target.accounts)
        if (password !== '' && !kept.has(password)) broken.lost.push(`the password of ${user} after ${name}`)
    }
  }
}

/** Nobody ever reads what was not tested, or gets nothing. What a reader sees that is behind was looked at when it was new. */
async function watchReaders(world: World, broken: Broken, readers: Readers, isTested: (text: string) => boolean, name: string) {
  const { current } = await world.store.describe(world.ref)
  for (const { reader, text } of readers(current?.id)) {
    if (text === undefined) broken.other.push(`the reader of ${reader} got nothing after ${name}`)
    else if (!isTested(text)) broken.untestedVisible.push(`to the reader of ${reader} after ${name}`)
  }
}

function provenBefore(world: World, text: string): boolean {
  const { username, password } = JSON.parse(text) as { username: string; password: string }
  if (world.answers !== undefined) return world.answers.has(username, password)
  return world.rotator === 'f'
    ? world.accepts(text)
    : world.target.logins.some((login) => login.accepted && login.user === username && login.secret === password)
}

async function storedPasswords(world: World): Promise<ReadonlySet<string>> {
  const state = await world.store.describe(world.ref)
  const ids: VersionId[] = [...(state.pending?.hasValue ? [state.pending] : []), ...state.loose].map(({ id }) => id)
  for await (const { id, hasValue } of world.store.history(world.ref)) if (hasValue) ids.push(id)
  const texts = await Promise.all(ids.map((id) => world.store.read(world.ref, id)))
  return new Set(texts.map((text) => (JSON.parse(text.reveal()) as { password: string }).password))
}

/** After everything settled: the stored value logs in, foreign fields are there, no credential was refused twice by one invocation. */
export async function checkSettled(world: World, broken: Broken): Promise<void> {
  const state = await world.store.describe(world.ref)
  const current = await world.currentText()
  if (!world.accepts(current)) broken.lockouts.push(`the stored current value is refused (${state.journal?.code ?? 'not even stuck'})`)
  if (state.journal?.code !== undefined) broken.lockouts.push(`ended ${state.journal.code}`)
  if ((JSON.parse(current) as { note?: string }).note !== 'stays') broken.other.push('a foreign field is gone')
  if (state.pending?.hasValue && state.drivenBy === 'engine') broken.other.push('a pending value is left')
  const text = JSON.stringify([world.audit, world.env.lines, state])
  for (const password of await storedPasswords(world))
    if (text.includes(password)) broken.other.push('a value stands in the audit, the log or the state (P6)')
}

/** R11: at most one refused login per credential in one invocation. */
export function checkRefusals(world: World, broken: Broken): void {
  const refused = world.target.logins.flatMap(({ accepted, user, secret }, index) =>
    accepted ? [] : [`${world.loginsBy[index]} ${user}/${secret}`],
  )
  if (new Set(refused).size < refused.length) broken.other.push('a refused login was repeated with the same credential (R11)')
}
