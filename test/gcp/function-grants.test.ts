import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Grants, Resource } from '../../functions/gcp/needs/form.js'
import { needs } from '../../functions/gcp/needs.js'
import { picked, whole } from '../crash/sample.js'
import { type Acting, acting, FunctionLife, memberOf, names, serviceOf } from '../harness/gcp-function-life.js'
import { type Held, partsOf } from '../harness/gcp-granted.js'

/** Where each kind of resource is in the life of a function. A companion is granted as a secret is. */
const resourcesOf = (name: Acting): Readonly<Partial<Record<Resource, readonly string[]>>> => ({
  secret: [names.secret, names.companion, names.sql],
  place: [names.secret, names.companion, names.sql].map((name) => `${name}--pending`),
  administrator: [names.administrator],
  configuration: [names.configuration],
  project: ['projects/123456789012'],
  'project of Cloud SQL': [names.sqlProject],
  queue: [names.queue],
  'task account': [names.account],
  'dead letters': [names.deadLetters],
  'consumer topics': [names.consumerTopic],
  'own service': [serviceOf(name)],
})

interface Right {
  readonly name: Acting
  readonly kind: Resource
  readonly permission: string
}
function rightsOf(name: Acting, destroysLater: boolean): readonly Right[] {
  const { grants, destroysLater: later }: { readonly grants: Grants; readonly destroysLater?: readonly string[] } = needs[name]
  const all: Grants = destroysLater && later !== undefined ? { ...grants, secret: later } : grants
  return Object.entries(all)
    .map(([kind, permissions]) => ({ kind: kind as Resource, permissions }))
    .flatMap(({ kind, permissions }) => permissions.map((permission) => ({ name, kind, permission })))
}
const heldBy = (rights: readonly Right[]): readonly Held[] =>
  rights.flatMap(({ name, kind, permission }) =>
    (resourcesOf(name)[kind] ?? assert.fail(kind)).map((on) => ({
      member: memberOf(name),
      on,
      condition: undefined,
      permissions: [permission],
    })),
  )
/** All rights of a function where the whole is wanted; else one of twelve by seed, and at least one. */
function drawnOf(name: Acting): readonly Right[] {
  const all = rightsOf(name, false)
  const drawn = all.filter((_, n) => picked(n, whole ? 1 : 12, name))
  return drawn.length > 0 ? drawn : all.slice(-1)
}
const shown = ({ name, kind, permission }: Right): string => `${name}: ${permission} on the ${kind}`

describe('what the functions are granted', () => {
  let life: FunctionLife
  before(async () => {
    life = await FunctionLife.open()
  })
  after(() => life.close())

  for (const destroysLater of whole ? [false, true] : [false])
    it(`is enough for the whole life of a secret, and each of it is used${destroysLater ? ', where destruction is delayed' : ''}`, async () => {
      const rights = acting.flatMap((name) => rightsOf(name, destroysLater))
      const said = await life.live(heldBy(rights), { destroysLater })
      const printed = life.lines.map(({ line }) => JSON.stringify(line))
      assert.deepEqual(
        [...said, ...printed].filter((text) => /denied/.test(text)),
        [],
      )
      const unused = rights.filter((right) => partsOf(heldBy([right])).every((part) => !life.gate.used.has(part)))
      assert.deepEqual(unused.map(shown), [])
    })

  for (const name of acting)
    it(`${name}: each is named in its log where it is missing`, async () => {
      const rights = acting.flatMap((one) => rightsOf(one, false))
      for (const missing of drawnOf(name)) {
        const isNamed = ({ by, line }: (typeof life.lines)[number]): boolean => {
          const text = JSON.stringify(line)
          return by === name && text.includes('denied') && text.includes(missing.permission)
        }
        await life.live(heldBy(rights.filter((one) => one !== missing && shown(one) !== shown(missing))), {
          until: (lines) => lines.some(isNamed),
        })
        assert.ok(life.lines.some(isNamed), shown(missing))
      }
    })
})
