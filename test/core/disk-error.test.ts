import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { diskError, onDisk } from '../../shared/core/disk-error.js'
import { RotationError } from '../../shared/core/errors.js'

const failed = (code: string): Error => Object.assign(new Error(`${code}: something`), { code })

describe('a failed call of the system', () => {
  const wanted: Readonly<Record<string, string>> = {
    EACCES: 'denied',
    EPERM: 'denied',
    EROFS: 'denied',
    ENOSPC: 'unavailable',
    EDQUOT: 'unavailable',
    EFBIG: 'unavailable',
    EMFILE: 'unavailable',
    ENFILE: 'unavailable',
    EIO: 'unavailable',
    ESTALE: 'unavailable', // nobody has heard of it here
    ENOENT: 'bad_config',
    ENOTDIR: 'bad_config',
    EEXIST: 'bad_config',
    ENXIO: 'bad_config',
    EBADF: 'bad_config',
    EISDIR: 'bad_config',
    ELOOP: 'bad_config',
    ENAMETOOLONG: 'bad_config',
  }
  for (const [system, code] of Object.entries(wanted)) {
    it(`${system} is ${code}, with the path, the setting and the next step`, async () => {
      const use = { path: '/a/place', tried: 'read', field: 'KEYTURN_HOME' } as const
      const acted = onDisk(use, async () => Promise.reject(failed(system)))
      await assert.rejects(acted, (cause: unknown) => {
        assert.ok(cause instanceof RotationError)
        assert.deepEqual([cause.code, cause.field], [code, 'KEYTURN_HOME'])
        assert.match(cause.message, new RegExp(`^/a/place cannot be read: .+ \\(${system}\\)\\.$`))
        assert.match(cause.next, /then run the same command again\.$/)
        return true
      })
    })
  }

  it('whoever named the path says what a wrong path is called, and not what a full disk is', () => {
    const misnamed = { code: 'damaged', next: 'Restore it.' } as const
    const codeOf = (system: string) => (diskError(failed(system), { path: '/x', tried: 'used', misnamed }) as RotationError).code
    assert.deepEqual(['EISDIR', 'ELOOP', 'ENOSPC', 'EACCES'].map(codeOf), ['damaged', 'damaged', 'unavailable', 'denied'])
  })

  it('where a name was to be made, blames the folder for permissions and for being absent, and for nothing else', () => {
    const use = { path: '/a/file', tried: 'written', folder: '/a' } as const
    const saidOf = (system: string) => (diskError(failed(system), use) as RotationError).message
    assert.equal(saidOf('EACCES'), '/a/file cannot be written: permission denied in /a (EACCES).')
    assert.equal(saidOf('ENOENT'), '/a/file cannot be written: the folder /a does not exist (ENOENT).')
    assert.equal(saidOf('ENOSPC'), '/a/file cannot be written: the disk is full (ENOSPC).')
    assert.match((diskError(failed('EPERM'), use) as RotationError).next, /^Correct the permissions of \/a and/)
  })

  it('is told from every other error, which stays as it is', () => {
    const ours = new RotationError('stuck', 'It is stuck.', { next: 'Recover it.' })
    for (const cause of [ours, new TypeError('a bug'), failed('ERR_INVALID_ARG_TYPE'), failed('28P01'), 'text', undefined])
      assert.equal(diskError(cause, { path: '/x', tried: 'read' }), cause)
  })
})
