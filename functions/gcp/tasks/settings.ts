import type { Environment } from '../../../shared/app/platform.js'
import { RotationError } from '../../../shared/core/errors.js'

/** Where work is kept, and where and as whom it is delivered. */
export interface TasksSettings {
  /** projects/P/locations/L/queues/Q */
  readonly queue: string
  /** Where a task is posted; also the audience of its token. */
  readonly url: string
  /** The service account whose token a task carries. */
  readonly account: string
}

const queueForm = /^projects\/(?:[a-z0-9.-]+:)?[a-z0-9-]+\/locations\/[a-z0-9-]+\/queues\/[A-Za-z0-9-]{1,100}$/
const accountForm = /^(?=.{1,254}$)[a-z0-9][a-z0-9-]*@[a-z0-9.-]+\.gserviceaccount\.com$/
const urlLengthMax = 2083

/** What each variable must be. */
const variables = {
  KEYTURN_QUEUE: [(value: string) => queueForm.test(value), 'must be projects/PROJECT/locations/LOCATION/queues/QUEUE'],
  KEYTURN_WORK_URL: [isWorkUrl, `must be an https URL of at most ${urlLengthMax} characters, without a user and a fragment`],
  KEYTURN_WORK_ACCOUNT: [(value: string) => accountForm.test(value), 'must be the email of a service account'],
} as const

/** Reads KEYTURN_QUEUE, KEYTURN_WORK_URL and KEYTURN_WORK_ACCOUNT. bad_config lists every problem, and quotes no value. */
export function readTasks(environment: Environment): TasksSettings {
  const problems = Object.entries(variables).flatMap(([name, [isGood, mustBe]]) => {
    const value = environment[name]
    if (value === undefined || value === '') return { name, says: 'is missing' }
    return isGood(value) ? [] : { name, says: mustBe }
  })
  const [first] = problems
  if (first !== undefined) {
    throw new RotationError('bad_config', `${problems.map(({ name, says }) => `${name} ${says}`).join('; ')}.`, {
      field: first.name,
      next: "Correct the function's environment.",
    })
  }
  const { KEYTURN_QUEUE: queue = '', KEYTURN_WORK_URL: url = '', KEYTURN_WORK_ACCOUNT: account = '' } = environment
  return { queue, url, account }
}

function isWorkUrl(value: string): boolean {
  if (value.length > urlLengthMax || !URL.canParse(value)) return false
  const { protocol, username, password } = new URL(value)
  return protocol === 'https:' && /^https:\/\//.test(value) && username === '' && password === '' && !value.includes('#')
}
