/** How one platform keeps pending values, publishes and remembers. It shows without the platform what the lifecycle has to survive there. */
export interface Profile {
  readonly name: string
  /** The platform gives the token, serialises the steps, and keeps no journal of ours. */
  readonly serviceDriven: boolean
  /** How many writes it takes until a staged value is named: 2 where value and journal are different objects. */
  readonly stageWrites: 1 | 2
  /** fenced: one write that is conditional on base. checked: an intent, an unconditional write, and a look at what follows base. */
  readonly publish: 'fenced' | 'checked'
  /** A published version is its payload alone, with a number: nothing on it says whose it is. False: it carries its token. */
  readonly bare?: true
  /** A name that the platform keeps points to the current version. */
  readonly aliases?: true
  /** Ids have no order, a listing comes in any, and times are of whole seconds. */
  readonly unordered?: true
  /** The journal and the staged values are in two places. Each may be lost alone; what was staged can be had back. */
  readonly apart?: true
  /** A lease of the platform's own is a condition of what a claimed call writes to the journal, and is renewed before the write for consumers. */
  readonly leased?: true
  /** The journal is an object of its own. It is updated after publishing, and a crash may come in between. */
  readonly bookkeeping: 'same-write' | 'own-write'
  /** Whether a published value gets a new version; false: the staged version becomes current. */
  readonly publishesCopy: boolean
  /** Absent answers carry no revision: a claim must look at current again after its write. */
  readonly blindAbsence: boolean
  /** The platform keeps a schedule that only notifies. */
  readonly notifies?: true
  readonly valueBytesMax: number
}

const base = {
  serviceDriven: false,
  stageWrites: 2,
  publish: 'checked',
  bookkeeping: 'own-write',
  publishesCopy: true,
  blindAbsence: false,
} as const

export const profiles = {
  aws: {
    ...base,
    name: 'aws',
    serviceDriven: true,
    stageWrites: 1,
    publish: 'fenced',
    bookkeeping: 'same-write',
    publishesCopy: false,
    valueBytesMax: 65_536,
  },
  gcp: { ...base, name: 'gcp', bare: true, aliases: true, notifies: true, valueBytesMax: 65_536 },
  azure: {
    ...base,
    name: 'azure',
    unordered: true,
    apart: true,
    leased: true,
    notifies: true,
    blindAbsence: true,
    valueBytesMax: 25_000,
  },
  vault: { ...base, name: 'vault', publish: 'fenced', valueBytesMax: 524_288 },
  k8s: { ...base, name: 'k8s', stageWrites: 1, publish: 'fenced', valueBytesMax: 1_000_000 },
  file: {
    ...base,
    name: 'file',
    stageWrites: 1,
    publish: 'fenced',
    bookkeeping: 'same-write',
    publishesCopy: false,
    valueBytesMax: 65_536,
  },
} as const satisfies Record<string, Profile>
/** The platform whose semantics the memory store takes on. */
export type ProfileName = keyof typeof profiles
