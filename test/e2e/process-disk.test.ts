import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, chown, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { sampler } from '../crash/sample.js'
import { Keyturn } from '../harness/cli-process.js'
import { PlainUser, whyNoPlainUser } from '../harness/plain-user.js'
import { whyNoMount } from '../harness/programs.js'
import { suite } from '../harness/suite.js'

const program = new URL('../../cli/main.js', import.meta.url)
const value = '{"password":"A-value-0123456789-abcdef"}'
const commands = [
  ['get', 'file:db'],
  ['list'],
  ['put', 'file:new'],
  ['policy', 'file:db', 'owner=me'],
  ['rotate', 'file:db', '--emergency', '--reason', 'a test'],
  ['doctor'],
]
/** What a failure of the disk may be called. The audit log has a code of its own. */
const own = ['denied', 'bad_config', 'damaged', 'unavailable', 'audit_failed', 'exists', 'not_found']

suite('a store that this user may not use', whyNoPlainUser(program), ({ it, before, after }) => {
  let user: PlainUser
  let home: string
  const run = (words: readonly string[], env = {}, stdin = value) => user.run(words, { KEYTURN_HOME: home, ...env }, stdin)
  before(async () => {
    user = await PlainUser.open(program)
    home = join(user.folder, 'home')
    for (const words of [['init'], ['put', 'file:db'], ['adopt', 'file:db', '--rotator', 'random']])
      assert.equal((await run(words)).code, 0, words.join(' '))
  })
  after(() => user?.close())

  /** Only root may remove what is in a folder that may not be written. */
  async function unlock(folder: string): Promise<void> {
    if (!(await lstat(folder).catch(() => undefined))?.isDirectory()) return
    await chmod(folder, 0o700)
    for (const name of await readdir(folder)) await unlock(join(folder, name))
  }

  /** Spoils the store, and puts it right again as the same files were before. */
  async function spoiled(spoil: () => Promise<void>, act: () => Promise<void>): Promise<void> {
    const kept = `${home}.kept`
    await cp(home, kept, { recursive: true, preserveTimestamps: true })
    await spoil()
    try {
      await act()
    } finally {
      await unlock(home)
      await rm(home, { recursive: true, force: true })
      await rename(kept, home)
      execFileSync('chown', ['-R', '--reference', user.folder, home])
    }
  }

  const at = (path: string): string => join(home, path)
  const replaced = async (path: string, by: 'a folder' | 'a file' | 'a dead link' | 'a circle'): Promise<void> => {
    await rm(at(path), { recursive: true, force: true })
    if (by === 'a folder') await mkdir(at(path))
    else if (by === 'a file') await writeFile(at(path), '')
    else await symlink(by === 'a circle' ? at(path) : '/nowhere/at/all', at(path))
  }
  const spoils: Readonly<Record<string, () => Promise<void>>> = {
    'a home that may not be entered': () => chmod(home, 0),
    'a home that may not be written': () => chmod(home, 0o500),
    'a key that may not be read': () => chmod(at('key'), 0),
    'a folder instead of the key': () => replaced('key', 'a folder'),
    'a circle instead of the key': () => replaced('key', 'a circle'),
    'secrets that may not be looked at': () => chmod(at('secrets'), 0),
    'secrets that may not be written': () => chmod(at('secrets'), 0o500),
    'a file instead of the secrets': () => replaced('secrets', 'a file'),
    'a secret that may not be read': () => chmod(at('secrets/db.json'), 0),
    'a folder instead of a secret': () => replaced('secrets/db.json', 'a folder'),
    'a dead link instead of a secret': () => replaced('secrets/db.json', 'a dead link'),
    'a pipe that nobody writes to instead of a secret': async () => {
      await rm(at('secrets/db.json'))
      execFileSync('mkfifo', ['-m', '666', at('secrets/db.json')])
    },
    'a file instead of the lock': () => replaced('lock', 'a file'),
    'a lock that may not be written': () => chmod(at('lock'), 0o500),
    'an audit log that may not be written': () => chmod(at('audit.jsonl'), 0o400),
    'a folder instead of the audit log': () => replaced('audit.jsonl', 'a folder'),
    'a file instead of the lock of the audit log': () => replaced('audit.jsonl.lock', 'a file'),
  }
  const sample = sampler(3)
  for (const [what, spoil] of Object.entries(spoils)) {
    if (!sample.take()) continue
    it(`${what}: each command names the path and the next step, and never calls it a bug`, () =>
      spoiled(spoil, async () => {
        const ended = await Promise.all(commands.map(async (words) => ({ words, ...(await run(words)) })))
        assert.ok(
          ended.some(({ body }) => body.ok === false),
          'nothing failed',
        )
        for (const { words, error, body, stderr } of ended) {
          assert.doesNotMatch(stderr, /\n\s+at /, `${words}: ${stderr}`)
          if (body.ok === true) continue
          assert.ok(own.includes(error.code ?? ''), `${words}: ${JSON.stringify(error)}`)
          assert.match(`${error.message}`, new RegExp(home), `${words}`)
          assert.match(`${error.next}`, /\.$/)
        }
        const failed = new Set(ended.filter(({ body }) => body.ok !== true).map(({ words }) => words[0]))
        assert.ok(failed.has('doctor') || !failed.has('rotate'), 'doctor called it good, and a change failed')
      }))
  }

  const refused: Readonly<Record<string, readonly [spoil: () => Promise<void>, words: readonly string[], says: RegExp]>> = {
    'a secret': [
      () => chmod(at('secrets'), 0o500),
      ['policy', 'file:db', 'owner=me'],
      /db\.json cannot be written: .*secrets \(EACCES\)\. It is unch/,
    ],
    'a new secret': [
      () => chmod(at('secrets'), 0o500),
      ['put', 'file:new'],
      /new\.json cannot be written: .*secrets \(EACCES\)\. Nothing was/,
    ],
    'a file for the value': [
      () => chmod(home, 0o500),
      ['get', 'file:db', '--output-file', 'home/out'],
      /home\/out cannot be written: .*home \(EACCES\)/,
    ],
    'a first audit record': [
      async () => {
        await rm(at('audit.jsonl'))
        await chmod(home, 0o500)
      },
      ['policy', 'file:db', 'owner=me'],
      /audit\.jsonl cannot be written: permission denied in .*home \(EACCES\)/,
    ],
  }
  for (const [what, [spoil, words, says]] of Object.entries(refused)) {
    it(`where no name can be made for ${what} the folder is to be corrected`, () =>
      spoiled(spoil, async () => {
        const { error } = await run(words)
        assert.match(`${error.message}`, says)
        assert.match(`${error.next}`, /^Correct the permissions of .*(secrets|home) and of the folders above it/)
        assert.notEqual(error.field, undefined)
      }))
  }

  it('doctor calls a key good that its owner may only read', () =>
    spoiled(
      () => chmod(at('key'), 0o400),
      async () => assert.equal((await run(['doctor'])).code, 0),
    ))

  for (const audit of ['/usr/nope/a/audit.jsonl', '/proc/nope/audit', '/dev/null']) {
    it(`an audit log that cannot be made is wrong for doctor, and fails a change with its path: ${audit}`, async () => {
      const setting = { KEYTURN_AUDIT: audit }
      const doctor = await run(['doctor'], setting)
      assert.deepEqual([doctor.code, doctor.error.field], [2, 'KEYTURN_AUDIT'])
      assert.match(`${doctor.error.message}`, new RegExp(`${audit}: .* No change is possible`))
      const { error } = await run(['policy', 'file:db', 'owner=me'], setting)
      assert.deepEqual([error.code, error.field], ['audit_failed', 'KEYTURN_AUDIT'])
      const [folder] = /^\/(usr|proc|dev\/null)/.exec(audit) ?? []
      assert.match(
        `${error.message}`,
        new RegExp(
          `${folder}.* (cannot be made: permission denied in ${folder} |cannot be made: the file system of ${folder} |cannot be written: it is not)`,
        ),
      )
    })
  }

  for (const [what, spoil] of Object.entries({
    'its group': () => chmod(home, 0o770),
    everybody: () => chmod(home, 0o777),
    'everybody, in the folder of the secrets': () => chmod(at('secrets'), 0o777),
  })) {
    it(`a home that others may write is refused: ${what}`, () =>
      spoiled(spoil, async () => {
        for (const words of commands) {
          const { code, error } = await run(words)
          assert.deepEqual([code, error.code], [2, 'bad_config'], `${words}: ${JSON.stringify(error)}`)
          assert.match(`${error.message} ${error.next}`, /others may write it.*chmod go-w/)
        }
        const { error } = await run(['init'])
        assert.match(`${error.code} ${error.message}`, /bad_config .*others may write it/)
      }))
  }

  it('an empty folder that others may write is made safe by init', async () => {
    const folder = join(user.folder, 'open')
    await mkdir(folder)
    await user.own(folder)
    await chmod(folder, 0o777)
    assert.equal((await run(['init'], { KEYTURN_HOME: folder })).code, 0)
    assert.equal((await run(['list'], { KEYTURN_HOME: folder })).code, 0)
  })

  it('an audit log that cannot be written stops the rotation, and once it can be the same command goes on', async () => {
    const rotate = ['rotate', 'file:db', '--emergency', '--reason', 'a test']
    const before_ = await readFile(at('secrets/db.json'), 'utf8')
    await chmod(at('audit.jsonl'), 0o400)
    const { code, error } = await run(rotate)
    assert.deepEqual([code, error.code, error.field], [4, 'audit_failed', 'KEYTURN_AUDIT'])
    assert.match(`${error.message}`, /audit\.jsonl cannot be written: permission denied \(EACCES\)/)
    assert.equal(await readFile(at('secrets/db.json'), 'utf8'), before_)
    await chmod(at('audit.jsonl'), 0o600)
    assert.equal((await run(rotate)).body.outcome, 'published')
  })

  it('a path that cannot be: each setting is named', async () => {
    const long = join(user.folder, 'x'.repeat(300))
    const tried = [
      [['init'], { KEYTURN_HOME: '/nowhere/to/be/made' }, 'KEYTURN_HOME'],
      [['init'], { KEYTURN_HOME: long }, 'KEYTURN_HOME'],
      [['list'], { KEYTURN_HOME: long }, 'KEYTURN_HOME'],
      [['list'], { KEYTURN_KEY_FILE: long }, 'KEYTURN_KEY_FILE'],
      [['list'], { KEYTURN_CA_FILE: long }, 'KEYTURN_CA_FILE'],
      [['list'], { KEYTURN_CA_FILE: user.folder }, 'KEYTURN_CA_FILE'],
      [['list'], { KEYTURN_CA_FILE: '/dev/zero' }, 'KEYTURN_CA_FILE'],
      [['policy', 'file:db', 'owner=me'], { KEYTURN_AUDIT: long }, 'KEYTURN_AUDIT'],
      [['get', 'file:db', '--output-file', long], {}, 'output-file'],
      [['config', 'check', '-f', long], {}, 'file'],
      [['get', `file:a${'/'.repeat(90)}`], {}, 'ref'],
    ] as const
    for (const [words, env, field] of tried) {
      const { error } = await run(words, env)
      assert.ok(error.code !== 'internal' && error.code !== undefined, JSON.stringify(error))
      if (field !== 'KEYTURN_AUDIT') assert.equal(error.field, field, JSON.stringify(error))
    }
  })
})

