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
    edits: [{ file: 'shared/app/audit-file.ts', from: '            await file.datasync()\n', to: '' }],
    tests: ['stores/durable.test.ts'],
  },
  {
    name: 'a new audit log without its name on disk',
    edits: [{ file: 'shared/app/audit-file.ts', from: 'if (isNew) await', to: 'if (isNew && torn) await' }],
    tests: ['stores/durable.test.ts'],
  },
]
