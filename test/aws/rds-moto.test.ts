import assert from 'node:assert/strict'
import { CreateDBClusterCommand, CreateDBInstanceCommand, RDSClient } from '@aws-sdk/client-rds'
import { SecretText } from '../../shared/core/secret-text.js'
import { setMasterPassword } from '../../shared/rotators/rds/api.js'
import { lookAt } from '../../shared/rotators/rds/database.js'
import { useAwsEnvironment } from '../harness/aws.js'
import { Moto, motoSkip } from '../harness/moto.js'
import { suite } from '../harness/suite.js'

/** No database is behind it, and a change is in effect at once: what is shown is that the calls are understood. */
suite('the calls of RDS against moto', motoSkip, ({ after, before, it }) => {
  let moto: Moto
  before(async () => {
    useAwsEnvironment()
    moto = await Moto.start()
    process.env.AWS_ENDPOINT_URL_RDS = moto.endpoint
    const client = new RDSClient({ maxAttempts: 1 })
    const login = { MasterUsername: 'app', MasterUserPassword: 'first-password-0123456789' }
    const size = { DBInstanceClass: 'db.t4g.micro', AllocatedStorage: 20 }
    await client.send(new CreateDBInstanceCommand({ DBInstanceIdentifier: 'main', Engine: 'postgres', ...size, ...login }))
    await client.send(new CreateDBClusterCommand({ DBClusterIdentifier: 'fleet', Engine: 'aurora-postgresql', ...login }))
    const member = {
      DBInstanceIdentifier: 'one',
      DBClusterIdentifier: 'fleet',
      Engine: 'aurora-postgresql',
      DBInstanceClass: 'db.r6g.large',
    }
    await client.send(new CreateDBInstanceCommand(member))
    const kept = { ...login, MasterUserPassword: undefined, ManageMasterUserPassword: true }
    await client.send(new CreateDBInstanceCommand({ DBInstanceIdentifier: 'kept', Engine: 'postgres', ...size, ...kept }))
    client.destroy()
  })
  after(async () => {
    delete process.env.AWS_ENDPOINT_URL_RDS
    await moto?.stop()
  })

  it('an instance: looked at, its password set, looked at again', async () => {
    const found = await lookAt({ kind: 'instance', id: 'main' })
    assert.deepEqual([found.engine, found.status, found.masterUser, found.changing], ['postgres', 'available', 'app', false])
    assert.match(found.hosts[0] ?? '', /^main\..*\.rds\.amazonaws\.com$/)
    await setMasterPassword(found.place, new SecretText('second-password-0123456789'))
    assert.equal((await lookAt(found.place)).status, 'available')
  })

  it('a cluster, and a member of it, whose password is the cluster’s', async () => {
    const cluster = await lookAt({ kind: 'cluster', id: 'fleet' })
    assert.deepEqual([cluster.engine, cluster.masterUser], ['aurora-postgresql', 'app'])
    assert.ok(cluster.hosts.length >= 2, cluster.hosts.join(' '))
    const member = await lookAt({ kind: 'instance', id: 'one' })
    assert.deepEqual(member.place, { kind: 'cluster', id: 'fleet' })
    await setMasterPassword(member.place, new SecretText('second-password-0123456789'))
  })

  it('a master password that RDS keeps itself is seen', async () => {
    assert.match((await lookAt({ kind: 'instance', id: 'kept' })).managedBy ?? '', /^arn:aws:secretsmanager:/)
  })

  it('a database that is not there is not_found', async () => {
    for (const kind of ['instance', 'cluster'] as const) await assert.rejects(lookAt({ kind, id: 'absent' }), { code: 'not_found' })
  })
})
