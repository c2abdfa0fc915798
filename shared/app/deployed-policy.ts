import { optional } from '../core/optional.js'
import { parsePolicy } from '../core/policy/index.js'
import type { DeployedMore } from '../core/ports/deployment.js'
import type { PolicyKey } from '../core/ports/rotator.js'
import type { Policy } from '../core/ports/words.js'
import { parseParts, partsKind, policyFor } from '../lifecycle/secret/parts/policy.js'
import { deployedMore, loadRotator } from '../rotators/registry.js'

/** Checks the policy of secrets that have none yet, before anything is written. `keys`: those of their store. bad_policy with the key. */
export async function checkWished(
  policy: Policy,
  { keys, shortGrace }: { readonly keys: readonly PolicyKey[]; readonly shortGrace: boolean },
): Promise<void> {
  const kind = policy['keyturn-rotator']
  const isOne = kind !== undefined && kind !== partsKind && policy['keyturn-parts'] === undefined
  const own = isOne ? [...(await loadRotator(kind)).about.policy, ...keys] : undefined // of several, adopting checks the keys of each
  parsePolicy(policy, { ...optional('own', own), shortGrace })
}

/** What the rotators of a policy add to a deployment: of each part, where it has several. bad_policy. */
export async function moreOf(policy: Policy): Promise<DeployedMore | undefined> {
  const parts = policy['keyturn-parts']
  if (parts === undefined) return deployedMore(policy)
  const each = parseParts(parts).map(async ([field, kind]) =>
    deployedMore({ ...policyFor(policy, field, await loadRotator(kind)), 'keyturn-rotator': kind }),
  )
  const found = (await Promise.all(each)).flatMap((one) => one ?? [])
  if (found.length === 0) return undefined
  const variables = new Map<string, readonly string[]>()
  for (const [name, list] of found.flatMap((one) => Object.entries(one.variables)))
    variables.set(name, [...(variables.get(name) ?? []), ...list])
  return { variables: Object.fromEntries(variables), services: [...new Set(found.flatMap(({ services }) => services))] }
}
