import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Closing } from '../scripts/closing.js'

const place = (closed: string[], name: string) => ({ close: () => void closed.push(name) })

it('what a run has opened is closed, last first, and once', async () => {
  const closed: string[] = []
  const closing = new Closing()
  for (const name of ['server', 'world']) await closing.open(async () => place(closed, name))
  await Promise.all([closing.close(), closing.close()])
  assert.deepEqual(closed, ['world', 'server'])
})

it('what is still opening is closed as soon as it is open, and nothing more is opened', async () => {
  const closed: string[] = []
  const closing = new Closing()
  let open: (one: { close(): void }) => void = () => assert.fail('nothing opens')
  const opening = closing.open(() => new Promise<{ close(): void }>((resolve) => (open = resolve)))
  const ended = closing.close()
  assert.throws(closing.assertGoing, /The run ends/)
  await assert.rejects(
    closing.open(async () => place(closed, 'never')),
    /The run ends/,
  )
  open(place(closed, 'late'))
  await Promise.all([opening, ended])
  assert.deepEqual(closed, ['late'])
})

it('what cannot be closed is said, and keeps nothing else open', async () => {
  const closed: string[] = []
  const closing = new Closing()
  await closing.open(async () => place(closed, 'server'))
  await closing.openWith(
    () => Promise.reject(new Error('it hangs')),
    async () => 'world',
  )
  await assert.rejects(closing.close(), (cause: AggregateError) => cause.errors.some((one: Error) => one.message === 'it hangs'))
  assert.deepEqual(closed, ['server'])
})

it('what did not open is not closed, and nobody waits for what loops', async () => {
  const closed: string[] = []
  const closing = new Closing()
  await assert.rejects(
    closing.open<{ close(): void }>(() => Promise.reject(new Error('no port'))),
    /no port/,
  )
  await closing.openLoops(async () => ({ close: () => new Promise<void>(() => void closed.push('asked to end')) }))
  await closing.close()
  assert.deepEqual(closed, ['asked to end'])
})
