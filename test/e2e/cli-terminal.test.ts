import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { canary } from '../harness/cli-canary.js'
import { Keyturn } from '../harness/cli-process.js'
import { whyNoTerminal } from '../harness/programs.js'
import { suite } from '../harness/suite.js'

const program = new URL('../../cli/main.js', import.meta.url)

describe('values come in by stdin, a file or a prompt, and go out unchanged', () => {
  let keyturn: Keyturn
  let names = 0
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
  })
  after(() => keyturn?.close())

  /** What is stored after a put of these bytes, from stdin and from a file. */
  const kept = async (value: string | Buffer): Promise<string> => {
    const [piped, read, dashed] = [`piped-${++names}`, `read-${names}`, `dashed-${names}`]
    await keyturn.ok(['put', `file:${piped}`], { stdin: value })
    await keyturn.ok(['put', `file:${read}`, '--file', await keyturn.file(value)])
    await keyturn.ok(['put', `file:${dashed}`, '--file', '-'], { stdin: value })
    const stored = await keyturn.value(piped)
    assert.equal(await keyturn.value(read), stored)
    assert.equal(await keyturn.value(dashed), stored)
    return stored
  }

  it('one line end at the end is left away, and nothing else', async () => {
    assert.equal(await kept('a value\n'), 'a value')
    assert.equal(await kept(' two\r\nlines \r\n'), ' two\r\nlines ')
    assert.equal(await kept('value\n\n'), 'value\n')
    assert.equal(await kept('value\t\u00a0'), 'value\t\u00a0')
  })

  it('every character of Unicode comes back as it was', async () => {
    const odd = `${canary('Odd')}\u0000\u0001 äöü u\u0308 漢字 🔑 '"\\%`
    assert.equal(await kept(odd), odd)
  })

  it('bytes that are no UTF-8 come back as they were or are refused, never as something else', async () => {
    const bytes = Buffer.from('Passw\xf6rd-in-latin-1', 'latin1')
    const path = await keyturn.file(bytes)
    for (const [name, words, stdin] of [
      ['latin-file', ['--file', path], ''],
      ['latin-stdin', [], bytes],
    ] as const) {
      const { body, error } = await keyturn.json(['put', `file:${name}`, ...words], { stdin })
      if (body.ok !== true) assert.equal(error?.code, 'bad_value')
      else assert.deepEqual(Buffer.from(await keyturn.value(name)), bytes, 'the value was changed on the way in, and put said ok')
    }
  })

  it('nothing, or a line end alone, is no value; a file that is none is named', async () => {
    for (const stdin of ['', '\n', '\r\n']) await keyturn.fails(['put', 'file:none'], 'bad_value', 'value', { stdin })
    for (const file of [`${keyturn.folder}/nowhere`, keyturn.folder, '']) {
      await keyturn.fails(['put', 'file:none', '--file', file], 'bad_event', 'file', { stdin: 'not this one' })
    }
    await keyturn.fails(['get', 'file:none'], 'not_found', 'ref')
  })

  suite('in a terminal', whyNoTerminal(), ({ it }) => {
    const prompt = 'not shown'

    it('the prompt names the secret and shows nothing of what is typed', async () => {
      const typed = canary('Typed')
      const { code, stdout } = await keyturn.terminal(['put', 'file:typed'], [[prompt, `${typed}\r`]])
      assert.equal(code, 0, stdout)
      assert.match(stdout, /^Value of file:typed \(not shown\): \r\nfile:typed is stored/)
      assert.ok(!stdout.includes(typed) && !stdout.includes(typed.slice(0, 8)))
      assert.equal(await keyturn.value('typed'), typed)
    })

    it('backspace takes one character back, also one of two UTF-16 units', async () => {
      await keyturn.terminal(['put', 'file:corrected'], [[prompt, 'abx\u007fc🔑\u007fü\u007f\u007fd\r']])
      assert.equal(await keyturn.value('corrected'), 'abd')
    })

    it('Ctrl-C at the prompt stores nothing and says so', async () => {
      const { code, stdout } = await keyturn.terminal(['put', 'file:stopped'], [[prompt, 'half a val\u0003']])
      assert.equal(code, 2)
      assert.match(stdout, /bad_event \(value\): No value was given/)
      assert.ok(!stdout.includes('half'))
      await keyturn.fails(['get', 'file:stopped'], 'not_found', 'ref')
    })

    it('Ctrl-D at the prompt ends or stops the typing; it is no part of the value', async () => {
      const { code } = await keyturn.terminal(['put', 'file:ended'], [[prompt, 'a value\u0004\r']])
      if (code === 0) assert.equal(await keyturn.value('ended'), 'a value')
      else assert.equal(code, 2)
    })

    it('a value of several lines is kept whole or refused at the prompt, not cut after its first line', async () => {
      const text = '{\r  "engine": "postgres",\r  "password": "Pasted-0123456789"\r}\r'
      const { code } = await keyturn.terminal(['put', 'file:pasted'], [[prompt, text]])
      if (code === 0) assert.equal((await keyturn.value('pasted')).replaceAll('\r', '\n').trim(), text.replaceAll('\r', '\n').trim())
      else assert.equal(code, 2)
    })

    it('get --reveal shows the value in a terminal and nothing beside it; with --json it is refused', async () => {
      const value = canary('Shown')
      await keyturn.ok(['put', 'file:shown'], { stdin: value })
      assert.deepEqual((await keyturn.terminal(['get', 'file:shown', '--reveal'])).stdout, `${value}\r\n`)
      const { code, stdout } = await keyturn.terminal(['--json', 'get', 'file:shown', '--reveal'])
      assert.equal(code, 2)
      assert.equal((JSON.parse(stdout) as { error: { field: string } }).error.field, 'reveal')
      assert.ok(!stdout.includes(value))
    })
  })
})
