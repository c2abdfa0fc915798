import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, it } from 'node:test'
import { type Called, Clock, callCommand } from './command-call.js'
import type { PlaneWorld } from './plane-point.js'
import { firstPassword as first } from './postgres-world.js'

/** A login of MySQL that no login can try. */
export interface Commanded {
  world(): PlaneWorld
  /** Makes it with the first password; returns what tells its password. */
  make(): () => string
  /** What follows `keyturn adopt REF`. */
  readonly adopted: () => readonly string[]
  /** It is not there any more, and what a person then hears. */
  lose(): void
  readonly lost: RegExp
}

const valueWith = (password: string): string => JSON.stringify({ username: 'app', password, note: 'stays' })

/** What a person types about such a login, and reads. */
export function itIsCommanded({ world, make, adopted, lose, lost }: Commanded): void {
  let home: string
  let has: () => string
  let clock: Clock
  let printed: string
  beforeEach(async () => {
    world().reset()
    clock = new Clock()
    world().double.now = clock.now
    has = make()
    printed = ''
    home = await mkdtemp(join(tmpdir(), 'keyturn-plane-'))
    await keyturn('init')
    await keyturn('put', 'file:db', valueWith(first))
    const { code, stderr } = await keyturn('adopt', 'file:db', ...adopted())
    assert.equal(code, 0, stderr)
  })
  afterEach(() => rm(home, { recursive: true }))
  /** The last word is the input where it is a value. */
  async function keyturn(...words: readonly string[]): Promise<Called> {
    const last = words.at(-1) ?? ''
    const [asked, stdin] = last.startsWith('{') ? [words.slice(0, -1), last] : [words, '']
    const env = { PATH: process.env.PATH, KEYTURN_HOME: join(home, 'store') }
    const called = await callCommand(asked, { env, clock }, stdin)
    printed += called.stdout + called.stderr
    return called
  }

  it('adopts, rotates and says by what it is proven; no value is printed', async () => {
    const rotated = await keyturn('rotate', 'file:db')
    assert.equal(rotated.code, 0, rotated.stderr)
    const status = await keyturn('status', 'file:db')
    assert.match(status.stdout, /^proof {6}the answer of the interface that sets it; no login can try a value$/m)
    assert.equal(JSON.parse((await keyturn('status', 'file:db', '--json')).stdout).proof, 'answer')
    assert.match((await keyturn('verify', 'file:db')).stdout, /its login is there, and no password can be tried/)
    const looked = JSON.parse((await keyturn('verify', 'file:db', '--json')).stdout)
    assert.deepEqual([looked.passwordAccepted, looked.logsIn, looked.proof], [null, null, 'answer'])
    assert.match((await keyturn('doctor', '--json')).stdout, /no password can be tried/)
    assert.notEqual(has(), first)
    for (const password of [first, has()]) assert.ok(!printed.includes(password))
  })

  it('recover of a stuck secret says what a person does, and that is what gets it out', async () => {
    world().double.refuses = () => 'later'
    const refused = await keyturn('rotate', 'file:db')
    assert.match(refused.stderr, /^keyturn: stuck: .*refuses the new password of app by its own rule/m)
    const found = await keyturn('recover', 'file:db', '--yes')
    assert.match(found.stderr, /no login can tell which value the target accepts/)
    assert.match(found.stderr, /Run keyturn put file:db: it sets the value that you give/)
    world().double.refuses = () => undefined
    const put = await keyturn('put', 'file:db', valueWith('Given-by-hand-0123456789'))
    assert.equal(put.code, 0, put.stderr)
    assert.equal(has(), 'Given-by-hand-0123456789')
    assert.match((await keyturn('status', 'file:db')).stdout, /^state {6}idle$/m)
    assert.equal((await keyturn('recover', 'file:db')).code, 0)
  })

  it('what is not there any more ends verify and the daily look with what to correct', async () => {
    lose()
    const looked = await keyturn('verify', 'file:db')
    assert.equal(looked.code, 2)
    assert.match(looked.stderr, lost)
    clock.setAhead(2 * 86_400_000)
    const swept = await keyturn('sweep', '--store', 'file')
    assert.match(swept.stdout + swept.stderr, /bad_value|bad_policy/)
  })
}
