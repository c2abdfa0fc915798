import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { inCluster } from '../../shared/kubernetes/access.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { Lab, rotatorToken } from '../harness/kube/lab.js'
import { follow } from './looks.js'

describe('the access that a pod has', () => {
  let folder: string
  let now = 0
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-account-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('server, CA and token as the pod finds them; the token is read anew after a minute; both reach the cluster', async () => {
    const lab = await Lab.open('fake')
    const room = await lab.room()
    const { hostname, port } = new URL(lab.api.server)
    await writeFile(join(folder, 'ca.crt'), lab.ca)
    await writeFile(join(folder, 'token'), 'first\n')
    const found = await inCluster('here', () => now, { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }, folder)
    assert.deepEqual([found.server, found.ca], [lab.api.server, lab.ca])
    assert.equal((await found.token?.())?.reveal(), 'first')
    await writeFile(join(folder, 'token'), rotatorToken)
    now += 59_000
    assert.equal((await found.token?.())?.reveal(), 'first')
    now += 2000
    const token = (await found.token?.())?.reveal()
    assert.equal(token, rotatorToken)
    const consumer = room.consumer({ workloads: [], restart: 'none', soakSeconds: 0 }, { server: found.server, ca: found.ca, token })
    await follow(create(), room, room.publish(), consumer, 'drained')
    await room.close()
    await lab.close()
  })

  it('an IPv6 address stands in brackets; outside of a pod the field is named', async () => {
    const { server } = await inCluster('here', () => now, { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }, folder)
    assert.equal(server, 'https://[fd00::1]:443')
    await assert.rejects(
      inCluster('here', () => now, {}, folder),
      { code: 'bad_config', field: 'clusters.here.inCluster' },
    )
  })
})
