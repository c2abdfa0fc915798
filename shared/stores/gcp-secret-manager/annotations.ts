import { RotationError } from '../../core/errors.js'

type Annotations = Readonly<Record<string, string>>

/** The service takes fewer bytes than this of the annotations of one secret: names and values, of whoever wrote them. */
const bytesEnd = 16_384

const bytesOf = (annotations: Annotations): number =>
  Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)

/** How many bytes the value of an annotation may have beside those that are there. */
export function roomFor(key: string, { [key]: _, ...others }: Annotations): number {
  return Math.max(0, bytesEnd - 1 - bytesOf(others) - Buffer.byteLength(key))
}

/** too_large where the service would refuse them; `changed` names what the caller writes, and the longest of it is the field. */
export function assertAnnotationsFit(shown: string, annotations: Annotations, changed: readonly string[]): void {
  const bytes = bytesOf(annotations)
  if (bytes < bytesEnd) return
  const lengthOf = (key: string): number => annotations[key]?.length ?? 0
  const [longest = 'annotations'] = [...changed].sort((a, b) => lengthOf(b) - lengthOf(a))
  const others = Object.fromEntries(Object.entries(annotations).filter(([key]) => !changed.includes(key)))
  throw new RotationError(
    'too_large',
    `With ${longest} the annotations of ${shown} would have ${bytes} bytes; the service takes ${bytesEnd - 1}. ${bytesOf(others)} of them are there already.`,
    { field: longest, next: `Shorten ${longest}, or remove annotations that nobody needs.` },
  )
}
