import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sampler } from '../crash/sample.js'
import { Doomed, goOn, reviving, type Way } from '../harness/aws-doomed.js'
import { AwsWorld } from '../harness/aws-world.js'
import { hasPrivateMember } from '../harness/jwt-parties.js'

interface Keys {
  readonly current?: { readonly kid: string }
  readonly next?: { readonly kid: string }
  readonly previous?: { readonly kid: string } | null
}
const kidsIn = (text: string): string[] => ((JSON.parse(text) as { keys?: { kid: string }[] }).keys ?? []).map(({ kid }) => kid)
const hour = 3_600_000

/** Signing keys with their public set in a second secret: the function is killed at each call to either. */
describe('the rotation function dies between a secret and its companion', () => {
  let doomed: Doomed | undefined

  async function open() {
    const world = await AwsWorld.open({ port: 1 }, { remainingMs: 60_000, environment: { KEYTURN_CONFIG: 'aws:config' } })
    const put = (name: string, value: string): string =>
      String(world.double.do('CreateSecret', { Name: name, SecretString: value, ClientRequestToken: world.double.newId() }).ARN)
    const companion = put('jwks', '{}')
    put('config', JSON.stringify({ companions: { jwks: { content: 'public-set', of: 'aws:jwt', at: companion } } }))
    world.double.mayList = (id) => id === companion
    const tags = { 'keyturn-rotator': 'jwt', 'keyturn-algorithm': 'EdDSA', 'keyturn-companions': 'jwks', 'keyturn-grace': '1s' }
    const arn = world.make('jwt', '{}', tags)
    await world.rotate(arn)
    world.skewMs += 3 * hour
    reviving(
      world,
      () => doomed,
      () => {
        doomed = undefined
      },
    )
    const keys = (): Keys => JSON.parse(world.valueOf(arn)) as Keys
    /** At every moment: who signs with current is understood, and nothing private is public. */
    const check = (what: string): void => {
      const set = world.valueOf(companion)
      assert.ok(!hasPrivateMember(set), what)
      const { current } = keys()
      assert.ok(current === undefined || kidsIn(set).includes(current.kid), `${what}: the key that signs is not in the set`)
    }
    let busy = false
    world.double.fault = () => {
      if (!busy) {
        busy = true
        check('before a call')
        busy = false
      }
      return doomed?.call()
    }
    return { world, arn, companion, keys, check }
  }

  async function callsOfOne(): Promise<number> {
    const { world, arn } = await open()
    doomed = new Doomed(undefined, 'before', () => {})
    await world.rotate(arn)
    const { calls } = doomed
    await world.close()
    return calls
  }

  for (const way of ['service', 'anew'] as const satisfies readonly Way[]) {
    it(`at each call, before and after it; gone on with: ${way}`, async () => {
      const calls = await callsOfOne()
      assert.ok(calls > 10, `${calls} calls`)
      const sample = sampler(4)
      for (let at = 0; at < calls; at++) {
        for (const trouble of (['before', 'after'] as const).filter(sample.take)) {
          const { world, arn, companion, keys, check } = await open()
          const what = `${trouble} call ${at}, ${way}`
          const before = keys()
          doomed = new Doomed({ of: 'call', at }, trouble, () => {})
          await world.rotate(arn)
          if (doomed?.dead) doomed = undefined
          world.crash()
          check(what)
          await goOn(world, arn, way)
          check(what)
          const now = keys()
          assert.equal(world.double.find({ SecretId: arn }).rotation.inFlight, undefined, `${what}: it ended`)
          // One that was done, though its last answer was lost, is followed by another.
          const moved = [now.current?.kid, ...(way === 'anew' ? [now.previous?.kid] : [])]
          assert.ok(moved.includes(before.next?.kid), what)
          assert.deepEqual(
            kidsIn(world.valueOf(companion)),
            [now.current, now.next, now.previous].flatMap((key) => key?.kid ?? []),
            what,
          )
          await world.close()
        }
      }
    })
  }
})
