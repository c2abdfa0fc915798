/**
 * What `npm test` does in part, or not at all, because a point of it is slow or needs what a newcomer does not have; `npm run test:whole` does all of
 * it. CONTRIBUTING names the same list, and a test compares the two.
 */
export const wholeTests = [
  { file: 'aws/bundle', what: 'Node 22 and 24; `npm test` runs the bundle on Node 20' },
  { file: 'aws/companion-crash', what: 'every call; `npm test` draws one point of four' },
  { file: 'aws/crash', what: 'every call and message; `npm test` draws one point of four' },
  { file: 'aws/rds-crash', what: 'every call; `npm test` draws one point of four' },
  { file: 'e2e/postgres-crash', what: 'every effect of every store; `npm test` draws one point of four' },
  { file: 'e2e/sigkill', what: '200 kills; `npm test` does 40' },
  {
    file: 'kubernetes/real',
    what: 'the contract of the Kubernetes consumer on a real API server; `npm test` runs it on a double',
    only: true,
  },
  { file: 'kubernetes/real-neighbours', what: 'the same for what shares a cluster with it', only: true },
  { file: 'kubernetes/real-options', what: 'the same for its options', only: true },
]
