import type { Mutant } from './mutant.js'

/** Something between Keyturn, or consumers, and the server. */
export const poolerMutants: readonly Mutant[] = [
  {
    name: 'set through a pooler',
    edits: [
      {
        file: 'shared/rotators/postgres/pooler.ts',
        from: 'pid === undefined || session.pid === pid) return',
        to: 'pid === undefined || session.pid !== null) return',
      },
    ],
    tests: ['e2e/postgres-pooler-host.test.ts'],
  },
  {
    name: "take a pooler's refusal for the server's",
    edits: [
      {
        file: 'shared/rotators/postgres/endpoint-errors.ts',
        from: "new RotationError('target_denied',",
        to: "new RotationError('target_auth',",
      },
    ],
    tests: ['e2e/postgres-poolers.test.ts'],
  },
  {
    name: 'publish without the poolers',
    edits: [
      {
        file: 'shared/rotators/postgres.ts',
        from: 'return stops ? differences :',
        to: 'return !stops ? differences :',
      },
    ],
    tests: ['e2e/postgres-poolers.test.ts'],
  },
]
