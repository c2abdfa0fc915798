import type { Mutant } from './mutant.js'

/** A platform calls the steps, in whatever order. */
export const platformMutants: readonly Mutant[] = [
  {
    name: 'finish for a platform publishes what nobody here has tested',
    edits: [{ file: 'shared/lifecycle/service/serve.ts', from: 'await prove(secret', to: 'void (secret' }],
    tests: ['lifecycle/step-orders.test.ts'],
  },
  {
    name: 'the test of another rotation counts',
    edits: [
      {
        file: 'shared/lifecycle/service/proven.ts',
        from: 'return last.token === token && last.version',
        to: 'return token === token || last.version',
      },
    ],
    tests: ['lifecycle/step-orders.test.ts'],
  },
  {
    name: 'a test from before the last setSecret counts',
    edits: [{ file: 'shared/lifecycle/service/serve.ts', from: "if (request.step !== 'create') proven.forget(ref)", to: 'void proven' }],
    tests: ['lifecycle/step-orders.test.ts'],
  },
  {
    name: 'an AWSPENDING without a value counts as one in finishSecret',
    edits: [{ file: 'shared/stores/aws-secrets-manager/reader.ts', from: 'isPending && (await this.hasValue(ref, id))', to: 'isPending' }],
    tests: ['aws/self-issued.test.ts'],
  },
]
