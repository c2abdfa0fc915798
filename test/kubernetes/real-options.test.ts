import { managerSkip } from '../harness/kube/server.js'
import { kubernetesOptions } from './options.js'

kubernetesOptions('real', managerSkip)
