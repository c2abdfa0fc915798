/** One edit. Its text must occur exactly once in the file, so that a mutant is never silently the original. */
export interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}
export interface Mutant {
  readonly name: string
  readonly edits: readonly Edit[]
  /** Test files to try, in this order; the first red one ends it. */
  readonly tests: readonly string[]
}
