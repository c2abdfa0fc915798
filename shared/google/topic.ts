import type { About } from './refused.js'

/** projects/P/topics/T as Pub/Sub takes it. */
export const topicForm = /^projects\/(?:[a-z0-9.-]+:)?[a-z0-9-]+\/topics\/(?!goog)[A-Za-z][\w.~+%-]{2,254}$/

/** What an error of a topic says. `field` names it, `who` is to publish. */
export function aboutTopic(topic: string, field: string, who = 'THIS_ACCOUNT'): About {
  const [, project = '', , id = ''] = topic.split('/')
  return {
    service: 'Pub/Sub',
    api: 'pubsub.googleapis.com',
    resource: topic,
    kind: 'topic',
    permission: 'pubsub.topics.publish',
    grant: `Grant it: gcloud pubsub topics add-iam-policy-binding ${id} --project ${project} --member serviceAccount:${who} --role roles/pubsub.publisher`,
    make: `Run gcloud pubsub topics create ${id} --project ${project}, and try again after a minute.`,
    check: `Check ${field}.`,
    field,
  }
}
