import type { Env } from '../../shared/core/ports/env.js'
import { AwsSecretsManagerAdmin } from '../../shared/stores/aws-secrets-manager/admin.js'

/** What the SDK asks its environment for; nothing of it is real, and it never leaves this machine. */
export function useAwsEnvironment(): void {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'eu-west-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  })
}

export function openAws(endpoint: string, env: Env): AwsSecretsManagerAdmin {
  useAwsEnvironment()
  return AwsSecretsManagerAdmin.open({ endpoint }, env)
}
