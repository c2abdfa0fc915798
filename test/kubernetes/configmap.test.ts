import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { configMapArtefact } from '../../shared/artefacts/configmap.js'
import { codeOf } from '../../shared/core/errors.js'
import { PublicText } from '../../shared/core/public-key.js'
import { configMapPlace } from '../../shared/kubernetes/settings.js'
import { FakeEnv } from '../harness/fake-env.js'
import { Lab, type Room, rotatorToken, strangerToken } from '../harness/kube/lab.js'
import { kubeSkip } from '../harness/kube/server.js'
import { suite } from '../harness/suite.js'

const setOf = (...kids: string[]) =>
  PublicText.ofKeys(kids.map((kid) => ({ kty: 'OKP', kid, alg: 'EdDSA', use: 'sig', crv: 'Ed25519', x: 'x' })))
const context = {
  env: new FakeEnv('configmap', Date.now()),
  get deadline() {
    return this.env.now() + 30_000
  },
  write: (act: () => Promise<void>) => act(),
}

for (const [which, skip] of [
  ['fake', false],
  ['real', kubeSkip],
] as const)
  suite(`a public set in a ConfigMap (${which} API server)`, skip, ({ after, before, it }) => {
    let lab: Lab
    let maps: string
    let room: Room
    before(async () => {
      lab = await Lab.open(which)
      room = await lab.room()
      const { namespace } = room
      maps = `/api/v1/namespaces/${namespace}/configmaps`
      const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
      const rules = [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['jwks', 'fixed', 'nowhere'], verbs: ['get', 'patch'] }]
      await lab.api.must('POST', `${rbac}/roles`, { metadata: { name: 'jwks' }, rules })
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'jwks' }
      await lab.api.must('POST', `${rbac}/rolebindings`, {
        metadata: { name: 'jwks' },
        roleRef,
        subjects: [{ kind: 'User', name: 'keyturn' }],
      })
      await lab.api.must('POST', maps, { metadata: { name: 'jwks' }, data: { 'issuer.txt': 'stays' } })
      await lab.api.must('POST', maps, { metadata: { name: 'fixed' }, immutable: true, data: {} })
    })
    after(async () => {
      await room?.close()
      await lab?.close()
    })
    const open = (name: string, token = rotatorToken) => {
      const place = configMapPlace(`here/${room.namespace}/${name}#jwks.json`)
      assert.ok(place)
      const access = { inCluster: false, server: lab.api.server, ca: lab.ca, token }
      return configMapArtefact(place, access, 'jwks')
    }

    it('one key is written, the others stay; the same again is no write', async () => {
      assert.equal(await open('jwks').publish(setOf('a', 'b'), context), 'written')
      const { data, metadata } = await lab.api.must('GET', `${maps}/jwks`)
      assert.deepEqual(data, { 'issuer.txt': 'stays', 'jwks.json': String(setOf('a', 'b')) })
      assert.equal(await open('jwks').publish(setOf('a', 'b'), context), 'same')
      assert.deepEqual((await lab.api.must('GET', `${maps}/jwks`)).metadata, metadata)
      assert.equal(await open('jwks').publish(setOf('b'), context), 'written')
    })

    it('one that is not there, is immutable, or may not be read: by name, with what to do', async () => {
      const failed = (code: string) => (cause: unknown) => codeOf(cause) === code
      await assert.rejects(open('nowhere').publish(setOf('a'), context), failed('bad_config'))
      await assert.rejects(open('fixed').publish(setOf('a'), context), failed('bad_config'))
      await assert.rejects(open('jwks', strangerToken).publish(setOf('z'), context), failed('denied'))
    })
  })

describe('the place of a ConfigMap', () => {
  it('is cluster/namespace/name#key and nothing else', () => {
    assert.deepEqual(configMapPlace('prod/auth/jwks#jwks.json'), { cluster: 'prod', namespace: 'auth', name: 'jwks', key: 'jwks.json' })
    for (const text of ['prod/auth/jwks', 'auth/jwks#k', 'prod/auth/jwks#', 'prod/../jwks#k', 'prod/auth/jwks#k/l', 'prod/auth/Jwks#k'])
      assert.equal(configMapPlace(text), undefined, text)
  })
})
