// A complete receiver of Keyturn's announcements: checks the signature, reads the secret again, and says so in a signed answer.
// KEY=whsec_… node receiver.mjs 8080
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const key = Buffer.from(process.env.KEY.replace('whsec_', ''), 'base64')
const sign = (id, time, body) => `v1,${createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64')}`
let newest = 0 // keep it where it survives a restart

const isGenuine = ({ headers }, body) => {
  const expected = Buffer.from(sign(headers['webhook-id'], headers['webhook-timestamp'], body))
  const given = (headers['webhook-signature'] ?? '').split(' ').map((one) => Buffer.from(one))
  const fresh = Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) < 300
  return fresh && given.some((one) => one.length === expected.length && timingSafeEqual(one, expected))
}

const followed = async (event) => {
  // Here: read the secret again, open new connections, close the old ones. Return once nothing uses the old credential.
  console.log(`${event.subject} is now ${event.data.version} (${event.data.cause})`)
}

const receive = async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  if (!isGenuine(request, body)) return response.writeHead(401).end()
  const event = JSON.parse(body)
  if (event.data.sequence >= newest) await followed(event) // a lower one is late and dropped; the same one again is harmless
  newest = Math.max(newest, event.data.sequence)
  const answer = JSON.stringify({ type: 'keyturn.receipt', id: event.id, phase: 'drained' })
  const time = String(Math.floor(Date.now() / 1000))
  response
    .writeHead(200, { 'webhook-id': event.id, 'webhook-timestamp': time, 'webhook-signature': sign(event.id, time, answer) })
    .end(answer)
}
const server = createServer((request, response) => void receive(request, response).catch(() => response.destroy()))
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log(`listening on ${server.address().port}`))
