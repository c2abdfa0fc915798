import assert from 'node:assert/strict'
import { principals } from '../../shared/core/ports/permissions.js'
import { permissionsOf } from '../../shared/stores/azure-key-vault/permissions.js'
import { fewer, sampler } from '../crash/sample.js'
import { containerId, type Held, partsOf, secretId, vaultId } from '../harness/azure-granted.js'
import { granted, LifeUnderGrants, members, placeVault, type Variant } from '../harness/azure-life.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

const variants: Readonly<Record<string, Variant>> = {
  'a secret': { configured: 'app' },
  'a secret with its staging place in a second vault': { configured: 'app', staging: 'staging' },
  'a secret whose configuration is in another vault': { configured: 'other' },
  'a secret whose configuration and staging place are each elsewhere': { configured: 'other', staging: 'staging' },
}
const without = (held: readonly Held[], of: Held, permission: string): readonly Held[] =>
  held.map((one) => (one === of ? { ...one, permissions: one.permissions.filter((each) => each !== permission) } : one))
/** As an error names it. */
const shortOf = (permission: string): string => permission.replace(/^.*\/(?=secrets\/|blobs\/|containers\/write)/, '')

suite('the printed permissions of Azure', azuriteSkip, ({ it, after }) => {
  const life = new LifeUnderGrants()
  after(() => life.stop())
  const heldFor = (variant: Variant, to: (typeof principals)[number]): readonly Held[] => {
    const person = granted(variant, 'person')
    return to === 'person' ? person : [...person, ...granted(variant, to)]
  }

  const draw = sampler(fewer)
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

      it(`of a ${to} are each named by the error where one of them is missing, for ${name}`, async () => {
        const held = heldFor(variant, to)
        const mine = held.filter(({ member }) => member === members[to])
        assert.ok(mine.length > 0)
        for (const one of mine)
          for (const permission of one.permissions) {
            if (!draw.take()) continue
            const said = await life.live(variant, to, without(held, one, permission))
            const refusals = said.filter((text) => text.includes('denied'))
            assert.ok(
              refusals.length > 0 && refusals.every((text) => text.includes(shortOf(permission))),
              `${one.on} ${permission}: ${said.join('; ')}`,
            )
            for (const [, refText = ''] of refusals.join('\n').matchAll(/keyturn permissions (azure:\S+)/g))
              assert.notEqual(
                permissionsOf({ refText, principals, destroysLater: false }, {}).shown,
                '',
                'what the error advises can be done',
              )
          }
      })
    }

  for (const [name, variant] of Object.entries(variants))
    it(`of a function and a consumer reach no value of a secret but ${name} and those it needs; a consumer none of its staging place`, async () => {
      await life.live(variant, 'function', heldFor(variant, 'function'))
      const { double } = life.services
      const others = ['db2', 'd', 'db-x', 'db-pending2', 'db-pending-x'].flatMap((one) =>
        ['app', 'other', 'staging'].map((vault) => {
          double.writeForeign(one, 'of others', {}, vault)
          return secretId(vault, one)
        }),
      )
      const place = secretId(placeVault(variant), 'db-pending')
      const ofValues = ['getSecret', 'setSecret', 'update', 'recover'].map((one) => `Microsoft.KeyVault/vaults/secrets/${one}/action`)
      for (const to of ['function', 'consumer'] as const) {
        Object.assign(life.gate, { held: heldFor(variant, to), acting: members[to] })
        for (const permission of ofValues)
          for (const resource of [...others, ...['app', 'other', 'staging'].map(vaultId), ...(to === 'consumer' ? [place] : [])])
            assert.deepEqual(life.gate.allowing(permission, resource), [], `${to} ${permission} ${resource}`)
      }
      assert.deepEqual(life.gate.allowing('Microsoft.KeyVault/vaults/secrets/readMetadata/action', place), [])
      Object.assign(life.gate, { held: heldFor(variant, 'function'), acting: members.function })
      assert.notDeepEqual(life.gate.allowing(ofValues[0] ?? '', place), [])
    })

  it('of a function are never to delete, purge or recover a secret, nor to make a container', () => {
    const names = Object.values(variants).flatMap((variant) => granted(variant, 'function').flatMap(({ permissions }) => permissions))
    assert.deepEqual([...new Set(names.map(shortOf))].sort(), [
      'blobs/read',
      'blobs/write',
      'secrets/getSecret/action',
      'secrets/readMetadata/action',
      'secrets/setSecret/action',
      'secrets/update/action',
    ])
  })
  it('of a person are never to delete or purge a secret, and are in the storage account on the one container', () => {
    const held = Object.values(variants).flatMap((variant) => granted(variant, 'person'))
    assert.deepEqual(
      partsOf(held).filter((part) => /secrets\/(delete|purge)/.test(part)),
      [],
    )
    const stored = held.filter(({ on }) => on.includes('Microsoft.Storage'))
    assert.deepEqual([...new Set(stored.map(({ on }) => on))], [containerId('keyturnjournals', 'keyturn')])
  })
  it('of a consumer are to read the value of that secret, and nothing else', () => {
    for (const variant of Object.values(variants))
      assert.deepEqual(granted(variant, 'consumer'), [
        { member: members.consumer, on: secretId('app', 'db'), permissions: ['Microsoft.KeyVault/vaults/secrets/getSecret/action'] },
      ])
  })
})
