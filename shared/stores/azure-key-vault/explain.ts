import { messageOf, RotationError } from '../../core/errors.js'
import { storageField, vaultsField } from './environment.js'
import { type Call, CallError, classify, isUntrusted, sayError } from './errors.js'
import { placeSuffix } from './names.js'

/** What an error is about. */
export interface About {
  /** The secret or the vault, as people write it. */
  readonly shown: string
  /** The host that was called. */
  readonly host: string
}

/** What a right is called that a call needs, for a vault with Azure's roles and for one with access policies. */
const rights: Readonly<Record<Exclude<Call, BlobCall>, readonly [action: string, policy: string]>> = {
  getSecret: ['secrets/getSecret/action', 'Get'],
  getVersion: ['secrets/getSecret/action', 'Get'],
  listVersions: ['secrets/readMetadata/action', 'List'],
  listSecrets: ['secrets/readMetadata/action', 'List'],
  setSecret: ['secrets/setSecret/action', 'Set'],
  updateVersion: ['secrets/update/action', 'Set'],
  getDeletedSecret: ['secrets/readMetadata/action', 'Get'],
  recoverSecret: ['secrets/recover/action', 'Recover'],
}
/** What a right is called that a call needs in the storage account. */
const blobRights = {
  readBlob: 'blobs/read',
  writeBlob: 'blobs/write',
  deleteBlob: 'blobs/delete',
  listBlobs: 'blobs/read',
  createContainer: 'containers/write',
  acquireLease: 'blobs/write',
  changeLease: 'blobs/write',
  renewLease: 'blobs/write',
  releaseLease: 'blobs/write',
} as const satisfies Partial<Record<Call, string>>
type BlobCall = keyof typeof blobRights
const isBlobCall = (call: Call): call is BlobCall => Object.hasOwn(blobRights, call)

/**
 * Makes the error for what a person can fix: credentials, the network, a firewall, a role, a vault or an account that is not there. undefined for
 * every other error, and where a call may have had its effect.
 */
export function setupError(cause: unknown, about: About): RotationError | undefined {
  if (!(cause instanceof CallError)) return undefined
  const { status, word, inner } = cause.answer
  const code = classify(cause)
  if (code === 'denied' && status === undefined) return noCredentialsError(cause, about)
  if (word === 'ENOTFOUND') return noHostError(cause, about)
  if (status === undefined && isUntrusted(word)) return untrustedError(cause, about)
  if (word === 'ContainerNotFound') return noContainerError(cause, about)
  if (status === 401) return refusedError(cause, about)
  if (inner === 'SecretDisabled') return undefined
  if (status === 403) return isFirewall(inner, word) ? firewallError(cause, about) : deniedError(cause, about)
  return code === 'unavailable' ? unreachedError(cause, about) : undefined
}
const isFirewall = (inner: string | undefined, word: string | undefined): boolean =>
  ['ForbiddenByFirewall', 'ForbiddenByConnection'].includes(inner ?? '') || word === 'AuthorizationFailure'

const noCredentialsError = (cause: CallError, { shown }: About): RotationError =>
  new RotationError('denied', `No credentials of Azure were found, or they were refused: ${shown} cannot be reached.`, {
    cause,
    next: 'Run az login, set AZURE_TENANT_ID, AZURE_CLIENT_ID and a credential of it, or run where a managed identity is.',
  })

function noHostError(cause: CallError, { shown, host }: About): RotationError {
  const isBlob = isBlobCall(cause.call)
  const what = isBlob ? `storage account has the address ${host}` : `vault has the address ${host}`
  return new RotationError('bad_config', `${shown}: no ${what}, or DNS does not work here.`, {
    cause,
    field: isBlob ? storageField : cause.call === 'listSecrets' ? vaultsField : 'ref',
    next: isBlob ? `Check ${storageField}.` : 'Check the name of the vault: az keyvault list shows those of a subscription.',
  })
}

const untrustedError = (cause: CallError, { shown, host }: About): RotationError =>
  new RotationError('bad_config', `${shown}: the certificate of ${host} is not trusted (${sayError(cause)}).`, {
    cause,
    field: 'NODE_EXTRA_CA_CERTS',
    next: 'If a proxy of yours answers for this host, name the file of its authority in NODE_EXTRA_CA_CERTS.',
  })

const noContainerError = (cause: CallError, { shown }: About): RotationError =>
  new RotationError('bad_config', `The storage account has no container for the journal of ${shown}.`, {
    cause,
    field: 'KEYTURN_AZURE_CONTAINER',
    next: `Run keyturn adopt ${shown} with the rights of a person, which makes it, or check ${storageField} and KEYTURN_AZURE_CONTAINER.`,
  })

/** Only its text tells a wrong tenant. */
function refusedError(cause: CallError, { shown }: About): RotationError {
  const isTenant = /\bAKV10032\b|invalid issuer/i.test(messageOf(cause.cause))
  const why = isTenant ? 'they are of another tenant than the vault' : sayError(cause)
  return new RotationError('denied', `${shown}: the service does not accept these credentials (${why}).`, {
    cause,
    next: isTenant
      ? "Log in to the vault's own tenant: az login --tenant TENANT, or set AZURE_TENANT_ID to it."
      : "Log in again, to the vault's own tenant, and check the clock of this machine.",
  })
}

/** Throws what a person can do about a firewall, if that is why a call was refused. */
export function rethrowFirewall(cause: unknown, about: About): void {
  if (cause instanceof CallError && isFirewall(cause.answer.inner, cause.answer.word)) throw firewallError(cause, about)
}

const firewallError = (cause: CallError, { shown, host }: About): RotationError =>
  new RotationError('denied', `${shown}: the firewall of ${host} does not let this address in.`, {
    cause,
    next: 'Run where its network rules allow it, or allow this network, subnet or private endpoint there.',
  })

function deniedError(cause: CallError, { shown, host }: About): RotationError {
  const { call } = cause
  const prints = `${printsFor(shown)} what is needed. A new role takes some minutes.`
  if (isBlobCall(call)) {
    return new RotationError('denied', `${blobRights[call]} is denied on ${host}, for ${aboutJournals(shown)}.`, {
      cause,
      next: `Grant a role with it, such as Storage Blob Data Contributor, on the container: ${prints}`,
    })
  }
  const [action, policy] = rights[call]
  return new RotationError('denied', `${action} is denied on ${shown}.`, {
    cause,
    next: `Grant a role with it, or ${policy} in a vault with access policies: ${prints}`,
  })
}
/** A listing is of a vault: no secret has a name then. */
const aboutJournals = (shown: string): string => (shown.endsWith('/') ? `the journals of ${shown.slice(0, -1)}` : `the journal of ${shown}`)
/** The permissions are those of a managed secret: a staging place has none of its own, and does not say in which vault its secret is. */
function printsFor(shown: string): string {
  if (shown.endsWith(placeSuffix)) return `keyturn permissions with the secret of that staging place prints`
  const isVault = !/\/./.test(shown)
  return isVault ? `keyturn permissions with one of its secrets prints` : `keyturn permissions ${shown} prints`
}

const unreachedError = (cause: CallError, { shown, host }: About): RotationError =>
  new RotationError('unavailable', `${shown}: ${host} could not be reached (${sayError(cause)}).`, {
    cause,
    next: 'Check the network, DNS and the proxy, then run the same command again.',
  })
