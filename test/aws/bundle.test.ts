import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { offeredKinds, rotators } from '../../shared/rotators/registry.js'
import { whole } from '../crash/sample.js'
import { checkout, handlerName, run, serverless, unpacked } from '../harness/aws-package.js'
import { AwsWorld, allowed, functionArn, resetRoles } from '../harness/aws-world.js'
import { LambdaRuntime, type NodeMajor, nodes, skipOf } from '../harness/lambda-runtime.js'
import { createRole } from '../harness/pg-suite.js'
import { asSuper, asUser, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { suite } from '../harness/suite.js'

const hashOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

interface Statement {
  readonly Effect: string
  readonly Action: readonly string[]
  readonly Resource: readonly unknown[]
  readonly Condition?: unknown
}
interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>>
}

describe('the package of the AWS function, offline and without credentials', () => {
  let folder: string
  /** As it is with no parameters: its template, the hashes of bundle and archive, and the archive unpacked. */
  let plain: Template
  let hashes: readonly string[]
  let task = ''
  before(async () => {
    folder = await checkout()
    run(folder, process.execPath, ['scripts/functions.mjs', 'aws'])
    plain = await template()
    hashes = await Promise.all([bundle(), zip()].map(hashOf))
    task = await unpacked(zip())
  })
  after(async () => {
    if (task !== '') await rm(task, { recursive: true })
    await rm(folder, { recursive: true, force: true })
  })
  const bundle = (): string => join(folder, 'dist/functions/aws/rotate/index.js')
  const zip = (): string => join(folder, '.serverless/rotate.zip')
  const template = async (...words: string[]): Promise<Template> => {
    serverless(folder, ...words)
    return JSON.parse(await readFile(join(folder, '.serverless/cloudformation-template-update-stack.json'), 'utf8')) as Template
  }
  const statements = ({ Resources }: Template): readonly Statement[] =>
    (Resources.RotateRole?.Properties.Policies as { PolicyDocument: { Statement: Statement[] } }[] | undefined)?.[0]?.PolicyDocument
      .Statement ?? []

  it('is at most 400 KB, and the same to the byte when it is built again', async () => {
    assert.ok((await readFile(zip())).length <= 400 * 1024)
    run(folder, process.execPath, ['scripts/functions.mjs', 'aws'])
    serverless(folder)
    assert.deepEqual(await Promise.all([bundle(), zip()].map(hashOf)), hashes)
    const text = await readFile(bundle(), 'utf8')
    assert.doesNotMatch(text, /sourceMappingURL|@google-cloud|@azure|cloudevents|external-secrets|ModifyDBInstance/)
    assert.ok(existsSync(`${bundle()}.map`))
  })

  it('names a rotator that there is not, and those that there are', () => {
    assert.throws(
      () => run(folder, process.execPath, ['scripts/functions.mjs', 'aws'], { KEYTURN_ROTATORS: 'postgras' }),
      (cause: { stderr?: string }) => /KEYTURN_ROTATORS names postgras; known are postgres, rds, /.test(cause.stderr ?? ''),
    )
  })

  it('has one role with single actions on the named secrets, and only what is asked for', async () => {
    const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf'
    const one = await template('--param', `SecretArns=${arn}`)
    const [rotate, logs, ...more] = statements(one)
    assert.deepEqual(rotate, { Effect: 'Allow', Action: allowed.map((action) => `secretsmanager:${action}`), Resource: [arn] })
    assert.deepEqual(logs?.Action, ['logs:CreateLogStream', 'logs:PutLogEvents'])
    assert.deepEqual(more, [])
    const all = await template(
      '--param',
      `SecretArns=${arn}`,
      '--param',
      'AdminSecretArns=arn:admin',
      '--param',
      'KmsKeyArns=arn:key',
      '--param',
      'SubnetIds=subnet-1,subnet-2',
      '--param',
      'SecurityGroupIds=sg-1',
    )
    for (const { Action, Resource } of statements(all)) {
      assert.ok(
        Action.every((action) => !action.includes('*')),
        Action.join(),
      )
      if (Resource.includes('*'))
        assert.ok(
          Action.every((action) => action.startsWith('ec2:')),
          'where AWS accepts only *',
        )
    }
    assert.deepEqual(statements(all)[1], { Effect: 'Allow', Action: ['secretsmanager:GetSecretValue'], Resource: ['arn:admin'] })
    const [decrypt, generate] = statements(all).slice(2, 4)
    assert.deepEqual([decrypt?.Action, generate?.Action], [['kms:Decrypt'], ['kms:GenerateDataKey']])
    assert.deepEqual(generate?.Condition, { StringLike: { 'kms:EncryptionContext:SecretARN': [arn] } })
    assert.deepEqual(
      [all, one].map(({ Resources }) => Resources.RotateLambdaFunction?.Properties.Timeout),
      [60, 60],
    )
    assert.deepEqual(all.Resources.RotateLambdaFunction?.Properties.VpcConfig, {
      SecurityGroupIds: ['sg-1'],
      SubnetIds: ['subnet-1', 'subnet-2'],
    })
  })

  it('companions may be written, and the ids of their versions listed; the function with the public set may read that and nothing else', async () => {
    const [arn, companion] = [
      'arn:aws:secretsmanager:eu-west-1:1:secret:jwt-AbCdEf',
      'arn:aws:secretsmanager:eu-west-1:1:secret:jwks-GhIjKl',
    ]
    const words = ['--param', `SecretArns=${arn}`, '--param', `CompanionArns=${companion}`, '--param', 'KmsKeyArns=arn:key']
    const [write, list] = statements(await template(...words))
    assert.deepEqual(write?.Resource, [arn, companion])
    assert.deepEqual([list?.Action, list?.Resource], [['secretsmanager:ListSecretVersionIds'], [companion]])
    const { Resources } = await template(...words, '--param', `JwksSecretArn=${companion}`)
    const role = Resources.JwksRole?.Properties.Policies as { PolicyDocument: { Statement: Statement[] } }[]
    const [read, decrypt, logs, ...more] = role[0]?.PolicyDocument.Statement ?? []
    assert.deepEqual([read?.Action, read?.Resource], [['secretsmanager:GetSecretValue'], [companion]])
    assert.deepEqual(
      [decrypt?.Action, decrypt?.Condition],
      [['kms:Decrypt'], { StringLike: { 'kms:EncryptionContext:SecretARN': [companion] } }],
    )
    assert.deepEqual([logs?.Action, more], [['logs:CreateLogStream', 'logs:PutLogEvents'], []])
    assert.ok(!JSON.stringify(role).includes(arn), 'no right on the secret with the private keys')
    assert.deepEqual(Resources.JwksLambdaFunction?.Properties.Role, { 'Fn::GetAtt': ['JwksRole', 'Arn'] })
    assert.equal(Resources.JwksLambdaFunction?.Properties.VpcConfig, undefined)
    assert.equal(Resources.JwksLambdaFunctionUrl?.Properties.AuthType, 'NONE')
    const public_ = Object.values(Resources).filter(({ Properties }) => Properties.Principal === '*')
    assert.deepEqual(
      public_.map(({ Properties }) => [Properties.Action, Properties.FunctionName]).sort(),
      ['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl'].map((action) => [action, { 'Fn::GetAtt': ['JwksLambdaFunction', 'Arn'] }]),
    )
    assert.ok(public_.every(({ Properties }) => Properties.InvokedViaFunctionUrl === true || Properties.FunctionUrlAuthType === 'NONE'))
    const jwks = await readFile(join(folder, 'dist/functions/aws/jwks/index.js'), 'utf8')
    assert.doesNotMatch(jwks, /SCRAM-SHA-256|@google-cloud|@azure|cloudevents|external-secrets|ModifyDBInstance/)
    assert.ok((await readFile(join(folder, '.serverless/jwks.zip'))).length <= 200 * 1024)
  })

  it('with rds: what it may do to which database, and longer to wait', async () => {
    const [db, cluster] = ['arn:aws:rds:eu-west-1:123456789012:db:main', 'arn:aws:rds:eu-west-1:123456789012:cluster:main']
    const made = await template('--param', `RdsArns=${db}`, '--param', `RdsLookupArns=${cluster}`, '--param', 'AdminSecretArns=arn:admin')
    assert.deepEqual(
      statements(made)
        .slice(2, 5)
        .map(({ Action, Resource }) => [Action, Resource]),
      [
        [['rds:DescribeDBInstances', 'rds:ModifyDBInstance'], [db]],
        [['rds:DescribeDBClusters'], [cluster]],
        [['secretsmanager:DescribeSecret'], ['arn:admin']],
      ],
    )
    assert.equal(made.Resources.RotateLambdaFunction?.Properties.Timeout, 300)
  })

  it('says how large it is with each rotator that AWS may have, and with all of them', () => {
    const fitting = offeredKinds.filter((kind) => [undefined, 'aws'].includes(rotators[kind].cloud))
    const said = run(folder, process.execPath, ['scripts/functions.mjs', 'aws', '--sizes'])
    assert.deepEqual(
      said.split('\n').flatMap((line) => /^aws\/rotate {2}([a-z,-]+): \d+ bytes, packed \d+$/.exec(line)?.[1] ?? []),
      [...fitting, fitting.join()],
    )
  })

  it('may be called by Secrets Manager for this account only; runs on Node 22 and arm64, with a log that ends', () => {
    const { Resources } = plain
    const of = (type: string) =>
      Object.values(Resources)
        .filter((one) => one.Type === type)
        .map(({ Properties }) => Properties)
    assert.deepEqual(
      of('AWS::Lambda::Permission').map(({ Principal, SourceAccount, Action }) => [Principal, SourceAccount, Action]),
      [['secretsmanager.amazonaws.com', { Ref: 'AWS::AccountId' }, 'lambda:InvokeFunction']],
    )
    const [rotate] = of('AWS::Lambda::Function')
    assert.deepEqual([rotate?.Runtime, rotate?.Architectures], ['nodejs22.x', ['arm64']])
    assert.equal(of('AWS::Logs::LogGroup')[0]?.RetentionInDays, 90)
    assert.equal(of('AWS::Lambda::Function').length, 1)
  })

  for (const major of whole ? ([20, 22, 24] as const satisfies readonly NodeMajor[]) : ([20] as const)) {
    const skip = skipOf(major) || (binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS')
    suite(`as Lambda runs it, on Node ${major}`, skip, ({ after, before, beforeEach, it }) => {
      let server: PostgresServer
      let world: AwsWorld
      let runtime: LambdaRuntime
      before(async () => {
        server = await PostgresServer.start()
        await arrangeRoles(server)
        world = await AwsWorld.open(server)
        world.double.wantsRotationToken = true
        const environment = { SECRETS_MANAGER_ENDPOINT: world.double.endpoint, KEYTURN_SHORT_GRACE: '1' }
        runtime = await LambdaRuntime.start(nodes[major], task, handlerName, environment)
        world.double.functions.set(functionArn, (event) => runtime.invoke(event))
      })
      beforeEach(() => resetRoles(server))
      after(async () => {
        await runtime?.close()
        await world?.close()
        await server?.stop()
        await removeCopies()
      })

      it('rotates, cold and then warm, with the rotation token; prints no value', async () => {
        const arn = world.make('app', world.value('app'))
        for (let turn = 0; turn < 2; turn++) {
          await world.rotate(arn)
          assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', runtime.printed + JSON.stringify(world.double.events))
        }
        const { password } = world.loginOf(arn)
        assert.ok(await logsIn(server, 'app', password))
        assert.ok(
          !runtime.printed.includes(password) && !runtime.printed.includes(firstPassword) && !/rt-[0-9a-f]{64}/.test(runtime.printed),
        )
        assert.match(runtime.printed, /"log":"step_done","ref":"aws:app","step":"finish","outcome":"published"/)
      })

      it("takes over the vendor's multi-user secret before it ever rotated: makes its _clone, comes back to it, and can be swapped back", async () => {
        await createRole(server, 'fresh', firstPassword, 'connection limit 20')
        await asSuper(server, 'create schema fresh authorization fresh')
        const admin = world.make('fresh-admin', world.adminValue())
        const arn = world.make('fresh', world.value('fresh', firstPassword, { masterarn: admin }), { 'keyturn-grace': '1s' })
        for (const user of ['fresh_clone', 'fresh']) {
          await world.rotate(arn)
          assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', runtime.printed + JSON.stringify(world.double.events))
          const { username, password } = world.loginOf(arn)
          assert.equal(username, user)
          await asUser(server, user, password, `create table fresh.by_${user} (); drop table if exists fresh.by_fresh_clone`)
          await delay(1100) // its grace, by the clock of the runtime
        }
        assert.doesNotMatch(runtime.printed, /differ/)
        // What the template does next: it sets the password of the idle login, and expects the JSON that it wrote itself.
        const { username, ...rest } = JSON.parse(String(world.double.do('GetSecretValue', { SecretId: arn }).SecretString)) as Record<
          string,
          unknown
        >
        assert.deepEqual([username, rest.masterarn, Object.keys(rest).length], ['fresh', admin, 7])
        await asUser(server, 'keyturn_admin', adminPassword, "alter user fresh_clone with password 'set-By-The-Template-0123'")
        await asUser(server, 'fresh_clone', 'set-By-The-Template-0123', 'create table fresh.later ()')
      })

      it('what leaves it is a code, what happened and the next step', async () => {
        const canary = 'Canary-"%\'\\ü-0123456789'
        const arn = world.make('unreachable', world.value('app', canary, { port: 1 }))
        await world.rotate(arn)
        const detail = world.double.events.filter(({ name }) => name === 'invoked').at(-1)?.detail ?? ''
        assert.match(detail, /^setSecret: target_unreachable\ntarget_unreachable: .*ECONNREFUSED.*Check host/)
        const said = runtime.printed + detail
        for (const form of [
          canary,
          encodeURIComponent(canary),
          JSON.stringify(canary).slice(1, -1),
          Buffer.from(canary).toString('base64').slice(0, 20),
        ])
          assert.ok(!said.includes(form))
      })
    })
  }
})
