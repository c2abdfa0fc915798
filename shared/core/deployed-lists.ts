import { type Attribute, text } from './hcl.js'
import type { DeployedMore } from './ports/deployment.js'

/** Texts as a list of Terraform. */
export const listOf = (texts: readonly string[]): string => `[${texts.map(text).join(', ')}]`

/** What rotators add to a module of Terraform, each list once and in order. */
export function listsOf(found: readonly { readonly more?: DeployedMore }[]): readonly Attribute[] {
  const names = [...new Set(found.flatMap(({ more }) => Object.keys(more?.variables ?? {})))].sort()
  return names.map((name) => [name, listOf([...new Set(found.flatMap(({ more }) => more?.variables[name] ?? []))].sort())])
}
