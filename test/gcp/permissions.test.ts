import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { principals } from '../../shared/core/ports/permissions.js'
import { type Held, partsOf } from '../harness/gcp-granted.js'
import { LifeUnderGrants, members, type Variant } from '../harness/gcp-life.js'

const plain: Variant = { parent: 'projects/p', destroysLater: false }
const variants: Readonly<Record<string, Variant>> = {
  'a secret': plain,
  'a secret that delays destruction': { ...plain, destroysLater: true },
  'a secret that goes by its alias': { ...plain, byAlias: true },
  'a regional secret': { ...plain, parent: 'projects/p/locations/europe-west1' },
  'a secret of a project by its number': { ...plain, parent: 'projects/123456789012' },
}
const without = (held: readonly Held[], of: Held, permission: string): readonly Held[] =>
  held.map((one) => (one === of ? { ...one, permissions: one.permissions.filter((each) => each !== permission) } : one))

describe('the printed permissions', () => {
  let life: LifeUnderGrants
  before(async () => {
    life = await LifeUnderGrants.open()
  })
  after(() => life.close())
  const heldFor = (variant: Variant, to: (typeof principals)[number]): readonly Held[] => {
    const person = life.granted(variant, 'person')
    return to === 'person' ? person : [...person, ...life.granted(variant, to)]
  }

  for (const [name, variant] of Object.entries(variants))
    for (const to of principals) {
      it(`of a ${to} are enough for the whole life of ${name}, and each of them is used`, async () => {
        const held = heldFor(variant, to)
        const said = await life.live(variant, to, held)
        assert.deepEqual(
          said.filter((text) => !/^(retired|undefined): |^planned /.test(text)),
          [],
        )
        const mine = partsOf(held.filter(({ member }) => member === members[to]))
        assert.deepEqual(
          mine.filter((part) => !life.gate.used.has(part)),
          [],
        )
      })
    }

  for (const to of principals)
    it(`of a ${to} are each named by the error where one of them is missing`, async () => {
      const held = heldFor(plain, to)
      const mine = held.filter(({ member }) => member === members[to])
      assert.ok(mine.length > 0)
      for (const one of mine)
        for (const permission of one.permissions) {
          const said = await life.live(plain, to, without(held, one, permission))
          const refusals = said.filter((text) => text.includes('denied'))
          assert.ok(
            refusals.length > 0 && refusals.every((text) => text.includes(permission)),
            `${one.on} ${permission}: ${said.join('; ')}`,
          )
        }
    })

  for (const [name, variant] of Object.entries(variants))
    it(`reach no other secret than ${name} and those it needs; on its staging place a consumer has nothing`, async () => {
      await life.live(variant, 'consumer', heldFor(variant, 'consumer'))
      const parent = variant.parent.replace(/^projects\/p/, 'projects/123456789012')
      const all = partsOf(heldFor(variant, 'function')).map((part) => part.split(' ').at(-1) ?? '')
      const names = [...life.double.secrets.keys()]
      assert.ok(names.includes(`${parent}/secrets/db--pending`))
      const others = ['db2', 'd', 'db-x', 'db--pending2', 'db--pending-x'].map((one) => `${parent}/secrets/${one}`)
      for (const other of others) life.makeAlike(other, `${parent}/secrets/db`)
      for (const to of principals) {
        life.gate.held = heldFor(variant, to)
        life.gate.acting = members[to]
        for (const permission of new Set(all.filter((one) => !/secrets\.(list|create)$/.test(one)))) {
          for (const other of to === 'consumer' ? [...others, `${parent}/secrets/db--pending`] : others)
            for (const resource of [other, `${other}/versions/1`])
              assert.deepEqual(life.gate.allowing(permission, resource), [], `${to} ${permission} ${resource}`)
          assert.deepEqual(life.gate.allowing(permission, 'projects/123456789012'), [])
        }
      }
    })

  it('of a consumer are to read the value of that secret, and nothing else', () => {
    const consumer = life.granted(plain, 'consumer')
    assert.deepEqual(
      consumer.map(({ on, permissions, condition }) => ({ on, permissions, condition })),
      [{ on: 'projects/123456789012/secrets/db', permissions: ['secretmanager.versions.access'], condition: undefined }],
    )
  })
})
