import assert from 'node:assert/strict'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createLocalJWKSet, importJWK, type JSONWebKeySet, type JWK, jwtVerify, SignJWT } from 'jose'
import { Keyturn } from '../harness/cli-process.js'
import { hasPrivateMember } from '../harness/jwt-parties.js'

const program = new URL('../../cli/main.js', import.meta.url)
interface Keys {
  readonly current: { readonly kid: string; readonly private: JWK }
  readonly next: { readonly kid: string; readonly private: JWK }
  readonly previous: { readonly kid: string } | null
}

describe('signing keys from the command line, with their public set in a file and in a second secret', () => {
  let keyturn: Keyturn
  let file = ''
  before(async () => {
    keyturn = await Keyturn.open(program)
    await keyturn.ok(['init'])
    await mkdir(join(keyturn.folder, 'www'))
    file = join(keyturn.folder, 'www', 'jwks.json')
    const companions = {
      web: { content: 'public-set', of: 'file:jwt', at: `path:${file}` },
      set: { content: 'public-set', of: 'file:jwt', at: 'file:jwt-public' },
    }
    await keyturn.ok(['put', 'file:config'], { stdin: JSON.stringify({ companions }) })
    keyturn.env = { KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'file:config' }
    await keyturn.ok(['put', 'file:jwt'], { stdin: '{}' })
    await keyturn.ok(['put', 'file:jwt-public'], { stdin: '{}' })
    const short = ['verifiers=refetch=1s', 'max-age=1s', 'propagation=1s', 'skew=1s', 'token-ttl=1s', 'grace=1s', 'algorithm=EdDSA']
    await keyturn.ok(['adopt', 'file:jwt', '--rotator', 'jwt', 'companions=web set', ...short])
  })
  after(() => keyturn?.close())
  const keys = async () => JSON.parse(await keyturn.value('jwt')) as Keys
  const set = async () => JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet
  /** Whoever reads the file accepts what the signer signs. */
  const accepted = async () => {
    const { current } = await keys()
    const token = await new SignJWT({ sub: 'a' })
      .setProtectedHeader({ alg: 'EdDSA', kid: current.kid })
      .sign(await importJWK(current.private, 'EdDSA'))
    return jwtVerify(token, createLocalJWKSet(await set()))
  }

  it('the first rotation fills all three places; tokens are accepted by who reads the file', async () => {
    await keyturn.ok(['rotate', 'file:jwt'])
    await accepted()
    const { current, next } = await keys()
    assert.deepEqual(
      (await set()).keys.map(({ kid }) => kid),
      [current.kid, next.kid],
    )
    assert.equal(await keyturn.value('jwt-public'), await readFile(file, 'utf8'))
    assert.ok(!hasPrivateMember(await readFile(file, 'utf8')))
    assert.equal((await stat(file)).mode & 0o777, 0o644)
  })

  it('the next one is held until verifiers know the next key; then each key moves on by one', async () => {
    // With times that no machine is too slow to see.
    const long = ['verifiers=refetch=1s', 'max-age=10m', 'propagation=10m', 'skew=1s', 'token-ttl=10m', 'grace=10m', 'algorithm=EdDSA']
    await keyturn.ok(['put', 'file:held'], { stdin: '{}' })
    await keyturn.ok(['adopt', 'file:held', '--rotator', 'jwt', ...long])
    await keyturn.ok(['rotate', 'file:held'])
    const error = await keyturn.fails(['rotate', 'file:held'], 'held')
    assert.match(error.message, /may not sign before|stays valid for another/)
    keyturn.clock?.setAhead(3200)
    const before_ = await keys()
    await keyturn.ok(['policy', 'file:jwt', 'token-ttl=10m']) // the way back stays open, however slow this machine is
    await keyturn.ok(['rotate', 'file:jwt'])
    await accepted()
    assert.equal((await keys()).current.kid, before_.next.kid)
    assert.equal((await set()).keys.length, 3)
    const { consumers, type } = await keyturn.ok(['status', 'file:jwt'])
    assert.equal(type, 'jwt')
    assert.deepEqual(
      (consumers as { consumer: string; phase: string }[]).map(({ consumer, phase }) => `${consumer} ${phase}`),
      ['web drained', 'set drained'],
    )
  })

  it('somebody writes the public set past us: the next sweep reports it and writes it again; a rollback publishes the set first, too', async () => {
    const right = await keyturn.value('jwt-public')
    await keyturn.ok(['put', 'file:jwt-public'], { stdin: '{"keys":[]}' })
    assert.match(JSON.stringify(await keyturn.ok(['sweep'])), /set: file:jwt-public had drifted and was written again/)
    assert.equal(await keyturn.value('jwt-public'), right)
    await keyturn.ok(['rollback', 'file:jwt', '--reason', 'a test'])
    await accepted()
  })

  it('an emergency: both keys are new, and who refuses them for how long is said; no private half is anywhere it should not be', async () => {
    const before_ = await keys()
    await keyturn.ok(['policy', 'file:jwt', 'token-ttl=1s'])
    const { differences } = await keyturn.ok(['rotate', 'file:jwt', '--emergency', '--reason', 'it leaked'])
    assert.match(JSON.stringify(differences), /verifier refetch=1s.*refused for up to 1 s/)
    await accepted()
    const now = await keys()
    const text = await readFile(file, 'utf8')
    for (const { kid } of [before_.current, before_.next]) assert.ok(!text.includes(kid))
    const audit = await readFile(keyturn.audit, 'utf8')
    for (const { private: key } of [before_.current, before_.next, now.current, now.next])
      assert.ok(key.d && !text.includes(key.d) && !audit.includes(key.d))
  })

  it('a folder that is not there: nothing is published, by the name of the companion', async () => {
    const before_ = await keyturn.value('jwt')
    const wrong = {
      companions: { web: { content: 'public-set', of: 'file:jwt', at: `path:${join(keyturn.folder, 'nowhere', 'jwks.json')}` } },
    }
    await keyturn.ok(['put', 'file:config'], { stdin: JSON.stringify(wrong) })
    await keyturn.ok(['policy', 'file:jwt', 'companions=web'])
    keyturn.clock?.setAhead(3200)
    await keyturn.fails(['rotate', 'file:jwt'], 'delivery_failed', 'companions.web.at')
    assert.equal(await keyturn.value('jwt'), before_)
  })
})
