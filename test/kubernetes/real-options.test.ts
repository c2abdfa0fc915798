import { kubeSkip, managerSkip } from '../harness/kube/server.js'
import { kubernetesOptions } from './options.js'

kubernetesOptions('real', kubeSkip, managerSkip)
