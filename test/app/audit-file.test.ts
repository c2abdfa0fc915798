import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { checkAudit } from '../../shared/app/audit-check.js'
import { auditSink } from '../../shared/app/audit-file.js'
import { systemEnv } from '../../shared/core/env.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'

const record = (effect: string): AuditRecord => ({ at: 1, phase: 'intent', effect, ref: 'file:db', holder: 'h' })

describe('the audit log is a chain', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-audit-'))
  })
  after(() => rm(folder, { recursive: true }))
  let files = 0
  const written = async (count: number) => {
    const path = join(folder, `audit-${++files}.jsonl`)
    const sinks = [auditSink(path, systemEnv()), auditSink(path, systemEnv())]
    await Promise.all(Array.from({ length: count }, (_, index) => sinks[index % 2]?.write(record(`effect-${index}`))))
    return path
  }
  const edited = async (change: (lines: string[]) => string[]) => {
    const path = await written(6)
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    await writeFile(path, `${change(lines).join('\n')}\n`)
    return checkAudit(path)
  }

  it('holds with several writers at once', async () => {
    const { records, broken, torn, head } = await checkAudit(await written(40))
    assert.deepEqual([records, broken, torn], [40, [], 0])
    assert.match(head ?? '', /^[0-9a-f]{64}$/)
  })

  it('shows a line that was changed, taken out, put in, moved or doubled', async () => {
    assert.deepEqual((await edited((lines) => lines.map((line) => line.replace('effect-2', 'effect-9')))).broken.length > 0, true)
    assert.deepEqual((await edited((lines) => lines.toSpliced(2, 1))).broken, [3])
    assert.ok((await edited((lines) => lines.toSpliced(1, 0, '{"forged":true}'))).broken.includes(2))
    assert.ok((await edited(([a = '', b = '', ...rest]) => [b, a, ...rest])).broken.length > 0)
    assert.deepEqual((await edited((lines) => lines.toSpliced(3, 0, lines[2] ?? ''))).broken, [4])
  })

  it('shows by a head that was kept elsewhere that the end was cut off', async () => {
    const path = await written(5)
    const { head } = await checkAudit(path)
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    await writeFile(path, `${lines.slice(0, 3).join('\n')}\n`)
    assert.deepEqual((await checkAudit(path)).broken, [])
    assert.equal((await checkAudit(path, head ?? '')).expectedFound, false)
  })

  it('goes on after a line that a killed process left half', async () => {
    const path = await written(3)
    await appendFile(path, '{"at":1,"phase":"intent","eff')
    await auditSink(path, systemEnv()).write(record('after'))
    const { records, torn, broken } = await checkAudit(path)
    assert.deepEqual([records, torn, broken], [4, 1, []])
  })

  it('has one line for each record, whatever separators are in a reason', async () => {
    const path = await written(1)
    await auditSink(path, systemEnv()).write({ ...record('after'), reason: 'a\u2028b' })
    assert.deepEqual((await checkAudit(path)).broken, [])
  })

  it('shows a line that is longer than any record, without reading it into memory', async () => {
    const path = await written(2)
    await truncate(path, 600 * 1024 ** 2) // more than the longest text of the engine; without a byte on the disk
    const { records, broken } = await checkAudit(path)
    assert.deepEqual([records, broken], [2, [3]])
  })
})
