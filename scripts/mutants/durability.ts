import type { Mutant } from './mutant.js'

/** What is said to be on disk. */
export const durabilityMutants: readonly Mutant[] = [
  {
    name: 'rename a draft that was not synced',
    edits: [{ file: 'shared/stores/file/disk.ts', from: '      await file.sync()\n', to: '' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'replace a file and do not sync its folder',
    edits: [{ file: 'shared/stores/file/disk.ts', from: '  await syncFolder(dirname(path))\n', to: '' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'a new key that was not synced',
    edits: [{ file: 'shared/stores/file/keys.ts', from: '      await file.sync()\n', to: '' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'a new key without its name on disk',
    edits: [{ file: 'shared/stores/file/keys.ts', from: 'await syncFolder(dirname(path))', to: 'void syncFolder' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'an audit record that was not synced',
    edits: [{ file: 'shared/app/audit-file.ts', from: '    await file.datasync()\n', to: '' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'a new audit log without its name on disk',
    edits: [{ file: 'shared/app/audit-file.ts', from: 'if (isNew) await', to: 'if (isNew && torn) await' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'a failed write of which the draft is reported as written',
    edits: [
      {
        file: 'shared/stores/file/disk.ts',
        from: "    throw diskError(cause, { path, tried: 'written', folder, field: 'KEYTURN_HOME', left })\n",
        to: '',
      },
    ],
    tests: ['stores/failing-disk.test.ts'],
  },
  {
    name: 'a listing that ends early leaves its folder open',
    edits: [{ file: 'shared/stores/file/disk.ts', from: 'await names.return?.()', to: 'void names' }],
    tests: ['stores/file-store.test.ts'],
  },
  {
    name: 'what is not a regular file is read all the same',
    edits: [{ file: 'shared/core/read-file.ts', from: '!found.isFile() &&', to: 'found.isSocket() &&' }],
    tests: ['core/read-file.test.ts'],
  },
  {
    name: 'a write that was not confirmed counts as not done',
    edits: [{ file: 'shared/stores/file/disk.ts', from: "new RotationError('ambiguous'", to: "new RotationError('unavailable'" }],
    tests: ['stores/failing-disk.test.ts'],
  },
  {
    name: 'a lock that could not be given back stays taken',
    edits: [{ file: 'shared/stores/file/lock.ts', from: "isOwn && !held.has(id) ? 'dead'", to: "isOwn && held.has(id) ? 'dead'" }],
    tests: ['stores/failing-disk.test.ts'],
  },
  {
    name: 'a signal keeps the lease',
    edits: [
      {
        file: 'shared/lifecycle/secret/lease.ts',
        from: 'const env = { ...guard.env, cancelled: new AbortController().signal }',
        to: 'const { env } = guard',
      },
    ],
    tests: ['lifecycle/interrupts.test.ts'],
  },
]
