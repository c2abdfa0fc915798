import { optional } from '../../core/optional.js'
import type { Listed } from '../../core/ports/store.js'
import type { Policy } from '../../core/ports/words.js'
import type { Document } from './documents.js'
import { keyOf, refOf, type SecretName } from './names.js'
import type { Reader } from './reader.js'
import { isPlace, taggedPolicy } from './tags.js'
import type { ListedSecret } from './vault.js'

/** How many documents of a vault are kept while its secrets are listed. What is beyond them costs a look at that secret. */
const documentsMax = 50_000

/**
 * The secrets of a vault, joined with their documents, a page at a time. A document whose secret is not listed comes at the end: the look at it says what is
 * wrong. Where nothing keeps journals, or where a document is lost, the copy of the policy in the tags counts.
 */
export async function* listed({ vaults, documents }: Reader, host: string, managed: boolean): AsyncIterable<readonly Listed[]> {
  const found = new Map<string, Document | undefined>()
  for await (const page of documents.list(host))
    for (const { name, document } of page) if (found.size < documentsMax) found.set(keyOf(name), document)
  for await (const page of vaults.secrets(host)) {
    yield page.flatMap((secret) => {
      if (isPlace(secret.tags)) return []
      const name = { host, secret: secret.secret }
      const one = listedOf(name, secret, found)
      const isHidden = found.has(keyOf(name)) && found.get(keyOf(name)) === undefined
      found.delete(keyOf(name))
      // What the listing does not show of a document, a look at that secret does.
      return managed && Object.keys(one.policy).length === 0 && !isHidden ? [] : [one]
    })
  }
  const left = [...found].filter(([, document]) => managed && (document === undefined || Object.keys(document.policy).length > 0))
  yield left.map(([key, document]) => leftOf(key, document?.policy ?? {}))
}

function listedOf(name: SecretName, { tags }: ListedSecret, found: ReadonlyMap<string, Document | undefined>): Listed {
  const document = found.get(keyOf(name))
  const master = document?.policy ?? {}
  const policy = Object.keys(master).length > 0 ? master : taggedPolicy(tags)
  const common = { ref: refOf(name), policy, drivenBy: 'engine', unfenced: true } as const
  return { ...common, ...optional('journal', document?.journal) }
}

function leftOf(key: string, policy: Policy): Listed {
  const at = key.indexOf('/')
  return { ref: refOf({ host: key.slice(0, at), secret: key.slice(at + 1) }), policy, drivenBy: 'engine', unfenced: true }
}
