import { policyText } from '../../core/policy/index.js'
import type { PolicyKey } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import { failPolicy } from '../sql/errors.js'

/** Who answers, as a sentence names it. */
export const answerer = 'the Admin API'

/** `PROJECT:INSTANCE`, or the connection name that the console shows; a project of an organisation's domain has a colon of its own. */
const instanceForm = /^((?:[a-z0-9-]+(?:\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9])(?::[a-z]+-[a-z]+\d+)?:([a-z][a-z0-9-]{0,96})$/
export const instanceKey: PolicyKey = {
  name: 'instance',
  help: 'the instance: PROJECT:INSTANCE, or its connection name PROJECT:REGION:INSTANCE',
  check: (value) => (instanceForm.test(value) ? undefined : 'must be PROJECT:INSTANCE or PROJECT:REGION:INSTANCE'),
}
export const accountHostKey: PolicyKey = {
  name: 'account-host',
  help: 'MySQL: the host part of the account, where that is one address or name and not every host',
  check: (value) => (/^[A-Za-z0-9.:_/-]{1,255}$/.test(value) ? undefined : 'must be the host part of one account'),
}

/** Which instance is meant. */
export interface Place {
  readonly project: string
  readonly instance: string
}
/** As messages show it. */
export const shownPlace = ({ project, instance }: Place): string => `projects/${project}/instances/${instance}`

/** bad_policy where the policy names none. */
export function placeIn(policy: Policy): Place {
  const [, project, instance] = instanceForm.exec(policyText(policy, instanceKey) ?? '') ?? []
  if (project !== undefined && instance !== undefined) return { project, instance }
  const next = 'Set keyturn-instance to PROJECT:REGION:INSTANCE; gcloud sql instances describe NAME shows it as connectionName.'
  return failPolicy('instance', 'does not name the instance', next)
}
/** undefined: every host. */
export const accountHostIn = (policy: Policy): string | undefined => policyText(policy, accountHostKey)
