import type { Env } from '../../core/ports/env.js'
import type { Claim, Journal } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { overtakenError, placeLostError } from '../../core/unfenced/errors.js'
import { type Intent, intentOf, notedIds } from '../../core/unfenced/unordered.js'
import type { UnfencedCalls } from '../../core/unfenced/writes.js'
import { type Held, leaseMsMin } from './documents.js'
import { classify, isDeleted } from './errors.js'
import { leaseIdOf, leaseLostError, writeHolding } from './leases.js'
import { lineOf, markOf, newestOf, readableOf } from './line.js'
import type { SecretName } from './names.js'
import { dropStaged, type Place, stagedId, stagedOf, stagedVersion } from './place.js'
import { policyOf, type Reader } from './reader.js'
import { expiryOf } from './schedule.js'
import { assertTagsFit, publishedTags, stagedTags, type Tags } from './tags.js'
import type { Version } from './version.js'

/** What one claimed method works on. */
export interface Work extends Reader {
  readonly ref: SecretRef
  readonly name: SecretName
  readonly place: Place
  readonly claim: Claim
  /** What this process kept last under a claim. */
  readonly unnamed: WeakMap<Claim, VersionId>
  readonly env: Pick<Env, 'now' | 'sleep'>
}

/** The calls of one claimed method to the services. */
export function callsOf(work: Work): UnfencedCalls {
  const { vaults, documents, ref, name, place, claim, unnamed, env } = work
  const leaseId = leaseIdOf(claim)
  const publication = new Publication(work)
  const heldNow = async (): Promise<Held | undefined> => documents.last(name) ?? documents.read(name)
  return {
    ref,
    now: () => env.now(),
    line: () => publication.line(),
    before: () => publication.before(),
    journal: async () => {
      const held = await documents.read(name)
      return held === undefined ? 'lost' : held.document.journal
    },
    lastJournal: () => documents.last(name)?.document.journal,
    lostError: () => overtakenError(ref),
    stagedOf: async ({ token }) => {
      const [held, listed] = await Promise.all([heldNow(), vaults.versions(place.name)])
      const staged = await stagedOf(vaults, place, listed, held?.document.journal ?? null)
      return staged.filter((one) => one.token === token)
    },
    valueOf: async (version) => {
      const id = stagedVersion(version)
      return id === undefined ? undefined : (await readableOf(vaults, place.name, id))?.value
    },
    markOf: (value, { token }) => markOf(token, value),
    note: async (_what, change) => {
      const write = async (held: Held | undefined): Promise<boolean> => {
        const journal = held && change(held.document.journal)
        if (held === undefined) return false
        if (journal !== undefined) await writeHolding(documents, { ref, document: { ...held.document, journal }, etag: held.etag }, leaseId)
        if (isOver(journal)) await documents.release(name, leaseId)
        return true
      }
      const last = documents.last(name)
      if (last === undefined) return write(await documents.read(name))
      try {
        return await write(last)
      } catch (cause) {
        if (classify(cause) !== 'conflict') throw cause
        return write(await documents.read(name))
      }
    },
    keep: async (value, of) => {
      const version = await keepStaged(work, value, of)
      unnamed.set(of, version)
      return version
    },
    lastKept: (of) => unnamed.get(of),
    fence: () => publication.fence(),
    add: (value, of) => publication.add(value, of),
    point: async () => undefined,
    drop: async (version) => dropStaged(vaults, place.name, version),
  }
}

/** Whether nothing more is written under the claim. */
const isOver = (journal: Journal | undefined): boolean =>
  journal !== undefined && (journal.rotation === undefined || journal.rotation.published !== undefined)

async function keepStaged({ vaults, ref, name, place }: Work, value: SecretText, claim: Claim): Promise<VersionId> {
  // What could not be published afterwards is not set at the target.
  const newest = vaults.lastNewest(name) ?? (await newestOf(vaults, name))
  if (newest !== undefined) assertTagsFit(ref.shown, newest.tags)
  try {
    return stagedId((await vaults.set(place.name, value, { tags: stagedTags(claim, place.of) }, claim.leaseUntil)).id)
  } catch (cause) {
    throw isDeleted(cause) ? placeLostError(ref) : cause
  }
}

const listsMax = 3
const listPauseMs = 500

/** What a publication sees of the versions for consumers, and adds to them. */
class Publication {
  readonly #work: Work
  /** What the rotation began with, as it was read last: its tags and its content type go on. */
  #base: Version | undefined
  #intent: Intent | undefined
  /** Without a journal there is no lease, and the claim alone ends. */
  #fencedUntil = Number.POSITIVE_INFINITY
  constructor(work: Work) {
    this.#work = work
  }

  /** Nothing follows what is still the newest: then nothing is listed. */
  async line() {
    const { vaults, documents, name, claim } = this.#work
    const newest = await newestOf(vaults, name)
    const isBase = newest !== undefined && newest.id === claim.base
    const listed = isBase ? [] : await this.#listed(newest)
    this.#base = isBase ? newest : (listed.find(({ id }) => id === claim.base) ?? this.#base)
    const journal = documents.last(name)?.document.journal ?? null
    const intent = intentOf(journal) ?? this.#intent
    const ids = isBase ? [] : [claim.base, ...notedIds(journal)]
    return lineOf(vaults, name, { listed, newest, ids, intent })
  }

  /** A listing that does not show the newest is behind, and may hide somebody else. It is asked again for a moment. */
  async #listed(newest: Version | undefined): Promise<readonly Version[]> {
    const { vaults, name, env } = this.#work
    for (let attempt = 1; ; attempt++) {
      const listed = await vaults.versions(name)
      if (newest === undefined || attempt >= listsMax || listed.some(({ id }) => id === newest.id)) return listed
      await env.sleep(listPauseMs)
    }
  }

  /** The service counts the lease from when it renews it, which is not before this process asked. */
  async fence(): Promise<void> {
    const { documents, ref, name, claim, env } = this.#work
    const now = env.now()
    if (!(await documents.renew(name, leaseIdOf(claim)))) throw leaseLostError(ref)
    this.#fencedUntil = now + leaseMsMin
  }

  async before(): Promise<readonly VersionId[] | undefined> {
    const { vaults, name, claim } = this.#work
    const listed = await vaults.versions(name)
    const newest = await newestOf(vaults, name)
    if (newest === undefined || newest.id !== claim.base) return undefined
    this.#base = newest
    const before = [...new Set([...listed.map(({ id }) => id), newest.id])]
    this.#intent = { base: claim.base, before }
    return before
  }

  /** Adds a version, with the tags of others as they are. Where no answer came, the walk that follows looks whether it is there. */
  async add(value: SecretText, claim: Claim): Promise<void> {
    const { vaults, documents, ref, name, env } = this.#work
    const base = this.#base
    const policy = policyOf(documents.last(name) ?? (await documents.read(name)), base)
    const now = env.now()
    const tags: Tags = base?.tags ?? {}
    const version = {
      tags: publishedTags(ref.shown, tags, claim, now, policy),
      contentType: base?.contentType,
      expiresAt: expiryOf(policy, now, now),
    }
    try {
      await vaults.set(name, value, version, Math.min(claim.leaseUntil, this.#fencedUntil))
    } catch (cause) {
      if (classify(cause) !== 'ambiguous') throw cause
    }
  }
}
