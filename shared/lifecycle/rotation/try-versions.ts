import { codeOf, messageOf, RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Context } from '../../core/ports/rotator.js'
import type { SecretState, SecretStoreAdmin, VersionInfo } from '../../core/ports/store.js'
import type { CredentialId, VersionId } from '../../core/ports/words.js'
import { proofOf } from '../../core/proof.js'
import type { SecretText } from '../../core/secret-text.js'
import { lookContext } from '../secret/context.js'
import type { Known, Tools } from '../secret/setup.js'

/** One stored version and what the target answered. unknown: it was not tried, or the target could not be asked. */
export interface Tried {
  readonly version: VersionId
  readonly stage: 'current' | 'pending' | 'previous' | 'staged' | 'other'
  readonly id?: CredentialId
  readonly createdAt: number
  readonly works: 'works' | 'refused' | 'unknown'
  readonly why?: string
  /** It was not tried, because too many values of its account were refused. */
  readonly skipped?: true
}

/** Targets lock accounts after a few refused logins. One recovery makes at most this many per account, and tries the likeliest value first. */
const refusedMax = 3
const othersMax = 20

/** What the target answered, and what was not tried. */
export interface Answers {
  readonly tried: readonly Tried[]
  readonly left: number
  /** The last version before the first one that was not tried. */
  readonly stoppedAt?: VersionId
}

type Candidate<Info = VersionInfo> = [stage: Tried['stage'], info: Info]

/** Tries what is stored, the likeliest first; with `after` only what comes behind that version. not_found where there is no such version. */
export async function tryVersions(
  tools: Tools,
  setup: Known,
  state: SecretState,
  admin: SecretStoreAdmin,
  after: VersionId | undefined,
): Promise<Answers> {
  const all = await candidates(state, admin)
  const from = after === undefined ? 0 : all.findIndex(([, { id }]) => id === after) + 1
  if (after !== undefined && from === 0) {
    throw new RotationError('not_found', `${state.ref.shown} has no version ${after} to continue behind.`, {
      field: 'after',
      next: `Run keyturn recover ${state.ref.shown}: it names the versions.`,
    })
  }
  const behind = all.slice(from)
  const others = behind.filter(([stage]) => stage === 'other').slice(0, othersMax)
  const now = behind.filter((one) => one[0] !== 'other' || others.includes(one))
  const tried = await tryAll(tools, setup, state, now)
  const skipped = tried.filter((one) => one.skipped).map(({ version }) => version)
  const left = skipped.length + behind.length - now.length
  const first = skipped[0] ?? behind[now.length]?.[1].id
  const stoppedAt = first === undefined ? undefined : all[all.findIndex(([, { id }]) => id === first) - 1]?.[1].id
  const found = { tried, left, ...optional('stoppedAt', stoppedAt) }
  return from === 0 || !tried.some(({ works }) => works === 'works') ? found : withCurrent(tools, setup, state, found)
}

/**
 * Behind another version current was not tried: it is judged before another one may take its place. Where another value of its account works, no login
 * is needed: with the same password current works, too, and with another one it cannot.
 */
async function withCurrent(tools: Tools, setup: Known, state: SecretState, found: Answers): Promise<Answers> {
  const { current } = state
  const text = current?.hasValue === true ? await readIfThere(tools, state, current.id) : undefined
  if (current === undefined || text === undefined) return found
  const here = { stage: 'current', version: current.id, createdAt: current.createdAt } as const
  const id = idOf(setup, text)
  const working = found.tried.find((one) => one.works === 'works' && one.id === id)
  if (working !== undefined && id !== undefined && setup.rotator.traits.slots(setup.policy) === 1) {
    const isSame = await writesSame(tools, setup, state, text, working.version)
    const why = isSame ? `it has the credential of ${working.version}` : `another value of ${id} works`
    return { ...found, tried: [{ ...here, id, works: isSame ? 'works' : 'refused', why }, ...found.tried] }
  }
  const context = await lookContext(tools, setup, state)
  const tried = await tryOne(setup, context, new Map(), { ...here, text })
  return { ...found, tried: [tried, ...found.tried] }
}

