import type { Mutant } from './mutant.js'

const folder = 'shared/rotators/azure-flexible-server'
const rotator = ['azure/flexible.test.ts']

/** Azure Resource Manager, which sets the password of an administrator. */
export const flexibleMutants: readonly Mutant[] = [
  {
    name: 'the token goes wherever an answer points',
    edits: [{ file: `${folder}/api.ts`, from: ' && new URL(address).origin === origin', to: '' }],
    tests: rotator,
  },
  {
    name: 'an operation of Azure that failed is still looked at',
    edits: [{ file: `${folder}/api.ts`, from: '/^(?:Failed|Canceled)$/i.test(status)', to: "status === ''" }],
    tests: rotator,
  },
  {
    name: 'an operation of Azure that has only one address counts as done while it runs',
    edits: [{ file: `${folder}/api.ts`, from: 'isDone: answer.status !== 202', to: 'isDone: true' }],
    tests: rotator,
  },
  {
    name: 'how long Azure wants to be left alone is not heard',
    edits: [{ file: `${folder}/api.ts`, from: 'return asked === undefined ? {} :', to: 'return asked !== null ? {} :' }],
    tests: rotator,
  },
  {
    name: 'a look at an operation of Azure that comes too often sends the password again',
    edits: [{ file: `${folder}/api.ts`, from: '(isOperation === true && answer.status === tooMany)', to: 'isOperation === null' }],
    tests: rotator,
  },
  {
    name: 'a lock counts as another operation',
    edits: [{ file: `${folder}/errors.ts`, from: 'status === 409 && codeIn(body) !== lockedCode', to: 'status === 409' }],
    tests: rotator,
  },
  {
    name: 'the words of Azure, which quote the password, are passed on',
    edits: [
      {
        file: `${folder}/errors.ts`,
        from: 'return refusedPasswordError(place, setsFor, said)',
        to: 'return refusedPasswordError(place, setsFor, text)',
      },
    ],
    tests: rotator,
  },
  {
    name: 'the password of the administrator is set for another login',
    edits: [{ file: `${folder}/server.ts`, from: 'if (administrator !== login.user) {', to: "if (administrator === '') {" }],
    tests: rotator,
  },
  {
    name: 'a replica of a flexible server is sent a password',
    edits: [{ file: `${folder}/server.ts`, from: 'if (/replica/i.test(role))', to: 'if (role === null)' }],
    tests: rotator,
  },
  {
    name: 'a server on which passwords are off is sent one',
    edits: [{ file: `${folder}/server.ts`, from: '  if (isWithoutPasswords) {', to: '  if (isWithoutPasswords === null) {' }],
    tests: rotator,
  },
  {
    name: 'a server that is stopped is waited for, and nobody is told',
    edits: [{ file: `${folder}/server.ts`, from: 'Stopped|Stopping|Disabled|', to: '' }],
    tests: rotator,
  },
  {
    name: 'a password that Azure is known to refuse is sent',
    edits: [{ file: 'shared/rotators/control-plane/rotator.ts', from: '  assertKeepsRule?.(pending.login.password)\n', to: '' }],
    tests: rotator,
  },
  {
    name: 'a value of MySQL is set at a server of PostgreSQL',
    edits: [{ file: `${folder}/value.ts`, from: 'if (said !== undefined && said !== known.engine)', to: 'if (said === null)' }],
    tests: ['azure/flexible-values.test.ts'],
  },
  {
    name: 'the name of another server of Azure passes as a way to this one',
    edits: [{ file: `${folder}/server.ts`, from: "name !== undefined && host !== '' && name !== host.split('.')[0]", to: 'name === null' }],
    tests: ['azure/flexible-values.test.ts'],
  },
]
