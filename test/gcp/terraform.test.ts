import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { blockOf, textOf } from '../harness/terraform-module.js'
import { moduleTests } from '../harness/terraform-suite.js'

describe('infra/terraform/gcp, as it is written', () => {
  const { module, example, texts } = moduleTests({
    folder: 'infra/terraform/gcp',
    example: 'infra/terraform/gcp/examples/shop',
    schemas: 'test/data/terraform-google.json',
    provider: { name: 'google', source: 'hashicorp/google', version: '>= 7.0, < 8.0' },
    computed: {
      google_service_account: ['email', 'member', 'name'],
      google_cloudfunctions2_function: ['service_config[0].uri'],
    },
    page: 'docs/gcp.md',
  })

  it('says why where a grant is on the whole project', () => {
    const onProject = texts()
      .split('\n\n')
      .filter((part) => part.includes('resource "google_project_iam_member"'))
    assert.equal(onProject.length, 5)
    for (const part of onProject) assert.match(part, /^# On the project/m)
  })

  it('names a role by the project of the functions where it is made in another one, which two deployments may name', () => {
    const roles = module().resources.filter(({ type }) => type === 'google_project_iam_custom_role')
    const elsewhere = roles.filter(({ body }) => body.project !== '${var.project_id}')
    assert.deepEqual(
      elsewhere.map(({ name }) => name),
      ['cloud_sql'],
    )
    const idIn = (project: string): string => {
      const inserted = /^\$\{var\.role_prefix\}(\w+)\$\{replace\(var\.project_id, "\/(\[\^[^\]]+\])\/", "_"\)\}$/
      const written = textOf(elsewhere[0]?.body ?? {}, 'role_id')
      const [, middle = '', others = ''] = inserted.exec(written) ?? assert.fail(written)
      return `${textOf(module().variables.get('role_prefix') ?? {}, 'default')}${middle}${project.replace(new RegExp(others, 'g'), '_')}`
    }
    const ids = ['shop-functions', 'shop-functions-two', 'example.com:shop-functions'].map(idIn)
    assert.equal(new Set(ids).size, ids.length)
    for (const id of [...ids, idIn('p'.repeat(30))]) assert.match(id, /^[A-Za-z0-9_.]{3,64}$/)
  })

  it('leaves to Keyturn what Keyturn writes in a secret that Terraform owns', () => {
    const secret = example().resources.find(({ type }) => type === 'google_secret_manager_secret')
    const ignored = blockOf(secret?.body ?? {}, 'lifecycle').ignore_changes
    assert.deepEqual(ignored, ['${annotations}', '${rotation}', '${version_aliases}'])
    assert.deepEqual(blockOf(secret?.body ?? {}, 'topics'), { name: '${module.keyturn.topic}' })
  })
})
