import type { Mutant } from './mutant.js'

const packaged = ['azure/functions-process.test.ts']
const traces = ['lifecycle/traces-unordered.test.ts']

/** The lease that is renewed before each effect, and the functions of Azure. */
export const azureFunctionMutants: readonly Mutant[] = [
  {
    name: 'the target is set without a look at the lease',
    edits: [
      {
        file: 'shared/lifecycle/rotation/steps.ts',
        from: 'if (rotator.traits.outside) await holdLease',
        to: 'if (!rotator.traits.outside) await holdLease',
      },
    ],
    tests: traces,
  },
  {
    name: 'a credential that was just made is thrown away with the lease',
    edits: [{ file: 'shared/lifecycle/rotation/steps.ts', from: 'if (!isMinted) await holdLease', to: 'if (isMinted) await holdLease' }],
    tests: traces,
  },
  {
    name: 'what a rotation builds on is noted with its intent alone',
    edits: [
      { file: 'shared/core/unfenced/notes.ts', from: '({ ...rotation, base: claim.base, staged })', to: '({ ...rotation, staged })' },
    ],
    tests: traces,
  },
  {
    name: 'a list of callers that names nobody lets everybody in',
    edits: [{ file: 'functions/azure/caller.ts', from: 'if (!text) return undefined', to: 'if (!text?.trim()) return undefined' }],
    tests: packaged,
  },
  {
    name: 'an event leads to whatever host it names',
    edits: [{ file: 'functions/azure/event.ts', from: 'if (!hosts.includes(host))', to: "if (host === '')" }],
    tests: packaged,
  },
  {
    name: 'a notice of a version that was replaced rotates again',
    edits: [{ file: 'shared/lifecycle/fleet/act.ts', from: '.state.current?.id !== noticed)', to: '.state.current?.id === undefined)' }],
    tests: packaged,
  },
  {
    name: 'work that the store failed of is over',
    edits: [{ file: 'functions/azure/work.ts', from: "if (ends === 'redeliver')", to: "if (ends === 'never')" }],
    tests: packaged,
  },
  {
    name: 'a worker that is asked to end waits for nobody',
    edits: [{ file: 'functions/azure/ending.ts', from: '    await running.end()\n', to: '' }],
    tests: packaged,
  },
]
