// Loaded before Azurite, in its process: a test moves its clock by a message, and a lease of a minute is over in no time. It ends with whoever started it,
// also where that was killed and stops nothing any more.
require('./gcp-clock.cjs')

process.once('disconnect', () => process.exit())
