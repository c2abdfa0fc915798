import assert from 'node:assert/strict'
import { join } from 'node:path'
import { systemEnv } from '../../shared/core/env.js'
import type { SecretState } from '../../shared/core/ports/store.js'
import type { Token, VersionId } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { MemoryTarget } from '../../shared/rotators/memory/target.js'
import { memoryTarget } from '../../shared/rotators/memory/target.js'
import { readKeyFile } from '../../shared/stores/file/keys.js'
import { type OpenedStore, storeRow } from '../../shared/stores/registry.js'
import type { Answer, Body, Failure, Keyturn } from './cli-process.js'
import type { WebhookServer } from './webhook-server.js'

export type Way = (walk: Walk) => Promise<void>
export const first = 'first-password-0123456789'
export const byHand = 'set-by-hand-0123456789'
const firstToken = 'token-of-somebody-else-0123456789ab' as Token

/** One secret in a state of its own, on the command line in this process and against a target in memory. */
export class Walk {
  readonly keyturn: Keyturn
  readonly webhook: WebhookServer
  readonly name: string
  env: Record<string, string> = { KEYTURN_SHORT_GRACE: '1' }
  /** How many documented commands were run. */
  led = 0
  readonly #commands: string

  constructor(keyturn: Keyturn, webhook: WebhookServer, name: string, commands: string) {
    this.keyturn = keyturn
    this.webhook = webhook
    this.name = name
    this.#commands = commands
  }

  get ref(): string {
    return `file:${this.name}`
  }
  get target(): MemoryTarget {
    return memoryTarget(`runbook-${this.name}`)
  }
  value(password = first, username = 'app_a'): string {
    return JSON.stringify({ target: `runbook-${this.name}`, username, password })
  }
  /** Stores a value without asking anybody. */
  async stored(): Promise<void> {
    for (const [user, password] of [
      ['app_a', first],
      ['app_b', ''],
    ] as const)
      this.target.accounts.set(user, password)
    await this.keyturn.ok(['put', this.ref], { stdin: this.value() })
  }
  /** An adopted secret with one account, or with two that take turns. */
  async adopted(rotator: 'a' | 'b' = 'a', ...policy: readonly string[]): Promise<void> {
    await this.stored()
    const pair = rotator === 'b' ? ['pair=app_a app_b'] : []
    await this.run('adopt', '--rotator', `memory-${rotator}`, ...pair, ...policy)
  }
  run(command: string, ...words: readonly string[]): Promise<Body> {
    return this.keyturn.ok([command, this.ref, ...words], { env: this.env })
  }
  /** A sweep meets the secrets of the other rows too: what it did with this one. */
  async sweep(): Promise<readonly Body[]> {
    this.says('sweep')
    const { stdout } = await this.keyturn.run(['--json', 'sweep'], { env: this.env })
    return (JSON.parse(stdout) as { actions: readonly Body[] }).actions.filter(({ ref }) => ref === this.ref)
  }
  /** An answer that has an error beside what was found. */
  async said(command: string, ...words: readonly string[]): Promise<Body> {
    return JSON.parse((await this.keyturn.run(['--json', command, this.ref, ...words], { env: this.env })).stdout) as Body
  }
  json(command: string, ...words: readonly string[]): Promise<Answer> {
    return this.keyturn.json([command, this.ref, ...words], { env: this.env })
  }
  fails(code: string, command: string, ...words: readonly string[]): Promise<Failure> {
    return this.keyturn.json([command, this.ref, ...words], { env: this.env }).then(({ error, body }) => {
      assert.equal(error?.code, code, `keyturn ${command} ${words.join(' ')}: ${JSON.stringify(body)}`)
      return error as Failure
    })
  }
  /** Runs the command that the row documents. */
  async out(command: string, words: readonly string[] = [], stdin = ''): Promise<Body> {
    this.says(command, ...words.filter((word) => word.startsWith('--')))
    return this.keyturn.ok([command, this.ref, ...words], { env: this.env, stdin })
  }
  /** Counts a command that the row documents, with all of these options. */
  says(command: string, ...options: readonly string[]): void {
    const documented = this.#commands.match(/`keyturn [^`]+`/g)?.filter((one) => one.startsWith(`\`keyturn ${command}`)) ?? []
    const isSaid = documented.some((one) => options.every((option) => one.includes(option)))
    assert.ok(isSaid, `the row does not say keyturn ${command} ${options.join(' ')}`)
    this.led++
  }
  later(ms: number): void {
    this.keyturn.clock?.setAhead(ms)
  }
  state(): Promise<SecretState> {
    return this.#inside(async (store, ref) => store.describe(ref))
  }
  read(version: VersionId): Promise<string> {
    return this.#inside(async (store, ref) => (await store.read(ref, version)).reveal())
  }
  async code(): Promise<unknown> {
    return (await this.run('status')).code
  }
  /** What only a crash or another process can do to the store. */
  async #inside<T>(act: (store: OpenedStore, ref: SecretState['ref']) => Promise<T>): Promise<T> {
    const { home, clock } = this.keyturn
    const env = { ...systemEnv(), now: () => clock?.now() ?? Date.now() }
    const store = await storeRow(storeKind('file')).open({ env, environment: {}, home, key: () => readKeyFile(join(home, 'key')) })
    return act(store, await store.resolve(this.ref))
  }
  note(patch: Parameters<OpenedStore['note']>[1]): Promise<unknown> {
    return this.#inside(async (store, ref) => store.note(await store.describe(ref), patch))
  }
  /** Another process claims, stages and publishes a value, as far as it is told to. */
  other(text: string | undefined, { publish = false, leaseMs = 0, kind = 'rotate', token = firstToken as string } = {}): Promise<unknown> {
    return this.#inside(async (store, ref) => {
      const state = await store.describe(ref)
      const open = state.journal?.rotation
      const replaces = open !== undefined && open.published === undefined ? { replaces: open.token } : {}
      const wish = { token: token as Token, kind: kind as 'rotate', holder: 'elsewhere', leaseMs: Math.max(leaseMs, 1), ...replaces }
      const claim = await store.claim(state, wish)
      if (text === undefined) return
      const { version } = await store.stage(claim, new SecretText(text))
      if (publish) await store.publish(claim, version)
    })
  }
  /** Makes it stuck: the target takes only what nobody has stored. */
  async stuck(): Promise<void> {
    await this.run('rotate', '--step', 'create')
    this.target.accounts.set('app_a', byHand)
    await this.fails('stuck', 'rotate')
  }
  async configured(configuration: object): Promise<void> {
    this.env = { ...this.env, KEYTURN_CONFIG: `file:config-${this.name}` }
    await this.keyturn.ok(['put', `file:config-${this.name}`], { stdin: JSON.stringify(configuration), env: this.env })
  }
  /** The stored value logs in, nothing is open, and nothing is stuck. */
  async well(): Promise<void> {
    const state = await this.state()
    assert.deepEqual([state.journal?.code, state.pending], [undefined, undefined])
    const { username, password } = JSON.parse(await this.keyturn.value(this.name)) as { username: string; password: string }
    assert.equal(this.target.accounts.get(username), password)
    assert.equal((await this.run('status')).open, false)
  }
}
