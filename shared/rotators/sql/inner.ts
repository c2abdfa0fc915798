/**
 * The rotators that log in to the servers of an engine, by engine. Rotators that change passwords in another way, such as through a control plane,
 * use them. Each is loaded with its driver when it is asked for.
 */
export const databaseRotators = {
  postgres: () => import('../postgres.js').then(({ create }) => create()),
}
