import { protos } from '@google-cloud/secret-manager'
import type { MethodDefinition } from '@grpc/grpc-js'

const { google } = protos
const api = google.cloud.secretmanager.v1
const service = 'google.cloud.secretmanager.v1.SecretManagerService'

/** What the classes in the client's own package have in common. */
interface Codec<In, Out extends In> {
  encode(message: In): { finish(): Uint8Array }
  decode(bytes: Uint8Array): Out
}
const rpc = <Request, RequestOut extends Request, Response, ResponseOut extends Response>(
  permission: string,
  request: Codec<Request, RequestOut>,
  response: Codec<Response, ResponseOut>,
) => ({ permission, request, response })

/** Every call that the double serves, with the permission that it needs. The messages are coded by the client's own classes. */
export const rpcs = {
  ListSecrets: rpc('secrets.list', api.ListSecretsRequest, api.ListSecretsResponse),
  CreateSecret: rpc('secrets.create', api.CreateSecretRequest, api.Secret),
  GetSecret: rpc('secrets.get', api.GetSecretRequest, api.Secret),
  UpdateSecret: rpc('secrets.update', api.UpdateSecretRequest, api.Secret),
  DeleteSecret: rpc('secrets.delete', api.DeleteSecretRequest, google.protobuf.Empty),
  AddSecretVersion: rpc('versions.add', api.AddSecretVersionRequest, api.SecretVersion),
  GetSecretVersion: rpc('versions.get', api.GetSecretVersionRequest, api.SecretVersion),
  ListSecretVersions: rpc('versions.list', api.ListSecretVersionsRequest, api.ListSecretVersionsResponse),
  AccessSecretVersion: rpc('versions.access', api.AccessSecretVersionRequest, api.AccessSecretVersionResponse),
  EnableSecretVersion: rpc('versions.enable', api.EnableSecretVersionRequest, api.SecretVersion),
  DisableSecretVersion: rpc('versions.disable', api.DisableSecretVersionRequest, api.SecretVersion),
  DestroySecretVersion: rpc('versions.destroy', api.DestroySecretVersionRequest, api.SecretVersion),
  GetIamPolicy: rpc('secrets.getIamPolicy', google.iam.v1.GetIamPolicyRequest, google.iam.v1.Policy),
  SetIamPolicy: rpc('secrets.setIamPolicy', google.iam.v1.SetIamPolicyRequest, google.iam.v1.Policy),
  TestIamPermissions: rpc('', google.iam.v1.TestIamPermissionsRequest, google.iam.v1.TestIamPermissionsResponse),
} as const

export type RpcName = keyof typeof rpcs
export type RequestOf<Name extends RpcName> = Parameters<(typeof rpcs)[Name]['request']['encode']>[0]
export type ResponseOf<Name extends RpcName> = Parameters<(typeof rpcs)[Name]['response']['encode']>[0]
export const rpcNames = Object.keys(rpcs) as RpcName[]
export const isWrite = (name: RpcName): boolean => !/^(Get|List|Access|Test)/.test(name)

/** A row of the service for a gRPC server. The compiler does not see that one name picks request and response of one row, so it is told. */
export function definitionOf<Name extends RpcName>(name: Name): MethodDefinition<RequestOf<Name>, ResponseOf<Name>> {
  const { request, response } = rpcs[name] as {
    readonly request: Codec<RequestOf<Name>, RequestOf<Name>>
    readonly response: Codec<ResponseOf<Name>, ResponseOf<Name>>
  }
  const bytesOf = (coded: { finish(): Uint8Array }): Buffer => Buffer.from(coded.finish())
  return {
    path: `/${service}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => bytesOf(request.encode(message)),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => bytesOf(response.encode(message)),
    responseDeserialize: (bytes) => response.decode(bytes),
  }
}
