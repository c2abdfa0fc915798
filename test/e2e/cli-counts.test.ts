import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Clock, callCommand } from '../harness/command-call.js'

describe('what a command counts', () => {
  let home = ''
  const clock = new Clock()
  const call = (words: readonly string[], stdin = '', env: Readonly<Record<string, string>> = {}) =>
    callCommand(words, { env: { KEYTURN_HOME: home, ...env }, clock }, stdin)
  const configuration = (consumers: object, freezes: readonly object[]): string => JSON.stringify({ consumers, freezes })
  const freeze = { from: '2027-12-20T00:00:00Z', to: '2027-12-27T00:00:00Z', reason: 'year end' }
  const log = { kind: 'log' }

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'keyturn-counts-'))
    await call(['init'])
  })
  after(() => rm(home, { recursive: true, force: true }))

  it('consumers and freezes of a configuration', async () => {
    const says = async (text: string) => (await call(['config', 'check'], text)).stdout
    assert.match(await says(configuration({ one: log }, [freeze])), / valid: 1 consumer \(.*\), 1 freeze\.\n$/)
    assert.match(await says(configuration({ one: log, two: log }, [])), / valid: 2 consumers \(.*\), 0 freezes\.\n$/)
  })

  it('consumers, records and findings of the doctor', async () => {
    await call(['put', 'file:config'], configuration({ one: log }, []))
    const { stdout, stderr } = await call(['doctor'], '', { KEYTURN_CONFIG: 'file:config' })
    assert.match(stderr, /file:config: 1 consumer\n/)
    assert.match(stdout, /^\d+ findings, nothing is wrong\.\n$/)
    const wrong = await call(['doctor'], '', { KEYTURN_CONFIG: 'file:nobody' })
    assert.match(wrong.stderr, /: 1 of \d+ findings is wrong\. /)
  })

  it('actions of a sweep', async () => {
    for (const name of ['one', 'two']) await call(['put', `file:${name}`], 'first-key-0123456789')
    assert.match((await call(['sweep'])).stdout, /^0 actions, none failed\.\n$/m)
    const makeDue = async (name: string): Promise<void> => {
      const { code, stderr } = await call(['adopt', `file:${name}`, '--rotator', 'random', 'every=1d'])
      assert.equal(code, 0, stderr)
    }
    await makeDue('one')
    clock.setAhead(2 * 86_400_000)
    assert.match((await call(['sweep'])).stdout, /^2 actions, none failed\.\n$/m, 'it starts the rotation and checks the login')
    clock.setAhead(86_400_000)
    await call(['policy', 'file:one', 'mode=manual'])
    const { stdout, stderr } = await call(['sweep'])
    assert.match(stdout, /^1 action, none failed\.\n$/m, stderr)
  })

  it('altered lines of the audit log', async () => {
    const file = join(home, 'audit.jsonl')
    const lines = (await readFile(file, 'utf8')).split('\n')
    const spoil = async (...numbers: readonly number[]): Promise<string> => {
      const altered = lines.map((line, at) => (numbers.includes(at + 1) ? line.replace('"at":', '"at":1') : line))
      const copy = join(home, 'altered.jsonl')
      await writeFile(copy, altered.join('\n'))
      return (await call(['audit', 'verify', '--file', copy])).stderr
    }
    assert.match(await spoil(1), /was altered: lines? 1.* (was|were) changed/)
    assert.match(await spoil(1, 3), /was altered: lines 1, .* were changed, or lines before them are missing\./)
  })
})
