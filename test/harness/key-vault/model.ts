/** What the double keeps, and the errors that it answers. Names and rules are those of the service's REST reference and documentation. */
export type Tags = Readonly<Record<string, string>>

/** One version. It is replaced as a whole when it changes, so that whoever kept it keeps what was. */
export interface StoredVersion {
  /** 32 hexadecimal digits, in no order. */
  readonly id: string
  readonly value: string
  readonly contentType: string | undefined
  readonly tags: Tags | undefined
  readonly enabled: boolean
  /** Seconds, as all times of the service. */
  readonly created: number
  readonly updated: number
  readonly notBefore: number | undefined
  readonly expires: number | undefined
  /** Whether somebody had subscribed to events when it was made: for the others there are none, ever. */
  readonly watched: boolean
}
export interface StoredSecret {
  readonly name: string
  /** In the order of creation. There is always one. */
  readonly versions: readonly [StoredVersion, ...StoredVersion[]]
  /** Of a secret that is deleted and can be recovered. */
  readonly deletedAt?: number
}
/** By `keyOf` their name: the service does not tell upper case from lower case. */
export type Secrets = ReadonlyMap<string, StoredSecret>
export const keyOf = (name: string): string => name.toLowerCase()
export const newestOf = ({ versions }: StoredSecret): StoredVersion => versions.at(-1) ?? versions[0]

export class Vault {
  readonly name: string
  readonly tenant: string
  readonly secrets = new Map<string, StoredSecret>()
  /** Its firewall refuses the caller's address. */
  refusesAddress = false
  purgeProtected = false
  /** How long a deleted secret can be recovered: 7 to 90. */
  retentionDays = 90
  constructor(name: string, tenant: string) {
    this.name = name
    this.tenant = tenant
  }
}

export const maxima = {
  nameCharacters: 127,
  valueBytes: 25_600,
  contentTypeCharacters: 255,
  tags: 15,
  tagCharacters: 512,
  pageSize: 25,
} as const

/** An answer that is an error. */
export class KeyVaultError extends Error {
  readonly status: number
  readonly code: string
  readonly inner: string | undefined
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, code: string, message: string, inner?: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.inner = inner
    this.headers = headers
  }
  get body(): string {
    const { code, message, inner } = this
    return JSON.stringify({ error: { code, message, ...(inner === undefined ? {} : { innererror: { code: inner } }) } })
  }
}

/** The text is the double's own, unless a comment says that it was seen in the field: nothing may depend on it. */
export const badParameter = (text: string): KeyVaultError => new KeyVaultError(400, 'BadParameter', text)
/** Seen in the field, also with the version behind the name. */
export const secretNotFound = (name: string): KeyVaultError =>
  new KeyVaultError(
    404,
    'SecretNotFound',
    `A secret with (name/id) ${name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  )
/** Seen in the field, for a read of a secret and of a deleted secret. */
export const secretDisabled = (): KeyVaultError =>
  new KeyVaultError(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled')
/** Seen in the field. */
export const deletedButRecoverable = (name: string): KeyVaultError =>
  new KeyVaultError(
    409,
    'Conflict',
    `Secret ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.`,
    'ObjectIsDeletedButRecoverable',
  )
/** The double's own text. That the service answers 409 to writes of one secret that overlap was said by its maintainers. */
export const conflict = (name: string): KeyVaultError =>
  new KeyVaultError(409, 'Conflict', `Another operation is in progress on the secret ${name}.`)
/** Seen in the field. */
export const throttled = (retryAfterSeconds: number): KeyVaultError =>
  new KeyVaultError(
    429,
    'Throttled',
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
    undefined,
    { 'retry-after': String(retryAfterSeconds) },
  )
export const purgeRefused = (vault: string): KeyVaultError =>
  new KeyVaultError(403, 'Forbidden', `Operation "purge" is not allowed on the vault ${vault}, because it is protected from it.`)

const callerOf = (tenant: string): string => `Caller: appid=${idOf(1)};oid=${idOf(2)};iss=https://sts.windows.net/${tenant}/`
const idOf = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`
export const resourceOf = (vault: string): string =>
  `/subscriptions/${idOf(3)}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/${vault}`

/** Seen in the field. */
export const forbiddenByFirewall = ({ name, tenant }: Vault): KeyVaultError =>
  new KeyVaultError(
    403,
    'Forbidden',
    `Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\n${callerOf(tenant)}\r\nVault: ${name};location=westeurope`,
    'ForbiddenByFirewall',
  )
/** Seen in the field. */
export const forbiddenByRbac = ({ name, tenant }: Vault, action: string, secret: string | undefined): KeyVaultError =>
  new KeyVaultError(
    403,
    'Forbidden',
    `Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\n${callerOf(tenant)}\r\nAction: '${action}'\r\nResource: '${resourceOf(name).toLowerCase()}${secret === undefined ? '' : `/secrets/${secret}`}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: ${name};location=westeurope\r\n`,
    'ForbiddenByRbac',
  )

const unauthorized = (text: string): KeyVaultError => new KeyVaultError(401, 'Unauthorized', text)
/** These four were seen in the field. */
export const tokenMissing = (): KeyVaultError => unauthorized('AKV10000: Request is missing a Bearer or PoP token.')
export const tokenExpired = (): KeyVaultError => unauthorized("[TokenExpired] Error validating token: 'S2S12086'.")
export const tokenInvalid = (): KeyVaultError => unauthorized("[AggregatedAuthenticationFailure] Error validating token: 'S2S17001'.")
export const wrongTenant = (expected: string, found: string): KeyVaultError =>
  unauthorized(`AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${expected}/, found https://sts.windows.net/${found}/.`)
