import { isDeepStrictEqual } from 'node:util'
import type { SecretsManagerDouble } from '../secrets-manager.js'
import { badParameter, badRequest, current, holderOf, pending, type RotationRules, type Secret, ServiceError } from './model.js'
import { type Input, type Output, text } from './operations.js'
import { checkRules } from './schedule.js'

const rulesOf = (input: Input): RotationRules | undefined => {
  const { RotationRules: rules } = input
  return typeof rules === 'object' && rules !== null ? (rules as RotationRules) : undefined
}

/** Asynchronous: makes the placeholder, answers, and then calls the function step by step. */
export function rotateSecret(double: SecretsManagerDouble, input: Input): Output {
  const secret = double.find(input)
  if (secret.deletedAt !== undefined) throw badRequest('You can’t perform this operation on the secret because it was marked for deletion.')
  if (secret.owningService !== undefined && input.RotationLambdaARN !== undefined)
    throw badRequest(`The secret is managed by ${secret.owningService}; a rotation function cannot be set.`)
  const rules = rulesOf(input)
  if (rules) checkRules(rules)
  const arn = text(input, 'RotationLambdaARN') ?? secret.rotation.functionArn
  if (arn === undefined) throw badRequest('No Lambda rotation function ARN is associated with this secret.')
  if (!double.functions.has(arn))
    throw new ServiceError(
      'AccessDeniedException',
      'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
    )
  const holder = holderOf(secret, pending)
  if (holder !== undefined && !holder.stages.has(current)) {
    void double.attempt(secret)
    throw badRequest("A previous rotation isn't complete. That rotation will be reattempted.")
  }
  const token = text(input, 'ClientRequestToken') ?? double.newId()
  if (token.length < 32 || token.length > 64) throw badParameter('The ClientRequestToken must be 32-64 characters long.')
  secret.rotation = { ...secret.rotation, enabled: true, functionArn: arn, ...(rules ? { rules, setAt: double.now() } : {}) }
  startRotation(double, secret, token, input.RotateImmediately === false)
  return { ARN: secret.arn, Name: secret.name, VersionId: token }
}

/** The placeholder, and the attempts; what is asked of the service and what its clock starts are one. */
export function startRotation(double: SecretsManagerDouble, secret: Secret, token: string, testOnly = false): void {
  holderOf(secret, pending)?.stages.delete(pending)
  secret.versions.set(token, { id: token, createdAt: double.now(), stages: new Set([pending]) })
  secret.rotation = { ...secret.rotation, inFlight: token, testOnly, attempts: 0 }
  double.record(testOnly ? 'TestRotationStarted' : 'RotationStarted', secret)
  void double.attempt(secret)
}

/** Stops the schedule and a rotation in flight; may leave AWSPENDING behind. */
export function cancelRotateSecret(double: SecretsManagerDouble, input: Input): Output {
  const secret = double.find(input)
  const { inFlight, ...rest } = secret.rotation
  secret.rotation = { ...rest, enabled: false }
  if (inFlight !== undefined) double.record('RotationAbandoned', secret)
  return { ARN: secret.arn, Name: secret.name, ...(inFlight ? { VersionId: inFlight } : {}) }
}

const steps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const

/** One attempt: the four calls one after the other, all with the same token. A step that fails ends the attempt. */
export async function attemptOnce(double: SecretsManagerDouble, secret: Secret): Promise<boolean> {
  const { inFlight: token, functionArn, testOnly } = secret.rotation
  const invoke = functionArn === undefined ? undefined : double.functions.get(functionArn)
  if (token === undefined || invoke === undefined) return true
  const wanted = secret.rotation
  wanted.attempts++
  for (const Step of testOnly ? (['testSecret'] as const) : steps) {
    if (!isDeepStrictEqual(secret.rotation.inFlight, token)) return true // abandoned or cancelled meanwhile
    const failure = await invoke({ Step, SecretId: secret.arn, ClientRequestToken: token, RotationToken: double.rotationTokenOf(token) })
    double.record('invoked', secret, `${Step}${failure === undefined ? '' : `: ${failure}`}`)
    if (failure !== undefined) return false
  }
  if (testOnly) secret.versions.delete(token)
  else complete(double, secret, token)
  const { inFlight: _, testOnly: __, ...rest } = secret.rotation
  secret.rotation = { ...rest, attempts: 0 }
  double.record(testOnly ? 'TestRotationSucceeded' : 'RotationSucceeded', secret)
  return true
}

/** Success is what the function did, not what it said: the service takes its mark away. */
function complete(double: SecretsManagerDouble, secret: Secret, token: string): void {
  secret.versions.get(token)?.stages.delete(pending)
  secret.rotatedAt = double.now()
  secret.changedAt = double.now()
}
