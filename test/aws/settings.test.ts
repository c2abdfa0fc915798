import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import type { Command, Option } from 'commander'
import { createProgram } from '../../cli/program.js'
import { Clock, callCommand } from '../harness/command-call.js'
import { resolveNowhere } from '../harness/host-names.js'

/** Every command of the program, with its words. */
function commandsOf(
  command: Command,
  words: readonly string[] = [],
): readonly { readonly words: readonly string[]; readonly command: Command }[] {
  const inner = command.commands.flatMap((one) => commandsOf(one, [...words, one.name()]))
  return words.length === 0 ? inner : [{ words, command }, ...inner]
}
const [stdout, stderr] = [new PassThrough(), new PassThrough()]
const silent = { env: {}, stdin: Readable.from([]), stdout, stderr, cancelled: new AbortController().signal, exit: () => {} }
const given = ({ long, flags, argChoices }: Option): readonly string[] =>
  flags.includes('<') ? [`${long}`, argChoices?.[0] ?? 'x'] : [`${long}`]

/** Every way to name a secret or the store of AWS on the command line, but for what asks nobody. */
const lines = commandsOf(createProgram(silent, true)).flatMap(({ words, command }) => {
  if (words[0] === 'permissions') return []
  const mandatory = command.options.filter((one) => one.mandatory).flatMap(given)
  const ofRef = command.registeredArguments[0]?.name() === 'ref' ? [[...words, 'aws:x', ...mandatory]] : []
  const takesStore = command.options.some(({ long }) => long === '--store')
  const fleet = words[0] === 'rotate' ? ['--all'] : []
  return [...ofRef, ...(takesStore ? [[...words, '--store', 'aws', ...fleet, ...mandatory]] : [])]
})

const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'Canary-0123456789' }
const region = { AWS_REGION: 'eu-west-1' }
type Texts = Readonly<Record<string, string>>
interface Body {
  readonly error?: Texts
  readonly findings?: readonly Texts[]
}
type Row = readonly [what: string, env: Readonly<Record<string, string>>, code: string, field: string, says: RegExp]
const settings: readonly Row[] = [
  ['no region', keys, 'bad_config', 'AWS_REGION', /^No AWS region is set\.$/],
  ['a region that is not one', { ...keys, AWS_REGION: 'eu west' }, 'bad_config', 'AWS_REGION', /^The AWS region is not a valid name\.$/],
  ['no credentials', region, 'denied', 'AWS_ACCESS_KEY_ID', /^No AWS credentials could be loaded\.$/],
  [
    'an endpoint that does not resolve',
    { ...keys, ...region, SECRETS_MANAGER_ENDPOINT: 'https://nobody.invalid' },
    'unavailable',
    'SECRETS_MANAGER_ENDPOINT',
    /^The host nobody\.invalid does not resolve \(ENOTFOUND\)\.$/,
  ],
  [
    "an endpoint of the SDK's own variable that does not resolve",
    { ...keys, ...region, AWS_ENDPOINT_URL: 'https://nobody.invalid' },
    'unavailable',
    'AWS_ENDPOINT_URL',
    /^The host nobody\.invalid does not resolve/,
  ],
  [
    'an endpoint that takes no connection',
    { ...keys, ...region, SECRETS_MANAGER_ENDPOINT: 'http://127.0.0.1:1' },
    'unavailable',
    'SECRETS_MANAGER_ENDPOINT',
    /^The host 127\.0\.0\.1 takes no connection \(ECONNREFUSED\)\.$/,
  ],
  [
    'an endpoint that is not a URL',
    { ...keys, ...region, SECRETS_MANAGER_ENDPOINT: 'nobody' },
    'bad_config',
    'SECRETS_MANAGER_ENDPOINT',
    /^The endpoint of AWS is not a URL\.$/,
  ],
  ["one in the SDK's own variable", { ...keys, ...region, AWS_ENDPOINT_URL: 'nobody' }, 'bad_config', 'AWS_ENDPOINT_URL', /not a URL\.$/],
]

