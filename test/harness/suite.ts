import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

type Act = NonNullable<Parameters<typeof it>[0]>
type Hook = (act: NonNullable<Parameters<typeof before>[0]>) => void

/** What a suite is written with. */
export interface Kit {
  readonly it: { (title: string, act: Act): unknown; (title: string, options: { readonly skip: string | false }, act: Act): unknown }
  readonly before: Hook
  readonly after: Hook
  readonly beforeEach: Hook
  readonly afterEach: Hook
}

const none: Hook = () => undefined

/**
 * A suite that may be skipped as a whole. node:test leaves the tests of such a suite out of every count; here they are counted as skipped, so that
 * the counts add up, and are the same on each machine.
 */
export function suite(title: string, skip: string | false, tests: (kit: Kit) => void): void {
  const skipped: Kit = { it: (test: string) => it(test, { skip }), before: none, after: none, beforeEach: none, afterEach: none }
  describe(title, () => tests(skip ? skipped : { it, before, after, beforeEach, afterEach }))
}
