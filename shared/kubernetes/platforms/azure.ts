import { Credentials } from '../../azure/credentials.js'
import type { PlatformToken } from '../files.js'

const timeoutMs = 10_000
/** The application of Entra ID for which every AKS cluster takes tokens: https://azure.github.io/kubelogin/concepts/aks.html */
const scope = '6dae42f8-4368-4678-94ff-3960e28e3630/.default'

/**
 * The access token of the identity as which this runs; AKS knows the caller by the identity's object id. Azure's library keeps it and renews it in time.
 * denied, unavailable.
 */
export const azureToken: PlatformToken = (cluster) => {
  const credentials = new Credentials(scope, `the cluster ${cluster}`)
  return () => credentials.token(AbortSignal.timeout(timeoutMs))
}
