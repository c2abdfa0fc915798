import type { AnyRotator, Context, Sessions } from '../../shared/core/ports/rotator.js'
import type { Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import type { PostgresWorld } from './postgres-world.js'

export interface Direct {
  readonly rotator: AnyRotator & Pick<Sessions<unknown>, 'usage'>
  readonly context: Context<unknown>
  parse(fields: Readonly<Record<string, unknown>>): unknown
}

/** The rotator without the lifecycle in front: for what no rotation calls yet. */
export async function direct(world: PostgresWorld): Promise<Direct> {
  const rotator = await loadRotator('postgres')
  const { sessions } = rotator
  if (!sessions) throw new Error('The rotator of PostgreSQL has lost its sessions.')
  const { policy } = await world.store.describe(world.ref)
  const text = await world.currentText()
  const parse = (fields: Readonly<Record<string, unknown>>) =>
    rotator.parse(new SecretText(JSON.stringify({ ...(JSON.parse(text) as Record<string, unknown>), ...fields })), policy)
  const admin =
    policy['keyturn-admin'] === undefined ? {} : { admin: await world.deps().readAdmin(policy['keyturn-admin'], async () => undefined) }
  const context: Context<unknown> = {
    ref: world.ref,
    token: 'token-0123456789-0123456789-abcdef' as Token,
    policy,
    current: rotator.parse(new SecretText(text), policy),
    deadline: world.env.now() + 60_000,
    live: [],
    env: world.env,
    ...admin,
  }
  return { rotator: { ...rotator, usage: (asked, id) => sessions.usage(asked, id) }, context, parse }
}
