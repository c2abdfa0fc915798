import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { readEvent } from '../../functions/azure/event.js'
import type { Needs } from '../../functions/azure/needs/form.js'
import { type AppName, needs } from '../../functions/azure/needs.js'
import { poisonName, queueName, queuesFrom } from '../../functions/azure/queue/settings.js'
import { azureSettings } from '../../shared/stores/azure-key-vault/environment.js'
import { readName } from '../../shared/stores/azure-key-vault/names.js'
import { type Assigned, assignmentsOf } from '../harness/terraform-assignments.js'
import { type Body, blockOf, isBody, type Module, readModule, referencesIn, textOf, writtenIn } from '../harness/terraform-module.js'

const names = Object.keys(needs) as AppName[]
const needsOf = (name: AppName): Needs => needs[name]
const sorted = (texts: readonly string[]): readonly string[] => [...texts].sort()
const host = JSON.parse(readFileSync('functions/azure/host.json', 'utf8')) as {
  readonly functionTimeout: string
  readonly extensions: { readonly http: { readonly routePrefix: string }; readonly queues: { readonly messageEncoding: string } }
}

describe('infra/terraform/azure and the code', () => {
  let module: Module
  let assigned: readonly Assigned[]
  before(async () => {
    module = await readModule('infra/terraform/azure')
    assigned = assignmentsOf(module)
  })
  const resource = (type: string, name: string): Body =>
    (module.resources.find((one) => one.type === type && one.name === name) ?? assert.fail(`no ${type}.${name}`)).body
  const appOf = (name: AppName): Body => resource('azurerm_function_app_flex_consumption', name)
  const localOf = (name: string): Body => {
    const value = module.locals.get(name)
    return isBody(value) ? value : assert.fail(`${name} is not an object`)
  }
  /** The names of settings that an expression gives, through the locals that it names. */
  const settingsIn = (value: unknown): readonly string[] => {
    if (isBody(value)) return Object.keys(value)
    const locals = referencesIn(value).flatMap((reference) => {
      const [kind, name = ''] = reference.split('.')
      return kind === 'local' ? settingsIn(module.locals.get(name)) : []
    })
    return [...new Set([...[...String(value).matchAll(/[{,\n]\s*(\w+)\s+=/g)].map(([, name = '']) => name), ...locals])]
  }

  it('have the same apps, and the functions that the code registers', () => {
    const registered = (file: string): readonly string[] =>
      [...readFileSync(`functions/azure/${file}.ts`, 'utf8').matchAll(/app\.(?:timer|eventGrid|http|storageQueue)\('(\w+)'/g)].map(
        ([, name = '']) => name,
      )
    const apps = module.resources.filter(({ type }) => type === 'azurerm_function_app_flex_consumption').map(({ name }) => name)
    assert.deepEqual(sorted(apps), sorted(names))
    for (const app of names) for (const name of needsOf(app).functions) assert.deepEqual(registered(name), [name])
    const [, alone = '', all = ''] =
      /KEYTURN_JWKS \? \[([\w, ]+)\] : \[([\w, ]+)\]/.exec(readFileSync('functions/azure/app.ts', 'utf8')) ?? []
    assert.deepEqual([alone.split(', '), all.split(', ')], [[...needs.jwks.functions], [...needs.fleet.functions]])
    for (const name of names) {
      const { runtime_name: runtime, runtime_version: version, zip_deploy_file: archive } = appOf(name)
      assert.deepEqual([runtime, version, archive], ['node', '22', '${var.archive}'])
    }
  })

  it('give each app the settings without which it does not run, and no other than those that it may have', () => {
    for (const name of names) {
      const { required, optional, host: ofHost } = needsOf(name)
      const given = settingsIn(appOf(name).app_settings)
      const missing = [...required, ...ofHost].filter((one) => !given.includes(one))
      const others = given.filter((one) => ![...required, ...optional, ...ofHost].includes(one))
      assert.deepEqual([missing, others], [[], []], name)
    }
    assert.match(String(appOf('fleet').app_settings), /^\$\{merge\(\s*var\.environment,/)
  })

  it('know every setting that the code reads', () => {
    const files = ['caller', 'instance', 'invoke', 'jwks', 'sweep', 'queue/settings']
    const texts = files.map((one) => readFileSync(`functions/azure/${one}.ts`, 'utf8'))
    const read = [...texts, readFileSync('shared/stores/azure-key-vault/environment.ts', 'utf8')].flatMap((text) => [
      ...text.matchAll(/KEYTURN_[A-Z_]+[A-Z]/g),
    ])
    const known = names.flatMap((name) => [...needsOf(name).required, ...needsOf(name).optional])
    assert.deepEqual(sorted([...new Set(read.map(([one]) => one))].filter((one) => !known.includes(one))), [])
    assert.ok(read.length >= 8)
  })

  for (const name of names)
    it(`grant ${name} what it needs, on each resource, and nothing else`, () => {
      const { grants, predefined } = needsOf(name)
      const wanted = Object.entries(grants).map(([kind, permissions]) => [kind, ...sorted(permissions)].join(' '))
      const mine = assigned.filter(({ principal }) => principal === name)
      // Work on a vault is granted for all of it, or for each of its secrets that are named.
      for (const other of ['fleet_secret', 'fleet_vault']) {
        const has = new Map<string, string[]>()
        for (const { kind, permissions, address } of mine)
          if (!address.endsWith(`.${other}`)) has.set(kind, [...(has.get(kind) ?? []), ...permissions])
        const granted = [...has].filter(([, permissions]) => permissions.length > 0)
        assert.deepEqual(sorted(granted.map(([kind, permissions]) => [kind, ...sorted(permissions)].join(' '))), sorted(wanted), other)
      }
      const roles = mine.flatMap((one) => (one.predefined === undefined ? [] : [[one.kind, one.predefined].join(' ')]))
      assert.deepEqual(sorted(roles), sorted(Object.entries(predefined).map(([kind, role]) => `${kind} ${role}`)))
    })

  it('grant nothing to anybody else but Event Grid, which keeps what it could not deliver', () => {
    const others = assigned.filter(({ principal }) => !names.some((name) => name === principal))
    assert.deepEqual(
      others.map(({ principal, kind, permissions, predefined }) => [principal, kind, permissions, predefined]),
      [['events', 'dead letters', [], 'Storage Blob Data Contributor']],
    )
    const staging = assigned.filter(({ kind }) => kind === 'staging vault')
    assert.deepEqual([...new Set(staging.map(({ principal }) => principal))], ['fleet'])
  })

  it('give the app of the public set nothing that the fleet has', () => {
    for (const { type, name, body } of module.resources)
      if (/^jwks/.test(name)) {
        assert.equal(body.count, '${var.public_set == null ? 0 : 1}', `${type}.${name}`)
        const used = referencesIn(body).filter((one) => one.startsWith('azurerm_') && !/\.jwks/.test(one))
        const shared = ['azurerm_resource_group.this', 'azurerm_application_insights.this', 'azurerm_role_definition.read']
        assert.deepEqual(
          used.filter((one) => !shared.includes(one)),
          [],
          `${type}.${name}`,
        )
      }
  })

  it('deliver to each function the events that it reads, and no other', () => {
    const read: Record<string, string[]> = { ends: [], published: [] }
    const kinds = ['NewVersionCreated', 'NearExpiry', 'Expired']
    const all = ['Secret', 'Key', 'Certificate'].flatMap((of) => kinds.map((kind) => `Microsoft.KeyVault.${of}${kind}`))
    for (const eventType of [...all, 'Microsoft.KeyVault.VaultAccessPolicyChanged']) {
      const data = { ObjectType: 'Secret', Id: `https://v.vault.azure.net/secrets/db/${'0'.repeat(32)}` }
      const event = readEvent({ eventType, eventTime: '2026-01-01T00:00:00Z', data }, ['v.vault.azure.net'])
      if (event !== undefined) read[event.says]?.push(eventType)
    }
    const says = { rotate: 'ends', propagate: 'published' } as const
    for (const name of ['rotate', 'propagate'] as const) {
      assert.match(readFileSync(`functions/azure/${name}.ts`, 'utf8'), new RegExp(`readEvents\\(given, '${says[name]}'`))
      const subscription = resource('azurerm_eventgrid_system_topic_event_subscription', name)
      assert.deepEqual(sorted(subscription.included_event_types as string[]), sorted(read[says[name]] ?? []))
      const { function_id: id, max_events_per_batch: batch } = blockOf(subscription, 'azure_function_endpoint')
      assert.deepEqual([id, batch], [`\${azurerm_function_app_flex_consumption.fleet.id}/functions/${name}`, 1])
      assert.deepEqual(blockOf(subscription, 'retry_policy'), { max_delivery_attempts: 30, event_time_to_live: 1440 })
      assert.deepEqual(blockOf(subscription, 'storage_blob_dead_letter_destination'), {
        storage_account_id: '${azurerm_storage_account.fleet.id}',
        storage_blob_container_name: '${azurerm_storage_container.dead_letters.name}',
      })
      assert.equal(subscription.for_each, '${var.vaults}')
    }
  })

  it('name the queues as the code does, and encode messages as the host reads them', () => {
    const work = textOf(resource('azurerm_storage_queue', 'work'), 'name')
    assert.equal(work, queueName({}))
    assert.equal(textOf(resource('azurerm_storage_queue', 'poison'), 'name'), poisonName(work))
    assert.equal(localOf('fleet_settings').KEYTURN_QUEUE, '${azurerm_storage_queue.work.name}')
    assert.equal(host.extensions.queues.messageEncoding, 'base64')
    assert.match(readFileSync('functions/azure/queue/outlet.ts', 'utf8'), /toString\('base64'\)/)
    assert.equal(host.extensions.http.routePrefix, '')
    assert.equal(module.outputs.get('invoke_url')?.value, 'https://${azurerm_function_app_flex_consumption.fleet.default_hostname}/invoke')
  })

  it('look as often, and run as long, as the code and the host do where nobody says otherwise', () => {
    const every = String(localOf('fleet_settings').KEYTURN_SCHEDULE).replaceAll('${var.look_minutes}', '5')
    const [, standard = ''] = /scheduleDefault = '([^']+)'/.exec(readFileSync('functions/azure/sweep.ts', 'utf8')) ?? []
    assert.equal(every, `\${var.look_minutes == 60 ? "0 0 * * * *" : "${standard}"}`)
    const minutes = /\[([\d, ]+)\]/
      .exec(writtenIn(module.variables.get('look_minutes')?.validation))?.[1]
      ?.split(', ')
      .map(Number)
    const divisors = [...Array(60).keys()].map((n) => n + 1).filter((n) => 60 % n === 0)
    assert.deepEqual([minutes, module.variables.get('look_minutes')?.default], [divisors, 5])
    const timeout = Number(module.variables.get('timeout_minutes')?.default)
    assert.equal(host.functionTimeout, `00:${timeout}:00`)
    assert.equal(
      localOf('fleet_host').AzureFunctionsJobHost__functionTimeout,
      '${format("%02d:%02d:00", floor(var.timeout_minutes / 60), var.timeout_minutes % 60)}',
    )
  })

  it('write settings that the code takes, and refs that it reads', () => {
    const example: Readonly<Record<string, string>> = {
      'join(" ", keys(var.vaults))': 'shop-prod shop-test',
      'azurerm_key_vault.staging.name': 'shop-staging',
      'azurerm_storage_container.journals.name': textOf(resource('azurerm_storage_container', 'journals'), 'name'),
      'azurerm_storage_queue.work.name': 'keyturn-work',
      'azurerm_storage_account.fleet.name': 'shopfleet',
      'azurerm_user_assigned_identity.fleet.client_id': '00000000-0000-4000-8000-000000000001',
    }
    const filled = (value: unknown): string => String(value).replace(/\$\{([^}]+)\}/g, (whole, of: string) => example[of] ?? whole)
    const written = { ...localOf('fleet_host'), ...localOf('fleet_settings') }
    const environment = Object.fromEntries(Object.entries(written).map(([name, value]) => [name, filled(value)]))
    const { vaults, stagingHost, storage, container } = azureSettings(environment)
    assert.deepEqual(vaults, ['shop-prod.vault.azure.net', 'shop-test.vault.azure.net'])
    assert.deepEqual([stagingHost, container], ['shop-staging.vault.azure.net', azureSettings({}).container])
    assert.deepEqual(storage, { url: 'https://shopfleet.blob.core.windows.net' })
    assert.equal(queuesFrom(environment).url, 'https://shopfleet.queue.core.windows.net')
    const id = '/subscriptions/S/resourceGroups/R/providers/Microsoft.KeyVault/vaults/shop-prod/secrets/config'.split('/')
    const refIn = (text: string): string => text.replace(/\$\{local\.vault_of_\w+\[(\d+)\]\}/g, (_, at: string) => id[Number(at)] ?? '')
    const [, configuration = ''] = /KEYTURN_CONFIG = "([^"]+)"/.exec(String(appOf('fleet').app_settings)) ?? []
    const set = /KEYTURN_JWKS\s+= "([^"]+)"/.exec(writtenIn(module.locals.get('jwks_host')).replaceAll('\\"', '"'))?.[1] ?? ''
    for (const ref of [configuration, set])
      assert.deepEqual(readName(refIn(ref), []), { host: 'shop-prod.vault.azure.net', secret: 'config' })
  })

  it('let everybody read the public set, and have invoke refuse whom the platform let pass without a token', () => {
    const auth = blockOf(((appOf('fleet').dynamic as Body).auth_settings_v2 as readonly Body[])[0] ?? assert.fail(), 'content')
    assert.deepEqual([auth.auth_enabled, auth.require_authentication, auth.unauthenticated_action], [true, false, 'AllowAnonymous'])
    assert.match(String(appOf('fleet').app_settings), /KEYTURN_INVOKERS = join\(" ", var\.invokers\)/)
    assert.equal(appOf('jwks').dynamic, undefined)
  })
})
