import { type Deployed, type FunctionName, Packages } from './gcp-deployed.js'
import { GoogleProject } from './gcp-project.js'
import type { StoredSecret } from './gcp-secret-manager/model.js'
import type { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { type Message, PubSub, type Subscription } from './pubsub.js'
import { Forwarder, type PushForm } from './pubsub-forwarder.js'

/** Where the secrets publish, and what the subscription of the functions lets through. */
export const eventsTopic = 'projects/p/topics/rotations'
export const eventsFilter = 'attributes.eventType = "SECRET_ROTATE" OR attributes.eventType = "SECRET_VERSION_ADD"'

/** The fewest attempts that the service allows before a message goes to the dead letters. */
export const attemptsMax = 5

/** Where the functions leave what they cannot read. */
const unreadableTopic = 'projects/p/topics/unreadable'
const unreadable = 'projects/p/subscriptions/unreadable'

/** The functions as processes, in a project whose Secret Manager publishes by Google's own Pub/Sub. */
export class GcpFleet {
  readonly packages: Packages
  readonly project: GoogleProject
  readonly pubsub: PubSub
  readonly #started = new Set<Deployed>()
  #count = 0
  private constructor(packages: Packages, project: GoogleProject, pubsub: PubSub) {
    this.packages = packages
    this.project = project
    this.pubsub = pubsub
  }
  /** `rotators` as in KEYTURN_ROTATORS. */
  static async open(rotators?: string): Promise<GcpFleet> {
    const pubsub = await PubSub.open()
    const project = await GoogleProject.open({ 'pubsub.googleapis.com': pubsub.port })
    for (const topic of [eventsTopic, unreadableTopic]) await pubsub.createTopic(topic)
    await pubsub.createSubscription(unreadable, { topic: unreadableTopic })
    return new GcpFleet(await Packages.make(rotators), project, pubsub)
  }
  async close(): Promise<void> {
    await Promise.all([...this.#started].map((one) => one.stop()))
    await this.project.close()
    await this.pubsub.close()
    await this.packages.close()
  }
  get double(): GcpSecretManagerDouble {
    return this.project.secrets
  }

  async start(name: FunctionName, env: Readonly<Record<string, string>> = {}): Promise<Deployed> {
    const started = await this.packages.start(name, { ...this.project.env, KEYTURN_DEAD_LETTERS: unreadableTopic, ...env })
    this.#started.add(started)
    return started
  }
  /** A new subscription, and who delivers what it has. */
  async forwarder(form: PushForm, to: () => string | undefined, settings: Partial<Subscription> = {}): Promise<Forwarder> {
    const topic = settings.topic ?? eventsTopic
    const subscription = `projects/p/subscriptions/s${++this.#count}`
    await this.pubsub.createSubscription(subscription, { topic, ...settings })
    return new Forwarder(this.pubsub, { subscription, topic, form, to })
  }

  /** A new topic of dead letters, the policy of a subscription that leaves them there after five attempts, and the ids of what is there. */
  async deadLetters() {
    const topic = `projects/p/topics/dead${++this.#count}`
    await this.pubsub.createTopic(topic)
    const dead = await this.forwarder('binary', () => undefined, { topic })
    const ids = async () => (await dead.pass()).map(({ messageId }) => messageId)
    return { deadLetterPolicy: { deadLetterTopic: topic, maxDeliveryAttempts: attemptsMax }, ids }
  }

  /** What the functions have left since it was asked for last. */
  async unreadable(): Promise<readonly Message[]> {
    const received = await this.pubsub.pull(unreadable)
    for (const { ackId } of received) await this.pubsub.acknowledge(unreadable, ackId)
    return received.map(({ message }) => message)
  }

  /** A secret with its staging place and one version, made `agoMs` ago, that publishes what happens to it. */
  addSecret(id: string, value: string, annotations: Readonly<Record<string, string>>, agoMs = 0): StoredSecret {
    const { double, project } = this
    const replication = { automatic: {} }
    project.aheadMs = -agoMs
    double.onMessage = this.pubsub.take
    double.do('CreateSecret', { parent: 'projects/p', secretId: id, secret: { replication, annotations, topics: [{ name: eventsTopic }] } })
    const staging = { replication, labels: { 'keyturn-role': 'staging' } }
    double.do('CreateSecret', { parent: 'projects/p', secretId: `${id}--pending`, secret: staging })
    double.do('AddSecretVersion', { parent: `projects/p/secrets/${id}`, payload: { data: Buffer.from(value) } })
    project.aheadMs = 0
    return this.secret(id)
  }
  secret(id: string): StoredSecret {
    const secret = this.double.secrets.get(`projects/123456789012/secrets/${id}`)
    if (secret === undefined) throw new Error(`There is no secret ${id}.`)
    return secret
  }
  /** The service's own schedule of a secret comes to its time: it publishes SECRET_ROTATE. Resolves when that is published. */
  async notify(id: string): Promise<void> {
    this.secret(id).rotation = { nextAt: Date.now() }
    this.double.tick()
    await this.pubsub.settled()
  }
}