suite('a full disk', whyNoPlainUser(program) || whyNoMount(), ({ it, before, after }) => {
  let user: PlainUser
  let disk: string
  let home: string
  const run = (words: readonly string[], env = {}) => user.run(words, { KEYTURN_HOME: home, ...env }, value)
  const fill = (): void => {
    execFileSync('sh', ['-c', `cat /dev/zero > ${disk}/filler 2>/dev/null || true`])
  }
  const empty = (): Promise<void> => rm(`${disk}/filler`)
  before(async () => {
    user = await PlainUser.open(program)
    disk = join(user.folder, 'disk')
    await mkdir(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0777', 'tmpfs', disk])
    home = join(disk, 'home')
    for (const words of [['init'], ['put', 'file:db'], ['adopt', 'file:db', '--rotator', 'random']])
      assert.equal((await run(words)).code, 0, words.join(' '))
  })
  after(async () => {
    execFileSync('umount', [disk])
    await user.close()
  })

  it('loses nothing: the value before is still read, and with room again the same command goes on', async () => {
    const rotate = ['rotate', 'file:db', '--emergency', '--reason', 'a test']
    const elsewhere = { KEYTURN_AUDIT: join(user.folder, 'audit.jsonl') }
    const before_ = await readFile(join(home, 'secrets/db.json'), 'utf8')
    fill()
    const full = await run(rotate, elsewhere)
    assert.deepEqual([full.code, full.error.code], [75, 'unavailable'], JSON.stringify(full.error))
    assert.match(`${full.error.message} ${full.error.next}`, /the disk is full \(ENOSPC\).*Make room/)
    assert.equal(await readFile(join(home, 'secrets/db.json'), 'utf8'), before_)
    assert.equal((await run(['get', 'file:db'], elsewhere)).code, 0)
    const { error } = await run(['doctor'], elsewhere)
    assert.match(`${error.message} ${error.next}`, /The disk of .*disk\/home is full\. Make room/)
    const logged = await run(rotate)
    assert.deepEqual([logged.code, logged.error.code], [4, 'audit_failed'], JSON.stringify(logged.error))
    assert.match(`${logged.error.message}`, /the disk is full \(ENOSPC\)/)
    await empty()
    assert.equal((await run(rotate)).body.outcome, 'published')
    assert.equal((await run(['audit', 'verify'])).body.torn, 0)
  })

  it('leaves no half of a key or of a revealed value behind', async () => {
    fill()
    const out = join(disk, 'value.json')
    const { error } = await run(['get', 'file:db', '--output-file', out])
    assert.deepEqual([error.code, error.field], ['unavailable', 'output-file'])
    const other = { KEYTURN_HOME: join(disk, 'other') }
    assert.equal((await run(['init'], other)).error.code, 'unavailable')
    await empty()
    assert.equal((await run(['get', 'file:db', '--output-file', out])).code, 0)
    assert.equal((await run(['init'], other)).code, 0)
  })

  it('that was mounted read-only is denied, and what only reads goes on', async () => {
    execFileSync('mount', ['-o', 'remount,ro', disk])
    try {
      assert.equal((await run(['status', 'file:db'])).code, 0)
      const { body } = await run(['doctor'])
      const found = (body.findings as readonly { what: string; level: string; says: string }[]).filter(({ what }) => what.startsWith(disk))
      assert.deepEqual(
        found.map(({ what, level }) => [what.slice(disk.length), level]),
        [
          ['/home', 'wrong'],
          ['/home/key', 'good'],
          ['/home/audit.jsonl', 'wrong'],
        ],
      )
      const { error } = await run(['put', 'file:new'], { KEYTURN_AUDIT: join(user.folder, 'audit.jsonl') })
      assert.deepEqual([error.code], ['denied'])
      assert.match(`${error.message} ${error.next}`, /mounted read-only \(EROFS\).*Mount it writable/)
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', disk])
    }
  })
})

describe('a home of another user', () => {
  const skip = process.getuid?.() === 0 ? false : 'only root can give a folder to another user'

  it('is refused, for root as well: the other user may write it', { skip }, async () => {
    const keyturn = await Keyturn.open(program)
    try {
      await keyturn.ok(['init'])
      await chown(keyturn.home, 65_534, 65_534)
      for (const words of [...commands.filter(([name]) => name !== 'doctor'), ['init']]) {
        const { message, next } = await keyturn.fails(words, 'bad_config', 'KEYTURN_HOME', { stdin: value })
        assert.match(`${message} ${next}`, /belongs to another user \(65534\).*Run as that user/)
      }
      const empty = join(keyturn.folder, 'empty')
      await mkdir(empty)
      await chown(empty, 65_534, 65_534)
      await keyturn.fails(['init', '--home', empty], 'bad_config', 'KEYTURN_HOME')
    } finally {
      await keyturn.close()
    }
  })
})

describe('doctor of a store that is not on this machine', () => {
  let user: PlainUser
  before(async () => {
    user = await PlainUser.open(program)
  })
  after(() => user?.close())

  it('needs no folder and no key of a file store', { skip: whyNoPlainUser(program) }, async () => {
    const aws = {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'none',
      AWS_SECRET_ACCESS_KEY: 'none',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    }
    const { body } = await user.run(['doctor', '--store', 'aws'], aws)
    const about = (body.findings as readonly { readonly what: string; readonly level: string }[]).map(({ what, level }) => [what, level])
    assert.deepEqual(about, [
      [join(user.folder, '.keyturn/audit.jsonl'), 'good'],
      ['KEYTURN_CONFIG', 'good'],
      ['store', 'wrong'],
    ])
  })
})
