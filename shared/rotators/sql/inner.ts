/**
 * By engine, the rotator that logs in to its servers: for rotators that change passwords by another way, such as a control plane. It is loaded when
 * it is asked for, with its driver.
 */
export const databaseRotators = {
  postgres: () => import('../postgres.js').then(({ create }) => create()),
}
