import assert from 'node:assert/strict'
import { type AwsWorld, functionArn } from './aws-world.js'

/** The service tries again with the same token · somebody starts a rotation · somebody takes AWSPENDING away and starts one. */
export const ways = ['service', 'anew', 'stripped'] as const
export type Way = (typeof ways)[number]
export type Trouble = 'before' | 'after' | 'tags deleted'
const laterMs = 2 * 3_600_000

export interface Point {
  readonly at: number
  readonly of: 'call' | 'message'
}
/** One function instance that dies at one call of the service or one message to the database, before or after it got through. */
export class Doomed {
  calls = 0
  messages: string[] = []
  dead = false
  readonly point: Point | undefined
  readonly trouble: Trouble
  readonly onTags: () => void
  constructor(point: Point | undefined, trouble: Trouble, onTags: () => void) {
    this.point = point
    this.trouble = trouble
    this.onTags = onTags
  }
  #meets(of: 'call' | 'message', count: number): boolean {
    return this.point?.of === of && this.point.at === count
  }
  call(): 'cut' | 'drop' | undefined {
    if (this.dead) return 'cut'
    if (!this.#meets('call', this.calls++)) return undefined
    if (this.trouble === 'tags deleted') {
      this.onTags()
      return undefined
    }
    this.dead = true
    return this.trouble === 'before' ? 'cut' : 'drop'
  }
  message(text: string): 'before' | 'after' | 'never' {
    if (this.dead) return 'before'
    const met = this.#meets('message', this.messages.length)
    this.messages.push(text.includes('ALTER ROLE') ? 'ALTER ROLE' : 'other')
    if (!met || this.trouble === 'tags deleted') return 'never'
    this.dead = true
    return this.trouble
  }
}

/** The instance that comes after a dead one lives. */
export function reviving(world: AwsWorld, doomed: () => Doomed | undefined, revived: () => void): void {
  const inner = world.invoke.bind(world)
  world.double.functions.set(functionArn, async (event) => {
    if (doomed()?.dead) {
      revived()
      world.crash()
    }
    return inner(event)
  })
}

/** After a death, and a while. */
export async function goOn(world: AwsWorld, arn: string, way: Way): Promise<void> {
  const secret = world.double.find({ SecretId: arn })
  world.skewMs += laterMs
  if (secret.rotation.inFlight === undefined) return // it ended, whatever its last answer said
  if (way === 'service') return world.again(arn)
  if (way === 'stripped') {
    for (const version of secret.versions.values()) version.stages.delete('AWSPENDING')
    delete secret.rotation.inFlight
  }
  await world.rotate(arn).catch((cause: Error) => assert.match(cause.message, /reattempted/))
  await world.double.settled()
}
