import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { RotationStarter, StepService } from '../../core/ports/service.js'
import { type Guard, guarded } from './guarded.js'

type Classify = (cause: unknown) => Code

/** A platform's look for one step, behind limits, retry and redaction. `classify` is that of its store. */
export const guardSteps = (service: StepService, guard: Guard, classify: Classify): StepService => ({
  stepState: (ref, token, step) =>
    guarded(guard, { name: 'store.stepState', ref: ref.shown, effect: false, classify }, () => service.stepState(ref, token, step)),
})

/** Recorded like any other effect: the platform itself keeps no reason. */
export const guardStarter = (starter: RotationStarter, guard: Guard, classify: Classify, reason?: string): RotationStarter => ({
  startNative: (ref) =>
    guarded(guard, { name: 'store.startNative', ref: ref.shown, effect: true, classify, ...optional('reason', reason) }, () =>
      starter.startNative(ref),
    ),
})
