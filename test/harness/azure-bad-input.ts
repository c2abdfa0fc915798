import assert from 'node:assert/strict'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { AzureCommandLine } from './azure-command-line.js'
import type { StoredVersion } from './key-vault/model.js'

export const password = 'first-Password-0123456789-abcdef'
/** The value of the secret that is there. */
export const value = JSON.stringify({ engine: 'memory-a', target: 'azure-bad-input', username: 'app', password })
/** Such a value with so many bytes. */
export const sized = (bytes: number): string =>
  JSON.stringify({ ...JSON.parse(value), note: 'x'.repeat(bytes - Buffer.byteLength(value) - 10) })
export const tagsOf = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`team-${index}`, 'shop']))

/** One wrong input. */
export interface Case {
  readonly what: string
  readonly words: readonly string[]
  readonly stdin?: string
  readonly arrange?: (world: BadInputWorld) => unknown
  readonly env?: Readonly<Record<string, string>>
  /** The journal notes that somebody tried. */
  readonly noted?: true
  readonly code: string
  readonly field?: string
  readonly says: string
  readonly next: string
  /** How it is called in the table of docs/azure.md. */
  readonly row: string
}

/** The command line, an adopted secret `azure:app/db` with one version, and hands that write past us. */
export class BadInputWorld {
  readonly line: AzureCommandLine
  target = new MemoryTarget()
  static open = async (): Promise<BadInputWorld> => new BadInputWorld(await AzureCommandLine.open())
  private constructor(line: AzureCommandLine) {
    this.line = line
  }

  /** As it was when it was opened. */
  async seed(): Promise<void> {
    this.line.blobs.reset()
    await this.line.reset()
    this.target = new MemoryTarget()
    this.target.accounts.set('app', password)
    setMemoryTarget('azure-bad-input', this.target)
    this.write('db', value)
    assert.equal((await this.line.run(['adopt', 'azure:app/db', '--rotator', 'memory-a'])).code, 0)
  }
  /** As somebody else writes a secret, a while after what was written before. */
  write(secret: string, text: string, tags: Readonly<Record<string, string>> = {}): void {
    this.line.clock.setAhead(2000)
    this.line.double.writeForeign(secret, text, { tags })
  }
  /** Changes the newest version past us. */
  change(secret: string, patch: Partial<StoredVersion>): void {
    const { secrets } = this.line.double.vault()
    const kept = secrets.get(secret) ?? assert.fail(secret)
    const [first, ...rest] = kept.versions
    const last = rest.pop()
    const versions = last === undefined ? ([{ ...first, ...patch }] as const) : ([first, ...rest, { ...last, ...patch }] as const)
    secrets.set(secret, { ...kept, versions })
  }
  disable = (secret: string): void => this.change(secret, { enabled: false })
  /** Deletes it, so that it can be had back. */
  remove(secret: string): void {
    const { double } = this.line
    const { secrets } = double.vault()
    secrets.set(secret, { ...(secrets.get(secret) ?? assert.fail(secret)), deletedAt: double.nowSeconds() })
  }
  /** Everything that the vaults keep. */
  versions = (): string => JSON.stringify([...this.line.double.vaults.values()].map(({ secrets }) => [...secrets]))
}
