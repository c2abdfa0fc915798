import { managerSkip } from '../../test/harness/kube/server.js'

/** The API server of this machine. */
export const which = managerSkip ? 'fake' : 'real'
/** Why it is a stand-in; false where it is not. */
export const whyFake = managerSkip
/** Whether that is enough: CI wants the real one, unless it says that it has none. */
export const isEnough = which === 'real' || process.env.CI === undefined || process.env.KEYTURN_MAY_SKIP !== undefined
