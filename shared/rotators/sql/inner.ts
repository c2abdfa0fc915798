/**
 * The rotator that logs in to a server of an engine, for one that changes passwords by another way, such as a control plane. Loaded when it is
 * asked for, with its driver.
 */
export const databaseRotators = {
  postgres: () => import('../postgres.js').then(({ create }) => create()),
}
