import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import pg from 'pg'
import { countsOn, freshLog } from '../harness/pg-log.js'
import { createRole, edgeMajors, onServers } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const ascii63 = 'n'.repeat(63)
const multibyte63 = `${'é'.repeat(31)}x`
const names: readonly (readonly [what: string, name: string])[] = [
  ['63 bytes of ASCII', ascii63],
  ['63 bytes with é', multibyte63],
  ['63 bytes of kanji', '漢'.repeat(21)],
  ['a double quote', 'quo"te'],
  ['two double quotes', '""'],
  ['an apostrophe', "apo's'trophe"],
  ['a backslash', 'back\\slash\\'],
  ['a blank', ' in the middle '],
  ['é composed', 'r\u00e9sum\u00e9'],
  ['é decomposed', 're\u0301sume\u0301'],
  ['a semicolon and a statement', '"; drop role app; --'],
  ['a dollar quote', '$$;$x$'],
  ['a tab and a line break', 'line\tbreak\nhere'],
  ['upper case', 'CamelCase'],
  ['a reserved word', 'user'],
  ['session_user', 'session_user'],
  ['a leading digit', '1st'],
  ['what a URL means something by', 'a@b:c/d?e#f%20&g=h+i'],
  ['an emoji', 'role 🔑'],
]
const tooLong: readonly (readonly [what: string, name: string])[] = [
  ['64 bytes of ASCII', 'n'.repeat(64)],
  ['64 bytes, cut inside é', `${'n'.repeat(62)}é`],
  ['64 bytes of é', 'é'.repeat(32)],
  ['66 bytes of kanji', '漢'.repeat(22)],
]

const forms = ['json', 'url'] as const

onServers(
  'names',
  (suite) => {
    /** A secret in this form; the roles are made by the superuser through the driver's own quoting. */
    const open = async (name: string, form: (typeof forms)[number], password = firstPassword) => {
      const { server } = suite
      const text = `postgresql://${encodeURIComponent(name)}:${encodeURIComponent(password)}@127.0.0.1:${server.port}/postgres?sslmode=disable`
      return PostgresWorld.open(server, form === 'url' ? { text } : { value: { username: name, password } })
    }
    const passwordIn = (text: string): string =>
      text.startsWith('{') ? (JSON.parse(text) as { password: string }).password : decodeURIComponent(new URL(text).password)

    const rotates = async (name: string): Promise<void> => {
      let password = firstPassword
      for (const form of forms) {
        const world = await open(name, form, password)
        await freshLog(suite.server)
        assert.equal((await world.rotate()).outcome, 'published')
        assert.deepEqual(await countsOn(suite.server), { connections: 2, accepted: 2, refused: 0 })
        const next = passwordIn(await world.currentText())
        assert.notEqual(next, password)
        assert.ok(await logsIn(suite.server, name, next))
        assert.ok(!(await logsIn(suite.server, name, password)))
        password = next
      }
    }

    for (const [what, name] of names) {
      it(`a name with ${what} rotates, as JSON and as URL`, async () => {
        await createRole(suite.server, name, firstPassword)
        await rotates(name)
      })
    }

    for (const [what, name] of tooLong) {
      it(`a name of ${what} is refused: the server would mean another role`, async () => {
        const { server } = suite
        for (const form of forms) {
          const world = await open(name, form)
          await freshLog(server)
          await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string }) => {
            assert.deepEqual({ code: cause.code, field: cause.field }, { code: 'bad_value', field: 'username' })
            return true
          })
          assert.equal((await countsOn(server)).connections, 0)
        }
      })
    }

    it('alternate: a name that is cut with _clone at its end is refused, and the base login keeps its password', async () => {
      const { server } = suite
      const policy = { 'keyturn-admin': 'memory:admin', 'keyturn-strategy': 'alternate' }
      for (const name of ['b'.repeat(63), 'b'.repeat(58)]) {
        await createRole(server, name, firstPassword)
        const world = await PostgresWorld.open(server, { policy, value: { username: name } })
        await freshLog(server)
        await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string }) => {
          assert.deepEqual({ code: cause.code, field: cause.field }, { code: 'bad_policy', field: 'keyturn-pair' })
          return true
        })
        assert.equal((await countsOn(server)).connections, 0)
        assert.ok(await logsIn(server, name, firstPassword))
      }
    })

    it('alternate by default names with 57 + 6 bytes', async () => {
      const { server } = suite
      const name = 'c'.repeat(57)
      await createRole(server, name, firstPassword)
      await createRole(server, `${name}_clone`, firstPassword)
      await asSuper(server, `grant ${name} to ${name}_clone`)
      const policy = { 'keyturn-admin': 'memory:admin', 'keyturn-strategy': 'alternate' }
      const world = await PostgresWorld.open(server, { policy, value: { username: name } })
      await world.rotate()
      const { username = '', password = '' } = await world.current()
      assert.equal(username, `${name}_clone`)
      assert.ok(await logsIn(server, username, password))
    })

    it('any name that the server takes rotates', async () => {
      const { server } = suite
      const nasty = fc.constantFrom(
        '"',
        "'",
        '\\',
        ' ',
        ';',
        '$',
        '%',
        '@',
        ':',
        '/',
        '?',
        '#',
        '\n',
        'é',
        'E',
        '--',
        '/*',
        '\u00a0',
        '\u200b',
        '🔑',
        ',',
        '=',
      )
      const character = fc.oneof(nasty, fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }))
      const name = fc
        .array(character, { minLength: 1, maxLength: 15 })
        .map((parts) => parts.join(''))
        .filter((text) => !/^[\t-\r]|[\t-\r]$/.test(text)) // a line break at an edge is refused as one that nobody meant
        .filter(
          (text) => text.isWellFormed() && !text.includes('\0') && Buffer.byteLength(text) <= 63 && !/^(pg_|public$|none$)/.test(text),
        )
      const taken = new Set<string>()
      await fc.assert(
        fc.asyncProperty(name, async (text) => {
          fc.pre(!taken.has(text))
          taken.add(text)
          await asSuper(server, `create role ${pg.escapeIdentifier(text)} login password ${pg.escapeLiteral(firstPassword)}`)
          await rotates(text)
        }),
        { numRuns: 15 },
      )
    })
  },
  undefined,
  edgeMajors,
)
