import { managerSkip } from '../harness/kube/server.js'
import { kubernetesOperatorWays } from './operator-ways.js'

kubernetesOperatorWays('real', managerSkip)
