import { status } from '@grpc/grpc-js'
import { badArgument, StatusError } from './model.js'
import { found, type Operations } from './secrets.js'

const textOf = (etag: Uint8Array | string | null | undefined): string => Buffer.from(etag ?? '').toString()

/** A policy is kept and answered, and never asked: who may do what is what the test denies. */
export const policyOperations: Operations<'GetIamPolicy' | 'SetIamPolicy' | 'TestIamPermissions'> = {
  GetIamPolicy: (service, { resource }, seen) => found(seen, service.names.secret(resource ?? '').secret).policy,

  SetIamPolicy: (service, { resource, policy }) => {
    const secret = found(service.secrets, service.names.secret(resource ?? '').secret)
    if (!policy) throw badArgument('Field [policy] is required.')
    const [has, wanted] = [textOf(secret.policy.etag), textOf(policy.etag)]
    if (wanted !== '' && wanted !== has) throw new StatusError(status.ABORTED, 'There were concurrent policy changes.')
    secret.policy = { ...policy, etag: Buffer.from(service.newEtag()) }
    return secret.policy
  },

  /** Of a secret that is not there: none, rather than an error. */
  TestIamPermissions: (service, { resource, permissions }, seen) => {
    const { secret } = service.names.secret(resource ?? '')
    return { permissions: seen.has(secret) ? (permissions ?? []).filter((one) => service.may(one, resource ?? '')) : [] }
  },
}
