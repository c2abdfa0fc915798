import { RotationError } from '../../core/errors.js'
import type { SecretRef } from '../../core/ports/words.js'
import { splitRef, storeKind } from '../../core/refs.js'

export const kind = storeKind('azure')

/** A secret: the host of its vault, and its own name. Both are in lower case: the service tells no two names apart by case. */
export interface SecretName {
  readonly host: string
  readonly secret: string
}

/** Where the vaults of the public cloud are. */
const publicSuffix = '.vault.azure.net'
const vaultForm = /^[a-z][a-z0-9-]{1,22}[a-z0-9]$/
const hostForm = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?$/
const secretForm = /^[a-z0-9-]{1,127}$/
const versionForm = /^[0-9a-f]{32}$/

/** The host of a vault that somebody wrote: its name in the public cloud, elsewhere the whole host. undefined for what is neither. */
export function hostOf(vault: string): string | undefined {
  const text = vault.toLowerCase()
  if (vaultForm.test(text)) return `${text}${publicSuffix}`
  return hostForm.test(text) ? text : undefined
}
/** A vault as people write it. */
export const shownVault = (host: string): string => (host.endsWith(publicSuffix) ? host.slice(0, -publicSuffix.length) : host)

/** Vaults, with spaces between, each once. bad_config, with the variable, for what names none. */
export function readVaults(text: string, field: string): readonly string[] {
  const hosts = text
    .split(/\s+/)
    .filter((vault) => vault !== '')
    .map((vault) => hostOf(vault) ?? failVault(vault, field))
  return [...new Set(hosts)]
}
function failVault(vault: string, field: string): never {
  // What was pasted there by mistake may hold a key: only what looks like a name is repeated.
  const what = /^[\w.:-]{1,64}$/.test(vault) ? `"${vault}"` : 'something in it'
  throw new RotationError('bad_config', `${field}: ${what} is not the name of a vault.`, {
    field,
    next: `Write names with spaces between: ${field}="shop-prod shop-test". Outside of the public cloud, write the whole host of a vault.`,
  })
}

/** The service's own name of a secret, or of one of its versions. */
const addressForm = /^https:\/\/([^/]+)\/secrets\/([^/]+)(?:\/[0-9a-fA-F]{32})?\/?$/

/**
 * Reads what a person or an event writes: `azure:VAULT/NAME`, `azure:NAME` in the only vault of the process, or the service's own
 * `https://HOST/secrets/NAME`, with a version or without. bad_event for any other text, and for a ref with a version.
 */
export function readName(text: string, vaults: readonly string[]): SecretName {
  const address = addressForm.exec(text)
  if (address) return checked(text, address[1] ?? '', address[2] ?? '')
  const { store, name } = splitRef(text, kind)
  if (store !== kind) throw nameError(text)
  const whole = addressForm.exec(name) ?? /^([^/]+)\/([^/]+)\/[0-9a-fA-F]{32}$/.exec(name)
  if (whole) throw wholeError(text, checked(text, whole[1] ?? '', whole[2] ?? ''))
  const parts = name.split('/')
  if (parts.length === 2) return checked(text, parts[0] ?? '', parts[1] ?? '')
  const [vault] = vaults
  if (parts.length === 1 && vault !== undefined && vaults.length === 1) return checked(text, vault, name)
  throw parts.length === 1 ? noVaultError(name) : nameError(text)
}

function checked(text: string, vault: string, name: string): SecretName {
  const [host, secret] = [hostOf(vault), name.toLowerCase()]
  if (host === undefined) throw partError(text, `"${vault}" is not the name of a vault`)
  if (!secretForm.test(secret)) throw partError(text, `"${name}" is not a name that the service takes`)
  return { host, secret }
}

/** A text that somebody gave, on one line. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
const write = 'Write azure:VAULT/NAME. A name has A-Z a-z 0-9 and -, at most 127 of them.'
const nameError = (text: string): RotationError =>
  new RotationError('bad_event', `"${oneLine(text)}" does not name a secret of Azure Key Vault.`, { field: 'ref', next: write })
const partError = (text: string, why: string): RotationError =>
  new RotationError('bad_event', `"${oneLine(text)}" does not name a secret of Azure Key Vault: ${oneLine(why)}.`, {
    field: 'ref',
    next: write,
  })
const wholeError = (text: string, name: SecretName): RotationError =>
  new RotationError('bad_event', `"${oneLine(text)}" is an address or names a version, and Keyturn works on the whole secret.`, {
    field: 'ref',
    next: `Write ${shownOf(name)}.`,
  })
const noVaultError = (name: string): RotationError =>
  new RotationError('bad_event', `"${oneLine(name)}" does not say in which vault the secret is.`, {
    field: 'ref',
    next: `Write azure:VAULT/${oneLine(name)}, or set KEYTURN_AZURE_VAULTS to one vault.`,
  })

/** How the name of a staging place ends: it is a secret of its own. */
export const placeSuffix = '-pending'
const nameCharactersMax = 127

/** Checks that the staging place of a secret has a name. bad_event. */
export function assertPlaceFits({ secret }: SecretName): void {
  const characters = secret.length + placeSuffix.length
  if (characters <= nameCharactersMax) return
  throw new RotationError('bad_event', `The name ${secret} is too long: its staging place would have ${characters} characters.`, {
    field: 'ref',
    next: `Choose a name of at most ${nameCharactersMax - placeSuffix.length} characters.`,
  })
}
/** The error for a command that was given a staging place in the place of its secret. */
export const isPlaceError = (shown: string): RotationError =>
  new RotationError('bad_event', `${shown} is the staging place of another secret.`, { field: 'ref', next: 'Name the secret itself.' })

/** `HOST/NAME`: the key of a secret, and the name of its blob. */
export const keyOf = ({ host, secret }: SecretName): string => `${host}/${secret}`
/** A secret by its key. */
export function nameOf(key: string): SecretName {
  const at = key.indexOf('/')
  return { host: key.slice(0, at), secret: key.slice(at + 1) }
}
/** A secret as people write it. */
export const shownOf = ({ host, secret }: SecretName): string => `${kind}:${shownVault(host)}/${secret}`
/** The ref of a secret. */
export const refOf = (name: SecretName): SecretRef => ({ store: kind, key: keyOf(name), shown: shownOf(name), name: name.secret })
/** The service's own name of a version. */
export const resourceOf = ({ host, secret }: SecretName, version: string): string => `https://${host}/secrets/${secret}/${version}`
/** Whether a text can be a version of this service. */
export const isVersion = (text: string): boolean => versionForm.test(text)

/** Words of a command of the vendor's tool that say which secret is meant. */
export const azWhere = ({ host, secret }: SecretName): string =>
  host.endsWith(publicSuffix) ? `--vault-name ${shownVault(host)} --name ${secret}` : `--id https://${host}/secrets/${secret}`
