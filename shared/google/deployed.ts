import { RotationError } from '../core/errors.js'
import type { DeployedFinding, InspectDeployed } from '../core/ports/deployed.js'
import type { Env } from '../core/ports/env.js'
import { RunService, runServiceForm } from './run-service.js'

const field = 'KEYTURN_FUNCTIONS'

/** Asks Cloud Run about each service that KEYTURN_FUNCTIONS names, separated by spaces: projects/P/locations/L/services/S. */
export const inspectDeployed: InspectDeployed = async function* (environment, env) {
  const names = (environment[field] ?? '').split(/[\s,]+/).filter((name) => name !== '')
  for (const name of names) yield await inspect(name, env)
}

async function inspect(name: string, env: Env): Promise<DeployedFinding> {
  try {
    if (!runServiceForm.test(name)) throw malformedError()
    const why = await new RunService({ env, name }).whyPublic()
    return why === undefined ? { name, level: 'private' } : { name, level: 'public', error: publicError(name, why) }
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    return { name, level: 'unknown', error: cause }
  }
}

const malformedError = (): RotationError =>
  new RotationError('bad_config', `${field} must have projects/PROJECT/locations/LOCATION/services/SERVICE, separated by spaces.`, {
    field,
    next: `Correct ${field}. gcloud functions describe NAME --region LOCATION --format='value(serviceConfig.service)' prints the name.`,
  })

function publicError(name: string, why: string): RotationError {
  const [, project = '', , location = '', , service = ''] = name.split('/')
  const where = `${service} --region ${location} --project ${project}`
  return new RotationError('bad_config', `Everybody may call ${name}: ${why}.`, {
    next: `Look at gcloud run services get-iam-policy ${where}, remove allUsers and allAuthenticatedUsers from it, and check who calls again (gcloud run services update ${where} --invoker-iam-check).`,
  })
}
