import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, it, mock } from 'node:test'
import { type PermissionsWish, type permissionFormats, principals } from '../../shared/core/ports/permissions.js'
import { permissionsOf } from '../../shared/stores/gcp-secret-manager/permissions.js'
import { stores } from '../../shared/stores/registry.js'
import { callCommand } from '../harness/command-call.js'
import { callsOfGcloud, type Held, heldAfter } from '../harness/gcp-granted.js'
import { Names } from '../harness/gcp-secret-manager/names.js'
import { whyMissing } from '../harness/programs.js'
import { heldByTerraform } from '../harness/terraform-granted.js'

const names = new Names(
  new Map([
    ['shop', '123456789012'],
    ['example.com:old', '210987654321'],
  ]),
)
const who = {
  PERSON: 'user:ann@example.com',
  FUNCTION: 'serviceAccount:r@shop.iam.gserviceaccount.com',
  CONSUMER: 'group:shop@example.com',
}
const wish: PermissionsWish = { refText: 'gcp:projects/shop/secrets/db', principals, destroysLater: false }
const elsewhere = {
  administrator: 'gcp:projects/example.com:old/secrets/pg_admin',
  configuration: 'gcp:projects/210987654321/secrets/config',
}
const wishes: Readonly<Record<string, PermissionsWish>> = {
  'a secret': wish,
  'with an administrator and a configuration in another project': { ...wish, ...elsewhere },
  'a regional secret that delays destruction': {
    ...wish,
    refText: 'gcp:projects/shop/locations/europe-west1/secrets/Db_1-x',
    destroysLater: true,
  },
  'a project by its number': { ...wish, refText: 'gcp:projects/123456789012/secrets/db' },
}
const textOf = (one: PermissionsWish, format: (typeof permissionFormats)[number]): string =>
  `${permissionsOf(one, {}).lines(format).join('\n')}\n`
const sorted = (held: readonly Held[]): readonly string[] =>
  held.map((one) => JSON.stringify({ ...one, permissions: [...one.permissions] })).sort()
const shellHeld = (one: PermissionsWish): readonly Held[] => heldAfter(callsOfGcloud(textOf(one, 'shell'), names, who), names)

