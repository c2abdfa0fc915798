import { RotationError } from '../../shared/core/errors.js'
import { isToken } from '../../shared/core/ids.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { StepRequest } from '../../shared/lifecycle/service/serve.js'
import { stepNames } from './step-names.js'

/** One step of a rotation that Secrets Manager drives, as it asks for it. */
export interface RotationCall {
  readonly request: StepRequest
  /** What the service hands over for PutSecretValue: sensitive, passed on and forgotten. */
  readonly rotationToken?: SecretText
}

/** What Secrets Manager sends to a rotation function (docs: "Lambda rotation functions"). bad_event with the field. */
export function readEvent(event: unknown, at: number): RotationCall {
  const field = (name: string): unknown =>
    typeof event === 'object' && event !== null ? new Map(Object.entries(event)).get(name) : undefined
  const [step, ref, token, rotationToken] = ['Step', 'SecretId', 'ClientRequestToken', 'RotationToken'].map(field)
  const known = typeof step === 'string' && Object.hasOwn(stepNames, step) ? stepNames[step] : undefined
  if (known === undefined) return failEvent('Step', 'is not a step of a rotation')
  if (typeof ref !== 'string' || ref === '') return failEvent('SecretId', 'names no secret')
  if (typeof token !== 'string' || !isToken(token)) return failEvent('ClientRequestToken', 'is not a token of 32 to 64 characters')
  const shown = ref.startsWith('arn:') ? ref : `aws:${ref}`
  const request: StepRequest = { kind: 'rotate', ref: shown, at, step: known, token }
  if (typeof rotationToken !== 'string' || rotationToken === '') return { request }
  return { request, rotationToken: new SecretText(rotationToken) }
}

function failEvent(field: string, why: string): never {
  throw new RotationError('bad_event', `The field ${field} of the event ${why}.`, {
    field,
    next: 'Start a rotation in AWS Secrets Manager (aws secretsmanager rotate-secret) or with keyturn rotate: the service then calls this function.',
  })
}
