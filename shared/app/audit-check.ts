import { openRegular } from '../core/read-file.js'
import { hashOf, lineForm, start } from './audit-file.js'

/** Many times the longest record. */
const lineBytesMax = 1024 * 1024

/** What a check of the whole log found; `records` counts the lines that have the form of a record, changed or not. */
export interface AuditCheck {
  readonly records: number
  /** Lines that a killed process left incomplete. */
  readonly torn: number
  /** Numbers, from 1, of the lines that were changed, or before which a line is missing. */
  readonly broken: readonly number[]
  /** The last record's hash: kept elsewhere, it shows later whether the end was cut off. */
  readonly head: string | null
}

type Checked = AuditCheck & { readonly expectedFound: boolean }

/** Reads the whole log once, in constant memory. `expected`: a head that was kept elsewhere must still be there. UnfitFileError for a pipe or a device. */
export async function checkAudit(path: string, expected?: string): Promise<Checked> {
  return checkAuditText((await openRegular(path)).createReadStream(), expected)
}

/** The same for the bytes of a log that come from elsewhere. */
export async function checkAuditText(bytes: AsyncIterable<Buffer>, expected?: string): Promise<Checked> {
  let [records, torn, line] = [0, 0, 0]
  let prev = start
  let head: string | null = null
  let found = expected === undefined
  const broken: number[] = []
  for await (const text of linesOf(bytes)) {
    line++
    if (text === '') continue
    const match = text === undefined ? null : lineForm.exec(text)
    if (match === null) {
      if (text?.startsWith('{') && !text.endsWith('}')) torn++
      else broken.push(line)
      continue
    }
    const [, body = '', before, hash = ''] = match
    if (hashOf(`${body}}`) !== hash || before !== prev) broken.push(line)
    records++
    prev = hash
    head = hash
    if (hash === expected) found = true
  }
  return { records, torn, broken, head, expectedFound: found }
}

/** The lines without their ends; undefined for one that is longer than a record can be, of which no more is kept. */
async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncIterable<string | undefined> {
  let parts: Buffer[] = []
  let length = 0
  const taken = (): string | undefined => {
    const text = length > lineBytesMax ? undefined : Buffer.concat(parts).toString('utf8').replace(/\r$/, '')
    parts = []
    length = 0
    return text
  }
  const add = (part: Buffer): void => {
    length += part.length
    if (length <= lineBytesMax) parts.push(part)
    else parts = []
  }
  for await (const chunk of bytes) {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, end))
      yield taken()
      from = end + 1
    }
    add(chunk.subarray(from))
  }
  if (length > 0) yield taken()
}
