import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Needs, Resource } from '../../functions/azure/needs/form.js'
import { needs } from '../../functions/azure/needs.js'
import { openInstance } from '../../functions/azure/opened.js'
import { setServer } from '../../shared/app/jwks.js'
import { bindingsOf, type Named, type Scope } from '../../shared/stores/azure-key-vault/permissions/grants.js'
import { FakeEnv } from '../harness/fake-env.js'

const [host, staging, other] = ['app.vault.azure.net', 'staging.vault.azure.net', 'other.vault.azure.net']
const named: Named = {
  secret: { host, secret: 'db' },
  administrator: { host: other, secret: 'admin' },
  configuration: { host: other, secret: 'config' },
  vaults: [host],
  stagingHost: staging,
  journals: { account: 'shopfleet', container: 'keyturn' },
}
/** What the module grants on, for what keyturn permissions names: a whole vault, where that names a vault or a secret of it. */
function kindOf(scope: Scope): Resource {
  if (!('host' in scope)) return 'journals'
  if (scope.host === host) return 'vault'
  if (scope.host === staging) return 'staging vault'
  return scope.secret === 'admin' ? 'administrator' : 'configuration'
}
const ofVaults: readonly Resource[] = ['vault', 'staging vault', 'administrator', 'configuration', 'public set', 'journals']

describe('what the function apps of Azure need', () => {
  it('is, of secrets and journals, what keyturn permissions prints for a function, which is tried for the whole life of a secret', () => {
    const wanted = new Map<Resource, Set<string>>()
    for (const { scope, role } of bindingsOf('function', named))
      wanted.set(kindOf(scope), new Set([...(wanted.get(kindOf(scope)) ?? []), ...role.permissions]))
    const has = Object.entries((needs.fleet satisfies Needs).grants).filter(([kind]) => ofVaults.some((one) => one === kind))
    const sorted = (entries: Iterable<readonly [string, Iterable<string>]>): readonly string[] =>
      [...entries].map(([kind, permissions]) => [kind, ...[...permissions].sort()].join(' ')).sort()
    assert.deepEqual(sorted(has), sorted(wanted))
  })

  it('is, of a public set, what a consumer needs', () => {
    const consumer = bindingsOf('consumer', named).flatMap(({ role }) => role.permissions)
    assert.deepEqual(needs.jwks.grants, { 'public set': consumer })
  })

  it('has every setting without which the fleet does not run', () => {
    const whole: Readonly<Record<string, string>> = { AzureWebJobsStorage__accountName: 'shopfleet' }
    assert.deepEqual(Object.keys(whole), [...needs.fleet.required])
    assert.doesNotThrow(() => openInstance({}, whole).queue())
    for (const name of needs.fleet.required)
      assert.throws(() => openInstance({}, { ...whole, [name]: '' }).queue(), { code: 'bad_config' }, name)
  })

  it('has every setting without which the public set is not served', () => {
    const serve = (environment: Readonly<Record<string, string>>) =>
      setServer(environment, new FakeEnv(), () => assert.fail('the store is opened at the first request'))
    assert.deepEqual([...needs.jwks.required], ['KEYTURN_JWKS'])
    assert.doesNotThrow(() => serve({ KEYTURN_JWKS: 'azure:app/set' }))
  })
})
