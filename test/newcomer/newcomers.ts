/** One insertion: right after a text that stands exactly once in the file. */
export interface Insertion {
  readonly file: string
  readonly after: string
  readonly text: string
}
/** What CONTRIBUTING asks of whoever adds one: an entry file, a registry row and a harness entry. */
export interface Newcomer {
  readonly kind: string
  /** Its text is in this folder, in `<kind>.txt`. */
  readonly entry: string
  /** What stands in the registry; a static import of its own settings is part of the row. */
  readonly row: readonly Insertion[]
  readonly harness: Insertion
}

export const newcomers: readonly Newcomer[] = [
  {
    kind: 'ticket',
    entry: 'shared/rotators/ticket.ts',
    row: [
      {
        file: 'shared/rotators/registry.ts',
        after: 'const rows = {\n',
        text: "  ticket: { load: () => import('./ticket.js').then(({ create }) => create()), engines: ['ticket'], page: 'ticket' },\n",
      },
    ],
    harness: {
      file: 'test/harness/rotators.ts',
      after: 'export const rotatorHarnesses: Readonly<Record<RotatorKind, readonly [NamedRotator, ...NamedRotator[]]>> = {\n',
      text: `  ticket: [
    {
      ...random('', {}),
      name: 'ticket',
      open: async () => ({
        rotator: await loadRotator('ticket'),
        policy: {},
        current: new SecretText(JSON.stringify({ note: 'stays', password: 'first-ticket-0123456789' })),
        context: contextOf({}, new FakeEnv()),
        close: async () => {},
      }),
    },
  ],
`,
    },
  },
  {
    kind: 'drawer',
    entry: 'shared/stores/drawer.ts',
    row: [
      {
        file: 'shared/stores/registry.ts',
        after: 'export const stores = {\n',
        text: "  drawer: { open: async ({ env }) => new (await import('./drawer.js')).Drawer(env), trial: true, permissions: { instead: 'It needs none.' } },\n",
      },
    ],
    harness: {
      file: 'test/harness/stores.ts',
      after: 'export const storeHarnesses: Readonly<Record<OpenableStore, readonly [NamedStore, ...NamedStore[]]>> = {\n',
      text: `  drawer: [
    {
      name: 'drawer',
      engine: true,
      forgets: true,
      tellsPublication: true,
      sealed: 'a Map that nobody else has',
      open: async () => {
        const env = new FakeEnv()
        const store = new (await import('../../shared/stores/drawer.js')).Drawer(env)
        return { store, another: () => store, env, prefix: 'drawer:', close: async () => {} }
      },
    },
  ],
`,
    },
  },
  {
    kind: 'bell',
    entry: 'shared/notifiers/bell.ts',
    row: [
      {
        file: 'shared/notifiers/registry.ts',
        after: 'export const notifiers = {\n',
        text: "  bell: row({ load: () => import('./bell.js'), settings: bell.settings }),\n",
      },
      { file: 'shared/notifiers/registry.ts', after: "import * as v from 'valibot'\n", text: "import * as bell from './bell.js'\n" },
    ],
    harness: {
      file: 'test/harness/notifiers.ts',
      after: 'export const notifierHarnesses: Readonly<Record<NotifierKind, () => Promise<NotifierHarness>>> = {\n',
      text: "  bell: plain('bell', 'drained'),\n",
    },
  },
]
