import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { firstPassword, makeRole, startServer, valueFor } from '../harness/cli-postgres.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword } from '../harness/postgres-world.js'
import { whyMissing } from '../harness/programs.js'

const program = new URL('../../cli/main.js', import.meta.url)
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('a fleet on a real PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
    for (const name of ['one', 'two', 'three']) {
      await makeRole(server, name, firstPassword)
      await keyturn.ok(['put', `file:${name}`], { stdin: valueFor(server, name, firstPassword) })
      await keyturn.ok(['adopt', `file:${name}`])
    }
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })
  const of = (body: Body, key: string) => body[key] as readonly Body[]

  it('plan says what is due, held and why; a sweep in which nothing is due does nothing', async () => {
    const secrets = of(await keyturn.ok(['plan']), 'secrets')
    assert.deepEqual(
      secrets.map(({ ref, rotation, type }) => [ref, rotation, type]),
      ['one', 'three', 'two'].map((name) => [`file:${name}`, 'would start', 'database']),
    )
    assert.deepEqual(await keyturn.ok(['sweep']), { ok: true, actions: [], failed: 0 })
    assert.deepEqual(await keyturn.ok(['sweep', '--follow', '1s']), { ok: true, actions: [], failed: 0 }, 'nobody is on the way')
    const odd = await keyturn.run(['--json', 'sweep', '--follow', 'long'])
    assert.match(odd.stdout, /"code":"bad_event".*"field":"follow"/)
  })

  it('rotate --all: one first, then the rest, each verified; --type picks; a name beside it is refused', async () => {
    const all = await keyturn.ok(['rotate', '--all'])
    assert.deepEqual([of(all, 'rotated').length, all.left], [3, 0])
    assert.equal(of(await keyturn.ok(['rotate', '--type', 'jwt']), 'rotated').length, 0)
    await keyturn.fails(['rotate', 'file:one', '--all'], 'bad_event', 'ref')
    await keyturn.fails(['rotate'], 'bad_event', 'ref')
    for (const name of ['one', 'two', 'three']) assert.ok(!(await logsIn(server, name, firstPassword)))
  })

  it('rotate --all stops at the first failure, and says how many were not begun', async () => {
    const { password } = JSON.parse(await keyturn.value('one')) as { password: string }
    await keyturn.ok(['put', 'file:aaa'], { stdin: valueFor(server, 'one', password, { port: 1 }) })
    await keyturn.ok(['policy', 'file:aaa', 'rotator=postgres'])
    const { stdout, code } = await keyturn.run(['--json', 'rotate', '--all'])
    const body = JSON.parse(stdout) as Body & { error: Body }
    assert.deepEqual([code, body.ok, body.error.code, body.left], [75, false, 'target_unreachable', 3])
    await keyturn.fails(['release', 'file:aaa'], 'held', 'ref') // its value may be set at the target
    await rm(join(keyturn.home, 'secrets', 'aaa.json'))
  })

  it('a manual consumer: announced, awaited by name, seen, and then nothing is awaited', async () => {
    const config = await keyturn.file(JSON.stringify({ consumers: { night: { kind: 'manual', required: true } } }))
    assert.deepEqual(of(await keyturn.ok(['config', 'check', '-f', config]), 'consumers'), [
      { key: 'night', kind: 'manual', required: true },
    ])
    await keyturn.ok(['put', 'file:config', '-f', config])
    await keyturn.fails(['policy', 'file:pair', 'consumers=night'], 'not_found', 'ref')
    await keyturn.ok(['put', 'file:pg-admin'], { stdin: valueFor(server, 'keyturn_admin', adminPassword) })
    await keyturn.ok(['put', 'file:pair'], { stdin: valueFor(server, 'app_a', firstPassword) })
    const env = { KEYTURN_CONFIG: 'file:config', KEYTURN_SHORT_GRACE: '1' }
    const policy = ['strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin', 'grace=1s', 'consumers=night']
    await keyturn.fails(['adopt', 'file:pair', ...policy], 'bad_config', 'keyturn-consumers', { env: { KEYTURN_SHORT_GRACE: '1' } })
    await keyturn.ok(['adopt', 'file:pair', ...policy], { env })
    assert.equal((await keyturn.ok(['rotate', 'file:pair'], { env })).announced, 'announced')
    keyturn.clock?.setAhead(1100)
    const held = await keyturn.fails(['rotate', 'file:pair'], 'held', undefined, { env })
    assert.match(held.message, /app_a waiting.*night/)
    const { move, version } = await keyturn.ok(['status', 'file:pair'], { env })
    assert.equal(move, `keyturn seen file:pair --consumer night --publication ${version}`)
    await keyturn.fails(['seen', 'file:pair', '--consumer', 'night', '--publication', 'an-older-one'], 'conflict', undefined, { env })
    await keyturn.fails(['seen', 'file:pair', '--consumer', 'day'], 'bad_event', 'consumer', { env })
    await keyturn.ok(['seen', 'file:pair', '--consumer', 'night'], { env })
    const swept = of(await keyturn.ok(['sweep'], { env }), 'actions')
    assert.match(String(swept.find(({ ref, action }) => ref === 'file:pair' && action === 'retire')?.outcome), /app_a retired/)
    assert.ok(!(await logsIn(server, 'app_a', firstPassword)))
    assert.equal((await keyturn.ok(['status', 'file:pair'], { env })).move, null)
    await keyturn.fails(['rollback', 'file:pair', '--reason', 'too late'], 'bad_event', undefined, { env })
  })

  it('doctor and audit verify look; a damaged file fails a sweep with its exit code, and the others are met all the same', async () => {
    const env = { KEYTURN_CONFIG: 'file:config', KEYTURN_SHORT_GRACE: '1' }
    const doctor = await keyturn.run(['--json', 'doctor'], { env })
    assert.ok(of(JSON.parse(doctor.stdout) as Body, 'findings').length > 4)
    const { stdout } = await keyturn.run(['--json', 'audit', 'verify'])
    assert.equal((JSON.parse(stdout) as Body).ok, true)
    await writeFile(join(keyturn.home, 'secrets', 'broken.json'), '{"keyturn":1')
    const swept = await keyturn.run(['--json', 'sweep'], { env })
    const body = JSON.parse(swept.stdout) as Body & { error: Body }
    assert.deepEqual([swept.code, body.error.code], [4, 'damaged'])
  })
})

