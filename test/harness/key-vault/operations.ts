/** A request as it arrived, on whatever way. */
export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly authorization: string | undefined
  readonly body: string
}
export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
/** cut: the connection is to end without an answer. */
export type Ask = (request: HttpRequest) => Promise<HttpAnswer | 'cut'>

const row = (method: string, path: RegExp, action: string) => ({ method, path, action: `Microsoft.KeyVault/vaults/secrets/${action}` })

/**
 * Every call that the double serves, by its name in the REST reference, with the data action that it needs. The action of GetDeletedSecret is an
 * assumption; what the others need is documented or was seen in the field.
 */
export const operations = {
  SetSecret: row('PUT', /^\/secrets\/([^/]+)\/?$/, 'setSecret/action'),
  GetSecretVersions: row('GET', /^\/secrets\/([^/]+)\/versions\/?$/, 'readMetadata/action'),
  GetSecret: row('GET', /^\/secrets\/([^/]+)(?:\/([^/]*))?$/, 'getSecret/action'),
  UpdateSecret: row('PATCH', /^\/secrets\/([^/]+)(?:\/([^/]*))?$/, 'update/action'),
  DeleteSecret: row('DELETE', /^\/secrets\/([^/]+)\/?$/, 'delete'),
  GetSecrets: row('GET', /^\/secrets\/?$/, 'readMetadata/action'),
  GetDeletedSecrets: row('GET', /^\/deletedsecrets\/?$/, 'readMetadata/action'),
  GetDeletedSecret: row('GET', /^\/deletedsecrets\/([^/]+)\/?$/, 'readMetadata/action'),
  RecoverDeletedSecret: row('POST', /^\/deletedsecrets\/([^/]+)\/recover\/?$/, 'recover/action'),
  PurgeDeletedSecret: row('DELETE', /^\/deletedsecrets\/([^/]+)\/?$/, 'purge/action'),
} as const

export type OperationName = keyof typeof operations
export const operationNames = Object.keys(operations) as OperationName[]
export const isWrite = (name: OperationName): boolean => !name.startsWith('Get')

/** What a request asks for. The version is undefined for the newest. */
export interface Asked {
  readonly name: OperationName
  readonly secret: string | undefined
  readonly version: string | undefined
}
export function askedOf({ method, url }: HttpRequest): Asked | undefined {
  for (const name of operationNames) {
    const found = operations[name].method === method ? operations[name].path.exec(url.pathname) : null
    if (found !== null) return { name, secret: found[1] && decodeURIComponent(found[1]), version: found[2] || undefined }
  }
  return undefined
}