describe('permissions as commands and for Terraform', () => {
  for (const [name, one] of Object.entries(wishes)) {
    it(`grant the same: ${name}`, () => {
      const byShell = shellHeld(one)
      assert.ok(byShell.length >= 7)
      assert.deepEqual(sorted(heldByTerraform(textOf(one, 'terraform'), names, who)), sorted(byShell))
    })

    it(`are what the answer says: ${name}`, () => {
      const numbered = (resource: string): string =>
        resource.replace(/^projects\/([^/]+)/, (_, id) => `projects/${names.projects.get(id) ?? id}`)
      const said = permissionsOf(one, {}).grants.map(({ to, on, only, permissions }) => [
        to,
        numbered(on),
        only && numbered(only),
        permissions,
      ])
      const principalOf = new Map(Object.entries(who).map(([key, member]) => [member, key.toLowerCase()]))
      const done = shellHeld(one).map(({ member, on, condition, permissions }) => {
        return [principalOf.get(member), on, /'([^']+)'/.exec(condition ?? '')?.[1], permissions]
      })
      assert.deepEqual(said, done)
    })
  }

  it('have each resource and role of Terraform once', () => {
    for (const one of Object.values(wishes)) {
      const heads = [...textOf(one, 'terraform').matchAll(/^(?:resource|data|variable) .*(?= \{$)/gm)].map(([head]) => head)
      assert.deepEqual([...new Set(heads)], heads)
      for (const head of heads) assert.match(head, /^\w+( "[a-z_0-9]+")? "[A-Za-z_][\w-]*"$/)
    }
  })

  it('have titles of conditions that the platform takes, however long the name is', () => {
    const refText = `gcp:projects/shop/secrets/${'x'.repeat(246)}`
    for (const format of ['shell', 'terraform'] as const) {
      const text = textOf({ ...wish, refText, principals: ['person'] }, format)
      const titles = [...text.matchAll(/,title=([^"]+)"|^ {4}title\s+= "([^"]+)"/gm)].map(
        ([, shell, terraform]) => shell ?? terraform ?? '',
      )
      assert.equal(titles.length, 3)
      for (const title of titles) assert.ok(title.length <= 100, title)
    }
  })

  it('are as terraform fmt writes them', { skip: whyMissing('terraform') }, () => {
    for (const one of [...Object.values(wishes), { ...wish, principals: ['function'] as const, member: who.FUNCTION }]) {
      const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', '-no-color', '-'], {
        input: textOf(one, 'terraform'),
        encoding: 'utf8',
      })
      assert.equal(status, 0, `${stdout}${stderr}`)
    }
  })

  for (const member of [
    'serviceAccount:shop.svc.id.goog[keyturn/rotator]',
    'principal://iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/shop.svc.id.goog/subject/ns/keyturn/sa/rotator',
    'principalSet://iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/ci/attribute.repository/shop/infra',
    "user:o'neill@example.com;touch&here#%{x}*|",
    'user:$(touch here)@example.com',
  ]) {
    it(`pass a member through a shell and Terraform as it is, or refuse it: ${member}`, () => {
      const one = { ...wish, principals: ['function'] as const, member }
      if (member.includes('$')) {
        assert.throws(() => permissionsOf(one, {}), { code: 'bad_event', field: 'member' })
        return
      }
      for (const held of [shellHeld(one), heldByTerraform(textOf(one, 'terraform'), names, {})])
        assert.deepEqual([...new Set(held.map((each) => each.member))], [member])
    })
  }

  it('grant nothing where nobody has said who the principal is', () => {
    const { PERSON: _, ...others } = who
    assert.throws(() => callsOfGcloud(textOf(wish, 'shell'), names, others), /PERSON/)
  })

  it('leave the configuration and the administrator of another store to that store, and say so', () => {
    for (const [other, note] of [
      [{ configuration: 'file:config' }, 'Not included: KEYTURN_CONFIG names file:config, which is not in Google Cloud.'],
      [{ administrator: 'aws:pg\nadmin' }, 'Not included: --admin names aws:pg admin, which is not in Google Cloud.'],
      [{ administrator: 'pg-admin' }, 'Not included: --admin names pg-admin, which is not in Google Cloud.'],
    ] as const) {
      const found = permissionsOf({ ...wish, ...other }, {})
      assert.deepEqual(found.grants, permissionsOf(wish, {}).grants)
      assert.ok(found.notes.includes(note), found.notes.join('\n'))
    }
  })

  const notes = (one: PermissionsWish): string => permissionsOf(one, {}).notes.join('\n')
  it('say who is meant, in which order to grant, and what is not included', () => {
    assert.match(notes(wish), /^function: the service account that runs keyturn sweep\.$/m)
    assert.match(
      notes(wish),
      /^Order: 1\. the grants of the person, 2\. keyturn adopt,.* 3\. the grants of the function: one is on db--pending,/m,
    )
    assert.match(notes(wish), /^Not included: companions of the secret, and writing the configuration secret\./m)
    assert.equal(notes({ ...wish, principals: ['consumer'] }), 'consumer: whoever reads the value.')
  })

  it('say what a policy has no room for, where they have conditions', () => {
    assert.match(notes(wish), /at most 20 bindings/)
    assert.doesNotMatch(notes({ ...wish, principals: ['function'] }), /at most 20/)
  })

  it('have every note as a comment, in both formats; for Terraform also what a second secret must omit', () => {
    const said = permissionsOf(wish, {}).notes
    for (const format of ['shell', 'terraform'] as const)
      assert.deepEqual(
        textOf(wish, format).split('\n').slice(0, said.length),
        said.map((note) => `# ${note}`),
      )
    const first = textOf(wish, 'terraform')
    const second = textOf({ ...wish, refText: 'gcp:projects/shop/secrets/other' }, 'terraform')
    const heads = (text: string) => [...text.matchAll(/^(?:resource|data|variable) .*(?= \{$)/gm)].map(([head]) => head)
    const twice = heads(first).filter((head) => heads(second).includes(head))
    const kinds = twice.map((head) => /^variable|^data|custom_role|project_iam_member/.exec(head)?.[0])
    assert.deepEqual([...new Set(kinds)].sort(), ['custom_role', 'data', 'project_iam_member', 'variable'])
    assert.match(first, /^# For a second secret in the same module, omit .*: the variables, data google_project, the custom roles,$/m)
    assert.match(
      first,
      /^# members of the project without a condition, and what is granted on the secrets of --admin and KEYTURN_CONFIG\.$/m,
    )
  })
})

describe('keyturn permissions', () => {
  const run = async (words: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { code, stdout, stderr } = await callCommand(['permissions', ...words], { env })
    return { code, stdout, stderr }
  }

  it('opens no store, and asks nobody', async () => {
    const open = mock.method(stores.gcp, 'open', () => assert.fail('it opened the store'))
    const { code, stdout } = await run(['gcp:db', '--json'], { GOOGLE_CLOUD_PROJECT: 'shop', KEYTURN_CONFIG: 'gcp:config' })
    open.mock.restore()
    const { ok, ref, grants, text } = JSON.parse(stdout)
    assert.deepEqual([code, ok, ref, open.mock.callCount()], [0, true, 'gcp:projects/shop/secrets/db', 0])
    assert.ok(grants.some(({ on }: { on: string }) => on === 'projects/shop/secrets/config'))
    assert.match(text, /^gcloud secrets add-iam-policy-binding db /m)
  })

  it('refuses a project of the process that cannot be one', async () => {
    const { code, stdout } = await run(['gcp:db', '--json'], { GOOGLE_CLOUD_PROJECT: 'My Shop' })
    const { error } = JSON.parse(stdout)
    assert.deepEqual([code, error.code, error.field], [2, 'bad_config', 'GOOGLE_CLOUD_PROJECT'])
  })

  it('prints what docs/gcp.md shows', async () => {
    const { stdout } = await run(['gcp:projects/shop/secrets/db', '--for', 'function'])
    assert.ok(readFileSync('docs/gcp.md', 'utf8').includes(`\`\`\`sh\n${stdout.trim()}\n\`\`\``))
  })

  it('prints one principal alone, for Terraform', async () => {
    const { stdout } = await run(['gcp:projects/shop/secrets/db', '--for', 'consumer', '--member', who.CONSUMER, '--format', 'terraform'])
    assert.match(stdout, /^resource "google_secret_manager_secret_iam_member" /m)
    assert.match(stdout, /group:shop@example\.com/)
    assert.doesNotMatch(stdout, /pending|custom_role/)
  })

  for (const [words, field, next] of [
    [['file:db'], 'ref', /folder/],
    [['aws:db'], 'ref', /docs\/aws\.md/],
    [['gcp:db'], 'ref', /GOOGLE_CLOUD_PROJECT/],
    [['gcp:projects/shop/secrets/a b'], 'ref', /gcp:projects/],
    [['gcp:projects/shop/secrets/db', '--admin', 'gcp:a.b'], 'admin', /gcp:projects/],
    [['gcp:projects/shop/secrets/db--pending'], 'ref', /the secret itself/],
    [[`gcp:projects/shop/secrets/${'x'.repeat(247)}`], 'ref', /at most 246 characters/],
    [['gcp:projects/shop/secrets/db/versions/3'], 'ref', /Write gcp:projects\/shop\/secrets\/db\./],
    [['gcp:projects/shop/secrets/db', '--member', who.CONSUMER], 'member', /--for/],
    [['gcp:projects/shop/secrets/db', '--for', 'consumer', '--member', 'allUsers'], 'member', /everybody/],
    [['gcp:projects/shop/secrets/db', '--for', 'consumer', '--member', 'principalSet://goog/public:all'], 'member', /everybody/],
    [['gcp:projects/shop/secrets/db', '--for', 'consumer', '--member', 'user:a@b.com\n'], 'member', /serviceAccount:/],
    [['gcp:projects/shop/secrets/db', '--for', 'nobody'], 'for', /person, function, consumer/],
    [['gcp:projects/shop/secrets/db', '--format', 'yaml'], 'format', /shell, terraform/],
  ] as const) {
    it(`refuses ${words.join(' ').slice(0, 90)}, and says what to do`, async () => {
      const { code, stdout } = await run([...words, '--json'])
      const { error } = JSON.parse(stdout)
      assert.deepEqual([code, error.code, error.field], [2, 'bad_event', field])
      assert.match(error.next, next)
      assert.doesNotMatch(error.message, /\n/)
    })
  }
})
