import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import type { Code } from '../../shared/core/ports/errors.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { AzureMachine } from '../harness/azure-machine.js'
import { Lab, type Room, rotatorToken, strangerToken } from '../harness/kube/lab.js'
import { managerSkip } from '../harness/kube/server.js'
import { suite } from '../harness/suite.js'
import { follow } from './looks.js'

describe('a cluster that takes the tokens of Azure', () => {
  let machine: AzureMachine
  before(async () => {
    machine = await AzureMachine.open()
  })
  after(() => machine.close())

  let identities = 0
  /** This process is another identity, which has this token: the library keeps what it has for each of them. */
  function become(token: string, { expiresInSeconds = 3600 } = {}): void {
    const clientId = `11111111-1111-4111-8111-${String(++identities).padStart(12, '0')}`
    machine.identity.reset()
    machine.identity.assigned.add(clientId)
    machine.identity.token = () => token
    machine.identity.expiresInSeconds = expiresInSeconds
    machine.startAgain(clientId)
  }
  const resources = () => machine.identity.calls.map(({ resource }) => resource)

  for (const which of ['fake', 'real'] as const)
    suite(which, which === 'real' && managerSkip, ({ it, before: opening, after: closing, beforeEach, afterEach }) => {
      let lab: Lab
      let room: Room
      opening(async () => {
        lab = await Lab.open(which)
      })
      closing(() => lab?.close())
      beforeEach(async () => {
        become(rotatorToken)
        room = await lab.room()
      })
      afterEach(() => room.close())
      const consumer = () => room.consumer({ workloads: [], restart: 'none', soakSeconds: 0 }, { token: undefined, auth: 'azure' })
      const refuses = (code: Code, says: RegExp) =>
        assert.rejects(create().advance(room.publish(), consumer(), room.context()), { code, message: says })

      it('is followed to the end as the identity of the platform', async () => {
        await follow(create(), room, room.publish(), consumer(), 'drained')
        assert.deepEqual(resources(), ['6dae42f8-4368-4678-94ff-3960e28e3630'], 'the library keeps it')
      })

      it('a token that is near its end is renewed', async () => {
        become(rotatorToken, { expiresInSeconds: 60 })
        await follow(create(), room, room.publish(), consumer(), 'drained')
        assert.ok(resources().length > 1)
      })

      it('another identity is denied by the cluster, and so is a token that it does not know', async () => {
        for (const token of [strangerToken, 'a-token-of-before-0123456789']) {
          become(token)
          await refuses('denied', /in cluster .* \((401|403)\)/)
        }
      })

      it('without an identity there is no token to ask with, and an endpoint that is busy is no refusal', async () => {
        machine.identity.assigned.clear()
        await refuses('denied', /^No credentials of Azure were found for the cluster /)
        machine.identity.fault = () => 429
        await refuses('unavailable', /^There is no token for the cluster .* yet \(status 429\)/)
      })
    })
})
