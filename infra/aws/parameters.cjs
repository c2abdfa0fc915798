// What serverless.yml cannot express: lists of ARNs that may be empty, and a role with statements only for the resources that are named.
const list = (text) =>
  (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/** Allows the calls of the control plane on the named databases only, and reading the tags of administrators' secrets that RDS manages. */
const rdsStatements = (allow, databases, looked, admins) => {
  const [instances, clusters, seenInstances, seenClusters] = [databases, looked].flatMap((arns) =>
    [/:db:/, /:cluster:/].map((form) => arns.filter((arn) => form.test(arn))),
  )
  const some = (actions, arns) => (arns.length > 0 ? [allow(actions, arns)] : [])
  return [
    ...some(['rds:DescribeDBInstances', 'rds:ModifyDBInstance'], instances),
    ...some(['rds:DescribeDBClusters', 'rds:ModifyDBCluster'], clusters),
    ...some(['rds:DescribeDBInstances'], seenInstances),
    ...some(['rds:DescribeDBClusters'], seenClusters),
    ...(databases.length + looked.length > 0 && admins.length > 0 ? [allow(['secretsmanager:DescribeSecret'], admins)] : []),
  ]
}

/** Allows keys only for these secrets: the service passes their ARN as encryption context. */
const keyStatements = (allow, keys, written, readable) => {
  const on = (arns) => ({ Condition: { StringLike: { 'kms:EncryptionContext:SecretARN': arns } } })
  if (keys.length === 0) return []
  const read = allow(['kms:Decrypt'], keys, on([...written, ...readable]))
  return written.length === 0 ? [read] : [read, allow(['kms:GenerateDataKey'], keys, on(written))]
}

const role = (name, statements) => ({
  Type: 'AWS::IAM::Role',
  Properties: {
    AssumeRolePolicyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    },
    Policies: [{ PolicyName: name, PolicyDocument: { Version: '2012-10-17', Statement: statements } }],
  },
})

/** A function URL that everybody may call, for a set that everybody may know. It is never in a VPC and has no right to any other secret. */
const jwksFunction = (secret, maxAge) => ({
  handler: 'dist/functions/aws/jwks/index.handler',
  description: 'Serves the public set of signing keys',
  memorySize: 256,
  timeout: 10,
  package: { patterns: ['dist/functions/aws/jwks/index.js'] },
  role: 'JwksRole',
  url: true,
  environment: { KEYTURN_JWKS: secret, KEYTURN_JWKS_MAX_AGE: maxAge, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
})
const jwksResources = (allow, secret, keys, logStreams) => ({
  JwksRole: role('jwks', [
    allow(['secretsmanager:GetSecretValue'], [secret]),
    ...keyStatements(allow, keys, [], [secret]),
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logStreams]),
  ]),
})

/** @param {{ options: Record<string, string>, resolveVariable: (text: string) => Promise<string> }} given */
module.exports = async ({ resolveVariable }) => {
  const param = async (name, instead = '') => resolveVariable(`param:${name}, '${instead}'`)
  const secrets = list(await param('SecretArns', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-it-with-param-SecretArns'))
  const admins = list(await param('AdminSecretArns'))
  const readable = [...admins, ...list(await param('ConfigSecretArns'))]
  const companions = list(await param('CompanionArns'))
  const jwksSecret = (await param('JwksSecretArn')).trim()
  const [databases, looked] = [list(await param('RdsArns')), list(await param('RdsLookupArns'))]
  const [keys, subnets, groups] = [list(await param('KmsKeyArns')), list(await param('SubnetIds')), list(await param('SecurityGroupIds'))]
  const logStreams = (name) => ({ 'Fn::GetAtt': [`${name}LogGroup`, 'Arn'] }) // it ends with :*, the streams of this one group
  const allow = (Action, Resource, more = {}) => ({ Effect: 'Allow', Action, Resource, ...more })
  const statements = [
    // The four calls of a rotation, on the named secrets only. The vendor's template allows these, and GetRandomPassword on *.
    allow(
      [
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecretVersionStage',
      ],
      [...secrets, ...companions],
    ),
    // Our own engine publishes a companion, and must know which ids were used before.
    ...(companions.length > 0 ? [allow(['secretsmanager:ListSecretVersionIds'], companions)] : []),
    ...(readable.length > 0 ? [allow(['secretsmanager:GetSecretValue'], readable)] : []),
    ...rdsStatements(allow, databases, looked, admins),
    ...keyStatements(allow, keys, [...secrets, ...companions], readable),
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logStreams('Rotate')]),
    // EC2 accepts only * for network interfaces: they have no ARN before they are made, and DescribeNetworkInterfaces knows none.
    ...(subnets.length > 0
      ? [allow(['ec2:CreateNetworkInterface', 'ec2:DescribeNetworkInterfaces', 'ec2:DeleteNetworkInterface'], ['*'])]
      : []),
  ]
  return {
    // A step waits until a new master password takes effect, about half a minute. Without a database a step ends in seconds.
    timeout: databases.length > 0 ? 300 : 60,
    jwks: jwksSecret === '' ? {} : { jwks: jwksFunction(jwksSecret, await param('JwksMaxAge', '300')) },
    vpc: subnets.length > 0 ? { subnetIds: subnets, securityGroupIds: groups } : false,
    resources: {
      Resources: {
        RotateRole: role('rotate', statements),
        ...(jwksSecret === '' ? {} : jwksResources(allow, jwksSecret, keys, logStreams('Jwks'))),
        // For this account only: SourceArn would tie the permission to one secret.
        RotatePermission: {
          Type: 'AWS::Lambda::Permission',
          Properties: {
            Action: 'lambda:InvokeFunction',
            FunctionName: { 'Fn::GetAtt': ['RotateLambdaFunction', 'Arn'] },
            Principal: 'secretsmanager.amazonaws.com',
            SourceAccount: { Ref: 'AWS::AccountId' },
          },
        },
      },
      Outputs: {
        RotateFunctionArn: {
          Description: 'For rotate-secret --rotation-lambda-arn',
          Value: { 'Fn::GetAtt': ['RotateLambdaFunction', 'Arn'] },
        },
      },
    },
  }
}
