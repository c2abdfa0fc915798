// The worker of Azure Functions, as far as a program can see it: loaded before the program, it gives it @azure/functions-core, which the host
// puts there, and carries out what the host (test/harness/azure-host.ts) sends. The library itself marshals arguments and answers.
// Its members are those that @azure/functions 4.16.5 uses. A message moves its clock, as gcp-clock.cjs does.
const Module = require('node:module')

let aheadMs = Number(process.env.KEYTURN_TEST_AHEAD_MS ?? 0)
const { now } = Date
const moved = () => now() + aheadMs
globalThis.Date = new Proxy(Date, {
  construct: (target, given, as) => Reflect.construct(target, given.length === 0 ? [moved()] : given, as),
  apply: (target) => String(new target(moved())),
  get: (target, name, receiver) => (name === 'now' ? moved : Reflect.get(target, name, receiver)),
})

const functions = new Map()
const hooks = new Map()
let model

const core = {
  version: '3.10.1',
  hostVersion: '4.1036.0',
  registerFunction(metadata, callback) {
    if (functions.has(metadata.name)) throw new Error(`A function with the name "${metadata.name}" has already been registered.`)
    functions.set(metadata.name, { metadata, callback })
    return new Disposable(() => functions.delete(metadata.name))
  },
  registerHook(name, callback) {
    const all = hooks.get(name) ?? []
    hooks.set(name, [...all, callback])
    return new Disposable(() =>
      hooks.set(
        name,
        (hooks.get(name) ?? []).filter((one) => one !== callback),
      ),
    )
  },
  setProgrammingModel(given) {
    model = given
  },
  getProgrammingModel: () => model,
  log: (level, _category, message) => process.send({ log: level, message }),
}
class Disposable {
  constructor(dispose) {
    this.dispose = dispose
  }
}
core.Disposable = Disposable

const load = Module._load
Module._load = function (request, ...rest) {
  return request === '@azure/functions-core' ? core : load.call(this, request, ...rest)
}

async function run({ id, name, inputData, triggerMetadata }) {
  const { metadata, callback } = functions.get(name)
  const invocation = model.getInvocationModel({
    invocationId: id,
    metadata,
    request: { inputData, triggerMetadata },
    state: undefined,
    log: core.log,
  })
  const { context, inputs } = await invocation.getArguments()
  const result = await invocation.invokeFunction(context, inputs, callback)
  return invocation.getResponse(context, result)
}

async function terminate() {
  for (const hook of hooks.get('appTerminate') ?? []) await hook({ hookData: {}, appHookData: {} })
  process.exit(0)
}

process.on('message', async (message) => {
  if (message.terminate) return terminate()
  if (message.aheadMs !== undefined) {
    aheadMs = message.aheadMs
    return
  }
  if (message.start) {
    try {
      require(message.start)
      const capabilities = await model.getCapabilities({})
      process.send({ started: [...functions.values()].map(({ metadata }) => metadata), capabilities })
    } catch (cause) {
      process.send({ failed: String(cause?.stack) })
    }
    return
  }
  try {
    process.send({ id: message.id, response: await run(message) })
  } catch (cause) {
    process.send({ id: message.id, error: { name: String(cause?.name), message: String(cause?.message), stack: String(cause?.stack) } })
  }
})
process.on('disconnect', () => process.exit())