describe('settings of AWS that are missing or wrong', () => {
  let home = ''
  const kept = { ...process.env }
  let resolveAgain = (): void => {}
  before(async () => {
    resolveAgain = resolveNowhere('.invalid')
    home = await mkdtemp(join(tmpdir(), 'keyturn-settings-'))
    await callCommand(['init'], { env: { KEYTURN_HOME: home } })
    await callCommand(
      ['put', 'file:db'],
      { env: { KEYTURN_HOME: home } },
      '{"username":"app","password":"first-key-0123456789","host":"h"}',
    )
  })
  after(async () => {
    process.env = kept
    resolveAgain()
    await rm(home, { recursive: true, force: true })
  })

  /** The SDK reads the environment of the process, and finds nothing else on this machine. */
  const call = (words: readonly string[], env: Readonly<Record<string, string>>) => {
    const clean = Object.fromEntries(Object.entries(kept).filter(([name]) => !/^(AWS_|SECRETS_MANAGER_|KEYTURN)/.test(name)))
    const nothing = join(home, 'nothing')
    const own = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: nothing, AWS_SHARED_CREDENTIALS_FILE: nothing }
    process.env = { ...clean, ...own, KEYTURN_HOME: home, ...env }
    return callCommand(words, { env: process.env, clock: new Clock() }, '{"key":"first-key-0123456789"}')
  }
  const assertExplained = async (words: readonly string[], [, env, code, field, says]: Row): Promise<void> => {
    const line = words.join(' ')
    const body = JSON.parse((await call(['--json', ...words], env)).stdout) as Body
    if (words[0] === 'doctor') return assertFound(body, [code, field, says])
    const { error } = body
    assert.deepEqual([error?.code, error?.field], [code, field], `${line}: ${JSON.stringify(error)}`)
    assert.match(error?.message ?? '', says, line)
    assert.match(error?.next ?? '', new RegExp(field), line)
    const { code: exit, stdout: out, stderr: said } = await call(words, env)
    assert.ok(exit !== 0 && out === '', line)
    assert.ok(said.endsWith(`keyturn: ${code} (${field}): ${error?.message}\n${error?.next}\n`), `${line}: ${said}`)
    assert.doesNotMatch(said + JSON.stringify(error), /Canary/)
  }

  /** The doctor goes on: the error counts the findings, and points at the first one that is wrong. */
  const assertFound = ({ error, findings = [] }: Body, [code, field, says]: readonly [string, string, RegExp]): void => {
    const wrong = findings.find(({ level }) => level === 'wrong')
    assert.deepEqual([wrong?.what, wrong?.code, wrong?.field, error?.code, error?.field], ['store', code, field, 'bad_config', field])
    assert.match((wrong?.says ?? '').replace(`${code}: `, ''), says)
    assert.equal(error?.next, wrong?.next)
    assert.match(error?.message ?? '', /^1 of 3 findings is wrong\. The first: store: /)
  }

  it('there are commands for secrets and for the whole store', () => {
    const names = lines.map((words) => words.join(' '))
    for (const name of ['get aws:x', 'plan --store aws', 'sweep --store aws', 'rotate --store aws --all'])
      assert.ok(
        names.some((one) => one.startsWith(name)),
        `${name}: ${names.join('; ')}`,
      )
  })

  for (const row of settings)
    it(`${row[0]}: every command says ${row[2]}, the variable and the next step`, async () => {
      for (const words of lines) await assertExplained(words, row)
    })

  for (const row of settings)
    it(`${row[0]}: the same where only the policy or the configuration names a secret of AWS`, async () => {
      await assertExplained(['adopt', 'file:db', '--rotator', 'postgres', 'strategy=alternate', 'admin=aws:admin'], row)
      const [what, env, ...rest] = row
      await assertExplained(['adopt', 'file:db', '--rotator', 'random'], [what, { ...env, KEYTURN_CONFIG: 'aws:config' }, ...rest])
    })
})
