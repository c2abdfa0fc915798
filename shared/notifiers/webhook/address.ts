import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { RotationError } from '../../core/errors.js'

/** Networks that get no announcement unless they are listed: this machine, private and link-local ones (with the clouds' metadata services), multicast. */
const inner = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 127], // unspecified and loopback
  ['64:ff9b::', 96], // NAT64 may lead anywhere
  ['64:ff9b:1::', 48],
  ['2002::', 16], // 6to4, the same
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  inner.addSubnet(network, bits, 'ipv6')

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6')
/** An IPv4 address that is written as an IPv6 one counts as IPv4. */
const bare = (address: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address

/** Whether announcements may go to an IP address. `allow` lists networks such as 10.0.0.0/8, and takes precedence over what is forbidden. */
export function isAllowed(address: string, allow: readonly string[]): boolean {
  const plain = bare(address)
  const listed = new BlockList()
  for (const network of allow) {
    const [base = '', bits = ''] = network.split('/')
    listed.addSubnet(base, Number(bits), familyOf(base))
  }
  return listed.check(plain, familyOf(plain)) || !inner.check(plain, familyOf(plain))
}

/** Resolves names to allowed addresses only, so that nothing can change between the check and the connection. */
export function guardedLookup(allow: readonly string[]): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (cause, addresses) => {
      if (cause) return callback(cause, '', 0)
      const good = addresses.filter(({ address }) => isAllowed(address, allow))
      const [first] = good
      if (first === undefined || good.length < addresses.length) return callback(forbiddenError(host), '', 0)
      return options.all ? callback(null, good) : callback(null, first.address, first.family)
    })
  }
}

/** Makes a bad_config error for the field `url`. */
export const forbiddenError = (host: string): RotationError =>
  new RotationError('bad_config', `${host} is in a private or link-local network, and announcements do not go there.`, {
    field: 'url',
    next: 'List its network under "allow" of this consumer, if you mean it.',
  })
