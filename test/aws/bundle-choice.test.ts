import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadRotator, offeredKinds, type RotatorKind, rotatorKinds } from '../../shared/rotators/registry.js'
import { checkout, handlerName, run } from '../harness/aws-package.js'
import { AwsWorld, functionArn } from '../harness/aws-world.js'
import { LambdaRuntime, nodes } from '../harness/lambda-runtime.js'

const built = 'dist/functions/aws/rotate/index.js'
/** What a rotator brings along: here the title that it gives itself. */
const titles = await Promise.all(rotatorKinds.map(async (kind) => [kind, (await loadRotator(kind)).about.title] as const))

describe('KEYTURN_ROTATORS: what was chosen is in the bundle of a function, and nothing else', () => {
  let folder: string
  before(async () => {
    folder = await checkout()
  })
  after(() => rm(folder, { recursive: true, force: true }))
  const bundled = async (rotators: string): Promise<string> => {
    run(folder, process.execPath, ['scripts/functions.mjs', 'aws'], { KEYTURN_ROTATORS: rotators })
    return readFile(join(folder, built), 'utf8')
  }

  const choices: readonly (readonly [chosen: string, there: readonly RotatorKind[], sdks: readonly string[]])[] = [
    ['postgres', ['postgres'], ['pg']],
    ['rds', ['rds', 'postgres'], ['pg', 'rds']], // which logs in
    ['random', ['random'], []],
    ['jwt, keyring', ['jwt', 'keyring'], []],
  ]
  for (const [chosen, there, sdks] of choices) {
    it(chosen, async () => {
      const text = await bundled(chosen)
      assert.deepEqual(
        titles.flatMap(([kind, title]) => (text.includes(title) ? kind : [])),
        rotatorKinds.filter((kind) => there.includes(kind)),
      )
      assert.deepEqual([text.includes('SCRAM-SHA-256'), text.includes('ModifyDBInstance')], [sdks.includes('pg'), sdks.includes('rds')])
    })
  }

  for (const [cloud, rotator] of [
    ['aws', 'cloud-sql'],
    ['aws', 'azure-flexible-server'],
    ['gcp', 'azure-flexible-server'],
    ['gcp', 'rds'],
  ] as const)
    it(`a rotator that carries the SDK of another cloud is not taken: ${rotator} in a function of ${cloud}`, () => {
      assert.throws(
        () => run(folder, process.execPath, ['scripts/functions.mjs', cloud], { KEYTURN_ROTATORS: rotator }),
        (cause: { stderr?: string }) => cause.stderr?.includes(`functions/${cloud}/rotate would carry what it must not`) === true,
      )
    })

  it('a rotator for trials is not offered', () => {
    assert.throws(
      () => run(folder, process.execPath, ['scripts/functions.mjs', 'aws'], { KEYTURN_ROTATORS: 'memory-a' }),
      (cause: { stderr?: string }) => cause.stderr?.includes(`names memory-a; known are ${offeredKinds.join(', ')}`) === true,
    )
  })

  it('a function knows the rotators that it has: others are neither inferred from a value nor loaded', async () => {
    await bundled('random')
    const task = await mkdtemp(join(tmpdir(), 'keyturn-task-'))
    await cp(join(folder, built), join(task, built))
    const world = await AwsWorld.open({ port: 1 })
    const environment = { SECRETS_MANAGER_ENDPOINT: world.double.endpoint, KEYTURN_SHORT_GRACE: '1' }
    const runtime = await LambdaRuntime.start(nodes[20], task, handlerName, environment)
    try {
      world.double.functions.set(functionArn, (event) => runtime.invoke(event))
      const rotates = async (name: string, value: string, tags: Readonly<Record<string, string>> = {}): Promise<string> => {
        await world.rotate(world.make(name, value, tags))
        return world.double.events.map((event) => event.detail ?? event.name).at(-2) ?? ''
      }
      assert.match(await rotates('inferred', world.value('app')), /names no rotator/)
      const named = await rotates('named', world.value('app'), { 'keyturn-rotator': 'postgres' })
      assert.match(named, /There is no rotator "postgres"\. The nearest known one is random; known are random\./)
      const arn = world.make('key', JSON.stringify({ api_key: 'first-key-0123456789' }), { 'keyturn-rotator': 'random' })
      await world.rotate(arn)
      assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', runtime.printed)
    } finally {
      await runtime.close()
      await world.close()
      await rm(task, { recursive: true })
    }
  })
})
