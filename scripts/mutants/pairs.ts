import type { Mutant } from './mutant.js'

/** The second login of a pair, and what is compared. */
export const pairMutants: readonly Mutant[] = [
  {
    name: 'take over a login of somebody else',
    edits: [
      {
        file: 'shared/rotators/postgres/second-login.ts',
        from: 'if (look.incoming === null || look.belongs) return',
        to: 'if (look.incoming === null || look.incoming) return',
      },
    ],
    tests: ['e2e/postgres-pair.test.ts'],
  },
  {
    name: 'make a second login that does not act as the first one',
    edits: [
      {
        file: 'shared/rotators/postgres/second-login.ts',
        from: "ignoring.has(look.version) ? 'plain' : 'acting'",
        to: "look.version > 0 ? 'plain' : 'acting'",
      },
    ],
    tests: ['e2e/postgres-pair.test.ts'],
  },
  {
    name: 'let the policies of a member pass',
    edits: [{ file: 'shared/rotators/postgres/twins.ts', from: 'where c.relrowsecurity\n', to: 'where false and c.relrowsecurity\n' }],
    tests: ['e2e/postgres-twins.test.ts'],
  },
  {
    name: 'take an expired role for a refused password',
    edits: [{ file: 'shared/rotators/postgres/explain.ts', from: 'refused: !isExpired }', to: 'refused: true }' }],
    tests: ['e2e/cli-expiry.test.ts'],
  },
  {
    name: 'set the password of a role that has expired',
    edits: [{ file: 'shared/rotators/postgres/usable.ts', from: 'if (model?.expired === true) {', to: 'if (model === undefined) {' }],
    tests: ['e2e/cli-expiry.test.ts'],
  },
]
