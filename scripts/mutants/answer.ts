import type { Mutant } from './mutant.js'

const steps = 'shared/lifecycle/rotation/steps.ts'
const lifecycle = ['lifecycle/by-answer.test.ts', 'lifecycle/crash-by-answer.test.ts']
const rotator = ['gcp/cloud-sql.test.ts', 'gcp/cloud-sql-crash.test.ts']

/** Values that no login can try, and the Admin API that sets them. */
export const answerMutants: readonly Mutant[] = [
  {
    name: 'a value that nobody here has set passes its test',
    edits: [{ file: steps, from: 'if (!answered) await setSecret(work, pending)', to: '' }],
    tests: lifecycle,
  },
  {
    name: 'a refused value that no login can try is asked for by a login',
    edits: [
      {
        file: 'shared/lifecycle/rotation/refused-value.ts',
        from: 'if (isByAnswer(work)) return markStuck(work, untriedText(proof), byPut(context.ref.shown))',
        to: '',
      },
    ],
    tests: lifecycle,
  },
  {
    name: 'a leftover is given up although nobody knows which value the target has',
    edits: [
      {
        file: 'shared/lifecycle/rotation/stray-values.ts',
        from: 'before.current?.ours !== undefined || work.baseText?.equals(text)',
        to: 'true',
      },
    ],
    tests: lifecycle,
  },
  {
    name: 'adopting ends stuck although nothing was tried',
    edits: [{ file: 'shared/lifecycle/secret/adopt.ts', from: "proof === 'login' && before.journal?.code", to: 'before.journal?.code' }],
    tests: lifecycle,
  },
  {
    name: 'a staging place that was lost is made again, and what the target has is not set again',
    edits: [{ file: 'shared/lifecycle/rotation/recover.ts', from: '(placeLost || placeMade) && current', to: 'placeLost && current' }],
    tests: lifecycle,
  },
  {
    name: 'where two wrote at once, what no login can prove is announced',
    edits: [{ file: 'shared/lifecycle/consumers/contested.ts', from: 'state.journal?.unproven !== version', to: 'version' }],
    tests: lifecycle,
  },
  {
    name: 'a stuck secret whose values no login can try is said to be tried by recover',
    edits: [
      {
        file: 'shared/lifecycle/rotation/facts.ts',
        from: "...(rotator && proofOf(rotator, policy) === 'answer' ? { byAnswer: true as const } : {}),",
        to: '',
      },
    ],
    tests: lifecycle,
  },
  {
    name: 'an operation that failed counts as done',
    edits: [{ file: 'shared/rotators/control-plane/apply.ts', from: 'if (running?.failed !== undefined)', to: 'if (running === null)' }],
    tests: rotator,
  },
  {
    name: 'an operation that is pending counts as done',
    edits: [{ file: 'shared/rotators/control-plane/apply.ts', from: 'if (running?.isDone)', to: 'if (running)' }],
    tests: rotator,
  },
  {
    name: 'a value that names no engine logs in before anybody asks what the instance runs',
    edits: [
      {
        file: 'shared/rotators/control-plane/apply.ts',
        from: 'pending.engine === undefined ? await change.look() : undefined',
        to: 'undefined',
      },
    ],
    tests: ['gcp/cloud-sql-values.test.ts'],
  },
  {
    name: 'a user that is not there is made by setting its password',
    edits: [
      {
        file: 'shared/rotators/cloud-sql/instance.ts',
        from: '  const user = await api.user(value.login.user, accountHostFor(instance, value))\n  assertHasPassword(user, value)\n',
        to: '',
      },
    ],
    tests: rotator,
  },
  {
    name: 'the words of the Admin API, which quote the password, are passed on',
    edits: [
      {
        file: 'shared/rotators/cloud-sql/errors.ts',
        from: "return refusedPasswordError(user ?? '', shown, said)",
        to: "return refusedPasswordError(user ?? '', shown, text)",
      },
    ],
    tests: rotator,
  },
  {
    name: 'an operation that fails inside the service counts as a refusal of the password where its text has such words',
    edits: [{ file: 'shared/rotators/cloud-sql/api.ts', from: '!isTransient(code) && ', to: '' }],
    tests: rotator,
  },
  {
    name: 'every text with the word password counts as a refusal of it',
    edits: [
      { file: 'shared/rotators/control-plane/errors.ts', from: '/password/i.test(text) && words.test(text)', to: '/password/i.test(text)' },
    ],
    tests: rotator,
  },
  {
    name: 'a secret that Secret Manager rotates itself is rotated',
    edits: [{ file: 'shared/stores/gcp-secret-manager/managed.ts', from: 'if (!isManaged) return', to: 'if (isManaged) return' }],
    tests: ['gcp/managed.test.ts'],
  },
]
