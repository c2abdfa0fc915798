// What serverless.yml cannot express by itself: lists of ARNs that may be empty, and a role with statements only for named resources.
const list = (text) =>
  (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/** The control plane's calls, each on the named databases, and the tags of administrators' secrets that RDS manages. */
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

/** A public function URL for public keys; never in a VPC, and with a right to this one secret only. */
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
    // The four calls of a rotation, on the named secrets; the vendor's template has these and GetRandomPassword on *.
    allow(
      [
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecretVersionStage',
      ],
      [...secrets, ...companions],
    ),
    // Our own engine publishes a companion, and has to know which ids were used before.
    ...(companions.length > 0 ? [allow(['secretsmanager:ListSecretVersionIds'], companions)] : []),
    ...(readable.length > 0 ? [allow(['secretsmanager:GetSecretValue'], readable)] : []),
    ...rdsStatements(allow, databases, looked, admins),
    ...keyStatements(allow, keys, [...secrets, ...companions], readable),
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logStreams('Rotate')]),
    // EC2 accepts only * for network interfaces: they have no ARN before they are made, and DescribeNetworkInterfaces takes none.
    ...(subnets.length > 0
      ? [allow(['ec2:CreateNetworkInterface', 'ec2:DescribeNetworkInterfaces', 'ec2:DeleteNetworkInterface'], ['*'])]
      : []),
  ]
  return {
    // A new master password takes effect in half a minute or so, and the step waits for it; any other step ends in seconds.
    timeout: databases.length > 0 ? 300 : 60,
    jwks: jwksSecret === '' ? {} : { jwks: jwksFunction(jwksSecret, await param('JwksMaxAge', '300')) },
    vpc: subnets.length > 0 ? { subnetIds: subnets, securityGroupIds: groups } : false,
    resources: {
      Resources: {
        RotateRole: role('rotate', statements),
        ...(jwksSecret === '' ? {} : jwksResources(allow, jwksSecret, keys, logStreams('Jwks'))),
        // This account only: SourceArn would tie the permission to one secret.
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
