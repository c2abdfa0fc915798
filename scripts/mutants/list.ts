import { answerMutants } from './answer.js'
import { azureFunctionMutants } from './azure-functions.js'
import { durabilityMutants } from './durability.js'
import { flexibleMutants } from './flexible.js'
import { gcpMutants } from './gcp.js'
import type { Mutant } from './mutant.js'
import { pairMutants } from './pairs.js'
import { platformMutants } from './platform.js'
import { poolerMutants } from './poolers.js'
import { unfencedMutants } from './unfenced.js'

export type { Mutant }

const lifecycle = ['lifecycle/crash.test.ts', 'contract/memory.test.ts']
const runSteps = 'shared/lifecycle/rotation/run-steps.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'publish before apply',
    edits: [
      {
        file: runSteps,
        from: "  if (asked.includes('set') && mustSet(work, action)) {",
        to: "  if (asked.includes('finish') && pending) await finishSecret(work, pending.version)\n  if (asked.includes('set') && mustSet(work, action)) {",
      },
    ],
    tests: lifecycle,
  },
  {
    name: 'skip verify',
    edits: [
      {
        file: runSteps,
        from: 'differences = await test(work, action, asked, pending, done)',
        to: 'differences = []',
      },
    ],
    tests: lifecycle,
  },
  {
    name: "publish without comparing the claim's base",
    edits: [
      { file: 'shared/stores/memory/publish.ts', from: 'if (cell.current !== claim.base)\n', to: 'if (cell.current === undefined)\n' },
    ],
    tests: ['contract/memory.test.ts'],
  },
  {
    name: 'propose again on retry',
    edits: [
      {
        file: 'shared/lifecycle/decide/rows/open.ts',
        from: "continueOpen(l, l.open?.kind === 'put' ? 'test' : 'set', l.state.pending?.id)",
        to: "continueOpen(l, 'create', undefined)",
      },
      { file: 'shared/lifecycle/rotation/steps.ts', from: "if (staged.stored !== 'other') return", to: 'if (staged.stored) return' },
    ],
    tests: lifecycle,
  },
  {
    name: 'log the value',
    edits: [
      {
        file: 'shared/lifecycle/rotation/steps.ts',
        from: 'const staged = await tools.store.stage(claim, fresh)',
        to: "tools.deps.env.log('staging', { value: fresh.reveal() })\n  const staged = await tools.store.stage(claim, fresh)",
      },
    ],
    tests: lifecycle,
  },
  {
    name: 'verify without the SCRAM proof',
    edits: [
      { file: 'shared/rotators/postgres/session.ts', from: 'if (proof.seen()) return { session', to: 'if (client) return { session' },
    ],
    tests: ['e2e/postgres-proof.test.ts'],
  },
  {
    name: "ignore another holder's lease",
    edits: [
      { file: 'shared/core/claims.ts', from: 'isLeaseLive(open.leaseUntil, now) && question', to: 'open.leaseUntil < 0 && question' },
    ],
    tests: ['contract/memory.test.ts'],
  },
  {
    name: 'a put on a stuck secret is not proven first',
    edits: [
      {
        file: 'shared/lifecycle/rotation/put-on-stuck.ts',
        from: '  await assertAccepted(tools, setup, state, supplied)\n',
        to: '  if (setup.rotator === undefined) await assertAccepted(tools, setup, state, supplied)\n',
      },
    ],
    tests: ['lifecycle/put-on-stuck.test.ts'],
  },
  {
    name: 'discard a leftover without asking current',
    edits: [
      {
        file: 'shared/lifecycle/rotation/stray-values.ts',
        from: 'if (await acceptsCurrent(work)) return void (await giveUpValue',
        to: 'if (rotator) return void (await giveUpValue',
      },
    ],
    tests: ['lifecycle/traces.test.ts', 'lifecycle/races.test.ts'],
  },
  {
    name: 'remove what no journal names',
    edits: [
      {
        file: 'shared/lifecycle/decide/rows/open.ts',
        from: 'when: (l) => l.state.loose.some((staged) => staged.base === l.base),',
        to: 'when: () => false,',
      },
    ],
    tests: lifecycle,
  },
  {
    name: 'start again although a rotation since then answers the request',
    edits: [{ file: 'shared/lifecycle/decide/rows/idle.ts', from: 'state.publishedAt >= request.at', to: 'state.publishedAt < 0' }],
    tests: ['lifecycle/decide.test.ts', ...lifecycle],
  },
  {
    name: 'a publication from the future answers requests',
    edits: [{ file: 'shared/lifecycle/decide/rows/idle.ts', from: ' && !isFromFuture(state.publishedAt, facts.now)', to: '' }],
    tests: ['lifecycle/traces-clock.test.ts'],
  },
  {
    name: 'tell of what somebody else wrote at the same time without a login',
    edits: [{ file: 'shared/lifecycle/consumers/announce.ts', from: 'if (mustProve(state)) {', to: 'if (mustProve(state) && now < 0) {' }],
    tests: ['lifecycle/traces-publish.test.ts'],
  },
  {
    name: 'arm on an empty list of required consumers',
    edits: [
      {
        file: 'shared/lifecycle/retirement/gate.ts',
        from: '  if (required.some(({ consumer }) => consumer.kind !== companionKind)) return',
        to: '  if (behind.length === 0) return',
      },
    ],
    tests: ['lifecycle/after-mutants.test.ts', 'lifecycle/traces-after.test.ts'],
  },
  {
    name: 'skip grace',
    edits: [{ file: 'shared/lifecycle/retirement/retire.ts', from: 'if (env.now() < end)', to: 'if (env.now() < entry.since)' }],
    tests: ['lifecycle/after-mutants.test.ts'],
  },
  {
    name: 'write announced before delivering',
    edits: [
      {
        file: 'shared/lifecycle/consumers/announce.ts',
        from: '    const told = await deliverAll(tools, setup, state, change, overtaken)\n',
        to: '    await tools.store.note(state, { announced: current.id })\n    const told = await deliverAll(tools, setup, state, change, overtaken)\n',
      },
    ],
    tests: ['lifecycle/after-mutants.test.ts', 'lifecycle/after.test.ts'],
  },
  {
    name: 'a rollout is poked and never followed',
    edits: [
      {
        file: 'shared/lifecycle/consumers/announce.ts',
        from: ' || isProgressing(state, now)',
        to: '',
      },
    ],
    tests: ['lifecycle/follow.test.ts'],
  },
  {
    name: 'retire without asking again',
    edits: [
      {
        file: 'shared/lifecycle/retirement/gate.ts',
        from: '    else told.push(await askNow(tools, change, consumer, before, consumers))',
        to: "    else told.push({ consumer, evidence: 'as noted', seen: before ?? { version: current.id, phase: 'drained', at: 0 } })",
      },
    ],
    tests: ['lifecycle/after-mutants.test.ts', 'lifecycle/traces-after.test.ts'],
  },
  {
    name: 'sign with a key before verifiers know it',
    edits: [{ file: 'shared/rotators/jwt.ts', from: 'if (now < readyAt)', to: 'if (now < next.notBefore - readyAt)' }],
    tests: ['rotators/jwt.test.ts'],
  },
  {
    name: 'count from the publication, although a public set got it later',
    edits: [
      {
        file: 'shared/lifecycle/consumers/companions.ts',
        from: '  return Math.max(publishedAt, ...seen',
        to: '  return Math.min(publishedAt, ...seen',
      },
    ],
    tests: ['lifecycle/self-issued-ways.test.ts'],
  },
  {
    name: 'publish the source before its public set',
    edits: [{ file: 'shared/lifecycle/rotation/run-steps.ts', from: 'await publishBefore(tools', to: 'void (tools' }],
    tests: ['lifecycle/companions.test.ts'],
  },
  {
    name: 'a companion that was written opens the gate',
    edits: [
      {
        file: 'shared/lifecycle/retirement/gate.ts',
        from: 'if (required.some(({ consumer }) => consumer.kind !== companionKind))',
        to: 'if (required.length > 0)',
      },
    ],
    tests: ['lifecycle/companions.test.ts'],
  },
  {
    name: 'an unknown login error counts as refused',
    edits: [
      {
        file: 'shared/rotators/postgres/errors.ts',
        from: "then run the same command again.']\n  }\n  return ['internal',",
        to: "then run the same command again.']\n  }\n  return ['target_auth',",
      },
    ],
    tests: ['rotators/postgres-login.test.ts'],
  },
  {
    name: "retire ignores another holder's live lease",
    edits: [
      {
        file: 'shared/lifecycle/retirement/retire.ts',
        from: 'if (isOthers && isLeaseLive(leaseUntil, env.now()))',
        to: 'if (isOthers && leaseUntil < 0)',
      },
    ],
    tests: ['lifecycle/retire.test.ts'],
  },
  ...platformMutants,
  ...pairMutants,
  ...poolerMutants,
  ...unfencedMutants,
  ...durabilityMutants,
  ...gcpMutants,
  ...answerMutants,
  ...azureFunctionMutants,
  ...flexibleMutants,
]
