import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { keyValues } from '../../cli/key-values.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt, changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

/** A line of a shell, as the pages write it: words, quotes, a here-string. */
const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, a?: string, b?: string) => a ?? b ?? ''),
  )
const linesOf = (page: string): readonly (readonly string[])[] =>
  [...readFileSync(page, 'utf8').matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .map((line) => line.replace(/ +#.*$/, ''))
      .filter((line) => line.startsWith('keyturn '))
      .map(wordsOf),
  )

/** Each secret of a page is put and adopted as the page says, and rotated where nobody outside has to be asked. */
async function runPage(page: string): Promise<readonly string[]> {
  const world = new SelfIssuedWorld(page)
  const rotated: string[] = []
  const withAdmin = (deps: Deps): Deps => ({
    ...deps,
    readAdmin: async (text) => {
      const ref = await world.main.resolve(text.replace('file:', 'memory:'))
      return { ref, value: new SecretText(await world.text(ref)) }
    },
  })
  for (const [, command = '', named = '', ...rest] of linesOf(page)) {
    const name = named.replace(/^file:/, '').replace(/#.*$/, '')
    if (command === 'put') await world.main.create(name, new SecretText(rest.at(-1) ?? ''), {})
    if (command !== 'adopt') continue
    const at = rest.indexOf('--rotator')
    const words = at < 0 ? rest : rest.filter((_, index) => index !== at && index !== at + 1)
    const asked = keyValues(words) as Policy
    const companions = asked['keyturn-companions'] === undefined ? {} : { 'keyturn-companions': 'none' } // they stand in the configuration
    const admin = asked['keyturn-admin'] === undefined ? {} : { 'keyturn-admin': asked['keyturn-admin'].replace('file:', 'memory:') }
    const policy = { ...asked, ...companions, ...admin, ...(at < 0 ? {} : { 'keyturn-rotator': rest[at + 1] ?? '' }) }
    const ref = await world.main.resolve(name)
    if (/postgres/.test(JSON.stringify(policy))) {
      await world.act((deps) => changePolicy(withAdmin(deps), world.main, ref.shown, policy))
      continue
    }
    await world.act((deps) => adopt(deps, world.main, ref.shown, policy))
    world.env.time += dayMs
    const before = await world.text(ref)
    await world.rotate(ref)
    assert.notEqual(await world.text(ref), before, name)
    rotated.push(name)
  }
  return rotated
}

describe('what the pages show can be done as it stands', () => {
  it('docs/examples.md: every secret of the three systems', async () => {
    const rotated = await runPage('docs/examples.md')
    assert.deepEqual(rotated, ['temporal-jwt', 'temporal-api-keys', 'temporal-webhooks', 'erlmcp-encryption', 'erlmcp-cache', 'kratos'])
  })
  for (const [page, names] of [
    ['docs/random.md', ['api-key']],
    ['docs/keyring.md', ['data']],
    ['docs/jwt.md', ['jwt']],
  ] as const)
    it(page, async () => assert.deepEqual(await runPage(page), names))
})