describe('completion', () => {
  const script = (shell: string): string => execFileSync(process.execPath, [program.pathname, 'completion', shell], { encoding: 'utf8' })
  const shellOf = (shell: string, rest: string): string => execFileSync(shell, ['-c', `${script(shell)}\n${rest}`], { encoding: 'utf8' })

  it('bash completes commands, subcommands, options and choices', { skip: whyMissing('bash') }, () => {
    const after_ = (words: string) =>
      shellOf('bash', `COMP_WORDS=(keyturn ${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _keyturn; echo "\${COMPREPLY[@]}"`).trim()
    assert.equal(after_('ro'), 'rotate rollback')
    assert.equal(after_('rotate --step ""'), 'create set test finish')
    assert.match(after_('--json config ""'), /^check /)
    assert.match(after_('audit verify --h'), /--head/)
  })

  it('zsh takes the script', { skip: whyMissing('zsh') }, () =>
    assert.match(shellOf('zsh', 'whence -w _keyturn; echo $_comps[keyturn]').replace(/\n/g, ' '), /_keyturn: function/),
  )

  it('fish completes commands and choices', { skip: whyMissing('fish') }, () => {
    assert.match(shellOf('fish', 'complete -C "keyturn rot"'), /^rotate\t/)
    assert.match(shellOf('fish', 'complete -C "keyturn rotate --step "'), /create[\s\S]*test/)
  })
})
