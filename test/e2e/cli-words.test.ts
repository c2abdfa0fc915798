import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import type { Command, Option } from 'commander'
import { createProgram } from '../../cli/program.js'
import { adminPassword, firstPassword, startServer, valueFor } from '../harness/cli-postgres.js'
import { Keyturn } from '../harness/cli-process.js'
import { type Called, callCommand } from '../harness/command-call.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'

let home = ''
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'keyturn-words-'))
})
after(() => rm(home, { recursive: true, force: true }))

const call = (words: readonly string[], stdin = ''): Promise<Called> =>
  callCommand(words, { env: { KEYTURN_HOME: home, KEYTURN_DEBUG: '1' } }, stdin)
const refusal = async (words: readonly string[], stdin = ''): Promise<Readonly<Record<string, string>>> => {
  const { stdout } = await call(['--json', ...words], stdin)
  const { error } = JSON.parse(stdout) as { error: Readonly<Record<string, string>> }
  return error
}

/** Every command with its words, from the declarations themselves. */
function commandsOf(
  command: Command,
  words: readonly string[] = [],
): readonly { readonly words: readonly string[]; readonly command: Command }[] {
  const inner = command.commands.flatMap((one) => commandsOf(one, [...words, one.name()]))
  return words.length === 0 ? inner : [{ words, command }, ...inner]
}
const terminal = {
  env: {},
  stdin: Readable.from([]),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  cancelled: new AbortController().signal,
  exit: () => {},
}
const all = commandsOf(createProgram(terminal, true))
/** A word for each argument, and for each option that needs one: what is left to refuse is the option under test. */
const argumentsOf = ({ registeredArguments: known }: Command): readonly string[] =>
  known.map(({ argChoices: choices }) => choices?.[0] ?? 'file:db')
const given = ({ long, flags, argChoices }: Option): readonly string[] =>
  flags.includes('<') ? [`${long}`, argChoices?.[0] ?? 'x'] : [`${long}`]
const lineOf = (help: string, { long }: Option): string =>
  help
    .replace(/\n {10,}/g, ' ')
    .split('\n')
    .find((line) => line.includes(`${long}`)) ?? ''

describe('every command', () => {
  it('there are some, also inside others', () => {
    const names = all.map(({ words }) => words.join(' '))
    for (const name of ['rotate', 'revoke', 'config check', 'completion']) assert.ok(names.includes(name), name)
    assert.ok(all.some(({ command }) => command.options.some(({ mandatory }) => mandatory)))
  })

  for (const { words, command } of all) {
    const name = words.join(' ')

    it(`${name}: help marks the options that must be given, and no other`, async () => {
      const { stdout } = await call([...words, '--help'])
      for (const option of command.options)
        assert.equal(/\(required\)/.test(lineOf(stdout, option)), option.mandatory, lineOf(stdout, option))
    })

    for (const option of command.options.filter(({ mandatory }) => mandatory))
      it(`${name}: without ${option.long} it says which option is missing, and where to read on`, async () => {
        const others = command.options.filter((one) => one.mandatory && one !== option)
        const error = await refusal([...words, ...argumentsOf(command), ...others.flatMap(given)])
        assert.deepEqual([error.code, error.field], ['bad_event', option.name()])
        assert.equal(error.message, `The option ${option.flags} is missing.`)
        assert.equal(error.next, `See keyturn ${name} --help.`)
      })

    for (const option of command.options.filter(({ argChoices: choices }) => choices !== undefined))
      it(`${name}: an unknown ${option.long} lists the known ones`, async () => {
        for (const word of ['nobody', 'Not One!', '']) {
          const error = await refusal([...words, ...argumentsOf(command), `${option.long}=${word}`])
          assert.deepEqual([error.code, error.field], ['bad_event', option.name()])
          assert.equal(error.message, `${option.long}: "${word}" is not one of its values.`)
          assert.equal(error.next, `Use one of ${option.argChoices?.join(', ')}.`)
        }
      })

    it(`${name}: an unknown option, and one word too few, are answered with its own help`, async () => {
      const wrong = await refusal([...words, ...argumentsOf(command), '--nobody'])
      assert.deepEqual([wrong.code, wrong.next], ['bad_event', `See keyturn ${name} --help.`])
      const [first] = command.registeredArguments.filter(({ required }) => required)
      if (first === undefined) return
      const few = await refusal([...words, ...command.options.filter(({ mandatory }) => mandatory).flatMap(given)])
      assert.deepEqual([few.code, few.field, few.message], ['bad_event', first.name(), `The argument <${first.name()}> is missing.`])
    })
  }

  it('every --store has the same known names, and completion marks what must be given', async () => {
    const stores = all.flatMap(({ command }) => command.options.filter(({ long }) => long === '--store'))
    assert.ok(stores.length >= 5)
    for (const { argChoices } of stores) assert.deepEqual(argChoices, ['file', 'aws', 'gcp', 'azure'])
    assert.match((await call(['completion', 'fish'])).stdout, /-l reason -d 'the reason[^\n]*\(required\)'/)
  })

  it('a ref of an unknown store names the known ones', async () => {
    for (const ref of ['nobody:db', 'postgres://app:Canary-pw-0123456789@h/d', 'path:/srv/x']) {
      const error = await refusal(['status', ref])
      assert.deepEqual([error.code, error.field, error.next], ['bad_event', 'ref', 'Use one of file, aws, gcp, azure.'])
      assert.ok(!JSON.stringify(error).includes('Canary'))
    }
  })
})