/** Whether the credential of that version, written into the text, leaves it as it is. */
async function writesSame(
  tools: Tools,
  { rotator, policy }: Known,
  state: SecretState,
  text: SecretText,
  version: VersionId,
): Promise<boolean> {
  const other = await readIfThere(tools, state, version)
  return other !== undefined && rotator.render(text, rotator.parse(other, policy)).equals(text)
}

function idOf({ rotator, policy }: Known, text: SecretText): CredentialId | undefined {
  try {
    return rotator.identify(rotator.parse(text, policy))
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

async function candidates(state: SecretState, admin: SecretStoreAdmin): Promise<readonly Candidate[]> {
  const { current, pending, previous, loose } = state
  const staged: Candidate<VersionInfo | undefined>[] = [
    ['current', current],
    ['pending', pending],
    ['previous', previous],
    ...loose.map((info): Candidate => ['staged', info]),
  ]
  const known = new Set(staged.map(([, info]) => info?.id))
  const others: Candidate[] = []
  for await (const info of admin.history(state.ref)) {
    if (!known.has(info.id)) others.push(['other', info])
  }
  const hasValue = (one: Candidate<VersionInfo | undefined>): one is Candidate => one[1]?.hasValue === true
  return [...staged, ...others].filter(hasValue)
}

async function tryAll(tools: Tools, setup: Known, state: SecretState, versions: readonly Candidate[]): Promise<readonly Tried[]> {
  const context = await lookContext(tools, setup, state)
  const refused = new Map<CredentialId, number>()
  const answers: { readonly text: SecretText; readonly tried: Tried }[] = []
  for (const [stage, { id: version, createdAt }] of versions) {
    const text = await readIfThere(tools, state, version)
    if (text === undefined) continue
    const same = answers.find((answer) => answer.text.equals(text))?.tried // the same value is not tried twice
    const here = { stage, version, createdAt }
    const tried = same ? { ...same, ...here } : await tryOne(setup, context, refused, { ...here, text })
    answers.push({ text, tried })
  }
  return answers.map(({ tried }) => tried)
}

/** undefined for a placeholder that a service left: it has no value to try. */
async function readIfThere({ store }: Tools, { ref }: SecretState, version: VersionId): Promise<SecretText | undefined> {
  try {
    return await store.read(ref, version)
  } catch (cause) {
    if (codeOf(cause) === 'not_found') return undefined
    throw cause
  }
}

const untriedWhy = 'no login can try it: only the answer to setting a value shows that it works'

async function tryOne(
  { rotator, policy }: Known,
  context: Context<unknown>,
  refused: Map<CredentialId, number>,
  { text, ...rest }: Pick<Tried, 'stage' | 'version' | 'createdAt'> & { readonly text: SecretText },
): Promise<Tried> {
  let value: unknown
  try {
    value = rotator.parse(text, policy)
  } catch (cause) {
    if (codeOf(cause) !== 'bad_value') throw cause
    return { ...rest, works: 'refused', why: messageOf(cause) } // it is not a credential at all
  }
  const id = rotator.identify(value)
  const unknown = (why: string): Tried => ({ ...rest, id, works: 'unknown', why })
  if (proofOf(rotator, policy) === 'answer') return unknown(untriedWhy)
  try {
    const before = refused.get(id) ?? 0
    if (before >= refusedMax) return { ...unknown(`not tried: ${refusedMax} values of ${id} were refused already`), skipped: true }
    if (await rotator.accepted(context, value)) return { ...rest, id, works: 'works' }
    const appliesLater = rotator.traits.asynchronous === true || context.admin?.hosts !== undefined
    if (rest.stage === 'pending' && appliesLater) return unknown('refused for now, which proves nothing: it may take effect later')
    refused.set(id, before + 1)
    return { ...rest, id, works: 'refused' }
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code === 'internal') throw cause
    return unknown(cause.message)
  }
}
