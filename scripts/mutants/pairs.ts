import type { Mutant } from './mutant.js'

/** The second login of a pair, and what is compared. */
export const pairMutants: readonly Mutant[] = [
  {
    name: 'take over a login of somebody else',
    edits: [
      {
        file: 'shared/rotators/postgres/second-login.ts',
        from: 'if (roles.some(({ holds }) => holds)) return',
        to: 'if (roles.length > 0) return',
      },
    ],
    tests: ['e2e/postgres-pair.test.ts'],
  },
  {
    name: 'make a second login that does not act as the first one',
    edits: [
      {
        file: 'shared/rotators/postgres/second-login.ts',
        from: 'const acts = !ignoring.includes(look.version)',
        to: 'const acts = ignoring.includes(look.version)',
      },
    ],
    tests: ['e2e/postgres-pair.test.ts'],
  },
  {
    name: 'give a second login the role that the first one only names',
    edits: [
      { file: 'shared/rotators/postgres/cards.ts', from: 'const mayAct = `pg_has_role(', to: 'const mayAct = `true or pg_has_role(' },
    ],
    tests: ['e2e/postgres-pair.test.ts'],
  },
  {
    name: 'let the policies of a member pass',
    edits: [
      {
        file: 'shared/rotators/postgres/twins.ts',
        from: ' and (c.relforcerowsecurity or',
        to: ' and false and (c.relforcerowsecurity or',
      },
    ],
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
