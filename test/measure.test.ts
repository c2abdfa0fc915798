import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { type FileFacts, factsOf } from '../scripts/measure/facts.js'
import { roomOf } from '../scripts/measure/figures.js'
import { showFigures } from '../scripts/measure/print.js'
import { measure } from '../scripts/measure/read.js'

/** Texts that confuse who looks for quotes, slashes and brackets by a regular expression: the lengths of their lines of code. */
const lines: readonly (readonly [text: string, lengths: readonly number[]])[] = [
  ['', []],
  ['const a = 1\n\n   \n  const b = 2  \n', [11, 11]],
  ['// no\n/* no\n no */\n/** no */ // no\nconst a = 1 // counts\n', [21]],
  ['const a = 1 /* begins\n ends */ + 2\n', [21, 11]],
  ["const a = '// no comment'\nconst b = '/* none'\nconst c = 3\n", [25, 19, 11]],
  ["const a = 'it\\'s // none'\n", [25]],
  ['const a = /[/]\\/\\/* /\n// no\nconst b = 4 / 2 / 1 // counts\n', [21, 29]],
  ['const a = `// none\n\n// none\n`\n', [18, 7, 1]],
  ["const a = `${/* no comment ends the template ` */ `${'}'}` /* } */}// none`\n", [75]],
  ['const a = `${\n  // no\n  1\n}`\n', [13, 1, 2]],
  ['type A = `//${string}`\n// no\n', [22]],
  ['const a = <T,>(b: T) => b\nconst c = a<string>("/*") // */\n', [25, 31]],
  ['const a = 1\r\n// no\r\n', [11]],
  ['const a = 1 // the file ends here', [33]],
]

const functions: readonly (readonly [text: string, found: readonly string[]])[] = [
  ['/** a\n * b */\nexport function f(\n  a: number,\n): void {\n}\n', ['f at 3: 4']],
  ['function f(a: string): void\nfunction f(a: unknown): void {}\n', ['f at 2: 1']],
  ['const f = () =>\n  1\nconst g = (function () {\n}) satisfies unknown\nconst h = f()\n', ['f at 1: 2', 'g at 3: 2']],
  ['run(() => {\n  const inner = () => 1\n})\n', ['inner at 2: 1']],
  ['const rows = {\n  when: () => 1,\n  answer() {\n    return 2\n  },\n}\n', ['when at 2: 1', 'answer at 3: 3']],
  [
    'abstract class A {\n  constructor() {}\n  #b = () => 1\n  get c() { return 1 }\n  static async *d() {}\n  abstract e(): void\n}\n',
    ['constructor at 2: 1', '#b at 3: 1', 'c at 4: 1', 'd at 5: 1'],
  ],
  ['export default function () {}\ninterface B { c(): void }\ntype D = () => void\n', ['default at 1: 1']],
]

const exported: readonly (readonly [text: string, found: readonly string[]])[] = [
  ['/** Says why. */\nexport function f() {}\nexport function g() {}\n', ['f yes', 'g no']],
  ['/** Says why. */\n\nexport class A {}\n/* no doc comment */\nexport class B {}\n/**/\nexport class C {}\n', ['A no', 'B no', 'C no']],
  ['/** Says why. */\n// and this is between\nexport interface A {}\n/** Says why. */ export type B = 1\n', ['A no', 'B yes']],
  ['/**\n * Says why.\n */\nexport const f = () => 1\nexport const b = 1\nconst c = () => 1\n', ['f yes']],
  ['/** Says why. */\nexport function f(a: 1): void\nexport function f(a: 2): void\nexport function f() {}\n', ['f yes']],
  ['/** Says why. */\nconst f = () => 1\nfunction g() {}\nconst h = 1\nexport { f, g as k, h }\n', ['f yes', 'g no']],
  ["export { f } from './b.js'\nexport * from './c.js'\nfunction f() {}\n", []],
  [
    '/** Says why. */\nexport abstract class A {}\nexport type A2 = A\n/** Says why. */\nexport async function f() {}\n',
    ['A yes', 'A2 no', 'f yes'],
  ],
  ["const a = '/** Says why. */'\nexport function f() {}\n", ['f no']],
]

