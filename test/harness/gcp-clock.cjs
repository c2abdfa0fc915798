// Loaded before a function of Google Cloud, in its process: a test moves its clock by a message, so that days pass in seconds. What waits, waits as long as
// before.
let aheadMs = 0
const { now } = Date
const moved = () => now() + aheadMs

globalThis.Date = new Proxy(Date, {
  construct: (target, given, as) => Reflect.construct(target, given.length === 0 ? [moved()] : given, as),
  apply: (target) => String(new target(moved())),
  get: (target, name, receiver) => (name === 'now' ? moved : Reflect.get(target, name, receiver)),
})

process.on('message', (message) => {
  aheadMs = message.aheadMs
  process.send?.(message)
})
process.channel?.unref()
