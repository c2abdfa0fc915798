import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readTasks } from '../../functions/gcp/tasks/settings.js'
import { CloudTasks, tasksFrom } from '../../functions/gcp/tasks.js'
import type { RotationError } from '../../shared/core/errors.js'
import { FakeEnv } from '../harness/fake-env.js'

const good = {
  KEYTURN_QUEUE: 'projects/p/locations/europe-west1/queues/jobs',
  KEYTURN_WORK_URL: 'https://work-abc.a.run.app/work',
  KEYTURN_WORK_ACCOUNT: 'worker@p.iam.gserviceaccount.com',
}
const wrong: Readonly<Record<keyof typeof good, readonly string[]>> = {
  KEYTURN_QUEUE: [
    'work',
    'projects/p/queues/jobs',
    'projects/p/locations/l/queues/a_b',
    'projects/p/locations/l/queues/jobs/tasks/t',
    'projects/p/locations/../queues/jobs',
    `projects/p/locations/l/queues/${'q'.repeat(101)}`,
    ' projects/p/locations/l/queues/jobs',
    'projects/p/locations/l/queues/jobs\n',
  ],
  KEYTURN_WORK_URL: [
    'http://work.a.run.app/',
    'work.a.run.app',
    'https://user:CANARY@work.a.run.app/',
    'https://work.a.run.app/#part',
    ' https://work.a.run.app/',
    `https://work.a.run.app/${'x'.repeat(2083)}`,
    'https://',
  ],
  KEYTURN_WORK_ACCOUNT: [
    'worker',
    'a@example.com',
    'a b@p.iam.gserviceaccount.com',
    'a@p.iam.gserviceaccount.com\n',
    '@p.iam.gserviceaccount.com',
  ],
}
const names = Object.keys(wrong) as readonly (keyof typeof good)[]

describe('the settings of the queue', () => {
  it('are three variables', () => {
    assert.deepEqual(readTasks(good), { queue: good.KEYTURN_QUEUE, url: good.KEYTURN_WORK_URL, account: good.KEYTURN_WORK_ACCOUNT })
    assert.ok(tasksFrom(good, new FakeEnv()) instanceof CloudTasks)
    for (const [name, value] of [
      ['KEYTURN_QUEUE', 'projects/example.com:old/locations/us-east1/queues/A-1'],
      ['KEYTURN_QUEUE', 'projects/123456789012/locations/us-east1/queues/jobs'],
      ['KEYTURN_WORK_ACCOUNT', '123456789012-compute@developer.gserviceaccount.com'],
      ['KEYTURN_WORK_ACCOUNT', 'p@appspot.gserviceaccount.com'],
    ] as const)
      readTasks({ ...good, [name]: value })
  })

  it('are refused with every problem at once, and the first one’s name as the field', () => {
    assert.throws(
      () => tasksFrom({ KEYTURN_WORK_URL: 'http://x' }, new FakeEnv()),
      (error: RotationError) => {
        assert.deepEqual([error.code, error.field, error.next], ['bad_config', 'KEYTURN_QUEUE', "Correct the function's environment."])
        assert.match(
          error.message,
          /^KEYTURN_QUEUE is missing; KEYTURN_WORK_URL must be an https URL .*; KEYTURN_WORK_ACCOUNT is missing\.$/,
        )
        return true
      },
    )
  })

  for (const name of names)
    it(`refuse a wrong ${name}, and do not quote it`, () => {
      for (const value of ['', ...wrong[name]])
        assert.throws(
          () => readTasks({ ...good, [name]: value }),
          (error: RotationError) => {
            assert.deepEqual([error.code, error.field], ['bad_config', name], JSON.stringify(value))
            return !error.message.includes('CANARY') && !error.message.includes(';')
          },
        )
    })
})