describe('the value of another system', () => {
  const urls = [
    ['mysql://app:Canary-pw-0123456789@db/app', 'MySQL'],
    ['jdbc:mariadb://app:Canary-pw-0123456789@db/app', 'MariaDB'],
    ['rediss://app:Canary-pw-0123456789@db:6379', 'Redis'],
    ['mongodb+srv://app:Canary-pw-0123456789@db/app', 'MongoDB'],
    ['canary://app:Canary-pw-0123456789@db/app', 'an unknown system'],
  ] as const
  before(() => call(['init']))

  for (const [url, system] of urls)
    it(`${url.split(':')[0]}: both systems are named, as a value and as a field`, async () => {
      for (const [text, field] of [
        [url, 'value'],
        ...(system === 'an unknown system' ? [] : [[JSON.stringify({ DATABASE_URL: url, note: 'x' }), 'DATABASE_URL'] as const]),
      ] as const) {
        const name = `file:${system.toLowerCase().replaceAll(' ', '-')}-${field.toLowerCase()}`
        assert.equal((await call(['put', name], text)).code, 0)
        const error = await refusal(['adopt', name, '--rotator', 'postgres'])
        assert.deepEqual([error.code, error.field], ['bad_value', field])
        assert.equal(error.message, `The field ${field} is a connection URL of ${system}, and this rotator is for PostgreSQL.`)
        assert.match(error.next ?? '', /postgres:\/\/.*keyturn-rotator/)
        assert.ok(!/canary/i.test(`${error.message}${error.next}`), 'a scheme that is not known is not said')
      }
    })

  it('a field that is missing is still said to be missing, where something else is the login', async () => {
    await call(['put', 'file:both'], JSON.stringify({ username: 'app', password: firstPassword, queue: 'amqp://app:x@h/v' }))
    const error = await refusal(['adopt', 'file:both', '--rotator', 'postgres'])
    assert.deepEqual([error.code, error.field], ['bad_value', 'host'])
  })
})

