import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endpointsIn, endpointsKey, isSamePlace, readsSecret, serverIn, serverKey, showPlace } from '../../shared/rotators/sql/places.js'

describe('places in a policy', () => {
  const policy = (text: string) => ({ 'keyturn-endpoints': text, 'keyturn-server': text })

  it('reads hosts with and without a port, in their order', () => {
    const places = endpointsIn(policy('pool-1.internal:6432  Pool_2 10.0.0.7:1'), 5432)
    assert.deepEqual(places.map(showPlace), ['pool-1.internal:6432', 'Pool_2:5432', '10.0.0.7:1'])
    assert.deepEqual(serverIn(policy('db.internal'), 5432), { host: 'db.internal', port: 5432 })
    assert.deepEqual([endpointsIn({}, 5432), serverIn({}, 5432)], [[], undefined])
  })

  it('says what is wrong with a key', () => {
    for (const text of ['a', 'a:65535', 'a b:1', 'a:1 a:2']) assert.equal(endpointsKey.check(text), undefined, text)
    for (const text of [' ', 'a:0', 'a:65536', 'a:x', 'u@a', 'postgres://a', '::1', 'a/b', 'a,b'])
      assert.match(endpointsKey.check(text) ?? '', /host or host:port/, text)
    assert.match(endpointsKey.check('a:1 A:1') ?? '', /twice/)
    for (const text of ['a b', '', 'a:0']) assert.match(serverKey.check(text) ?? '', /one host or host:port/, text)
  })

  it('knows an RDS Proxy, and no other endpoint of RDS', () => {
    const reads = (host: string) => readsSecret({ host, port: 5432 })
    const proxies = ['app.proxy-abc1.eu-central-1.rds.amazonaws.com', 'App-RO.endpoint.proxy-abc1.eu-central-1.rds.amazonaws.com']
    for (const host of [...proxies, 'app.proxy-abc1.rds.cn-north-1.amazonaws.com.cn']) {
      assert.ok(reads(host), host)
      assert.match(endpointsKey.check(`pool ${host}`) ?? '', /RDS Proxy/)
    }
    for (const host of ['app.abc1.eu-central-1.rds.amazonaws.com', 'app.cluster-abc1.eu-central-1.rds.amazonaws.com', 'proxy-1.internal'])
      assert.ok(!reads(host), host)
  })

  it('takes names of hosts as they are compared everywhere: without regard to case', () => {
    assert.ok(isSamePlace({ host: 'DB.internal', port: 1 }, { host: 'db.Internal', port: 1 }))
    assert.ok(!isSamePlace({ host: 'db.internal', port: 1 }, { host: 'db.internal', port: 2 }))
  })
})
