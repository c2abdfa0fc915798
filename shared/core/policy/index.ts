export { parseDuration, showDuration } from './duration.js'
export { commonKeys } from './keys.js'
export { type PolicyOptions, parsePolicy, policyText, prefix, renamed, type Settings } from './parse.js'
export { inWindow, parseWindow, type Window } from './window.js'