describe('a ref of an unknown store that nobody typed now', () => {
  const known = 'Use one of file, aws, gcp, azure.'
  const fields = { host: 'h', username: 'app', password: firstPassword }
  before(async () => {
    await call(['init'])
    await call(['put', 'file:named'], JSON.stringify(fields))
  })

  it('of an administrator: the policy key is named', async () => {
    const error = await refusal(['adopt', 'file:named', 'rotator=postgres', 'strategy=alternate', 'admin=nobody:pg'])
    assert.deepEqual([error.code, error.field, error.next], ['bad_event', 'keyturn-admin', known])
    assert.equal(error.message, `The administrator's secret: There is no store "nobody".`)
  })

  it('of a companion, or of the configuration itself: doctor names it, says what is known, and is wrong', async () => {
    await call(['put', 'file:config'], JSON.stringify({ companions: { copy: { content: 'copy', of: 'file:named', at: 'nobody:x' } } }))
    for (const [configuration, says] of [
      ['file:config', 'The companion copy: There is no store "nobody".'],
      ['nobody:config', 'bad_event: The configuration secret: There is no store "nobody".'],
    ] as const) {
      const env = { KEYTURN_HOME: home, KEYTURN_CONFIG: configuration }
      const { code, stdout } = await callCommand(['--json', 'doctor'], { env })
      const { findings, error } = JSON.parse(stdout) as {
        findings: { level: string; says: string; next: string }[]
        error: { message: string }
      }
      const wrong = findings.filter(({ level }) => level === 'wrong').map((one) => [one.says, one.next])
      assert.deepEqual([code, wrong], [2, [[says, known]]])
      assert.match(error.message, /[^.]\.$/)
    }
  })
})

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
describe('what a person sees of a command', { skip }, () => {
  let server: PostgresServer
  let keyturn: Keyturn
  before(async () => {
    server = await startServer()
    keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
    await keyturn.ok(['init'])
    await keyturn.ok(['put', 'file:pg-admin'], { stdin: valueFor(server, 'keyturn_admin', adminPassword) })
    await keyturn.ok(['put', 'file:db'], { stdin: valueFor(server, 'app_a', firstPassword) })
    await keyturn.ok(['adopt', 'file:db', 'strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin'])
  })
  after(async () => {
    await keyturn?.close()
    await server?.stop()
    await removeCopies()
  })
  const plaintextIn = (text: string): number => text.split('\n').filter((line) => line.startsWith('· plaintext')).length
  const noRow = (text: string): void => assert.doesNotMatch(text, /\brow\b/)

  it('a dry run says in words what would happen, and no row of the decision table; JSON has the row', async () => {
    const { stdout } = await keyturn.run(['rotate', 'file:db', '--dry-run'])
    assert.match(stdout, /^file:db: a rotation would start\.$/m)
    noRow(stdout)
    const { next } = (await keyturn.ok(['rotate', 'file:db', '--dry-run'])) as { next?: { row?: string } }
    assert.match(next?.row ?? '', /^\d+/)
  })

  it('plaintext is said once, however many connections a command makes; --verbose says each', async () => {
    const { code, stderr } = await keyturn.run(['rotate', 'file:db'])
    assert.deepEqual([code, plaintextIn(stderr)], [0, 1], stderr)
    const loud = await keyturn.run(['--verbose', 'rotate', 'file:db', '--emergency', '--reason', 'a test'])
    assert.equal(loud.code, 0, loud.stderr)
    assert.ok(plaintextIn(loud.stderr) > 1, loud.stderr)
    assert.match(loud.stderr, /· decided \(/)
    noRow(loud.stdout + loud.stderr)
  })

  it('once started and held, it says so without a row, too', async () => {
    const { stdout } = await keyturn.run(['rotate', 'file:db', '--dry-run'])
    assert.match(stdout, /^file:db: it would be refused: held, /m)
    noRow(stdout)
    for (const words of [['status', 'file:db'], ['plan'], ['list'], ['recover', 'file:db'], ['doctor'], ['sweep']]) {
      const said = await keyturn.run(words)
      noRow(said.stdout + said.stderr)
      assert.ok(plaintextIn(said.stderr) <= 1, said.stderr)
    }
  })
})
