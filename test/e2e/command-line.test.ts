import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CommandLine } from '../harness/command-line.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const canary = 'Canary-"%\'\\ü-0123456789'
/** Written down here anew, not taken from what is under test. */
const forms = (text: string): readonly string[] => [
  text,
  encodeURIComponent(text),
  JSON.stringify(text).slice(1, -1),
  Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1),
  text.replaceAll("'", "''"),
]

describe('a secret’s life on the command line', { skip }, () => {
  let server: PostgresServer
  let cli: CommandLine
  before(async () => {
    server = await PostgresServer.start({ settings: { log_statement: 'all' } })
    await arrangeRoles(server)
    await asSuper(server, `alter role app password ${`'${canary.replaceAll("'", "''")}'`}`)
    cli = await CommandLine.open()
    cli.environment = { KEYTURN_SHORT_GRACE: '1' }
  })
  after(async () => {
    await cli?.close()
    await server?.stop()
    await removeCopies()
  })
  const value = (username: string, password: string, rest: object = {}) =>
    JSON.stringify({
      engine: 'postgres',
      host: '127.0.0.1',
      port: server.port,
      username,
      password,
      dbname: 'postgres',
      sslmode: 'disable',
      ...rest,
    })
  const ok = async (words: readonly string[], stdin = '') => {
    const answer = await cli.json(words, stdin)
    assert.equal(answer.code, 0, answer.stdout + answer.stderr)
    assert.equal(answer.json.ok, true)
    return answer.json
  }
  const fails = async (words: readonly string[], code: string, exit: number, stdin = '') => {
    const { json, error, code: status } = await cli.json(words, stdin)
    assert.deepEqual([json.ok, error.code, status], [false, code, exit], JSON.stringify(json))
    assert.ok((error.message ?? '').length > 10 && (error.next ?? '').length > 5)
    return error
  }

  it('init makes a folder and a key for its owner only; a second time nothing is overwritten', async () => {
    const { keyFile } = await ok(['init'])
    assert.equal((await stat(String(keyFile))).mode & 0o777, 0o600)
    assert.equal((await stat(join(cli.home, 'store'))).mode & 0o777, 0o700)
    const key = await readFile(String(keyFile), 'utf8')
    await fails(['init'], 'exists', 2)
    assert.equal(await readFile(String(keyFile), 'utf8'), key)
  })

  it('put, adopt, list, get, policy, verify', async () => {
    await ok(['put', 'file:pg-admin'], value('keyturn_admin', adminPassword))
    assert.equal(
      (await ok(['put', 'file:db', '--file', await cli.file('db.json', `${value('app_a', firstPassword)}\n`)])).outcome,
      'created',
    )
    await ok(['adopt', 'file:db', 'strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin', 'grace=3s'])
    const { secrets } = await ok(['list'])
    assert.deepEqual(
      (secrets as { ref: string }[]).map(({ ref }) => ref),
      ['file:db', 'file:pg-admin'],
    )
    assert.deepEqual((await ok(['policy', 'db'])).policy, {
      'keyturn-strategy': 'alternate',
      'keyturn-pair': 'app_a app_b',
      'keyturn-admin': 'file:pg-admin',
      'keyturn-rotator': 'postgres',
      'keyturn-grace': '3s',
    })
    assert.equal((await ok(['verify', 'file:db'])).logsIn, true)
    assert.equal((await ok(['get', 'file:db'])).ref, 'file:db')
  })

  it('dry-run and status tell what would happen, and change nothing', async () => {
    const before_ = await cli.bytesOf('db')
    assert.deepEqual((await ok(['rotate', 'file:db', '--dry-run'])).next, { do: 'go', row: '28', from: 'create' })
    assert.equal((await ok(['status', 'file:db'])).open, false)
    assert.equal(await cli.bytesOf('db'), before_)
  })

  it('rotates, is held within grace, and passes it in an emergency whose reason is on record', async () => {
    assert.deepEqual((await ok(['rotate', 'file:db'])).steps, ['create', 'set', 'test', 'finish'])
    await fails(['rotate', 'file:db'], 'held', 3)
    await fails(['rotate', 'file:db', '--emergency'], 'bad_event', 2)
    assert.equal((await ok(['rotate', 'file:db', '--emergency', '--reason', 'laptop stolen'])).outcome, 'published')
    assert.ok((await readFile(join(cli.home, 'store/audit.jsonl'), 'utf8')).includes('"reason":"laptop stolen"'))
    assert.ok(await logsIn(server, 'app_a', JSON.parse(await revealed('db')).password))
  })

  const revealed = async (name: string): Promise<string> => {
    const file = cli.path(`revealed-${Math.floor(performance.now() * 1000)}`)
    await ok(['get', `file:${name}`, '--output-file', file])
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    await fails(['get', `file:${name}`, '--output-file', file], 'bad_event', 2)
    return readFile(file, 'utf8')
  }

  it('step by step in processes of their own, each repeated', async () => {
    await delay(3100) // the grace of the last one, in the time of other processes
    cli.processes = true
    const token = 'a-token-of-a-person-0123456789abcdef'
    for (const step of ['create', 'set', 'test', 'finish']) {
      await ok(['rotate', 'file:db', '--step', step, '--token', token])
      await ok(['rotate', 'file:db', '--step', step, '--token', token])
    }
    assert.equal((await ok(['status', 'file:db'])).token, token)
    assert.equal((await ok(['rotate', 'file:db', '--resume'])).outcome, 'unchanged')
  })

  it('a killed rotation is taken up at once by the next process; two at once give one', async () => {
    cli.processes = false
    await ok(['put', 'file:own'], value('app', canary))
    await ok(['adopt', 'file:own'])
    const child = cli.start(['--json', 'rotate', 'file:own'])
    const dying = cli.end(child)
    for (let tries = 0; tries < 500 && !(await cli.bytesOf('own')).includes('"staged"'); tries++) await delay(2)
    child.kill('SIGKILL')
    await dying
    await ok(['rotate', 'file:own', '--resume'])
    assert.ok(await logsIn(server, 'app', JSON.parse(await revealed('own')).password))
    cli.processes = true
    const both = await Promise.all([cli.json(['rotate', 'file:own']), cli.json(['rotate', 'file:own'])])
    assert.ok(
      both.some(({ code }) => code === 0) && both.every(({ code }) => [0, 3, 75].includes(code ?? -1)),
      both.map(({ stdout }) => stdout).join(''),
    )
    cli.processes = false
    assert.equal((await ok(['verify', 'file:own'])).logsIn, true)
  })

  it('put on an existing secret: only what the server accepts is published', async () => {
    const before_ = await revealed('own')
    await fails(['put', 'file:own'], 'target_auth', 4, value('app', `${canary}-wrong`))
    assert.equal(await revealed('own'), before_)
    await asSuper(server, `alter role app password '${canary.replaceAll("'", "''")}'`)
    assert.equal((await ok(['put', 'file:own'], value('app', canary))).outcome, 'published')
    assert.equal(JSON.parse(await revealed('own')).password, canary)
  })

  it('stuck after a change by hand; adopt takes it away once current works again', async () => {
    await asSuper(server, "alter role app password 'somewhere-else-0123456789'")
    await fails(['verify', 'file:own'], 'target_auth', 4)
    await fails(['rotate', 'file:own'], 'stuck', 4)
    server.clearLog()
    await fails(['rotate', 'file:own'], 'stuck', 4)
    assert.ok(!server.log.includes('connection received'))
    await fails(['adopt', 'file:own'], 'target_auth', 4)
    await asSuper(server, `alter role app password '${canary.replaceAll("'", "''")}'`)
    await ok(['adopt', 'file:own'])
    assert.equal((await ok(['rotate', 'file:own'])).outcome, 'published')
  })

  it('an audit log that cannot be written stops the effect', async () => {
    cli.environment = { ...cli.environment, KEYTURN_AUDIT: cli.home }
    const before_ = await cli.bytesOf('own')
    await fails(['rotate', 'file:own'], 'audit_failed', 4)
    assert.equal(await cli.bytesOf('own'), before_)
    cli.environment = { KEYTURN_SHORT_GRACE: '1' }
  })

  it('shows a value to a terminal only', async () => {
    const answer = await cli.run(['get', 'file:own', '--reveal'])
    assert.deepEqual([answer.code, answer.stdout], [2, ''])
  })

  it('no value stands anywhere that people or collectors read', async () => {
    const secrets = [
      canary,
      firstPassword,
      adminPassword,
      JSON.parse(await revealed('own')).password as string,
      JSON.parse(await revealed('db')).password as string,
    ]
    const everything = (await cli.everything()) + server.log.replaceAll(/^.*(alter role app password|create role).*$/gim, '')
    for (const secret of secrets) for (const form of forms(secret)) assert.ok(!everything.includes(form), `${form.slice(0, 4)}… was found`)
  })
})

describe('the command line itself', () => {
  it('explains itself: every command has an example; wrong use says what is near', async () => {
    const cli = await CommandLine.open()
    const help = await cli.run(['--help'])
    assert.equal(help.code, 0)
    for (const command of ['init', 'put', 'adopt', 'policy', 'get', 'list', 'status', 'rotate', 'verify']) {
      assert.ok(help.stdout.includes(`\n  ${command} `), command)
      const { code, stdout } = await cli.run([command, '--help'])
      assert.equal(code, 0)
      assert.match(stdout, /\nExample:\n {2}\S/)
    }
    assert.match((await cli.run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
    const wrong = await cli.run(['rotat'])
    assert.deepEqual([wrong.code, wrong.stdout], [2, ''])
    assert.match(wrong.stderr, /bad_event.*rotate/s)
    for (const words of [
      ['rotate'],
      ['rotate', 'file:db', '--nonsense'],
      ['rotate', 'file:db', '--step', 'five'],
      ['list', 'too', 'many'],
    ]) {
      const { code, error } = await cli.json(words)
      assert.deepEqual([code, error.code], [2, 'bad_event'])
    }
    await cli.close()
  })

  it('runs from the package’s own bin', () => {
    const out = execFileSync('npx', ['--no-install', 'keyturn', '--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    assert.match(out, /\d+\.\d+\.\d+/)
  })
})