/** Each row's text with its facts and what is expected of them. */
const parsed = <T>(
  rows: readonly (readonly [text: string, expected: T])[],
): readonly (readonly [text: string, facts: FileFacts, expected: T])[] =>
  factsOf(new Map(rows.map(([text], index) => [`cli/${index}.ts`, text]))).map((facts, index) => {
    const row = rows[index]
    assert.ok(row)
    return [row[0], facts, row[1]]
  })

describe('what npm run measure counts', () => {
  it('lines of code', () => {
    for (const [text, { codeLines }, expected] of parsed(lines)) assert.deepEqual(codeLines, expected, text)
  })

  it('functions, with the line where each begins and how many it has', () => {
    for (const [text, facts, expected] of parsed(functions)) {
      const found = facts.functions.map((one) => `${one.name} at ${one.place.replace(`${facts.file}:`, '')}: ${one.lines}`)
      assert.deepEqual(found, expected, text)
    }
  })

  it('exports and their doc comments', () => {
    for (const [text, { exports }, expected] of parsed(exported)) {
      const found = exports.map(({ name, documented }) => `${name} ${documented ? 'yes' : 'no'}`)
      assert.deepEqual(found, expected, text)
    }
  })

  it('nothing of a text that is not TypeScript', () => {
    assert.throws(() => factsOf(new Map([['cli/a.ts', 'const = 1']])), /^Error: cli\/a\.ts cannot be parsed: /)
  })

  it('rooms', () => {
    const rooms = {
      'cli/main.ts': 'cli',
      'cli/commands/rotate.ts': 'cli',
      'functions/aws/rotate.ts': 'functions/aws',
      'shared/core/ports/words.ts': 'shared/core',
      'shared/lifecycle/decide/rows/idle.ts': 'shared/lifecycle/decide',
      'shared/rotators/jwt.ts': 'shared/rotators',
      'shared/rotators/jwt/value.ts': 'shared/rotators/jwt',
    }
    for (const [file, room] of Object.entries(rooms)) assert.equal(roomOf(file), room)
  })
})

/** Three rooms; one function has just the lines that it may have, one has three more. What is in node_modules, other folders or other kinds of file is not measured. */
const folder: Readonly<Record<string, string>> = {
  'cli/main.ts': 'const a = 1\n// no\n',
  'shared/core/a.ts': `/** Says why. */\nexport const a = () => [\n${'  1,\n'.repeat(58)}]\n`,
  'shared/core/deep/b.ts': `export function b() {\n${"  log('0123456789')\n".repeat(61)}}\n`,
  'shared/stores/file/c.ts': "const c = '0123456789012345678'\nconst d = '01234567890123456'\n",
  'shared/core/node_modules/d.ts': 'not measured',
  'shared/core/e.json': '{}',
  'scripts/f.ts': 'not measured',
}

describe('the figures of npm run measure', () => {
  it('of a small folder', async () => {
    const root = await mkdtemp(join(tmpdir(), 'keyturn-measure-'))
    try {
      for (const [file, text] of Object.entries(folder)) {
        await mkdir(dirname(join(root, file)), { recursive: true })
        await writeFile(join(root, file), text)
      }
      const figures = measure(root)
      const b = { name: 'b', place: 'shared/core/deep/b.ts:1', lines: 63 }
      const core = { files: 2, codeLines: 123, longest: b, functionsOver60: 1, documented: 0.5 }
      const small = { files: 1, longest: null, functionsOver60: 0, documented: null }
      assert.deepEqual(figures.rooms, [
        { room: 'cli', ...small, codeLines: 1, charactersALine: 11 },
        { room: 'shared/core', ...core, charactersALine: 9.8 },
        { room: 'shared/stores/file', ...small, codeLines: 2, charactersALine: 30 },
      ])
      const summary = { files: 4, codeLines: 126, rooms: 3, charactersALineInMedianRoom: 11, functions: 2, medianFunctionLines: 61.5 }
      assert.deepEqual(figures.summary, { ...core, ...summary })
      assert.match(showFigures(figures), /^shared\/core +2 +123 +9\.8 +1 +50 % +63 {2}b {2}shared\/core\/deep\/b\.ts:1$/m)
    } finally {
      await rm(root, { recursive: true, force: true })
    }
  })
})
