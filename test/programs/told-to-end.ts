import { untilOver } from '../../functions/gcp/signals.js'

/** A process that is told to end in the very turn in which its first invocation begins. Exits with 0 where it hears that, with 1 where only another listener does. */
process.on('SIGTERM', () => process.exit(1)) // as the framework has it
setTimeout(() => process.exit(2), 10_000) // heard by nobody
setImmediate(() => {
  process.kill(process.pid, 'SIGTERM') // heard when this turn is over
  untilOver(async () => {}).catch(() => process.exit(3))
})
