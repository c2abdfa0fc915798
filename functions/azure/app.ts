import { answerError } from '../../shared/app/function-log.js'
import * as invoke from './invoke.js'
import * as jwks from './jwks.js'
import * as propagate from './propagate.js'
import * as rotate from './rotate.js'
import * as sweep from './sweep.js'
import * as work from './work.js'

/** An app that serves a public set has nothing else: its identity may read that set alone, and everybody may call it. */
const functions = process.env.KEYTURN_JWKS ? [jwks] : [rotate, propagate, sweep, work, invoke]

// A wrong setting of one is logged, and keeps no other from running.
for (const { register } of functions) {
  try {
    register()
  } catch (cause) {
    answerError(cause, undefined) // into the log
  }
}
