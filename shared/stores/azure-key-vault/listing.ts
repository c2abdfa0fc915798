import { optional } from '../../core/optional.js'
import type { Listed } from '../../core/ports/store.js'
import type { Policy } from '../../core/ports/words.js'
import { type Document, type Documents, listedDocument } from './documents.js'
import { keyOf, nameOf, refOf } from './names.js'
import type { Reader } from './reader.js'
import { isPlace, taggedPolicy } from './tags.js'

/**
 * How much is kept of the documents of a vault while its secrets are listed, in characters. Of what is beyond that only the name is kept, which costs
 * a look at the secret.
 */
const charactersMax = 64 * 1024 * 1024

/**
 * The secrets of a vault, joined with their documents, a page at a time. A document whose secret is not listed comes at the end: the look at it says
 * what is wrong. Where nothing keeps journals, or where a document is lost, the copy of the policy in the tags counts. A secret whose document the
 * listing does not show is listed as a managed one, without a journal: the look at it reads that.
 */
export async function* listed({ vaults, documents }: Reader, host: string, managed: boolean): AsyncIterable<readonly Listed[]> {
  const texts = await textsOf(documents, host)
  for await (const page of vaults.secrets(host)) {
    yield page.flatMap((secret) => {
      if (isPlace(secret.tags)) return []
      const key = keyOf({ host, secret: secret.secret })
      const [isKept, document] = [texts.has(key), listedDocument(texts.get(key))]
      texts.delete(key)
      const one = listedOf(key, document, taggedPolicy(secret.tags))
      const isManaged = Object.keys(one.policy).length > 0 || (isKept && document === undefined)
      return managed && !isManaged ? [] : [one]
    })
  }
  for (const [key, text] of managed ? texts : []) {
    const document = listedDocument(text)
    if (document === undefined || Object.keys(document.policy).length > 0) yield [listedOf(key, document, {})]
  }
}

async function textsOf(documents: Documents, host: string): Promise<Map<string, string | undefined>> {
  const texts = new Map<string, string | undefined>()
  let characters = 0
  for await (const page of documents.list(host))
    for (const { name, text } of page) {
      characters += text?.length ?? 0
      texts.set(keyOf(name), characters <= charactersMax ? text : undefined)
    }
  return texts
}

function listedOf(key: string, document: Document | undefined, tagged: Policy): Listed {
  const master = document?.policy ?? {}
  const policy = Object.keys(master).length > 0 ? master : tagged
  return { ref: refOf(nameOf(key)), policy, drivenBy: 'engine', unfenced: true, ...optional('journal', document?.journal) }
}
