import { Credentials } from '../../shared/azure/credentials.js'
import { AzureIdentity } from './azure-identity.js'

/** What leads the credentials of Azure's library; the first four are those of other credentials than a managed identity. */
const names = [
  'AZURE_CLIENT_SECRET',
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_TOKEN_CREDENTIALS',
  'IDENTITY_ENDPOINT',
  'IDENTITY_HEADER',
] as const

let only: Promise<AzureIdentity> | undefined

/**
 * This process in a function app of Azure, until it is closed: tokens come from an identity on loopback, and from nowhere else. The library asks the first
 * endpoint that it was given for all of the process, and keeps its tokens: so there is one, and it ends with the process.
 */
export class AzureMachine {
  readonly identity: AzureIdentity
  readonly #kept = new Map(names.map((name) => [name, process.env[name]]))
  private constructor(identity: AzureIdentity) {
    this.identity = identity
    for (const name of names) delete process.env[name]
    Object.assign(process.env, identity.env, { AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential' })
    this.startAgain()
  }
  static async open(): Promise<AzureMachine> {
    only ??= AzureIdentity.open().then((identity) => {
      identity.unref()
      return identity
    })
    return new AzureMachine(await only)
  }

  /** The credentials are found again, as of now; `clientId` is that of an identity which is assigned by name. */
  startAgain(clientId?: string): void {
    if (clientId === undefined) delete process.env.AZURE_CLIENT_ID
    else process.env.AZURE_CLIENT_ID = clientId
    new Credentials('', '').forget()
  }
  /** What the control plane makes of a token. */
  readonly judge = (token: string) => this.identity.judge(token, this.identity.tenant, 'https://management.azure.com')
  async close(): Promise<void> {
    for (const [name, value] of this.#kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    new Credentials('', '').forget()
  }
}
