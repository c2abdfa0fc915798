import { kubernetesNeighbours } from './neighbours.js'

kubernetesNeighbours('fake', false)
