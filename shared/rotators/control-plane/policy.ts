import { policyText } from '../../core/policy/index.js'
import type { PolicyKey, Proof } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { failPolicy } from '../sql/errors.js'

/** The policy key for what proves a value. `answerer`: whose answer it is, as people call it. */
export const provenByKey = (answerer: string): PolicyKey => ({
  ...keyForm,
  help: `login: the new password logs in before it is published · answer: no network path leads to the database, and the answer of ${answerer} is the only proof`,
})
const keyForm: PolicyKey = {
  name: 'proven-by',
  default: 'login',
  help: 'login or answer',
  check: (value) => (['login', 'answer'].includes(value) ? undefined : 'must be login or answer'),
}

export const provenBy = (policy: Policy): Proof => (policyText(policy, keyForm) === 'answer' ? 'answer' : 'login')

/** Login verification of MySQL is not there yet. */
export function failMysqlLogin(answerer: string): never {
  const next = `Set keyturn-proven-by=answer: then the answer of ${answerer} is the proof, and no login.`
  return failPolicy('proven-by', 'is login, and no login to MySQL can be made here', next)
}
