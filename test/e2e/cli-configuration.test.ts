import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'
import { whyMissing } from '../harness/programs.js'

const program = new URL('../../cli/main.js', import.meta.url)
const value = JSON.stringify({ engine: 'postgres', host: 'nowhere.invalid', username: 'app', password: 'Canary-0123456789', dbname: 'app' })

describe('a configuration secret that is broken', () => {
  let keyturn: Keyturn
  const env = { KEYTURN_CONFIG: 'file:config' }
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
    await keyturn.ok(['put', 'file:db'], { stdin: value })
    await keyturn.ok(['put', 'file:config'], { stdin: '{"consumers":{"out":{"kind":"log"}}}', env })
  })
  after(() => keyturn?.close())

  it('is refused where it is put, and nothing is stored', async () => {
    const before_ = await keyturn.bytesOf('config')
    const error = await keyturn.fails(['put', 'file:config'], 'bad_config', 'consumerz', { stdin: '{"consumerz":{}}', env })
    assert.match(error.message, /consumerz is unknown/)
    assert.equal(await keyturn.bytesOf('config'), before_)
    await keyturn.ok(['status', 'file:db'], { env })
  })

  it('that got in all the same stands in the way of nobody who looks, goes back or corrects it', async () => {
    await keyturn.ok(['put', 'file:config'], { stdin: '{"consumerz":{}}' }) // somebody who did not say that it is the configuration
    await keyturn.ok(['status', 'file:db'], { env })
    const { stderr } = await keyturn.run(['--json', 'status', 'file:db'], { env })
    assert.match(stderr, /config_kept/, 'the version before is used, which is said')
    await keyturn.fails(['rollback', 'file:db', '--reason', 'test'], 'bad_event', undefined, { env })
    await keyturn.ok(['put', 'file:config'], { stdin: '{"consumers":{}}', env })
    await keyturn.ok(['plan'], { env })
  })
})

describe('keyturn receive as a command', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
  })
  after(() => keyturn?.close())

  it('says when the port is taken, and when the address is not of this machine', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await keyturn.fails(['receive', '--listen', `127.0.0.1:${port}`], 'bad_config', 'listen')
    await keyturn.fails(['receive', '--listen', '192.0.2.1:0'], 'bad_config', 'listen')
    await keyturn.fails(['receive', '--listen', 'nonsense'], 'bad_event', 'listen')
    server.close()
  })

  it('listens until it is interrupted', async () => {
    const child = keyturn.spawn(['receive', '--listen', '127.0.0.1:0'])
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
    })
    while (!/listening on 127\.0\.0\.1:\d+/.test(said)) await once(child.stderr ?? child, 'data')
    const { status } = await fetch(`http://127.0.0.1:${/:(\d+);/.exec(said)?.[1]}/`, { method: 'POST', body: '{}' })
    assert.equal(status, 400)
    const end = keyturn.finish(child)
    child.kill('SIGINT')
    assert.equal((await end).code, 0)
  })
})

describe('completion in a real zsh', () => {
  it('completes commands and their options', { skip: whyMissing('zsh') }, async () => {
    const keyturn = await Keyturn.open(program)
    try {
      const script = join(keyturn.folder, 'completion.zsh')
      await writeFile(script, execFileSync(process.execPath, [program.pathname, 'completion', 'zsh'], { encoding: 'utf8' }))
      const assertCompletes = (line: string, whole: string): void => {
        const env = { ...process.env, HOME: keyturn.folder, TERM: 'dumb' }
        const shown = execFileSync('zsh', ['-f', '-c', asked, 'zsh', script, line, whole], { encoding: 'utf8', env })
        assert.ok(shown.includes(whole), shown)
      }
      assertCompletes('keyturn rot', 'keyturn rotate')
      assertCompletes('keyturn rotate --emer', '--emergency')
      assertCompletes('keyturn rotate --step cr', '--step create')
      assertCompletes('keyturn config che', 'config check')
    } finally {
      await keyturn.close()
    }
  })
})

/** A shell in a terminal of its own, into which the line is typed, with a tab behind it; looked at until it shows the whole, at most ten seconds. */
const asked = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; source $1; print -r -- rea''dy"
zpty -m -r shell out '*ready*' || exit 1
zpty -w -n shell "$2"$'\t'
for turn in {1..100}; do
  sleep 0.1
  while zpty -r -t shell more; do out+=$more; done
  if [[ $out == *$3* ]]; then break; fi
done
print -r -- $out
zpty -d shell
`
