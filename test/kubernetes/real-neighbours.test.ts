import { managerSkip } from '../harness/kube/server.js'
import { kubernetesNeighbours } from './neighbours.js'

kubernetesNeighbours('real', managerSkip)
