import assert from 'node:assert/strict'
import { SecretClient, type SecretClientOptions } from '@azure/keyvault-secrets'
import { optional } from '../../../shared/core/optional.js'
import type { KeyVaultDouble } from '../key-vault.js'

/** Always the same token. What it was asked for is kept. */
export function tokenOf(token = 'a-token') {
  const asked: { readonly scopes: string | string[]; readonly tenantId: string | undefined }[] = []
  const getToken = async (scopes: string | string[], { tenantId }: { tenantId?: string } = {}) => {
    asked.push({ scopes, tenantId })
    return { token, expiresOnTimestamp: Date.now() + 3_600_000 }
  }
  return { asked, getToken }
}
/** The unmodified client, over TLS and without retries of its own, unless the options say otherwise. */
export const clientOf = (double: KeyVaultDouble, options: SecretClientOptions & { readonly vault?: string } = {}): SecretClient =>
  new SecretClient(double.url(options.vault), tokenOf(), {
    ...(options.httpClient ? {} : double.clientOptions),
    retryOptions: { maxRetries: 0 },
    ...options,
  })

/** An error as the client gives it. The inner code is absent where the client loses it. */
export interface Refusal {
  readonly statusCode?: number
  readonly code?: string
  readonly message: string
  readonly details?: { readonly error?: { readonly innerError?: { readonly code?: string } } }
}
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.ok(error instanceof Error, 'the call is refused')
  return error
}
/** The status, the code and the inner code, if any. */
export async function fails(call: Promise<unknown>, status: number, code: string, inner?: string, message = /./): Promise<void> {
  const error = await refusalOf(call)
  assert.deepEqual(
    { status: error.statusCode, code: error.code, ...optional('inner', error.details?.error?.innerError?.code) },
    { status, code, ...optional('inner', inner) },
    error.message,
  )
  assert.match(error.message, message)
}
export async function all<T>(list: AsyncIterable<T>): Promise<readonly T[]> {
  const items: T[] = []
  for await (const item of list) items.push(item)
  return items
}
