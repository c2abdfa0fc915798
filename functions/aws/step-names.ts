import type { Step } from '../../shared/core/ports/words.js'

/** The functions of the vendor's templates receive `createSecret`; its documentation prints `create_secret`. Both are accepted. */
export const stepNames: Readonly<Record<string, Step>> = {
  createSecret: 'create',
  setSecret: 'set',
  testSecret: 'test',
  finishSecret: 'finish',
  create_secret: 'create',
  set_secret: 'set',
  test_secret: 'test',
  finish_secret: 'finish',
}
