import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Issuer, Late, type Token, Verifier } from '../../test/harness/jwt-parties.js'
import { repository } from '../../test/harness/repository.js'
import { type CloudWorld, hourMs, minuteMs } from './world.js'

const lateMs = 5 * minuteMs
const python = join(repository, '.cache/moto/bin/python')
const script = `
import json, sys, jwt
for one in json.load(sys.stdin):
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.loads(one["set"])).keys}
    key = keys.get(jwt.get_unverified_header(one["token"])["kid"])
    try:
        if key is None: raise jwt.InvalidKeyError("unknown")
        jwt.decode(one["token"], key.key, algorithms=["ES256"], options={"verify_exp": False, "verify_iat": False})
        print("accepted")
    except jwt.PyJWTError:
        print("refused")
`

/** Who signs with the secret, and verifiers who know nothing but the URL of the function `jwks`: three kinds that are as late as the policy says, and PyJWT. */
export class Tokens {
  issued = 0
  refused = 0
  /** The kids that signed. */
  readonly kids = new Set<string>()
  readonly #world: CloudWorld
  readonly #secret: Late
  readonly #set: Late
  readonly #issuers: readonly Issuer[]
  readonly #verifiers: readonly Verifier[]
  readonly #foreign: { readonly token: string; readonly set: string }[] = []
  #open: readonly Token[] = []
  constructor(world: CloudWorld) {
    this.#world = world
    this.#secret = new Late(async () => world.read('signing'))
    this.#set = new Late(() => served(world))
    this.#issuers = [new Issuer(this.#secret, 0), new Issuer(this.#secret, lateMs)]
    this.#verifiers = [
      new Verifier('ticker', 4 * hourMs, this.#set, lateMs, 0),
      new Verifier('max-age', 5 * minuteMs, this.#set, lateMs, 0),
      new Verifier('refetch', 30_000, this.#set, lateMs, 0),
    ]
  }

  /** Everybody reads, signs and verifies. */
  async look(): Promise<void> {
    const now = this.#world.now()
    await this.#secret.look(now)
    await this.#set.look(now)
    const fresh = await Promise.all(this.#issuers.map((issuer) => issuer.issue(now, hourMs)))
    this.issued += fresh.length
    this.#open = [...this.#open.filter(({ expiresAt }) => expiresAt > now), ...fresh]
    for (const { text } of this.#open) for (const verifier of this.#verifiers) if (!(await verifier.accepts(text, now))) this.refused++
    for (const { text } of fresh) {
      const kid = String((JSON.parse(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid)
      if (!this.kids.has(kid)) this.#foreign.push({ token: text, set: this.#set.newest })
      this.kids.add(kid)
    }
  }

  /** How many first tokens of a key PyJWT refused by the set that was served then; undefined where it is not installed. */
  foreignRefused(): number | undefined {
    if (!existsSync(python)) return undefined
    const { stdout, stderr } = spawnSync(python, ['-c', script], { input: JSON.stringify(this.#foreign), encoding: 'utf8' })
    const answers = stdout.trim().split('\n')
    if (stderr !== '' || answers.length !== this.#foreign.length) throw new Error(`PyJWT failed: ${stderr}`)
    return answers.filter((answer) => answer !== 'accepted').length
  }
}

async function served(world: CloudWorld): Promise<string> {
  const answer = await fetch(`${world.setUrl}/.well-known/jwks.json`)
  if (answer.status !== 200) throw new Error(`jwks answered ${answer.status}`)
  return answer.text()
}
