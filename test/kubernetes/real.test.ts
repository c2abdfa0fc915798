import { kubeSkip, managerSkip } from '../harness/kube/server.js'
import { kubernetesContract } from './contract.js'

kubernetesContract('real', kubeSkip, managerSkip)
