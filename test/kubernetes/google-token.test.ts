import assert from 'node:assert/strict'
import { codeOf } from '../../shared/core/errors.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { Lab, type Room, rotatorToken, strangerToken } from '../harness/kube/lab.js'
import { managerSkip } from '../harness/kube/server.js'
import { suite } from '../harness/suite.js'
import { follow } from './looks.js'

for (const which of ['fake', 'real'] as const)
  suite(
    `a cluster that takes the tokens of Google, ${which}`,
    which === 'real' && managerSkip,
    ({ it, before, after, beforeEach, afterEach }) => {
      let machine: GoogleMachine
      let lab: Lab
      let room: Room
      before(async () => {
        machine = await GoogleMachine.open()
        lab = await Lab.open(which)
      })
      after(async () => {
        await lab?.close()
        await machine?.close()
      })
      beforeEach(async () => {
        machine.metadata.token = rotatorToken
        machine.metadata.calls.length = 0
        room = await lab.room()
      })
      afterEach(() => room.close())
      const consumer = (more: object = {}) =>
        room.consumer({ workloads: [], restart: 'none', soakSeconds: 0, ...more }, { token: undefined, auth: 'google' })

      it('is followed to the end as the account of the platform', async () => {
        await follow(create(), room, room.publish(), consumer(), 'drained')
        assert.equal(machine.metadata.calls.filter((path) => path.endsWith('/token')).length, 1) // the library keeps it
      })

      it('a token that is refused is asked for again', async () => {
        machine.metadata.token = 'a-token-of-before-0123456789'
        const other = { timeoutMs: 9_000 } // a client of its own
        const change = room.publish()
        await assert.rejects(create().advance(change, consumer(other), room.context()), (cause) => codeOf(cause) === 'denied')
        machine.metadata.token = rotatorToken
        await follow(create(), room, change, consumer(other), 'drained')
      })

      it('another account is denied by the cluster', async () => {
        machine.metadata.token = strangerToken
        await assert.rejects(
          create().advance(room.publish(), consumer({ timeoutMs: 8_000 }), room.context()),
          (cause) => codeOf(cause) === 'denied',
        )
      })
    },
  )
