// Loaded before a function of Google Cloud, in its process. The product names the hosts of Google's services, and has no switch that leads it elsewhere: here
// the hosts of KEYTURN_TEST_HOSTS are this machine, at the port KEYTURN_TEST_FRONT. TLS stays as it is: the server there needs a certificate for the name of
// the host, from an authority of NODE_EXTRA_CA_CERTS. The framework listens on every address of a machine; in a test only on loopback, at a port that it tells
// whoever started it: one that was chosen before may be somebody else's by then.
const https = require('node:https')
const net = require('node:net')

const hosts = (process.env.KEYTURN_TEST_HOSTS ?? '').split(',')
const port = Number(process.env.KEYTURN_TEST_FRONT)
const { request } = https
const { listen } = net.Server.prototype
const loopback = { address: '127.0.0.1', family: 4 }

/** Called as it is in the product: with a URL, options and a listener. */
https.request = (url, options, listener) => {
  if (!(url instanceof URL) || !hosts.includes(url.hostname)) return request(url, options, listener)
  const lookup = (_, { all }, found) => (all ? found(null, [loopback]) : found(null, loopback.address, loopback.family))
  return request(url, { ...options, headers: { ...options.headers, host: url.host }, port, lookup }, listener)
}

net.Server.prototype.listen = function (at, ...rest) {
  if (!/^\d+$/.test(String(at))) return listen.call(this, at, ...rest)
  this.once('listening', () => process.send?.(this.address().port))
  return listen.call(this, Number(at), '127.0.0.1', ...rest)
}
