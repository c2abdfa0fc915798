import type { Environment } from '../../shared/app/platform.js'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import type { DeadLetter, DeadLetters } from '../../shared/core/ports/dead-letters.js'
import type { Env } from '../../shared/core/ports/env.js'
import { RestClient } from '../../shared/core/rest/client.js'
import { Credentials } from '../../shared/google/credentials.js'
import { refusedError } from '../../shared/google/refused.js'
import { aboutTopic, topicForm } from '../../shared/google/topic.js'

/** `endpoint` is for tests: a stand-in on loopback. */
export interface DeadLetterOptions {
  readonly env: Env
  /** projects/P/topics/T */
  readonly topic: string
  readonly endpoint?: `http://127.0.0.1:${number}`
}

const variable = 'KEYTURN_DEAD_LETTERS'

/** Dead letters on a topic of Pub/Sub: a message without data, whose attributes are the letter. Keep one for a process: it has the credentials. */
export class DeadLetterTopic implements DeadLetters {
  readonly #topic: string
  readonly #client: RestClient
  readonly #publish: URL
  constructor({ env, topic, endpoint }: DeadLetterOptions) {
    this.#topic = topic
    this.#client = new RestClient({ env, service: 'Pub/Sub', resource: topic, credentials: new Credentials(topic) })
    this.#publish = new URL(`${endpoint ?? 'https://pubsub.googleapis.com'}/v1/${topic}:publish`)
  }

  /** A lost answer is repeated: the letter may be there twice. */
  async put({ code, from, id, field, bytes, at }: DeadLetter): Promise<void> {
    const when = new Date(at).toISOString()
    const attributes = { code, from, bytes: String(bytes), at: when, ...optional('id', id), ...optional('field', field) }
    const body = JSON.stringify({ messages: [{ attributes }] })
    await this.#client.call({ url: this.#publish, body }, { call: 'pubsub.topics.publish' }, (answer) =>
      refusedError(answer, aboutTopic(this.#topic, variable, 'THIS_FUNCTION')),
    )
  }
}

/** The topic that KEYTURN_DEAD_LETTERS names; undefined where it is not set. bad_config. */
export function deadLettersFrom({ KEYTURN_DEAD_LETTERS: topic }: Environment, env: Env): DeadLetters | undefined {
  if (!topic) return undefined
  if (topicForm.test(topic)) return new DeadLetterTopic({ env, topic })
  throw new RotationError('bad_config', `${variable} must be projects/PROJECT/topics/TOPIC.`, {
    field: variable,
    next: "Correct the function's environment.",
  })
}
