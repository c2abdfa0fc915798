import { Credentials } from '../../google/credentials.js'
import type { PlatformToken } from '../files.js'

const timeoutMs = 10_000
/** With the address of the account in the token GKE knows the caller by that; without it, by the account's number. */
const scopes = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/userinfo.email']

/** The access token of the account as which this runs. Google's library keeps it and renews it in time. denied, unavailable. */
export const googleToken: PlatformToken = (cluster) => {
  const credentials = new Credentials(`the cluster ${cluster}`, { scopes })
  return () => credentials.token(AbortSignal.timeout(timeoutMs))
}
