import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Keyturn } from '../harness/cli-process.js'

const program = new URL('../../cli/main.js', import.meta.url)
const store = [
  'init',
  'put',
  'adopt',
  'policy',
  'get',
  'list',
  'status',
  'rotate',
  'verify',
  'release',
  'recover',
  'rollback',
  'revoke',
] as const
const commands = [...store, 'plan', 'sweep', 'seen', 'retire', 'receive', 'config', 'schema', 'doctor', 'audit', 'completion'] as const

describe('how the command line is used', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
  })
  after(() => keyturn?.close())

  it('--help names every command, the exit codes and an example', async () => {
    const { code, stdout, stderr } = await keyturn.run(['--help'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const command of commands) assert.match(stdout, new RegExp(`^  ${command} `, 'm'))
    assert.match(stdout, /\nExample:\n {2}keyturn \S/)
    assert.match(stdout, /0 done .* 2 .* 3 wait .* 4 .* 75 /)
    for (const option of ['--json', '--home', '--verbose']) assert.ok(stdout.includes(option))
  })

  it('the --help of every command says what it is for, its options and an example of itself', async () => {
    await Promise.all(
      commands.map(async (command) => {
        const { code, stdout, stderr } = await keyturn.run([command, '--help'])
        assert.deepEqual([code, stderr], [0, ''], command)
        assert.match(stdout, new RegExp(`^Usage: keyturn ${command}`))
        assert.match(stdout, new RegExp(`\\nExample:\\n {2}(source <\\()?keyturn ${command}( |$)`, 'm'))
        assert.ok(stdout.trimEnd().split('\n').length > 5)
      }),
    )
  })

  it('--version is the version and nothing else', async () => {
    const { code, stdout, stderr } = await keyturn.run(['--version'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^\d+\.\d+\.\d+(-\S+)?\n$/)
  })

  it('without a command it shows how it is used, as an error', async () => {
    const { code, stdout, stderr } = await keyturn.run([])
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^Usage: keyturn /)
  })

  it('without a command, with --json: one object all the same', async () => {
    const { code, error } = await keyturn.json([])
    assert.deepEqual([code, error?.code], [2, 'bad_event'])
  })

  const wrong: readonly (readonly [what: string, words: readonly string[], says: RegExp])[] = [
    ['an unknown command', ['rotatte', 'file:db'], /^The command "rotatte" is unknown; the nearest one is rotate\. /],
    ['a command that is like no other', ['zzz'], /^The command "zzz" is unknown\. /],
    [
      'an unknown command in another one',
      ['config', 'chek'],
      /^The command "chek" is unknown; the nearest one is check\. See keyturn config --help\.$/,
    ],
    ['a command that is like two', ['re'], /^The command "re" is unknown\. /],
    ['an unknown option', ['rotate', 'file:db', '--emergncy'], /^The option "--emergncy" is unknown; the nearest one is --emergency\. /],
    ['an unknown option before the command', ['--jsn', 'list'], /^The option "--jsn" is unknown; the nearest one is --json\. /],
    ['a missing argument', ['status'], /argument <ref> is missing/],
    ['an option without its text', ['put', 'file:db', '--file'], /option -f, --file <path> has no value/],
    ['an argument too many', ['list', 'file:db'], /too many arguments/i],
    ['a value on the command line', ['put', 'file:db', 'Value-on-the-line'], /too many arguments/i],
    ['a step that is none', ['rotate', 'file:db', '--step', 'five'], /--step: "five" is not one.*create, set, test, finish/is],
    ['options that exclude each other', ['rotate', 'file:db', '--resume', '--emergency'], /--resume.*--emergency/is],
    ['a switch with a text', ['rotate', 'file:db', '--resume=yes'], /.{20}/s],
  ]
  for (const [what, words, says] of wrong) {
    it(`${what}: bad_event, exit 2, in both forms, and nothing is made`, async () => {
      const { code, error } = await keyturn.json(words)
      assert.deepEqual([code, error?.code], [2, 'bad_event'])
      assert.match(`${error?.message} ${error?.next}`, says)
      assert.match(error?.message ?? '', /^[^\n]*[^.\n]\.$/, 'one line that ends with one full stop')
      assert.doesNotMatch(error?.message ?? '', /Value-on-the-line/)
      const { code: exit, stdout, stderr } = await keyturn.run(words)
      assert.deepEqual([exit, stdout], [2, ''])
      const field = error?.field === undefined ? '' : ` (${error.field})`
      assert.equal(stderr, `keyturn: bad_event${field}: ${error?.message}\n${error?.next}\n`)
      assert.deepEqual(await readdir(keyturn.folder), [])
    })
  }
})

