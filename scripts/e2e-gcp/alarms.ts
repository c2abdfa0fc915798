import { eventsTopic } from '../../test/harness/gcp-fleet.js'
import { entryOf, matches } from '../../test/harness/log-filter.js'
import { readModule, textOf } from '../../test/harness/terraform-module.js'
import { dayMs, minuteMs } from '../e2e-cloud/world.js'
import type { World } from './world.js'

/** How many lines of the functions' logs each metric of infra/terraform/gcp counts. */
export type Counted = Readonly<Record<string, number>>

/** The metrics' filters, over everything that the functions have printed until now. */
export async function countedLines(world: World): Promise<Counted> {
  const { resources } = await readModule('infra/terraform/gcp')
  const lines = [...world.functions].flatMap(([name, { log }]) =>
    log.split('\n').flatMap((line) => (line.startsWith('{"log":') ? [entryOf(`keyturn-${name}`, line)] : [])),
  )
  const named = (filter: string): string => filter.replace(/\$\{google_cloudfunctions2_function\.(\w+)\.name\}/g, 'keyturn-$1')
  const metrics = resources.filter(({ type }) => type === 'google_logging_metric')
  return Object.fromEntries(
    metrics.map(({ name, body }) => {
      const filter = named(textOf(body, 'filter'))
      return [name, lines.filter((line) => matches(filter, line)).length]
    }),
  )
}

/** What somebody has to hear of, once each: a pause that outlasts what is due, a policy that nobody can read, a secret that is stuck, and a message that says nothing. */
export async function makeTrouble(world: World): Promise<void> {
  const { fleet } = world
  const config = JSON.parse(world.read('config')) as object
  const paused = Buffer.from(JSON.stringify({ ...config, paused: true }))
  fleet.double.do('AddSecretVersion', { parent: 'projects/p/secrets/config', payload: { data: paused } })
  fleet.secret('api-key').annotations.set('keyturn-every', 'soon')
  const place = fleet.secret('signing--pending')
  const journal = JSON.parse(place.annotations.get('keyturn-state') ?? '{}') as object
  place.annotations.set('keyturn-state', JSON.stringify({ ...journal, code: 'stuck' }))
  await world.pass(33 * dayMs)
  await fleet.pubsub.publish(eventsTopic, { eventType: 'SECRET_ROTATE' })
  await world.pass(minuteMs)
}