describe('where the store is and what its key is', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
  })
  after(() => keyturn?.close())
  const elsewhere = (name: string): string => join(keyturn.folder, name)

  it('every command but init says that there is no store, and makes none', async () => {
    const key = { KEYTURN_KEY: Buffer.alloc(32, 7).toString('base64') }
    const all = [['put', 'file:db'], ['adopt', 'file:db'], ['policy', 'file:db'], ['get', 'file:db'], ['list'], ['status', 'file:db']]
    for (const words of [...all, ['rotate', 'file:db'], ['verify', 'file:db']]) {
      await keyturn.fails(words, 'bad_config', 'KEYTURN_KEY', { stdin: 'value' })
      const { next } = await keyturn.fails(words, 'bad_config', 'KEYTURN_HOME', { stdin: 'value', env: key })
      assert.match(next, /keyturn init/)
    }
    assert.deepEqual(await readdir(keyturn.folder), [])
  })

  it('init in a folder that is given by --home, before or after the command, or by KEYTURN_HOME', async () => {
    assert.equal((await keyturn.ok(['--home', elsewhere('one'), 'init'])).home, elsewhere('one'))
    assert.equal((await keyturn.ok(['init', '--home', elsewhere('two')])).keyFile, elsewhere('two/key'))
    assert.equal((await keyturn.ok(['init'], { env: { KEYTURN_HOME: elsewhere('three/deep') } })).home, elsewhere('three/deep'))
    assert.deepEqual((await keyturn.ok(['list'], { env: { KEYTURN_HOME: elsewhere('three/deep') } })).secrets, [])
    const { keyFile } = await keyturn.ok(['init', '--home', elsewhere('four')], {
      env: { KEYTURN_KEY: Buffer.alloc(32, 7).toString('hex') },
    })
    assert.equal(keyFile, null)
  })

  it('a home that is a file is a wrong setting, not a bug', async () => {
    await writeFile(elsewhere('file'), 'nothing')
    for (const words of [['init'], ['list'], ['get', 'file:db']]) {
      const { error } = await keyturn.json(words, { env: { KEYTURN_HOME: elsewhere('file') } })
      assert.deepEqual([error?.code, error?.remedy], ['bad_config', 'fix'], words.join(' '))
    }
  })

  it('an empty --home means no folder: refused or the default, never the folder one stands in', async () => {
    await mkdir(elsewhere('standing'))
    const { code, error } = await keyturn.json(['init', '--home', ''])
    assert.ok(code === 0 || error?.code === 'bad_config' || error?.code === 'bad_event', JSON.stringify(error))
    assert.ok(!(await readdir(keyturn.folder)).includes('secrets'), 'a store was begun in the working directory')
  })

  it('a key file in a folder that is not there, or a folder in its place, is a wrong setting', async () => {
    for (const [words, env] of [
      [['init'], { KEYTURN_KEY_FILE: elsewhere('nowhere/key'), KEYTURN_HOME: elsewhere('five') }],
      [['list'], { KEYTURN_KEY_FILE: elsewhere('nowhere/key'), KEYTURN_HOME: elsewhere('one') }],
    ] as const) {
      const { error } = await keyturn.json(words, { env })
      assert.deepEqual([error?.code, error?.remedy], ['bad_config', 'fix'], JSON.stringify(error))
    }
  })

  it('a name of another store, or of none, is refused; nothing is kept where it cannot be found again', async () => {
    const home = { env: { KEYTURN_HOME: elsewhere('one') }, stdin: 'value' }
    for (const ref of ['vault:secret/db', 'nowhere:db', 'file:', 'file:../db', 'file:Upper', `file:${'x'.repeat(101)}`])
      await keyturn.fails(['put', ref], 'bad_event', 'ref', home)
    await keyturn.fails(['list', '--store', 'vault'], 'bad_event', 'store', home)
    const { body } = await keyturn.json(['put', 'memory:db'], home)
    const after_ = await keyturn.json(['get', 'memory:db'], home)
    assert.equal(body.ok, after_.body.ok, 'put said that memory:db is stored, and the next command does not find it')
  })
})

describe('what a person does in between', () => {
  let keyturn: Keyturn
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
  })
  after(() => keyturn?.close())

  it('an interrupt while a value is read from a pipe ends the command, and what comes later is not stored', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const child = keyturn.spawn(['--json', 'put', 'file:late'])
      const end = keyturn.finish(child)
      await delay(400) // it waits for its value now
      child.kill(signal)
      await Promise.race([once(child, 'exit'), delay(2000)])
      const ended = child.exitCode !== null || child.signalCode !== null
      child.stdin?.end('too late')
      await end
      assert.ok(ended, `${signal} was not heard`)
      await keyturn.fails(['get', 'file:late'], 'not_found', 'ref')
    }
  })

  it('a reader that went away (keyturn … | head) is no crash with a stack', async () => {
    for (const words of [['list'], ['--json', 'list'], ['--help']]) {
      const child = keyturn.spawn(words)
      child.stdout?.destroy()
      const { stderr } = await keyturn.finish(child)
      assert.doesNotMatch(stderr, /\n\s+at /, `keyturn ${words.join(' ')} ended with: ${stderr.slice(0, 200)}`)
    }
  })
})
